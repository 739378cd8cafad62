"""Labels like those of a clerical sample: doses of persons held apart, by stratum, with their hard negatives.

A stratum is drawn with one probability; the weight of a pair is 1 ÷ the probability with which its dose was
drawn (person and dose together). The clerk makes no error. The negatives are those a clerk would be shown:
the owner of the typed number, the twin, namesakes, members of the household. A foreigner or an absent
person has negatives only.
"""

import numpy as np
import pyarrow as pa

from evaluation.population.arrays import Flags, Ints, Texts, texts, years
from evaluation.population.doses import Doses
from evaluation.population.registry import World
from evaluation.population.targets import DIFFERS, EXACT, MALFORMED, NONE

HELD_APART, MOST_PERSONS = 0.15, 45_000
MOST_DOSES = 6_100
STRATA = {EXACT: 0.20, DIFFERS: 0.30, MALFORMED: 0.18, NONE: 0.22, "not in the registry": 0.10}
NEGATIVES = 5
NEAR_YEARS = 3


def hold_apart(person: Ints, rng: np.random.Generator) -> Flags:
    """Which doses belong to the persons whose labels train the model."""
    distinct, which = np.unique(person, return_inverse=True)
    chosen = np.zeros(len(distinct), dtype=bool)
    chosen[rng.permutation(len(distinct))[: min(round(HELD_APART * len(distinct)), MOST_PERSONS)]] = True
    return chosen[which]


def label(doses: Doses, seen: Texts, held: Flags, world: World, rng: np.random.Generator) -> pa.Table:
    """The table ``labels`` for a stratified sample of the doses of ``held`` persons."""
    dose_id, typed = (texts(doses.table[column].to_pylist()) for column in ("dose_id", "national_id"))
    person, registered, numbers = doses.person, world.registered, world.identity.number
    known = (person >= 0) & registered[np.maximum(person, 0)]
    stratum = np.where(known, seen, "not in the registry")
    chosen: list[tuple[int, float]] = []
    for name, share in STRATA.items():
        members = np.flatnonzero(stratum == name)
        able = members[held[members]]
        sample = np.sort(rng.permutation(able)[: round(share * MOST_DOSES)])
        chosen += [(int(index), len(members) / len(sample)) for index in sample]
    neighbours = _Neighbours(world)
    rows: list[tuple[str, str, int, float]] = []
    for index, weight in sorted(chosen):
        who = int(person[index])
        if known[index]:
            rows.append((dose_id[index], numbers[who], 1, weight))
        others = neighbours.of(who, typed[index])
        rows += [(dose_id[index], numbers[other], 0, weight) for other in others]
    day = np.datetime64("2022-05-01", "D")
    return pa.table(
        {
            "dose_id": pa.array([row[0] for row in rows], pa.string()),
            "citizen_id": pa.array([row[1] for row in rows], pa.string()),
            "is_match": pa.array([row[2] for row in rows], pa.int64()),
            "weight": pa.array([round(row[3], 6) for row in rows], pa.float64()),
            "reviewer": pa.array(["synthetic"] * len(rows), pa.string()),
            "decided_at": pa.array([str(day + n * 30 // max(1, len(rows))) for n in range(len(rows))], pa.string()),
        }
    )


class _Neighbours:
    """The registered persons who are easily taken for another."""

    def __init__(self, world: World) -> None:
        people, numbers = world.people, world.identity.number.astype(np.int64)
        self._people, self._registered = people, world.registered
        name = (people.surname * 100_000 + people.middle) * 100_000 + people.given
        self._name = name
        self._order = np.lexsort((people.born, name))
        self._place = np.empty_like(self._order)
        self._place[self._order] = np.arange(len(self._order))
        self._owner_order = np.argsort(numbers, kind="stable")
        self._numbers = numbers[self._owner_order]
        self._year = years(people.born)

    def of(self, who: int, typed: str | None) -> list[int]:
        """Up to five of them, the likeliest to deceive first."""
        found = self._owner(typed)
        if who >= 0:
            found += [int(self._people.twin[who]), *self._namesakes(who), *self._household(who)]
        others = [one for one in dict.fromkeys(found) if one >= 0 and one != who and self._registered[one]]
        return others[:NEGATIVES]

    def _owner(self, typed: str | None) -> list[int]:
        digits = "".join(c for c in typed or "" if c.isdigit())
        if len(digits) not in (11, 12):
            return []
        at = int(np.searchsorted(self._numbers, int(digits)))
        owned = at < len(self._numbers) and self._numbers[at] == int(digits)
        return [int(self._owner_order[at])] if owned else []

    def _namesakes(self, who: int) -> list[int]:
        at = int(self._place[who])
        near = self._order[max(0, at - 4) : at + 5]
        same = near[(self._name[near] == self._name[who]) & (abs(self._year[near] - self._year[who]) <= NEAR_YEARS)]
        apart = abs(self._people.born[same] - self._people.born[who])
        return [int(one) for one in same[np.argsort(apart, kind="stable")]]

    def _household(self, who: int) -> list[int]:
        near = range(max(0, who - 3), min(len(self._place), who + 4))
        household = self._people.household
        return sorted((one for one in near if household[one] == household[who]), key=lambda one: abs(one - who))
