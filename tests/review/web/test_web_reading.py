"""Reading cases on the page: the next one, the answer, what changed meanwhile, second thoughts."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from linkage.review.cases import ASKED
from linkage.store import Store

HERS, SISTER = "003184000123", "003184000124"
Browsers = Callable[..., Any]
Add = Callable[..., str]


def state(store: Store, case_id: str) -> tuple[Any, ...]:
    """State, outcome, citizen, field of a case."""
    query = text("SELECT state, outcome, citizen_id, field FROM review_case WHERE case_id = :case")
    with store.reading() as reader:
        return tuple(reader.connection.execute(query, {"case": case_id}).one())


def test_the_next_case_comes_by_place_and_one_post_decides_it(store: Store, browser: Browsers, add: Add) -> None:
    first, second = add("S1"), add("S2")
    an = browser("an")
    assert f'action="/case/{first}"' in an.get("/next").text
    decided = an.answer(first, f"citizen:{HERS}", comment="cùng số điện thoại", seconds="7.4")
    assert (decided.status_code, decided.headers["location"]) == (303, "/next")
    assert state(store, first) == ("settled", "citizen", HERS, None)
    shown = an.get("/next").text
    assert f'action="/case/{second}"' in shown
    assert f'action="/case/{first}/undo"' in shown
    assert "1 trên 40" in shown
    with store.reading() as reader:
        assert reader.connection.execute(text("SELECT comment, seconds FROM answer")).one() == ("cùng số điện thoại", 7)


@pytest.mark.parametrize(
    ("choice", "settled"),
    [
        ("none", ("none", None, None)),
        ("cannot_tell", ("cannot_tell", None, None)),
        ("mixed_up", ("mixed_up", None, None)),
        *((f"send_back:{field}", ("send_back", None, field)) for field in ASKED),
        (f"citizen:{SISTER}", ("citizen", SISTER, None)),
    ],
)
def test_every_outcome_is_recorded(
    store: Store, browser: Browsers, add: Add, choice: str, settled: tuple[Any, ...]
) -> None:
    case = add("S1")
    assert browser("an").answer(case, choice).status_code == 303
    assert state(store, case) == ("settled", *settled)


@pytest.mark.parametrize(
    "choice",
    [
        "",
        "citizen",
        "citizen:",
        "citizen:003999999999",
        "send_back",
        "send_back:dose_id",
        "none:x'",
        "settled",
        "x" * 201,
    ],
)
def test_what_is_no_answer_is_refused_and_nothing_recorded(
    store: Store, browser: Browsers, add: Add, choice: str
) -> None:
    case = add("S1")
    refused = browser("an").answer(case, choice)
    assert (refused.status_code, state(store, case)[0]) == (400, "open")


@pytest.mark.parametrize("broken", [{"version": "x"}, {"version": ""}, {"comment": "x" * 501}, {"version": "9" * 30}])
def test_a_broken_form_is_refused(store: Store, browser: Browsers, add: Add, broken: dict[str, str]) -> None:
    case = add("S1")
    assert browser("an").post(f"/case/{case}", **({"choice": "none", "version": 1} | broken)).status_code in {400, 409}
    assert state(store, case)[0] == "open"


@pytest.mark.parametrize("seconds", ["", "nan", "inf", "-1", "1e9", "x"])
def test_seconds_that_cannot_be_do_not_cost_the_answer(store: Store, browser: Browsers, add: Add, seconds: str) -> None:
    case = add("S1")
    assert browser("an").answer(case, "none", seconds=seconds).status_code == 303
    with store.reading() as reader:
        assert reader.connection.execute(text("SELECT seconds FROM answer")).scalar_one() is None


def test_every_candidate_and_the_household_are_shown(browser: Browsers, add: Add) -> None:
    add("S1")
    shown = browser("an").get("/next").text
    for words in (
        f'value="citizen:{HERS}"',
        f'value="citizen:{SISTER}"',
        "Trần Văn Nam",
        "Nguyễn T. Hòa",
        "mũi đã gắn: 1",
    ):
        assert words in shown


def test_a_case_decided_by_somebody_else_meanwhile_says_by_whom(store: Store, browser: Browsers, add: Add) -> None:
    case = add("S1")
    an, binh = browser("an"), browser("binh")
    an.get("/next")
    assert binh.answer(case, "none").status_code == 303
    conflict = an.answer(case, f"citizen:{HERS}")
    assert conflict.status_code == 409
    assert "binh" in conflict.text
    assert "không phải ai trong số này" in conflict.text
    assert state(store, case) == ("settled", "none", None, None)


def test_who_reads_second_is_not_told_what_the_first_said(store: Store, browser: Browsers, add: Add) -> None:
    case = add("S1", readings=2)
    an, binh = browser("an"), browser("binh")
    an.answer(case, "mixed_up", comment="nhầm hai chị em")
    conflict = binh.answer(case, "none")
    assert conflict.status_code == 409
    assert "nhầm hai chị em" not in conflict.text
    assert "hồ sơ lẫn hai người" not in conflict.text
    assert binh.answer(case, "none", version=2).status_code == 303
    assert state(store, case)[0] == "disputed"


def test_the_same_answer_twice_changes_nothing(store: Store, browser: Browsers, add: Add) -> None:
    case = add("S1")
    an = browser("an")
    assert [an.answer(case, "none").status_code for _ in range(2)] == [303, 303]
    with store.reading() as reader:
        assert reader.connection.execute(text("SELECT count(*) FROM answer")).scalar_one() == 1


def test_undo_opens_the_case_again(store: Store, browser: Browsers, add: Add) -> None:
    case = add("S1")
    an = browser("an")
    an.answer(case, "none")
    undone = an.post(f"/case/{case}/undo")
    assert (undone.status_code, undone.headers["location"]) == (303, f"/case/{case}")
    assert state(store, case)[0] == "open"
    shown = an.get(f"/case/{case}").text
    assert 'value="none"' in shown
    assert "/undo" not in shown
    assert "0 trên 40" in shown
    assert an.post(f"/case/{case}/undo").status_code == 400


def test_an_answered_case_shows_the_own_answer_and_decides_no_more(browser: Browsers, add: Add) -> None:
    case = add("S1")
    an = browser("an")
    an.answer(case, f"citizen:{HERS}", comment="chắc chắn")
    shown = an.get(f"/case/{case}").text
    assert "chắc chắn" in shown
    assert 'name="choice"' not in shown


def test_the_queue_counts_what_is_open_and_done(browser: Browsers, add: Add) -> None:
    cases = [add(f"S{number}") for number in range(3)]
    add("T1", commune="26734")
    an = browser("an")
    an.answer(cases[0], "none")
    queue = an.get("/").text
    assert "Phường Phúc Xá" in queue
    assert "<strong>2</strong>" in queue
    assert "<strong>1</strong>" in queue
    assert an.get("/next").text.count("1 trên 40") == 1


def test_when_nothing_is_left_it_says_so(browser: Browsers) -> None:
    assert "Đã hết hồ sơ" in browser("an").get("/next").text


def test_the_language_is_chosen_on_any_page(browser: Browsers, add: Add) -> None:
    add("S1")
    an = browser("an")
    assert "Không ai trong số này" in an.get("/next").text
    chosen = an.post("/language", language="en", back="/next")
    assert chosen.headers["location"] == "/next"
    assert "None of them" in an.get("/next").text
    assert an.post("/language", language="fr").status_code == 400


@pytest.mark.parametrize(
    "back", ["https://x.example/", "//x.example", "/\\x.example", "javascript:alert(1)", "/\r\nSet-Cookie: a=b"]
)
def test_choosing_a_language_leads_nowhere_else(browser: Browsers, back: str) -> None:
    assert browser("an").post("/language", language="en", back=back).headers["location"] == "/"
