"""m and u: known ones are found again, biased samples are weighed right, and no level is impossible or certain."""

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models import (
    BlockingRule,
    Calibration,
    Comparison,
    Level,
    LevelParameters,
    Model,
    ModelError,
    Specification,
    Thresholds,
)
from training.estimation import estimate, random_pairs, reaches
from training.shares import Share, count_levels

CITIZENS = 1_000_000
COMPARISON = Comparison(
    "name",
    "name_l IS NULL",
    (Level("same", "a"), Level("near", "b"), Level("far", "c"), Level("other")),
    {},
)
M, U = np.array([0.85, 0.1, 0.03, 0.02]), np.array([0.01, 0.04, 0.15, 0.8])


def draw(generator: np.random.Generator, of: NDArray[np.float64], size: int, missing: float = 0.0) -> NDArray[np.uint8]:
    levels = generator.choice(len(of), size, p=of) + 1
    return np.where(generator.random(size) < missing, 0, levels).astype(np.uint8)


def learn(
    levels: NDArray[np.uint8],
    is_match: NDArray[np.bool_],
    weights: NDArray[np.float64],
    strangers: NDArray[np.uint8],
    *,
    comparison: Comparison = COMPARISON,
    hard_negatives: float = 0.0,
    citizens: int = CITIZENS,
    same_value: float = 0.3,
    reach: float = 1.0,
    absent: NDArray[np.bool_] | None = None,
) -> dict[str, LevelParameters]:
    return estimate(
        comparison,
        levels=levels,
        is_match=is_match,
        weights=weights,
        strangers=count_levels(strangers, len(comparison.levels)),
        absent=np.zeros(len(levels), dtype=bool) if absent is None else absent,
        same_value={"value": same_value},
        reach={level.name: Share.exact(reach) for level in comparison.levels if level.frequency},
        hard_negatives=hard_negatives,
        citizens=citizens,
    )


def shares(found: dict[str, LevelParameters], name: str) -> NDArray[np.float64]:
    return np.array([getattr(found[level.name], name) for level in COMPARISON.levels])


@pytest.mark.parametrize("seed", range(3))
def test_known_m_and_u_are_found_again_missing_pairs_left_out(seed: int) -> None:
    generator = np.random.default_rng(seed)
    is_match = np.arange(40_000) < 20_000
    levels = np.concatenate([draw(generator, part, 20_000, 0.4) for part in (M, U[::-1])])
    found = learn(levels, is_match, np.ones(40_000), draw(generator, U, 200_000, 0.4))
    np.testing.assert_allclose(shares(found, "m"), M, atol=0.012)
    np.testing.assert_allclose(shares(found, "u"), U, atol=0.004)


@pytest.mark.parametrize("seed", range(3))
def test_a_biased_sample_with_its_weights_is_as_good_as_an_unbiased_one(seed: int) -> None:
    generator = np.random.default_rng(seed)
    levels = draw(generator, M, 60_000)
    sampled = np.array([0.05, 0.5, 1.0, 1.0])[levels - 1]
    taken = generator.random(60_000) < sampled
    levels, weights = levels[taken], 1 / sampled[taken]
    matches = np.ones(len(levels), dtype=bool)
    strangers = draw(generator, U, 1000)
    weighed = shares(learn(levels, matches, weights, strangers), "m")
    unweighed = shares(learn(levels, matches, np.ones(len(levels)), strangers), "m")
    np.testing.assert_allclose(weighed, M, atol=0.01)
    assert abs(unweighed - M).max() > 0.2


def test_only_the_ratio_of_weights_counts() -> None:
    generator = np.random.default_rng(5)
    levels, is_match = draw(generator, M, 300), generator.random(300) < 0.5
    weights, strangers = generator.uniform(1, 9, 300), draw(generator, U, 100)
    here, there = (learn(levels, is_match, weights * by, strangers) for by in (1, 1000))
    np.testing.assert_allclose(shares(here, "m"), shares(there, "m"), rtol=1e-12)
    np.testing.assert_allclose(shares(here, "u"), shares(there, "u"), rtol=1e-12)


