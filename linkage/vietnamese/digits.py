"""Numbers as spreadsheets and fingers leave them."""

import re

from linkage.vietnamese.text import compose

_SCIENTIFIC = re.compile(r"([0-9])(?:[.,]([0-9]+))?[eE]\+?([0-9]{1,2})")
_DECIMAL_ZERO = re.compile(r"([0-9]+)[.,]0{1,2}")
_LOOK_ALIKES = str.maketrans("OoIlLi|SsB" + "ОоЗз", "0011111558" + "0033")  # the last four are Cyrillic


def spreadsheet_text(text: str) -> str:
    """A cell without full-width forms, the leading apostrophe, a decimal zero, or a lossless exponent."""
    text = compose(text).strip().lstrip("'").strip()
    if match := _DECIMAL_ZERO.fullmatch(text):
        return match[1]
    if match := _SCIENTIFIC.fullmatch(text):
        digits, length = match[1] + (match[2] or ""), int(match[3]) + 1
        # fewer digits than the exponent says: a spreadsheet threw the rest away
        return digits if len(digits) == length else text
    return text


def is_truncated(text: str) -> bool:
    """A number in exponent form whose last digits are lost: 7.9084E+10."""
    return _SCIENTIFIC.fullmatch(text) is not None


def without_look_alikes(text: str) -> str:
    """O, l, I, S, B in a number read as 0, 1, 1, 5, 8; Cyrillic О, З as 0, 3."""
    return text.translate(_LOOK_ALIKES)


def is_placeholder(digits: str) -> bool:
    """Digits nobody was given: all or eight in a row the same, or counted up or down from an end."""
    return len(set(digits)) <= 1 or _EIGHT_ALIKE.search(digits) is not None or digits in _COUNTED


_EIGHT_ALIKE = re.compile(r"([0-9])\1{7}")
_UP = "01234567890123456789"
_COUNTED = frozenset(
    run[start : start + length]
    for run in (_UP, _UP[::-1])
    for start in (0, 1, 9, 10)
    for length in range(8, 13)
    if len(run[start : start + length]) == length
) | {"012345678910", "123456789101", "123456789012"}
