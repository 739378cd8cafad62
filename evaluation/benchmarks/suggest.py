"""``python -m evaluation.benchmarks.suggest``: how many labels a claim takes, with ``train --suggest`` and at random.

One synthetic run with truth; doses are drawn from it many times over, by both designs, and "labelled" with the truth.
All figures of both designs come from the same estimator, `training.proof.rate`. Writes ``results.json``,
``results.md`` and ``chart.svg`` to ``--out``.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from evaluation.population import synthesise
from linkage.run import ScoreJob, score
from models import Model, load
from training import TrainJob, train
from training.learning import Tolerances
from training.proof import Rate, rate
from training.suggest import Frame, draw_doses, frame_of, inclusion, read_frame
from training.vectors import Bools, Floats, Ints

SIZES = (500, 1000, 2000, 4000, 8000, 16_000)
DESIGNS = {"random": "at random", "suggest": "--suggest"}
BAND_AT_LEAST = 20
MATCHES_OF_A_LEVEL = 5
FALSE_LINKS = 1 / 500
"""What the first model may err: a round of labels that can prove more needs no second."""


@dataclass(frozen=True, slots=True)
class Known:
    """The run and its truth, by dose in the order of the frame.

    Attributes:
        accept, review, no_match: what was decided.
        wrong: the best candidate is not the dose's citizen, or, without a match, the registry has the citizen.
        band: number of the dose's decision and band of probability; -1 where it has too few doses to ask about.
        levels: the best candidate's level on each comparison as one running number, where it is the dose's citizen;
            else -1. Shape (doses, comparisons).
    """

    frame: Frame
    accept: Bools
    review: Bools
    no_match: Bools
    wrong: Bools
    band: Ints
    levels: Ints


@dataclass(frozen=True, slots=True)
class Measure:
    """One question to a sample: its figure, how large it is, and how it is shown."""

    name: str
    of: Callable[[Known, Ints, Floats], float]
    shown: Callable[[float], str]
    targets: tuple[float, ...]
    rising: bool = False


def _rate(known: Known, of: Bools, chosen: Ints, weight: Floats) -> Rate:
    """The rate of wrong doses, or of right ones where they are the fewer: the interval is that of rare events."""
    wrong = known.wrong if known.wrong[of].mean() <= 0.5 else ~known.wrong
    return rate(wrong[chosen], of[chosen], weight, known.frame.subject[chosen])


def _half_width(found: Rate) -> float:
    return (found.high - found.low) / 2


def _bands(known: Known, chosen: Ints, weight: Floats) -> float:
    numbers = [number for number in np.unique(known.band) if number >= 0]
    return float(np.mean([_half_width(_rate(known, known.band == n, chosen, weight)) for n in numbers]))


def _levels(known: Known, chosen: Ints, _: Floats) -> float:
    there, shown = (
        np.bincount(levels[levels >= 0], minlength=int(known.levels.max()) + 1) >= MATCHES_OF_A_LEVEL
        for levels in (known.levels, known.levels[chosen])
    )
    return float(shown.sum() / there.sum())


def _one_in(share: float) -> str:
    return f"1 in {1 / share:,.0f}"


def _points(share: float) -> str:
    return f"± {share * 100:.2g} points"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


MEASURES = (
    Measure(
        "false links of accepts, proven below",
        lambda k, chosen, weight: _rate(k, k.accept, chosen, weight).bound,
        _one_in,
        (1 / 200, 1 / 500, 1 / 1000, 1 / 2500),
    ),
    Measure(
        "precision of accepts, half of its interval",
        lambda k, chosen, weight: _half_width(_rate(k, k.accept, chosen, weight)),
        _points,
        (0.002, 0.001, 0.0005),
    ),
    Measure(
        "missed links of no-match, half of the interval",
        lambda k, chosen, weight: _half_width(_rate(k, k.no_match, chosen, weight)),
        _points,
        (0.1, 0.05, 0.03),
    ),
    Measure(
        "best candidate wrong in review, half of the interval",
        lambda k, chosen, weight: _half_width(_rate(k, k.review, chosen, weight)),
        _points,
        (0.2, 0.1, 0.05),
    ),
    Measure("wrong by decision and band, half of the interval, mean", _bands, _points, (0.3, 0.2, 0.1)),
    Measure(f"levels with {MATCHES_OF_A_LEVEL} labelled matches or more", _levels, _percent, (0.6, 0.7, 0.8), True),
)


def prepare(out: Path, citizens: int, doses: int, seed: int, *, threads: int, memory: str) -> Path:
    """Synthesise, train and score in ``out``; returns the folder RUN."""
    data, run = out / "data", out / "run"
    synthesise(citizens, doses, seed, data, force=True)
    job = TrainJob(
        doses=str(data / "doses.csv"),
        citizens=str(data / "citizens.csv"),
        labels=str(data / "labels.csv"),
        specification=load("dose_citizen"),
        out=out / "model",
        threads=threads,
        memory=memory,
        tolerances=Tolerances(false_links=FALSE_LINKS),
        force=True,
    )
    model = train(job)
    score(
        ScoreJob(
            doses=job.doses,
            citizens=job.citizens,
            model=model,
            out=run,
            threads=threads,
            memory=memory,
            force=True,
        )
    )
    return run


def read_known(run: Path, truth: Path) -> Known:
    """The frame of a run, with what the truth says of each dose."""
    names = [c.name for c in Model.read(run).specification.comparisons if not c.is_interaction]
    codes = ", ".join(f'dense_rank() OVER (ORDER BY \'{name}\', "{name}") AS "{name}"' for name in names)
    with duckdb.connect() as connection:
        read_frame(connection, run, 1)
        frame = frame_of(connection)
        found = connection.execute(
            f"""
        WITH truth AS (
          SELECT dose_id, citizen_id AS own FROM read_csv($truth, all_varchar = true)
        ), best AS (
          SELECT dose_id, {codes} FROM candidates WHERE rank = 1
        ), bands AS (
          SELECT *, count(*) OVER (PARTITION BY decision, band) >= {BAND_AT_LEAST} AS asked FROM frame
        )
        SELECT f.decision, CASE WHEN asked THEN dense_rank() OVER (ORDER BY f.decision, f.band) ELSE -1 END AS band,
          CASE f.decision WHEN 'no_match' THEN own IS NOT NULL ELSE d.citizen_id IS DISTINCT FROM own END AS wrong,
          coalesce(d.citizen_id = own, false) AS own_best, best.* EXCLUDE (dose_id)
        FROM bands AS f JOIN truth USING (dose_id) JOIN decisions AS d USING (dose_id) LEFT JOIN best USING (dose_id)
        WHERE d.decision <> 'quarantine' ORDER BY f.number""",
            {"truth": str(truth)},
        ).fetchnumpy()
    levels = np.stack([np.ma.filled(np.ma.asarray(found[name]), 0).astype(np.int64) for name in names], axis=1)
    levels += np.cumsum([0, *(levels[:, :-1].max(axis=0) + 1)])
    own = np.asarray(found["own_best"], dtype=bool)
    decision = np.asarray(found["decision"], dtype=str)
    return Known(
        frame=frame,
        accept=decision == "accept",
        review=decision == "review",
        no_match=decision == "no_match",
        wrong=np.asarray(found["wrong"], dtype=bool),
        band=np.asarray(found["band"], dtype=np.int64),
        levels=np.where(own[:, np.newaxis], levels, -1),
    )


def draws(known: Known, design: str, size: int, times: int, seed: int) -> list[tuple[Ints, Floats]]:
    """Doses and weights of that many samples."""
    generator = np.random.default_rng([seed, size])
    doses = len(known.wrong)
    if design == "random":
        return [(generator.permutation(doses)[:size], np.full(size, doses / size)) for _ in range(times)]
    frame = known.frame
    probability = inclusion(frame, size)
    found = []
    for _ in range(times):
        # another order and other luck, as another seed gives
        order = generator.permutation(doses)
        again = Frame(
            frame.cell[order], frame.uncertain[order], frame.rare[order], frame.subject[order], generator.random(doses)
        )
        chosen = order[draw_doses(again, probability[order], float(generator.random()))]
        found.append((chosen, 1 / probability[chosen]))
    return found


def compare(known: Known, sizes: Sequence[int], times: int, seed: int) -> dict[str, dict[str, list[float]]]:
    """Measure → design → the mean over the draws, by size; and how often what was claimed was true."""
    results: dict[str, dict[str, list[float]]] = {}
    truly = float(known.wrong[known.accept].mean())
    for design in DESIGNS:
        for size in sizes:
            samples = draws(known, design, size, times, seed)
            for measure in MEASURES:
                mean = float(np.mean([measure.of(known, chosen, weight) for chosen, weight in samples]))
                results.setdefault(measure.name, {}).setdefault(design, []).append(mean)
            held = [_rate(known, known.accept, chosen, weight).bound >= truly for chosen, weight in samples]
            results.setdefault(HELD, {}).setdefault(design, []).append(float(np.mean(held)))
    return results


HELD = "draws in which the proven bound holds"


def labels_needed(sizes: Sequence[int], figures: Sequence[float], target: float, *, rising: bool) -> float | None:
    """The size at which the figure reaches the target, between sizes by its logarithm; None if none does."""
    reached = [figure >= target if rising else figure <= target for figure in figures]
    if not any(reached):
        return None
    place = reached.index(True)
    if place == 0:
        return float(sizes[0])
    before, after = (np.log(figures[at]) for at in (place - 1, place))
    share = (np.log(target) - before) / (after - before)
    return float(np.exp(np.log(sizes[place - 1]) + share * np.log(sizes[place] / sizes[place - 1])))


def as_markdown(results: Mapping[str, Mapping[str, Sequence[float]]], sizes: Sequence[int]) -> str:
    """Two tables: what a number of labels gives, and how many labels a claim takes."""
    lines = [f"| labelled doses | | {' | '.join(f'{size:,}' for size in sizes)} |", "|---|---|" + "---:|" * len(sizes)]
    shown = {measure.name: measure.shown for measure in MEASURES} | {HELD: _percent}
    for name, by_design in results.items():
        for design, figures in by_design.items():
            lines.append(f"| {name} | {DESIGNS[design]} | {' | '.join(map(shown[name], figures))} |")
    lines += ["", f"| to reach | {' | '.join(DESIGNS.values())} | labels spared |", "|---|---:|---:|---:|"]
    for measure in MEASURES:
        for target in measure.targets:
            needed = [
                labels_needed(sizes, results[measure.name][design], target, rising=measure.rising) for design in DESIGNS
            ]
            cells = [_labels(number, sizes) for number in needed]
            one, other = needed
            spared = f"{(1 - other / one) * 100:.0f} %" if one and other and min(one, other) > sizes[0] else ""
            lines.append(f"| {measure.name}: {measure.shown(target)} | {' | '.join(cells)} | {spared} |")
    return "\n".join(lines) + "\n"


def _labels(number: float | None, sizes: Sequence[int]) -> str:
    if number is None:
        return f"> {sizes[-1]:,}"
    return f"≤ {sizes[0]:,}" if number <= sizes[0] else f"{number:,.0f}"


def draw_chart(results: Mapping[str, Mapping[str, Sequence[float]]], sizes: Sequence[int], file: Path) -> None:
    """One panel for each measure: its figure by the number of labelled doses, one line for each design."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "suggest", "font.size": 9}):
        figure = Figure(figsize=(13, 7), layout="constrained")
        FigureCanvasSVG(figure)
        for axes, measure in zip(np.ravel(figure.subplots(2, 3)), MEASURES, strict=True):
            for design, style in (("random", "o:"), ("suggest", "o-")):
                axes.plot(sizes, results[measure.name][design], style, color="#1f5f8b", label=DESIGNS[design])
            axes.set_xscale("log", base=2)
            axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
            axes.set_yscale("linear" if measure.rising else "log")
            axes.set_yticks(measure.targets, [measure.shown(target) for target in measure.targets])
            axes.minorticks_off()
            axes.set_title(measure.name, fontsize=9)
            axes.set_xlabel("labelled doses")
            axes.grid(color="#dddddd")
            axes.spines[:].set_visible(False)
        axes.legend(frameon=False)
        figure.savefig(file, format="svg", metadata={"Date": None})


def main() -> None:
    """Compare the designs on one run."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.suggest", description=__doc__)
    parser.add_argument("--citizens", type=int, default=60_000)
    parser.add_argument("--doses", type=int, default=120_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--out", type=Path, default=Path("suggest"))
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    run = prepare(flags.out, flags.citizens, flags.doses, flags.seed, threads=flags.threads, memory=flags.memory)
    known = read_known(run, flags.out / "data" / "truth.csv")
    results = compare(known, SIZES, flags.draws, flags.seed)
    counts = {
        name: [int(of.sum()), int((known.wrong & of).sum())]
        for name, of in (("accept", known.accept), ("review", known.review), ("no_match", known.no_match))
    }
    text = ", ".join(f"{name}: {doses:,} doses, {wrong:,} wrong" for name, (doses, wrong) in counts.items())
    text = f"{text}; means of {flags.draws} draws\n\n{as_markdown(results, SIZES)}"
    data = {"sizes": SIZES, "draws": flags.draws, "doses_and_wrong": counts, "figures": results}
    (flags.out / "results.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    (flags.out / "results.md").write_text(text, encoding="utf-8")
    draw_chart(results, SIZES, flags.out / "chart.svg")
    print(text)


if __name__ == "__main__":
    main()
