"""A whole queue read by simulated clerks, through the desk that people use."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import func, select

from evaluation.review.clerk import Clerk
from linkage.review.accounts import EVERYWHERE, Account, Role, set_account
from linkage.review.cases import Case
from linkage.review.desk import answer_many, cases_of
from linkage.store import Store
from linkage.store.schema import ANSWER, REVIEW_CASE

AT_ONCE = 500
"""Answers in one entry."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """A case of the queue and what became of it.

    Attributes:
        case_id: of the case.
        place: in the queue, 1 first.
        doses: that its answer settles.
        probability: that one of its candidates is the one.
        candidates: the probability of each.
        reads: answers that it took.
        outcome: of the final answer; None of a case still open.
        citizen_id: of outcome ``citizen``.
    """

    case_id: str
    place: int
    doses: tuple[str, ...]
    probability: float
    candidates: tuple[float, ...]
    reads: int
    outcome: str | None
    citizen_id: str | None

    def freed(self, truth: Mapping[str, str | None]) -> int:
        """Doses that it links to their citizen."""
        return sum(self.citizen_id is not None and truth[dose_id] == self.citizen_id for dose_id in self.doses)


def clear(store: Store, truth: Mapping[str, str | None], readers: Sequence[Clerk], judge: Clerk) -> list[Cleared]:
    """Have every open case read as often as it asks for, and every dispute settled.

    Args:
        store: holds the queue.
        truth: dose → its citizen, None where the registry has none; of every dose in a case.
        readers: each reads what is still open when those before are through; at least two.
        judge: settles what readers disagree on.

    Returns:
        The cases of the queue, hidden ones aside, by place.
    """
    shown: dict[str, Case] = {}
    for clerk in readers:
        shown |= _read(store, truth, clerk, "reviewer", "open")
    _read(store, truth, judge, "supervisor", "disputed")
    return list(_cleared(store, shown))


def _read(store: Store, truth: Mapping[str, str | None], clerk: Clerk, role: Role, state: str) -> dict[str, Case]:
    """Let a clerk answer all cases in a state; returns them."""
    account = Account(name=clerk.name, role=role, units=(EVERYWHERE,))
    set_account(store, account, actor="simulation")
    cases = {view.case_id: view.case for view in cases_of(store, state=state, account=account)}
    said = iter([(case_id, clerk.answer(case_id, case, truth)) for case_id, case in cases.items()])
    while batch := list(islice(said, AT_ONCE)):
        answer_many(store, account, batch, {"simulated": clerk.name})
    return cases


def _cleared(store: Store, shown: Mapping[str, Case]) -> Iterator[Cleared]:
    of = REVIEW_CASE.c
    reads = (
        select(func.count())
        .select_from(ANSWER)
        .where(ANSWER.c.case_id == of.case_id, ANSWER.c.reading > 0)
        .scalar_subquery()
    )
    query = (
        select(of.case_id, of.place, of.probability, reads, of.outcome, of.citizen_id)
        .where(of.kind == "queue", of.state != "withdrawn")
        .order_by(of.place, of.case_id)
    )
    with store.reading() as reader:
        rows = reader.connection.execute(query).all()
    for case_id, place, probability, *answered in rows:
        case = shown[case_id]
        candidates = tuple(one.probability for one in case.candidates)
        yield Cleared(case_id, place, case.dose_ids, probability, candidates, *answered)
