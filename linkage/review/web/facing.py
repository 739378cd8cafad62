"""A case as the page shows it: one line per field, the record beside every candidate, what differs marked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from linkage.messages import say
from linkage.review.cases import PAIRED, Candidate, Case
from linkage.review.differing import Piece, Pieces, compared, in_none
from linkage.review.words import unit_name
from linkage.vietnamese.birth_dates import parse_birth_date
from linkage.vietnamese.identity import parse_identity_numbers
from linkage.vietnamese.insurance import parse_insurance_number
from linkage.vietnamese.names import parse_name
from linkage.vietnamese.phones import parse_phone
from linkage.vietnamese.places import resolve_place
from linkage.vietnamese.sex import parse_sex
from linkage.vietnamese.text import fold

__all__ = ["Agreement", "Cell", "Line", "lines", "sex_in_words"]

Agreement = Literal["same", "near", "differs", "absent"]
"""Means the same; the same but for marks, sound, order of day and month; something else; one side says nothing."""

PLACES = ("commune", "district", "province")
Columns = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Cell:
    """What one candidate says on a line, beside what the record says; ``others``: former numbers."""

    agreement: Agreement
    recorded: Pieces
    registry: Pieces
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One field: as recorded, what other doses of the subject say, and one cell per candidate, best first."""

    name: str
    recorded: Pieces
    variants: tuple[str, ...]
    cells: tuple[Cell, ...]

    @property
    def agreement(self) -> Agreement:
        """``differs`` where some candidate does, else ``near``."""
        return "differs" if any(cell.agreement == "differs" for cell in self.cells) else "near"


def lines(case: Case, language: str) -> tuple[Line, ...]:
    """The lines of a case on which somebody says something, in the order of ``PAIRED``; deaths stand elsewhere."""
    shown = (_line(case, name, language) for name in PAIRED if name != "deceased_on")
    return tuple(
        line
        for line in shown
        if line.recorded or line.variants or any(cell.registry or cell.others for cell in line.cells)
    )


def sex_in_words(code: str | None, language: str) -> str:
    """Nam or Nữ, male or female, of what the registry holds; as it is where that is neither."""
    sex = parse_sex(code) if code else None
    return say(f"web.sex.{sex}", language) if sex else code or ""


def _line(case: Case, name: str, language: str) -> Line:
    column, _ = PAIRED[name]
    recorded = _said(case.record, column)
    variants = tuple(value for value in case.variants.get(column or "", ()) if value != recorded)
    cells = tuple(_cell(name, recorded, case.record, candidate, language) for candidate in case.candidates)
    beside = [cell.recorded for cell in cells if cell.registry]
    return Line(name, in_none(recorded, beside), variants, cells)


def _said(columns: Columns, column: str | None) -> str:
    return (columns.get(column) if column else None) or ""


def _cell(name: str, recorded: str, record: Columns, candidate: Candidate, language: str) -> Cell:
    if name == "number":
        return _number(recorded, candidate)
    _, columns = PAIRED[name]
    registry = _said(candidate.registry, columns[0] if columns else None)
    if name in PLACES:
        return _in_place(name, recorded, registry, record, candidate.registry)
    agreement = _agreement(name, recorded, registry)
    if name == "birth_date":
        registry = _as_recorded(registry, recorded)
    if name == "sex":
        registry = sex_in_words(registry, language)
    return _marked(name, agreement, recorded, registry)


def _marked(name: str, agreement: Agreement, recorded: str, registry: str) -> Cell:
    """What differs; where hardly a letter is left, the whole."""
    left, right = compared(name, recorded, registry)
    letters = sum(len(piece.text) for piece in right if piece.differs)
    if agreement == "differs" and 2 * letters > len(registry):
        left, right = (Piece(recorded, True),), (Piece(registry, True),)
    return Cell(agreement, left, right)


def _in_place(level: str, recorded: str, registry: str, record: Columns, other: Columns) -> Cell:
    shown = unit_name(registry) if registry.isdigit() else registry
    if not recorded or not registry:
        return Cell("absent", *compared(level, recorded, shown))
    agreement = _place(level, record, other)
    if agreement == "same":
        return Cell(agreement, (Piece(recorded, False),), (Piece(shown, False),))
    return _marked(level, agreement, recorded, shown)


def _number(recorded: str, candidate: Candidate) -> Cell:
    """The number of the registry, or the former one that is nearer to what was typed, first."""
    former = [number.strip() for number in _said(candidate.registry, "previous_ids").split(";") if number.strip()]
    numbers = [candidate.citizen_id, *former]
    if not recorded:
        return Cell("absent", *compared("number", "", numbers[0]), tuple(former))
    typed = set(parse_identity_numbers(recorded)) or {recorded}
    nearest = next((number for number in numbers if number in typed), numbers[0])
    others = tuple(number for number in numbers if number != nearest)
    return Cell("same" if nearest in typed else "differs", *compared("number", recorded, nearest), others)


def _place(level: str, record: Columns, registry: Columns) -> Agreement:
    one, other = (resolve_place(*(side.get(column) for column in reversed(PLACES))) for side in (record, registry))
    pairs = [(getattr(one, level), getattr(other, level))]
    if level != "district":
        pairs.append((getattr(one, f"{level}_2025"), getattr(other, f"{level}_2025")))
    if any(left and left == right for left, right in pairs):
        return "same"
    if any(left and right for left, right in pairs):
        return "differs"
    return "near" if fold(_said(record, level)) == fold(_said(registry, level)) else "differs"


def _as_recorded(day: str, recorded: str) -> str:
    """2021-02-28 of the registry as 28/02/2021, unless the record has the year first too."""
    return day if recorded[:4].isdigit() else "/".join(reversed(day.split("-")))


def _agreement(name: str, recorded: str, registry: str) -> Agreement:
    if not recorded or not registry:
        return "absent"
    compare = _COMPARED.get(name, _texts)
    return compare(recorded, registry)


def _texts(recorded: str, registry: str) -> Agreement:
    if recorded.casefold().split() == registry.casefold().split():
        return "same"
    return "near" if fold(recorded) == fold(registry) and fold(recorded) else "differs"


def _names(recorded: str, registry: str) -> Agreement:
    one, other = parse_name(recorded), parse_name(registry)
    if one is None or other is None:
        return _texts(recorded, registry)
    if one.canonical == other.canonical:
        return "same"
    near = one.ascii == other.ascii or one.sound == other.sound or one.doublet == other.doublet
    return "near" if near else "differs"


def _birth_dates(recorded: str, registry: str) -> Agreement:
    one, other = parse_birth_date(recorded), parse_birth_date(registry)
    if one is None or other is None:
        return _texts(recorded, registry)
    if one.value == other.value:
        return "same"
    shorter, longer = sorted((one.value, other.value), key=len)
    near = longer.startswith(shorter) or other.value in one.readings or other.value in one.solar
    return "near" if near else "differs"


def _parsed(parse: Callable[[str], str | None]) -> Callable[[str, str], Agreement]:
    def compare(recorded: str, registry: str) -> Agreement:
        one, other = parse(recorded), parse(registry)
        if one is None or other is None:
            return _texts(recorded, registry)
        return "same" if one == other else "differs"

    return compare


_COMPARED: Mapping[str, Callable[[str, str], Agreement]] = {
    "name": _names,
    "birth_date": _birth_dates,
    "sex": _parsed(parse_sex),
    "insurance_no": _parsed(parse_insurance_number),
    "phone": _parsed(parse_phone),
}
