"""Agreement and accuracy: laws of κ, and how often its interval holds."""

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from linkage.review import quality
from linkage.review.quality import Accuracy, Pair, Read, accuracy_of, agreement_of, category, cohen_kappa

SAID = st.sampled_from(["citizen 1", "citizen 2", "none", "cannot_tell"])
TABLES = st.lists(st.tuples(SAID, SAID), min_size=2, max_size=40)


@given(TABLES)
def test_kappa_is_that_of_scikit_learn(said: list[tuple[str, str]]) -> None:
    found = cohen_kappa(said)
    if found.value is None:
        assert len({one for pair in said for one in pair}) == 1
    else:
        assert found.value == pytest.approx(cohen_kappa_score(*zip(*said, strict=True)))
        assert found.low <= found.value <= found.high


@given(TABLES, st.randoms())
def test_neither_the_order_of_cases_nor_which_reader_was_first_matters(
    said: list[tuple[str, str]], random: object
) -> None:
    turned = [(other, one) for one, other in said]
    random.shuffle(turned)  # type: ignore[attr-defined]
    assert cohen_kappa(turned) == cohen_kappa(said)


def test_full_agreement_is_one_but_of_few_cases_not_for_sure() -> None:
    few = cohen_kappa([("citizen 1", "citizen 1"), ("none", "none")] * 5)
    many = cohen_kappa([("citizen 1", "citizen 1"), ("none", "none")] * 500)
    assert few.value == many.value == 1
    assert few.low < 0.5
    assert many.low > 0.99
    assert few.high == many.high == 1


def test_nothing_is_known_without_pairs_or_where_only_one_thing_was_ever_said() -> None:
    for said in ([], [("none", "none")] * 9):
        found = cohen_kappa(said)
        assert (found.pairs, found.agreed, found.value, found.low, found.high) == (len(said), len(said), None, -1, 1)


def test_its_interval_holds_the_truth_in_about_95_of_100_samples() -> None:
    generator = np.random.default_rng(1)
    shares = np.array([0.7, 0.15, 0.1, 0.05])

    def draw(cases: int) -> list[tuple[str, str]]:
        truth = generator.choice(4, cases, p=shares)
        said = [
            np.where(generator.random(cases) < 0.08, (truth + generator.integers(1, 4, cases)) % 4, truth)
            for _ in range(2)
        ]
        return [(str(one), str(other)) for one, other in zip(*said, strict=True)]

    truth = cohen_kappa(draw(200_000)).value
    assert truth is not None
    found = [cohen_kappa(draw(40)) for _ in range(400)]
    held = sum(each.low <= truth <= each.high for each in found) / len(found)
    assert 0.92 <= held <= 0.99


def test_two_who_name_different_citizens_disagree_whatever_their_outcome() -> None:
    shown = {"003000000001": 1, "003000000002": 2}
    assert category("citizen", "003000000001", shown) != category("citizen", "003000000002", shown)
    assert category("citizen", "003000000009", shown) != category("citizen", "003000000008", shown)
    assert category("none", None, shown) == category("none", None, {}) == "none"


def test_each_reader_is_compared_with_all_others() -> None:
    pairs = [Pair("an", "ba", ("none", "none")), Pair("ca", "an", ("citizen 1", "none"))] * 3
    found = agreement_of(pairs)
    assert (found.overall.pairs, found.overall.agreed) == (6, 3)
    assert {name: (each.pairs, each.agreed) for name, each in found.by_reader.items()} == {
        "an": (6, 3),
        "ba": (3, 3),
        "ca": (3, 0),
    }


def test_accuracy_counts_answers_that_decide() -> None:
    known = ("citizen", "003000000001")
    said = [known] * 18 + [("citizen", "003000000002"), ("none", None), ("cannot_tell", None), ("mixed_up", None)]
    found = accuracy_of([Read("an", each, known) for each in said] + [Read("ba", ("cannot_tell", None), known)])
    assert (found["an"].right, found["an"].wrong, found["an"].undecided) == (18, 2, 2)
    # Wilson (1927) for 18 of 20
    z = 1.959964
    centre, half = (0.9 + z**2 / 40) / (1 + z**2 / 20), z * math.sqrt(0.9 * 0.1 / 20 + z**2 / 1600) / (1 + z**2 / 20)
    assert (found["an"].low, found["an"].high) == pytest.approx((centre - half, centre + half))
    assert found["ba"] == Accuracy(0, 0, 1, None, 0.0, 1.0)


def test_examples_of_the_documentation_hold() -> None:
    assert doctest.testmod(quality).failed == 0
