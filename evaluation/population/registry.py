"""The registry: personal numbers, former numbers, its own errors, and who is missing from it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from evaluation.population.arrays import Flags, Ints, Texts, change, days, digits, keep, years
from evaluation.population.name_errors import misspell
from evaluation.population.people import TODAY, People
from evaluation.population.places import Places

PREFIXES = np.array([3, 5, 99])  # unassigned province codes, standing for North, Centre and South
TWICE_REGISTERED = 0.0002
CANCELLED = 0.004  # numbers cancelled and issued anew
ERRORS = {"name": 0.0014, "birth date": 0.0010, "sex": 0.0005}
YEAR_ONLY_ELDERS, ELDERS_BORN_BEFORE = 0.25, 1960
STALE_PHONES = 0.22
HELD = {"commune": 0.995, "address": 0.9, "phone": 0.35, "insurance": 0.65, "former number": 0.6}


@dataclass(frozen=True, slots=True)
class Identity:
    """Numbers of each person, in step with `People`; ``former`` and ``cancelled`` may be ''."""

    number: Texts
    former: Texts
    cancelled: Texts
    insurance: Texts
    year_only: Flags


@dataclass(frozen=True, slots=True)
class World:
    """The persons, their numbers, where they live, and who of them stands in the registry."""

    people: People
    identity: Identity
    places: Places
    registered: Flags


def identify(people: People, places: Places, rng: np.random.Generator) -> Identity:
    """Give every person a 12-digit number, most adults a former 9-digit one, and an insurance number."""
    count = len(people.sex)
    year, region = years(people.born), places.region[people.commune]
    moved = rng.random(count) < 0.06
    birth_region = np.where(moved & (people.twin < 0), rng.integers(0, 3, count), region)
    century_sex = np.where(year < 2000, 0, 2) + (1 - people.sex)
    stem = (PREFIXES[birth_region] * 10 + century_sex) * 100 + year % 100
    cancelled = rng.random(count) < CANCELLED
    numbers = _distinct(np.concatenate([stem, stem[cancelled]]) * 10**6, 10**6, rng)
    earlier = np.zeros(count, dtype=np.int64)
    earlier[cancelled] = numbers[count:]
    had_card = (TODAY - people.born > 16 * 365) & (rng.random(count) < np.where(year < 2000, 0.93, 0.55))
    cards = _distinct(np.full(count, 10_000_000), 380_000_000, rng)
    insurance = _distinct(np.full(count, 10**8), 9 * 10**9, rng)
    none = np.array("", dtype=object)
    return Identity(
        number=digits(numbers[:count], 12),
        former=np.where(had_card, digits(cards, 9), none),
        cancelled=np.where(cancelled, digits(earlier, 12), none),
        insurance=digits(insurance, 10),
        year_only=(year < ELDERS_BORN_BEFORE) & (rng.random(count) < YEAR_ONLY_ELDERS),
    )


def registry_table(world: World, vaccinated: Flags, rows: int, rng: np.random.Generator) -> pa.Table:
    """The table ``citizens`` of exactly ``rows`` rows: the registered persons, a few of them twice."""
    people, identity = world.people, world.identity
    once = np.flatnonzero(world.registered)
    again = np.sort(rng.choice(once, rows - len(once), replace=False))
    who = np.concatenate([once, again])
    number = identity.number[who]
    second = np.arange(len(once), rows)
    number[second] = _reissue(number[second], set(identity.number), rng)

    name, sex, born = people.name[who], people.sex[who], people.born[who]
    change(name, np.flatnonzero(rng.random(rows) < ERRORS["name"]), misspell, int(rng.integers(2**31)))
    wrong_sex = rng.random(rows) < ERRORS["sex"]
    sex = np.where(wrong_sex, 1 - sex, sex)
    wrong_date = rng.random(rows) < ERRORS["birth date"]
    born = born + np.where(wrong_date, rng.choice([-365, -31, -10, -1, 1, 9, 30, 366], rows), 0)
    written = days(born).astype(str).astype(object)
    written = np.where(identity.year_only[who], years(born).astype(str).astype(object), written)

    order = rng.permutation(rows)
    held = {field: rng.random(rows) < share for field, share in HELD.items()}
    official = [level[people.commune[who]] for level in world.places.written[0]]
    columns = {
        "citizen_id": number,
        "full_name": name,
        "previous_ids": _former(identity, who, held["former number"], rng),
        "date_of_birth": written,
        "sex": np.where(sex == 1, np.array("Nam", dtype=object), np.array("Nữ", dtype=object)),
        "province": official[0],
        "district": official[1],
        "commune": keep(official[2], held["commune"]),
        "address": keep(people.address[who], held["address"]),
        "phone": keep("0" + digits(_known_phones(people.phone[who], rng), 9), held["phone"]),
        "health_insurance_no": keep(identity.insurance[who], held["insurance"]),
        "deceased_on": _deaths(TODAY - people.born[who], vaccinated[who], rng),
    }
    return pa.table({field: pa.array(column[order], pa.string()) for field, column in columns.items()})


def _distinct(base: Ints, room: int, rng: np.random.Generator) -> Ints:
    """Add to each base a random number below ``room`` such that all sums differ."""
    numbers = base + rng.integers(0, room, len(base))
    while True:
        order = np.argsort(numbers, kind="stable")
        again = order[1:][numbers[order[1:]] == numbers[order[:-1]]]
        if not len(again):
            return numbers
        numbers[again] = base[again] + rng.integers(0, room, len(again))


def _reissue(numbers: Texts, taken: set[str], rng: np.random.Generator) -> Texts:
    fresh = numbers.copy()
    for index, number in enumerate(numbers):
        while fresh[index] in taken:
            fresh[index] = number[:6] + f"{rng.integers(10**6):06d}"
        taken.add(fresh[index])
    return fresh


def _former(identity: Identity, who: Ints, held: Flags, rng: np.random.Generator) -> Texts:
    former = np.where(held, identity.former[who], "")
    two = (former != "") & (rng.random(len(who)) < 0.08)
    other = digits(rng.integers(10_000_000, 390_000_000, len(who)), 9)
    former = np.where(two, former + ";" + other, former)
    known = (identity.cancelled[who] != "") & (rng.random(len(who)) < 0.6)
    join = np.where((former != "") & known, ";", "").astype(object)
    former = former + join + np.where(known, identity.cancelled[who], "")
    return keep(former, former != "")


def _known_phones(phone: Ints, rng: np.random.Generator) -> Ints:
    """The registry keeps the number somebody had years ago."""
    other = 900_000_000 + rng.integers(0, 90_000_000, len(phone))
    return np.where(rng.random(len(phone)) < STALE_PHONES, other, phone)


def _deaths(age_days: Ints, vaccinated: Flags, rng: np.random.Generator) -> Texts:
    dead = rng.random(len(age_days)) < np.where(age_days > 65 * 365, 0.03, 0.002)
    early = np.datetime64("2019-01-01", "D").astype(np.int64)
    late = np.datetime64("2022-09-01", "D").astype(np.int64)
    date = np.where(vaccinated, late + rng.integers(0, 120, len(dead)), early + rng.integers(0, 1200, len(dead)))
    return keep(days(date).astype(str).astype(object), dead & (date > TODAY - age_days))
