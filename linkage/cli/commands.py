"""The commands: flags to calls, results to words."""

import argparse
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import evaluation
from evaluation import population
from linkage import reports
from linkage.cli.answering import RESPECTED, answers_in, respected
from linkage.cli.evaluating import EVALUATE, measured
from linkage.cli.flags import (
    DEFAULT_MEMORY,
    ENGINE,
    FORCE,
    OUT,
    TABLES,
    Command,
    Flag,
    Group,
    Result,
    column_map,
    natural,
    threads,
)
from linkage.cli.models import MODEL, model_in_use, read_model
from linkage.cli.persons import PERSONS
from linkage.cli.review import REVIEW
from linkage.cli.suggesting import INPUTS, check_inputs, suggest_doses
from linkage.errors import UserError
from linkage.explain import explain
from linkage.messages import say, word
from linkage.progress import Progress, Terminal
from linkage.reports.pages import at_most, count, percent
from linkage.run import ScoreJob, score
from linkage.specification import read_specification
from linkage.tables import refuse_to_overwrite
from models import Model, load
from training import Tolerances, TrainJob, train
from training.suspicion import in_words

SPECIFICATION = "dose_citizen"
PROVEN_BY_DEMO = 16
"""The labels of N synthetic citizens prove a rate of about so many in N."""

DEMO = frozenset({"data", "model", "run", "evaluation", "provinces.html"})


def _progress(flags: argparse.Namespace) -> Progress:
    return Terminal(flags.lang)


def _synth(flags: argparse.Namespace) -> Result:
    report = population.synthesise(
        flags.citizens,
        flags.doses,
        flags.seed,
        flags.out,
        file_format=flags.format,
        force=flags.force,
        progress=_progress(flags),
    )
    data = {"citizens": report.citizens, "doses": report.doses, "labels": report.labels}
    return Result(population.as_table(report.figures, flags.lang), data)


def _train(flags: argparse.Namespace) -> Result:
    check_inputs(flags)
    if flags.suggest:
        return suggest_doses(flags)
    job = TrainJob(
        doses=flags.doses,
        citizens=flags.citizens,
        labels=flags.labels,
        specification=read_specification(flags.spec),
        out=flags.out,
        threads=flags.threads,
        memory=flags.memory,
        tolerances=Tolerances(
            flags.max_false_link_rate, flags.max_missed_link_rate, flags.max_false_link_rate_of_a_stratum
        ),
        review_capacity=flags.review_capacity,
        unlabelled=flags.unlabelled,
        seed=flags.seed,
        force=flags.force,
        columns=column_map(flags),
    )
    model = train(job, progress=_progress(flags))
    text = "\n".join(
        [*in_words(model.evidence["labels"]["suspicions"], flags.lang), _proven(model, flags.out, flags.lang)]
    )
    thresholds = model.evidence["thresholds"]
    return Result(text, {"model": model.name, "digest": model.digest, "thresholds": thresholds})


def _proven(model: Model, out: Path, language: str) -> str:
    """What the labels prove of a model, and of which strata they prove nothing."""
    thresholds = model.evidence["thresholds"]
    false_links = thresholds["false_links"]
    done = say(
        "train.done",
        language,
        out=out,
        digest=model.digest[:12],
        accepted=count(false_links["doses"], language),
        false_links=count(false_links["errors"], language),
        claim=at_most(false_links["bound"], language),
        accepted_share=percent(thresholds["accepted_share"], language),
        review_share=percent(thresholds["review_share"], language),
    )
    claim = count(round(1 / thresholds["max_false_link_rate_of_a_stratum"]), language)
    unproven = (
        say(
            "train.stratum_unproven",
            language,
            stratum=word(f"stratum.{name}", language),
            more=count(found["lacking"], language),
            claim=claim,
        )
        for name, found in thresholds["strata"].items()
        if found["lacking"]
    )
    return "\n".join([done, *unproven])


def _score(flags: argparse.Namespace) -> Result:
    if flags.engine != "duckdb":
        raise UserError("score.engine", engine=flags.engine)
    job = ScoreJob(
        doses=flags.doses,
        citizens=flags.citizens,
        model=model_in_use() if flags.model is None else read_model(flags.model),
        out=flags.out,
        threads=flags.threads,
        memory=flags.memory,
        resume=flags.resume,
        force=flags.force,
        columns=column_map(flags),
        answers=answers_in(flags.store),
    )
    progress = _progress(flags)
    manifest = score(job, progress=progress)
    return Result(_summary(manifest, flags.out, flags.lang), manifest)


def _summary(manifest: Mapping[str, Any], out: Path, language: str) -> str:
    rows = manifest["rows_in"]
    lines = [
        f"{say(f'decision.{name}', language):<28}{count(number, language):>14}"
        f"{percent(number / rows if rows else 0.0, language):>10}"
        for name, number in manifest["decisions"].items()
    ]
    notices = [say(key, language, **facts) for table in manifest["inputs"].values() for key, facts in table["notices"]]
    pairs, forgone = (count(manifest["blocking"][name], language) for name in ("pairs", "pairs_forgone"))
    total = f"{say('score.rows_in', language):<28}{count(rows, language):>14}"
    model = say("score.model", language, name=manifest["model"]["name"], digest=manifest["model"]["digest"][:12])
    return "\n".join(
        [
            *notices,
            model,
            *lines,
            total,
            respected(manifest, language),
            say("score.pairs", language, pairs=pairs, forgone=forgone, out=out),
        ]
    )


