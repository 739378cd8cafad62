"""What is shown of one person: plain data from the store and a run."""

from dataclasses import dataclass
from datetime import date

__all__ = [
    "CitizenFacts",
    "Comparison",
    "Conflict",
    "DoseFacts",
    "GoldenValue",
    "HistoryEntry",
    "Link",
    "LosingValue",
    "Move",
    "Near",
    "PersonFacts",
    "SubjectFacts",
]


@dataclass(frozen=True, slots=True)
class CitizenFacts:
    """The citizen a person is."""

    citizen_id: str
    previous_ids: tuple[str, ...] = ()
    deceased_on: str | None = None


@dataclass(frozen=True, slots=True)
class LosingValue:
    """A value that is not golden, as in ``losing_values``."""

    value: str
    doses: int
    latest: date | None
    source: str


@dataclass(frozen=True, slots=True)
class GoldenValue:
    """A field of the golden record, as in ``golden``; ``source`` is ``registry`` or a dose."""

    field: str
    value: str | None
    source: str | None
    rule: str | None
    losing: tuple[LosingValue, ...] = ()


@dataclass(frozen=True, slots=True)
class SubjectFacts:
    """A subject of the person: its base, the citizen the machine tied that to, and how many doses it has."""

    subject: str
    base: str
    citizen_id: str | None
    doses: int


@dataclass(frozen=True, slots=True)
class Near:
    """A dose nearer than the vaccine allows, so many days apart."""

    dose_id: str
    days: int


@dataclass(frozen=True, slots=True)
class DoseFacts:
    """A dose of the person.

    ``decision``, ``outcome`` and ``probability`` are the run's, ``day`` and ``vaccine`` as in ``injections``;
    ``primary_dose_id`` and the code words of ``evidence`` as in ``duplicates``, null for a dose that is no duplicate.
    """

    dose_id: str
    subject: str
    day: date | None
    vaccine: str | None
    facility: str | None
    decision: str
    outcome: str
    probability: float | None
    primary_dose_id: str | None = None
    evidence: str | None = None
    too_close: tuple[Near, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of two subjects: its level and its bits."""

    name: str
    level: str
    bits: float


@dataclass(frozen=True, slots=True)
class Link:
    """Why two subjects are one person.

    ``reason`` is a word: ``same_citizen``, ``model`` or ``by_hand``; ``bits`` the match weight; ``entry`` the ledger
    entry of a decision by hand. What is not known or does not apply is null.
    """

    subject: str
    other: str
    reason: str
    bits: float | None = None
    probability: float | None = None
    comparisons: tuple[Comparison, ...] = ()
    entry: int | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """What a human must look at, as in ``conflicts``: the reason is a word, ``concerns`` are ids."""

    reason: str
    concerns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """A subject that went from one person (null: it is new) to another."""

    subject: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """An entry of the ledger that touched the person: who (or which model) did what, why, on what evidence (JSON)."""

    number: int
    at: str
    kind: str
    actor: str
    model: str | None
    because: str
    evidence: str
    undoes: int | None = None
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """All that is shown of a person; ``former_ids`` are ids that lead here, ``golden`` has a row per field."""

    person_id: str
    former_ids: tuple[str, ...]
    citizen: CitizenFacts | None
    golden: tuple[GoldenValue, ...]
    subjects: tuple[SubjectFacts, ...]
    doses: tuple[DoseFacts, ...]
    links: tuple[Link, ...]
    conflicts: tuple[Conflict, ...]
    history: tuple[HistoryEntry, ...]

    @property
    def doses_by_day(self) -> list[DoseFacts]:
        """Doses in order of day, those without a day last."""
        return sorted(self.doses, key=lambda dose: (dose.day is None, dose.day or date.max, dose.dose_id))

    @property
    def history_by_number(self) -> list[HistoryEntry]:
        """Entries from the first on."""
        return sorted(self.history, key=lambda entry: entry.number)
