"""What is said of labels: each oddity once, with its count, in both languages; and how many labels are lacking."""

import numpy as np
import pytest

from linkage.messages import LANGUAGES
from training.labels import LabelCounts
from training.suspicion import Selection, drawn_selectively, in_words, rare_levels, suspicions


def drawn(seed: int, doses: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bits of all doses, of those drawn near a threshold, and the weights that undo it."""
    generator = np.random.default_rng(seed)
    bits = generator.normal(10, 10, doses)
    chance = np.where(abs(bits) < 4, 0.8, 0.05)
    taken = generator.random(doses) < chance
    return bits, bits[taken], 1 / chance[taken]


@pytest.mark.parametrize("seed", range(5))
def test_labels_drawn_near_the_threshold_are_found_out_and_weights_undo_it(seed: int) -> None:
    at_large, bits, weights = drawn(seed)
    found = drawn_selectively(bits, np.ones(len(bits)), at_large)
    assert found is not None
    assert not found.weighted
    assert found.low == pytest.approx(-4, abs=0.5)
    assert found.high == pytest.approx(4, abs=0.5)
    assert found.labelled == pytest.approx(np.mean((bits >= found.low) & (bits <= found.high)))
    assert found.at_large == pytest.approx(np.mean((at_large >= found.low) & (at_large <= found.high)))
    assert drawn_selectively(bits, weights, at_large) is None
    wrong = drawn_selectively(bits, 1 / weights, at_large)
    assert wrong is not None
    assert wrong.weighted


def test_few_labels_or_random_ones_are_not_suspected() -> None:
    generator = np.random.default_rng(1)
    suspected = [
        drawn_selectively(generator.normal(size=size), np.ones(size), generator.normal(size=2000)) is not None
        for size in (1, 3, 10, 30, 300)
        for _ in range(40)
    ]
    assert sum(suspected) <= 4
    assert drawn_selectively(np.array([]), np.array([]), np.ones(3)) is None


def test_levels_with_few_matches_are_named() -> None:
    levels = {"name": np.array([1] * 6 + [2] * 4 + [0] * 9 + [2] * 9, dtype=np.uint8)}
    is_match = np.array([True] * 19 + [False] * 9)
    assert rare_levels(levels, is_match, {"name": ("same", "near", "different")}) == ("name.near", "name.different")


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_oddity_is_said_once_with_its_count(language: str) -> None:
    names = [name for name in LabelCounts.__dataclass_fields__ if name not in {"draws", "drawn_again"}]
    numbers = {name: 1000 * place for place, name in enumerate(names, start=1)}
    counts = LabelCounts(**numbers, draws=3, drawn_again=40_000)
    selection = Selection(weighted=False, distance=0.4, low=-3.6, high=4.2, labelled=0.75, at_large=0.031)
    told = in_words(suspicions(counts, ("name.near", "id.different"), selection), language)
    assert len(told) == len(set(told)) == 16
    comma = {"en": ",", "vi": "."}[language]
    for name in ("unknown_doses", "half_answered", "odd_reviewers", "missing_weights", "repeated"):
        assert sum(f" {numbers[name] // 1000}{comma}000 " in sentence for sentence in told) == 1, name
    assert any("name.near, id.different" in sentence for sentence in told)
    assert any("-4" in sentence and "5" in sentence and "75" in sentence for sentence in told)
    assert suspicions(LabelCounts(5, 5, 0, 0, 0, 0)) == ()