def test_u_mixes_hard_negatives_and_strangers_by_their_number() -> None:
    levels = np.array([1] * 5000 + [4] * 5000, dtype=np.uint8)
    is_match = np.arange(10_000) >= 5000
    strangers = np.full(5000, 4, dtype=np.uint8)
    found = learn(levels, is_match, np.ones(10_000), strangers, hard_negatives=5.0, citizens=100)
    np.testing.assert_allclose(shares(found, "u"), [0.05, 0, 0, 0.95], atol=1e-3)


def test_frequency_and_unique_levels_take_u_from_the_registry() -> None:
    comparison = Comparison(
        "id", "m", (Level("same", "a", unique=True), Level("value", "b", frequency="value"), Level("other")), {}
    )
    found = learn(
        np.array([1, 2, 3], dtype=np.uint8),
        np.array([True, True, False]),
        np.ones(3),
        np.array([3, 3, 1], dtype=np.uint8),
        comparison=comparison,
        citizens=5000,
        same_value=0.0123,
    )
    assert found["same"].u == 1 / 5000
    assert found["value"].u == 0.0123
    assert found["value"].reach == found["same"].reach == found["other"].reach == 1


@pytest.mark.parametrize("seed", range(3))
def test_u_of_an_absent_level_is_its_share_among_doses_without_a_match(seed: int) -> None:
    generator = np.random.default_rng(seed)
    levels = np.concatenate([draw(generator, part, 20_000, 0.2) for part in (M, U, U[::-1])])
    number = np.arange(60_000)
    weights = np.where(levels == 2, 4.0, 1.0)
    kept = (levels != 2) | (generator.random(60_000) < 0.25)
    levels, number, weights = levels[kept], number[kept], weights[kept]
    plain, marked = (
        learn(
            levels,
            number < 20_000,
            weights,
            draw(np.random.default_rng(seed), U, 1000),
            comparison=replace(COMPARISON, levels=tuple(replace(x, absent=absent) for x in COMPARISON.levels)),
            absent=number >= 40_000,
        )
        for absent in (False, True)
    )
    np.testing.assert_allclose(shares(marked, "u"), U[::-1], atol=0.02)
    np.testing.assert_array_equal(shares(marked, "m"), shares(plain, "m"))
    assert abs(shares(plain, "u") - U[::-1]).max() > 0.5


@given(st.integers(1, 40), st.integers(1, 40), st.floats(1e-9, 1), st.floats(1e-9, 1))
@settings(max_examples=40, deadline=None)
def test_reach_is_the_one_found_but_never_under_m(agree: int, other: int, reach: float, same_value: float) -> None:
    comparison = Comparison("name", "m", (Level("value", "a", frequency="value"), Level("other")), {})
    levels = np.array([1] * agree + [2] * other, dtype=np.uint8)
    found = learn(
        levels,
        np.ones(agree + other, dtype=bool),
        np.ones(agree + other),
        levels,
        comparison=comparison,
        same_value=same_value,
        reach=reach,
    )
    value, rest = found["value"], found["other"]
    assert value.reach == max(reach, value.m)
    assert value.m <= value.reach <= 1
    # where m is the larger, an agreeing value is worth its frequency and no more
    assert value.m / value.u <= 1 / same_value * (1 + 1e-12)
    assert value.u == pytest.approx(same_value * value.reach)
    assert rest.reach == 1


VALUES = Comparison(
    "value",
    "value_l IS NULL OR value_r IS NULL",
    (
        Level("own", "value_l = value_r AND code_l = code_r", frequency="value"),
        Level("whole", "value_l = value_r AND whole_l AND whole_r", frequency="value"),
        Level("half", "value_l = value_r", frequency="value"),
        Level("other"),
    ),
    {},
)
BY_VALUE = Specification("by_value", {}, (), (VALUES,))


