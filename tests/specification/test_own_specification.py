"""A specification of one's own, from file to decisions, and in words where no message knows its names."""

import json
from importlib.resources import files
from pathlib import Path

import duckdb
import pytest

from linkage.cli import main
from linkage.messages import LANGUAGES
from models import Model

LEVEL = """[[comparison.level]]
name = "doublet"
when = "name_doublet_l = name_doublet_r"
frequency = "name_doublet"
"""
RULE = """[[blocking]]
name = "insurance_no"
on = ["insurance_no"]

"""
MORE = """
[[comparison]]
name = "initial_of_name"
missing = "name_l IS NULL OR name_r IS NULL"
[[comparison.level]]
name = "same_initial"
when = "left(name_ascii_l, 1) = left(name_ascii_r, 1)"
[[comparison.level]]
name = "other_initial"

[[caution]]
name = "reached_by_phone"
best.phone = ["same"]

[[stratum]]
name = "initial_agrees"
best.initial_of_name = ["same_initial"]
"""


@pytest.fixture(scope="module")
def own_run(small_population: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run under the shipped specification, less a level and a rule; a comparison, a caution and a stratum more."""
    folder = tmp_path_factory.mktemp("own")
    text = files("models").joinpath("dose_citizen.toml").read_text(encoding="utf-8")
    assert LEVEL in text
    assert RULE in text
    own = folder / "own.toml"
    changed = text.replace(LEVEL, "").replace(RULE, "").replace('"doublet", ', "") + MORE
    own.write_text(changed.replace('name = "dose_citizen"', 'name = "own"'), encoding="utf-8")
    tables = [f"--{name}={small_population / name}.csv" for name in ("doses", "citizens")]
    model = f"--out={folder / 'model'}"
    labels = f"--labels={small_population / 'labels.csv'}"
    assert main(["train", *tables, labels, f"--spec={own}", "--max-false-link-rate=0.02", model]) == 0
    assert main(["score", *tables, f"--model={folder / 'model'}", f"--out={folder / 'run'}"]) == 0
    return folder / "run"


def test_the_model_holds_the_specification_and_score_takes_it_from_there(own_run: Path) -> None:
    specification = Model.read(own_run).specification
    assert specification.name == "own"
    names = {comparison.name: [level.name for level in comparison.levels] for comparison in specification.comparisons}
    assert "doublet" not in names["name"]
    assert names["initial_of_name"] == ["same_initial", "other_initial"]
    seen = duckdb.execute(f"SELECT DISTINCT initial_of_name FROM '{own_run}/candidates.parquet' ORDER BY 1").fetchall()
    assert seen == [("other_initial",), ("same_initial",)]
    rules = {rule for (rule,) in duckdb.execute(f"SELECT DISTINCT rule FROM '{own_run}/decisions.parquet'").fetchall()}
    assert "id" in rules
    assert "insurance_no" not in rules
    [(accepted, doses)] = duckdb.execute(
        f"SELECT count(*) FILTER (decision = 'accept'), count(*) FROM '{own_run}/decisions.parquet'"
    ).fetchall()
    assert accepted > doses / 10


def test_names_without_words_are_said_in_words(own_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [(dose,)] = duckdb.execute(
        f"SELECT dose_id FROM '{own_run}/decisions.parquet' WHERE caution = 'reached_by_phone'"
        " ORDER BY probability DESC, dose_id LIMIT 1"
    ).fetchall()
    for language in LANGUAGES:
        assert main(["explain", f"--run={own_run}", dose, f"--lang={language}"]) == 0
        said = capsys.readouterr().out
        assert "initial of name: same initial" in said
        assert "'reached by phone'" in said


def test_reports_and_the_model_can_be_shown(own_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "report.html"
    assert main(["report", f"--run={own_run}", "--by=province", f"--out={page}"]) == 0
    assert page.stat().st_size > 0
    capsys.readouterr()
    assert main(["model", "show", str(own_run.parent / "model"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["specification"]["name"] == "own"


def test_a_mistake_stops_training_before_any_data_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\nblocking = 7\n', encoding="utf-8")
    nowhere = [f"--{name}={tmp_path / 'nowhere.csv'}" for name in ("doses", "citizens", "labels")]
    for language, says in (("en", f"{file}, line 2 (blocking)"), ("vi", f"{file}, dòng 2 (blocking)")):
        out = f"--out={tmp_path / 'model'}"
        assert main(["train", *nowhere, f"--spec={file}", out, "--lang", language]) == 2
        assert says in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
