"""Birth dates as clerks type them, against the reader of the engine."""

from datetime import date

import numpy as np
import pytest

from evaluation.population.birth_dates import FORMATS, type_birth_dates
from linkage.vietnamese import parse_birth_date

DAYS = np.arange(-20_000, 18_000, 37)  # 1915 to 2019


def typed(born: np.ndarray, error: str) -> list[str | None]:
    rng = np.random.default_rng(1)
    count = len(born)
    return list(
        type_birth_dates(
            born.astype(np.int64), np.full(count, error, dtype=object), rng.integers(0, len(FORMATS), count), rng,
            year_only=np.zeros(count, dtype=bool), exact=np.zeros(count, dtype=bool), instead={},
        )
    )  # fmt: skip


def iso(days: np.ndarray) -> list[str]:
    return [str(np.datetime64(int(day), "D")) for day in days]


def test_a_date_without_error_is_read_as_it_is() -> None:
    readings = [parse_birth_date(text or "") for text in typed(DAYS, "")]
    assert [born and born.value for born in readings] == iso(DAYS)


def test_an_elder_declares_the_lunar_date() -> None:
    elders = DAYS[iso(DAYS).index(next(day for day in iso(DAYS) if day > "1916")) :]
    elders = elders[[day < "1965" for day in iso(elders)]]
    readings = [parse_birth_date(text or "") for text in typed(elders, "lunar")]
    assert len(readings) > 400
    for born, day in zip(readings, iso(elders), strict=True):
        assert born is not None
        assert day in born.solar
        assert born.value != day


def test_who_is_born_late_has_a_day_off() -> None:
    late = DAYS[[day >= "1965" for day in iso(DAYS)]]
    for text, day in zip(typed(late, "lunar"), iso(late), strict=True):
        born = parse_birth_date(text or "")
        assert born is not None
        assert abs((date.fromisoformat(born.value) - date.fromisoformat(day)).days) == 1


@pytest.mark.parametrize("error", ["swap", "two digits", "serial"])
def test_the_true_date_is_among_the_readings(error: str) -> None:
    for text, day in zip(typed(DAYS, error), iso(DAYS), strict=True):
        born = parse_birth_date(text or "")
        assert born is not None
        if error != "swap" or (int(day[8:]) <= 12 and day[8:] != day[5:7]):
            assert day in {born.value, *born.readings}
