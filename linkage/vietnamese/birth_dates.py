"""Birth dates with the precision they were given in."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from linkage.vietnamese.digits import spreadsheet_text

EARLIEST_YEAR, LATEST_YEAR = 1900, 2026
"""The years a person of the records can be born in."""


@dataclass(frozen=True, slots=True)
class BirthDate:
    """A birth date: ``value`` is 1956, 1956-07 or 1956-07-14 as ``precision`` (year, month, day) says.

    ``month_day`` (07-14) is None unless the day is known. ``swapped`` is the date with day and month
    exchanged, when that is another date. ``repair``: none, us_order, serial, two_digit_year, zero_part,
    impossible_day, time_zone.
    """

    value: str
    year: int
    month_day: str | None
    swapped: str | None
    precision: str
    repair: str


def parse_birth_date(text: str) -> BirthDate | None:
    """The birth date in a cell as typed; None when it holds no year from 1900 on."""
    plain = spreadsheet_text(text)
    if match := _DAY.fullmatch(plain):
        return _three_numbers(list(match.groups()), "none")
    if match := _UTC.match(plain):
        moved = _local_day(match[1])
        return _date(moved, "time_zone" if moved != match[1][:10] else "none")
    return _date(_TIME.sub("", plain), "none")


_DAY = re.compile("([0-9]{1,4})[-/. ]([0-9]{1,2})[-/. ]([0-9]{1,4})")
# a date stored as midnight in Viet Nam and exported in universal time falls on the evening before
_UTC = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?(?:Z|\+00:00)$")
_TIME = re.compile(r"[T\s]+[0-9]{1,2}:[0-9]{2}.*$", re.DOTALL)
_NUMBERS = re.compile("[0-9]+")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = re.compile(rf"(?<=[0-9][\s/.-])({'|'.join(_MONTHS)})[a-z]*(?=[\s/.,-]+[0-9])", re.IGNORECASE)
_FIRST_SERIAL, _LAST_SERIAL = 10_000, 46_000


def _local_day(stamp: str) -> str:
    try:
        return (datetime.fromisoformat(stamp) + timedelta(hours=7)).date().isoformat()
    except (ValueError, OverflowError):
        return stamp[:10]


def _date(text: str, repair: str) -> BirthDate | None:
    text = _MONTH.sub(lambda match: str(_MONTHS.index(match[1].lower()) + 1), text)
    numbers = _NUMBERS.findall(text)
    if any(len(number) > 8 for number in numbers):
        return None
    if len(numbers) == 1:
        return _one_number(numbers[0])
    if len(numbers) == 2:
        return _month_and_year(numbers)
    return _three_numbers(numbers, repair) if len(numbers) == 3 else None


def _one_number(number: str) -> BirthDate | None:
    if len(number) == 4:
        return _checked(int(number), 0, 0, "none")
    if len(number) == 5 and _FIRST_SERIAL <= int(number) <= _LAST_SERIAL:
        day = date(1899, 12, 30) + timedelta(days=int(number))
        return _checked(day.year, day.month, day.day, "serial")
    if len(number) == 6:
        month_first = EARLIEST_YEAR <= int(number[2:]) <= LATEST_YEAR
        return (
            _month_and_year([number[:2], number[2:]])
            if month_first
            else _three_numbers([number[:2], number[2:4], number[4:]], "none")
        )
    if len(number) == 8:
        year_first = EARLIEST_YEAR <= int(number[:4]) <= LATEST_YEAR and int(number[4:6]) <= 12
        cuts = (0, 4, 6, 8) if year_first else (0, 2, 4, 8)
        return _three_numbers([number[a:b] for a, b in pairwise(cuts)], "none")
    return None


def _month_and_year(numbers: list[str]) -> BirthDate | None:
    month, year = sorted(numbers, key=len)
    return _checked(int(year), int(month), 0, "none") if len(year) == 4 and len(month) <= 2 else None


def _three_numbers(numbers: list[str], repair: str) -> BirthDate | None:
    if len(numbers[0]) == 4:
        numbers.reverse()
    if max(len(numbers[0]), len(numbers[1])) > 2 or len(numbers[2]) not in {2, 4}:
        return None
    day, month, year = map(int, numbers)
    if len(numbers[2]) == 2:
        year += 2000 if 2000 + year <= LATEST_YEAR else 1900
        repair = "two_digit_year"
    if month > 12 >= day > 0:
        day, month, repair = month, day, "us_order"
    if not day or not month:
        repair = "zero_part"
    return _checked(year, month, day, repair)


def _checked(year: int, month: int, day: int, repair: str) -> BirthDate | None:
    """The date as far as it exists: a day or month that cannot be is left out."""
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        return None
    if not 1 <= month <= 12:
        return BirthDate(f"{year}", year, None, None, "year", "impossible_day" if month else repair)
    if not 1 <= day <= monthrange(year, month)[1]:
        repair = "impossible_day" if day else repair
        return BirthDate(f"{year}-{month:02}", year, None, None, "month", repair)
    swapped = f"{year}-{day:02}-{month:02}" if day <= 12 and day != month and repair != "us_order" else None
    return BirthDate(f"{year}-{month:02}-{day:02}", year, f"{month:02}-{day:02}", swapped, "day", repair)
