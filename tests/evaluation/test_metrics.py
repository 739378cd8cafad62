"""Figures against truth: partitions add up, and a plain Python count gives the same."""

import csv
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation import Evaluation, Figures, evaluate, notices
from evaluation.intervals import share
from evaluation.metrics import DIMENSIONS, OF_TRUTH, measure
from linkage.errors import UserError

Row = dict[str, Any]
CITIZENS = ["003090000001", "003090000002", "099090000003"]
OUTCOME = {"accept": "verified", "review": "in_review", "no_match": "not_found", "quarantine": "quarantined"}
TEXT = (
    *("dose_id", "decision", "outcome", "citizen_id", "rule", "model"),
    *("caution", "id_kind", "id_repair"),
)

doses = st.fixed_dictionaries(
    {
        "decision": st.sampled_from(list(OUTCOME)),
        "citizen_id": st.sampled_from([*CITIZENS, None]),
        "probability": st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 0.9999999])),
        "match_weight": st.floats(-30, 60),
        "rule": st.sampled_from(["id", "name_birth", None]),
        "id_kind": st.sampled_from(["cccd", "cmnd", "missing", "passport", None]),
        "id_repair": st.sampled_from(["none", "separators", "lost_zero", None]),
        "caution": st.sampled_from(["name_of_another", None, None]),
        "truth": st.sampled_from([*CITIZENS, ""]),
        "shown": st.lists(st.sampled_from(CITIZENS), max_size=3),
        "duplicate_of": st.sampled_from(["", "D1"]),
        "stratum": st.sampled_from(["", "twins"]),
        "twin": st.sampled_from(["", "0", "1"]),
        "details": st.sampled_from(["", "agree", "differ"]),
        "labelled": st.sampled_from(["0", "0", "0", "1", ""]),
        "side": st.sampled_from(["both", "both", "both", "run", "truth"]),
    }
)


@st.composite
def populations(draw: st.DrawFn) -> list[Row]:
    """Rows of which at least one is in both tables and in the figures."""
    rows: list[Row] = draw(st.lists(doses, min_size=1, max_size=25))
    rows[0] |= {"side": "both", "labelled": "0"}
    for number, row in enumerate(rows):
        row["dose_id"] = f"D{number}"
        if row["decision"] == "accept" and row["citizen_id"] is None:
            row["decision"] = "no_match"
        row["outcome"], row["model"] = OUTCOME[row["decision"]], "m"
    return rows


def dose(number: int, decision: str = "accept", truth: str = CITIZENS[0], **more: object) -> Row:
    row = {
        "citizen_id": CITIZENS[0],
        "probability": 0.999,
        "match_weight": 20.0,
        "rule": "id",
        "id_kind": "cccd",
    }
    row |= {
        "id_repair": "none",
        "caution": None,
        "truth": truth,
        "shown": [],
        "duplicate_of": "",
        "stratum": "",
        "twin": "",
        "details": "",
        "labelled": "0",
    }
    row |= {"side": "both", "dose_id": f"D{number}", "decision": decision, "outcome": OUTCOME[decision]}
    return row | {"model": "m"} | more


def write(folder: Path, rows: list[Row]) -> tuple[Path, str]:
    """A run folder and a truth table."""
    run = folder / "run"
    run.mkdir(parents=True)
    scored = [row for row in rows if row["side"] != "truth"]
    columns = {name: pa.array([row[name] for row in scored], pa.string()) for name in TEXT}
    for name in ("probability", "match_weight"):
        columns[name] = pa.array([row[name] for row in scored], pa.float64())
    pq.write_table(pa.table(columns), run / "decisions.parquet")
    shown = [(row["dose_id"], c) for row in scored if row["decision"] == "review" for c in row["shown"]]
    review = {
        "dose_id": pa.array([dose_id for dose_id, _ in shown], pa.string()),
        "citizen_id": pa.array([citizen for _, citizen in shown], pa.string()),
    }
    pq.write_table(pa.table(review), run / "review.parquet")
    (run / "manifest.json").write_text('{"inputs": {}}')
    truth = folder / "truth.csv"
    with truth.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["dose_id", "citizen_id", "duplicate_of", "labelled", "stratum", "twin", "details"])
        writer.writerows(
            [row[name] for name in ("dose_id", "truth", "duplicate_of", "labelled", "stratum", "twin", "details")]
            for row in rows
            if row["side"] != "run"
        )
    return run, str(truth)


def measured(rows: list[Row]) -> Evaluation:
    with TemporaryDirectory() as folder:
        return measure(*write(Path(folder), rows))


