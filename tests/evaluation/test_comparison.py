"""Comparing two models: laws of the paired test, the rule of the verdict, and whole comparisons."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from evaluation.comparison import CompareJob, Comparison, compare, render, summary
from evaluation.comparison.changes import CHANGES
from evaluation.comparison.paired import Difference, Judged, Paired, compare_shares, decide, pair, sign_test
from linkage.errors import UserError
from linkage.messages import LANGUAGES
from models import NEVER, Model, Thresholds

SIGNS = st.lists(st.sampled_from([-1.0, 0.0, 1.0]), max_size=60)


@given(signs=SIGNS, weight=st.floats(0.01, 1e6))
def test_with_equal_weights_it_is_the_exact_test_of_mcnemar(signs: list[float], weight: float) -> None:
    sums = np.array(signs) * weight
    more, fewer = int((sums > 0).sum()), int((sums < 0).sum())
    expected = binomtest(more, more + fewer, alternative="greater").pvalue if more + fewer else 1.0
    assert sign_test(sums) == pytest.approx(expected)


@settings(max_examples=25, deadline=None)
@given(sums=st.lists(st.sampled_from([-7.0, -3.0, -1.5, -1.0, 1.0, 2.0, 2.5, 7.0]), min_size=1, max_size=9))
def test_with_unequal_weights_it_is_the_share_of_signs_that_reach_the_sum(sums: list[float]) -> None:
    found = np.array(sums)
    flipped = np.array(list(product([-1.0, 1.0], repeat=len(found)))) @ np.abs(found)
    exact = float((flipped >= found.sum() - 1e-9).mean())
    assert sign_test(found) == pytest.approx(exact, abs=0.015)


@settings(max_examples=25, deadline=None)
@given(sums=st.lists(st.sampled_from([-3.0, -1.0, 0.0, 1.0, 2.5]), max_size=40), seed=st.integers(0, 99))
def test_order_and_scale_of_weights_do_not_matter_and_one_side_is_likely(sums: list[float], seed: int) -> None:
    found = np.array(sums)
    shuffled = np.random.default_rng(seed).permutation(found)
    assert sign_test(found) == sign_test(shuffled)
    assert sign_test(found) == pytest.approx(sign_test(found * 1000.0))
    assert sign_test(found) + sign_test(-found) >= 1 - 0.02


def test_without_a_difference_it_finds_one_in_at_most_one_of_twenty() -> None:
    generator = np.random.default_rng(5)
    rejected = 0
    for _ in range(200):
        weight = generator.choice([1.0, 3.0, 20.0], 40)
        rejected += sign_test(weight * generator.choice([-1.0, 0.0, 1.0], 40)) < 0.05
    assert 1 <= rejected <= 200 * 0.05 + 3 * (200 * 0.05 * 0.95) ** 0.5


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.booleans(), st.booleans(), st.sampled_from([1.0, 2.0, 5.0]), st.integers(0, 9)),
        min_size=1,
        max_size=50,
    )
)
def test_a_and_b_are_treated_alike(rows: list[tuple[bool, bool, float, int]]) -> None:
    a, b, weight, person = (np.array(column) for column in zip(*rows, strict=True))
    there, back = compare_shares(a, b, weight, person.astype(str)), compare_shares(b, a, weight, person.astype(str))
    assert there.difference == pytest.approx(-back.difference, abs=1e-12)
    assert there.difference == pytest.approx(there.share_b - there.share_a, abs=1e-12)
    assert (there.only_a, there.doses_a, there.p_more) == (back.only_b, back.doses_b, back.p_fewer)
    assert there.doses_b - there.doses_a == there.only_b - there.only_a
    if there.low is not None and there.high is not None:
        assert there.low <= there.difference <= there.high


def test_the_interval_covers_the_difference_of_the_population() -> None:
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(150):
        # hard doses, which differ more often, are sampled ten times as often
        hard = generator.random(400) < 0.5
        a, b = generator.random(400) < 0.5, generator.random(400) < np.where(hard, 0.7, 0.55)
        found = compare_shares(a, b, np.where(hard, 1.0, 10.0), np.arange(400).astype(str))
        truth = (1 * 0.2 + 10 * 0.05) / 11
        covered += found.low is not None and found.high is not None and found.low <= truth <= found.high
    assert covered >= 0.95 * 150 - 3 * (150 * 0.95 * 0.05) ** 0.5


def _difference(p_more: float = 1.0, p_fewer: float = 1.0, more_doses: int | None = None) -> Difference:
    return Difference(0, 0, 0, 0, 0.0, 0.0, 0.0, None, None, p_more, p_fewer, more_doses)


NONE, MORE, FEWER = _difference(), _difference(p_more=0.01, more_doses=0), _difference(p_fewer=0.01, more_doses=0)


@pytest.mark.parametrize(
    ("false", "right", "kept", "verdict"),
    [
        (NONE, NONE, 0.001, "not_enough_data"),
        (MORE, NONE, 0.001, "worse"),
        (MORE, MORE, 0.001, "worse"),
        (NONE, FEWER, 0.001, "worse"),
        (FEWER, NONE, 0.001, "better"),
        (FEWER, MORE, None, "better"),
        (FEWER, FEWER, 0.001, "not_enough_data"),
        (NONE, MORE, 0.001, "better"),
        (NONE, MORE, 0.0001, "not_enough_data"),
        (NONE, MORE, None, "not_enough_data"),
    ],
)
def test_the_rule_of_the_verdict(false: Difference, right: Difference, kept: float | None, verdict: str) -> None:
    paired = Paired(100, 100, false, right, rate_b=0.001, rate_b_at_least=0.0005, kept_b=kept)
    found, reasons = decide(paired, [], labels=True)
    assert found == verdict
    assert reasons
    assert decide(paired, ["one"], labels=True)[0] == "not_enough_data"
    assert decide(None, [], labels=False)[0] == "not_enough_data"


@given(differing=st.integers(1, 4), doses=st.integers(5, 50))
def test_a_handful_that_differs_settles_nothing_and_more_than_one_label_is_asked_for(
    differing: int, doses: int
) -> None:
    b = np.arange(doses) < differing
    found = compare_shares(np.zeros(doses, dtype=bool), b, np.ones(doses), np.arange(doses).astype(str))
    assert found.p_more >= 0.05
    assert found.more_doses is not None
    # all five of those who would then differ, the same way, are enough
    assert (doses + found.more_doses) * differing / doses >= 4.3


def test_labels_that_would_settle_it_are_about_those_that_do() -> None:
    generator = np.random.default_rng(1)

    def draw(doses: int) -> Judged:
        right = generator.random((2, doses)) < np.array([[0.90], [0.93]])
        no = np.zeros(doses, dtype=bool)
        return Judged(np.arange(doses).astype(str), np.ones(doses), no, no, right[0], right[1])

    verdicts = []
    for _ in range(60):
        small = pair(draw(300), 0.01)
        more = small.right_accepts.more_doses
        if more and small.right_accepts.difference > 0.02:
            verdicts.append(decide(pair(draw(300 + more), 0.01), [], labels=True)[0])
    assert verdicts.count("better") / len(verdicts) > 0.4
    assert "worse" not in verdicts


Compare = Callable[..., Comparison]


@pytest.fixture(scope="module")
def models(trained_folder: Path) -> dict[str, Model]:
    """A trained model, one that accepts nothing, and one that weighs names twice as much."""
    model = Model.read(trained_folder)
    never = Thresholds(accept=dict.fromkeys(model.thresholds.accept, NEVER), review=model.thresholds.review)
    names = {level: replace(each, m=each.m**2) for level, each in model.parameters["name"].items()}
    return {
        "trained": model,
        "never": replace(model, name="never", thresholds=never),
        "names": replace(model, name="names", parameters={**model.parameters, "name": names}),
    }


@pytest.fixture(scope="module")
def fresh_labels(small_population: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels of another digest than those that trained the model."""
    lines = (small_population / "labels.csv").read_text(encoding="utf-8").splitlines()
    file = tmp_path_factory.mktemp("labels") / "fresh.csv"
    file.write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def run_compare(small_population: Path, models: dict[str, Model], tmp_path_factory: pytest.TempPathFactory) -> Compare:
    def run(a: str, b: str, labels: Path | None, out: Path | None = None, **more: Any) -> Comparison:
        job = CompareJob(
            a=models[a],
            b=models[b],
            doses=str(small_population / "doses.csv"),
            citizens=str(small_population / "citizens.csv"),
            labels=str(labels) if labels else None,
            out=out or tmp_path_factory.mktemp("comparison") / "c",
            threads=2,
            memory="1GB",
            **more,
        )
        return compare(job)

    return run


