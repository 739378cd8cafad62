"""Where two texts differ, character by character: what a clerk's eye is led to."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import groupby

from linkage.vietnamese.birth_dates import parse_birth_date
from linkage.vietnamese.insurance import parse_insurance_number
from linkage.vietnamese.phones import parse_phone
from linkage.vietnamese.sex import parse_sex
from linkage.vietnamese.text import without_marks
from linkage.vietnamese.units import is_number

__all__ = ["Piece", "Pieces", "compared", "differing", "in_none"]

_SEEN = re.compile("(?s).[\u0300-\u036f\u200d\ufe0e\ufe0f]*")
"""What the eye takes for one character: a letter with its combining marks."""

_KIND = re.compile(r"(?i)(phường|xã|thị trấn|quận|huyện|thị xã|thành phố|tỉnh|tp|tt|tx|[pqhx])[. ]\s*(?=\S)")
"""What stands before the name of a unit, or does not."""
ALIKE = 0.5
"""Of texts with fewer characters in common than this share of the longer, every character differs."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, and whether the other side says otherwise there."""

    text: str
    differs: bool


Pieces = tuple[Piece, ...]


def differing(recorded: str | None, registry: str | None) -> tuple[Pieces, Pieces]:
    """Both sides in pieces that, joined, are the texts as they are.

    Letters are aligned by what they are without accents and case, and differ when accents or case do; a text in
    capitals alone differs by its letters and accents only. The same letter in two encodings (NFC, NFD) is the same.
    Texts of which neither holds the other and that have less than half in common
    differ throughout. Where one side says nothing, nothing differs.
    """
    sides = recorded or "", registry or ""
    first, second = _marks(*sides)
    return _pieces(sides[0], first), _pieces(sides[1], second)


def compared(line: str, recorded: str | None, registry: str | None) -> tuple[Pieces, Pieces]:
    """As `differing`, of a line of a case: what means the same, or cannot be compared, is plain.

    Args:
        line: one of ``linkage.review.cases.PAIRED``.
        recorded: as typed.
        registry: as typed.
    """
    if recorded and registry and _mean_the_same(line, recorded, registry):
        return _pieces(recorded, ()), _pieces(registry, ())
    return differing(recorded, registry)


def in_none(recorded: str | None, sides: Sequence[Pieces]) -> Pieces:
    """The record in pieces: what differs is what differs from every candidate.

    Args:
        recorded: as typed.
        sides: the record's pieces beside each candidate; none of them differs anywhere when there is none.
    """
    text = recorded or ""
    if not any(piece.differs for pieces in sides for piece in pieces):
        return _pieces(text, ())
    flags = [[piece.differs for piece in pieces for _ in _SEEN.findall(piece.text)] for pieces in sides]
    return _pieces(text, [all(column) for column in zip(*flags, strict=True)])


def _mean_the_same(line: str, recorded: str, registry: str) -> bool:
    match line:
        case "sex":
            return _equal(parse_sex(recorded), parse_sex(registry))
        case "phone":
            return _equal(parse_phone(recorded), parse_phone(registry))
        case "insurance_no":
            return _equal(parse_insurance_number(recorded), parse_insurance_number(registry))
        case "birth_date":
            return _equal(_day(recorded), _day(registry))
        case "commune" | "district" | "province":
            # a code beside a name says nothing to the eye
            one, other = (_KIND.sub("", side.strip()).casefold() for side in (recorded, registry))
            return is_number(recorded) != is_number(registry) or one == other
    return False


def _equal(one: str | None, other: str | None) -> bool:
    return one is not None and one == other


@lru_cache(maxsize=1 << 14)
def _day(text: str) -> str | None:
    date = parse_birth_date(text)
    return date.value if date else None


def _pieces(text: str, marks: Sequence[bool]) -> Pieces:
    if not any(marks):
        return (Piece(text, False),) if text else ()
    runs = groupby(zip(_SEEN.findall(text), marks, strict=True), key=lambda each: each[1])
    return tuple(Piece("".join(letter for letter, _ in run), differs) for differs, run in runs)


@lru_cache(maxsize=1 << 14)
def _marks(recorded: str, registry: str) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    first, second = _SEEN.findall(recorded), _SEEN.findall(registry)
    if recorded == registry or not (recorded.strip() and registry.strip()):
        return (False,) * len(first), (False,) * len(second)
    capitals = recorded.isupper() or registry.isupper()
    shown = [
        [unicodedata.normalize("NFC", letter.upper() if capitals else letter) for letter in side]
        for side in (first, second)
    ]
    marks = [[True] * len(first), [True] * len(second)]
    same = [(one, other) for one, other in _aligned(first, second) if shown[0][one] == shown[1][other]]
    if len(same) >= ALIKE * max(map(len, shown)) or len(same) == min(map(len, shown)):
        for one, other in same:
            marks[0][one] = marks[1][other] = False
    return tuple(marks[0]), tuple(marks[1])


def _aligned(first: Sequence[str], second: Sequence[str]) -> Iterable[tuple[int, int]]:
    """Places that stand beside each other: digit by digit in numbers and dates of one length."""
    if len(first) == len(second) and not any(letter.isalpha() for letter in (*first, *second)):
        return zip(range(len(first)), range(len(second)), strict=True)
    folded = ([without_marks(letter) for letter in side] for side in (first, second))
    blocks = SequenceMatcher(None, next(folded), next(folded), autojunk=False).get_matching_blocks()
    return ((block.a + step, block.b + step) for block in blocks for step in range(block.size))
