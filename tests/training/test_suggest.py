"""The draw of doses to label next: each with the probability it says, one of a subject, and a file that comes back."""

import csv
import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import duckdb
import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.benchmarks.suggest import Known, as_markdown, compare, draw_chart, draws, labels_needed
from linkage.cli import main
from linkage.errors import UserError
from linkage.messages import LANGUAGES, say
from linkage.tables import LABELS, read_table
from linkage.tables.labels import check_labels
from models import Model
from training.labels import labelled_keys
from training.review_file import SAFE
from training.suggest import SHARES, Frame, draw_doses, inclusion, suggest

SHIPPED = Path(str(files("models"))) / "trained" / "dose_citizen"

HOSTILE = (
    *("=1+1", "+84912345678", "-5", "@SUM(A1)", "00012", "1e5", "TRUE", "3-4", '="a"', "a;=1+1", "'x", "#N/A"),
    *("099084001234", "x,y", 'q"q', "  ", "Đức", "a\tb", "_x0041_", "a\x01b"),
)


def frame_of(cells: list[int], subjects: list[int], seed: int) -> Frame:
    generator = np.random.default_rng(seed)
    size = len(cells)
    return Frame(
        cell=np.unique(cells, return_inverse=True)[1],
        uncertain=generator.random(size) / 2,
        rare=np.where(generator.random(size) < 0.3, generator.random(size), 0.0),
        subject=np.unique(subjects, return_inverse=True)[1],
        luck=generator.random(size),
    )


FRAMES = st.integers(1, 60).flatmap(
    lambda size: st.tuples(
        st.lists(st.integers(0, 4), min_size=size, max_size=size),
        st.lists(st.integers(0, 40), min_size=size, max_size=size),
        st.integers(0, 1000),
    )
)


@given(drawn_from=FRAMES, data=st.data())
@settings(max_examples=100, deadline=None)
def test_every_dose_may_be_drawn_and_as_many_are_as_asked_one_of_a_subject(
    drawn_from: tuple[list[int], list[int], int], data: st.DataObject
) -> None:
    frame = frame_of(*drawn_from)
    doses = data.draw(st.integers(1, len(frame.cell)))
    probability = inclusion(frame, doses)
    assert probability.min() > 0
    assert probability.max() <= 1
    assert probability.sum() == pytest.approx(doses)
    assert (1 / probability <= max(1, len(frame.cell) / doses / SHARES["proportional"] * (1 + 1e-9))).all()
    chosen = draw_doses(frame, probability, data.draw(st.floats(0, 1, exclude_max=True)))
    assert len(chosen) == len(set(chosen)) == doses
    drawn = np.bincount(frame.subject[chosen], minlength=int(frame.subject.max()) + 1)
    assert (drawn[np.bincount(frame.subject, probability) <= 1] <= 1).all()


def test_over_many_draws_each_dose_comes_with_its_probability_and_totals_are_right() -> None:
    generator = np.random.default_rng(5)
    frame = frame_of([0] * 30 + [1] * 25 + [2] * 5, generator.integers(0, 40, 60).tolist(), 5)
    probability = inclusion(frame, 12)
    wrong = generator.random(60) < 0.3
    times = 6000
    hits, totals = np.zeros(60), []
    for _ in range(times):
        again = Frame(frame.cell, frame.uncertain, frame.rare, frame.subject, generator.random(60))
        chosen = draw_doses(again, probability, float(generator.random()))
        hits[chosen] += 1
        totals.append((wrong[chosen] / probability[chosen]).sum())
    error = np.sqrt(probability * (1 - probability) / times)
    assert (abs(hits / times - probability) < 4.5 * error + 1e-12).all()
    assert np.mean(totals) == pytest.approx(wrong.sum(), abs=4 * np.std(totals) / np.sqrt(times))


def test_a_cell_has_its_share_in_every_draw_not_only_on_average() -> None:
    generator = np.random.default_rng(6)
    frame = frame_of(generator.integers(0, 5, 600).tolist(), list(range(600)), 6)
    probability = inclusion(frame, 60)
    wanted = np.bincount(frame.cell, probability)
    for start in generator.random(50):
        drawn = np.bincount(frame.cell[draw_doses(frame, probability, float(start))], minlength=5)
        assert abs(drawn - wanted).max() < 1 + 1e-9