def reached(
    seed: int,
    doses: int,
    citizens: int,
    *,
    whole: float = 0.8,
    biased: bool = False,
    threads: int = 2,
    reverse: bool = False,
) -> tuple[dict[str, float], float]:
    """Reaches of ``VALUES``, and the share of all pairs of a dose and another citizen of its value typed whole.

    Values are of very different sizes; this share of the doses of common ones is typed whole, and few others.
    ``biased``: doses typed whole are sampled twice as often, and weighted for it. ``reverse``: all rows stand the other
    way round, and get their keys by that.
    """
    generator = np.random.default_rng(seed)
    value = (generator.random(citizens) ** 3 * 20).astype(int)
    citizen = generator.integers(citizens, size=doses)
    others = np.bincount(value, minlength=20)[value[citizen]] - 1
    typed = generator.random(doses) < np.where(others > citizens / 10, whole, 0.1)
    expected = float(others[typed].sum() / max(1, others.sum()))
    sampled = np.where(typed, 0.8, 0.4) if biased else np.ones(doses)
    taken = generator.random(doses) < sampled
    citizen, typed, sampled = citizen[taken], typed[taken], sampled[taken]
    shares = np.bincount(value, minlength=20) / citizens
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {threads}")
        keys, dose_keys = (np.arange(size) for size in (citizens, len(typed)))
        if reverse:
            keys, dose_keys = keys[::-1].copy(), dose_keys[::-1].copy()
        ids, dose_ids = np.arange(citizens), np.arange(len(typed))
        tables = {
            "citizens": {"key": keys, "citizen_id": ids, "value": value, "code": ids, "whole": ids >= 0}
            | {"share": shares[value]},
            "doses": {"key": dose_keys, "dose_id": dose_ids, "value": value[citizen], "code": citizen, "whole": typed},
        }
        for name, columns in tables.items():
            connection.register(f"{name}_made", columns)
            connection.execute(f"CREATE TABLE {name}_compared AS FROM {name}_made ORDER BY key")
            connection.execute(f"CREATE VIEW {name} AS SELECT key, {name[:-1]}_id FROM {name}_compared")
        connection.execute("ALTER TABLE citizens_compared RENAME share TO frequency_value")
        known = {"dose_key": dose_keys, "citizen_key": keys[citizen], "weight": 1 / sampled}
        known = {name: values[np.argsort(dose_keys)] for name, values in known.items()}
        found = reaches(connection, BY_VALUE, known, seed)
        assert connection.execute("SELECT count(*) FROM duckdb_tables() WHERE internal = false").fetchall() == [(2,)]
    return {name: share.estimate for name, share in found["value"].items()}, expected


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("biased", [False, True])
def test_the_share_of_pairs_with_one_value_that_a_level_reaches_is_found_again(seed: int, biased: bool) -> None:
    found, expected = reached(seed, 3000, 2000, biased=biased)
    assert 0.5 < expected < 0.75
    assert found["whole"] == pytest.approx(expected, abs=0.03)
    assert found["half"] == pytest.approx(1 - expected, abs=0.03)
    # a dose's own citizen is no stranger
    assert 0 < found["own"] < 1e-4
    assert set(found) == {"own", "whole", "half"}


@pytest.mark.parametrize("seed", range(2))
def test_the_same_seed_finds_the_same_reach_on_any_number_of_threads(seed: int) -> None:
    found = reached(seed, 300, 500)
    assert reached(seed, 300, 500, threads=1) == found
    assert reached(seed, 300, 500) == found
    assert reached(seed, 300, 500, whole=0.2) != found


def test_where_nobody_shares_a_value_reach_is_one() -> None:
    assert reached(1, 1, 1)[0] == {"own": 1.0, "whole": 1.0, "half": 1.0}


LEVELS = st.lists(st.integers(0, 4), min_size=1, max_size=40)


@given(LEVELS, st.data(), LEVELS, st.floats(0, 1e6), st.integers(2, 10**8))
@settings(max_examples=40, deadline=None)
def test_no_level_is_impossible_or_certain(
    levels: list[int], data: st.DataObject, strangers: list[int], hard_negatives: float, citizens: int
) -> None:
    size = len(levels)
    found = learn(
        np.array(levels, dtype=np.uint8),
        np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size))),
        np.array(data.draw(st.lists(st.floats(0.1, 1e4), min_size=size, max_size=size))),
        np.array(strangers, dtype=np.uint8),
        hard_negatives=hard_negatives,
        citizens=citizens,
    )
    for name in ("m", "u"):
        values = shares(found, name)
        assert ((values > 0) & (values < 1)).all()
        assert values.sum() == pytest.approx(1)


