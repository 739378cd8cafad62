"""What somebody at the desk gets, may say, and may take back."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from linkage.errors import UserError
from linkage.messages import LANGUAGES, say
from linkage.review.accounts import Account
from linkage.review.cases import Answer
from linkage.review.desk import (
    Applied,
    Changed,
    answer_case,
    answer_many,
    cases_of,
    disputes,
    next_case,
    open_case,
    progress,
    record_views,
    stage_many,
    throughput,
    undo,
)
from linkage.store import Store

AN, BINH, CHI = (Account(name, "reviewer", ("00001",)) for name in ("an", "binh", "chi"))
DUNG = Account("dung", "supervisor", ("*",))
FIRST, SECOND = "003184000123", "003184000124"
HERS, HER_SISTERS, NONE = Answer("citizen", FIRST), Answer("citizen", SECOND), Answer("none")
Ask = Callable[..., str]


def _state(store: Store, case: str) -> tuple[Any, ...]:
    """All of a case but its version and who holds it."""
    query = "SELECT state, first_reader, outcome, citizen_id, field FROM review_case WHERE case_id = '{}'"
    with store.reading() as reader:
        return tuple(reader.connection.exec_driver_sql(query.format(case)).one())


def _refused(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as refused:
        call()
    assert all(refused.value.in_language(language) for language in LANGUAGES)
    return refused.value.key


def test_the_first_by_place_comes_first_and_stays_until_it_is_answered(desk: Store, ask: Ask) -> None:
    ask(desk, "late", place=9)
    first = ask(desk, "early", place=2)
    view = next_case(desk, AN)
    assert view is not None
    assert (view.case_id, view.state, view.unit, view.model) == (first, "open", "00001", "m@1")
    assert (view.answers, view.mine, view.held_by, view.case.subject) == ((), None, None, "early")
    again = next_case(desk, AN)
    assert again is not None
    assert again.case_id == first
    other = next_case(desk, BINH)
    assert other is not None
    assert other.case.subject == "late"
    assert next_case(desk, CHI) is None


def test_a_case_that_is_left_lying_goes_to_somebody_else(desk: Store, ask: Ask, clock: Any) -> None:
    case = ask(desk)
    assert next_case(desk, AN) is not None
    assert next_case(desk, BINH) is None
    assert open_case(desk, BINH, case).held_by == "an"
    clock.pass_by(minutes=16)
    view = next_case(desk, BINH)
    assert view is not None
    assert (view.case_id, view.held_by) == (case, None)
    # whoever is slow may still say it first
    assert answer_case(desk, AN, case, view.version, NONE).state == "settled"
    with pytest.raises(Changed) as changed:
        answer_case(desk, BINH, case, view.version, HERS)
    assert [(given.reader, given.answer) for given in changed.value.given] == [("an", NONE)]
    assert (changed.value.view.state, changed.value.view.mine) == ("settled", None)


@pytest.mark.parametrize("place", [{"province": "02"}, {"commune": "00004"}, {"facility": "00001"}, {"commune": None}])
def test_nobody_gets_or_opens_what_is_not_of_their_units(place: dict[str, str | None], desk: Store, ask: Ask) -> None:
    elsewhere = {"province": None, "district": None, "commune": None, "facility": None} | place
    case = ask(desk, **elsewhere)
    assert next_case(desk, AN) is None
    assert _refused(lambda: open_case(desk, AN, case)) == "review.not_yours"
    assert _refused(lambda: answer_case(desk, AN, case, 1, NONE)) == "review.not_yours"
    assert _refused(lambda: undo(desk, AN, case)) == "review.not_yours"
    assert stage_many(desk, AN, [(case, NONE)]).refused == ((case, "review.refused.not_yours"),)
    assert next_case(desk, DUNG) is not None


@pytest.mark.parametrize("unit", ["01", "001", "00001", "facility:F01", "*"])
def test_units_of_every_kind_find_their_cases(unit: str, desk: Store, ask: Ask) -> None:
    units = ("99", "999", "99999", "facility:F99")
    ask(desk)
    assert next_case(desk, Account("an", "reviewer", units)) is None
    assert next_case(desk, Account("an", "reviewer", (*units, unit))) is not None


def test_many_units_are_looked_through(desk: Store, ask: Ask) -> None:
    case = ask(desk, commune="00307")
    ask(desk, "later", place=2, commune="00001")
    everywhere = Account("an", "reviewer", tuple(f"{commune:05d}" for commune in range(400)))
    view = next_case(desk, everywhere)
    assert view is not None
    assert view.case_id == case


def test_what_was_dealt_to_somebody_is_theirs_alone_but_for_the_second_reading(desk: Store, ask: Ask) -> None:
    case = ask(desk, reviewer="an", readings=2)
    assert next_case(desk, BINH) is None
    view = next_case(desk, AN)
    assert view is not None
    answer_case(desk, AN, case, view.version, NONE)
    assert next_case(desk, AN) is None
    assert next_case(desk, BINH) is not None


def test_who_no_longer_covers_what_was_dealt_to_them_does_not_get_it(desk: Store, ask: Ask) -> None:
    ask(desk, reviewer="an")
    assert next_case(desk, Account("an", "reviewer", ("00004",))) is None


def test_an_answer_settles_and_is_written_down(desk: Store, ask: Ask) -> None:
    case = ask(desk)
    view = next_case(desk, AN)
    assert view is not None
    settled = answer_case(desk, AN, case, view.version, Answer("citizen", FIRST, comment="quen mặt"), seconds=9.6)
    assert settled.state == "settled"
    assert _state(desk, case) == ("settled", "an", "citizen", FIRST, None)
    with desk.reading() as reader:
        viewed, answered = reader.entries()
        [row] = reader.connection.exec_driver_sql("SELECT * FROM answer").all()
    assert (viewed.kind, viewed.actor, json.loads(viewed.evidence)) == ("view", "an", {"case": case})
    assert (answered.number, answered.kind, answered.actor) == (settled.entry, "answer", "an")
    assert (answered.because, answered.run, answered.model) == ("quen mặt", "r" * 64, "m@1")
    assert json.loads(answered.evidence) == {"case": case, "candidates": [FIRST, SECOND]}
    assert tuple(row) == (settled.entry, case, "citizen", FIRST, None, "quen mặt", 1, 10)
    assert desk.verify() == []


def test_what_is_said_twice_is_written_once(desk: Store, ask: Ask) -> None:
    case = ask(desk)
    first = answer_case(desk, AN, case, 1, HERS)
    assert answer_case(desk, AN, case, 1, HERS) == first
    with pytest.raises(Changed) as changed:
        answer_case(desk, AN, case, 2, NONE)
    assert changed.value.view.mine is not None
    assert changed.value.view.mine.answer == HERS
    with desk.reading() as reader:
        assert reader.head().number == 1


def test_only_a_citizen_who_is_shown_can_be_chosen(desk: Store, ask: Ask) -> None:
    case = ask(desk)
    stranger = Answer("citizen", "003000000999")
    assert _refused(lambda: answer_case(desk, AN, case, 1, stranger)) == "review.not_candidate"
    assert _refused(lambda: answer_case(desk, AN, "no such case", 1, NONE)) == "review.no_case"
    assert answer_many(desk, AN, [(case, stranger)], {}).refused == ((case, "review.refused.not_candidate"),)


@pytest.mark.parametrize(
    ("second", "state"),
    [(HERS, "settled"), (HER_SISTERS, "disputed"), (NONE, "disputed"), (Answer("cannot_tell"), "disputed")],
)
def test_two_readers_do_not_see_each_other_and_settle_what_they_agree_on(
    second: Answer, state: str, desk: Store, ask: Ask
) -> None:
    case = ask(desk, readings=2)
    assert answer_case(desk, AN, case, 1, HERS).state == "open"
    assert next_case(desk, AN) is None
    view = next_case(desk, BINH)
    assert view is not None
    assert (view.answers, view.mine) == ((), None)
    assert open_case(desk, DUNG, case).answers == ()
    assert answer_case(desk, BINH, case, view.version, second).state == state
    assert _state(desk, case)[0] == state
    assert (next_case(desk, CHI), next_case(desk, DUNG)) == (None, None)
    assert desk.verify() == []


def test_a_field_to_ask_for_is_no_disagreement(desk: Store, ask: Ask) -> None:
    case = ask(desk, readings=2)
    answer_case(desk, AN, case, 1, Answer("send_back", field="phone"))
    assert answer_case(desk, BINH, case, 2, Answer("send_back", field="name")).state == "settled"
    assert _state(desk, case) == ("settled", "an", "send_back", None, "phone")


def test_who_saw_an_older_version_of_a_case_read_twice_is_told_nothing_of_the_other(desk: Store, ask: Ask) -> None:
    case = ask(desk, readings=2)
    answer_case(desk, AN, case, 1, HERS)
    with pytest.raises(Changed) as changed:
        answer_case(desk, BINH, case, 1, HERS)
    assert (changed.value.given, changed.value.view.answers, changed.value.view.version) == ((), (), 2)


def test_a_supervisor_who_did_not_read_it_settles_a_dispute(desk: Store, ask: Ask) -> None:
    case = ask(desk, readings=2)
    answer_case(desk, AN, case, 1, HERS)
    reader = Account("dung", "reviewer", ("*",))
    answer_case(desk, reader, case, 2, NONE)
    assert _refused(lambda: disputes(desk, BINH)) == "review.not_supervisor"
    # who read it, and rose since, cannot judge it
    assert disputes(desk, DUNG) == []
    with pytest.raises(Changed):
        answer_case(desk, DUNG, case, 3, HERS)
    with pytest.raises(Changed):
        answer_case(desk, BINH, case, 3, HERS)
    giang = Account("giang", "administrator", ("01",))
    assert disputes(desk, Account("giang", "administrator", ("02",))) == []
    [view] = disputes(desk, giang)
    assert [(given.reader, given.answer, given.reading) for given in view.answers] == [
        ("an", HERS, 1),
        ("dung", NONE, 2),
    ]
    assert answer_case(desk, giang, case, view.version, HER_SISTERS).state == "settled"
    assert _state(desk, case) == ("settled", "an", "citizen", SECOND, None)
    assert _refused(lambda: undo(desk, AN, case)) == "review.adjudicated"
    assert undo(desk, giang, case).state == "disputed"
    assert [given.reader for given in open_case(desk, giang, case).answers] == ["an", "dung"]
    assert desk.verify() == []


@pytest.mark.parametrize("said", [HERS, NONE, Answer("send_back", field="name"), Answer("mixed_up", comment="hai")])
@pytest.mark.parametrize("readings", [1, 2])
@pytest.mark.parametrize("before", [None, HERS])
def test_an_answer_that_is_taken_back_leaves_the_case_as_it_was(
    said: Answer, readings: int, before: Answer | None, desk: Store, ask: Ask
) -> None:
    case = ask(desk, readings=readings)
    if before and readings == 2:
        answer_case(desk, BINH, case, 1, before)
    state = _state(desk, case)
    entry = answer_case(desk, AN, case, open_case(desk, AN, case).version, said).entry
    view = undo(desk, AN, case)
    assert _state(desk, case) == state
    assert (view.state, view.mine, view.held_by) == (state[0], None, None)
    assert _refused(lambda: undo(desk, AN, case)) == "review.nothing_said"
    again = next_case(desk, AN)
    assert again is not None
    assert again.case_id == case
    with desk.reading() as reader:
        undone = reader.last("undo")
    assert undone is not None
    assert (undone.undoes, undone.actor) == (entry, "an")
    assert desk.verify() == []


def test_the_first_reader_may_think_again_after_the_second(desk: Store, ask: Ask) -> None:
    case = ask(desk, readings=2)
    answer_case(desk, AN, case, 1, NONE)
    answer_case(desk, BINH, case, 2, HERS)
    undo(desk, AN, case)
    assert _state(desk, case) == ("open", "binh", None, None, None)
    assert next_case(desk, BINH) is None
    assert answer_case(desk, AN, case, 4, HERS).state == "settled"
    assert desk.verify() == []


def test_a_control_is_never_read_by_who_is_controlled(desk: Store, ask: Ask) -> None:
    case = ask(desk)
    answer_case(desk, AN, case, 1, HERS)
    control = ask(desk, case_id="control", kind="control", of_case=case)
    assert next_case(desk, AN) is None
    assert _refused(lambda: open_case(desk, AN, control)) == "review.not_yours"
    assert stage_many(desk, AN, [(control, NONE)]).refused == ((control, "review.refused.not_yours"),)
    view = next_case(desk, BINH)
    assert view is not None
    assert view.case_id == control


def test_hidden_cases_look_like_any_other_and_are_not_counted(desk: Store, ask: Ask) -> None:
    ask(desk, "S1", place=1, kind="hidden", known_outcome="citizen", known_citizen=FIRST)
    ask(desk, "S2", place=2)
    hidden, queued = next_case(desk, AN), next_case(desk, BINH)
    assert hidden is not None
    assert queued is not None
    shown = ("unit", "state", "readings", "run", "model", "reviewer", "answers", "mine", "held_by", "version")
    assert [getattr(hidden, name) for name in shown] == [getattr(queued, name) for name in shown]
    [unit] = progress(desk)
    assert (unit.open, unit.held, unit.doses_open) == (1, 1, 2)


def test_many_answers_are_one_entry_and_twice_is_once(desk: Store, ask: Ask) -> None:
    cases = sorted(ask(desk, f"S{number}") for number in range(4))
    elsewhere = ask(desk, "other", commune="00004")
    double = ask(desk, "double", readings=2)
    answer_case(desk, BINH, cases[3], 1, NONE)
    rows = [(case, HERS) for case in cases] + [(elsewhere, NONE), ("unknown", NONE), (double, NONE), (double, NONE)]
    rows += [(cases[2], NONE)]
    staged = stage_many(desk, AN, rows)
    refused = {elsewhere: "not_yours", "unknown": "no_case", cases[3]: "settled", cases[2]: "twice"}
    applied = tuple(sorted([*cases[:2], double]))
    assert staged == Applied(
        None, applied, (), tuple(sorted((case, f"review.refused.{why}") for case, why in refused.items()))
    )
    with desk.reading() as reader:
        assert reader.head().number == 1
    done = answer_many(desk, AN, rows, {"file": "d" * 64})
    assert (done.entry, done.applied, done.refused) == (2, staged.applied, staged.refused)
    again = answer_many(desk, AN, rows, {"file": "d" * 64})
    assert (again.entry, again.applied, again.unchanged, again.refused) == (None, (), applied, staged.refused)
    changed = answer_many(desk, AN, [(cases[0], NONE)], {})
    assert changed.refused == ((cases[0], "review.refused.answered"),)
    assert all(say(why, language) for _, why in done.refused for language in LANGUAGES)
    with desk.reading() as reader:
        entry = reader.last("import")
    assert entry is not None
    assert (entry.number, entry.actor, entry.model) == (2, "an", "m@1")
    assert json.loads(entry.evidence) == {"file": "d" * 64, "candidates": {key: [FIRST, SECOND] for key in applied}}
    assert desk.verify() == []


def test_a_comment_of_each_row_is_kept(desk: Store, ask: Ask) -> None:
    case = ask(desk)
    answer_many(desk, AN, [(case, Answer("none", comment="=1+1"))], {})
    mine = open_case(desk, AN, case).mine
    assert mine is not None
    assert mine.answer == Answer("none", comment="=1+1")


@pytest.mark.parametrize("state", ["withdrawn", "settled"])
def test_what_is_no_longer_asked_is_not_given_and_not_answered(state: str, desk: Store, ask: Ask) -> None:
    case = ask(desk, state=state)
    assert next_case(desk, AN) is None
    with pytest.raises(Changed):
        answer_case(desk, AN, case, 1, NONE)
    assert stage_many(desk, AN, [(case, NONE)]).refused == ((case, f"review.refused.{state}"),)


def test_cases_leave_the_house_by_place_without_answers_of_readers(desk: Store, ask: Ask) -> None:
    cases = [ask(desk, f"S{number}", place=9 - number, unit="u" if number else "v") for number in range(4)]
    ask(desk, "dealt", place=20, reviewer="an")
    assert [view.case_id for view in cases_of(desk, unit="u")] == [cases[3], cases[2], cases[1]]
    assert [view.case.subject for view in cases_of(desk, reviewer="an")] == ["dealt"]
    answer_case(desk, AN, cases[1], 1, NONE)
    [settled] = cases_of(desk, state="settled")
    assert [given.answer for given in settled.answers] == [NONE]
    double = ask(desk, "double", unit="w", readings=2)
    answer_case(desk, AN, double, 1, NONE)
    [half] = cases_of(desk, unit="w")
    assert half.answers == ()
    assert list(cases_of(desk, unit="w", account=AN)) == []
    assert len(list(cases_of(desk, unit="w", account=BINH))) == 1
    assert list(cases_of(desk, account=Account("x", "reviewer", ("77",)))) == []


def test_progress_and_throughput_count_what_happened(desk: Store, ask: Ask, clock: Any) -> None:
    cases = [ask(desk, f"S{number}", waiting_since=f"2021-0{number + 1}-01", doses=number) for number in range(4)]
    ask(desk, "gone", state="withdrawn")
    ask(desk, "far", unit="u", reviewer="an", commune="00004", waiting_since=None)
    answer_case(desk, AN, cases[0], 1, NONE, seconds=20)
    clock.pass_by(days=1)
    answer_case(desk, AN, cases[1], 1, NONE)
    answer_case(desk, BINH, cases[2], 1, NONE, seconds=4)
    undo(desk, BINH, cases[2])
    near, far = progress(desk)
    assert (near.unit, near.reviewer, near.open, near.held) == ("00001", None, 2, 1)
    assert (near.settled, near.withdrawn, near.disputed, near.doses_open, near.oldest) == (2, 1, 0, 5, "2021-03-01")
    assert (far.unit, far.reviewer, far.open, far.oldest) == ("u", "an", 1, None)
    done = [(each.day, each.reader, each.answers, each.seconds, each.timed) for each in throughput(desk, 2)]
    assert done == [("2026-01-05", "an", 1, 20, 1), ("2026-01-06", "an", 1, 0, 0), ("2026-01-06", "binh", 0, 4, 1)]
    assert [each.day for each in throughput(desk, 1)] == ["2026-01-06", "2026-01-06"]


def test_what_leaves_by_another_way_is_written_down_too(desk: Store) -> None:
    number = record_views(desk, "an", ["a", "b"], {"file": "x.xlsx"})
    with desk.reading() as reader:
        entry = reader.last("view")
    assert entry is not None
    assert (entry.number, json.loads(entry.evidence)) == (number, {"cases": ["a", "b"], "file": "x.xlsx"})
