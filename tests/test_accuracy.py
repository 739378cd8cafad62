"""Accuracy is a feature: floors on a fixed synthetic population, on persons whose labels trained nothing."""

from collections.abc import Callable

import pytest

from evaluation import Evaluation, evaluate
from linkage.cli import main

# what is measured: dimension and stratum of the evaluation (None: all doses), figure, and the worst that passes
FLOORS = {
    "precision of accepts": (None, "precision", 0.9997),
    "linkable doses accepted and right": (None, "recall", 0.975),
    "no usable number: precision of accepts": (("id_group", "unusable"), "precision", 0.999),
    "no usable number: accepted and right": (("id_group", "unusable"), "recall", 0.90),
    "well-formed number, wrong details: accepted and right": (("details", "differ"), "recall", 0.95),
}
CEILINGS = {
    "in review": (None, "review_share", 0.015),
    "twins: accepts that are wrong": (("twin", "twin"), "false_links", 1 / 2000),
    "absent from the registry: accepted": (("registry", "absent"), "accept", 1 / 1000),
}


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


def _share(measured: Evaluation, stratum: tuple[str, str] | None, figure: str) -> float:
    figures = measured.overall
    if stratum:
        [figures] = [each.figures for each in measured.strata if (each.dimension, each.name) == stratum]
    if figure == "accept":
        return figures.accept / figures.doses
    share = getattr(figures, figure).value
    assert share is not None
    return float(share)


def test_the_population_is_large_enough_to_tell(measured: Evaluation) -> None:
    assert measured.overall.doses >= 50_000
    assert {each.figures.doses >= 500 for each in measured.strata if each.dimension in {"twin", "registry"}} == {True}


@pytest.mark.parametrize("name", [*FLOORS, *CEILINGS])
def test_floors(measured: Evaluation, record_property: Callable[[str, object], None], name: str) -> None:
    stratum, figure, bound = (FLOORS | CEILINGS)[name]
    share = _share(measured, stratum, figure)
    record_property(name, share)
    print(f"{name}: {share:.4%}")  # noqa: T201 - CI shows what it measured
    assert share >= bound if name in FLOORS else share <= bound
