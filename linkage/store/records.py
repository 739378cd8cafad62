"""What the store holds, as plain records, and the bytes that stand for them in a digest."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

Kind = Literal["together", "apart"]

FIRST = "0" * 64
"""What stands for the hash of the entry before the first."""


def native_id(subject: str) -> str:
    """The person id that a subject founds: ``P`` and the first 80 bits of the SHA-256 of its key, in base32."""
    digest = hashlib.sha256(subject.encode()).digest()
    return "P" + base64.b32encode(digest[:10]).decode().lower()


class Change(NamedTuple):
    """One subject that an entry moves: where it was, null where it was nowhere, and where it is."""

    subject: str
    base_before: str | None
    base_after: str
    person_before: str | None
    person_after: str
    citizen_before: str | None
    citizen_after: str | None


class Said(NamedTuple):
    """What an entry says of one case: ``reading`` 0 takes back what its actor had said, which is repeated."""

    case_id: str
    outcome: str
    citizen_id: str | None
    field: str | None
    comment: str
    reading: int
    seconds: int | None


class Place(NamedTuple):
    """Where a subject stands now: its base, its person, the citizen its base is tied to, the entry that brought it."""

    subject: str
    base: str
    person_id: str
    citizen_id: str | None
    first_entry: int


@dataclass(frozen=True, slots=True)
class Draft:
    """What an entry says of itself, before it has a number.

    Args:
        kind: ``build``, ``merge``, ``unmerge``, …
        actor: who did it.
        because: why, in the words of who did it; empty for a machine.
        evidence: what it rests on; anything JSON can hold.
        run: digest of the run it comes from.
        model: ``name@digest`` of the model.
        undoes: number of the entry it takes back.
    """

    kind: str
    actor: str
    because: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    run: str | None = None
    model: str | None = None
    undoes: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger. ``at`` is UTC, ISO 8601; ``evidence`` canonical JSON; the last three SHA-256, in hex."""

    number: int
    at: str
    actor: str
    kind: str
    because: str
    evidence: str
    run: str | None
    model: str | None
    undoes: int | None
    rows: str
    previous: str
    hash: str

    def sealed(self) -> str:
        """The hash this entry must have: over every other column, the hash of the entry before among them."""
        columns = [getattr(self, name) for name in self.__slots__ if name != "hash"]
        return hashlib.sha256(canonical(columns, default=repr).encode()).hexdigest()


class Head(NamedTuple):
    """The last entry: its number (0: the ledger is empty) and its hash."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class Bond:
    """A standing decision of a human about two sides, as far as it still holds.

    Args:
        entry: the entry that made it, which is its name.
        kind: ``together``: they are one person; ``apart``: those on the left are none of those on the right.
        left: subjects; of ``apart`` those that left.
        right: subjects; of ``apart`` those that stayed.
        citizen: the citizen the human named for the person, if one was named.
        away: subjects that no longer count; of ``apart`` always some of the left.
    """

    entry: int
    kind: Kind
    left: frozenset[str]
    right: frozenset[str]
    citizen: str | None = None
    away: frozenset[str] = frozenset()

    @property
    def subjects(self) -> frozenset[str]:
        """The subjects of both sides."""
        return self.left | self.right

    @property
    def is_live(self) -> bool:
        """Whether somebody is left on both sides."""
        return bool(self.left and self.right)


class Standing(NamedTuple):
    """What became of an id: its founder, the base and the person that hold the founder now."""

    asked: str
    minted: int
    founder: str
    base: str
    person_id: str


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of a person's history.

    Args:
        entry: the line of the ledger.
        changes: the changes of that person in it, by subject.
        bond: the bond it made, as it was made.
        lifted: the bonds, by their entries, that it ended or made smaller.
    """

    entry: Entry
    changes: tuple[Change, ...]
    bond: Bond | None
    lifted: tuple[int, ...]


def stamp(time: datetime) -> str:
    """A time as the store writes it: UTC, ISO 8601, seconds; later times sort later."""
    return time.astimezone(UTC).isoformat(timespec="seconds")


def canonical(value: object, default: Callable[[Any], str] | None = None) -> str:
    """JSON with sorted keys and no spaces: equal values, equal text.

    Args:
        value: anything JSON can hold.
        default: what stands for anything else, such as bytes that somebody put where there was text.

    Raises:
        TypeError, ValueError: JSON cannot hold the value.
    """
    compact = (",", ":")
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=compact, allow_nan=False, default=default)


class RowsDigest:
    """SHA-256 over the rows that belong to one entry, as one JSON text, however they are cut into batches.

    The text is ``["change",[row,row,…],"identifier",[…],…]``: the tables in the order in which they are begun, each row
    an array of its columns without the number of the entry. Tables of ``SINCE_REVIEW`` are left out where they are
    empty.
    """

    def __init__(self) -> None:
        self._sha = hashlib.sha256(b"[")
        self._tables = 0
        self._has_rows = False

    def begin(self, table: str) -> None:
        """The rows added from now on are those of this table."""
        self._sha.update(("]," if self._tables else "").encode() + canonical(table).encode() + b",[")
        self._tables += 1
        self._has_rows = False

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Rows of the table begun last, in their order."""
        text = canonical(list(rows), default=repr)[1:-1]
        if text:
            self._sha.update((("," if self._has_rows else "") + text).encode())
            self._has_rows = True

    def hexdigest(self) -> str:
        """The digest, in hex."""
        closed = self._sha.copy()
        closed.update(b"]]")
        return closed.hexdigest()
