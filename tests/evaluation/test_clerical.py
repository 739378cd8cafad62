"""Estimates from a weighted sample: their intervals hold the truth, and what cannot be known is not said."""

import csv
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evaluation import Clerical, estimate
from evaluation.clerical import BANDS, measure_sample
from evaluation.intervals import Share, Weighted, share, weighted_share
from evaluation.words import band, sampled
from linkage.cli import main
from linkage.errors import UserError

WriteRun = Callable[..., Path]
Rows = list[dict[str, Any]]
OURS, OTHER = "003090000001", "099090000003"
HEADER = ("dose_id", "citizen_id", "is_match", "weight", "reviewer")


def weighted(part: NDArray[np.bool_], weight: NDArray[np.float64], person: NDArray[np.int64] | None = None) -> Share:
    size = len(part)
    person = np.arange(size) if person is None else person
    return weighted_share(Weighted(part, np.ones(size, dtype=bool), weight, person, np.zeros(size, dtype=int)))


def write_labels(file: Path, rows: Sequence[Sequence[object]]) -> str:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        writer.writerows([*row, *[""] * (len(HEADER) - len(row))] for row in rows)
    return str(file)


def measured(write_run: WriteRun, doses: Rows, labels: Sequence[Sequence[object]]) -> Clerical:
    with TemporaryDirectory() as folder:
        run = write_run(Path(folder) / "run", doses)
        return measure_sample(run, write_labels(Path(folder) / "labels.csv", labels))


def keys(found: Clerical) -> set[str]:
    return {key for key, _ in found.notices}


samples = st.lists(st.tuples(st.booleans(), st.floats(1, 1000), st.integers(0, 20)), min_size=1, max_size=40)


@given(rows=samples, factor=st.floats(0.01, 100), data=st.data())
def test_an_interval_holds_its_estimate_whatever_the_scale_and_order(
    rows: list[tuple[bool, float, int]], factor: float, data: st.DataObject
) -> None:
    def of(rows: list[tuple[bool, float, int]], factor: float = 1) -> Share:
        part, weight, person = zip(*rows, strict=True)
        return weighted(np.array(part), factor * np.array(weight), np.array(person))

    found = of(rows)
    assert found.value is not None
    assert 0 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= 1
    for other in (of(rows, factor), of(data.draw(st.permutations(rows)))):
        assert (other.low, other.high) == pytest.approx((found.low, found.high), abs=1e-9)
    mirrored = of([(not part, weight, person) for part, weight, person in rows])
    if found.value != pytest.approx(0.5):
        assert (mirrored.low, mirrored.high) == pytest.approx((1 - found.high, 1 - found.low), abs=1e-9)


@given(errors=st.integers(0, 8), size=st.integers(200, 5000))
def test_equal_weights_give_about_the_exact_interval(errors: int, size: int) -> None:
    found, exact = weighted(np.arange(size) < errors, np.full(size, 3.0)), share(errors, size)
    assert found.low == pytest.approx(exact.low, abs=0.02 * exact.high)
    assert found.high == pytest.approx(exact.high, rel=0.05)


def test_one_person_proves_nothing_however_many_doses() -> None:
    found = weighted(np.zeros(50, dtype=bool), np.ones(50), np.zeros(50, dtype=int))
    assert (found.value, found.low, found.high) == (0, 0, 1)


def test_no_error_is_no_proof() -> None:
    """The example of the docstring, and the rule of three on both sides."""
    assert weighted(np.zeros(3000, dtype=bool), np.ones(3000)).high == pytest.approx(3.689 / 3000, rel=1e-3)
    assert weighted(np.ones(3000, dtype=bool), np.ones(3000)).low == pytest.approx(1 - 3.689 / 3000)
    weight = np.where(np.arange(110) < 100, 1.0, 50.0)
    assert weighted(np.arange(110) == 0, weight).high == pytest.approx(0.3083, abs=1e-4)


