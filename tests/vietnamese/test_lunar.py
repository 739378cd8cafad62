"""Lunar dates against the calendar itself."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lunar_vn import solar_to_lunar

from linkage.vietnamese import parse_birth_date
from linkage.vietnamese.lunar import solar_dates

days = st.dates(date(1900, 2, 1), date(2026, 12, 31))


@given(days)
def test_a_day_is_among_the_days_of_its_lunar_date(day: date) -> None:
    for zone in (7.0, 8.0) if day.year < 1976 else (7.0,):
        lunar = solar_to_lunar(day, zone)
        assert day.isoformat() in solar_dates(lunar.year, lunar.month, lunar.day)


@given(st.integers(1900, 2025), st.integers(1, 12), st.integers(1, 31))
def test_every_day_found_has_the_lunar_date(year: int, month: int, day: int) -> None:
    found = solar_dates(year, month, day)
    assert found == sorted(set(found))
    assert day == 30 or bool(found) == (day < 30)
    for text in found:
        lunar = [solar_to_lunar(date.fromisoformat(text), zone) for zone in (7.0, 8.0)]
        assert (day, month, year) in {(each.day, each.month, each.year) for each in lunar}


@given(days)
def test_a_declared_lunar_date_leads_to_the_day(day: date) -> None:
    lunar = solar_to_lunar(day, 7.0)
    born = parse_birth_date(f"{lunar.day:02}/{lunar.month:02}/{lunar.year}")
    assert born is None or day.isoformat() in born.solar
    assert born is not None or lunar.year < 1900


@pytest.mark.parametrize(
    ("year", "new_year"),
    [(1968, ["1968-01-29", "1968-01-30"]), (1985, ["1985-01-21"]), (2007, ["2007-02-17"]), (2022, ["2022-02-01"])],
)
def test_new_year(year: int, new_year: list[str]) -> None:
    assert solar_dates(year, 1, 1) == new_year
