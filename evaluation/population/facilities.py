"""Facilities, and the habits by which they spoil what they type."""

from dataclasses import dataclass

import numpy as np

from evaluation.population.arrays import Flags, Ints, Texts, draw
from evaluation.population.places import Places

ORDINARY = 3  # facilities of a commune without a bad habit
HABITS = (
    "plain names", "swapped dates", "numeric cells", "first of January", "own commune", "legacy fonts",
    "company number", "serial dates",
)  # fmt: skip
SLOTS = ORDINARY + len(HABITS)
HABIT_OF = {
    "plain": "plain names", "tcvn3": "legacy fonts", "utf8_as_cp1252": "legacy fonts", "viqr": "legacy fonts",
    "swap": "swapped dates",
    "zeros lost": "numeric cells", "exponent": "numeric cells", "first of January": "first of January",
    "company": "company number", "serial": "serial dates",
}  # fmt: skip
TYPED_THERE = 0.8  # errors of a habit that come from the facility with the habit
OWN_COMMUNE = 0.04


@dataclass(frozen=True, slots=True)
class Facilities:
    """How each facility writes: one entry per commune × slot."""

    date_format: Ints
    name_style: Ints
    sex_style: Ints
    place_style: Ints
    seat: Ints  # per commune: the commune of its district that holds the facilities with a habit

    @classmethod
    def found(cls, places: Places, rng: np.random.Generator) -> "Facilities":
        count = len(places.share) * SLOTS
        _, seat, which = np.unique(places.district, return_index=True, return_inverse=True)
        return cls(
            date_format=draw(rng, np.array([50.0, 25, 10, 10, 5]), count),
            name_style=draw(rng, np.array([72.0, 20, 4, 4]), count),
            sex_style=draw(rng, np.array([70.0, 12, 10, 8]), count),
            place_style=draw(rng, np.array([55.0, 20, 14, 4, 3, 4]), count),
            seat=seat[which].astype(np.int64),
        )

    def choose(self, commune: Ints, mistakes: tuple[Texts, ...], rng: np.random.Generator) -> tuple[Ints, Flags]:
        """The facility that typed each record, and whether it typed its own commune for everybody.

        It is an ordinary one of ``commune``, or one of the district whose habit is among the ``mistakes``.
        """
        habit = np.full(len(commune), -1)
        for error, name in HABIT_OF.items():
            for made in mistakes:
                habit[made == error] = HABITS.index(name)
        habit[rng.random(len(commune)) > TYPED_THERE] = -1
        own = (habit < 0) & (rng.random(len(commune)) < OWN_COMMUNE)
        habit[own] = HABITS.index("own commune")
        ordinary = commune * SLOTS + rng.integers(0, ORDINARY, len(commune))
        return np.where(habit >= 0, self.seat[commune] * SLOTS + ORDINARY + habit, ordinary), own
