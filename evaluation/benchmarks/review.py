"""``python -m evaluation.benchmarks.review``: what clerical review makes of a run, and of the next model.

Of each seed a synthetic population is scored with the shipped model and queued; clerks who know the truth, but err in
3 % of their answers and cannot tell in 5 %, read the queue through the desk that people use; the population is scored
again with their answers. Then, as where training begins, a model is trained on ``--labelled`` doses alone and scores
the population; clerks read its queue; a next model is trained on these labels and the answers together, with the same
tolerance proven by the same procedure; both score another population. Writes ``results.json``, ``results.md`` and the
pages ``index.html`` (Vietnamese) and ``index.en.html`` to ``--out``.
"""

import argparse
import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.population import synthesise
from evaluation.review import Accepts, Clerk, clear, curves, measure_accepts, read_truth
from evaluation.review.page import Queue, Round, as_markdown, render
from linkage.review.labels import labels
from linkage.review.quality import accuracy, agreement
from linkage.review.queue import QueueSettings, queue_run
from linkage.review.standing import standing_answers
from linkage.run import ScoreJob, score
from linkage.store import Store, open_store
from models import Model, load
from models.promotion import shipped
from training import Tolerances, TrainJob, train

OTHERS = 1000
"""Added to a seed: the population whose persons the models are compared on."""


@dataclass(frozen=True)
class Settings:
    """What a round is made of."""

    citizens: int
    doses: int
    error: float
    undecided: float
    threads: int
    memory: str
    labelled: int = 8_000
    tolerance: float = 1 / 500


def scored(data: Path, model: Model, out: Path, settings: Settings, store: Store | None = None) -> Path:
    """Score a population, with the answers of a store if one is given; returns the folder RUN."""
    score(
        ScoreJob(
            doses=str(data / "doses.csv"),
            citizens=str(data / "citizens.csv"),
            model=model,
            out=out,
            threads=settings.threads,
            memory=settings.memory,
            force=True,
            answers=standing_answers(store) if store else None,
        )
    )
    return out


def trained(data: Path, label_file: Path, out: Path, settings: Settings) -> Model:
    """A model trained on a population and labels, false links proven as usual."""
    job = TrainJob(
        doses=str(data / "doses.csv"),
        citizens=str(data / "citizens.csv"),
        labels=str(label_file),
        specification=load("dose_citizen"),
        out=out,
        threads=settings.threads,
        memory=settings.memory,
        force=True,
        tolerances=Tolerances(false_links=settings.tolerance),
    )
    return train(job)


def some_labels(source: Path, doses: int, out: Path) -> Path:
    """The labels of about so many doses of all labelled ones, chosen by a digest of their names."""
    with source.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    everybody = sorted({row["dose_id"] for row in rows}, key=lambda each: hashlib.sha256(each.encode()).digest())
    chosen = set(everybody[:doses])
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(row for row in rows if row["dose_id"] in chosen)
    return out


def reviewed(data: Path, out: Path, seed: int, settings: Settings, store: Store) -> tuple[Path, Round]:
    """Score, queue, let clerks read all of it, and score again; returns the first run and what was measured."""
    model = Model.read(shipped()["dose_citizen"])
    run = scored(data, model, out / "run", settings)
    queue_run(store, run, QueueSettings(known=data / "labels.csv", seed=seed), actor="simulation")
    truth = read_truth(data / "truth.csv")
    first, second, judge = _clerks(seed, settings)
    cases = clear(store, truth, (first, second), judge)
    after = scored(data, model, out / "run_after", settings, store)
    by_order = curves(cases, truth, seed)
    queue = Queue(
        cases=len(cases),
        doses=sum(len(case.doses) for case in cases),
        decisions=sum(case.reads for case in cases),
        curves=by_order,
        agreement=agreement(store).overall,
        accuracy=accuracy(store),
    )
    before, later = (measure_accepts(folder, data / "truth.csv") for folder in (run, after))
    return run, Round(seed, before, later, queue)


def main() -> None:
    """Go through every seed; print the table, and keep it with the pages."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.review", description=__doc__)
    parser.add_argument("--citizens", type=int, default=100_000)
    parser.add_argument("--doses", type=int, default=200_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[3], metavar="SEED")
    parser.add_argument("--error", type=float, default=0.03)
    parser.add_argument("--undecided", type=float, default=0.05)
    parser.add_argument("--labelled", type=int, default=Settings.labelled, help="labelled doses of the first model")
    parser.add_argument(
        "--tolerance", type=float, default=Settings.tolerance, help="false links that both models may have"
    )
    parser.add_argument("--no-models", action="store_true", help="leave out the training of the next model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--out", type=Path, default=Path("review_benchmark"))
    flags = parser.parse_args()
    settings = Settings(
        flags.citizens,
        flags.doses,
        flags.error,
        flags.undecided,
        flags.threads,
        flags.memory,
        flags.labelled,
        flags.tolerance,
    )
    rounds: list[Round] = []
    for seed in flags.seeds:
        rounds.append(one_round(flags.out / str(seed), seed, settings, models=not flags.no_models))
        # after each: what is measured is not lost with what comes next
        results: dict[str, Any] = {"settings": settings_of(settings), "rounds": [each.as_dict() for each in rounds]}
        (flags.out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        (flags.out / "results.md").write_text(as_markdown(rounds), encoding="utf-8")
        for language, name in (("vi", "index.html"), ("en", "index.en.html")):
            (flags.out / name).write_text(render(rounds, settings_of(settings), language), encoding="utf-8")
    print(as_markdown(rounds))


def one_round(out: Path, seed: int, settings: Settings, *, models: bool) -> Round:
    """Everything of one seed, in a folder of its own."""
    data = out / "data"
    synthesise(settings.citizens, settings.doses, seed, data, force=True)
    for left in out.glob("store.db*"):
        left.unlink()
    with open_store(f"sqlite:///{out / 'store.db'}") as store:
        _, found = reviewed(data, out, seed, settings, store)
    return found.with_models(*next_models(data, out, seed, settings)) if models else found


def next_models(data: Path, out: Path, seed: int, settings: Settings) -> tuple[Accepts, Accepts]:
    """How a model of few labels accepts in another population, and one that also had the answers to its queue."""
    others = out / "others"
    synthesise(settings.citizens, settings.doses, seed + OTHERS, others, force=True)
    base_labels = some_labels(data / "labels.csv", settings.labelled, out / "base.csv")
    base = trained(data, base_labels, out / "model_base", settings)
    for left in out.glob("next.db*"):
        left.unlink()
    with open_store(f"sqlite:///{out / 'next.db'}") as store:
        run = scored(data, base, out / "run_queued", settings)
        queue_run(store, run, QueueSettings(seed=seed), actor="simulation")
        clear(store, read_truth(data / "truth.csv"), _clerks(seed, settings)[:2], _clerks(seed, settings)[2])
        labels(store, run, base=str(base_labels), out=out / "labels.csv", force=True)
    following = trained(data, out / "labels.csv", out / "model_next", settings)
    measured = (
        measure_accepts(scored(others, model, out / f"run_{name}", settings), others / "truth.csv")
        for name, model in (("base", base), ("next", following))
    )
    first, second = measured
    return first, second


def _clerks(seed: int, settings: Settings) -> list[Clerk]:
    return [Clerk(name, seed, settings.error, settings.undecided) for name in ("an", "binh", "chi")]


def settings_of(settings: Settings) -> dict[str, Any]:
    """What the pages say of how it was done."""
    return {
        name: getattr(settings, name) for name in ("citizens", "doses", "error", "undecided", "labelled", "tolerance")
    }


if __name__ == "__main__":
    main()
