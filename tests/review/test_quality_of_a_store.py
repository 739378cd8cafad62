"""Agreement, accuracy and acceptance sampling of what stands in a store."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import pytest

from linkage.errors import UserError
from linkage.review.cases import Case
from linkage.review.quality import accuracy, agreement
from linkage.review.sampling import draw_sample, plan, verdict
from linkage.store import Draft, Said, Store, open_store
from linkage.store.schema import CASE_CONTENT, REVIEW_CASE

HERS, SISTER = "003184000123", "003184000124"
COMMUNE = "00001"
ROW: dict[str, Any] = dict.fromkeys(column.name for column in REVIEW_CASE.columns) | {
    "kind": "queue",
    "run": "r",
    "model": "m@0",
    "unit": COMMUNE,
    "province": "01",
    "district": "001",
    "commune": COMMUNE,
    "facility": "F01",
    "place": 1,
    "worth": 1.0,
    "doses": 2,
    "probability": 0.93,
    "waiting_since": "2021-09-01",
    "queued_at": "2022-05-01T00:00:00+00:00",
    "readings": 1,
    "state": "open",
    "version": 1,
}

Say = Callable[..., None]
Queue = Callable[..., None]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as opened:
        yield opened


@pytest.fixture
def queue(store: Store, example: Callable[..., Case]) -> Queue:
    """``queue("c1", readings=2)``: cases that differ from ``ROW`` as said."""

    def add(*names: str, **changed: Any) -> None:
        with store.writing() as writer:
            for name in names:
                row: Mapping[str, Any] = ROW | {"case_id": name, "subject": name} | changed
                writer.insert(REVIEW_CASE, [tuple(row[column.name] for column in REVIEW_CASE.columns)])
                writer.insert(CASE_CONTENT, [(name, json.dumps(asdict(example(name))))])

    return add


@pytest.fixture
def say(store: Store) -> Say:
    """``say("an", 1, c1="none", c2=HERS)``: one entry; a citizen_id means that citizen."""

    def write(actor: str, reading: int, **said: str) -> None:
        answers = [
            Said(case, "citizen" if what.isdigit() else what, what if what.isdigit() else None, None, "", reading, 9)
            for case, what in sorted(said.items())
        ]
        with store.writing() as writer:
            writer.append(Draft("answer", actor), answers=answers)

    return write


def test_two_readings_of_the_queue_are_compared(store: Store, queue: Queue, say: Say) -> None:
    queue("c1", "c2", "c3", "c4", readings=2)
    queue("c5")
    queue("h1", kind="hidden", readings=2, known_outcome="none")
    say("an", 1, c1=HERS, c2=HERS, c3="none", c4=HERS, c5=HERS, h1="none")
    say("ba", 2, c1=HERS, c2=SISTER, c3="none", h1=HERS)
    say("judge", 3, c2=HERS)
    found = agreement(store)
    assert (found.overall.pairs, found.overall.agreed) == (3, 2)
    assert found.by_reader.keys() == {"an", "ba"}
    # margins: first 2, second 0, none 1 against 1, 1, 1
    assert found.overall.value == pytest.approx((2 / 3 - 3 / 9) / (1 - 3 / 9))


def test_what_was_taken_back_is_not_compared(store: Store, queue: Queue, say: Say) -> None:
    queue("c1", "c2", readings=2)
    say("an", 1, c1=HERS, c2="none")
    say("ba", 2, c1=SISTER)
    say("ba", 0, c1=SISTER)
    say("ba", 2, c2="none")
    assert (agreement(store).overall.pairs, agreement(store).overall.agreed) == (1, 1)
    say("ba", 2, c1=HERS)
    assert (agreement(store).overall.pairs, agreement(store).overall.agreed) == (2, 2)


def test_a_store_without_answers_has_nothing_to_tell(store: Store, queue: Queue) -> None:
    queue("c1", readings=2)
    assert agreement(store).overall.value is None
    assert accuracy(store) == {}


def test_accuracy_is_of_hidden_cases_alone(store: Store, queue: Queue, say: Say) -> None:
    queue("c1")
    queue("h1", "h2", kind="hidden", known_outcome="citizen", known_citizen=HERS)
    queue("h3", kind="hidden", known_outcome="none")
    say("an", 1, c1=SISTER, h1=HERS, h2=SISTER)
    say("ba", 1, h3="cannot_tell")
    found = accuracy(store)
    assert (found["an"].right, found["an"].wrong, found["an"].undecided) == (1, 1, 0)
    assert (found["ba"].right, found["ba"].wrong, found["ba"].undecided) == (0, 0, 1)


def finish(queue: Queue, say: Say, cases: int, first: int = 0) -> list[str]:
    names = [f"c{number:03}" for number in range(first, first + cases)]
    queue(*names)
    say("an", 1, **dict.fromkeys(names, HERS))
    return names


def controls(store: Store) -> dict[str, str]:
    """Control case → the case it copies."""
    with store.reading() as reader:
        rows = reader.connection.execute(REVIEW_CASE.select().where(REVIEW_CASE.c.kind == "control")).mappings()
        return {row["case_id"]: row["of_case"] for row in rows}


def test_a_sample_looks_like_any_other_case(store: Store, queue: Queue, say: Say) -> None:
    names = finish(queue, say, 40)
    queue("other", commune="00002", unit="00002")
    queue("told", "open")
    say("an", 1, other=HERS, told="cannot_tell")
    found = draw_sample(store, COMMUNE, "boss")
    assert (found.size, found.decided, found.read) == (40, "open", 0)
    drawn = controls(store)
    assert len(drawn) == found.plan.sample
    assert set(drawn.values()) <= set(names)
    with store.reading() as reader:
        rows = {row["case_id"]: row for row in reader.connection.execute(REVIEW_CASE.select()).mappings()}
        contents = dict(tuple(row) for row in reader.connection.execute(CASE_CONTENT.select()))
        shown = {name for name, value in rows["open"].items() if value is not None}
    for control, original in drawn.items():
        row = rows[control]
        assert (row["state"], row["outcome"], row["first_reader"], row["subject"]) == ("open", None, None, original)
        assert {name for name, value in row.items() if value is not None} == shown | {"of_case"}
        assert contents[control] == contents[original]
    assert store.verify() == []


@pytest.mark.parametrize(
    ("others", "decided"),
    [([], "accepted"), ([SISTER], "rejected"), (["cannot_tell"], "open"), (["none", "cannot_tell"], "rejected")],
)
def test_the_verdict_follows_the_plan(store: Store, queue: Queue, say: Say, others: list[str], decided: str) -> None:
    finish(queue, say, 30)
    size = draw_sample(store, "01", "boss").plan.sample
    assert size == plan(30).sample
    said = others + [HERS] * (size - len(others))
    say("ba", 1, **dict(zip(sorted(controls(store)), said, strict=True)))
    found = verdict(store, "01")
    unsure = others.count("cannot_tell")
    wrong = len(others) - unsure
    assert (found.read, found.errors, found.undecided, found.decided) == (size, wrong, unsure, decided)
    assert found.rate == pytest.approx(wrong / (size - unsure))
    assert 0 <= found.low <= wrong / (size - unsure) <= found.high


def test_it_is_open_until_all_is_read_unless_errors_are_too_many_already(store: Store, queue: Queue, say: Say) -> None:
    finish(queue, say, 30)
    draw_sample(store, COMMUNE, "boss")
    first, second, *_ = sorted(controls(store))
    say("ba", 1, **{first: HERS})
    assert verdict(store, COMMUNE).decided == "open"
    say("ba", 1, **{second: "none"})
    assert verdict(store, COMMUNE).decided == "rejected"


def test_an_error_mended_after_the_draw_was_one(store: Store, queue: Queue, say: Say) -> None:
    finish(queue, say, 30)
    draw_sample(store, COMMUNE, "boss")
    [control, *_] = sorted(controls(store))
    say("ba", 1, **{control: SISTER})
    say("an", 1, **{controls(store)[control]: SISTER})
    assert verdict(store, COMMUNE).errors == 1


def test_the_next_batch_begins_where_the_last_ended(store: Store, queue: Queue, say: Say) -> None:
    finish(queue, say, 30)
    draw_sample(store, COMMUNE, "boss")
    with pytest.raises(UserError) as nothing:
        draw_sample(store, COMMUNE, "boss")
    assert nothing.value.key == "review.sample_nothing"
    later = finish(queue, say, 5, first=30)
    before = controls(store).keys()
    assert draw_sample(store, COMMUNE, "boss").size == 5
    assert {original for control, original in controls(store).items() if control not in before} <= set(later)


def test_what_is_no_unit_or_was_not_sampled_is_said(store: Store) -> None:
    with pytest.raises(UserError) as said:
        verdict(store, COMMUNE)
    assert said.value.key == "review.sample_none"
    with pytest.raises(UserError) as said:
        draw_sample(store, "hà nội", "boss")
    assert said.value.key == "review.bad_unit"
