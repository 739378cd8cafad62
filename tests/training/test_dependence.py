"""Dependence: none where columns are drawn apart, all of it where one is a copy, and the bits that a sum gets wrong."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models import Comparison, Level, Model, Registry, Specification, Thresholds
from training.dependence import SHOWN, Combination, Dependence, measure_dependence

Columns = dict[str, NDArray[np.uint8]]

LEVELS = (Level("same", "a"), Level("near", "b"), Level("other"))
NAMES = ("name", "birth_date", "place")
PLAIN = tuple(Comparison(name, "false", LEVELS, {}) for name in NAMES)
TOGETHER = Comparison("coincidence", "false", (Level("namesake", "a", together=("name", "born")), Level("none")), {})
CITIZENS = 1000


def draw(generator: np.random.Generator, size: int, of: tuple[float, ...] = (0.5, 0.3, 0.2)) -> NDArray[np.uint8]:
    return (generator.choice(len(of), size, p=of) + 1).astype(np.uint8)


def columns(generator: np.random.Generator, size: int) -> Columns:
    return {name: draw(generator, size) for name in NAMES}


def measure(
    levels: Columns,
    is_match: NDArray[np.bool_],
    weights: NDArray[np.float64] | None = None,
    strangers: Columns | None = None,
    *,
    comparisons: tuple[Comparison, ...] = PLAIN,
    ratio: float = 1.0,
    hard_negatives: float = float(CITIZENS),
) -> Dependence:
    """Without strangers all others are labelled."""
    nobody = {name: np.zeros(0, dtype=np.uint8) for name in levels}
    specification = Specification("test", {}, (), comparisons)
    return measure_dependence(
        Model("test", specification, {}, 0.5, {}, Thresholds({}, 0.0)),
        levels,
        is_match,
        np.ones(len(is_match)) if weights is None else weights,
        registry=Registry(CITIZENS, ratios={"coincidence": {"namesake": ratio}}, ratios_without_last={}),
        random_levels=nobody if strangers is None else strangers,
        hard_negatives=hard_negatives,
    )


def combination(found: Dependence, *levels: str) -> Combination:
    [one] = [c for c in found.combinations if (c.first, c.first_level, c.second, c.second_level) == levels]
    return one


@pytest.mark.parametrize("seed", range(3))
def test_columns_drawn_apart_share_nothing(seed: int) -> None:
    generator = np.random.default_rng(seed)
    weights = generator.uniform(1, 5, 20_000)
    found = measure(columns(generator, 20_000), generator.random(20_000) < 0.5, weights)
    for shared in (*found.matches, *found.non_matches):
        assert abs(shared.bits) < 0.001
        assert shared.p_value > 0.001
    assert len(found.combinations) <= 5
    assert all(abs(one.excess.estimate) < 0.5 for one in found.combinations)


def test_chance_alone_shares_nothing_on_average() -> None:
    generator = np.random.default_rng(1)
    found = [measure(columns(generator, 120), np.arange(120) < 60).matches[0].bits for _ in range(300)]
    error = np.std(found) / math.sqrt(len(found))
    # uncorrected, four degrees of freedom in 60 pairs share 0.048 bits
    assert abs(np.mean(found)) < 4 * error < 0.012


def test_a_copied_column_shares_its_entropy_and_surely_so() -> None:
    generator = np.random.default_rng(2)
    levels = columns(generator, 50_000)
    levels["place"] = levels["name"].copy()
    found = measure(levels, np.arange(50_000) < 40_000)
    entropy = -sum(share * math.log2(share) for share in (0.5, 0.3, 0.2))
    for shared in (found.matches[1], found.non_matches[1]):
        assert (shared.first, shared.second) == ("name", "place")
        assert shared.bits == pytest.approx(entropy, abs=0.02)
        assert shared.p_value < 1e-9


def test_a_copied_column_of_matches_is_too_much_against_them_by_its_own_weight() -> None:
    generator = np.random.default_rng(3)
    is_match = np.arange(40_000) < 20_000
    levels = columns(generator, 40_000)
    levels["place"] = np.where(is_match, levels["name"], levels["place"])
    found = measure(levels, is_match)
    for level, share in (("same", 0.5), ("near", 0.3), ("other", 0.2)):
        one = combination(found, "name", level, "place", level)
        assert one.lift_matches.estimate == pytest.approx(-math.log2(share), abs=0.1)
        assert one.excess.low <= math.log2(share) <= one.excess.high
        assert one.matches == np.count_nonzero(levels["name"][is_match] == 1 + ("same", "near", "other").index(level))


def planted(generator: np.random.Generator, size: int, times: float) -> Columns:
    """Same name and same birth date meet ``times`` as often as apart they would; each has a share of 0.1."""
    levels = {"name": draw(generator, size, (0.1, 0.2, 0.7)), "place": draw(generator, size)}
    born = np.where(levels["name"] == 1, 0.1 * times, (0.1 - 0.01 * times) / 0.9)
    levels["birth_date"] = np.where(generator.random(size) < born, 1, 3).astype(np.uint8)
    return levels


def labelled(generator: np.random.Generator, size: int, times: float) -> tuple[Columns, NDArray[np.bool_]]:
    """Matches drawn apart, and as many non-matches that are planted."""
    matches, others = columns(generator, size), planted(generator, size, times)
    return {name: np.concatenate([matches[name], others[name]]) for name in NAMES}, np.arange(2 * size) < size


@pytest.mark.parametrize("times", [2.0, 4.0, 8.0])
def test_the_excess_and_its_sign_are_the_bits_that_a_sum_gets_wrong(times: float) -> None:
    one = combination(measure(*labelled(np.random.default_rng(4), 30_000, times)), "name", "same", "birth_date", "same")
    assert one.excess.estimate == pytest.approx(math.log2(times), abs=0.15)
    assert one.excess.low < math.log2(times) < one.excess.high
    assert one.left == one.excess.estimate


def test_an_interaction_takes_away_what_it_corrects() -> None:
    levels, is_match = labelled(np.random.default_rng(5), 30_000, 4.0)
    levels["coincidence"] = np.where((levels["name"] == 1) & (levels["birth_date"] == 1), 1, 2).astype(np.uint8)
    found = measure(levels, is_match, comparisons=(*PLAIN, TOGETHER), ratio=4.0)
    one = combination(found, "name", "same", "birth_date", "same")
    assert one.excess.estimate == pytest.approx(2, abs=0.15)
    assert one.left == pytest.approx(one.excess.estimate - 2, abs=1e-9)
    assert {shared.second for shared in found.matches} == {"birth_date", "place"}


def test_labelled_and_random_pairs_are_mixed_as_they_make_up_the_registry() -> None:
    size = 10_000
    levels = {name: np.ones(size, dtype=np.uint8) for name in NAMES}
    strangers = {name: np.full(size, 3, dtype=np.uint8) for name in NAMES}
    found = measure(levels, np.arange(size) < 100, strangers=strangers, hard_negatives=CITIZENS / 4)
    one = combination(found, "name", "same", "birth_date", "same")
    assert one.lift_others.estimate == pytest.approx(2, abs=1e-3)


def test_random_pairs_on_a_unique_level_are_no_strangers() -> None:
    comparisons = (PLAIN[0], Comparison("id", "false", (Level("same", "a", unique=True), Level("other")), {}))
    generator = np.random.default_rng(6)
    levels = {"name": draw(generator, 2000), "id": np.full(2000, 2, dtype=np.uint8)}
    own = {"name": np.ones(100, dtype=np.uint8), "id": np.ones(100, dtype=np.uint8)}
    strangers = {name: np.concatenate([found, own[name]]) for name, found in levels.items()}
    here, there = (
        measure(levels, np.arange(2000) < 1000, None, of, comparisons=comparisons, hard_negatives=0.0)
        for of in (levels, strangers)
    )
    assert here == there


def test_a_biased_sample_with_its_weights_is_as_good_as_an_unbiased_one() -> None:
    generator = np.random.default_rng(7)
    levels, is_match = labelled(generator, 75_000, 4.0)
    sampled = np.where((levels["name"] == 1) & (levels["birth_date"] == 1), 0.9, 0.2)
    taken = generator.random(len(sampled)) < sampled
    biased = {name: found[taken] for name, found in levels.items()}
    whole, weighed, unweighed = (
        measure(levels, is_match),
        measure(biased, is_match[taken], 1 / sampled[taken]),
        measure(biased, is_match[taken]),
    )
    assert weighed.non_matches[0].bits == pytest.approx(whole.non_matches[0].bits, rel=0.1)
    assert unweighed.non_matches[0].bits > 2 * whole.non_matches[0].bits
    one = combination(weighed, "name", "same", "birth_date", "same")
    assert one.lift_others.estimate == pytest.approx(2, abs=0.15)


@given(st.integers(0, 10**6), st.floats(1e-6, 1e6))
@settings(max_examples=15, deadline=None)
def test_order_of_rows_and_unit_of_weights_do_not_count(seed: int, unit: float) -> None:
    generator = np.random.default_rng(seed)
    levels, is_match = planted(generator, 400, 3.0), generator.random(400) < 0.5
    weights, order = generator.uniform(1, 9, 400), generator.permutation(400)
    here = measure(levels, is_match, weights)
    there = measure({name: found[order] for name, found in levels.items()}, is_match[order], weights[order] * unit)
    for one, other in zip((*here.matches, *here.non_matches), (*there.matches, *there.non_matches), strict=True):
        assert (one.first, one.second, one.pairs) == (other.first, other.second, other.pairs)
        assert one.bits == pytest.approx(other.bits, abs=1e-9)
        assert one.p_value == pytest.approx(other.p_value, rel=1e-6)
    bits = [
        {(c.first_level, c.second, c.second_level): c.excess.estimate for c in d.combinations} for d in (here, there)
    ]
    assert bits[0] == pytest.approx(bits[1])


@given(st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_pairs_missing_on_either_change_nothing(seed: int) -> None:
    generator = np.random.default_rng(seed)
    levels, is_match = planted(generator, 300, 3.0), generator.random(300) < 0.5
    gaps = {name: np.concatenate([found, draw(generator, 50)]) for name, found in levels.items()}
    for row in range(300, 350):
        gaps[NAMES[row % 3]][row] = gaps[NAMES[(row + 1) % 3]][row] = 0
    more = np.append(is_match, generator.random(50) < 0.5)
    assert measure(levels, is_match).evidence() == measure(gaps, more).evidence()


@pytest.mark.parametrize("kind", [True, False])
def test_labels_of_one_kind_or_none_known_on_both_are_no_error(kind: bool) -> None:
    levels = columns(np.random.default_rng(8), 50)
    levels["place"][:] = 0
    found = measure(levels, np.full(50, kind))
    assert all(math.isfinite(shared.bits) for shared in (*found.matches, *found.non_matches))
    assert (found.matches[1].pairs, found.matches[1].bits, found.matches[1].p_value) == (0, 0.0, 1.0)


def test_few_pairs_say_nothing_of_a_combination() -> None:
    levels = {name: np.array([1] * 4 + [3] * 4, dtype=np.uint8) for name in NAMES}
    assert measure(levels, np.arange(8) % 2 == 0).combinations == ()


def test_the_most_misjudged_come_first_and_evidence_is_small_plain_data() -> None:
    generator = np.random.default_rng(9)
    many = tuple(Comparison(f"field_{letter}", "false", LEVELS, {}) for letter in "abcdef")
    is_match, copied = np.arange(3000) < 1500, draw(generator, 3000)
    levels = {
        comparison.name: np.where(is_match, copied, draw(generator, 3000)).astype(np.uint8) for comparison in many
    }
    found = measure(levels, is_match, comparisons=many)
    misjudged = [one.misjudged for one in found.combinations]
    assert len(misjudged) > SHOWN
    assert misjudged == sorted(misjudged, reverse=True)
    evidence = found.evidence()
    assert json.loads(json.dumps(evidence)) == evidence
    assert [len(part) for part in evidence.values()] == [15, 15, SHOWN]
    assert evidence["combinations"][0]["excess"]["estimate"] == pytest.approx(
        found.combinations[0].excess.estimate, rel=1e-3
    )
