"""Persons in households: ages, names, twins, and strangers who share a name and a birth date."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evaluation.population.arrays import Ints, Texts, days, draw, pick, texts, years
from evaluation.population.names import (
    HIGHLAND,
    HOME,
    Vocabulary,
    draw_givens,
    draw_middles,
    draw_surnames,
    near_givens,
)
from evaluation.population.namesakes import Columns, share_names
from evaluation.population.places import Places

TODAY = int(np.datetime64("2022-01-01", "D").astype(np.int64))
TWIN_PAIRS = 68 / 9_200  # pairs per person
SAME_SEX_TWINS = 0.8
NEAR_TWINS = 0.5  # of twins of one sex: given names one letter or tone apart
HEAD, SPOUSE, CHILD, FATHER, MOTHER = range(5)


@dataclass(frozen=True, slots=True)
class People:
    """One entry per person, in step; persons of a household stand together.

    ``sex`` is 0 F, 1 M; ``born`` counts days since 1970; ``twin`` is the position of the twin or −1;
    ``commune`` a position in `Places`; ``surname``, ``middle`` and ``given`` are codes of the `Vocabulary`.
    """

    household: Ints
    role: Ints
    sex: Ints
    born: Ints
    commune: Ints
    group: Ints
    surname: Ints
    middle: Ints
    given: Ints
    twin: Ints
    name: Texts
    address: Texts
    phone: Ints


def found_households(count: int, places: Places, words: Vocabulary, rng: np.random.Generator) -> People:
    """Synthesise ``count`` persons."""
    household, role, sex, born = _settle_homes(count, rng)
    homes = int(household[-1]) + 1
    home_commune = draw(rng, places.share, homes)
    home_group = _groups(places, home_commune, rng)
    commune, group = home_commune[household], home_group[household]
    region = places.region[commune]
    family = draw_surnames(words, places.region[home_commune], home_group, rng)
    own = draw_surnames(words, region, group, rng)
    surname = np.where((role == SPOUSE) | (role == MOTHER), own, family[household])
    middle = draw_middles(words, sex, years(born), group, rng)
    middle = _shared_by_siblings(household, role, sex, middle, rng)
    given = draw_givens(words, sex, years(born), group, rng)

    twin = _twins(household, role, group, rng)
    _, province = np.unique(places.province, return_inverse=True)
    able = (twin < 0) & (group == 0)
    born, sex, surname, middle, given = share_names(
        (born, sex, surname, middle, given), able, commune, province[commune].astype(np.int64), rng
    )
    born, sex, surname, middle, given = _make_twins_alike((born, sex, surname, middle, given), twin, group, words, rng)
    given = _no_two_alike(
        household,
        (surname, middle, given),
        lambda some: draw_givens(words, sex[some], years(born[some]), group[some], rng),
    )
    return People(
        household, role, sex, born, commune, group, surname, middle, given, twin,
        name=texts(name.strip() for name in words.full(surname, middle, given)),
        address=_addresses(homes, rng)[household],
        phone=_phones(household, homes, TODAY - born, rng),
    )  # fmt: skip


def _settle_homes(count: int, rng: np.random.Generator) -> tuple[Ints, Ints, Ints, Ints]:
    """Household, role, sex and birth date of each person."""
    homes = count // 2 + 50
    head_age = np.clip(rng.gamma(9.0, 5.4, homes), 21, 92)
    couple = rng.random(homes) < np.where(head_age < 70, 0.82, 0.55)
    mean = np.select([head_age < 28, head_age < 50, head_age < 68], [0.8, 1.75, 1.45], 0.5)
    parts = np.column_stack(
        [
            np.ones(homes, dtype=np.int64),
            couple,
            np.minimum(rng.poisson(mean), 6),
            (rng.random(homes) < 0.16) & (head_age < 55),
            (rng.random(homes) < 0.26) & (head_age < 60),
        ]
    )
    parts = parts[np.cumsum(parts.sum(axis=1)) - parts.sum(axis=1) < count]
    homes = len(parts)
    household = np.repeat(np.arange(homes), parts.sum(axis=1))[:count]
    role = np.repeat(np.tile(np.arange(5), homes), parts.ravel())[:count]
    sex = np.select(
        [role == SPOUSE, role == FATHER, role == MOTHER],
        [0, 1, 0],
        np.where((role == HEAD) & couple[household], 1, rng.random(count) < 0.5),
    ).astype(np.int64)
    age = _ages(role, head_age[household], rng)
    born = TODAY - np.floor(age * 365.25 + rng.random(count) * 365).astype(np.int64)
    new_year = (rng.random(count) < 0.03) & (years(born) < 1975)
    born = np.where(new_year, days(born).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64), born)
    return household, role, sex, born


def _ages(role: Ints, head: np.ndarray[tuple[int], np.dtype[np.float64]], rng: np.random.Generator) -> Ints:
    count = len(role)
    child = head - rng.uniform(20, 36, count)
    child = np.where(child < 0, rng.uniform(0, np.maximum(head - 19, 1.0)), child)
    ages = np.select(
        [role == SPOUSE, role == CHILD, (role == FATHER) | (role == MOTHER)],
        [head + rng.normal(-2, 3, count), child, head + rng.uniform(20, 34, count)],
        head,
    )
    return np.clip(ages, 0, 101)


def _groups(places: Places, commune: Ints, rng: np.random.Generator) -> Ints:
    home = [HOME.get(province, (0, 0.0)) for province in places.province]
    group = np.array([entry[0] for entry in home])[commune]
    share = np.array([entry[1] for entry in home])[commune]
    return np.where(rng.random(len(commune)) < share, group, 0)


def _shared_by_siblings(household: Ints, role: Ints, sex: Ints, middle: Ints, rng: np.random.Generator) -> Ints:
    children = np.flatnonzero(role == CHILD)
    _, first, which = np.unique(household[children] * 2 + sex[children], return_index=True, return_inverse=True)
    shared = middle[children[first[which]]]
    result = middle.copy()
    result[children] = np.where(rng.random(len(children)) < 0.6, shared, middle[children])
    return result


def _twins(household: Ints, role: Ints, group: Ints, rng: np.random.Generator) -> Ints:
    count = len(household)
    able = (role == CHILD) & ((group == 0) | (group > HIGHLAND))
    able[:-1] &= (role[1:] == CHILD) & (household[1:] == household[:-1])
    able[-1] = False
    able[1::2] = False  # pairs do not overlap
    firsts = np.flatnonzero(able)
    firsts = np.sort(rng.permutation(firsts)[: round(TWIN_PAIRS * count)])
    twin = np.full(count, -1, dtype=np.int64)
    twin[firsts], twin[firsts + 1] = firsts + 1, firsts
    return twin


def _make_twins_alike(
    columns: Columns, twin: Ints, group: Ints, words: Vocabulary, rng: np.random.Generator
) -> Columns:
    """The second twin takes over the first's birth date, surname, mostly sex and then middle name."""
    born, sex, surname, middle, given = (column.copy() for column in columns)
    second = np.flatnonzero((twin >= 0) & (twin < np.arange(len(twin))))
    first = twin[second]
    born[second], surname[second] = born[first], surname[first]
    alike = rng.random(len(second)) < SAME_SEX_TWINS
    sex[second] = np.where(alike, sex[first], 1 - sex[first])
    year = years(born[second])
    fresh = draw_middles(words, sex[second], year, group[second], rng)
    middle[second] = np.where(alike, middle[first], fresh)
    near = alike & (rng.random(len(second)) < NEAR_TWINS)
    other = draw_givens(words, sex[second], year, group[second], rng)
    given[second] = np.where(near, near_givens(words, given[first], rng), other)
    return born, sex, surname, middle, given


