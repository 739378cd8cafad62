"""Lunar dates: the days a date stands for when it was counted by the moon."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache

from lunar_vn import LunarDate, lunar_to_solar, solar_to_lunar

_HANOI, _BEIJING = 7.0, 8.0  # hours from universal time
# the North left the calendar of Beijing's hour in 1968, the South in 1975
_LAST_YEAR_OF_BEIJING = 1975


def solar_dates(year: int, month: int, day: int) -> list[str]:
    """The days YYYY-MM-DD that day, month and year of the lunar calendar may be, in order; none if it has no such day.

    There are two when the month was repeated as a leap month, and up to 1975 when the calendars of Hà Nội's and
    Beijing's hour, both in use, began the month on different days. Years from 1900.
    """
    starts = sorted({start for start, length in _months(year, month) if day <= length})
    return [(start + timedelta(days=day - 1)).isoformat() for start in starts]


@cache
def _months(year: int, month: int) -> frozenset[tuple[date, int]]:
    """First day and number of days of a month of the lunar calendar, as often as it may have been."""
    zones = (_HANOI, _BEIJING) if year <= _LAST_YEAR_OF_BEIJING else (_HANOI,)
    return frozenset(found for zone in zones for found in _in_zone(year, month, zone))


def _in_zone(year: int, month: int, zone: float) -> Iterator[tuple[date, int]]:
    for leap in (False, True):
        try:
            start = lunar_to_solar(LunarDate(1, month, year, leap), zone)
        except ValueError:  # the year has another leap month
            continue
        if solar_to_lunar(start, zone).leap == leap:
            has_thirtieth = solar_to_lunar(start + timedelta(days=29), zone).day == 30
            yield start, 29 + has_thirtieth
