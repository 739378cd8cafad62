"""Birth dates with the precision they were given in, and the other dates that the same cell may mean."""

import re
from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from linkage.vietnamese.digits import spreadsheet_text, without_look_alikes
from linkage.vietnamese.lunar import solar_dates

EARLIEST_YEAR, LATEST_YEAR = 1900, 2026
"""The years a person of the records can be born in."""


@dataclass(frozen=True, slots=True)
class BirthDate:
    """A birth date: ``value`` is 1956, 1956-07 or 1956-07-14 as ``precision`` (year, month, day) says.

    ``month_day`` (07-14) is None unless the day is known. ``swapped`` is the date with day and month
    exchanged, when that is another date. ``readings`` are all other dates that the cell may mean, in the form of
    ``value``: exchanged, of another century, of a spreadsheet that counts from 1904. ``solar`` are the days meant
    if the date was declared by the lunar calendar. ``repair``: none, us_order, serial, two_digit_year, zero_part,
    impossible_day, time_zone.
    """

    value: str
    year: int
    month_day: str | None
    swapped: str | None
    precision: str
    repair: str
    readings: tuple[str, ...]
    solar: tuple[str, ...]


def parse_birth_date(text: str) -> BirthDate | None:
    """The birth date in a cell as typed; None when it holds no year from 1900 on."""
    readings = (each for each in _readings(spreadsheet_text(text)) if EARLIEST_YEAR <= each.year <= LATEST_YEAR)
    return _birth_date(*readings)


class _Reading(NamedTuple):
    """What the numbers of a cell say; month and day are 0 when unknown, and may be impossible."""

    year: int
    month: int
    day: int
    how: str = "none"

    @property
    def precision(self) -> str:
        if not 1 <= self.month <= 12:
            return "year"
        return "day" if 1 <= self.day <= monthrange(self.year, self.month)[1] else "month"

    @property
    def exists(self) -> bool:
        return self.precision == ("day" if self.day else "month" if self.month else "year")

    @property
    def repair(self) -> str:
        first_left_out = {"year": self.month, "month": self.day, "day": 0}[self.precision]
        return "impossible_day" if first_left_out else self.how

    @property
    def value(self) -> str:
        """The date as far as it exists."""
        length = {"year": 4, "month": 7, "day": 10}[self.precision]
        return f"{self.year}-{self.month:02}-{self.day:02}"[:length]

    @property
    def swapped(self) -> str | None:
        ambiguous = self.precision == "day" and self.day <= 12 and self.day != self.month and self.how != "us_order"
        return f"{self.year}-{self.day:02}-{self.month:02}" if ambiguous else None


@lru_cache(maxsize=1 << 16)
def _birth_date(*found: _Reading) -> BirthDate | None:
    """The likeliest reading that exists as it stands, or the likeliest of all, with the others."""
    if not found:
        return None
    best = next((reading for reading in found if reading.exists), found[0])
    swapped = best.swapped
    others = [swapped, *(other for each in found if each.exists for other in (each.value, each.swapped))]
    month_day = best.value[5:] if best.precision == "day" else None
    return BirthDate(
        best.value, best.year, month_day, swapped, best.precision, best.repair,
        readings=tuple(dict.fromkeys(other for other in others if other and other != best.value)),
        solar=tuple(solar_dates(best.year, best.month, best.day)) if 1 <= best.month <= 12 and best.day else (),
    )  # fmt: skip


_DAY = re.compile("([0-9]{1,4})[-/. ]([0-9]{1,2})[-/. ]([0-9]{1,4})")
_UTC = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?(?:Z|\+00:00)$")
_TIME = re.compile(r"[T\s]+[0-9]{1,2}:[0-9]{2}.*$", re.DOTALL)
_WITH_LETTERS = re.compile(r"(?=.*[^0-9/. -])[0-9OoIlLi|SsB]{1,4}(?:[-/. ][0-9OoIlLi|SsB]{1,4}){2}")
_WITH_HOURS = re.compile("([0-9]{5})[.,][0-9]+")  # the serial of a day and a time
_NUMBERS = re.compile("[0-9]+")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = re.compile(rf"(?<=[0-9][\s/.-])({'|'.join(_MONTHS)})[a-z]*(?=[\s/.,-]+[0-9])", re.IGNORECASE)
_MONTH_FIRST = re.compile(r"^([a-z]{3,9})\.?\s+([0-9]{1,2})\b", re.IGNORECASE)
_FIRST_SERIAL, _LAST_SERIAL = 2_500, 46_400  # 1906 to 2027; below are years
_DAYS_FROM_1900_TO_1904 = 1462
_HOURS_AHEAD, _ONCE_MORE = timedelta(hours=7), timedelta(hours=2)  # of universal time, today and before 1975