@given(
    st.sampled_from((0.0, 1e-12, 0.3, 1 - 2**-53, 1.0)),
    st.sampled_from((1, 2, 5000, 10**8)),
    st.lists(st.integers(0, 3), min_size=1, max_size=20),
    st.sampled_from((1e-9, 0.2, 1 - 2**-53, 1.0)),
)
@settings(max_examples=30, deadline=None)
def test_what_is_learned_can_be_read_again_even_where_all_citizens_agree(
    same_value: float, citizens: int, levels: list[int], reach: float
) -> None:
    comparison = Comparison(
        "place", "m", (Level("own", "a", unique=True), Level("province", "b", frequency="value"), Level("other")), {}
    )
    found = learn(
        np.array(levels, dtype=np.uint8),
        np.arange(len(levels)) % 2 == 0,
        np.ones(len(levels)),
        np.array(levels, dtype=np.uint8),
        comparison=comparison,
        citizens=citizens,
        same_value=same_value,
        reach=reach,
    )
    specification = Specification("one", {}, (BlockingRule("value", ("value",)),), (comparison,))
    strata = specification.stratum_names
    thresholds = Thresholds(dict.fromkeys(strata, 0.9), 0.1)
    model = Model("one", specification, {"place": found}, 0.9, dict.fromkeys(strata, Calibration()), thresholds)
    assert Model.from_json(model.to_json()) == model


@st.composite
def labelled(draw: st.DrawFn) -> dict[str, NDArray[np.generic]]:
    """Labelled pairs of few persons, with weights of any size."""
    size = draw(st.integers(1, 60))
    columns = {"levels": st.integers(0, 4), "is_match": st.booleans(), "weights": st.floats(0.01, 1e6)}
    parts = {name: np.array(draw(st.lists(each, min_size=size, max_size=size))) for name, each in columns.items()}
    persons = draw(st.lists(st.integers(0, 12), min_size=size, max_size=size))
    return parts | {"levels": parts["levels"].astype(np.uint8), "persons": np.array([f"p{n}" for n in persons])}


def learn_labelled(
    labels: dict[str, NDArray[np.generic]], strangers: list[int], order: NDArray[np.intp] | None = None
) -> dict[str, LevelParameters]:
    parts = labels if order is None else {name: values[order] for name, values in labels.items()}
    return estimate(
        COMPARISON,
        **parts,  # type: ignore[arg-type]
        strangers=count_levels(np.array(strangers, dtype=np.uint8), len(COMPARISON.levels)),
        absent=np.zeros(len(parts["levels"]), dtype=bool),
        same_value={},
        reach={},
        hard_negatives=3.0,
        citizens=500,
    )


