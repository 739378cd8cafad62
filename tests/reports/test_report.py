"""Counts by unit add up, whatever the rows."""

import csv
import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.errors import UserError
from linkage.reports import Report, report
from linkage.reports.counting import FORMATS, OUTCOMES, UNITS
from linkage.reports.pages import percent

HOSTILE = ["=1+1", "+84", "-1", "@SUM(A1)", "\tx", "\rx", "<script>alert(1)</script>", "\"&'", "a,b\nc", ""]
units = {
    "province": st.sampled_from(["01", "79", "99", "", None]),
    "district": st.sampled_from(["001", "760", None]),
    "commune": st.sampled_from(["00001", "26734", None]),
    "facility_id": st.one_of(st.none(), st.sampled_from(HOSTILE), st.text("F0<&=\t", max_size=3)),
}
doses = st.lists(st.fixed_dictionaries({"outcome": st.sampled_from(OUTCOMES), **units}), max_size=30)
Dose = dict[str, str | None]


def write_run(folder: Path, rows: list[Dose]) -> Path:
    folder.mkdir(exist_ok=True)
    columns = ["outcome", *units]
    table = pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in columns})
    pq.write_table(table, folder / "decisions.parquet")
    pq.write_table(pa.table({"dose_id": pa.array([], pa.string())}), folder / "review.parquet")
    (folder / "manifest.json").write_text('{"inputs": {}}')
    return folder


def dose(outcome: str = "verified", facility: str | None = "F1") -> Dose:
    return {
        "outcome": outcome,
        "province": "01",
        "district": "001",
        "commune": "00001",
        "facility_id": facility,
    }


def by_code(result: Report) -> dict[str | None, tuple[int, ...]]:
    return {line.code: tuple(line.counts.of(outcome) for outcome in OUTCOMES) for line in result.lines}


@settings(max_examples=25, deadline=None)
@given(rows=doses, by=st.sampled_from(UNITS), data=st.data())
def test_every_dose_is_counted_once_in_any_order(rows: list[Dose], by: str, data: st.DataObject) -> None:
    column = "facility_id" if by == "facility" else by
    expected = Counter((row[column] or None, row["outcome"]) for row in rows)
    with TemporaryDirectory() as folder:
        run = write_run(Path(folder) / "run", rows)
        result = report(run, by, Path(folder) / "a.csv")
        shuffled = write_run(Path(folder) / "run", data.draw(st.permutations(rows)))
        assert report(shuffled, by, Path(folder) / "b.csv") == result
    counted = by_code(result)
    assert {(code, o): n for code, c in counted.items() for o, n in zip(OUTCOMES, c, strict=True) if n} == expected
    assert result.total.doses == len(rows)
    assert all(sum(counts[i] for counts in counted.values()) == result.total.of(o) for i, o in enumerate(OUTCOMES))


@settings(max_examples=15, deadline=None)
@given(rows=doses.filter(bool))
def test_csv_reads_back_with_no_formula_and_with_the_totals(rows: list[Dose]) -> None:
    with TemporaryDirectory() as folder:
        out = Path(folder) / "report.csv"
        result = report(write_run(Path(folder) / "run", rows), "facility", out)
        assert out.read_bytes().startswith(b"\xef\xbb\xbf")
        with out.open(encoding="utf-8-sig", newline="") as stream:
            head, *body, total = csv.reader(stream)
    assert head[0] == "Code"
    assert not [cell for line in body for cell in line if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert [line[0].removeprefix("'") for line in body] == [
        (line.code or "").removeprefix("'") for line in result.lines
    ]
    assert total[2:] == [str(sum(int(line[i]) for line in body)) for i in range(2, len(head))]
    assert int(total[2]) == len(rows)


@pytest.mark.parametrize("language", ["en", "vi"])
def test_page_escapes_hostile_facilities_and_loads_nothing(tmp_path: Path, language: str) -> None:
    run = write_run(tmp_path / "run", [dose(facility=text or None) for text in HOSTILE])
    report(run, "facility", tmp_path / "report.html", language=language)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "http" not in page


def test_names_carry_the_units_above(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [dose(), dose("in_review")])
    for by, name in [
        ("province", "Thành phố Hà Nội"),
        ("district", "Quận Ba Đình, Thành phố Hà Nội"),
        ("commune", "Phường Phúc Xá, Quận Ba Đình, Thành phố Hà Nội"),
        ("facility", ""),
    ]:
        report(run, by, tmp_path / f"{by}.json")
        [line] = json.loads((tmp_path / f"{by}.json").read_text(encoding="utf-8"))["lines"]
        assert line["name"] == name
        assert (line["doses"], line["accepted"], line["in_review"]) == (2, 1, 1)


def test_refusals_name_the_remedy_and_leave_nothing(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [dose()])
    kept = tmp_path / "kept.csv"
    kept.write_text("mine")
    with pytest.raises(UserError, match="--force"):
        report(run, "province", kept)
    assert kept.read_text() == "mine"
    with pytest.raises(UserError, match=r"province, district, commune, facility"):
        report(run, "village", tmp_path / "a.csv")
    with pytest.raises(UserError, match=", ".join(FORMATS)):
        report(run, "province", tmp_path / "a.xlsx")
    (run / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"manifest\.json is missing"):
        report(run, "province", tmp_path / "a.csv")
    (run / "manifest.json").write_text('{"inputs": {}}')
    (run / "decisions.parquet").write_bytes(b"no parquet")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        report(run, "province", tmp_path / "a.csv")
    pq.write_table(pa.table({"outcome": ["verified"]}), run / "decisions.parquet")
    with pytest.raises(UserError, match="no column province"):
        report(run, "province", tmp_path / "a.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.csv", "run"]


def test_force_spares_a_folder_in_use(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [dose()])
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    (folder / "mine").touch()
    with pytest.raises(UserError, match="holds mine"):
        report(run, "province", folder, force=True)
    assert (folder / "mine").exists()


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [dose()])
    with pytest.raises(UserError, match="cannot be written"):
        report(run, "province", run / "manifest.json" / "a.csv")


def test_force_overwrites_a_file(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run [1]", [dose()])
    out = tmp_path / "report.json"
    out.write_text("old")
    report(run, "province", out, force=True)
    assert json.loads(out.read_text())["total"]["doses"] == 1


@pytest.mark.parametrize(
    ("share", "en", "vi"),
    [
        (0.9998712, "99.987", "99,987"),
        (0.5, "50.0", "50,0"),
        (1.0, "100.0", "100,0"),
        (0.012, "1.2", "1,2"),
    ],
)
def test_percentages_keep_what_matters_near_the_ends(share: float, en: str, vi: str) -> None:
    assert percent(share, "en") == en + "\u00a0%"
    assert percent(share, "vi") == vi + "\u00a0%"
