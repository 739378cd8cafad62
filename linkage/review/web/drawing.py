"""Bars of a chart, in the units of its view box."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

__all__ = ["Bar", "Chart", "bars"]

WIDTH, HEIGHT, TOP, BOTTOM = 700, 150, 18, 22


@dataclass(frozen=True, slots=True)
class Bar:
    """One day."""

    day: date
    cases: int
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """Where its words stand."""
        return round(self.x + self.width / 2, 1)


@dataclass(frozen=True, slots=True)
class Chart:
    """All days, and the line they stand on."""

    bars: tuple[Bar, ...]
    width: int = WIDTH
    height: int = HEIGHT
    floor: int = HEIGHT - BOTTOM


def bars(days: Sequence[tuple[date, int]]) -> Chart:
    """A bar for each day.

    Args:
        days: each with the cases decided on it, the earliest first; at least one.
    """
    step, most = WIDTH / len(days), max(1, *(cases for _, cases in days))
    room = HEIGHT - TOP - BOTTOM
    return Chart(
        tuple(
            Bar(
                day=day,
                cases=cases,
                x=round(place * step + step * 0.15, 1),
                y=round(TOP + room * (1 - cases / most), 1),
                width=round(step * 0.7, 1),
                height=round(room * cases / most, 1),
            )
            for place, (day, cases) in enumerate(days)
        )
    )