def test_uncertain_and_rare_doses_are_drawn_more_often() -> None:
    frame = Frame(
        cell=np.repeat([0, 1], [900, 100]),
        uncertain=np.repeat([0.01, 0.5], [900, 100]),
        rare=np.arange(1000) % 10 / 10,
        subject=np.arange(1000),
        luck=np.full(1000, 0.5),
    )
    probability = inclusion(frame, 100)
    assert probability[900] > 2 * probability[0]
    assert (np.diff(probability[:10]) > 0).all()


Run = Callable[..., Path]


@pytest.fixture
def a_run(tmp_path: Path) -> Run:
    """``a_run(rows, shuffled)``: a RUN of 80 doses; every fifth has no candidate, some share a subject."""

    def make(names: tuple[str, ...] = (), shuffled: int | None = None) -> Path:
        folder = tmp_path / f"run_{len(names)}_{shuffled}"
        folder.mkdir()
        model = Model.read(SHIPPED)
        (folder / "model.json").write_text(model.to_json(), encoding="utf-8")
        read = {"files": [{"sha256": "0"}]}
        manifest = {"model": {"digest": model.digest}, "inputs": {"doses": read, "citizens": read}}
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        ids = [*(name for name in names if name.strip()), *(f"D{number:03}" for number in range(80))][:80]
        hostile = [names[place % len(names)] if names else "Lê Văn A" for place in range(80)]
        generator = np.random.default_rng(0)
        found = [place for place in range(80) if place % 5]
        levels = {
            c.name: [c.levels[generator.integers(len(c.levels))].name for _ in range(2 * len(found))]
            for c in model.specification.comparisons
        }
        probability = dict(zip(found, generator.random(len(found)).tolist(), strict=True))
        decision = ["no_match" if p not in found else ("accept", "review")[probability[p] < 0.5] for p in range(80)]
        texts = pa.array(hostile, pa.string())
        doses = {"dose_id": ids, "subject_id": [f"S{p // 3}" if p < 40 else None for p in range(80)]}
        doses |= dict.fromkeys(("full_name", "date_of_birth", "sex", "national_id", "health_insurance_no"), texts)
        doses |= dict.fromkeys(("phone", "commune", "district", "province", "address"), texts)
        citizens = {"citizen_id": [f"0990840{number:05}" for number in range(160)]}
        twice = pa.array([*hostile, *hostile], pa.string())
        citizens |= dict.fromkeys(("full_name", "date_of_birth", "sex", "previous_ids", "health_insurance_no"), twice)
        citizens |= dict.fromkeys(("phone", "commune", "district", "province", "address"), twice)
        tables = {
            "doses": doses,
            "citizens": citizens,
            "decisions": {
                "dose_id": ids,
                "decision": decision,
                "stratum": ["no_number" if place in found else None for place in range(80)],
                "probability": [probability.get(place) for place in range(80)],
            },
            "candidates": {
                "dose_id": [ids[place] for place in found for _ in range(2)],
                "citizen_id": [f"0990840{2 * place + rank:05}" for place in found for rank in range(2)],
                "rank": [rank for _ in found for rank in (1, 2)],
                **levels,
            },
        }
        for name, columns in tables.items():
            table = pa.table(columns)
            if shuffled is not None:
                table = table.take(np.random.default_rng(shuffled).permutation(len(table)))
            pq.write_table(table, folder / f"{name}.parquet")
        return folder

    return make


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_the_same_seed_gives_the_same_file_whatever_the_order_of_rows(a_run: Run, tmp_path: Path, kind: str) -> None:
    written = [tmp_path / f"{number}.{kind}" for number in range(3)]
    for run, out, seed in zip((a_run(), a_run(shuffled=1), a_run(shuffled=2)), written, (1, 1, 2), strict=True):
        suggest(run, 20, out, seed=seed)
    first, second, other = (file.read_bytes() for file in written)
    assert first == second
    assert first != other


