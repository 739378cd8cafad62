"""Accuracy is a feature: floors on a fixed synthetic population, on persons whose labels trained nothing."""

from collections.abc import Callable

import pytest

from evaluation import Evaluation, evaluate
from linkage.cli import main

PRECISION_OF_ACCEPTS = 0.999
LINKABLE_ACCEPTED = 0.90
IN_REVIEW = 0.05


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    folder = tmp_path_factory.mktemp("accuracy")
    data = folder / "data"
    tables = ["--doses", str(data / "doses.csv"), "--citizens", str(data / "citizens.csv")]
    model, run = str(folder / "model"), folder / "run"
    assert main(["synth", "--citizens", "32000", "--doses", "64000", "--seed", "2022", "--out", str(data)]) == 0
    assert main(["train", *tables, "--labels", str(data / "labels.csv"), "--out", model]) == 0
    assert main(["score", *tables, "--model", model, "--out", str(run)]) == 0
    return evaluate(run, str(data / "truth.csv"), folder / "evaluation")


def test_floors(measured: Evaluation, record_property: Callable[[str, object], None]) -> None:
    overall = measured.overall
    shares = {
        "precision of accepts": overall.precision.value,
        "linkable doses accepted": overall.recall.value,
        "in review": overall.review_share.value,
    }
    for name, share in shares.items():
        record_property(name, share)
        print(f"{name}: {share:.4%}")  # noqa: T201 - CI shows what it measured
    assert overall.doses >= 50_000
    assert overall.precision.value is not None
    assert overall.recall.value is not None
    assert overall.review_share.value is not None
    assert overall.precision.value >= PRECISION_OF_ACCEPTS
    assert overall.recall.value >= LINKABLE_ACCEPTED
    assert overall.review_share.value <= IN_REVIEW
