"""Acceptance sampling: is a finished batch of decisions good enough, from as few second looks as can prove it?"""

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from scipy.stats import binomtest, hypergeom
from sqlalchemy import func, insert, literal, select

from linkage.errors import UserError
from linkage.review.accounts import unit_column
from linkage.review.cases import case_id
from linkage.review.quality import UNDECIDED
from linkage.store import Draft, Entry, Reader, Store, Writer
from linkage.store.schema import ANSWER, CASE_CONTENT, ENTRY, REVIEW_CASE

__all__ = ["Plan", "Verdict", "draw_sample", "plan", "sampled_units", "verdict"]

ACCEPTABLE, REJECTABLE, RISK = 0.01, 0.05, 0.05

Said = tuple[str, str | None]

DECIDED = ("citizen", "none")
"""Outcomes that move doses: what a batch is made of."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Read ``sample`` cases of the batch; accept it if at most ``most_errors`` of them were decided wrong."""

    sample: int
    most_errors: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the second looks say of a batch.

    Attributes:
        unit: place or facility of the batch.
        entry: of the ledger, the one that drew the sample.
        size: cases in the batch.
        plan: how many of them are read again, and how many errors it may have.
        read: read again so far.
        errors: of them, decided otherwise by the second reader.
        undecided: of them, those the second reader could not decide.
        decided: ``rejected`` as soon as the errors are too many; ``accepted`` when all are read and errors and
            undecided ones together are few enough; else ``open``.
        rate: errors among those decided, None without any; with its 95 % interval (Clopper and Pearson 1934).
    """

    unit: str
    entry: int
    size: int
    plan: Plan
    read: int
    errors: int
    undecided: int
    decided: Literal["accepted", "rejected", "open"]
    rate: float | None
    low: float
    high: float


def plan(
    size: int,
    acceptable: float = ACCEPTABLE,
    rejectable: float = REJECTABLE,
    producer: float = RISK,
    consumer: float = RISK,
) -> Plan:
    """The smallest sample that tells a good batch from a bad one.

    The probability that a batch of N cases with D errors is accepted is that of at most c errors in n draws without
    replacement, the hypergeometric law (the type A operating characteristic; Schilling and Neubauer 2009, Acceptance
    Sampling in Quality Control, 2nd edition, chapter 5). It falls in n and in D, so for c = 0, 1, … the least n that
    keeps the consumer's risk is found by halving, and the first c whose n keeps the producer's risk too is the plan
    (Guenther 1969, Journal of Quality Technology 1(2), 105-109). A batch that no smaller plan can judge is read whole.

    Args:
        size: cases in the batch, N.
        acceptable: share of errors up to which a batch is good.
        rejectable: share of errors from which on it is bad.
        producer: the most a good batch may risk to be rejected.
        consumer: the most a bad batch may have a chance to be accepted.

    Raises:
        ValueError: the shares are not 0 ≤ acceptable < rejectable ≤ 1, a risk is not between 0 and 1, or size < 1.
    """
    if not (0 <= acceptable < rejectable <= 1 and 0 < producer < 1 and 0 < consumer < 1 and size >= 1):
        raise ValueError("a plan needs cases, 0 ≤ acceptable < rejectable ≤ 1 and risks between 0 and 1")
    # a product such as 0.07 * 100 may end just above its whole number
    good, bad = math.floor(size * acceptable + 1e-9), math.ceil(size * rejectable - 1e-9)
    plans = (Plan(_least_sample(size, bad, most, consumer), most) for most in range(good + 1))
    return next(one for one in plans if hypergeom.sf(one.most_errors, size, good, one.sample) <= producer)


def _least_sample(size: int, bad: int, most: int, consumer: float) -> int:
    """The least sample with which a batch with ``bad`` errors shows at most ``most`` no oftener than ``consumer``."""
    low, high = most + 1, size
    while low < high:
        middle = (low + high) // 2
        if hypergeom.cdf(most, size, bad, middle) <= consumer:
            high = middle
        else:
            low = middle + 1
    return low


def draw_sample(
    store: Store, unit: str, actor: str, *, acceptable: float = ACCEPTABLE, rejectable: float = REJECTABLE
) -> Verdict:
    """Have a sample of what a unit has decided read again, by people who see neither that nor the first answer.

    The batch is every case of the queue of the unit that names a citizen or none and was settled since the sample
    before. The draw is seeded with the hash of the ledger, which nobody chooses. Each case drawn becomes a ``control``
    case: as it was shown, for any reader but its first.

    Args:
        store: gets the control cases and an entry of kind ``sample``.
        unit: code of a province, district or commune, or a facility.
        actor: who asks for it.
        acceptable: share of errors up to which the batch is good.
        rejectable: share of errors from which on it is bad.

    Returns:
        The verdict, still open.

    Raises:
        UserError: nothing was settled since the last sample.
    """
    with store.writing() as writer:
        head = writer.head()
        before = _last_sample(writer, unit)
        batch = _batch(writer, unit, before.number if before else 0)
        if not batch:
            raise UserError("review.sample_nothing", unit=unit)
        chosen = plan(len(batch), acceptable, rejectable)
        generator = np.random.default_rng(int(head.hash, 16))
        drawn = {
            batch[place]: case_id(batch[place], f"control {head.number + 1}")
            for place in sorted(generator.permutation(len(batch))[: chosen.sample].tolist())
        }
        evidence = {"unit": unit, "size": len(batch), **asdict(chosen), "cases": sorted(drawn.values())}
        evidence |= {"acceptable": acceptable, "rejectable": rejectable}
        writer.append(Draft("sample", actor, evidence=evidence))
        _add_controls(writer, drawn)
    return verdict(store, unit)


def verdict(store: Store, unit: str) -> Verdict:
    """What is known of the batch that was sampled last in a unit.

    Raises:
        UserError: none was.
    """
    with store.reading() as reader:
        entry = _last_sample(reader, unit)
        if entry is None:
            raise UserError("review.sample_none", unit=unit)
        evidence = json.loads(entry.evidence)
        pairs = _read_again(reader, entry.number, frozenset(evidence["cases"]))
    chosen = Plan(evidence["sample"], evidence["most_errors"])
    undecided = sum(again[0] in UNDECIDED for _, again in pairs)
    errors = sum(first != again for first, again in pairs if again[0] not in UNDECIDED)
    return _judged(unit, entry.number, evidence["size"], chosen, (len(pairs), errors, undecided))


def sampled_units(store: Store) -> list[str]:
    """The units of which a sample was ever drawn."""
    with store.reading() as reader:
        evidence = reader.connection.execute(select(ENTRY.c.evidence).where(ENTRY.c.kind == "sample")).scalars()
        return sorted({json.loads(each)["unit"] for each in evidence})


def _judged(unit: str, entry: int, size: int, chosen: Plan, counts: tuple[int, int, int]) -> Verdict:
    read, errors, undecided = counts
    decided: Literal["accepted", "rejected", "open"] = "open"
    if errors > chosen.most_errors:
        decided = "rejected"
    elif read == chosen.sample and errors + undecided <= chosen.most_errors:
        decided = "accepted"
    known = read - undecided
    if not known:
        return Verdict(unit, entry, size, chosen, read, 0, undecided, decided, None, 0.0, 1.0)
    limits = binomtest(errors, known).proportion_ci(method="exact")
    interval = (errors / known, float(limits.low), float(limits.high))
    return Verdict(unit, entry, size, chosen, read, errors, undecided, decided, *interval)


def _last_sample(reader: Reader, unit: str) -> Entry | None:
    query = select(ENTRY).where(ENTRY.c.kind == "sample").order_by(ENTRY.c.number.desc())
    entries = (Entry(*row) for row in reader.connection.execute(query))
    return next((entry for entry in entries if json.loads(entry.evidence)["unit"] == unit), None)


def _batch(reader: Reader, unit: str, after: int) -> list[str]:
    """The cases of a unit that were decided by entries after one."""
    try:
        column, value = unit_column(unit)
    except ValueError:
        raise UserError("review.bad_unit", unit=unit) from None
    query = (
        select(REVIEW_CASE.c.case_id)
        .where(REVIEW_CASE.c[column] == value, REVIEW_CASE.c.kind == "queue")
        .where(REVIEW_CASE.c.state == "settled", REVIEW_CASE.c.outcome.in_(DECIDED))
        .where(
            select(func.max(ANSWER.c.entry))
            .where(ANSWER.c.case_id == REVIEW_CASE.c.case_id, ANSWER.c.reading > 0)
            .scalar_subquery()
            > after
        )
        .order_by(REVIEW_CASE.c.case_id)
    )
    return list(reader.connection.execute(query).scalars())


def _add_controls(writer: Writer, drawn: Mapping[str, str]) -> None:
    """Copies of cases, by the case they copy, that nothing but their kind tells from the queue."""
    changed = {"kind": "control", "state": "open", "readings": 1, "version": 1} | dict.fromkeys(
        ("surprised", "reviewer", "holder", "held_until", "first_reader", "outcome", "citizen_id", "field")
    )
    for original, control in drawn.items():
        given = changed | {"case_id": control, "of_case": original}
        columns = [literal(given[c.name], c.type).label(c.name) if c.name in given else c for c in REVIEW_CASE.c]
        copied = select(*columns).where(REVIEW_CASE.c.case_id == original)
        writer.connection.execute(insert(REVIEW_CASE).from_select([c.name for c in REVIEW_CASE.c], copied))
        shown = select(literal(control), CASE_CONTENT.c.content).where(CASE_CONTENT.c.case_id == original)
        writer.connection.execute(insert(CASE_CONTENT).from_select(["case_id", "content"], shown))


def _read_again(reader: Reader, entry: int, cases: Collection[str]) -> list[tuple[Said, Said]]:
    """Of each control case that is settled: what was decided before its sample was drawn, and what its reader says."""
    controls = select(REVIEW_CASE.c.case_id, REVIEW_CASE.c.of_case, REVIEW_CASE.c.outcome, REVIEW_CASE.c.citizen_id)
    settled = controls.where(REVIEW_CASE.c.kind == "control", REVIEW_CASE.c.state == "settled")
    again = {row[1]: (row[2], row[3]) for row in reader.connection.execute(settled) if row[0] in cases}
    answers = (
        select(ANSWER.c.case_id, ANSWER.c.outcome, ANSWER.c.citizen_id)
        .where(ANSWER.c.case_id.in_(select(REVIEW_CASE.c.of_case).where(REVIEW_CASE.c.kind == "control")))
        .where(ANSWER.c.entry < entry, ANSWER.c.reading > 0)
        .order_by(ANSWER.c.entry)
    )
    before = {row[0]: (row[1], row[2]) for row in reader.connection.execute(answers)}
    return [(before[original], said) for original, said in sorted(again.items())]