def test_seeds_draw_doses_of_a_run_as_often_as_their_weights_say(a_run: Run, tmp_path: Path) -> None:
    run, out, seeds = a_run(), tmp_path / "drawn.csv", 40
    hits: dict[str, int] = {}
    chance: dict[str, float] = {}
    totals = []
    for seed in range(seeds):
        suggest(run, 20, out, seed=seed, force=True)
        with out.open(encoding="utf-8-sig", newline="") as file:
            rows = {row["dose_id"].strip(): float(row["weight"]) for row in csv.DictReader(file)}
        assert len(rows) == 20
        totals.append(sum(rows.values()))
        for dose, weight in rows.items():
            hits[dose] = hits.get(dose, 0) + 1
            chance[dose] = 1 / weight
    assert len(hits) == 80
    for dose, times in hits.items():
        assert abs(times / seeds - chance[dose]) < 4.5 * np.sqrt(chance[dose] * (1 - chance[dose]) / seeds)
    assert np.mean(totals) == pytest.approx(80, rel=0.05)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_hostile_cells_are_safe_in_a_spreadsheet_and_ids_come_back(a_run: Run, tmp_path: Path, kind: str) -> None:
    run, out = a_run(HOSTILE), tmp_path / f"labels.{kind}"
    found = suggest(run, 80, out, seed=3)
    assert (found.least_weight, found.largest_weight) == pytest.approx((1, 1))
    with duckdb.connect() as connection:
        report = read_table(connection, LABELS, str(out))
        assert (report.rows_read, report.rows_quarantined) == (found.rows, 0)
        rows = connection.execute("SELECT dose_id, citizen_id, is_match FROM labels").fetchall()
        doses = {dose for (dose,) in connection.execute(f"SELECT dose_id FROM '{run}/doses.parquet'").fetchall()}
        pairs = connection.execute(f"SELECT dose_id, citizen_id FROM '{run}/candidates.parquet'").fetchall()
        notices = " ".join(str(notice) for notice in report.notices)
    drawn = {dose for dose, _, _ in rows}
    assert drawn == doses
    assert drawn > {name for name in HOSTILE if name.strip()}
    wanted = set(pairs)
    assert {(dose, citizen) for dose, citizen, _ in rows if citizen} == wanted
    assert {dose for dose, citizen, _ in rows if not citizen} == drawn - {dose for dose, _ in wanted}
    assert {answer for _, _, answer in rows} == {None}
    assert len(notices) < 300
    if kind == "csv":
        with out.open(encoding="utf-8-sig", newline="") as file:
            cells = [cell for row in list(csv.reader(file))[1:] for cell in row if cell]
        assert {cell[0] for cell in cells} == {SAFE}
        assert any(cell[1:] == "+84912345678" for cell in cells)
    else:
        sheet = openpyxl.load_workbook(out).active
        filled = [cell for row in sheet.iter_rows(min_row=2) for cell in row if cell.value is not None]
        assert {(cell.data_type, cell.number_format) for cell in filled} == {("s", "@")}
        assert any(cell.value == "+84912345678" for cell in filled)
        assert sheet.freeze_panes == "D2"
        assert [rule.formula1 for rule in sheet.data_validations.dataValidation] == ['"1,0,?"']


@pytest.mark.parametrize("language", LANGUAGES)
def test_answers_come_back_as_labels_with_their_weights(a_run: Run, tmp_path: Path, language: str) -> None:
    run, out = a_run(), tmp_path / "labels.csv"
    found = suggest(run, 30, out, seed=1, language=language)
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == found.rows
    for row in rows:
        row["is_match"] = "1" if row["rank"].strip() == "1" else "0"
    rows[-1]["is_match"] = "?"
    with out.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE doses AS SELECT row_number() OVER () AS key, * FROM '{run}/doses.parquet'")
        connection.execute(
            f"CREATE TABLE citizens AS SELECT row_number() OVER () AS key, * FROM '{run}/citizens.parquet'"
        )
        assert read_table(connection, LABELS, str(out)).notices == ()
        check_labels(connection, out)
        counts = labelled_keys(connection)
        kept = dict(
            connection.execute(
                "SELECT dose_id, weight FROM labelled_doses JOIN doses ON key = dose_key ORDER BY dose_id"
            ).fetchall()
        )
    assert (counts.undecided, counts.draws, counts.unequal_weights, counts.missing_weights) == (1, 1, 0, 0)
    assert counts.none == sum(not row["citizen_id"] for row in rows[:-1])
    weights = {row["dose_id"].strip(): float(row["weight"]) for row in rows[:-1]}
    assert kept == pytest.approx(weights)
    assert (found.least_weight, found.largest_weight) == pytest.approx((min(weights.values()), max(weights.values())))


