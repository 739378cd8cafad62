"""Labels like those of a clerical sample: doses drawn by stratum, with their hard negatives.

They are of persons held apart at random, so that all others are like anybody. Of the doses of a stratum every so many
is drawn, from a random one on, in a random order of persons, so that few persons have two of them drawn; the weight of
a pair is 1 ÷ the probability of its dose, of being held apart and drawn (systematic sampling: Cochran 1977, section
8.1). The clerk makes no error. The negatives are those a clerk would be shown: the
owner of the typed number, the twin, namesakes, members of the household. A foreigner or an absent person has negatives
only; with nobody alike, a row without a citizen says so.
"""

import numpy as np
import pyarrow as pa

from evaluation.population.arrays import Flags, Floats, Ints, Texts, texts, years
from evaluation.population.doses import Doses
from evaluation.population.registry import World
from evaluation.population.targets import DIFFERS, EXACT, MALFORMED, NONE

HELD_APART, MOST_PERSONS = 0.5, 150_000
MOST_DOSES = 30_000
LEAST_STEP = 2.0
STRATA = {EXACT: 0.45, DIFFERS: 0.20, MALFORMED: 0.14, NONE: 0.17, "not in the registry": 0.04}
NEGATIVES = 5
NEAR_YEARS = 3


def hold_apart(person: Ints, rng: np.random.Generator) -> Flags:
    """Which doses belong to the persons whose labels train the model."""
    distinct, which = np.unique(person, return_inverse=True)
    chosen = np.zeros(len(distinct), dtype=bool)
    chosen[rng.permutation(len(distinct))[: min(round(HELD_APART * len(distinct)), MOST_PERSONS)]] = True
    return chosen[which]


def draw(doses: Doses, seen: Texts, held: Flags, world: World, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """The doses that are labelled, of those of persons held apart, ascending, and their weights."""
    person, registered = doses.person, world.registered
    known = (person >= 0) & registered[np.maximum(person, 0)]
    stratum = np.where(known, seen, "not in the registry")
    distinct, which = np.unique(person, return_inverse=True)
    place = rng.permutation(len(distinct))[which]
    drawn, weights = [], []
    for name, share in STRATA.items():
        every = np.count_nonzero(stratum == name)
        members = np.flatnonzero(held & (stratum == name))
        members = members[np.argsort(place[members], kind="stable")]
        step = max(LEAST_STEP, len(members) / (share * MOST_DOSES))
        chosen = np.floor(np.arange(rng.random() * step, len(members), step)).astype(np.int64)
        drawn.append(members[chosen])
        weights.append(np.full(len(chosen), every / max(1, len(chosen))))
    index = np.concatenate(drawn)
    order = np.argsort(index)
    return index[order], np.concatenate(weights)[order]


def label(doses: Doses, drawn: Ints, weights: Floats, world: World) -> pa.Table:
    """The table ``labels`` for the doses drawn."""
    dose_id, typed = (texts(doses.table[column].to_pylist()) for column in ("dose_id", "national_id"))
    person, registered, numbers = doses.person, world.registered, world.identity.number
    neighbours = _Neighbours(world)
    rows: list[tuple[str, str | None, int, float]] = []
    for index, weight in zip(drawn.tolist(), weights.tolist(), strict=True):
        who = int(person[index])
        known = who >= 0 and bool(registered[who])
        if known:
            rows.append((dose_id[index], numbers[who], 1, weight))
        others = [numbers[other] for other in neighbours.of(who, typed[index])]
        rows += [(dose_id[index], other, 0, weight) for other in others]
        if not others and not known:
            rows.append((dose_id[index], None, 0, weight))
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
