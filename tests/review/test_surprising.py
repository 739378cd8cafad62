"""An answer that the model holds for improbable is read by a second person before it stands."""

from collections.abc import Callable
from typing import Any

import pytest

from linkage.review.accounts import Account
from linkage.review.cases import Answer, Case
from linkage.review.desk import answer_case, answer_many, next_case, open_case, undo
from linkage.review.quality import agreement
from linkage.store import Store

AN, BINH = (Account(name, "reviewer", ("*",)) for name in ("an", "binh"))
NONE, FIRST, SECOND = Answer("none"), Answer("citizen", "003184000123"), Answer("citizen", "003184000124")


@pytest.fixture
def put(desk: Store, ask: Callable[..., str], example: Callable[..., Case]) -> Callable[..., str]:
    """``put(kind="hidden")``: a case of two candidates, 0.93 and 0.05, whose surprises are those below 0.055."""

    def make(**row: Any) -> str:
        plain = example("S1")
        case = example("S1", decision={**plain.decision, "surprising": 0.055})
        return ask(desk, "S1", case=case, **row)

    return make


def say(store: Store, who: Account, case_id: str, answer: Answer) -> str:
    return answer_case(store, who, case_id, open_case(store, who, case_id).version, answer).state


@pytest.mark.parametrize("answer", [NONE, SECOND])
def test_who_reads_second_settles_or_disputes(desk: Store, put: Callable[..., str], answer: Answer) -> None:
    case_id = put()
    assert say(desk, AN, case_id, answer) == "open"
    assert next_case(desk, AN) is None
    view = next_case(desk, BINH)
    assert view is not None
    assert view.answers == (), "the second reader must not know"
    assert say(desk, BINH, case_id, answer) == "settled"
    assert not desk.verify()
    assert agreement(desk).overall.pairs == 0, "nobody drew it"
    undo(desk, BINH, case_id)
    assert say(desk, BINH, case_id, FIRST) == "disputed"
    assert not desk.verify()


@pytest.mark.parametrize(
    "answer", [FIRST, Answer("cannot_tell"), Answer("mixed_up"), Answer("send_back", field="name")]
)
def test_what_is_expected_or_decides_nothing_stands(desk: Store, put: Callable[..., str], answer: Answer) -> None:
    assert say(desk, AN, put(), answer) == "settled"


@pytest.mark.parametrize("kind", ["hidden", "control"])
def test_cases_that_are_no_part_of_the_queue_are_read_once(desk: Store, put: Callable[..., str], kind: str) -> None:
    assert say(desk, AN, put(kind=kind), NONE) == "settled"


def test_spreadsheets_ask_for_a_second_reader_too(desk: Store, put: Callable[..., str]) -> None:
    case_id = put()
    assert answer_many(desk, AN, [(case_id, NONE)], {}).applied == (case_id,)
    assert open_case(desk, BINH, case_id).state == "open"
    assert answer_many(desk, AN, [(case_id, NONE)], {}).unchanged == (case_id,)
    answer_many(desk, BINH, [(case_id, NONE)], {})
    assert open_case(desk, BINH, case_id).state == "settled"
    assert not desk.verify()
