"""``python -m evaluation.benchmarks.review``: what clerical review makes of a run, and of the next model.

Of each seed a synthetic population is scored with the shipped model and queued; clerks who know the truth, but err in
3 % of their answers and cannot tell in 5 %, read the queue through the desk that people use; the population is scored
again with their answers. Then two models are trained: on the labels that the population comes with, and on these and
the answers to the queue of the first together; both score the persons of another population. Writes ``results.json``,
``results.md`` and the pages ``index.html`` (Vietnamese) and ``index.en.html`` to ``--out``.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.population import synthesise
from evaluation.review import Clerk, clear, curves, measure_accepts, read_truth
from evaluation.review.page import Queue, Round, as_markdown, render
from linkage.review.labels import labels
from linkage.review.quality import accuracy, agreement
from linkage.review.queue import QueueSettings, queue_run
from linkage.review.standing import standing_answers
from linkage.run import ScoreJob, score
from linkage.store import Store, open_store
from models import Model, load
from models.promotion import shipped
from training import TrainJob, train

OTHERS = 1000
"""Added to a seed: the population whose persons the models are compared on."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a round is made of."""

    citizens: int
    doses: int
    error: float
    undecided: float
    threads: int
    memory: str


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
    )
    return train(job)


def reviewed(data: Path, out: Path, seed: int, settings: Settings, store: Store) -> tuple[Path, Round]:
    """Score, queue, let clerks read all of it, and score again; returns the first run and what was measured."""
    model = Model.read(shipped()["dose_citizen"])
    run = scored(data, model, out / "run", settings)
    queue_run(store, run, QueueSettings(known=data / "labels.csv", seed=seed), actor="simulation")
    truth = read_truth(data / "truth.csv")
    first, second, judge = (Clerk(name, seed, settings.error, settings.undecided) for name in ("an", "binh", "chi"))
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
    parser.add_argument("--no-models", action="store_true", help="leave out the training of the next model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--out", type=Path, default=Path("review_benchmark"))
    flags = parser.parse_args()
    settings = Settings(flags.citizens, flags.doses, flags.error, flags.undecided, flags.threads, flags.memory)
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
    data, others = out / "data", out / "others"
    synthesise(settings.citizens, settings.doses, seed, data, force=True)
    for left in out.glob("store.db*"):
        left.unlink()
    with open_store(f"sqlite:///{out / 'store.db'}") as store:
        run, found = reviewed(data, out, seed, settings, store)
        if not models:
            return found
        labels(store, run, base=str(data / "labels.csv"), out=out / "labels.csv", force=True)
    synthesise(settings.citizens, settings.doses, seed + OTHERS, others, force=True)
    measured = []
    for name, label_file in (("base", data / "labels.csv"), ("next", out / "labels.csv")):
        model = trained(data, label_file, out / f"model_{name}", settings)
        measured.append(measure_accepts(scored(others, model, out / f"run_{name}", settings), others / "truth.csv"))
    return found.with_models(*measured)


def settings_of(settings: Settings) -> dict[str, Any]:
    """What the pages say of how it was done."""
    return {name: getattr(settings, name) for name in ("citizens", "doses", "error", "undecided")}


if __name__ == "__main__":
    main()
