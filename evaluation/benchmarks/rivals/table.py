"""The table: what is asked of a linker, and what each one reached."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.figures import Evaluation, Figures
from evaluation.intervals import Share, share

COLUMNS = {
    "khop": "Khớp",
    "plain_splink": "plain Splink 5, Jaro–Winkler",
    "logistic": "logistic regression",
    "boosting": "gradient boosting",
    "plain_khop": "Khớp without strata and cautions",
    "logistic_helped": "logistic regression, our strata and cautions",
    "boosting_helped": "gradient boosting, our strata and cautions",
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
    Row("linkable doses accepted and right", _all(lambda f: f.recall)),
    Row("false links among accepts", _all(lambda f: f.false_links)),
    Row("doses in review", _all(lambda f: f.review_share)),
    Row("no usable ID: accepted and right", _part("id_group", "unusable", lambda f: f.recall)),
    Row("no usable ID: false links among accepts", _part("id_group", "unusable", lambda f: f.false_links)),
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
    "by_the_rule": "Thresholds that the labels prove, by one procedure and one tolerance for all",
    "in_hindsight": "Accept threshold chosen by the truth itself: the lowest that gives 99.97 % precision",
}
"""How the accept threshold was chosen. The first is what a user gets; the second says how well pairs are ranked,
whatever the calibration."""


def as_markdown(results: Sequence[Mapping[str, Any]]) -> str:
    """Results of one or several seeds as a table a person reads; counts of several are added."""
    first, seeds = results[0], ", ".join(str(each["seed"]) for each in results)
    seconds = {name: sum(each["seconds"][name] for each in results) for name in first["seconds"]}
    lines = [
        (
            f"{first['doses']:,} doses, {first['citizens']:,} citizens (synthetic, seed {seeds}),"
            f" {sum(each['pairs'] for each in results):,} candidate pairs, {first['threads']} threads,"
            f" {first['machine']}; false links tolerated: 1 in {1 / first['tolerance']:,.0f}."
            " Counts in brackets; “accepted and right” is of the doses whose citizen is in the registry."
        ),
        "",
        *(line for block, title in BLOCKS.items() for line in _block(results, block, title)),
        "Seconds: " + ", ".join(f"{name} {value:.0f}" for name, value in seconds.items()) + ".",
    ]
    return "\n".join(lines) + "\n"


def _block(results: Sequence[Mapping[str, Any]], block: str, title: str) -> list[str]:
    lines = [f"**{title}**", "", f"| | {' | '.join(COLUMNS.values())} |", "|---|" + "---:|" * len(COLUMNS)]

    def line(title: str, cells: Iterable[str]) -> None:
        lines.append(f"| {title} | {' | '.join(cells)} |")

    if block == "by_the_rule":
        for each in results:
            of = f", seed {each['seed']}" if len(results) > 1 else ""
            line(f"proven: fewer false links than{of}", (_proven(each["proven"][name]) for name in COLUMNS))
    for row in ROWS:
        cells = [each["tables"][block][row.name] for each in results]
        line(row.name, (_cell([of[name] for of in cells], row.per) for name in COLUMNS))
        if len(results) > 1 and row is ROWS[0]:
            for each, of in zip(results, cells, strict=True):
                line(f"{row.name}, seed {each['seed']}", (_cell([of[name]], row.per) for name in COLUMNS))
    return [*lines, ""]


def _proven(rate: Mapping[str, Any]) -> str:
    return f"1 in {1 / rate['bound']:,.0f} ({rate['errors']:,} of {rate['doses']:,})" if rate["doses"] else "–"


def _cell(found: Sequence[Mapping[str, Any]], per: int) -> str:
    count, total = (sum(each[part] for each in found) for part in ("count", "total"))
    if not total:
        return "–"
    shown = f"{count / total:.3%}" if per == 100 else f"{count / total * per:.2f}"
    return f"{shown} ({count:,} of {total:,})"
