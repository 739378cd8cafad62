"""An evaluation, with truth or without, as JSON and as one offline page."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from markupsafe import Markup

from evaluation import words
from evaluation.charts import reliability_chart, scores_chart, trade_off_chart, weights_chart
from evaluation.clerical import Clerical, measure_sample
from evaluation.drift import Drift, measure_drift
from evaluation.figures import Evaluation, Stratum, Unmatched
from evaluation.metrics import measure
from evaluation.units import FEWEST_DOSES, MOST_SHOWN
from linkage.deciding import DECISIONS
from linkage.messages import catalogue, say, word
from linkage.reports.pages import count, environment, localised
from linkage.tables import refuse_to_overwrite, whole

FILES = frozenset({"evaluation.json", "index.html"})
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
    """Measure a run against truth, and its drift, and write ``evaluation.json`` and ``index.html`` to ``out``.

    Args:
        run: the folder that ``linkage score`` wrote.
        truth: the truth table, see `evaluation.metrics.measure`.
        out: appears whole or not at all.
        columns: the truth table's header → our column, before the known headers.
        language: ``en`` or ``vi``, for the page; the JSON is the same in both.
        force: replace ``out``, unless it holds files that are not of an evaluation.

    Raises:
        UserError: as `evaluation.metrics.measure` and `evaluation.drift.measure_drift`, or ``out`` exists or cannot be
            written.
    """
    refuse_to_overwrite(out, force=force, ours=FILES)
    result = measure(run, truth, columns)
    if (run / "model.json").is_file():
        drift = measure_drift(run)
        result = replace(result, drift=None if drift.verdict == "no_reference" else drift)
    _write(out, result.as_dict(), render(result, language))
    return result


def estimate(
    run: Path,
    labels: str,
    out: Path,
    *,
    columns: Mapping[str, str] | None = None,
    language: str = "en",
    force: bool = False,
) -> Clerical:
    """Estimate how good a run is from a weighted clerical sample and write the folder ``out`` as ``evaluate`` does.

    Args:
        run: the folder that ``linkage score`` wrote.
        labels: the judged pairs, see `evaluation.clerical.measure_sample`.
        out: appears whole or not at all.
        columns: the labels' header → our column, before the known headers.
        language: ``en`` or ``vi``, for the page; the JSON is the same in both.
        force: replace ``out``, unless it holds files that are not of an evaluation.

    Raises:
        UserError: as `evaluation.clerical.measure_sample`, or ``out`` exists or cannot be written.
    """
    refuse_to_overwrite(out, force=force, ours=FILES)
    result = replace(measure_sample(run, labels, columns), drift=measure_drift(run))
    page = environment(language, "evaluation").get_template("clerical.html")
    chart = Markup(reliability_chart(result.reliability, language))  # noqa: S704 — drawn here, no text of a table
    text = page.render(
        result=result,
        notices=words.sampled(result, language),
        parts=dict(_by_dimension(result.parts)),
        name=lambda part: _part_name(part.dimension, part.name, language),
        charts={"reliability": chart},
        **_drift_facts(result.drift, language),
    )
    _write(out, result.as_dict(), text)
    return result


def check_drift(run: Path, out: Path, *, language: str = "en", force: bool = False) -> Drift:
    """Compare a run with the training reference of its model and write the folder ``out`` as ``evaluate`` does.

    Raises:
        UserError: as `evaluation.drift.measure_drift`, or ``out`` exists or cannot be written.
    """
    refuse_to_overwrite(out, force=force, ours=FILES)
    drift = measure_drift(run)
    page = environment(language, "evaluation").get_template("drift.html")
    _write(out, {"drift": drift.as_dict()}, page.render(**_drift_facts(drift, language)))
    return drift


def _write(out: Path, data: Mapping[str, Any], page: str) -> None:
    with whole(out) as part:
        part.mkdir()
        text = json.dumps(data, ensure_ascii=False, indent=1)
        (part / "evaluation.json").write_text(text, encoding="utf-8")
        (part / "index.html").write_text(page, encoding="utf-8")


def _drift_facts(drift: Drift | None, language: str) -> dict[str, Any]:
    """What the part of a page about drift needs."""
    if drift is None:
        return {"drift": None}
    starts = words.score_starts(drift)
    return {
        "drift": drift,
        "sentences": words.drifted(drift, language),
        "scores": Markup(scores_chart(drift.reference_bits, drift.bits, language)),  # noqa: S704 — as above
        "aspect": lambda name: words.aspect(name, language),
        "value": lambda of, name: words.value(of, name, starts, language),
        "unit_name": words.unit_name,
        "decimal": lambda number: localised(f"{number:,.3f}", language),
        "fewest": FEWEST_DOSES,
        "most": MOST_SHOWN,
    }


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
        **_drift_facts(result.drift, language),
    )


def _by_dimension(strata: tuple[Any, ...]) -> Iterator[tuple[str, list[Any]]]:
    for dimension, parts in groupby(strata, key=lambda stratum: stratum.dimension):
        yield dimension, list(parts)


def _part_name(dimension: str, name: str, language: str) -> str:
    if dimension == "band":
        return words.band(name, language)
    if name == "none":
        return say("drift_no_candidate", language)
    return say(f"evaluation_{name}", language) if dimension == "decision" else word(f"stratum.{name}", language)


def _label(stratum: Stratum, language: str) -> str:
    if not stratum.name:
        return say("evaluation_none", language)
    room = "report" if stratum.dimension == "outcome" else f"evaluation_{stratum.dimension}"
    key = f"{room}_{stratum.name}"
    return say(key, language) if key in catalogue() else stratum.name