@pytest.mark.parametrize(
    ("sizes", "weights", "rates", "doses_each"),
    [
        ((3000,), (1,), (0.0004,), 1),
        ((3000,), (1,), (0.002,), 1),
        ((1000, 100), (1, 10), (0.0, 0.021), 1),
        ((2000, 500, 100), (1, 10, 100), (0.001, 0.001, 0.005), 1),
        ((2000, 500, 100), (100, 10, 1), (0.001, 0.01, 0.1), 1),
        ((1000, 200), (20, 1), (0.002, 0.3), 1),
        ((2000, 500), (1, 20), (0.01, 0.001), 5),
        ((500, 500), (1, 5), (0.2, 0.4), 2),
    ],
)
def test_intervals_hold_the_truth_at_least_as_often_as_said(
    sizes: tuple[int, ...], weights: tuple[float, ...], rates: tuple[float, ...], doses_each: int
) -> None:
    """Rare errors, unequal weights, persons with several doses that are wrong together."""
    draws = 600
    weight, rate = np.repeat(np.array(weights, dtype=float), sizes), np.repeat(rates, sizes)
    persons = np.concatenate([np.arange(size) // doses_each + 10_000 * n for n, size in enumerate(sizes)])
    _, person = np.unique(persons, return_inverse=True)
    truth = float((weight * rate).sum() / weight.sum())
    generator = np.random.default_rng(7)
    held = 0
    for _ in range(draws):
        found = weighted(generator.random(person.max() + 1)[person] < rate, weight, person)
        held += found.low <= truth <= found.high
    # a true coverage of 95 % gives less in one test of a thousand
    assert held / draws >= 0.95 - 3.1 * (0.05 * 0.95 / draws) ** 0.5


doses = st.fixed_dictionaries(
    {
        "decision": st.sampled_from(["accept", "review", "no_match", "quarantine"]),
        "citizen_id": st.sampled_from([OURS, OURS, None]),
        "probability": st.sampled_from([0.0, 0.3, 0.95, 1.0]),
        "stratum": st.sampled_from(["no_number", "other"]),
        "truth": st.sampled_from([OURS, OURS, OTHER, None]),
    }
)


@st.composite
def populations(draw: st.DrawFn) -> Rows:
    rows: Rows = draw(st.lists(doses, min_size=1, max_size=30))
    for row in rows:
        if row["citizen_id"] is None:
            row |= {"match_weight": None, "probability": None}
            row["decision"] = "no_match" if row["decision"] == "accept" else row["decision"]
    rows[0] |= {"decision": "review"}
    return rows


def answers(rows: Rows, weight: float = 1) -> list[tuple[object, ...]]:
    """What a clerk who knows everything writes of these doses."""
    return [(f"D{n:06}", row["truth"] or "", int(row["truth"] is not None), weight) for n, row in enumerate(rows)]


@settings(max_examples=10, deadline=None)
@given(rows=populations(), weight=st.floats(0.5, 50))
def test_a_sample_of_all_doses_gives_the_figures_themselves(write_run: WriteRun, rows: Rows, weight: float) -> None:
    found = measured(write_run, rows, answers(rows, weight)).overall
    used = [row for row in rows if row["decision"] != "quarantine"]
    right = [row for row in used if row["decision"] == "accept" and row["truth"] == row["citizen_id"]]
    accepted, refused = ([row for row in used if row["decision"] == name] for name in ("accept", "no_match"))
    linkable = [row for row in used if row["truth"]]
    missed = [row for row in refused if row["truth"]]
    assert (found.doses, found.sampled, found.answered) == (len(used),) * 3
    for part, count, total in (
        (found.precision, len(right), len(accepted)),
        (found.recall, len(right), len(linkable)),
        (found.missed_links, len(missed), len(refused)),
        (found.linkable, len(linkable), len(used)),
    ):
        assert (part.count, part.total) == (count, total)
        assert part.value == (pytest.approx(count / total) if total else None)


@settings(max_examples=5, deadline=None)
@given(rows=populations(), data=st.data())
def test_the_order_of_labels_changes_nothing(write_run: WriteRun, rows: Rows, data: st.DataObject) -> None:
    labels = [*answers(rows), ("D000000", "003090000009", 0, 1)]
    assert measured(write_run, rows, data.draw(st.permutations(labels))) == measured(write_run, rows, labels)


def test_a_stratified_sample_holds_the_truth(write_run: WriteRun, tmp_path: Path) -> None:
    """A run of 4,000 doses with known errors; 20 samples of 600, each decision drawn at its own rate."""
    generator = np.random.default_rng(5)
    rows: Rows = []
    for decision in generator.choice(["accept", "review", "no_match"], 4000, p=[0.9, 0.05, 0.05]):
        chance = {"accept": (0.98, 0.005), "review": (0.6, 0.2), "no_match": (0.02, 0.06)}[str(decision)]
        best, other = f"0030{len(rows):08}", f"0990{len(rows):08}"
        truth = generator.choice([best, other, ""], p=[*chance, 1 - sum(chance)])
        rows.append({"decision": str(decision), "citizen_id": best, "truth": str(truth) or None})
    run = write_run(tmp_path / "run", rows)
    linkable = [row for row in rows if row["truth"]]
    right = [row for row in rows if row["decision"] == "accept" and row["truth"] == row["citizen_id"]]
    truths = (
        len(right) / sum(row["decision"] == "accept" for row in rows),
        len(right) / len(linkable),
        sum(row["decision"] == "no_match" for row in linkable) / sum(row["decision"] == "no_match" for row in rows),
    )
    every, held = answers(rows), np.zeros(3)
    for _ in range(20):
        labels: list[tuple[object, ...]] = []
        for decision, size in (("accept", 400), ("review", 100), ("no_match", 100)):
            places = [n for n, row in enumerate(rows) if row["decision"] == decision]
            chosen = generator.choice(places, size, replace=False)
            labels += [(*every[n][:3], len(places) / size) for n in chosen]
        found = measure_sample(run, write_labels(tmp_path / "labels.csv", labels))
        assert found.notices == ()
        figures = (found.overall.precision, found.overall.recall, found.overall.missed_links)
        held += [part.low <= truth <= part.high for part, truth in zip(figures, truths, strict=True)]
        assert [part.high - part.low < width for part, width in zip(figures, (0.05, 0.05, 0.25), strict=True)] == [
            True
        ] * 3
    assert (held >= 17).all()


def test_a_sample_of_accepts_alone_says_nothing_of_recall(write_run: WriteRun) -> None:
    rows: Rows = [{}] * 10 + [{"decision": "no_match"}] * 5
    found = measured(write_run, rows, [(f"D{n:06}", OURS, 1, 1) for n in range(10)])
    assert found.overall.precision.value == 1
    assert found.overall.precision.low < 0.8
    for part in (found.overall.recall, found.overall.missed_links, found.overall.linkable):
        assert (part.value, part.low, part.high) == (None, 0, 1)
    assert keys(found) == {"clerical_without_no_match"}
    assert "None of the 5 no-match doses" in sampled(found, "en")[0]


def test_what_a_dose_is_said_to_be(write_run: WriteRun) -> None:
    """One dose for each way to answer, and to give none."""
    rows: Rows = [{}] * 7 + [{"decision": "review"}] * 6
    labels = [
        ("D000000", OURS, 1),
        ("D000001", OURS, 0),  # refused; no other was looked for
        ("D000002", "", 0),  # nobody
        ("D000003", OTHER, 0),  # says nothing of the accepted one
        ("D000004", OURS, 1),
        ("D000004", OTHER, 1),  # two citizens
        ("D000005", OURS, 0),
        ("D000005", OTHER, "?"),  # a false link whatever the other
        ("D000006", OURS, 1),
        ("D000006", OURS, 1),
        ("D000007", OTHER, 1),
        ("D000008", OURS, "?"),
        ("D000009", OURS, 0),
        ("D000009", OTHER, "?"),
        ("D000010", "", ""),
        ("D000011", OURS, 1),
        ("D000011", "", 0),  # somebody and nobody
        ("D000012", OURS, 1),
        ("D000012", OURS, 0),
    ]
    found = measured(write_run, rows, [(*label, 1) for label in labels])
    by_name = {part.name: part for part in found.parts if part.dimension == "decision"}
    accepts, reviews = by_name["accept"], by_name["review"]
    assert (accepts.sampled, accepts.answered) == (7, 5)
    assert (accepts.precision.count, accepts.precision.total) == (2, 5)
    assert (accepts.linkable.count, accepts.linkable.total) == (3, 5)
    assert (reviews.sampled, reviews.answered, reviews.right.count, reviews.linkable.count) == (6, 1, 0, 1)
    facts = dict(found.notices)
    assert facts["clerical_undecided"] == {"doses": 4}
    assert facts["clerical_contradicted"] == {"doses": 3}
    assert facts["clerical_candidates_only"] == {"doses": 2}
    assert facts["clerical_repeated"] == {"doses": 1}


def test_non_response_is_made_up_for_within_its_decision(write_run: WriteRun) -> None:
    rows: Rows = [{}] * 80 + [{"decision": "review"}] * 20
    labels: list[tuple[object, ...]] = [(f"D{n:06}", OURS, 1 if n < 60 else "?", 1) for n in range(80)]
    labels += [(f"D{n:06}", "", 0, 1) for n in range(80, 100)]
    found = measured(write_run, rows, labels).overall
    assert found.linkable.value == pytest.approx(0.8)
    assert (found.answered, found.linkable.count, found.linkable.total) == (80, 60, 80)


def test_weights_count(write_run: WriteRun) -> None:
    """Of 100 accepts one half was drawn at 1 in 9: a wrong one there is nine."""
    labels = [("D000000", OURS, 0, 9), *((f"D{n:06}", OURS, 1, 1) for n in range(1, 92))]
    found = measured(write_run, [{}] * 100, labels)
    assert found.overall.precision.value == pytest.approx(0.91)
    assert "clerical_sum_accept" not in keys(found)
    doubtful = measured(write_run, [{}] * 300, labels)
    assert dict(doubtful.notices)["clerical_sum_accept"] == {"sum": 100, "doses": 300, "sampled": 92}


def test_draws_are_averaged(write_run: WriteRun, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [{}] * 4)
    file = tmp_path / "labels.csv"
    lines = ["dose_id,citizen_id,is_match,weight,draw"]
    lines += [f'D{n:06},{OURS},1,"4,0",a' for n in range(2)] + [f"D{n:06},{OURS},{int(n < 3)},4,b" for n in range(2, 4)]
    file.write_text("\n".join(lines))
    found = measure_sample(run, str(file))
    assert found.overall.precision.value == pytest.approx(0.75)
    assert keys(found) == {"clerical_candidates_only"}


def test_odd_rows_are_counted(write_run: WriteRun) -> None:
    rows: Rows = [{}, {}, {"decision": "quarantine"}]
    labels = [
        ("D000000", OURS, 1, 1),
        ("D000000", OTHER, 0, 5),
        ("D000001", OURS, 1, ""),
        ("D000002", OURS, 1, 1),
        ("nobody", OURS, 1, 1),
    ]
    facts = dict(measured(write_run, rows, labels).notices)
    assert facts["clerical_unknown"] == {"doses": 1, "examples": "nobody"}
    for key in ("clerical_quarantined", "clerical_unequal_weights", "clerical_missing_weights"):
        assert facts[key] == {"doses": 1}


def test_labels_that_trained_the_model_are_named(write_run: WriteRun, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [{}])
    labels = write_labels(tmp_path / "labels.csv", [("D000000", OURS, 1, 1)])
    assert keys(measure_sample(run, labels)) == set()
    digest = hashlib.sha256(Path(labels).read_bytes()).hexdigest()
    inputs = {"labels": hashlib.sha256(digest.encode()).hexdigest()}
    (run / "model.json").write_text(json.dumps({"evidence": {"inputs": inputs}}))
    assert keys(measure_sample(run, labels)) == {"clerical_trained"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("D000000", OURS, "maybe", 1), "row 3, column is_match"),
        (("D000000", OURS, 1, 0), "row 3, column weight"),
        (("D000000", OURS, 1, "nan"), "row 3, column weight"),
        (("D000000", "", 1, 1), "row 3: is_match is 1 but citizen_id is empty"),
    ],
)
def test_a_value_that_cannot_be_read_is_named(write_run: WriteRun, row: tuple[object, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        measured(write_run, [{}], [("D000000", OURS, 1, 1), row])


def test_labels_of_another_run_are_refused(write_run: WriteRun) -> None:
    with pytest.raises(UserError, match="none has an answer"):
        measured(write_run, [{}], [("other", OURS, 1, 1), ("D000000", OURS, "?", 1)])


@pytest.mark.parametrize("language", ["en", "vi"])
def test_a_page_loads_nothing(write_run: WriteRun, tmp_path: Path, language: str) -> None:
    hostile = "<script>alert(1)</script>"
    rows: Rows = [{"stratum": hostile, "model": hostile}] * 20 + [{"decision": "no_match"}] * 20
    run = write_run(tmp_path / hostile.replace("/", ""), rows)
    labels = write_labels(tmp_path / "labels.csv", [*answers([{"truth": OURS}] * 30), (hostile, OURS, 1, 1)])
    found = estimate(run, labels, tmp_path / "out", language=language)
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<svg" in page
    assert not [word for word in ("src=", "@import", "<link", "url(http") if word in page]
    stored = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(found.as_dict()))


def test_bands_are_said_from_end_to_end() -> None:
    said = [band(repr(least), "vi").removesuffix("\u00a0%") for least in BANDS]
    ends = [text.split(" – ") for text in said]
    assert [end for _, end in ends[:-1]] == [start for start, _ in ends[1:]]
    assert (ends[0][0], ends[-1]) == ("0", ["99,99", "100"])


def test_the_command(write_run: WriteRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows: Rows = [{"citizen_id": f"0030900000{n:02}", "truth": f"0030900000{n:02}"} for n in range(50)]
    run = str(write_run(tmp_path / "run", rows + [{"decision": "no_match"}] * 10))
    labels = write_labels(tmp_path / "labels.csv", answers(rows))
    out = tmp_path / "out"
    given_all = ["evaluate", "--run", run, "--out", str(out), "--lang", "en"]
    assert main([*given_all, "--labels", labels]) == 0
    printed = capsys.readouterr().out.replace("\u00a0", " ")
    assert "precision of accepts 100.0 % (92.6 % – 100.0 %)" in printed
    assert "linkable doses accepted unknown" in printed
    assert main([*given_all, "--labels", labels]) == 2
    assert main([*given_all, "--labels", labels, "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["overall"]["precision"]["count"] == 50
    assert main([*given_all, "--labels", labels, "--truth", labels, "--force"]) == 2
    assert "give one of them" in capsys.readouterr().err
    assert sorted(path.name for path in out.iterdir()) == ["evaluation.json", "index.html"]
