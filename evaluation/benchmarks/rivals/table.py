"""The table: what is asked of a linker, and what each one reached."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
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
    """One line: a share of the doses of one part of a dimension (of all doses without one), shown ``per`` so many."""

    name: str
    of: Callable[[Figures], Share]
    dimension: str = ""
    part: str = ""
    per: int = 100

    def as_dict(self, evaluation: Evaluation) -> dict[str, Any]:
        """The share as plain data; 0 of 0 where no dose is of the part."""
        if not self.dimension:
            return asdict(self.of(evaluation.overall))
        parts = [s.figures for s in evaluation.strata if (s.dimension, s.name) == (self.dimension, self.part)]
        return asdict(self.of(parts[0]) if parts else share(0, 0))


def _accepted_wrong(figures: Figures) -> Share:
    return share(figures.false_links.count, figures.doses)


def _accepted(figures: Figures) -> Share:
    return share(figures.accept, figures.doses)


ROWS = (
    Row("precision of accepts", lambda f: f.precision),
    Row("linkable doses accepted and right", lambda f: f.recall),
    Row("doses in review", lambda f: f.review_share),
    Row("no usable ID: accepted and right", lambda f: f.recall, "id_group", "unusable"),
    Row("no usable ID: precision of accepts", lambda f: f.precision, "id_group", "unusable"),
    Row("well-formed ID, wrong details as typed: accepted and right", lambda f: f.recall, "details", "differ"),
    Row(
        "well-formed ID, still wrong after standardising: accepted and right",
        lambda f: f.recall,
        "stratum",
        "wrong_after_standardising",
    ),
    Row("twins: accepted wrong, per 2,000 doses", _accepted_wrong, "twin", "twin", per=2000),
    Row("absent from the registry: accepted, per 1,000 doses", _accepted, "registry", "absent", per=1000),
)


def as_markdown(results: Mapping[str, Any]) -> str:
    """The results as a table a person reads."""
    lines = [
        (
            f"{results['doses']:,} doses, {results['citizens']:,} citizens (synthetic, seed {results['seed']}),"
            f" {results['pairs']:,} candidate pairs, {results['threads']} threads, {results['machine']}."
            " Counts in brackets; “accepted and right” is of the doses whose citizen is in the registry."
        ),
        "",
        f"| | {' | '.join(COLUMNS.values())} |",
        "|---|" + "---:|" * len(COLUMNS),
        *(
            f"| {row.name} | {' | '.join(_cell(results['table'][row.name][name], row.per) for name in COLUMNS)} |"
            for row in ROWS
        ),
        "",
        "Seconds: " + ", ".join(f"{name} {value:.0f}" for name, value in results["seconds"].items()) + ".",
    ]
    return "\n".join(lines) + "\n"


def _cell(found: Mapping[str, Any], per: int) -> str:
    value = found["value"]
    if value is None:
        return "–"
    shown = f"{value:.3%}" if per == 100 else f"{value * per:.2f}"
    return f"{shown} ({found['count']:,} of {found['total']:,})"
