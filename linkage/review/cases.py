"""A case: what a clerk sees of one subject and its candidates, and what a clerk may answer."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

__all__ = [
    "ASKED",
    "OUTCOMES",
    "PAIRED",
    "Answer",
    "Candidate",
    "Case",
    "Dose",
    "Outcome",
    "Relative",
    "case_id",
    "from_json",
]

Outcome = Literal["citizen", "none", "cannot_tell", "send_back", "mixed_up"]
"""This citizen; none of them; cannot tell; send back to the facility; two persons mixed up in one subject."""

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

PAIRED: Mapping[str, tuple[str | None, tuple[str, ...]]] = {
    "name": ("full_name", ("full_name",)),
    "birth_date": ("date_of_birth", ("date_of_birth",)),
    "sex": ("sex", ("sex",)),
    "number": ("national_id", ("citizen_id", "previous_ids")),
    "insurance_no": ("health_insurance_no", ("health_insurance_no",)),
    "phone": ("phone", ("phone",)),
    "commune": ("commune", ("commune",)),
    "district": ("district", ("district",)),
    "province": ("province", ("province",)),
    "address": ("address", ("address",)),
    "nationality": ("nationality", ()),
    "deceased_on": (None, ("deceased_on",)),
}
"""The lines of a case, in order: the column of the record, those of a candidate; words: ``review.field.<line>``."""

ASKED: tuple[str, ...] = ("name", "birth_date", "sex", "number", "phone", "address")
"""Lines that a facility may be asked to correct."""

_NAMESPACE = uuid.UUID("8f0c6b0e-3c0e-5d0a-9d5b-6b686f700006")


@dataclass(frozen=True, slots=True)
class Dose:
    """One dose of the subject, as typed.

    Args:
        in_case: whether the answer settles it; the others of the subject are shown beside it.
        decision: what the run decided.
        citizen_id: of those not in the case: the citizen it was accepted to.
    """

    dose_id: str
    in_case: bool
    decision: str
    citizen_id: str | None = None
    injected_on: str | None = None
    vaccine: str | None = None
    dose_number: str | None = None
    lot_number: str | None = None
    facility_id: str | None = None
    recorded_at: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One citizen who may be the one.

    Args:
        citizen_id: the number in the registry.
        probability: calibrated, the largest among the doses of the case.
        match_weight: bits, of the same dose.
        registry: columns of the registry, as typed.
        levels: comparison → level.
        bits: comparison → bits.
    """

    citizen_id: str
    probability: float
    match_weight: float
    registry: Mapping[str, str | None]
    levels: Mapping[str, str]
    bits: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Relative:
    """Somebody who shares a phone or an address with the record: ``why`` is ``phone`` or ``address``."""

    why: str
    full_name: str
    date_of_birth: str | None = None
    sex: str | None = None
    citizen_id: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """All that is needed to decide about the doses in review of one subject.

    Args:
        subject: key of the subject.
        record: columns of the dose that fits its best candidate best, as typed.
        variants: column → what other doses of the subject say otherwise.
        doses: all doses of the subject, those of the case first.
        candidates: every candidate of any dose of the case, best first; none where all pairs were forgone.
        decision: of the run about that dose, what the reason is told from: ``outcome``, ``probability``, ``margin``
            (bits), ``rule``, ``caution``, ``stratum``, the thresholds ``accept``, ``lowest_accept``, ``review``, and
            ``surprising``, the probability below which an answer asks for a second reader.
        household: who else has the phone or the address.
    """

    subject: str
    record: Mapping[str, str | None]
    doses: tuple[Dose, ...]
    candidates: tuple[Candidate, ...]
    decision: Mapping[str, Any]
    variants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    household: tuple[Relative, ...] = ()

    def surprised_by(self, answer: "Answer") -> bool:
        """Whether the model holds an answer that decides for so improbable that a second person should read it."""
        fitting = {candidate.citizen_id: candidate.probability for candidate in self.candidates}
        if answer.outcome == "citizen":
            expected = fitting.get(answer.citizen_id or "", 0.0)
        elif answer.outcome == "none":
            expected = 1 - sum(fitting.values())
        else:
            return False
        return expected < float(self.decision.get("surprising", 0.0))

    @property
    def dose_ids(self) -> tuple[str, ...]:
        """The doses that an answer settles."""
        return tuple(dose.dose_id for dose in self.doses if dose.in_case)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a human says of a case.

    Args:
        outcome: one of ``OUTCOMES``.
        citizen_id: of outcome ``citizen``, a candidate of the case; else None.
        field: of outcome ``send_back``, what to ask for: one of ``ASKED``; else None.
        comment: in the words of who said it.

    Raises:
        ValueError: the parts do not fit each other.
    """

    outcome: Outcome
    citizen_id: str | None = None
    field: str | None = None
    comment: str = ""

    def __post_init__(self) -> None:
        fits = (
            self.outcome in OUTCOMES
            and (self.citizen_id is not None) == (self.outcome == "citizen")
            and (self.field is not None) == (self.outcome == "send_back")
            and (self.field is None or self.field in ASKED)
        )
        if not fits:
            raise ValueError("an answer names a citizen, or a field to ask for, where its outcome says so")

    @property
    def said(self) -> tuple[str, str | None]:
        """What two readers agree on or not: outcome and citizen."""
        return self.outcome, self.citizen_id


def case_id(subject: str, fingerprint: str) -> str:
    """The UUID of a case: the same subject, doses, records and candidates, the same case, in whatever run.

    Args:
        subject: key of the subject.
        fingerprint: digest of all that is shown but probabilities.
    """
    return str(uuid.uuid5(_NAMESPACE, f"{fingerprint}:{subject}"))


def from_json(text: str) -> Case:
    """A case as it stands in the store: the fields of :class:`Case` as one JSON object.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    plain = json.loads(text)
    return Case(
        subject=plain["subject"],
        record=plain["record"],
        doses=tuple(Dose(**dose) for dose in plain["doses"]),
        candidates=tuple(Candidate(**candidate) for candidate in plain["candidates"]),
        decision=plain["decision"],
        variants={column: tuple(values) for column, values in plain["variants"].items()},
        household=tuple(Relative(**relative) for relative in plain["household"]),
    )
