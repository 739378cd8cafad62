"""Cases to look at, without a run or a store."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from linkage.review.cases import Candidate, Case, Dose, Relative, case_id
from linkage.store import Store, open_store
from linkage.store.schema import CASE_CONTENT, CASE_DOSE, REVIEW_CASE

REGISTRY: dict[str, str | None] = {
    "full_name": "Nguyễn Thị Hoà",
    "previous_ids": "012345678",
    "date_of_birth": "1984-05-12",
    "sex": "F",
    "province": "01",
    "district": "001",
    "commune": "00001",
    "address": "12 Phố Huế",
    "phone": "0912345678",
    "health_insurance_no": None,
    "deceased_on": None,
}
RECORD: dict[str, str | None] = {
    "full_name": "NGUYEN THI HOA",
    "date_of_birth": "05/12/1984",
    "sex": "Nữ",
    "national_id": "3184000123",
    "health_insurance_no": None,
    "phone": "+84912345678",
    "province": "Hà Nội",
    "district": "Ba Đình",
    "commune": "Phúc Xá",
    "address": "12 pho hue",
    "nationality": None,
}
DECISION: dict[str, Any] = {
    "outcome": "in_review",
    "probability": 0.93,
    "margin": 5.1,
    "rule": "name and birth date",
    "caution": None,
    "stratum": "no_number",
    "accept": 0.9995,
    "lowest_accept": 0.9995,
    "review": 0.02,
}


def candidate(citizen_id: str, probability: float, **registry: str | None) -> Candidate:
    """A citizen; only what differs from ``REGISTRY`` is named."""
    levels = {"name": "identical", "birth_date": "swapped", "sex": "same", "id": "missing", "phone": "same"}
    bits = {"name": 9.5, "birth_date": 8.1, "sex": 0.9, "id": 0.0, "phone": 6.2}
    return Candidate(citizen_id, probability, 12.0 * probability, {**REGISTRY, **registry}, levels, bits)


@pytest.fixture
def example() -> Callable[..., Case]:
    """``example("S1", record={"full_name": "=1+1"})``: two doses, two candidates: hers and her sister's."""

    def make(subject: str = "S1", *, record: dict[str, str | None] | None = None, **changed: Any) -> Case:
        parts: dict[str, Any] = {
            "doses": (
                Dose(f"{subject}-1", True, "review", injected_on="2021-09-01", vaccine="AZ", facility_id="F01"),
                Dose(f"{subject}-2", True, "review", injected_on="2021-11-20", vaccine="AZ", facility_id="F01"),
                Dose(f"{subject}-3", False, "accept", "003184000123", "2022-02-01", "Pfizer"),
            ),
            "candidates": (
                candidate("003184000123", 0.93),
                candidate("003184000124", 0.05, full_name="Nguyễn Thị Hoa", previous_ids=None),
            ),
            "decision": DECISION,
            "variants": {"full_name": ("Nguyễn T. Hòa",)},
            "household": (Relative("phone", "Trần Văn Nam", "1980-01-01", "M", "003080000321"),),
        }
        return Case(subject=subject, record={**RECORD, **(record or {})}, **(parts | changed))

    return make


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **time: float) -> None:
        """As much time as ``timedelta`` makes of it goes by."""
        self.now += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    """``clock.pass_by(minutes=15)``: the time of ``desk``."""
    return Clock()


@pytest.fixture
def desk(store_url: str, clock: Clock) -> Iterator[Store]:
    """An empty store, once on SQLite and once on PostgreSQL, whose time is that of ``clock``."""
    with open_store(store_url, clock=clock) as store:
        yield store


@pytest.fixture
def ask(example: Callable[..., Case]) -> Callable[..., str]:
    """``ask(store, "S1", readings=2, commune="00004")``: a case as the queue writes it; its id."""

    def put(store: Store, subject: str = "S1", **row: Any) -> str:
        case = row.pop("case", None) or example(subject)
        number = case_id(subject, "")
        place = {"province": "01", "district": "001", "commune": "00001", "facility": "F01"}
        said = {"kind": "queue", "run": "r" * 64, "model": "m@1", "queued_at": "2026-01-01", "state": "open"}
        counts = {"place": 1, "worth": 1.0, "doses": 2, "probability": 0.9, "readings": 1, "version": 1}
        row = {"case_id": number, "subject": subject, **place, **said, **counts, "waiting_since": "2021-09-01"} | row
        row.setdefault("unit", row["commune"] or "")
        with store.writing() as writer:
            writer.connection.execute(REVIEW_CASE.insert().values(row))
            content = {"case_id": row["case_id"], "content": json.dumps(asdict(case))}
            writer.connection.execute(CASE_CONTENT.insert().values(content))
            doses = [{"case_id": row["case_id"], "dose_id": dose} for dose in case.dose_ids]
            writer.connection.execute(CASE_DOSE.insert(), doses)
        return str(row["case_id"])

    return put
