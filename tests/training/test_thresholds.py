"""Thresholds keep what they promise: on samples of known error rates, and in what may and may not move them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import CAUTION, NEVER, OTHER
from training.proof import lacking, rate
from training.thresholds import ACCEPT, OF_A_STRATUM, REVIEW, Chosen, Outcomes, choose_thresholds
from training.vectors import Bools, Floats, Ints

NAMES = ("plain", "hard", OTHER, CAUTION)


def choose(outcomes: Outcomes, false: float, missed: float = 0.02, of_a_stratum: float | None = None) -> Chosen:
    return choose_thresholds(
        outcomes,
        NAMES,
        CAUTION,
        max_false_link_rate=false,
        max_missed_link_rate=missed,
        max_false_link_rate_of_a_stratum=of_a_stratum,
    )


def of(probability: Floats, right: Bools, stratum: Ints, weight: Floats | float = 1.0) -> Outcomes:
    """Doses of a person each; a citizen that is not the best candidate is none of the others."""
    doses = len(probability)
    return Outcomes(
        probability=np.asarray(probability, dtype=float),
        any_probability=np.asarray(probability, dtype=float),
        right=right,
        has_citizen=right,
        found=right,
        stratum=np.asarray(stratum, dtype=np.int64),
        weight=np.ones(doses) * weight,
        person=np.arange(doses),
    )


def draw(seed: int, doses: int, bold: float = 1.0) -> Outcomes:
    """Doses wrong ``bold`` times as often as their probability says; the hard stratum is drawn four times as densely.

    Of some, another candidate is the citizen, and a few have no candidate.
    """
    generator = np.random.default_rng(seed)
    stratum = generator.choice(5, doses, p=(0.5, 0.3, 0.05, 0.1, 0.05))
    error = np.exp2(-generator.gamma(4, np.array([3.0, 1.6, 1.6, 2.0, 1.0])[stratum]))
    none = stratum == 4
    probability = np.where(none, 0.0, 1 - error)
    right = ~none & (generator.random(doses) >= np.minimum(bold * error, 1))
    found = right | (~none & (generator.random(doses) < 0.3))
    return Outcomes(
        probability=probability,
        any_probability=probability + (1 - probability) * 0.3 * ~none,
        right=right,
        has_citizen=found | (generator.random(doses) < 0.1),
        found=found,
        stratum=np.where(none, -1, stratum),
        weight=np.where(stratum == 1, 1.0, 4.0),
        person=np.arange(doses),
    )


def accepted(outcomes: Outcomes, chosen: Chosen) -> np.ndarray:
    accept = np.array([*(chosen.thresholds.accept[name] for name in NAMES), NEVER])
    return np.asarray(outcomes.probability >= accept[outcomes.stratum])


BITS = np.tile(np.linspace(5.1, 14, 60), 3)
STRATUM = np.repeat(np.arange(3), 60)
SHARE = np.array([0.6, 0.3, 0.1])[STRATUM] * np.exp2(-BITS / 8)
SHARE /= SHARE.sum()
"""Kinds of doses by the certainty they claim, their stratum, and their share of a population."""

TOLERANCE = 0.01
POPULATIONS = {
    # how often each kind is wrong; whether most samples prove something
    "bolder from stratum to stratum": (np.exp2(-BITS) * np.array([1.0, 3.0, 6.0])[STRATUM], True),
    "all a little worse than tolerated": (np.full(180, 1.02 * TOLERANCE), False),
    "a small stratum a little worse than tolerated in it": (
        np.where(STRATUM == 2, 1.02 * OF_A_STRATUM * TOLERANCE, 0.0),
        True,
    ),
}


@pytest.mark.parametrize("population", POPULATIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_promise_holds(population: str, weighted: bool) -> None:
    """Realised false links, over all and in each stratum, exceed the tolerances in at most 5 % of the samples."""
    doses, rounds = 1500, 400
    error, often = POPULATIONS[population]
    probability = 1 - np.exp2(-BITS)
    # a weighted sample has as many doses of each stratum
    drawn = SHARE / np.bincount(STRATUM, SHARE)[STRATUM] / 3 if weighted else SHARE
    beyond, of_one, some = 0, np.zeros(3), 0
    for seed in range(rounds):
        generator = np.random.default_rng(seed)
        kind = generator.choice(len(SHARE), doses, p=drawn)
        sample = of(probability[kind], generator.random(doses) >= error[kind], STRATUM[kind], (SHARE / drawn)[kind])
        accept = choose(sample, TOLERANCE).thresholds.accept
        accepts = SHARE * (probability >= np.array([accept[name] for name in NAMES])[STRATUM])
        if accepts.any():
            some += 1
            beyond += bool(accepts @ error / accepts.sum() > TOLERANCE)
            for place in np.unique(STRATUM[accepts > 0]):
                own = accepts * (place == STRATUM)
                of_one[place] += own @ error / own.sum() > OF_A_STRATUM * TOLERANCE
    at_most = 0.05 + 3 * math.sqrt(0.05 * 0.95 / rounds)
    assert (some > rounds / 2) == often
    assert beyond / rounds <= at_most
    assert of_one.max() / rounds <= at_most


@pytest.mark.parametrize("seed", range(3))
def test_what_is_proven_is_within_the_tolerances(seed: int) -> None:
    outcomes = draw(seed, 6000)
    chosen = choose(outcomes, 0.004, 0.2)
    found = chosen.evidence
    taken = accepted(outcomes, chosen)
    assert taken.any()
    assert found["false_links"]["bound"] <= 0.004
    assert (found["false_links"]["doses"], found["false_links"]["errors"]) == (
        taken.sum(),
        (taken & ~outcomes.right).sum(),
    )
    rejected = ~taken & ((outcomes.any_probability < chosen.thresholds.review) | (outcomes.stratum < 0))
    assert found["missed_links"]["doses"] == rejected.sum()
    assert found["missed_links"]["errors"] == (rejected & outcomes.has_citizen).sum()
    assert found["missed_by_blocking"]["errors"] == (rejected & outcomes.has_citizen & ~outcomes.found).sum()
    below = ~taken & (outcomes.any_probability < chosen.thresholds.review)
    assert rate(outcomes.found, below, outcomes.weight, outcomes.person).bound <= 0.2
    for place, name in enumerate(NAMES):
        of_one = found["strata"][name]
        assert of_one["doses"] == (outcomes.stratum == place).sum()
        assert of_one["false_links"]["errors"] == (taken & ~outcomes.right & (outcomes.stratum == place)).sum()
        assert of_one["lacking"] == chosen.lacking.get(name, 0)
        if chosen.thresholds.accept[name] != NEVER:
            assert of_one["false_links"]["bound"] <= 0.04
    every = outcomes.weight.sum()
    assert found["accepted_share"] == pytest.approx(outcomes.weight[taken].sum() / every)
    assert found["review_share"] == pytest.approx(outcomes.weight[~taken & ~rejected].sum() / every)


LEAST = min(ACCEPT)
RATES = st.sampled_from((1e-6, 0.0004, 0.002, 0.01, 0.05, 0.3))


@given(st.integers(0, 999), st.integers(0, 3000), st.sampled_from((0.3, 1.0, 5.0)), RATES, RATES)
@settings(max_examples=60, deadline=None)
def test_thresholds_are_of_the_fixed_sequences_and_never_below_what_is_accepted_at_all(
    seed: int, doses: int, bold: float, false: float, missed: float
) -> None:
    chosen = choose(draw(seed, doses, bold), false, missed)
    thresholds = chosen.thresholds
    assert set(thresholds.accept) == set(NAMES)
    assert set(thresholds.accept.values()) <= {*ACCEPT, NEVER}
    assert thresholds.review in {0.0, *REVIEW}
    assert thresholds.accept[CAUTION] == NEVER
    assert min(ACCEPT) == LEAST == 0.95
    assert thresholds.review < min(thresholds.accept.values())


@given(st.integers(0, 999), st.integers(1, 3000), st.sampled_from((0.3, 1.0, 5.0)))
@settings(max_examples=40, deadline=None)
def test_a_looser_tolerance_never_raises_an_accept_threshold_of_a_stratum(seed: int, doses: int, bold: float) -> None:
    # the same is tolerated over all: whether a stratum is accepted by itself is the question
    drawn = draw(seed, doses, bold)
    outcomes = replace(drawn, stratum=np.where(drawn.stratum == 3, 3, np.minimum(drawn.stratum, 0)))
    rates = (1e-6, 0.0004, 0.002, 0.01, 0.05, 0.3)
    accepts = [choose(outcomes, rate, of_a_stratum=rate).thresholds.accept["plain"] for rate in rates]
    assert accepts == sorted(accepts, reverse=True)


@given(st.integers(0, 999), st.sampled_from((0.3, 1.0, 5.0)), RATES, st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_order_of_doses_and_the_unit_of_weights_change_no_threshold(
    seed: int, bold: float, false: float, shuffle: int
) -> None:
    outcomes = draw(seed, 1500, bold)
    order = np.random.default_rng(shuffle).permutation(1500)
    shuffled = Outcomes(*(getattr(outcomes, name)[order] for name in Outcomes.__slots__))
    here = choose(outcomes, false)
    assert choose(shuffled, false).thresholds == here.thresholds
    assert choose(replace(outcomes, weight=outcomes.weight * 4), false).thresholds == here.thresholds


@given(st.integers(0, 999), RATES)
@settings(max_examples=30, deadline=None)
def test_labels_of_doses_below_every_accept_threshold_have_no_say_in_it(seed: int, false: float) -> None:
    outcomes = draw(seed, 1500)
    low = outcomes.probability < min(ACCEPT)
    turned = replace(outcomes, right=np.where(low, ~outcomes.right, outcomes.right))
    assert choose(turned, false).thresholds.accept == choose(outcomes, false).thresholds.accept


@given(st.integers(0, 999), RATES)
@settings(max_examples=30, deadline=None)
def test_cautioned_doses_have_no_say_in_the_accept_thresholds_however_sure_and_wrong(seed: int, false: float) -> None:
    outcomes = draw(seed, 1500)
    cautioned = outcomes.stratum == NAMES.index(CAUTION)
    worst = replace(
        outcomes,
        probability=np.where(cautioned, 1.0, outcomes.probability),
        right=outcomes.right & ~cautioned,
        weight=np.where(cautioned, 99.0, outcomes.weight),
    )
    assert choose(worst, false).thresholds.accept == choose(outcomes, false).thresholds.accept


def many(probability: float, right: int, wrong: int, stratum: int, weight: float = 1.0) -> Outcomes:
    doses = right + wrong
    return of(np.full(doses, probability), np.arange(doses) < right, np.full(doses, stratum), weight)


def together(*parts: Outcomes) -> Outcomes:
    joined = Outcomes(*(np.concatenate([getattr(part, name) for part in parts]) for name in Outcomes.__slots__))
    return replace(joined, person=np.arange(len(joined.person)))


def test_a_stratum_with_too_few_labels_is_never_accepted_and_what_it_lacks_proves_it() -> None:
    few = together(many(0.99995, 20_000, 0, 0), many(0.99995, 300, 0, 1))
    chosen = choose(few, 1 / 2500, of_a_stratum=1 / 250)
    assert chosen.thresholds.accept == {"plain": LEAST, "hard": NEVER, OTHER: NEVER, CAUTION: NEVER}
    more = chosen.lacking["hard"]
    assert chosen.lacking == {"hard": more}
    assert chosen.evidence["strata"]["hard"]["lacking"] == more == math.ceil(-math.log(0.05) * 250) - 300
    enough = choose(together(few, many(0.99995, more, 0, 1)), 1 / 2500, of_a_stratum=1 / 250)
    assert enough.thresholds.accept["hard"] == LEAST
    assert not enough.lacking
    fewer = choose(together(few, many(0.99995, more - 1, 0, 1)), 1 / 2500, of_a_stratum=1 / 250)
    assert fewer.thresholds.accept["hard"] == NEVER


def test_a_stratum_with_too_many_errors_is_never_accepted_and_the_others_are() -> None:
    chosen = choose(together(many(0.99995, 20_000, 0, 0), many(0.99995, 1900, 100, 1)), 1 / 2500)
    assert chosen.evidence["max_false_link_rate_of_a_stratum"] == OF_A_STRATUM / 2500
    assert chosen.thresholds.accept["plain"] == LEAST
    assert chosen.thresholds.accept["hard"] == NEVER
    assert chosen.lacking["hard"] == lacking(
        rate(np.arange(2000) < 100, np.ones(2000, bool), np.ones(2000), np.arange(2000)), OF_A_STRATUM / 2500
    )


def test_the_labels_go_as_far_down_as_they_prove() -> None:
    # wrong once in 50 from 0.98 on: by itself the stratum may go there, all together may not
    steps = together(many(0.99995, 4000, 0, 0), many(0.9985, 1000, 0, 0), many(0.981, 980, 20, 0))
    assert choose(steps, 0.001).thresholds.accept["plain"] == 0.9825
    assert choose(steps, 0.006).thresholds.accept["plain"] == LEAST


def test_nothing_is_accepted_where_all_together_prove_too_little() -> None:
    chosen = choose(many(0.99995, 1000, 0, 0), 1 / 2500)
    assert set(chosen.thresholds.accept.values()) == {NEVER}
    assert chosen.evidence["lacking"] == chosen.lacking[""] == math.ceil(-math.log(0.05) * 2500) - 1000
    assert chosen.evidence["accepted_share"] == 0


def test_one_wrong_label_at_the_top_does_not_forbid_every_accept() -> None:
    chosen = choose(together(many(0.999999, 0, 1, 0), many(0.9995, 20_000, 0, 0)), 1 / 2500)
    assert chosen.thresholds.accept["plain"] <= 0.9995


def test_no_match_as_far_up_as_the_labels_prove() -> None:
    low = together(
        many(0.99995, 1000, 0, 0),
        many(1e-7, 0, 3000, 0),
        many(0.003, 3, 1000, 0),
        many(0.15, 300, 700, 0),
    )
    chosen = choose(low, 0.01, 0.01)
    assert chosen.thresholds.review == 0.1
    assert choose(low, 0.01, 1e-4).thresholds.review == 0.0
    # whom blocking did not find no threshold could
    lost = replace(low, has_citizen=np.ones(len(low.right), bool))
    assert choose(lost, 0.01, 0.01).thresholds.review == 0.1
    assert choose(lost, 0.01, 0.01).evidence["missed_by_blocking"]["errors"] == 4000


def test_doses_of_one_person_prove_less_than_of_many() -> None:
    outcomes = many(0.99995, 8000, 0, 0)
    assert choose(outcomes, 1 / 2500).thresholds.accept["plain"] == LEAST
    chosen = choose(replace(outcomes, person=np.arange(8000) // 4), 1 / 2500)
    assert chosen.thresholds.accept["plain"] == NEVER
    assert chosen.lacking[""] > 20_000


@pytest.mark.parametrize("stratum", [None, -1, NAMES.index(CAUTION)])
def test_of_doses_that_none_may_accept_nothing_is(stratum: int | None) -> None:
    outcomes = many(0.0 if stratum == -1 else 0.99995, 0 if stratum is None else 50, 0, stratum or 0)
    chosen = choose(outcomes, 0.01)
    assert set(chosen.thresholds.accept.values()) == {NEVER}
    assert chosen.lacking[""] == 300
    assert chosen.evidence["false_links"]["bound"] == 1
