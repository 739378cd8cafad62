"""What the model card says of dependence, and that the same model gives the same card to the byte."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from models import Model
from training.card import write_card
from training.dependence import Bits, Combination, Dependence, Shared

NAMESAKES = Combination(
    "name",
    "identical",
    "birth_date",
    "same_day",
    matches=1954,
    non_matches=1311,
    lift_matches=Bits(0.0, -0.1, 0.1),
    lift_others=Bits(11.6, 11.2, 11.9),
    excess=Bits(11.6, 11.1, 12.0),
    left=-2.14,
)
DEPENDENCE = Dependence(
    matches=(Shared("name", "birth_date", 2900, 0.04321, 1e-8), Shared("name", "sex", 2800, -0.0012, 0.9)),
    non_matches=(Shared("name", "birth_date", 9000, 0.6789, 0.0), Shared("name", "sex", 9100, 0.31, 0.0)),
    combinations=(NAMESAKES,),
)


@pytest.fixture
def model(trained_folder: Path) -> Model:
    trained = Model.read(trained_folder)
    return replace(trained, evidence={**trained.evidence, "dependence": DEPENDENCE.evidence()})


def card(model: Model, folder: Path) -> Path:
    folder.mkdir()
    write_card(folder, model)
    return folder


def test_the_card_tells_how_many_bits_are_too_much_and_how_many_are_left(model: Model, tmp_path: Path) -> None:
    text = (card(model, tmp_path / "m") / "card.md").read_text(encoding="utf-8")
    row = "| name identical | birth_date same_day | 1,954 | 1,311 | +11.6 (+11.1 … +12.0) | -2.1 |"
    assert row in text
    assert (tmp_path / "m" / "charts" / "dependence.svg").exists()
    for link in re.findall(r"!\[.*?\]\((.*?)\)", text):
        assert (tmp_path / "m" / link).is_file(), link


def test_the_same_model_gives_the_same_files_to_the_byte(model: Model, tmp_path: Path) -> None:
    here, there = (card(model, tmp_path / name) for name in ("a", "b"))
    files = sorted(path.relative_to(here) for path in here.rglob("*") if path.is_file())
    assert [str(file) for file in files] == [
        "card.md",
        "charts/dependence.svg",
        "charts/match_weights.svg",
        "charts/reliability.svg",
        "splink.json",
    ]
    for file in files:
        assert (here / file).read_bytes() == (there / file).read_bytes(), file


def test_the_chart_states_sure_bits_and_a_dash_for_others(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("matplotlib").rcParams, "svg.fonttype", "none")
    svg = (card(model, tmp_path / "m") / "charts" / "dependence.svg").read_text(encoding="utf-8")
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert [texts.count(bits) for bits in ("0.04", "0.68", "0.31", "–")] == [1, 1, 1, 1]
    assert [texts.count(name) for name in ("name", "birth_date", "sex")] == [2, 4, 2]
