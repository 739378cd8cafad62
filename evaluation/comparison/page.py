"""A comparison as one offline page, and in a few lines."""

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from textwrap import fill

from markupsafe import Markup
from matplotlib.axes import Axes

from evaluation.charts import STYLES, legend, svg, whole_doses
from evaluation.comparison.changes import CHANGES
from evaluation.comparison.found import Comparison
from evaluation.words import sentence
from linkage.messages import say, word
from linkage.reports.pages import count, environment, localised, percent
from linkage.reports.profile import DECISIONS
from linkage.vietnamese import units

WIDTH = 20
"""Characters of a line beside a chart."""


def summary(found: Comparison, language: str, out: Path) -> list[str]:
    """What a terminal shows: a few lines."""
    lines = [sentence(notice, language) for notice in found.notices]
    lines += [
        say(
            "compare.changed",
            language,
            changed=count(found.changed, language),
            doses=count(found.doses, language),
            a=percent(_automatic(found, "a"), language),
            b=percent(_automatic(found, "b"), language),
        )
    ]
    if found.paired:
        false, right = found.paired.false_links, found.paired.right_accepts
        lines += [
            say(
                f"compare.of_{name}",
                language,
                doses=count(found.paired.doses, language),
                a=count(difference.doses_a, language),
                b=count(difference.doses_b, language),
                only_a=count(difference.only_a, language),
                only_b=count(difference.only_b, language),
            )
            for name, difference in (("false_links", false), ("right_accepts", right))
        ]
    if found.unlabelled_a or found.unlabelled_b:
        unlabelled = {side: count(getattr(found, f"unlabelled_{side}"), language) for side in ("a", "b")}
        lines.append(say("compare.unlabelled", language, **unlabelled))
    return [*lines, verdict(found, language), say("compare.page", language, page=out / "index.html")]


def verdict(found: Comparison, language: str) -> str:
    """The verdict and its reasons, in one sentence each."""
    first = say("compare.verdict", language, verdict=say(f"verdict.{found.verdict}", language), b=_name(found, "b"))
    return " ".join([first, *(sentence(reason, language) for reason in found.reasons)])


def render(found: Comparison, language: str) -> str:
    """The page, self-contained: no script, no link, nothing to load."""
    charts = {"changes": _changes_chart(found, language), "strata": _strata_chart(found, language)}
    template = environment(language, "evaluation").get_template("comparison.html")
    return template.render(
        found=found,
        verdict=verdict(found, language),
        notices=[sentence(notice, language) for notice in found.notices],
        charts={name: Markup(chart) for name, chart in charts.items()},  # noqa: S704 — drawn here, no text of a table
        decisions=DECISIONS,
        flows=_flows(found),
        changes=[change for change in CHANGES if _changes(found)[change]],
        units={by: list(parts) for by, parts in groupby(found.units, key=lambda unit: unit.by)},
        examples={change: list(parts) for change, parts in groupby(found.examples, key=lambda each: each.change)},
        automatic={side: _automatic(found, side) for side in ("a", "b")},
        name={side: _name(found, side) for side in ("a", "b")},
        label=lambda by, name: _label(by, name or "", language),
        word=lambda key: word(key, language),
        p=lambda value: "< 0.001" if value < 0.001 else localised(f"{value:.3f}", language),
        points=lambda value: localised(f"{100 * value:+.3f}", language),
        bit=lambda value: localised(f"{value:+.2f}", language),
    )


def _name(found: Comparison, side: str) -> str:
    """Both models may have one name."""
    model = getattr(found, side)
    return f"{model.name} {model.digest[:12]}"


def _automatic(found: Comparison, side: str) -> float:
    return float(getattr(found, side).decisions["accept"] / found.doses) if found.doses else 0.0


def _flows(found: Comparison) -> dict[str, dict[str, int]]:
    """Decision under A → decision under B, an accept of another citizen apart → doses."""
    table = {a: dict.fromkeys(("accept", "other", "review", "no_match"), 0) for a in DECISIONS}
    for flow in found.flows:
        to_other = flow.a == flow.b == "accept" and not flow.same_citizen
        table[flow.a]["other" if to_other else flow.b] += flow.doses
    return table


def _changes(found: Comparison) -> Mapping[str, int]:
    """Kind of change → doses."""
    strata = [unit for unit in found.units if unit.by == "stratum_a"]
    return {change: sum(unit.changes[change] for unit in strata) for change in CHANGES}


def _label(by: str, name: str, language: str) -> str:
    """A part as users call it; a dose without a value, or without a candidate, has none."""
    if by == "id_kind":
        return word(f"id_kind.{name or 'none'}", language)
    if not name:
        return say("drift_no_candidate" if by.startswith("stratum") else "evaluation_none", language)
    if by == "province":
        return next((full for code, full in units.rows("provinces", "code", "name") if code == name), name)
    return word(f"stratum.{name}", language) if by.startswith("stratum") else name


def _changes_chart(found: Comparison, language: str) -> str:
    """Doses by kind of change, on a logarithmic axis."""
    changes = {change: doses for change, doses in _changes(found).items() if doses}
    names = [fill(say(f"compare.change.{change}", language), WIDTH) for change in changes]

    def draw(axes: Axes) -> None:
        bars = axes.barh(names, list(changes.values()), color=STYLES["right"], alpha=0.7)
        axes.bar_label(bars, [count(doses, language) for doses in changes.values()], padding=3, color=STYLES["ink"])
        axes.set_xscale("log")
        axes.set_xlim(0.7, 5 * max(changes.values(), default=1))
        axes.xaxis.set_major_formatter(lambda doses, _: whole_doses(doses, language))
        axes.invert_yaxis()
        axes.set_xlabel(say("evaluation_doses", language))

    return svg("changes", draw)


def _strata_chart(found: Comparison, language: str) -> str:
    """Share of doses accepted in each stratum of A, under A and under B; not of doses without a candidate in both."""
    strata = [
        unit for unit in found.units if unit.by == "stratum_a" and (unit.name or unit.accepted_a or unit.accepted_b)
    ]
    names = [fill(_label("stratum", unit.name, language), WIDTH) for unit in strata]

    def draw(axes: Axes) -> None:
        for place, (side, colour) in enumerate((("a", "muted"), ("b", "right"))):
            shares = [getattr(unit, f"accepted_{side}") / unit.doses for unit in strata]
            places = [number + 0.38 * place for number in range(len(strata))]
            axes.barh(places, shares, height=0.36, color=STYLES[colour], alpha=0.7, label=side.upper())
        axes.set_yticks([number + 0.19 for number in range(len(strata))], names)
        axes.set_xticks([0, 0.5, 1])
        axes.set_xlim(0, 1)
        axes.invert_yaxis()
        axes.xaxis.set_major_formatter(lambda share, _: percent(share, language))
        axes.set_xlabel(say("compare.automatic", language))
        legend(axes)

    return svg("strata", draw)