@given(labelled(), LEVELS, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_pairs_changes_no_bit(
    labels: dict[str, NDArray[np.generic]], strangers: list[int], random: Random
) -> None:
    order = list(range(len(labels["levels"])))
    random.shuffle(order)
    shuffled = list(strangers)
    random.shuffle(shuffled)
    assert learn_labelled(labels, shuffled, np.array(order)) == learn_labelled(labels, strangers)


@given(labelled(), LEVELS)
@settings(max_examples=80, deadline=None)
def test_what_no_match_was_seen_on_is_never_evidence_for_a_match(
    labels: dict[str, NDArray[np.generic]], strangers: list[int]
) -> None:
    found = learn_labelled(labels, strangers)
    seen = set(labels["levels"][labels["is_match"].astype(bool)]) - {0}
    for place, level in enumerate(found.values(), start=1):
        if place not in seen:
            assert level.m <= level.u
            assert level.positives == 0
    assert sum(level.prior for level in found.values()) <= 1 + 1e-12


@given(labelled(), LEVELS)
@settings(max_examples=80, deadline=None)
def test_every_estimate_is_in_its_interval_and_every_end_is_a_number(
    labels: dict[str, NDArray[np.generic]], strangers: list[int]
) -> None:
    for level in learn_labelled(labels, strangers).values():
        ends = level.m_interval, level.u_interval, level.weight_interval
        for value, interval in zip((level.m, level.u, np.log2(level.m / level.u)), ends, strict=True):
            assert interval is not None
            assert np.isfinite(interval).all()
            assert interval[0] - 1e-9 <= value <= interval[1] + 1e-9


def test_evidence_against_grows_with_the_matches_that_are_not_there() -> None:
    strangers = np.array([1] * 3 + [2] * 997, dtype=np.uint8)
    comparison = Comparison("name", "", (Level("rare", "a"), Level("often", "b"), Level("usual")), {})
    bits = []
    for matches in (0, 10, 1000, 100_000):
        levels = np.full(matches, 3, dtype=np.uint8)
        ones = np.ones(matches)
        found = learn(levels, ones > 0, ones, strangers, comparison=comparison)
        bits.append([np.log2(level.m / level.u) for level in found.values()])
    rare, often, _ = np.array(bits).T
    assert often == pytest.approx([0, -5, -11.6, -18.2], abs=0.1)
    # 10 matches that are not on a level of 3 strangers in 1,000 are no news; 100,000 are
    assert rare == pytest.approx([0, 0, -3.4, -10.0], abs=0.2)


def pairs_drawn(reverse: bool, threads: int) -> list[tuple[str, str]]:
    """Random pairs of 300 doses and 500 citizens, whose rows stand in the order of their ids or the other way round."""
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {threads}")
        for name, size in (("dose", 300), ("citizen", 500)):
            key = f"{size - 1} - n" if reverse else "n"
            connection.execute(
                f"CREATE TABLE {name}s AS SELECT n AS key, 'x' || {key} AS {name}_id FROM range({size}) t(n)"
            )
            connection.execute(f"CREATE TABLE {name}s_compared AS SELECT key FROM {name}s ORDER BY hash(key)")
        connection.execute("CREATE VIEW random_doses AS SELECT key FROM doses_compared")
        random_pairs(connection, 2000, 5)
        return connection.execute(
            "SELECT dose_id, citizen_id FROM random_pairs JOIN doses ON doses.key = dose_key"
            " JOIN citizens ON citizens.key = citizen_key ORDER BY number"
        ).fetchall()


def test_random_pairs_follow_neither_the_order_of_the_rows_nor_the_threads() -> None:
    drawn = pairs_drawn(reverse=False, threads=2)
    assert pairs_drawn(reverse=True, threads=1) == drawn
    assert len(set(drawn)) > 1900


def test_reach_does_not_follow_the_order_of_the_rows() -> None:
    assert reached(4, 300, 500, reverse=True) == reached(4, 300, 500)


@pytest.mark.parametrize(
    ("interval", "ends"),
    [
        ("m_interval", [0.4, 0.3]),
        ("m_interval", [-0.1, 0.3]),
        ("u_interval", [0.1, 1.1]),
        ("u_interval", [0.1]),
        ("weight_interval", [float("nan"), 3]),
        ("weight_interval", ["1", 3]),
        ("prior", -1.0),
    ],
)
def test_an_interval_that_is_none_is_refused(interval: str, ends: object, random_model: Callable[..., Model]) -> None:
    comparison = Comparison("place", "m", (Level("same", "a"), Level("other")), {})
    model = random_model(Specification("one", {}, (BlockingRule("value", ("value",)),), (comparison,)), 1)
    data = json.loads(model.to_json())
    data["parameters"]["place"]["same"] |= {"m_interval": [0.0, 1.0], "weight_interval": [-3.5, 3.5]}
    assert Model.from_json(json.dumps(data)).parameters["place"]["same"].m_interval == (0.0, 1.0)
    data["parameters"]["place"]["same"][interval] = ends
    with pytest.raises(ModelError):
        Model.from_json(json.dumps(data))
