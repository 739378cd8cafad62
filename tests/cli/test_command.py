"""The command as a user meets it: results, one message on what can be mended, nothing about persons elsewhere."""

import csv
import json
import re
from pathlib import Path

import duckdb
import pytest

from linkage.cli import main
from linkage.messages import LANGUAGES, catalogue

RUN_FILES = {"decisions.parquet", "review.parquet", "corrections.parquet", "quarantine.parquet", "manifest.json"}


@pytest.fixture(scope="module")
def run(small_population: Path, trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("score") / "run"
    assert main(_score(small_population, trained_folder, folder)) == 0
    return folder


def _score(population: Path, model: Path, out: Path, *more: str) -> list[str]:
    tables = ["--doses", str(population / "doses.csv"), "--citizens", str(population / "citizens.csv")]
    return ["score", *tables, "--model", str(model), "--out", str(out), *more]


def _columns(run: Path, name: str) -> list[str]:
    result = duckdb.execute(f"FROM '{run}/{name}.parquet' LIMIT 0")
    return [column[0] for column in result.description or ()]


def test_a_run_has_its_files_and_every_row(run: Path, small_population: Path) -> None:
    with (small_population / "doses.csv").open(encoding="utf-8") as file:
        doses = [row["dose_id"] for row in csv.DictReader(file)]
    decided = duckdb.execute(f"SELECT dose_id FROM '{run}/decisions.parquet'").fetchall()
    assert {file.name for file in run.iterdir()} >= RUN_FILES
    assert [dose_id for (dose_id,) in decided] == doses
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["rows_in"] == manifest["rows_out"] == sum(manifest["decisions"].values()) == len(doses)
    assert not run.with_name("run.partial").exists()


def test_the_columns_of_decisions_are_those_of_the_interface(run: Path) -> None:
    columns = _columns(run, "decisions")
    wanted = "dose_id decision outcome citizen_id probability match_weight runner_up_citizen_id margin rule model"
    assert columns[:10] == wanted.split()
    review = _columns(run, "review")
    assert review[:5] == ["dose_id", "citizen_id", "rank", "probability", "match_weight"]
    assert {"name", "birth_date", "id"} <= set(review)
    corrections = _columns(run, "corrections")
    assert corrections == ["dose_id", "citizen_id", "field", "recorded", "registry", "kind"]


def test_candidates_of_a_dose_sum_to_at_most_one_and_corrections_belong_to_accepts(run: Path) -> None:
    sums = duckdb.execute(f"SELECT sum(probability) FROM '{run}/candidates.parquet' GROUP BY dose_id").fetchall()
    assert sums
    assert max(total for (total,) in sums) <= 1 + 1e-9
    strangers = duckdb.execute(
        f"SELECT count(*) FROM '{run}/corrections.parquet' WHERE dose_id NOT IN"
        f" (SELECT dose_id FROM '{run}/decisions.parquet' WHERE decision = 'accept')"
    ).fetchall()
    assert strangers == [(0,)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_decision_is_explained_in_words(
    run: Path, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = duckdb.execute(f"SELECT min(dose_id), outcome FROM '{run}/decisions.parquet' GROUP BY outcome").fetchall()
    assert len(kinds) >= 6
    for dose_id, outcome in kinds:
        assert main(["explain", "--run", str(run), dose_id, "--lang", language]) == 0
        text = capsys.readouterr().out
        assert dose_id in text
        assert catalogue()[f"outcome.{outcome}"][language] in text


def test_the_bits_explained_sum_to_the_match_weight(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [(dose_id,)] = duckdb.execute(f"SELECT min(dose_id) FROM '{run}/review.parquet'").fetchall()
    assert main(["explain", "--run", str(run), dose_id, "--json"]) == 0
    explained = json.loads(capsys.readouterr().out)
    for candidate in explained["candidates"]:
        total = candidate["prior_bits"] + sum(line["bits"] for line in candidate["comparisons"])
        assert total == pytest.approx(candidate["match_weight"], abs=1e-3)
    assert len({candidate["prior_bits"] for candidate in explained["candidates"]}) >= 1


def test_json_is_one_object_and_progress_goes_elsewhere(
    small_population: Path, trained_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_score(small_population, trained_folder, tmp_path / "run", "--json")) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["rows_in"] == 4000
    assert "%" in err


def test_nothing_about_a_person_reaches_the_terminal(
    small_population: Path, trained_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_score(small_population, trained_folder, tmp_path / "run")) == 0
    said = "".join(capsys.readouterr())
    assert not re.search(r"\b\d{9,15}\b", said)
    with (small_population / "doses.csv").open(encoding="utf-8") as file:
        names = {row["full_name"] for row in csv.DictReader(file)} - {""}
    assert not [name for name in names if name in said]


def test_what_exists_is_not_overwritten(
    run: Path, small_population: Path, trained_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (run / "decisions.parquet").read_bytes()
    assert main(_score(small_population, trained_folder, run)) == 2
    assert str(run) in capsys.readouterr().err
    assert main(_score(small_population, trained_folder, run, "--resume")) == 0
    assert main(_score(small_population, trained_folder, run, "--force")) == 0
    assert (run / "decisions.parquet").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["score"], "--doses"),
        (["scoer"], "scoer"),
        (["score", "--doses", "no.csv", "--citizens", "no.csv", "--out", "r"], "no.csv"),
        (["score", "--doses", "no.csv", "--citizens", "no.csv", "--out", "r", "--model", "nobody"], "nobody"),
        (["score", "--doses", "a", "--citizens", "b", "--out", "r", "--threads", "many"], "many"),
        (["score", "--doses", "a", "--citizens", "b", "--out", "r", "--threads", "0"], "0"),
        (["score", "--doses", "a", "--citizens", "b", "--out", "r", "--engine", "spark"], "spark"),
        (["evaluate", "--run", "nowhere", "--truth", "t.csv", "--out", "e"], "nowhere"),
        (["explain", "--run", "nowhere", "D1"], "nowhere"),
        (["model", "show", "nobody"], "nobody"),
        (["synth", "--citizens", "-5", "--doses", "3", "--out", "x"], "-5"),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_exit_status_2(
    arguments: list[str],
    names: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for language in LANGUAGES:
        monkeypatch.setenv("LINKAGE_LANG", language)
        assert main(arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert names in err
        assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_memory_that_is_no_amount_is_refused(
    small_population: Path, trained_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_score(small_population, trained_folder, tmp_path / "run", "--memory", "plenty")) == 2
    assert "plenty" in capsys.readouterr().err


def test_a_broken_model_is_refused(small_population: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model").mkdir()
    for text in ("{", "[]", '{"schema_version": 99}', '{"schema_version": 1}'):
        (tmp_path / "model" / "model.json").write_text(text, encoding="utf-8")
        assert main(_score(small_population, tmp_path / "model", tmp_path / "run")) == 2
        assert "model.json" in capsys.readouterr().err


def test_both_languages_say_the_same_facts() -> None:
    for key, texts in catalogue().items():
        assert set(texts) == set(LANGUAGES), key
        facts = [set(re.findall(r"{(\w+)", texts[language])) for language in LANGUAGES]
        assert facts[0] == facts[1], key


def test_force_never_replaces_what_we_did_not_write(
    small_population: Path, trained_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mine.txt").write_text("mine", encoding="utf-8")
    out = str(tmp_path / "letters")
    tables = ["--doses", str(small_population / "doses.csv"), "--citizens", str(small_population / "citizens.csv")]
    for arguments in (
        _score(small_population, trained_folder, tmp_path / "letters", "--force"),
        ["train", *tables, "--labels", str(small_population / "labels.csv"), "--out", out, "--force"],
        ["synth", "--citizens", "500", "--doses", "500", "--out", out, "--force"],
        ["demo", "--out", out, "--force"],
    ):
        assert main(arguments) == 2
        assert "mine.txt" in capsys.readouterr().err
        assert (tmp_path / "letters" / "mine.txt").read_text(encoding="utf-8") == "mine"
    assert main(_score(small_population, trained_folder, tmp_path / "letters" / "mine.txt", "--force")) == 2
    assert "mine.txt" in capsys.readouterr().err
    assert (tmp_path / "letters" / "mine.txt").read_text(encoding="utf-8") == "mine"
