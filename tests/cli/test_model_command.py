"""``linkage model`` as a user meets it: show, list, compare, promote, and what score takes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from linkage.cli import main
from linkage.messages import LANGUAGES, word
from models import Model, promotion


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command: exit status, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


Said = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def second(
    small_population: Path, train_small: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A model of half the labelled doses, and the labels of the others."""
    header, *lines = (small_population / "labels.csv").read_text(encoding="utf-8").splitlines()
    folder = tmp_path_factory.mktemp("halves")
    files = folder / "train.csv", folder / "fresh.csv"
    for number, file in enumerate(files):
        own = [line for line in lines if int(line.split(",")[0].strip('"')[1:]) % 2 == number]
        file.write_text("\n".join([header, *own, ""]), encoding="utf-8")
    return train_small(labels=files[0]), files[1]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with no other folder of promoted models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINKAGE_MODELS", raising=False)
    return tmp_path


def _tables(population: Path) -> list[str]:
    return ["--doses", str(population / "doses.csv"), "--citizens", str(population / "citizens.csv")]


def _json(text: str) -> Any:
    return json.loads(text)


def test_from_two_models_to_the_one_that_score_takes(
    small_population: Path, trained_folder: Path, second: tuple[Path, Path], here: Path, said: Said
) -> None:
    another, fresh = second
    tables = _tables(small_population)
    first, new = Model.read(trained_folder), Model.read(another)
    shipped = _json(said("model", "show", "dose_citizen", "--json")[1])["digest"]
    status, _, err = said("model", "promote", trained_folder, "--by", "Lan")
    assert (status, "linkage model compare" in err) == (2, True)
    status, out, _ = said("model", "promote", trained_folder, "--by", "Lan", "--because", "our own", "--json")
    assert (status, _json(out)["digest"], _json(out)["replaced"]) == (0, first.digest, shipped)
    status, out, _ = said("model", "promote", trained_folder)
    assert (status, first.digest[:12] in out) == (0, True)

    status, _, err = said("model", "promote", another)
    assert status == 2
    assert "linkage model compare" in err

    compare = ["model", "compare", f"{first.name}-{first.digest[:12]}", another, *tables]
    status, out, _ = said(*compare, "--labels", fresh, "--out", "c")
    assert status == 0
    found = _json((here / "c" / "comparison.json").read_text(encoding="utf-8"))
    assert (found["a"]["digest"], found["b"]["digest"]) == (first.digest, new.digest)
    assert found["paired"]["doses"] > 100
    assert "index.html" in out
    assert said(*compare, "--out", "c")[0] == 2

    # what a comparison of another pair says is no reason
    for other, digest in (("a", new.digest), ("b", first.digest)):
        wrong = found | {other: {"digest": digest}, "verdict": "better"}
        (here / "wrong.json").write_text(json.dumps(wrong), encoding="utf-8")
        assert said("model", "promote", another, "--comparison", "wrong.json")[0] == 2
    for verdict in ("worse", "not_enough_data"):
        (here / "said.json").write_text(json.dumps(found | {"verdict": verdict}), encoding="utf-8")
        for language in LANGUAGES:
            status, out, err = said("model", "promote", another, "--comparison", "said.json", "--lang", language)
            assert (status, out, err.count("\n")) == (2, "", 1)
            assert "--because" in err
    (here / "said.json").write_text(json.dumps(found | {"verdict": "better"}), encoding="utf-8")
    status, out, _ = said("model", "promote", another, "--comparison", "said.json", "--by", "Hoa", "--json")
    assert (status, _json(out)["verdict"], _json(out)["replaced"]) == (0, "better", first.digest)

    status, out, _ = said("score", *tables, "--out", "run")
    assert status == 0
    assert new.digest[:12] in out
    manifest = _json((here / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["model"]["digest"] == new.digest

    status, out, _ = said("model", "list", "--json")
    models_listed = _json(out)["models"]
    models = {row["digest"]: row["state"] for row in models_listed}
    assert (models[first.digest], models[new.digest]) == ("replaced", "in_use")
    assert [each["by"] for each in _json(out)["promotions"]] == ["Lan", "Hoa"]
    for language in LANGUAGES:
        status, out, _ = said("model", "list", "--lang", language)
        assert (status, new.digest[:12] in out, "Hoa" in out) == (0, True, True)
        promoted = {row["name"]: row["promoted_at"] for row in models_listed}
        assert promoted[promotion.DEFAULT] is None
        assert all(at[:10] in out for at in promoted.values() if at)


def test_a_comparison_without_labels_has_no_verdict(
    small_population: Path, trained_folder: Path, tmp_path: Path, said: Said
) -> None:
    arguments = ["model", "compare", "dose_citizen", trained_folder, *_tables(small_population)]
    status, out, _ = said(*arguments, "--out", tmp_path / "c", "--json")
    found = _json(out)
    assert (status, found["verdict"], found["paired"]) == (0, "not_enough_data", None)
    assert found["changed"] > 0
    assert said(*arguments, "--out", tmp_path / "d", "--labels", tmp_path / "no.csv")[0] == 2
    assert {path.name for path in tmp_path.iterdir()} == {"c"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_model_is_shown_as_tables(trained_folder: Path, language: str, said: Said) -> None:
    model = Model.read(trained_folder)
    status, out, _ = said("model", "show", trained_folder, "--lang", language)
    assert status == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert all(word(f"stratum.{stratum}", language) in out for stratum in model.thresholds.accept)
    assert "number_and_details" not in out
    for comparison, levels in model.parameters.items():
        assert {f"{comparison}.{level}" for level in levels} <= set(lines)
    status, out, _ = said("model", "show", trained_folder, "--json")
    assert _json(out)["digest"] == model.digest
    assert _json(out)["thresholds"]["review"] == model.thresholds.review


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_promoted_folder_is_that_of_the_environment_and_its_damage_is_named(
    language: str, here: Path, monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    monkeypatch.setenv("LINKAGE_MODELS", str(here / "elsewhere"))
    monkeypatch.setenv("LINKAGE_LANG", language)
    assert said("model", "promote", "dose_citizen")[0] == 0
    assert [path.name for path in here.iterdir()] == ["elsewhere"]
    record = here / "elsewhere" / "promotions.jsonl"
    whole = record.read_bytes()
    record.write_bytes(whole + whole[:20])
    status, out, _ = said("model", "list")
    assert (status, "promotions.jsonl" in out) == (0, True)
    record.write_bytes(whole[:20] + b"\n" + whole)
    for arguments in (
        ("model", "list"),
        ("model", "promote", "dose_citizen"),
        ("score", "--doses", "d.csv", "--citizens", "c.csv", "--out", "r"),
    ):
        status, out, err = said(*arguments)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert "promotions.jsonl" in err
    record.write_bytes(whole)
    [copy] = (path for path in (here / "elsewhere").iterdir() if path.is_dir())
    (copy / "model.json").write_text("{}", encoding="utf-8")
    status, _, err = said("score", "--doses", "d.csv", "--citizens", "c.csv", "--out", "r")
    assert (status, copy.name in err) == (2, True)
    assert said("model", "list")[0] == 0
    (here / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("LINKAGE_MODELS", str(here / "file"))
    assert said("model", "promote", "dose_citizen")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["model"], "COMMAND"),
        (["model", "frobnicate"], "frobnicate"),
        (["model", "show", "nobody"], "nobody"),
        (["model", "compare", "dose_citizen"], "--doses"),
        (["model", "compare", "nobody", "dose_citizen", "--doses", "d", "--citizens", "c", "--out", "o"], "nobody"),
        (["model", "compare", "dose_citizen", "dose_citizen", "--doses", "d", "--citizens", "c", "--out", "o"], "A"),
        (["model", "promote", "nobody"], "nobody"),
        (["model", "promote", "dose_citizen", "--comparison", "no.json"], "no.json"),
        (["model", "promote", "dose_citizen", "--because", " "], "--because"),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_exit_status_2(
    arguments: list[str], names: str, here: Path, monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    for language in LANGUAGES:
        monkeypatch.setenv("LINKAGE_LANG", language)
        status, out, err = said(*arguments)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert names in err
    assert list(here.iterdir()) == []
