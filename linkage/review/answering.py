"""What an answer may do to a case, one at a time or a spreadsheet full."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import text, update

from linkage.review.accounts import Account
from linkage.review.cases import Answer
from linkage.review.views import Applied, Loaded, load
from linkage.store import Draft, Reader, Said, Store, Writer
from linkage.store.schema import REVIEW_CASE

__all__ = ["answer_many", "ask_another", "evidence_of", "may_read", "stage_many", "surprising", "weigh"]

_LOADED = 500
"""Cases that are in memory at a time."""

ADJUDICATION = 3


def weigh(loaded: Loaded, account: Account, answer: Answer) -> int | str:
    """What an answer would do: the reading it becomes; 0 if the account has said so already; or why it cannot be.

    Returns:
        1 or 2, or 3 of a supervisor who settles a dispute between others; 0; or ``answered`` (the account has said
        otherwise), ``withdrawn``, ``settled``, ``disputed``, ``not_candidate``.
    """
    mine, state = loaded.said_by(account.name), loaded.row.state
    if mine:
        same = (mine.answer.said, mine.answer.field) == (answer.said, answer.field)
        return 0 if same else "answered"
    if state in ("withdrawn", "settled") or (state == "disputed" and not account.supervises):
        return str(state)
    if answer.citizen_id is not None and answer.citizen_id not in {one.citizen_id for one in loaded.case.candidates}:
        return "not_candidate"
    return ADJUDICATION if state == "disputed" else min({1, 2} - {given.reading for given in loaded.given})


def may_read(reader: Reader, account: Account, loaded: Loaded) -> bool:
    """Whether a case is of the account's units, and does not control what the account itself said."""
    of_case = loaded.row.of_case
    if of_case is None or not loaded.belongs_to(account):
        return loaded.belongs_to(account)
    controlled = {"case": of_case, "me": account.name}
    return not reader.connection.execute(text(_READ), controlled).scalar_one()


_READ = """
SELECT EXISTS (SELECT 1 FROM answer AS a JOIN entry AS e ON e.number = a.entry
  WHERE a.case_id = :case AND e.actor = :me)
"""


def ask_another(writer: Writer, case_ids: Iterable[str]) -> None:
    """Have these cases read by two: what was said of them surprises."""
    ids = sorted(case_ids)
    for first in range(0, len(ids), _LOADED):
        these = REVIEW_CASE.c.case_id.in_(ids[first : first + _LOADED])
        writer.connection.execute(update(REVIEW_CASE).where(these).values(readings=2, surprised=1))


def surprising(loaded: Loaded, answer: Answer, reading: int) -> bool:
    """Whether a first answer to a case of the queue that one person reads asks for a second."""
    alone = loaded.row.kind == "queue" and loaded.row.readings == 1 and reading == 1
    return alone and loaded.case.surprised_by(answer)


def evidence_of(loaded: Loaded) -> dict[str, Any]:
    """What an answer rests on: the case and the candidates shown."""
    return {"case": loaded.row.case_id, "candidates": _shown(loaded)}


def _shown(loaded: Loaded) -> list[str]:
    return [candidate.citizen_id for candidate in loaded.case.candidates]


def answer_many(
    store: Store, account: Account, rows: Sequence[tuple[str, Answer]], evidence: Mapping[str, Any]
) -> Applied:
    """Write many answers of one account, as one entry and one transaction; what was said already changes nothing.

    A case that is named twice with different answers is refused, both of them.

    Args:
        store: the operational database.
        account: who says it.
        rows: case and answer.
        evidence: what they rest on, such as the digest of a file; the candidates shown are added.

    Raises:
        UserError: the store cannot be written.
    """
    with store.writing() as writer:
        work = _Work(writer, account, rows)
        if not work.said:
            return work.result(None)
        [model, *others] = sorted(work.models)
        ask_another(writer, work.surprising)
        draft = Draft(
            "import",
            account.name,
            evidence={**evidence, "candidates": work.candidates},
            model=None if others else model,
        )
        return work.result(writer.append(draft, answers=sorted(work.said)))


def stage_many(store: Store, account: Account, rows: Sequence[tuple[str, Answer]]) -> Applied:
    """What :func:`answer_many` would do, without doing it."""
    with store.reading() as reader:
        return _Work(reader, account, rows).result(None)


class _Work:
    """Answers weighed against the cases as they are."""

    def __init__(self, reader: Reader, account: Account, rows: Sequence[tuple[str, Answer]]) -> None:
        self._reader = reader
        self.said: list[Said] = []
        self.candidates: dict[str, list[str]] = {}
        self.models: set[str] = set()
        self.surprising: set[str] = set()
        self._unchanged: list[str] = []
        self._refused: list[tuple[str, str]] = []
        wanted = self._once(rows)
        ids = sorted(wanted)
        for first in range(0, len(ids), _LOADED):
            some = ids[first : first + _LOADED]
            found = load(reader, some)
            for case_id in some:
                self._weigh(found.get(case_id), account, case_id, wanted[case_id])

    def _once(self, rows: Iterable[tuple[str, Answer]]) -> dict[str, Answer]:
        wanted: dict[str, Answer] = {}
        twice = set()
        for case_id, answer in rows:
            if wanted.setdefault(case_id, answer) != answer:
                twice.add(case_id)
        for case_id in sorted(twice):
            del wanted[case_id]
            self._refuse(case_id, "twice")
        return wanted

    def _weigh(self, loaded: Loaded | None, account: Account, case_id: str, answer: Answer) -> None:
        if loaded is None:
            self._refuse(case_id, "no_case")
            return
        if not may_read(self._reader, account, loaded):
            self._refuse(case_id, "not_yours")
            return
        reading = weigh(loaded, account, answer)
        if isinstance(reading, str):
            self._refuse(case_id, reading)
        elif reading == 0:
            self._unchanged.append(case_id)
        else:
            self.said.append(
                Said(case_id, answer.outcome, answer.citizen_id, answer.field, answer.comment, reading, None)
            )
            self.candidates[case_id] = _shown(loaded)
            self.models.add(loaded.row.model)
            if surprising(loaded, answer, reading):
                self.surprising.add(case_id)

    def _refuse(self, case_id: str, reason: str) -> None:
        self._refused.append((case_id, f"review.refused.{reason}"))

    def result(self, entry: int | None) -> Applied:
        applied = tuple(sorted(said.case_id for said in self.said))
        return Applied(entry, applied, tuple(self._unchanged), tuple(sorted(self._refused)))