def test_what_exists_is_kept_and_a_failure_leaves_nothing(a_run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out" / "labels.csv"
    with pytest.raises(UserError) as raised:
        suggest(tmp_path, 5, out)
    assert raised.value.key == "suggest.no_run"
    run = a_run()
    with pytest.raises(UserError) as raised:
        suggest(run, 100, out)
    assert raised.value.key == "suggest.too_few"
    with pytest.raises(UserError) as raised:
        suggest(run, 5, out.with_suffix(".txt"))
    assert raised.value.key == "suggest.kind"
    assert not out.parent.exists()
    suggest(run, 5, out)
    with pytest.raises(UserError) as raised:
        suggest(run, 5, out)
    assert raised.value.key == "run.exists"
    assert [file.name for file in out.parent.iterdir()] == ["labels.csv"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_command_says_what_it_drew(
    a_run: Run, tmp_path: Path, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "labels.xlsx"
    flags = ["train", "--suggest", "10", "--run", str(a_run()), "--out", str(out), "--lang", language]
    assert main(flags) == 0
    said = capsys.readouterr().out
    assert "10" in said
    assert str(out) in said
    assert say("stratum.no_number", language) in said
    assert "no_number" not in said
    assert main([*flags, "--force", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["drawn"] == sum(cell["drawn"] for cell in found["cells"]) == 10
    assert found["doses"] == sum(cell["doses"] for cell in found["cells"]) == 80


@pytest.mark.parametrize(
    ("flags", "missing"),
    [
        ((), "--doses, --citizens, --labels"),
        (("--doses", "d", "--labels", "l"), "--citizens"),
        (("--suggest", "5"), "--run"),
        (("--run", "r"), "--suggest"),
    ],
)
def test_a_missing_flag_is_named(
    flags: tuple[str, ...], missing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *flags, "--out", str(tmp_path / "out.csv")]) == 2
    assert f"{missing} is missing" in capsys.readouterr().err


def test_labels_needed_lie_between_the_sizes_that_were_measured() -> None:
    sizes, figures = (100, 200, 400), (0.4, 0.2, 0.1)
    assert labels_needed(sizes, figures, 0.2, rising=False) == pytest.approx(200)
    assert labels_needed(sizes, figures, 0.1414, rising=False) == pytest.approx(283, rel=0.01)
    assert labels_needed(sizes, figures, 0.5, rising=False) == 100
    assert labels_needed(sizes, figures, 0.05, rising=False) is None
    assert labels_needed(sizes, figures[::-1], 0.3, rising=True) == pytest.approx(300, rel=0.01)


def test_both_designs_of_the_benchmark_are_measured_alike(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    decision = generator.choice(3, 600, p=[0.8, 0.1, 0.1])
    known = Known(
        frame=frame_of(decision.tolist(), list(range(600)), 3),
        accept=decision == 0,
        review=decision == 1,
        no_match=decision == 2,
        wrong=generator.random(600) < np.array([0.02, 0.5, 0.2])[decision],
        band=decision,
        levels=generator.integers(-1, 6, (600, 2)),
    )
    found = compare(known, (50, 100), 5, 1)
    assert all(set(by_design) == {"random", "suggest"} for by_design in found.values())
    assert all(0 <= figure <= 1 for by_design in found.values() for row in by_design.values() for figure in row)
    wide, narrow = found["best candidate wrong in review, half of the interval"]["suggest"]
    assert narrow < wide
    for design in ("random", "suggest"):
        totals = [weight.sum() for _, weight in draws(known, design, 100, 30, 1)]
        assert np.mean(totals) == pytest.approx(600, rel=0.05)
    lines = [line for line in as_markdown(found, (50, 100)).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines[:16]} == {5}
    draw_chart(found, (50, 100), tmp_path / "chart.svg")
    assert "labelled doses" in (tmp_path / "chart.svg").read_text(encoding="utf-8")
