"""What the model card says, that it says the same in both languages, and to the byte for the same model."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.cli import main
from linkage.messages import LANGUAGES, say, word
from linkage.reports.pages import at_most, count, percent
from models import NEVER, Model, Registry, Thresholds
from training import drawings
from training.card import CARDS, _shares, write_card
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


def texts(model: Model, folder: Path) -> dict[str, str]:
    card(model, folder)
    return {language: (folder / name).read_text(encoding="utf-8") for language, name in CARDS.items()}


def with_thresholds(model: Model, thresholds: Thresholds, **changed: Any) -> Model:
    found = {**model.evidence["thresholds"], **changed}
    return replace(model, thresholds=thresholds, evidence={**model.evidence, "thresholds": found})


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


@given(st.floats(0, 1), st.floats(0, 1))
def test_what_a_model_does_with_doses_sums_to_all_of_them(accepted: float, of_the_rest: float) -> None:
    reviewed = (1 - accepted) * of_the_rest
    shares = _shares({"accepted_share": accepted, "review_share": reviewed})
    assert sum(round(100 * share) for share in shares.values()) == 10_000
    assert all(share >= 0 for share in shares.values())
    assert shares["accept"] == pytest.approx(100 * accepted, abs=0.0101)
    assert shares["review"] == pytest.approx(100 * reviewed, abs=0.0101)


@given(st.floats(1e-9, 1))
def test_a_rate_is_never_said_to_be_lower_than_it_is_and_hardly_higher(rate: float) -> None:
    said = at_most(rate, "en").removeprefix("1 in ").replace(",", "")
    assert 1 / int(said) >= rate * (1 - 1e-8)
    assert int(said) > 0.99 / rate - 1
    assert len(said.rstrip("0")) <= 3
    assert at_most(rate, "vi") == "1 trên " + count(int(said), "vi")


@given(st.integers(1, 999), st.integers(0, 6))
def test_one_in_a_round_number_is_said_as_it_is(digits: int, zeros: int) -> None:
    whole = digits * 10**zeros
    assert at_most(1 / whole, "en") == f"1 in {whole:,}"


def test_both_languages_have_the_same_tables_to_the_digit(model: Model, tmp_path: Path) -> None:
    said = texts(model, tmp_path / "m")
    # levels in words may hold a date
    spoken = {
        word(f"level.{comparison.name}.{level.name}", language)
        for language in LANGUAGES
        for comparison in model.specification.comparisons
        for level in comparison.levels
    }
    points = {"en": {}, "vi": {ord(","): ".", ord("."): ","}}
    numbers = [
        re.findall(r"[-+]?\d[\d.,]*(?:e[-+]\d+)?", cell.translate(points[language]))
        for language, text in said.items()
        for line in rows(text)
        for cell in line
        if cell not in spoken
    ]
    half = len(numbers) // 2
    assert half > 500
    assert numbers[:half] == numbers[half:]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_card_the_summary_and_model_show_prove_the_same(
    model: Model, tmp_path: Path, language: str, capsys: pytest.CaptureFixture[str], trained_folder: Path
) -> None:
    claim = at_most(model.evidence["thresholds"]["false_links"]["bound"], language)
    assert f"**{claim}**" in texts(model, tmp_path / "m")[language]
    assert main(["model", "show", str(trained_folder), "--lang", language]) == 0
    assert claim in capsys.readouterr().out


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_labelled_dose_is_in_one_row_of_the_error_rates(model: Model, tmp_path: Path, language: str) -> None:
    found = model.evidence["thresholds"]
    text = texts(model, tmp_path / "m")[language]
    names = [word(f"stratum.{name}", language) for name in found["strata"]]
    table = {line[0]: line for line in rows(text) if len(line) == 10 and not line[0].startswith("-")}
    # after the head
    doses = {name: int(re.sub(r"\D", "", line[1])) for name, line in list(table.items())[1:]}
    every = doses.pop(f"**{say('model.all', language)}**")
    assert list(doses)[: len(names)] == names
    assert sum(doses.values()) == every == found["doses"]
    for name in names:
        assert any(line.startswith(f"- **{name}** (") for line in text.splitlines())


def test_a_review_threshold_of_nothing_is_said_in_words(model: Model, tmp_path: Path) -> None:
    accept = model.thresholds.accept
    without = texts(with_thresholds(model, Thresholds(accept, 0.0)), tmp_path / "without")
    assert (
        "- Not proven with these labels: no dose with a candidate is refused, they all go to review." in without["en"]
    )
    assert "- Chưa chứng minh được với các nhãn này: không mũi nào có ứng viên bị loại" in without["vi"]
    beyond = texts(with_thresholds(model, Thresholds(accept, 0.0005)), tmp_path / "with")
    assert "less than 0.05\u00a0% probable" in beyond["en"]
    assert "dưới 0,05\u00a0%" in beyond["vi"]
    assert "is refused" not in beyond["en"]
    share = percent(model.in_registry, "vi")
    assert f"mô hình coi {share} số mũi tiêm" in beyond["vi"]


def test_a_stratum_that_labels_do_not_prove_says_what_is_lacking(model: Model, tmp_path: Path) -> None:
    strata = model.evidence["thresholds"]["strata"]
    name = next(iter(strata))
    changed = {**strata, name: {**strata[name], "lacking": 1234}}
    thresholds = replace(model.thresholds, accept={**model.thresholds.accept, name: NEVER})
    said = texts(with_thresholds(model, thresholds, strata=changed), tmp_path / "m")
    title = word(f"stratum.{name}", "en")
    assert f"- Stratum “{title}”: none of it is accepted. About 1,234 more of its doses" in said["en"]
    assert (
        f"- Nhóm “{word(f'stratum.{name}', 'vi')}”: không mũi nào được chấp nhận. Cần thêm khoảng 1.234" in said["vi"]
    )


def test_the_levels_are_drawn_without_blank_bands(model: Model) -> None:
    [axes] = drawings.match_weights(model, Registry(**model.evidence["registry"])).axes
    levels = sum(len(comparison.levels) for comparison in model.specification.comparisons)
    low, high = axes.get_ylim()
    assert (round(low - (levels - 1)), round(-high)) == (1, 1)


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
        "card.vi.md",
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
