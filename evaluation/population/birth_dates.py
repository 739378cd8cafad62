"""Birth dates as clerks type them."""

from collections.abc import Mapping

import numpy as np
from lunar_vn import solar_to_lunar

from evaluation.population.arrays import Flags, Ints, Texts, days, texts, years

FORMATS = ("{d:02}/{m:02}/{y}", "{y}-{m:02}-{d:02}", "{d}/{m}/{y}", "{d:02}-{m:02}-{y}", "{d:02}.{m:02}.{y}")
YEAR, TWO_DIGITS, SERIAL, ZEROS, IMPOSSIBLE, MISSING = range(len(FORMATS), len(FORMATS) + 6)
EXCEL_EPOCH = 25_569  # serial of 1970-01-01
LAST_YEAR_BY_MOON = 1964  # of birth, of those who declare the lunar date
FIRST_YEAR_OF_HANOI = 1968  # before, almanacs went by the hour of Beijing


def type_birth_dates(
    born: Ints,
    error: Texts,
    date_format: Ints,
    rng: np.random.Generator,
    *,
    year_only: Flags,
    exact: Flags,
    instead: Mapping[str, Ints],
) -> Texts:
    """Type each birth date with its error ('' for none), in the format of its facility.

    Where the registry knows the year alone, the year is typed, or 1 January, or a date somebody made up. The error
    ``lunar`` is the person's birth date by the moon, for those born late a day off.
    ``instead`` are other dates that may stand in the box, by error.
    """
    count = len(born)
    vague = year_only & (error == "")
    luck = rng.random(count)
    form = date_format.copy()
    form[vague & (exact | (luck < 0.3))] = YEAR
    first = (error == "first of January") | (vague & ~exact & (luck > 0.5))
    year = years(born)
    month, day = _month_day(born)

    typed = np.where(first, _date(year, np.ones_like(year), np.ones_like(year)), born)
    swap = (error == "swap") & (day <= 12) & (day != month)
    typed = np.where(swap, _date(year, np.minimum(day, 12), month), typed)
    digit = (error == "digit") | ((error == "swap") & (day == month))
    typed = np.where(digit, _other_digit(year, month, day, rng), typed)
    other_year = year + np.where(rng.random(count) < 0.5, -1, 1)
    typed = np.where(error == "year off", _date(other_year, month, np.minimum(day, 28)), typed)
    by_moon = (error == "lunar") & (year <= LAST_YEAR_BY_MOON)
    day_off = (error == "day off") | ((error == "lunar") & ~by_moon)
    typed = np.where(day_off, born + np.where(rng.random(count) < 0.7, -1, 1), typed)
    for kind, other in instead.items():
        typed = np.where(error == kind, other, typed)
    for kind, code in (("year", YEAR), ("two digits", TWO_DIGITS), ("serial", SERIAL), ("zeros", ZEROS),
                       ("impossible", IMPOSSIBLE), ("missing", MISSING)):  # fmt: skip
        form[error == kind] = code
    written = write_dates(typed, form)
    written[by_moon] = texts(
        _write_by_moon(int(day), int(code)) for day, code in zip(born[by_moon], form[by_moon], strict=True)
    )
    return written


def write_dates(dates: Ints, form: Ints) -> Texts:
    """Days since 1970 as text; each distinct date and form is written once."""
    low = int(dates.min(initial=0))
    distinct, which = np.unique((dates - low) * 16 + form, return_inverse=True)
    return texts(_write(int(code // 16) + low, int(code % 16)) for code in distinct)[which]


def _write(day: int, form: int) -> str | None:
    date = np.datetime64(day, "D").item()
    if form < len(FORMATS):
        return FORMATS[form].format(d=date.day, m=date.month, y=date.year)
    return (
        str(date.year), f"{date:%d/%m}/{date.year % 100:02d}", str(day + EXCEL_EPOCH), f"00/00/{date.year}",
        f"{31 if date.month != 2 else 30}/{4 if date.month != 2 else 2:02d}/{date.year}", None,
    )[form - len(FORMATS)]  # fmt: skip


def _write_by_moon(day: int, form: int) -> str:
    date = np.datetime64(day, "D").item()
    lunar = solar_to_lunar(date, 7.0 if date.year >= FIRST_YEAR_OF_HANOI else 8.0)
    return FORMATS[form].format(d=lunar.day, m=lunar.month, y=lunar.year)


def _month_day(dates: Ints) -> tuple[Ints, Ints]:
    months = days(dates).astype("datetime64[M]")
    return months.astype(np.int64) % 12 + 1, dates - months.astype("datetime64[D]").astype(np.int64) + 1


def _date(year: Ints, month: Ints, day: Ints) -> Ints:
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int64) + day - 1


def _other_digit(year: Ints, month: Ints, day: Ints, rng: np.random.Generator) -> Ints:
    """One digit of the day, the month or the year replaced, still a date."""
    part = rng.integers(0, 4, len(year))
    other_day = np.where(day >= 10, (day + rng.integers(1, 3, len(day)) * 10 - 10) % 28 + 1, day + 10)
    other_month = (month + rng.integers(1, 3, len(month)) - 1) % 12 + 1
    other_year = year + rng.choice([-10, -3, -2, 2, 3, 4, 10], len(year))
    return np.select(
        [part == 0, part == 1],
        [_date(other_year, month, np.minimum(day, 28)), _date(year, other_month, np.minimum(day, 28))],
        _date(year, month, other_day),
    )
