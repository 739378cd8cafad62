"""Who is vaccinated, under which profiles, at which facility, and how well each profile is typed."""

from dataclasses import dataclass

import numpy as np

from evaluation.population.arrays import Flags, Ints, draw, pick, years
from evaluation.population.people import People
from evaluation.population.places import Places
from evaluation.population.registry import World

EXACT, WRONG, NO_ID, FOREIGN = range(4)
CLASSES = {
    EXACT: 0.562,
    WRONG: 0.228,
    NO_ID: 0.210,
}  # of records: typed right, something wrong, no usable number
SPLIT_CLASSES = {EXACT: 0.30, WRONG: 0.34, NO_ID: 0.36}  # of the second profile of a person
DOSES_A_PROFILE = {EXACT: (0.10, 0.415, 0.385, 0.10), WRONG: (0.18, 0.47, 0.285, 0.065)}
DOSES_A_SPLIT = (0.62, 0.38, 0.0, 0.0)
SPLIT = 0.05
FOREIGN_DOSES = 0.003
ENTERED_TWICE = 0.015
ABSENT = 0.02  # of the vaccinated, missing from the registry
MEAN_DOSES = 2.50  # a vaccinated person
MIGRANTS = 0.12  # of those aged 18–39 live in another province than the registry says


@dataclass(frozen=True, slots=True)
class Subjects:
    """One entry per profile, in step, the profiles of a person next to each other.

    ``person`` is a position in `People`, or −1 − n for the n-th foreigner; ``kind`` is EXACT, WRONG, NO_ID
    or FOREIGN; ``commune`` is where the person lives now.
    """

    person: Ints
    kind: Ints
    doses: Ints
    commune: Ints
    split: Flags


def count_vaccinated(citizens: int, doses: int) -> int:
    """How many residents are vaccinated to make up ``doses`` doses."""
    return max(1, min(round(doses * (1 - ENTERED_TWICE - FOREIGN_DOSES) / MEAN_DOSES), round(0.98 * citizens)))


def choose_absent(people: People, count: int, rng: np.random.Generator) -> Flags:
    """Persons of vaccination age missing from the registry; a twin or an elder more often than by chance."""
    age = _age(people)
    weight = np.where(age >= 12, 1.0, 0.02) * np.where(people.twin >= 0, 6.0, 1.0) * np.where(age > 75, 2.0, 1.0)
    absent = np.zeros(len(age), dtype=bool)
    absent[rng.choice(len(age), count, replace=False, p=weight / weight.sum())] = True
    return absent


def enrol(world: World, vaccinated: int, doses: int, rng: np.random.Generator) -> Subjects:
    """Profiles whose doses add up to ``doses``: every absent person, others by age, and foreigners."""
    people, places, absent = world.people, world.places, ~world.registered
    age = _age(people)
    chance = np.select([absent, age >= 12, age >= 5], [1e9, 1.0, 0.05], 0.001)
    rank = rng.random(len(age)) ** (1 / chance)
    # the largest ranks are a sample weighted by chance (Efraimidis and Spirakis 2006)
    who = np.sort(np.argsort(-rank, kind="stable")[:vaccinated])
    first_kind = pick(rng, CLASSES, len(who))
    again = np.flatnonzero(rng.random(len(who)) < SPLIT)
    foreigners = round(doses * FOREIGN_DOSES / 2.2)
    person = np.concatenate([who, who[again], -1 - np.arange(foreigners)])
    kind = np.concatenate([first_kind, pick(rng, SPLIT_CLASSES, len(again)), np.full(foreigners, FOREIGN)])
    split = np.zeros(len(person), dtype=bool)
    split[len(who) : len(who) + len(again)] = True
    share = np.where(kind[:, None] == EXACT, DOSES_A_PROFILE[EXACT], DOSES_A_PROFILE[WRONG])
    share[split] = DOSES_A_SPLIT
    count = 1 + (rng.random(len(person))[:, None] > np.cumsum(share, axis=1)[:, :3]).sum(axis=1)
    count = np.where(np.isin(person, who[again]), np.minimum(count, 2), count)  # nobody has more than four
    count = _adjust(count, doses, rng)
    moved = (age >= 18) & (age < 40) & (rng.random(len(age)) < MIGRANTS)
    now = np.where(moved, _elsewhere(people.commune, places, rng), people.commune)
    commune = np.where(person >= 0, now[np.maximum(person, 0)], draw(rng, places.share, len(person)))
    order = np.lexsort((split, person))
    return Subjects(person[order], kind[order], count[order], commune[order], split[order])


def _age(people: People) -> Ints:
    return 2022 - years(people.born)


def _adjust(count: Ints, total: int, rng: np.random.Generator) -> Ints:
    """Move single profiles by one dose until the doses add up."""
    while (gap := total - int(count.sum())) != 0:
        wishes = ((count > 1) & (count < 4), count < 4, count > 0) if gap > 0 else (count > 1, count > 0)
        able = next(wish for wish in wishes if wish.any())
        chosen = rng.permutation(np.flatnonzero(able))[: abs(gap)]
        count[chosen] += np.sign(gap)
    return count


def _elsewhere(commune: Ints, places: Places, rng: np.random.Generator) -> Ints:
    target = draw(rng, places.share, len(commune))
    for _ in range(8):
        same = np.flatnonzero(places.province[target] == places.province[commune])
        target[same] = draw(rng, places.share, len(same))
    return target
