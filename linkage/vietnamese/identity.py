"""Identity numbers: what was typed, which kind of number it is, and what it says about its holder."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from linkage.vietnamese.birth_dates import LATEST_YEAR
from linkage.vietnamese.digits import is_placeholder, is_truncated, spreadsheet_text, without_look_alikes
from linkage.vietnamese.phones import parse_phone


@dataclass(frozen=True, slots=True)
class IdentityNumber:
    """The best reading of an identity number.

    ``kind``: cccd (12 digits that can be a personal number), cmnd (9 digits), passport, other (digits of no
    known shape); with ``value`` None: placeholder, phone, insurance, scientific (digits a spreadsheet lost).
    ``repair``: none, separators (and other typography), lost_zero, lookalike, extracted (from other text).
    ``second`` is another good number in the same cell.
    """

    value: str | None
    kind: str
    repair: str = "none"
    second: str | None = None

    @property
    def sex(self) -> str | None:
        """F or M, as a cccd says."""
        return ("F" if int(self.value[3]) % 2 else "M") if self.value and self.kind == "cccd" else None

    @property
    def birth_year(self) -> int | None:
        """The year of birth, as a cccd says."""
        return _birth_year(self.value) if self.value and self.kind == "cccd" else None

    @property
    def province(self) -> str | None:
        """Two-digit code of the province a cccd was given in; None when its prefix is not assigned."""
        return province_of_prefix().get(self.value[:3]) if self.value and self.kind == "cccd" else None


def parse_identity_number(text: str) -> IdentityNumber:
    """The identity number in a cell as typed; ``value`` is None when the cell holds none."""
    plain = spreadsheet_text(text)
    if is_truncated(plain):
        return IdentityNumber(None, "scientific")
    found = list(_readings(plain))
    if not found:
        return IdentityNumber(None, "placeholder")
    best = min(found, key=lambda reading: _ORDER.index(reading.kind))
    if best.repair in {"none", "separators"} and (len(found) > 1 or plain != text):
        best = replace(best, repair="extracted" if len(found) > 1 else "separators")
    others = (other.value for other in found if other.kind in _STRONG and other.value != best.value)
    second = next(others, None)
    return replace(best, second=second) if second else best


def parse_identity_numbers(text: str) -> list[str]:
    """The numbers of a cell with ``;`` between them, in their order, without those that are none."""
    readings = map(parse_identity_number, text.split(";"))
    return [number for reading in readings for number in (reading.value, reading.second) if number]


_STRONG = ("cccd", "cmnd", "passport")
_ORDER = (*_STRONG, "insurance", "phone", "other", "placeholder")
_PLAUSIBLE = re.compile("0(?!00)[0-9]{2}([0-3])([0-9]{2})[0-9]{6}")
_PASSPORT = re.compile("[A-Z]{1,2}[0-9]{6,8}")
_INSURANCE = re.compile("[A-Z]{2}[0-9]{13}")
_NO_SERIAL = "000000"
_LENGTHS = (12, 9)
_BETWEEN_NUMBERS = re.compile(r"[/;,|()\n&+]|\s-\s")
_WEAK_SEPARATORS = re.compile(r"[\s._'\"*:#-]+")
_WORD = re.compile(r"[^\W\d_]{3,}")
_DIGITS = re.compile("[0-9]+")


def _readings(text: str) -> Iterator[IdentityNumber]:
    if _DIGITS.fullmatch(text):
        yield from _two_in_one(text) or [_read(text, "none")]
        return
    for piece in _BETWEEN_NUMBERS.split(text):
        # CMND, CCCD, số: words around the number; look-alikes are shorter or stand beside digits
        bare = _WORD.sub(" ", piece) if not _INSURANCE.fullmatch(_compact(piece)) else piece
        worded = bare != piece
        words = [_read(word, "none") for word in bare.split() if any(map(str.isdigit, word))]
        strong = [reading for reading in words if reading.kind in _STRONG]
        whole = _compact(bare)
        if len(strong) > 1:
            yield from strong
        elif both := _two_in_one(whole):
            yield from both
        elif whole and any(map(str.isdigit, whole)):
            repair = "extracted" if worded else "separators" if whole != text.upper() else "none"
            joined = _read(whole, repair)
            yield strong[0] if strong and joined.kind not in _STRONG else joined


def _two_in_one(digits: str) -> list[IdentityNumber]:
    """The two numbers written as one run of digits, with nothing or a hyphen between; empty when there are not two."""
    for first in _LENGTHS:
        if len(digits) - first in _LENGTHS and _DIGITS.fullmatch(digits):
            both = [_read(digits[:first], "extracted"), _read(digits[first:], "extracted")]
            if all(reading.kind in _STRONG for reading in both):
                return both
    return []


def _compact(text: str) -> str:
    return _WEAK_SEPARATORS.sub("", text).upper()


def _read(number: str, repair: str) -> IdentityNumber:
    """One number, without separators."""
    number = number.upper()
    if not _DIGITS.fullmatch(number):
        return _read_with_letters(number, repair)
    if is_placeholder(number) or (len(number) in {9, 12} and number.endswith(_NO_SERIAL)):
        return IdentityNumber(None, "placeholder", repair)
    full = _with_lost_zeros(number)
    if len(full) == 9 or _plausible(full):
        kind = "cmnd" if len(full) == 9 else "cccd"
        return IdentityNumber(full, kind, repair if full == number else "lost_zero")
    if len(number) > 9 and parse_phone(number) is not None:
        return IdentityNumber(None, "phone", repair)
    return IdentityNumber(number, "other", repair)


def _with_lost_zeros(number: str) -> str:
    """The number as it was before a spreadsheet took its leading zeros, when that gives a good number."""
    if number[0] != "0":
        if len(number) == 8:
            return "0" + number
        if len(number) in {10, 11} and _plausible(number.zfill(12)):
            return number.zfill(12)
    return number


def _read_with_letters(number: str, repair: str) -> IdentityNumber:
    if _INSURANCE.fullmatch(number):
        return IdentityNumber(None, "insurance", repair)
    if _PASSPORT.fullmatch(number) and number[0] not in "OIL":
        return IdentityNumber(number, "passport", repair)
    digits = without_look_alikes(number)
    if _DIGITS.fullmatch(digits):
        reading = _read(digits, "lookalike")
        # nine digits are always a number; twelve rarely
        share = {"cccd": 2, "cmnd": 3}.get(reading.kind)
        if share and share * sum(map(str.isalpha, number)) <= len(number):
            return reading
    runs = _DIGITS.findall(number)
    if len(runs) == 1:
        return _read(runs[0], "extracted")
    return IdentityNumber("".join(runs), "other", "extracted")


def _plausible(number: str) -> bool:
    """Twelve digits with a century, sex and birth year of someone alive; any prefix but 000."""
    match = _PLAUSIBLE.fullmatch(number)
    return match is not None and _birth_year(number) <= LATEST_YEAR


def _birth_year(number: str) -> int:
    return 1900 + 100 * (int(number[3]) // 2) + int(number[4:6])


@cache
def province_of_prefix() -> dict[str, str]:
    """The first three digits of a cccd → two-digit code of the province of birth registration."""
    with files(__package__).joinpath("data/provinces.csv").open(encoding="utf-8") as lines:
        return {row["cccd_code"]: row["code"] for row in csv.DictReader(lines)}
