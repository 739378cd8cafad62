"""A small ledger with every kind of row."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from linkage.store import Bond, Draft, Said, Store, Writer, native_id, open_store
from linkage.store.schema import REVIEW_CASE

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def small_ledger() -> Callable[[str], Store]:
    """``small_ledger(url)``: four subjects; a and b one person by hand, c taken out of a bond and b back into one.

    The merge also answers two cases: one needs no more, the other a second reader.
    """
    return _small_ledger


def _small_ledger(url: str) -> Store:
    ticks = count()
    store = open_store(url, clock=lambda: NOON + timedelta(seconds=next(ticks)))
    a, b, c = (native_id(subject) for subject in "abc")
    with store.writing() as writer:
        changes = [(subject, None, native_id(subject), None, native_id(subject), None, None) for subject in "abcd"]
        minted = sorted((native_id(subject), subject) for subject in "abcd")
        writer.append(Draft("build", "machine", run="1" * 64, model="m@1"), changes=changes, minted=minted)
    together = Bond(2, "together", frozenset("a"), frozenset("bc"))
    with store.writing() as writer:
        moved = [("b", b, b, b, a, None, None), ("c", c, c, c, a, None, "003000000001")]
        _ask(writer, "case 1", 1)
        _ask(writer, "case 2", 2)
        said = [
            Said("case 1", "citizen", "003000000001", None, "", 1, 7),
            Said("case 2", "none", None, None, "?", 1, None),
        ]
        merge = Draft("merge", "clerk", "họ là một người", {"a": a, "b": b})
        writer.append(merge, changes=moved, bond=together, answers=said)
    with store.writing() as writer:
        back = [("c", c, c, a, c, "003000000001", None)]
        apart = Bond(3, "apart", frozenset("c"), frozenset("ab"))
        out = [(2, "c", "right", False)]
        writer.append(Draft("unmerge", "clerk", "no", undoes=2), changes=back, bond=apart, members=out)
    with store.writing() as writer:
        writer.append(Draft("build", "machine"))
    return store


def _ask(writer: Writer, case_id: str, readings: int) -> None:
    text = dict.fromkeys(("run", "model", "subject", "unit", "queued_at"), "x") | {"kind": "queue", "state": "open"}
    numbers = dict.fromkeys(("place", "worth", "doses", "probability", "version"), 1)
    row = {"case_id": case_id, "readings": readings, **text, **numbers}
    writer.connection.execute(REVIEW_CASE.insert().values(row))