def _explain(flags: argparse.Namespace) -> Result:
    explanation = explain(flags.run_folder, flags.dose_id)
    return Result(explanation.as_text(flags.lang), explanation.as_dict())


def _report(flags: argparse.Namespace) -> Result:
    found = reports.report(flags.run_folder, flags.by, flags.out, language=flags.lang, force=flags.force)
    return Result(say("report.done", flags.lang, out=flags.out), asdict(found))


def _demo(flags: argparse.Namespace) -> Result:
    out, progress = flags.out, _progress(flags)
    refuse_to_overwrite(out, force=flags.force, ours=DEMO)
    shutil.rmtree(out, ignore_errors=True)
    data = out / "data"
    out.mkdir(parents=True)
    made = population.synthesise(flags.citizens, 2 * flags.citizens, 1, data, progress=progress)
    doses, citizens = str(data / "doses.csv"), str(data / "citizens.csv")
    model = train(
        TrainJob(
            doses=doses,
            citizens=citizens,
            labels=str(data / "labels.csv"),
            specification=load(SPECIFICATION),
            out=out / "model",
            threads=threads(),
            memory=DEFAULT_MEMORY,
            # a small population has too few labels to prove the usual rate
            tolerances=Tolerances(max(Tolerances().false_links, PROVEN_BY_DEMO / flags.citizens)),
        ),
        progress=progress,
    )
    manifest = score(
        ScoreJob(
            doses=doses, citizens=citizens, model=model, out=out / "run", threads=threads(), memory=DEFAULT_MEMORY
        ),
        progress=progress,
    )
    found = evaluation.evaluate(out / "run", str(data / "truth.csv"), out / "evaluation", language=flags.lang)
    reports.report(out / "run", "province", out / "provinces.html", language=flags.lang)
    text = [
        population.as_table(made.figures, flags.lang),
        _proven(model, out / "model", flags.lang),
        _summary(manifest, out / "run", flags.lang),
        measured(found, out / "evaluation", flags.lang),
        say("report.done", flags.lang, out=out / "provinces.html"),
    ]
    return Result("\n".join(text), {"run": manifest, "evaluation": found.as_dict()})


def _seed(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**32:
        raise ValueError(text)
    return number


# argparse names the type in its message
_seed.__name__ = "seed from 0 to 4294967295"
_RUN = Flag("--run", {"required": True, "type": Path, "dest": "run_folder", "metavar": "RUN"})

COMMANDS: tuple[Command | Group, ...] = (
    Command(
        "demo",
        (
            Flag("--citizens", {"type": natural, "default": 50_000, "metavar": "N"}),
            Flag("--out", {"type": Path, "default": Path("demo"), "metavar": "DIR"}),
            FORCE,
        ),
        _demo,
    ),
    Command(
        "synth",
        (
            Flag("--citizens", {"type": natural, "required": True, "metavar": "N"}),
            Flag("--doses", {"type": natural, "required": True, "metavar": "M"}),
            Flag("--seed", {"type": _seed, "default": 1, "metavar": "S"}),
            OUT,
            Flag("--format", {"choices": ("csv", "parquet"), "default": "csv"}),
            FORCE,
        ),
        _synth,
    ),
    Command(
        "train",
        (
            *INPUTS,
            Flag("--out", {"required": True, "type": Path, "metavar": "MODEL"}),
            Flag("--spec", {"default": SPECIFICATION, "metavar": "FILE"}),
            Flag("--max-false-link-rate", {"type": float, "default": 1 / 2500, "metavar": "R"}),
            Flag("--max-false-link-rate-of-a-stratum", {"type": float, "metavar": "R"}),
            Flag("--max-missed-link-rate", {"type": float, "default": 0.02, "metavar": "S"}),
            Flag("--review-capacity", {"type": natural, "metavar": "N"}),
            Flag("--unlabelled", {"action": "store_true"}),
            Flag("--seed", {"type": _seed, "default": 1, "metavar": "S"}),
            *ENGINE,
        ),
        _train,
    ),
    Command(
        "score",
        (
            *TABLES,
            Flag("--model", {"metavar": "MODEL"}),
            Flag("--out", {"required": True, "type": Path, "metavar": "RUN"}),
            Flag("--engine", {"choices": ("duckdb", "spark"), "default": "duckdb"}),
            Flag("--resume", {"action": "store_true"}),
            RESPECTED,
            *ENGINE,
        ),
        _score,
    ),
    EVALUATE,
    Command("explain", (_RUN, Flag("dose_id", {"metavar": "DOSE_ID"})), _explain),
    Command(
        "report",
        (
            _RUN,
            Flag("--by", {"required": True, "choices": ("province", "district", "commune", "facility")}),
            Flag("--out", {"required": True, "type": Path, "metavar": "FILE"}),
            FORCE,
        ),
        _report,
    ),
    PERSONS,
    REVIEW,
    MODEL,
)
