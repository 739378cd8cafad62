"""Identity numbers as clerks type them."""

from collections.abc import Mapping

import numpy as np

from evaluation.population import number_errors as errors
from evaluation.population.arrays import Flags, Ints, Texts, change, digits, pick, texts
from evaluation.population.people import TODAY
from evaluation.population.registry import World

WRONG_NUMBERS = {"former": 45, "digit": 22, "transposed": 8, "relative": 18, "stranger": 2, "cancelled": 5}
NO_NUMBERS = {
    "missing": 50, "zeros lost": 17, "digit lost": 6, "digit added": 4, "look-alike": 3, "phone": 3,
    "placeholder": 6,
    "two numbers": 3, "exponent": 2, "company": 3, "insurance": 1, "staff": 2,
}  # fmt: skip
REWRITES = {
    "digit": errors.wrong_digit, "transposed": errors.transpose, "zeros lost": errors.lose_zeros,
    "digit lost": errors.drop_digit, "digit added": errors.extra_digit, "look-alike": errors.look_alike,
    "placeholder": errors.placeholder, "two numbers": errors.two_numbers, "exponent": errors.exponent,
}  # fmt: skip
MINORS_RELATIVES = 0.5  # wrong numbers of minors that are a relative's
SEPARATED = 0.05


def number_mistakes(
    kinds: tuple[Flags, Flags], world: World, who: Ints, relative: Ints, rng: np.random.Generator
) -> Texts:
    """The mistake made with each number, '' for none; ``kinds``: a wrong number, none usable."""
    count, identity = len(who), world.identity
    drawn = texts(WRONG_NUMBERS)[pick(rng, WRONG_NUMBERS, count)]
    minor = TODAY - world.people.born[who] < 18 * 365
    drawn = np.where(minor & (rng.random(count) < MINORS_RELATIVES), "relative", drawn)
    drawn = np.where((drawn == "former") & (identity.former[who] == ""), "relative", drawn)
    drawn = np.where((drawn == "relative") & (relative == who), "digit", drawn)
    cancelled = identity.cancelled[who] != ""
    drawn = np.where((drawn == "cancelled") & ~cancelled, "digit", drawn)
    drawn = np.where(cancelled & (rng.random(count) < 0.5), "cancelled", drawn)
    none = texts(NO_NUMBERS)[pick(rng, NO_NUMBERS, count)]
    return np.select(kinds, [drawn, none], "")


def type_numbers(
    mistake: Texts, who: Ints, others: Mapping[str, Texts], world: World, rng: np.random.Generator
) -> Texts:
    """Type each number with its mistake; ``others`` are what may stand in the box instead, by mistake."""
    identity = world.identity
    instead = {
        "former": identity.former[who], "cancelled": identity.cancelled[who],
        "insurance": identity.insurance[who],
        "staff": "NV" + digits(rng.integers(1, 5000, len(who)), 5),
        "stranger": _nearest(identity.number)[who],
        **others,
    }  # fmt: skip
    number = identity.number[who]
    for name, column in instead.items():
        number = np.where(mistake == name, column, number)
    number[mistake == "missing"] = None
    for name, rewrite in REWRITES.items():
        change(number, np.flatnonzero(mistake == name), rewrite, int(rng.integers(2**31)))
    separated = (mistake == "") & (rng.random(len(who)) < SEPARATED)
    change(number, np.flatnonzero(separated), errors.number_format, int(rng.integers(2**31)))
    return number


def _nearest(numbers: Texts) -> Texts:
    """The number nearest by value: mostly the same prefix, sex and year."""
    order = np.argsort(numbers.astype(np.int64), kind="stable")
    result = numbers.copy()
    result[order[:-1]] = numbers[order[1:]]
    return result
