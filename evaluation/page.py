"""An evaluation as JSON and as one offline page."""

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from markupsafe import Markup

from evaluation.charts import reliability_chart, trade_off_chart, weights_chart
from evaluation.figures import Evaluation, Stratum, Unmatched
from evaluation.metrics import measure
from linkage.messages import catalogue, say
from linkage.reports.pages import count, environment
from linkage.tables import refuse_to_overwrite, whole

FILES = frozenset({"evaluation.json", "index.html"})
DECISIONS = ("accept", "review", "no_match", "quarantine")
DRAWN = ("id_group", "registry", "entry", "details", "twin", "stratum")


def evaluate(
    run: Path,
    truth: str,
    out: Path,
    *,
    columns: Mapping[str, str] | None = None,
    language: str = "en",
    force: bool = False,
) -> Evaluation:
    """Measure a run against truth and write ``evaluation.json`` and ``index.html`` to the folder ``out``.

    Args:
        run: the folder that ``linkage score`` wrote.
        truth: the truth table, see `evaluation.metrics.measure`.
        out: appears whole or not at all.
        columns: the truth table's header → our column, before the known headers.
        language: ``en`` or ``vi``, for the page; the JSON is the same in both.
        force: replace ``out``, unless it holds files that are not of an evaluation.

    Raises:
        UserError: as `evaluation.metrics.measure`, or ``out`` exists or cannot be written.
    """
    refuse_to_overwrite(out, force=force, ours=FILES)
    result = measure(run, truth, columns)
    with whole(out) as part:
        part.mkdir()
        text = json.dumps(result.as_dict(), ensure_ascii=False, indent=1)
        (part / "evaluation.json").write_text(text, encoding="utf-8")
        (part / "index.html").write_text(render(result, language), encoding="utf-8")
    return result


def notices(result: Evaluation, language: str) -> list[str]:
    """One sentence for every set of rows that no figure holds."""
    sides = {"run_only": result.run_only, "truth_only": result.truth_only}
    sentences = [
        say(
            f"evaluation_{key}",
            language,
            doses=count(side.count, language),
            examples=_examples(side),
        )
        for key, side in sides.items()
        if side.count
    ]
    rows = {
        "labelled_excluded": result.labelled_excluded,
        "unidentified": result.unidentified,
        "unusable_truth_rows": result.unusable_truth_rows,
    }
    sentences += [say(key, language, **facts) for key, facts in result.truth_notices]
    return sentences + [
        say(f"evaluation_{key}", language, doses=count(number, language)) for key, number in rows.items() if number
    ]


def _examples(side: Unmatched) -> str:
    return ", ".join(side.examples) + (", …" if side.count > len(side.examples) else "")


def render(result: Evaluation, language: str) -> str:
    """The page, self-contained: no script, no link, nothing to load."""
    charts = {
        "trade_off": trade_off_chart(result.thresholds, result.overall, language),
        "weights": weights_chart(result.weights, language),
        "reliability": reliability_chart(result.reliability, language),
    }
    page = environment(language, "evaluation").get_template("evaluation.html")
    return page.render(
        result=result,
        notices=notices(result, language),
        charts={name: Markup(svg) for name, svg in charts.items()},  # noqa: S704 — drawn here, no text of a table
        dimensions=dict(_by_dimension(result.strata)),
        decisions=DECISIONS,
        drawn=DRAWN,
        label=lambda stratum: _label(stratum, language),
    )


def _by_dimension(strata: tuple[Stratum, ...]) -> Iterator[tuple[str, list[Any]]]:
    for dimension, parts in groupby(strata, key=lambda stratum: stratum.dimension):
        yield dimension, list(parts)


def _label(stratum: Stratum, language: str) -> str:
    if not stratum.name:
        return say("evaluation_none", language)
    room = "report" if stratum.dimension == "outcome" else f"evaluation_{stratum.dimension}"
    key = f"{room}_{stratum.name}"
    return say(key, language) if key in catalogue() else stratum.name
