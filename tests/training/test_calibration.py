"""Calibration finds what made the data; thresholds keep what they promise."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import beta

from models import Calibration
from training.calibration import Scored, calibrate
from training.thresholds import CAUTION, LOWEST_ACCEPT, NEVER, Chosen, choose_thresholds

PRIOR = 0.9


def simulate(seed: int, doses: int, candidates: int = 3, true: Calibration | None = None, ties: bool = False) -> Scored:
    """Each dose draws its citizen, or none, by the posterior of its match weights under ``true``."""
    generator = np.random.default_rng(seed)
    weights = generator.normal(-2, 6, (doses, candidates))
    if ties:
        weights = np.round(weights / 4) * 4
    true = true or Calibration()
    odds = np.exp2(true.slope * weights + true.intercept)
    table = np.column_stack([odds, np.full(doses, 1 - PRIOR)])
    table /= table.sum(axis=1, keepdims=True)
    drawn = (table.cumsum(axis=1) < generator.random((doses, 1))).sum(axis=1)
    return Scored(
        match_weight=weights.ravel(),
        is_match=(drawn[:, None] == np.arange(candidates)).ravel(),
        dose=np.repeat(np.arange(doses), candidates),
        weight=generator.uniform(1, 4, doses),
        in_registry=drawn < candidates,
    )


@pytest.mark.parametrize(
    "true", [Calibration(), Calibration(0.5, -1.5), Calibration(1.6, 2.0)], ids=["true odds", "too bold", "too shy"]
)
def test_slope_and_intercept_are_found_again(true: Calibration) -> None:
    found = calibrate(simulate(1, 15_000, true=true), PRIOR)
    assert found.slope == pytest.approx(true.slope, rel=0.08)
    assert found.intercept == pytest.approx(true.intercept, abs=0.25)


def test_the_likelihood_is_weighed_by_the_sampling_of_doses() -> None:
    bold, shy = (simulate(2, 4000, true=Calibration(slope)) for slope in (0.4, 1.5))
    both = Scored(
        match_weight=np.concatenate([bold.match_weight, shy.match_weight]),
        is_match=np.concatenate([bold.is_match, shy.is_match]),
        dose=np.concatenate([bold.dose, shy.dose + 4000]),
        weight=np.repeat([1e6, 1.0], 4000),
        in_registry=np.concatenate([bold.in_registry, shy.in_registry]),
    )
    assert calibrate(both, PRIOR).slope == pytest.approx(0.4, rel=0.1)


CANDIDATES = st.lists(st.tuples(st.integers(0, 9), st.floats(-60, 120), st.booleans()), max_size=30)


@given(CANDIDATES, st.floats(0.01, 0.99))
@settings(max_examples=25, deadline=None)
def test_the_slope_is_positive_and_finite_whatever_the_labels(
    candidates: list[tuple[int, float, bool]], prior: float
) -> None:
    rows = sorted(candidates)
    scored = Scored(
        match_weight=np.array([weight for _, weight, _ in rows], dtype=float),
        is_match=np.array([is_match for _, _, is_match in rows], dtype=bool),
        dose=np.array([dose for dose, _, _ in rows], dtype=np.int64),
        weight=np.ones(10),
        in_registry=np.zeros(10, dtype=bool),
    )
    found = calibrate(scored, prior)
    assert 0 < found.slope < math.inf
    assert math.isfinite(found.intercept)
    candidate, none = scored.posterior(found, prior)
    total = np.bincount(scored.dose, candidate, 10) + none
    np.testing.assert_allclose(total, 1)


def choose(scored: Scored, false: float, missed: float = 0.02, cautioned: NDArray[np.bool_] | None = None) -> Chosen:
    none = np.zeros(len(scored.weight), dtype=bool)
    return choose_thresholds(
        scored,
        Calibration(),
        PRIOR,
        cautioned=none if cautioned is None else cautioned,
        max_false_link_rate=false,
        max_missed_link_rate=missed,
    )


RATES = st.sampled_from((1e-9, 0.0004, 0.002, 0.01, 0.05, 0.2, 0.5))


@given(st.integers(0, 999), st.integers(1, 3), st.booleans(), RATES, RATES)
@settings(max_examples=40, deadline=None)
def test_thresholds_keep_the_rates_they_were_chosen_for(
    seed: int, candidates: int, ties: bool, false: float, missed: float
) -> None:
    scored = simulate(seed, 600, candidates, ties=ties)
    chosen = choose(scored, false, missed)
    accept, review = chosen.thresholds.accept, chosen.thresholds.review
    assert 0.5 < accept <= NEVER
    assert 0 <= review <= accept

    candidate, none = scored.posterior(Calibration(), PRIOR)
    table = candidate.reshape(600, candidates)
    best, any_of = table.max(axis=1), 1 - none
    wrong = ~scored.is_match.reshape(600, candidates)[np.arange(600), table.argmax(axis=1)]
    accepted, rejected = best >= accept, any_of < review
    assert not (accepted & rejected).any()
    if accepted.any():
        assert np.average(1 - best[accepted], weights=scored.weight[accepted]) <= false * CAUTION
        assert chosen.evidence["false_link_rate"]["low"] <= false
    if rejected.any():
        assert np.average(any_of[rejected], weights=scored.weight[rejected]) <= missed
    assert (chosen.evidence["accepted"], chosen.evidence["no_match"]) == (accepted.sum(), rejected.sum())
    assert chosen.evidence["false_links"] == (accepted & wrong).sum()
    assert chosen.evidence["missed_links"] == (rejected & scored.in_registry).sum()


def surely_wrong(wrong: NDArray[np.bool_], weight: NDArray[np.float64]) -> float:
    """Lower end of the 95 % interval of the weighted share (Clopper & Pearson at Kish's size)."""
    share, size = np.average(wrong, weights=weight), weight.sum() ** 2 / (weight**2).sum()
    return float(beta.ppf(0.025, share * size, (1 - share) * size + 1)) if share > 0 else 0.0


def midway(probability: NDArray[np.float64], cut: float, beyond: float) -> float:
    """Between ``cut`` and the next probability on the side of ``beyond``."""
    others = probability[probability < cut] if beyond == 0 else probability[probability > cut]
    after = beyond if len(others) == 0 else others.max() if beyond == 0 else others.min()
    return float((cut + after) / 2)


@given(st.integers(0, 999), st.integers(1, 3), st.booleans(), st.integers(0, 40), st.tuples(RATES, RATES))
@settings(max_examples=25, deadline=None)
def test_thresholds_lie_midway_after_the_last_run_of_equal_probabilities_that_keeps_the_rates(
    seed: int, candidates: int, ties: bool, bare: int, rates: tuple[float, float]
) -> None:
    false, missed = rates
    scored = simulate(seed, 150, candidates, ties=ties)
    candidate, none = scored.posterior(Calibration(), PRIOR)
    table = candidate.reshape(150, candidates)
    right = scored.is_match.reshape(150, candidates)[np.arange(150), table.argmax(axis=1)]
    best = np.append(table.max(axis=1), np.zeros(bare))
    any_of = np.append(1 - none, np.zeros(bare))
    wrong = np.append(~right, np.ones(bare, dtype=bool))
    scored = replace(
        scored,
        weight=np.append(scored.weight, np.full(bare, 2.0)),
        in_registry=np.append(scored.in_registry, np.arange(bare) % 2 == 0),
    )
    weight = scored.weight
    cuts = [
        cut
        for cut in np.unique(best)
        if np.average((1 - best)[best >= cut], weights=weight[best >= cut]) <= false * CAUTION
        and surely_wrong(wrong[best >= cut], weight[best >= cut]) <= false
    ]
    accept = max(midway(best, min(cuts), 0.0), LOWEST_ACCEPT) if cuts else NEVER
    cuts = [
        cut for cut in np.unique(any_of) if np.average(any_of[any_of <= cut], weights=weight[any_of <= cut]) <= missed
    ]
    review = min(midway(any_of, max(cuts), 1.0) if cuts else 0.0, accept)
    chosen = choose(scored, false, missed)
    assert (chosen.thresholds.accept, chosen.thresholds.review) == (accept, review)
    assert chosen.evidence["accepted"] == (best >= accept).sum()
    assert chosen.evidence["no_match"] == (any_of < review).sum()
    assert chosen.evidence["missed_links"] == ((any_of < review) & scored.in_registry).sum()
    assert not np.isin(best[best > LOWEST_ACCEPT], [accept]).any()


@given(st.integers(0, 999), st.integers(0, 999), st.booleans(), RATES)
@settings(max_examples=25, deadline=None)
def test_the_order_of_doses_changes_no_threshold(seed: int, shuffle: int, ties: bool, rate: float) -> None:
    scored = simulate(seed, 200, ties=ties)
    order = np.random.default_rng(shuffle).permutation(200)
    cautioned = np.random.default_rng(seed).random(200) < 0.3
    rows = (order[:, None] * 3 + np.arange(3)).ravel()
    shuffled = Scored(
        match_weight=scored.match_weight[rows],
        is_match=scored.is_match[rows],
        dose=scored.dose,
        weight=scored.weight[order],
        in_registry=scored.in_registry[order],
    )
    here, there = (
        choose(one, rate, rate, marked) for one, marked in ((scored, cautioned), (shuffled, cautioned[order]))
    )
    assert here.thresholds == there.thresholds


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_a_stricter_rate_never_lowers_the_accept_threshold(seed: int, ties: bool) -> None:
    scored = simulate(seed, 1500, ties=ties)
    accepts = [choose(scored, rate).thresholds.accept for rate in (0.5, 0.2, 0.05, 0.02, 0.01, 0.002, 1e-9)]
    assert accepts == sorted(accepts)
    assert accepts[0] == LOWEST_ACCEPT
    assert accepts[-1] == NEVER
    assert len(set(accepts)) > 3


def groups(*parts: tuple[float, int, int]) -> Scored:
    """Doses of one candidate each: match weight, right doses, wrong doses."""
    sizes = [right + wrong for _, right, wrong in parts]
    is_match = np.concatenate([np.arange(right + wrong) < right for _, right, wrong in parts])
    return Scored(
        match_weight=np.repeat([weight for weight, _, _ in parts], sizes),
        is_match=is_match,
        dose=np.arange(sum(sizes)),
        weight=np.ones(sum(sizes)),
        in_registry=is_match,
    )


def chosen_for(scored: Scored, rate: float) -> tuple[int, int]:
    """Doses accepted, and false links among them."""
    evidence = choose(scored, rate).evidence
    return evidence["accepted"], evidence["false_links"]


@pytest.mark.parametrize("bits", [12.0, 12.1, 12.2, 12.3, 12.4, 39.5, 45.0])
def test_the_threshold_accepts_the_doses_it_was_taken_from(bits: float) -> None:
    assert chosen_for(groups((bits, 2000, 0), (-4.0, 0, 2000)), 0.001) == (2000, 0)


@pytest.mark.parametrize("bits", [9.0, 9.1, 9.2, 9.3, 9.4])
def test_doses_alike_are_accepted_together_or_not_at_all(bits: float) -> None:
    assert chosen_for(groups((14.0, 1000, 0), (bits, 400, 200)), 0.01) == (1000, 0)


@pytest.mark.parametrize("bits", [10.0, 40.0, 80.0])
def test_where_the_best_are_often_wrong_nothing_is_accepted(bits: float) -> None:
    scored = groups((bits, 500, 500))
    assert chosen_for(scored, 0.01) == (0, 0)
    assert choose(scored, 0.01).thresholds.accept == NEVER > 1


@pytest.mark.parametrize(("high", "low"), [(48.0, 47.0), (50.0, 49.0), (53.0, 49.0), (60.0, 48.0)])
def test_the_threshold_tells_neighbouring_probabilities_apart(high: float, low: float) -> None:
    scored = groups((high, 1000, 0), (low, 500, 500))
    assert len(set(scored.posterior(Calibration(), PRIOR)[0])) == 2
    assert chosen_for(scored, 0.01) == (1000, 0)


def test_one_wrong_label_at_the_top_does_not_forbid_every_accept() -> None:
    accepted, _ = chosen_for(groups((30.0, 0, 1), (29.0, 20_000, 0)), 0.0004)
    assert accepted == 20_001


@given(st.integers(0, 999), st.floats(0.05, 0.95), st.booleans(), RATES)
@settings(max_examples=25, deadline=None)
def test_cautioned_doses_have_no_say_in_the_accept_threshold(seed: int, share: float, ties: bool, rate: float) -> None:
    scored = simulate(seed, 300, ties=ties)
    generator = np.random.default_rng(seed)
    cautioned = generator.random(300) < share
    cautioned[:2] = True, False
    chosen = choose(scored, rate, 1e-9, cautioned)
    clear = ~cautioned[scored.dose]
    alone = scored.of(~cautioned)
    assert chosen.thresholds.accept == choose(alone, rate, 1e-9).thresholds.accept
    assert chosen.evidence["doses"] == 300
    for name in ("accepted", "false_links", "false_link_rate"):
        assert chosen.evidence[name] == choose(alone, rate, 1e-9).evidence[name], name
    # however wrong and however sure they are
    worst = replace(
        scored,
        match_weight=np.where(clear, scored.match_weight, 50.0),
        is_match=scored.is_match & clear,
        weight=np.where(cautioned, 9.0, scored.weight),
    )
    assert choose(worst, rate, 1e-9, cautioned).thresholds.accept == chosen.thresholds.accept


def test_cautioned_doses_count_as_missed_links_like_all_others() -> None:
    scored = groups((20.0, 1000, 0), (-8.0, 40, 960), (-12.0, 0, 1000))
    every = np.zeros(3000, dtype=bool)
    some = np.arange(3000) % 2 == 0
    chosen = [choose(scored, 0.01, 0.05, cautioned) for cautioned in (every, some)]
    assert chosen[0].thresholds.review == chosen[1].thresholds.review > 0
    assert chosen[0].evidence["no_match"] == chosen[1].evidence["no_match"] == 2000
    assert chosen[0].evidence["missed_links"] == chosen[1].evidence["missed_links"] == 40
    assert (chosen[0].evidence["accepted"], chosen[1].evidence["accepted"]) == (1000, 500)


def test_where_every_dose_is_cautioned_nothing_is_accepted() -> None:
    chosen = choose(groups((30.0, 100, 0)), 0.01, cautioned=np.ones(100, dtype=bool))
    assert chosen.thresholds.accept == NEVER
    assert chosen.evidence["accepted"] == 0


@given(st.integers(0, 999), st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_some_doses_are_what_they_were_among_all(seed: int, candidates: int) -> None:
    scored = simulate(seed, 60, candidates)
    # doses without a candidate are kept too
    bare = np.random.default_rng(seed).random(60) < 0.2
    with_candidate = ~bare[scored.dose]
    scored = replace(
        scored,
        match_weight=scored.match_weight[with_candidate],
        is_match=scored.is_match[with_candidate],
        dose=scored.dose[with_candidate],
    )
    chosen = np.random.default_rng(seed + 1).random(60) < 0.5
    some = scored.of(chosen)
    candidate, none = scored.posterior(Calibration(), PRIOR)
    of_some, none_of_some = some.posterior(Calibration(), PRIOR)
    np.testing.assert_array_equal(of_some, candidate[chosen[scored.dose]])
    np.testing.assert_array_equal(none_of_some, none[chosen])
    np.testing.assert_array_equal(some.is_match, scored.is_match[chosen[scored.dose]])
    np.testing.assert_array_equal(some.in_registry, scored.in_registry[chosen])
    np.testing.assert_array_equal(some.weight[some.dose], scored.weight[scored.dose][chosen[scored.dose]])


def test_without_doses_there_is_nothing_to_calibrate() -> None:
    assert calibrate(simulate(1, 5).of(np.zeros(5, dtype=bool)), PRIOR) == Calibration()