def test_a_model_that_accepts_nothing_is_worse_and_the_way_back_is_better(
    run_compare: Compare, fresh_labels: Path, tmp_path: Path
) -> None:
    worse = run_compare("trained", "never", fresh_labels, tmp_path / "worse")
    assert (worse.verdict, worse.b.decisions["accept"]) == ("worse", 0)
    assert worse.changed == worse.a.decisions["accept"]
    assert {flow.b for flow in worse.flows if flow.a == "accept"} == {"review"}
    better = run_compare("never", "trained", fresh_labels)
    assert better.verdict == "better"
    assert better.paired is not None
    assert better.paired.right_accepts.only_b == better.paired.right_accepts.doses_b > 0
    [(rows, kinds)] = duckdb.execute(
        f"SELECT count(*), list(DISTINCT change) FROM '{tmp_path}/worse/changes.parquet'"
    ).fetchall()
    assert (rows, kinds) == (worse.changed, ["accept_to_review"])


def test_every_dose_is_counted_once_and_labels_that_trained_give_no_verdict(
    run_compare: Compare, tmp_path: Path, small_population: Path
) -> None:
    found = run_compare("trained", "names", small_population / "labels.csv", tmp_path / "c")
    assert (found.verdict, found.reasons[0][0]) == ("not_enough_data", "compare.trained_on_them")
    assert found.paired is not None
    assert found.changed > 0
    for side, decisions in (("a", found.a.decisions), ("b", found.b.decisions)):
        for decision in ("accept", "review", "no_match"):
            assert sum(flow.doses for flow in found.flows if getattr(flow, side) == decision) == decisions[decision]
        assert sum(decisions.values()) == found.doses
    for by in ("stratum_a", "stratum_b", "id_kind"):
        parts = [unit for unit in found.units if unit.by == by]
        assert sum(unit.doses for unit in parts) == found.doses - found.a.decisions["quarantine"]
        assert sum(unit.changed for unit in parts) == found.changed
        assert all(sum(unit.changes.values()) == unit.changed for unit in parts)
    assert {example.change for example in found.examples} <= set(CHANGES)
    assert [CHANGES.index(e.change) for e in found.examples] == sorted(CHANGES.index(e.change) for e in found.examples)
    for example in found.examples:
        for candidate in example.candidates:
            moved = sum((line.bits_b or 0) - (line.bits_a or 0) for line in candidate.evidence)
            if candidate.match_weight_a is not None and candidate.match_weight_b is not None:
                assert candidate.match_weight_b - candidate.match_weight_a == pytest.approx(moved, abs=1e-3)
    written = (tmp_path / "c" / "comparison.json").read_text(encoding="utf-8")
    assert json.loads(written)["verdict"] == found.verdict
    with (small_population / "doses.csv").open(encoding="utf-8") as doses:
        names = {row["full_name"] for row in csv.DictReader(doses)}
    shown = written + render(found, "en")
    assert not [name for name in names if name in shown]
    assert {path.name for path in tmp_path.iterdir()} == {"c"}
    for language in LANGUAGES:
        page = render(found, language)
        assert found.examples[0].dose_id in page
        assert not [kind for kind in ("cccd", "cmnd", "placeholder") if f">{kind}<" in page]
        assert page.count("<li>") == len(("better", "worse", "not enough data"))
        assert "<script" not in page
        assert "\n".join(summary(found, language, tmp_path))


def test_one_model_is_not_compared_with_itself(run_compare: Compare, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        run_compare("trained", "trained", None, tmp_path / "c")
    assert list(tmp_path.iterdir()) == []
