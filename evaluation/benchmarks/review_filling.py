"""A queue of a million cases, made of the queue of one run: every copy has its own cases, subjects, doses and units."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text

from linkage.review.accounts import Account, set_account
from linkage.review.queue import QueueSettings, queue_run
from linkage.store import Draft, Store, open_store
from linkage.store.schema import CASE_CONTENT, CASE_DOSE, REVIEW_CASE
from linkage.vietnamese.units import all_units

__all__ = ["PASSWORD", "Spread", "fill", "make_readers", "spread_of"]

PASSWORD = "clerical review"  # noqa: S105 - of accounts that live as long as the benchmark
MOVED = 40
"""So many times as many units as the run has: copies go in turn to this many sets of communes."""

STEP = 263
"""Communes between a set and the next, of some eleven thousand."""

EXPORTED = (100, 300)
"""Cases of the communes that are exported, nearly; and the largest."""

COMMUNE, DISTRICT = 5, 3
"""Digits of their codes."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Cases of the queue and how they lie over units, and the communes that are exported, each with its cases.

    Of the 10,600 communes of the nation one has about a hundred of a million cases.
    """

    cases: int
    units: int
    communes: tuple[tuple[str, int], ...]
    content_bytes: float


def fill(run: Path, cases: int, store: Store, folder: Path) -> None:
    """Put a queue of so many cases into an empty store: contents as ``queue_run`` makes them of a run.

    Copies stand in the order of worth with each other, as cases of one large run would.
    """
    source = folder / "source.db"
    for left in folder.glob("source.db*"):
        left.unlink()
    with open_store(f"sqlite:///{source}") as small:
        queue_run(small, run, QueueSettings(), "benchmark")
        with small.reading() as reader:
            queue = reader.last("queue")
            asked = reader.connection.execute(select(REVIEW_CASE).order_by(REVIEW_CASE.c.case_id)).mappings().all()
            contents: dict[str, str] = dict(map(tuple, reader.connection.execute(select(CASE_CONTENT))))
            doses: dict[str, list[str]] = {}
            for case_id, dose_id in reader.connection.execute(select(CASE_DOSE).order_by(CASE_DOSE.c.dose_id)):
                doses.setdefault(case_id, []).append(dose_id)
    assert queue is not None  # noqa: S101 - it was just written
    copies = -(-cases // len(asked))
    with store.writing() as writer:
        for copy in range(copies):
            some = asked[: cases - copy * len(asked)]
            moved = _Moved(copy % MOVED)
            ids = [f"{copy:03x}{row['case_id'][3:]}" for row in some]
            rows = [
                {**row, **moved.units(row), "case_id": case_id, "subject": f"{row['subject']}.{copy}"}
                | {"place": (row["place"] - 1) * copies + copy + 1}
                for row, case_id in zip(some, ids, strict=True)
            ]
            writer.insert(REVIEW_CASE, [tuple(row[column.name] for column in REVIEW_CASE.columns) for row in rows])
            writer.insert(CASE_CONTENT, [(new, contents[row["case_id"]]) for row, new in zip(some, ids, strict=True)])
            writer.insert(CASE_DOSE, list(_doses(some, ids, doses, copy)))
        evidence = json.loads(queue.evidence) | {"cases": cases, "added": cases}
        writer.append(Draft("queue", "benchmark", evidence=evidence, run=queue.run, model=queue.model))


def _doses(
    rows: Any,  # noqa: ANN401 - rows of a result
    ids: list[str],
    doses: Mapping[str, list[str]],
    copy: int,
) -> Iterator[tuple[str, str]]:
    for row, case_id in zip(rows, ids, strict=True):
        yield from ((case_id, f"{dose_id}.{copy}") for dose_id in doses.get(row["case_id"], ()))


class _Moved:
    """Other communes for those of the run, with their districts and provinces; other facilities."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._above = all_units().parent
        self._codes = {length: sorted(c for c in self._above if len(c) == length) for length in (COMMUNE, DISTRICT)}
        self._places = {code: place for codes in self._codes.values() for place, code in enumerate(codes)}

    def units(self, row: Mapping[Any, Any]) -> dict[str, str | None]:
        """The columns of ``review_case`` that say where a case belongs."""
        commune, district, province = self._other(row["commune"]), self._other(row["district"]), row["province"]
        if commune is not None:
            district = self._above[commune]
        if district is not None:
            province = self._above[district]
        facility = f"{row['facility']}.{self._number}" if row["facility"] else None
        unit = commune or district or province or (f"facility:{facility}" if facility else "")
        places = {"commune": commune, "district": district, "province": province}
        return {**places, "facility": facility, "unit": unit}

    def _other(self, code: str | None) -> str | None:
        if code is None:
            return None
        codes = self._codes[len(code)]
        return codes[(self._places[code] + self._number * STEP) % len(codes)]


def make_readers(store: Store, count: int) -> list[str]:
    """Accounts of reviewers: in turn one of everywhere, one of a province, one of twenty communes."""
    units = spread_communes(store)
    provinces = sorted({all_units().parent[all_units().parent[unit]] for unit in units})
    names = []
    for number in range(count):
        own = [
            ("*",),
            (provinces[number % len(provinces)],),
            tuple(units[(number * 20 + k) % len(units)] for k in range(20)),
        ]
        names.append(f"reader{number}")
        set_account(store, Account(names[-1], "reviewer", own[number % 3]), PASSWORD, actor="benchmark")
    return names


def spread_communes(store: Store) -> list[str]:
    """Every commune of the queue, those with most cases first."""
    of = REVIEW_CASE.c
    with store.reading() as reader:
        query = select(of.unit, func.count()).group_by(of.unit).order_by(func.count().desc(), of.unit)
        return [unit for unit, _ in reader.connection.execute(query) if len(unit) == COMMUNE and unit.isdigit()]


def spread_of(store: Store) -> Spread:
    """How the open cases lie over units."""
    of = REVIEW_CASE.c
    counted = select(of.unit, func.count()).where(of.state == "open").group_by(of.unit)
    size = text("SELECT avg(length(content)) FROM (SELECT content FROM case_content LIMIT 10000) AS sampled")
    with store.reading() as reader:
        units = sorted((cases, unit) for unit, cases in reader.connection.execute(counted))
        communes = [each for each in units if len(each[1]) == COMMUNE and each[1].isdigit()]
        exported = [min(communes, key=lambda each: abs(each[0] - wanted)) for wanted in EXPORTED]
        content = float(reader.connection.execute(size).scalar_one())
    told = tuple((unit, cases) for cases, unit in [*exported, communes[-1]])
    return Spread(sum(cases for cases, _ in units), len(units), told, content)
