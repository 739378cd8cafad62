"""A small ledger with every kind of row."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from linkage.store import Bond, Draft, Store, native_id, open_store

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def small_ledger() -> Callable[[str], Store]:
    """``small_ledger(url)``: four subjects; a and b one person by hand, c taken out of a bond and b back into one."""
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
        writer.append(Draft("merge", "clerk", "họ là một người", {"a": a, "b": b}), changes=moved, bond=together)
    with store.writing() as writer:
        back = [("c", c, c, a, c, "003000000001", None)]
        apart = Bond(3, "apart", frozenset("c"), frozenset("ab"))
        out = [(2, "c", "right", False)]
        writer.append(Draft("unmerge", "clerk", "no", undoes=2), changes=back, bond=apart, members=out)
    with store.writing() as writer:
        writer.append(Draft("build", "machine"))
    return store
