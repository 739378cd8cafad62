"""The table: what is asked of a linker, and what each one reached."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evaluation.figures import Evaluation, Figures
from evaluation.intervals import Share, share

COLUMNS = {
    "khop": "Khớp",
    "plain_splink": "plain Splink 5, Jaro–Winkler",
    "gradient_boosting": "scikit-learn gradient boosting",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a share, shown ``per`` so many."""

    name: str
    of: Callable[[Evaluation], Share]
    per: int = 100


def _all(pick: Callable[[Figures], Share]) -> Callable[[Evaluation], Share]:
    return lambda evaluation: pick(evaluation.overall)


def _part(dimension: str, name: str, pick: Callable[[Figures], Share]) -> Callable[[Evaluation], Share]:
    """A share of one part of a dimension; 0 of 0 where no dose is of the part."""

    def of(evaluation: Evaluation) -> Share:
        parts = [s.figures for s in evaluation.strata if (s.dimension, s.name) == (dimension, name)]
        return pick(parts[0]) if parts else share(0, 0)

    return of


def _accepted_wrong(figures: Figures) -> Share:
    return share(figures.false_links.count, figures.doses)


def _accepted(figures: Figures) -> Share:
    return share(figures.accept, figures.doses)


ROWS = (
    Row("precision of accepts", _all(lambda f: f.precision)),
    Row("linkable doses accepted and right", _all(lambda f: f.recall)),
    Row("doses in review", _all(lambda f: f.review_share)),
    Row("no usable ID: accepted and right", _part("id_group", "unusable", lambda f: f.recall)),
    Row("no usable ID: precision of accepts", _part("id_group", "unusable", lambda f: f.precision)),
    Row("well-formed ID, wrong details: accepted and right", _part("details", "differ", lambda f: f.recall)),
    Row(
        "the same, still wrong once standardised: accepted and right",
        _part("stratum", "wrong_after_standardising", lambda f: f.recall),
    ),
    Row("twins: accepted wrong, per 2,000 doses", _part("twin", "twin", _accepted_wrong), per=2000),
    Row("absent from the registry: accepted, per 1,000 doses", _part("registry", "absent", _accepted), per=1000),
)
"""What is asked of every linker."""

BLOCKS = {
    "by_the_rule": "Thresholds chosen on labelled persons held apart, by one rule for all",
    "in_hindsight": "Accept threshold chosen by the truth itself: the lowest that gives 99.97 % precision",
}
"""How the accept threshold was chosen. The first is what a user gets; the second says how well pairs are ranked,
whatever the calibration."""


def as_markdown(results: Mapping[str, Any]) -> str:
    """The results as a table a person reads."""
    lines = [
        (
            f"{results['doses']:,} doses, {results['citizens']:,} citizens (synthetic, seed {results['seed']}),"
            f" {results['pairs']:,} candidate pairs, {results['threads']} threads, {results['machine']}."
            " Counts in brackets; “accepted and right” is of the doses whose citizen is in the registry."
        ),
        "",
        *(line for block, title in BLOCKS.items() for line in _block(results["tables"][block], title)),
        "Seconds: " + ", ".join(f"{name} {value:.0f}" for name, value in results["seconds"].items()) + ".",
    ]
    return "\n".join(lines) + "\n"


def _block(table: Mapping[str, Any], title: str) -> list[str]:
    rows = (f"| {row.name} | {' | '.join(_cell(table[row.name][name], row.per) for name in COLUMNS)} |" for row in ROWS)
    return [f"**{title}**", "", f"| | {' | '.join(COLUMNS.values())} |", "|---|" + "---:|" * len(COLUMNS), *rows, ""]


def _cell(found: Mapping[str, Any], per: int) -> str:
    value = found["value"]
    if value is None:
        return "–"
    shown = f"{value:.3%}" if per == 100 else f"{value * per:.2f}"
    return f"{shown} ({found['count']:,} of {found['total']:,})"
