"""Cases and answers for machines: CSV there and back."""

import csv
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.review.cases import Answer, Case
from linkage.review.sheet_reading import read_answers
from linkage.review.sheet_rows import SAFE
from linkage.review.table import TABLE, safe, write_table
from linkage.review.views import View

Example = Callable[..., Case]
HERS, SISTER = "003184000123", "003184000124"
STARTS = ("=", "+", "-", "@", "\t", "\r")


def views(*cases: Case) -> list[View]:
    return [
        View(str(uuid.uuid5(uuid.NAMESPACE_OID, case.subject)), 1, case, "00001", "open", 1, "ab" * 32, "vietnam@0123")
        for case in cases
    ]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [dict(row) for row in csv.DictReader(file)]


def write_rows(path: Path, rows: list[dict[str, str]], delimiter: str = ",", encoding: str = "utf-8") -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def test_a_row_for_each_candidate_with_every_value_as_typed(example: Example, tmp_path: Path) -> None:
    hostile = {"full_name": "=1+1\r\nNiê", "phone": "+84912345678", "address": "\tx, 'y' _x000D_"}
    assert write_table(views(example(record=hostile), example("S2", candidates=())), tmp_path / "a.csv") == 3
    first, second, alone = rows_of(tmp_path / "a.csv")
    assert tuple(first) == TABLE
    assert [row["candidate"].strip() for row in (first, second, alone)] == ["1", "2", ""]
    assert [row["citizen_id"] for row in (first, second, alone)] == [SAFE + HERS, SAFE + SISTER, ""]
    for column, text in hostile.items():
        assert first[f"record_{column}"].replace(SAFE, "") == text
    assert first["doses"].replace(SAFE, "") == "S1-1 S1-2"
    assert alone["registry_full_name"] == ""


@given(st.text(st.sampled_from("=+-@\t\r a1,;|'\"\u00a0"), max_size=8))
def test_no_spreadsheet_sees_a_formula_wherever_it_splits(text: str) -> None:
    cell = safe(text)
    assert cell.replace(SAFE, "") == text.replace(SAFE, "")
    for delimiter in (",", ";", "|", "'", '"', "\t"):
        assert not any(part.startswith(STARTS[:4]) for part in cell.split(delimiter))
    assert not cell.startswith(STARTS)


@pytest.mark.parametrize(("delimiter", "encoding"), [(",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-16")])
def test_decisions_come_back(example: Example, tmp_path: Path, delimiter: str, encoding: str) -> None:
    sent = views(*(example(f"S{n}") for n in range(5)), example("S9", candidates=()))
    write_table(sent, tmp_path / "a.csv")
    rows = rows_of(tmp_path / "a.csv")
    rows[1]["decision"] = "citizen"
    rows[2]["decision"] = "none"
    rows[5]["decision"], rows[5]["comment"] = "2", SAFE + "+84 gọi lại"
    rows[6]["decision"] = "send_back name"
    rows[10]["decision"] = "cannot_tell"
    write_rows(tmp_path / "b.csv", rows[::-1], delimiter, encoding)
    staged = read_answers([tmp_path / "b.csv"])
    answers = {row.case_id: row.answer for row in staged.rows}
    assert answers == {
        sent[0].case_id: Answer("citizen", SISTER),
        sent[1].case_id: Answer("none"),
        sent[2].case_id: Answer("citizen", SISTER, None, "+84 gọi lại"),
        sent[3].case_id: Answer("send_back", None, "name"),
        sent[5].case_id: Answer("cannot_tell"),
    }
    assert (staged.unusable, staged.missing, staged.notices, staged.undecided) == ((), (), (), 1)


def test_cases_that_did_not_come_back_are_named(example: Example, tmp_path: Path) -> None:
    write_table(views(*(example(f"S{n}") for n in range(3))), tmp_path / "a.csv")
    write_rows(tmp_path / "b.csv", rows_of(tmp_path / "a.csv")[:3])
    [missing] = read_answers([tmp_path / "b.csv"]).missing
    assert (missing.cases, missing.of) == ((3,), 3)


def test_the_same_cases_give_the_same_bytes(example: Example, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        write_table(views(example(record={"full_name": "\ud800"})), tmp_path / name)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
