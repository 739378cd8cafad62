"""The command evaluate: against truth, from a clerical sample, or against the training reference alone."""

import argparse
from pathlib import Path

import evaluation
from evaluation.intervals import Share
from evaluation.words import drifted, sampled
from linkage.cli.flags import COLUMNS, FORCE, OUT, Command, Flag, Result, column_map
from linkage.errors import UserError
from linkage.messages import say
from linkage.reports.pages import count, percent

__all__ = ["EVALUATE", "measured"]


def _evaluate(flags: argparse.Namespace) -> Result:
    run, out, language = flags.run_folder, flags.out, flags.lang
    if flags.truth and flags.labels:
        raise UserError("evaluate.truth_and_labels")
    columns = column_map(flags)
    if flags.persons:
        if not flags.truth:
            raise UserError("cli.missing", command="linkage evaluate --persons", flag="--truth")
        persons = evaluation.evaluate_persons(
            flags.persons, run, flags.truth, out, columns=columns, language=language, force=flags.force
        )
        return Result(evaluation.persons_as_markdown(persons, language), persons.as_dict())
    if flags.truth:
        found = evaluation.evaluate(run, flags.truth, out, columns=columns, language=language, force=flags.force)
        return Result(measured(found, out, language), found.as_dict())
    if flags.labels:
        estimate = evaluation.estimate(run, flags.labels, out, columns=columns, language=language, force=flags.force)
        return Result(_estimated(estimate, out, language), estimate.as_dict())
    drift = evaluation.check_drift(run, out, language=language, force=flags.force)
    page = say("evaluate.page", language, page=out / "index.html")
    return Result("\n".join([*drifted(drift, language), page]), {"drift": drift.as_dict()})


def measured(found: evaluation.Evaluation, out: Path, language: str) -> str:
    """An evaluation against truth in a few lines."""
    overall = found.overall
    shares = {"precision": overall.precision, "recall": overall.recall, "review": overall.review_share}
    figures = {name: percent(share.value, language) for name, share in shares.items()}
    figures["page"] = str(out / "index.html")
    drift = drifted(found.drift, language) if found.drift else []
    return "\n".join([*evaluation.notices(found, language), *drift, say("evaluate.done", language, **figures)])


def _estimated(found: evaluation.Clerical, out: Path, language: str) -> str:
    overall = found.overall
    shares = {"precision": overall.precision, "recall": overall.recall, "missed": overall.missed_links}
    review = found.decisions["review"] / overall.doses if overall.doses else None
    text = say(
        "evaluate.estimated",
        language,
        answered=count(overall.answered, language),
        review=percent(review, language),
        page=out / "index.html",
        **{name: _with_interval(share, language) for name, share in shares.items()},
    )
    drift = drifted(found.drift, language) if found.drift else []
    return "\n".join([*sampled(found, language), *drift, text])


def _with_interval(share: Share, language: str) -> str:
    if share.value is None:
        return say("evaluate.unknown", language)
    value, low, high = (percent(part, language) for part in (share.value, share.low, share.high))
    return say("evaluate.interval", language, value=value, low=low, high=high)


EVALUATE = Command(
    "evaluate",
    (
        Flag("--run", {"required": True, "type": Path, "dest": "run_folder", "metavar": "RUN"}),
        Flag("--truth"),
        Flag("--labels"),
        Flag("--persons", {"type": Path, "metavar": "DIR"}),
        OUT,
        COLUMNS,
        FORCE,
    ),
    _evaluate,
)