def by_hand(rows: list[Row]) -> tuple[tuple[int, int], ...]:
    """Count and total of each share, one dose at a time."""
    accepts = [row for row in rows if row["decision"] == "accept"]
    right = sum(row["citizen_id"] == row["truth"] for row in accepts)
    missed = [row for row in rows if row["decision"] == "no_match"]
    reviews = [row for row in rows if row["decision"] == "review"]
    sought = [row for row in reviews if row["truth"]]
    return (
        (right, len(accepts)),
        (len(accepts) - right, len(accepts)),
        (right, sum(bool(row["truth"]) for row in rows)),
        (sum(bool(row["truth"]) for row in missed), len(missed)),
        (len(reviews), len(rows)),
        (sum(row["truth"] in row["shown"] for row in sought), len(sought)),
    )


def shares(figures: Figures) -> tuple[tuple[int, int], ...]:
    every = (
        *(figures.precision, figures.false_links, figures.recall),
        *(figures.missed_links, figures.review_share, figures.shown_in_review),
    )
    return tuple((part.count, part.total) for part in every)


@settings(max_examples=30, deadline=None)
@given(rows=populations())
def test_figures_equal_a_count_by_hand(rows: list[Row]) -> None:
    result = measured(rows)
    used = [row for row in rows if row["side"] == "both" and row["labelled"] != "1"]
    assert shares(result.overall) == by_hand(used)
    for dimension, name, typed in (
        ("stratum", "twins", "twins"),
        ("twin", "twin", "1"),
        ("details", "differ", "differ"),
    ):
        part = [row for row in used if row[dimension] == typed]
        found = [s.figures for s in result.strata if (s.dimension, s.name) == (dimension, name)]
        assert [shares(figures) for figures in found] == ([by_hand(part)] if part else [])
    assert result.labelled_excluded == sum(row["side"] == "both" and row["labelled"] == "1" for row in rows)
    assert result.run_only.count == sum(row["side"] == "run" for row in rows)
    assert result.truth_only.count == sum(row["side"] == "truth" for row in rows)


@settings(max_examples=15, deadline=None)
@given(rows=populations())
def test_every_dimension_splits_the_doses(rows: list[Row]) -> None:
    result = measured(rows)
    for dimension in DIMENSIONS:
        parts = [stratum.figures for stratum in result.strata if stratum.dimension == dimension]
        if dimension in OF_TRUTH and not parts:
            continue
        for name in ("doses", "linkable", "accept", "review", "no_match", "quarantine"):
            assert sum(getattr(part, name) for part in parts) == getattr(result.overall, name)
        assert sum(part.precision.count for part in parts) == result.overall.precision.count
    candidates = sum(part.realised.total for part in result.reliability)
    assert candidates == sum(weights.right + weights.wrong for weights in result.weights)
    # no threshold accepts a dose with a caution
    cautioned = sum(
        row["caution"] is not None and row["citizen_id"] is not None and row["decision"] != "quarantine"
        for row in rows
        if row["side"] == "both" and row["labelled"] != "1"
    )
    assert candidates - cautioned == (result.thresholds[-1].accepts if result.thresholds else 0)


@settings(max_examples=6, deadline=None)
@given(rows=populations(), data=st.data())
def test_the_order_of_rows_changes_nothing(rows: list[Row], data: st.DataObject) -> None:
    assert measured(data.draw(st.permutations(rows))) == measured(rows)


@given(count=st.integers(0, 5000), rest=st.integers(0, 5000))
def test_an_interval_holds_its_estimate_and_mirrors(count: int, rest: int) -> None:
    part, other = share(count, count + rest), share(rest, count + rest)
    assert 0 <= part.low <= part.high <= 1
    assert part.low == pytest.approx(1 - other.high, abs=1e-9)
    if part.value is not None:
        assert part.low <= part.value <= part.high


def test_intervals_equal_published_figures() -> None:
    """The rule of three, and the example of `binom.test(7, 21)` in R."""
    assert share(0, 3000).high == pytest.approx(1 - 0.025 ** (1 / 3000))
    part = share(7, 21)
    assert part.low == pytest.approx(0.1459, abs=1e-4)
    assert part.high == pytest.approx(0.5697, abs=1e-4)


