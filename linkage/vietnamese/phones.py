"""Telephone numbers in today's form."""

import csv
import re
from functools import cache
from importlib.resources import files

from linkage.vietnamese.digits import spreadsheet_text, without_look_alikes

# words beside the number, and letters in it that are not typed for a digit
_WORDS = re.compile(r"(?<![0-9])[^\W\d_]+(?![0-9])|[^\W\d_OoIlLiSsB]+")
_BETWEEN_NUMBERS = re.compile(r"[/;,|\n&]|\s-\s|(?<=[0-9]{9})\s+(?=0)")
_NOT_DIGITS = re.compile("[^0-9]+")
_COUNTRY = re.compile("^(?:00|0)?840?(?=[1-9][0-9]{8,9}$)")
_MOBILE = re.compile("0[35789][0-9]{8}")
_LANDLINE = re.compile("02[0-9]{9}")


def parse_phone(text: str) -> str | None:
    """The first good number in a cell: 0 and nine digits of a mobile, 02 and nine digits of a landline.

    +84, 84 and 0084 become 0, a lost 0 returns, and the eleven-digit mobiles of before 2018 get today's
    prefix. Words beside a number do not matter, nor does what stands between two numbers. A number whose last
    eight digits are all the same is nobody's.
    """
    for piece in _BETWEEN_NUMBERS.split(_WORDS.sub(";", spreadsheet_text(text))):
        digits = _NOT_DIGITS.sub("", without_look_alikes(piece))
        number = _today(digits) or _first_of_two(digits)
        if number is not None and len(set(number[2:])) > 1:
            return number
    return None


def _first_of_two(digits: str) -> str | None:
    """The first of two numbers written as one run of digits."""
    if not 18 <= len(digits) <= 28:
        return None
    return next((first for cut in range(9, 15) if (first := _today(digits[:cut])) and _today(digits[cut:])), None)


def _today(digits: str) -> str | None:
    digits = _COUNTRY.sub("0", digits, count=1)
    if digits[:1] != "0":
        digits = "0" + digits
    if len(digits) == 11 and digits[:4] in _prefixes_of_2018():
        digits = _prefixes_of_2018()[digits[:4]] + digits[4:]
    return digits if _MOBILE.fullmatch(digits) or _LANDLINE.fullmatch(digits) else None


@cache
def _prefixes_of_2018() -> dict[str, str]:
    with files(__package__).joinpath("data/phone_prefix_2018.csv").open(encoding="utf-8") as lines:
        return {row["old4"]: row["new3"] for row in csv.DictReader(lines)}
