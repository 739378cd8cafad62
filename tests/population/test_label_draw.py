"""Which doses are labelled: a systematic draw by stratum, each dose of a stratum with the same probability."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evaluation.population import labels
from evaluation.population.arrays import Texts
from evaluation.population.doses import Doses
from evaluation.population.labels import LEAST_STEP, MOST_DOSES, STRATA, draw, hold_apart
from evaluation.population.registry import World

KNOWN = [name for name in STRATA if name != "not in the registry"]


def drawn(
    person: NDArray[np.int64], seen: Texts, registered: NDArray[np.bool_], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    doses, world = SimpleNamespace(person=person), SimpleNamespace(registered=registered)
    generator = np.random.default_rng(seed)
    held = hold_apart(person, generator)
    index, weight = draw(cast("Doses", doses), seen, held, cast("World", world), generator)
    assert held[index].all()
    return index, weight


def population(seed: int, doses: int) -> tuple[NDArray[np.int64], Texts, NDArray[np.bool_]]:
    """Persons with one to four doses, some of them foreigners or absent."""
    generator = np.random.default_rng(seed)
    person = np.sort(generator.integers(-doses // 50, doses // 2, doses))
    _, which = np.unique(person, return_inverse=True)
    person = person[np.argsort(which, kind="stable")]
    return person, generator.choice(KNOWN, doses).astype(object), generator.random(doses) > 0.02


@given(st.integers(0, 999), st.integers(400, 3000))
@settings(max_examples=25, deadline=None)
def test_doses_of_a_stratum_weigh_the_same_and_together_as_much_as_there_are(seed: int, doses: int) -> None:
    person, seen, registered = population(seed, doses)
    index, weight = drawn(person, seen, registered, seed)
    assert (np.diff(index) > 0).all()
    stratum = np.where((person >= 0) & registered[np.maximum(person, 0)], seen, "not in the registry")
    for name in STRATA:
        inside = stratum[index] == name
        assert len(set(weight[inside].tolist())) == int(inside.any())
        assert not inside.any() or weight[inside].sum() == pytest.approx((stratum == name).sum())
        persons, counts = np.unique(person[stratum == name], return_counts=True)
        chosen, times = np.unique(person[index[inside]], return_counts=True)
        # no two neighbours among the doses of a person
        assert (times <= np.ceil(counts[np.searchsorted(persons, chosen)] / LEAST_STEP)).all()


def test_every_dose_is_drawn_as_often_as_its_weight_says() -> None:
    person, seen, registered = population(1, 400)
    often, expected = np.zeros(400), []
    rounds = 2000
    for seed in range(rounds):
        index, weight = drawn(person, seen, registered, seed)
        often[index] += 1
        expected.append((1 / weight).mean())
    # half of the persons, and of theirs every other dose; four standard deviations of a share
    assert abs(often / rounds - 0.25).max() < 4.5 * (0.25 * 0.75 / rounds) ** 0.5
    assert np.mean(expected) == pytest.approx(0.25, abs=0.005)


def test_large_strata_are_drawn_no_more_than_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_DOSES == 30_000
    monkeypatch.setattr(labels, "MOST_DOSES", 300)
    person, seen, registered = population(2, 20_000)
    index, weight = drawn(person, seen, registered, 1)
    assert 290 <= len(index) <= 305
    stratum = np.where((person >= 0) & registered[np.maximum(person, 0)], seen, "not in the registry")[index]
    for name, share in STRATA.items():
        assert abs((stratum == name).sum() - share * 300) <= 1
        # few persons twice
        assert len(np.unique(person[index[stratum == name]])) >= 0.9 * (stratum == name).sum()
    assert weight.sum() == pytest.approx(20_000, rel=0.02)