def _readings(text: str) -> Iterable[_Reading]:
    """What the cell may mean, the likeliest first."""
    if _WITH_LETTERS.fullmatch(text):
        text = without_look_alikes(text)
    if match := _DAY.fullmatch(text):
        return _three_numbers(list(match.groups()))
    if match := _UTC.match(text):
        return _stamp(match[1])
    if match := _WITH_HOURS.fullmatch(text):
        return _one_number(match[1])
    text = _MONTH_FIRST.sub(r"\2 \1", _TIME.sub("", text))
    text = _MONTH.sub(lambda match: str(_MONTHS.index(match[1].lower()) + 1), text)
    return _numbers(_NUMBERS.findall(text))


def _numbers(numbers: list[str]) -> Iterable[_Reading]:
    if any(len(number) > 8 for number in numbers):
        return ()
    if len(numbers) == 1:
        return _one_number(numbers[0])
    if len(numbers) == 2:
        return _month_and_year(numbers)
    return _three_numbers(numbers) if len(numbers) == 3 else ()


def _stamp(stamp: str) -> Iterator[_Reading]:
    """A date stored as midnight in Viet Nam and exported in universal time falls on the evening before."""
    try:
        moved = datetime.fromisoformat(stamp) + _HOURS_AHEAD
        # ten or eleven o'clock sharp was midnight on the clocks of then
        moved += _ONCE_MORE if moved.hour >= 22 and moved.minute == 0 else timedelta()
        local = moved.date().isoformat()
    except (ValueError, OverflowError):
        local = stamp[:10]
    if local != stamp[:10]:
        yield from _three_numbers(local.split("-"), "time_zone")
    yield from _three_numbers(stamp[:10].split("-"))


def _one_number(number: str) -> Iterator[_Reading]:
    if len(number) == 4:
        yield _Reading(int(number), 0, 0)
    if len(number) in {4, 5} and _FIRST_SERIAL <= int(number) <= _LAST_SERIAL:
        for start in (0, _DAYS_FROM_1900_TO_1904):
            day = date(1899, 12, 30) + timedelta(days=int(number) + start)
            yield _Reading(day.year, day.month, day.day, "serial")
    if len(number) == 6:
        yield from _month_and_year([number[:2], number[2:]])
        yield from _three_numbers([number[:2], number[2:4], number[4:]])
        yield from _month_and_year([number[4:], number[:4]])
    if len(number) == 8:
        year_first = EARLIEST_YEAR <= int(number[:4]) <= LATEST_YEAR and int(number[4:6]) <= 12
        cuts = (0, 4, 6, 8) if year_first else (0, 2, 4, 8)
        yield from _three_numbers([number[a:b] for a, b in pairwise(cuts)])


def _month_and_year(numbers: list[str]) -> Iterator[_Reading]:
    month, year = sorted(numbers, key=len)
    if len(year) == 4 and len(month) <= 2:
        yield _Reading(int(year), int(month), 0)


def _three_numbers(numbers: list[str], how: str = "none") -> Iterator[_Reading]:
    if len(numbers[0]) == 4 or (len(numbers[2]) == 2 and int(numbers[0]) > 31):
        numbers.reverse()
    if max(len(numbers[0]), len(numbers[1])) > 2 or len(numbers[2]) not in {2, 4}:
        return
    day, month, year = map(int, numbers)
    if not any((day, month, year)):
        return
    if len(numbers[2]) == 2:
        how = "two_digit_year"
    if month > 12 >= day > 0:
        day, month, how = month, day, "us_order"
    if not day or not month:
        how = "zero_part"
    for century in (2000, 1900) if len(numbers[2]) == 2 else (0,):
        yield _Reading(century + year, month, day, how)