def test_calibration_error_is_the_weighted_gap() -> None:
    rows = [dose(n, probability=0.9, truth=CITIZENS[0 if n < 6 else 1]) for n in range(10)]
    rows += [dose(n, "no_match", probability=0.1, truth=CITIZENS[1]) for n in range(10, 40)]
    result = measured(rows)
    assert [(part.predicted, part.realised.count, part.realised.total) for part in result.reliability] == [
        (0.1, 0, 30),
        (0.9, 6, 10),
    ]
    assert result.expected_calibration_error == pytest.approx((30 * 0.1 + 10 * 0.3) / 40)
    assert [(point.accepts, point.right) for point in result.thresholds] == [(10, 6), (40, 6)]
    # of each part by itself, where errors of two parts do not cancel out
    errors = {each.name: each.expected_calibration_error for each in result.strata if each.dimension == "outcome"}
    assert errors == {"verified": pytest.approx(0.3), "not_found": pytest.approx(0.1)}


def test_an_accept_of_somebody_not_in_the_registry_is_a_false_link() -> None:
    result = measured([dose(1), dose(2, truth="")])
    assert (result.overall.false_links.count, result.overall.recall.total) == (1, 1)


def test_a_quarantined_second_row_of_a_dose_does_not_count_twice() -> None:
    again = dose(1, "quarantine", citizen_id=None, probability=None, match_weight=None)
    rows = [dose(1), again | {"side": "run"}, again | {"side": "run", "dose_id": None}]
    result = measured(rows)
    assert (result.overall.doses, result.overall.accept, result.unidentified) == (1, 1, 2)


def test_identity_number_groups() -> None:
    kinds = [
        ("cccd", "none"),
        ("cmnd", "separators"),
        ("cccd", "lost_zero"),
        ("missing", None),
        ("passport", "none"),
    ]
    result = measured([dose(n, id_kind=kind, id_repair=repair) for n, (kind, repair) in enumerate(kinds)])
    groups = {s.name: s.figures.doses for s in result.strata if s.dimension == "id_group"}
    assert groups == {"well_formed": 2, "repaired": 1, "unusable": 2}


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"truth\.csv, column dose_id, rows 2 and 3: D1 occurs more than once"):
        measure(*write(tmp_path / "repeated", [dose(1), dose(1, side="truth")]))
    with pytest.raises(UserError, match="none of its dose_id is in the run"):
        measure(*write(tmp_path / "apart", [dose(1, side="run"), dose(2, side="truth")]))
    with pytest.raises(UserError, match="all 1 doses in common are marked labelled"):
        measure(*write(tmp_path / "labelled", [dose(1, labelled="1")]))


@pytest.mark.parametrize("language", ["en", "vi"])
def test_evaluate_writes_a_page_that_loads_nothing(tmp_path: Path, language: str) -> None:
    hostile = "<script>alert(1)</script>"
    rows = [dose(1, stratum=hostile, rule=hostile, model=hostile), dose(2, "review", shown=[CITIZENS[0]])]
    rows += [dose(3, "no_match"), dose(4, side="run"), dose(5, side="truth"), dose(6, labelled="1")]
    run, truth = write(tmp_path / hostile.replace("/", ""), rows)
    out = tmp_path / "out"
    result = evaluate(run, truth, out, language=language)
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<svg" in page
    assert "&lt;svg" not in page
    assert not [word for word in ("src=", "@import", "<link", "url(http") if word in page]
    assert len(notices(result, language)) == 3
    assert sorted(path.name for path in out.iterdir()) == ["evaluation.json", "index.html"]
    stored = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(result.as_dict()))
    assert stored["overall"]["recall"]["count"] == 1


def test_evaluate_overwrites_only_when_told(tmp_path: Path) -> None:
    run, truth = write(tmp_path, [dose(1)])
    out = tmp_path / "out"
    evaluate(run, truth, out)
    before = (out / "index.html").read_bytes()
    with pytest.raises(UserError, match="--force"):
        evaluate(run, truth, out)
    (out / "index.html").write_text("old")
    evaluate(run, truth, out, force=True)
    assert (out / "index.html").read_bytes() == before
    (out / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds mine\.txt"):
        evaluate(run, truth, out, force=True)
    assert (out / "mine.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "run", "truth.csv"]


def test_a_refused_evaluation_leaves_nothing(tmp_path: Path) -> None:
    run, truth = write(tmp_path, [dose(1, side="run"), dose(2, side="truth")])
    with pytest.raises(UserError):
        evaluate(run, truth, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "truth.csv"]


def test_a_run_without_candidates_is_measured(tmp_path: Path) -> None:
    empty = dose(1, "no_match", citizen_id=None, probability=None, match_weight=None)
    result = evaluate(*write(tmp_path, [empty]), tmp_path / "out")
    assert (result.overall.precision.value, result.expected_calibration_error) == (None, None)
    assert result.overall.missed_links.count == 1
