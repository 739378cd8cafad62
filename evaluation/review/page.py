"""Rounds of simulated review as a table and as one offline page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from evaluation.charts import STYLES, legend, svg, whole_doses
from evaluation.review.figures import Accepts
from evaluation.review.worth import SHARES, Curve
from linkage.messages import say
from linkage.reports.pages import count, environment, localised, percent
from linkage.review.quality import Accuracy, Kappa

__all__ = ["Queue", "Round", "as_markdown", "render"]

LINES: Mapping[str, tuple[str, str]] = {
    "worth": ("right", "-"),
    "uncertainty": ("wrong", "-"),
    "probability": ("ink", "--"),
    "random": ("muted", ":"),
}
"""Order of the queue → colour and line of its curve."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue that was read to its end.

    Attributes:
        cases: of the queue, hidden ones aside.
        doses: in them.
        decisions: answers, second readings and those of the judge among them.
        curves: of each order.
        agreement: of all cases read twice.
        accuracy: of each reader on hidden cases.
    """

    cases: int
    doses: int
    decisions: int
    curves: Mapping[str, Curve]
    agreement: Kappa
    accuracy: Mapping[str, Accuracy]


@dataclass(frozen=True, slots=True)
class Round:
    """One population: the run before and after its review; on persons of another, the models before and after."""

    seed: int
    before: Accepts
    after: Accepts
    queue: Queue
    base: Accepts | None = None
    next: Accepts | None = None

    def with_models(self, base: Accepts, following: Accepts) -> "Round":
        """The same, with what two models accept of other persons."""
        return replace(self, base=base, next=following)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the curves, of which what the tables say."""
        queue = {name: getattr(self.queue, name) for name in ("cases", "doses", "decisions")}
        return {
            "seed": self.seed,
            **{name: asdict(part) for name in ("before", "after", "base", "next") if (part := getattr(self, name))},
            "queue": queue,
            "agreement": asdict(self.queue.agreement),
            "accuracy": {reader: asdict(found) for reader, found in self.queue.accuracy.items()},
            "needed": {
                name: {str(share): curve.needed(share) for share in SHARES} | {"mean_share": curve.mean_share}
                for name, curve in self.queue.curves.items()
            },
        }


def as_markdown(rounds: Sequence[Round], language: str = "en") -> str:
    """The tables, in plain text."""
    lines = []
    for head, rows in _tables(rounds, language).values():
        lines += [f"| {' | '.join(head)} |", "|" + "---:|" * len(head), *(f"| {' | '.join(row)} |" for row in rows), ""]
    return "\n".join(lines)


def render(rounds: Sequence[Round], settings: Mapping[str, Any], language: str) -> str:
    """The page, self-contained: no script, no link, nothing to load."""
    of_all = [_sum([getattr(each, name) for each in rounds]) for name in ("before", "after")]
    return (
        environment(language, "evaluation")
        .get_template("review.html")
        .render(
            settings=settings,
            before=of_all[0],
            after=of_all[1],
            decisions=sum(each.queue.decisions for each in rounds),
            cases=sum(each.queue.cases for each in rounds),
            seed=rounds[0].seed,
            chart=Markup(_chart(rounds[0].queue.curves, language)),  # noqa: S704 — drawn here, no text of a table
            tables=_tables(rounds, language),
        )
    )


def _sum(parts: Sequence[Accepts]) -> Accepts:
    return Accepts(*(sum(getattr(part, name) for part in parts) for name in Accepts.__slots__))


def _chart(curves: Mapping[str, Curve], language: str) -> str:
    def draw(axes: Axes) -> None:
        for name, (colour, line) in LINES.items():
            curve = curves[name]
            label = say(f"review.simulation.order.{name}", language)
            steps, freed = [0, *curve.decisions.tolist()], [0, *curve.freed.tolist()]
            axes.plot(steps, freed, color=STYLES[colour], linestyle=line, linewidth=1.6, label=label)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda number, _: whole_doses(number, language)))
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(say("review.simulation.decisions", language))
        axes.set_ylabel(say("review.simulation.freed", language))
        legend(axes)

    return svg("worth", draw)


Table = tuple[list[str], list[list[str]]]
Row = list[str]

HEADS: Mapping[str, tuple[str, ...]] = {
    "review": (
        *("recall_before", "recall_after", "precision_before", "precision_after"),
        *("review_before", "review_after", "cases", "decisions"),
    ),
    "orders": ("order", *(f"needed_{round(part * 100)}" for part in SHARES), "mean_share"),
    "quality": ("pairs", "kappa", "interval", "accuracy"),
    "models": ("base_accepted", "next_accepted", "base_review", "next_review", "base_wrong", "next_wrong"),
}
"""Table → its columns, after the population."""


def _tables(rounds: Sequence[Round], language: str) -> dict[str, Table]:
    """Recall and precision; decisions by order of the queue; agreement and accuracy; models, if there are any."""
    makers = {"review": _review, "orders": _orders, "quality": _quality, "models": _models}
    tables = {}
    for name, make in makers.items():
        rows = [[str(each.seed), *row] for each in rounds for row in make(each, language)]
        head = [say(f"review.simulation.{column}", language) for column in ("seed", *HEADS[name])]
        if rows:
            tables[name] = (head, rows)
    return tables


def _review(each: Round, language: str) -> Iterator[Row]:
    parts = (each.before, each.after)
    yield [
        *(percent(part.recall.value, language) for part in parts),
        *(percent(part.precision.value, language) for part in parts),
        *(count(number, language) for number in (*(part.review for part in parts), each.queue.cases)),
        count(each.queue.decisions, language),
    ]


def _orders(each: Round, language: str) -> Iterator[Row]:
    for name in LINES:
        curve = each.queue.curves[name]
        needed = [count(curve.needed(part), language) for part in SHARES]
        yield [say(f"review.simulation.order.{name}", language), *needed, percent(curve.mean_share, language)]


def _quality(each: Round, language: str) -> Iterator[Row]:
    found, accuracy = each.queue.agreement, each.queue.accuracy
    yield [
        count(found.pairs, language),
        _decimal(found.value, language),
        f"{_decimal(found.low, language)} – {_decimal(found.high, language)}",
        "; ".join(f"{name}: {part.right} / {part.right + part.wrong}" for name, part in accuracy.items()) or "–",
    ]


def _models(each: Round, language: str) -> Iterator[Row]:
    if each.base and each.next:
        parts = (each.base, each.next)
        yield [
            *(percent(part.accepted / part.doses, language) for part in parts),
            *(count(part.review, language) for part in parts),
            *(count(part.accepted - part.right, language) for part in parts),
        ]


def _decimal(value: float | None, language: str) -> str:
    return "–" if value is None else localised(f"{value:.3f}", language)