def _no_two_alike(household: Ints, names: tuple[Ints, Ints, Ints], redraw: Callable[[Ints], Ints]) -> Ints:
    """Given names such that no two persons of a household have the same full name."""
    surname, middle, given = names
    given = given.copy()
    while True:
        keys = (given, middle, surname, household)
        order = np.lexsort(keys)
        same = np.logical_and.reduce([column[order[1:]] == column[order[:-1]] for column in keys])
        again = order[1:][same]
        if not len(again):
            return given
        given[again] = redraw(again)


def _addresses(homes: int, rng: np.random.Generator) -> Texts:
    streets = (
        "Nguyễn Trãi",
        "Lê Lợi",
        "Trần Phú",
        "Hùng Vương",
        "Quang Trung",
        "Lý Thường Kiệt",
        "Hai Bà Trưng",
    )
    kind = pick(rng, {"thôn": 5, "tổ": 3, "số": 4, "ấp": 3}, homes)
    one, two, street = (
        rng.integers(1, 15, homes),
        rng.integers(1, 400, homes),
        rng.integers(0, len(streets), homes),
    )
    forms = (
        lambda a, b, _: f"Đội {b % 9 + 1}, thôn {a}",
        lambda a, b, _: f"Tổ {b % 60 + 1}, khu phố {a}",
        lambda _, b, s: f"Số {b} {streets[s]}",
        lambda a, b, _: f"{b}, ấp {a}",
    )
    return texts(forms[k](a, b, s) for k, a, b, s in zip(kind, one, two, street, strict=True))


def _phones(household: Ints, homes: int, age_days: Ints, rng: np.random.Generator) -> Ints:
    """Nine digits after the 0; children and many elders use the household's."""
    prefixes = np.array(
        [
            32,
            33,
            34,
            35,
            36,
            37,
            38,
            39,
            70,
            76,
            77,
            78,
            79,
            81,
            82,
            83,
            84,
            85,
            86,
            90,
            91,
            93,
            94,
            96,
            97,
            98,
        ]
    )

    def draws(size: int) -> Ints:
        return rng.choice(prefixes, size) * 10**7 + rng.integers(0, 10**7, size)

    own, shared = draws(len(household)), draws(homes)[household]
    age = age_days / 365.25
    alone = rng.random(len(household)) < np.select([age < 15, age < 60], [0.0, 0.7], 0.3)
    return np.where(alone, own, shared)
