"""Which answers stand, and what a clerk saw."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import insert

from linkage.deciding.answers import ANSWERS
from linkage.review.accounts import Account
from linkage.review.cases import Answer, Case
from linkage.review.desk import answer_case, answer_many, open_case, undo
from linkage.review.standing import standing_answers
from linkage.store import Store, open_store
from linkage.store.schema import CASE_CONTENT, CASE_DOSE, REVIEW_CASE

AN, BINH = (Account(name, "reviewer", ("*",)) for name in ("an", "binh"))
CHI = Account("chi", "supervisor", ("*",))
HERS, SISTERS = "003184000123", "003184000124"
Make = Callable[..., Case]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    ticks = count()
    with open_store(
        store_url, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(ticks))
    ) as opened:
        yield opened


def queue(store: Store, case_id: str, case: Case, **columns: Any) -> None:
    """Put a case into the queue."""
    row = {
        "case_id": case_id,
        "kind": "queue",
        "run": "r",
        "model": "m@1",
        "subject": case.subject,
        "unit": "",
        "place": 1,
        "worth": 1.0,
        "doses": len(case.dose_ids),
        "probability": 0.5,
        "queued_at": "2026-01-01",
        "readings": 1,
        "state": "open",
        "version": 1,
    }
    records = [{"dose_id": dose, "record": f"record of {dose}"} for dose in case.dose_ids]
    content = json.dumps(asdict(case) | {"records": records})
    with store.writing() as writer:
        writer.connection.execute(insert(REVIEW_CASE), [row | columns])
        writer.connection.execute(insert(CASE_CONTENT), [{"case_id": case_id, "content": content}])
        doses = [{"case_id": case_id, "dose_id": dose} for dose in case.dose_ids]
        writer.connection.execute(insert(CASE_DOSE), doses)


def say(store: Store, account: Account, case_id: str, answer: Answer) -> int:
    """An answer at the desk; the number of its entry."""
    view = open_case(store, account, case_id)
    return answer_case(store, account, case_id, view.version, answer).entry


def standing(store: Store) -> dict[str, tuple[int, str, str | None]]:
    """Dose → entry, outcome, citizen."""
    rows = standing_answers(store).to_pylist()
    assert [row["dose_id"] for row in rows] == sorted({row["dose_id"] for row in rows})
    return {row["dose_id"]: (row["entry"], row["outcome"], row["citizen_id"]) for row in rows}


def test_a_settled_case_answers_all_its_doses_and_no_other(store: Store, example: Make) -> None:
    queue(store, "1", example("S1"))
    queue(store, "2", example("S2"))
    entry = say(store, AN, "1", Answer("citizen", HERS))
    assert standing(store) == dict.fromkeys(("S1-1", "S1-2"), (entry, "citizen", HERS))
    for row in standing_answers(store).to_pylist():
        assert row["candidates"] == [HERS, SISTERS]
        assert row["record"] == f"record of {row['dose_id']}"
    assert standing_answers(store).schema == ANSWERS


def test_an_empty_store_has_none(store: Store) -> None:
    found = standing_answers(store)
    assert len(found) == 0
    assert found.schema == ANSWERS


def test_what_is_taken_back_does_not_stand(store: Store, example: Make) -> None:
    queue(store, "1", example())
    say(store, AN, "1", Answer("citizen", HERS))
    undo(store, AN, "1")
    assert standing(store) == {}
    entry = say(store, AN, "1", Answer("citizen", SISTERS))
    assert set(standing(store).values()) == {(entry, "citizen", SISTERS)}


def test_of_two_readers_both_must_agree_or_a_supervisor_decides(store: Store, example: Make) -> None:
    for case_id, subject in (("1", "S1"), ("2", "S2")):
        queue(store, case_id, example(subject), readings=2)
        say(store, AN, case_id, Answer("none"))
    assert standing(store) == {}
    agreed = say(store, BINH, "1", Answer("none"))
    say(store, BINH, "2", Answer("citizen", HERS))
    assert set(standing(store).values()) == {(agreed, "none", None)}
    settled = say(store, CHI, "2", Answer("citizen", HERS))
    assert standing(store)["S2-1"] == (settled, "citizen", HERS)


def test_hidden_and_control_cases_do_not_count(store: Store, example: Make) -> None:
    queue(store, "1", example("S1"), kind="hidden", known_outcome="none")
    queue(store, "2", example("S2"), kind="control", of_case="0")
    for case_id in ("1", "2"):
        say(store, AN, case_id, Answer("none"))
    assert standing(store) == {}


def test_the_latest_answer_to_a_dose_stands_whatever_run_it_was_queued_from(store: Store, example: Make) -> None:
    case = example()
    queue(store, "b", case, run="r1")
    queue(store, "a", replace(case, doses=case.doses[:1]), run="r2")
    one = say(store, AN, "b", Answer("cannot_tell"))
    other = say(store, AN, "a", Answer("citizen", HERS))
    assert standing(store) == {"S1-1": (other, "citizen", HERS), "S1-2": (one, "cannot_tell", None)}


def test_a_spreadsheet_of_answers_is_one_entry(store: Store, example: Make) -> None:
    for number in range(3):
        queue(store, str(number), example(f"S{number}"))
    applied = answer_many(store, AN, [("0", Answer("none")), ("1", Answer("send_back", field="number"))], {})
    assert {(entry, outcome) for entry, outcome, _ in standing(store).values()} == {
        (applied.entry, "none"),
        (applied.entry, "send_back"),
    }
