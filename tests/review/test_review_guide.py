"""Every command of the page about clerical review, in its order, on synthetic people."""

import re
import shlex
from importlib.resources import files
from pathlib import Path

import duckdb
import openpyxl
import pytest

from evaluation.population import synthesise
from linkage.cli import main
from linkage.review.words import outcome

PAGE = Path(str(files("linkage.review"))) / "README.md"


def decide(folder: Path) -> int:
    """Do the clerk's work: none of them, or the first."""
    done = 0
    for file in sorted(folder.glob("*.xlsx")):
        book = openpyxl.load_workbook(file, rich_text=True)
        sheet = book.worksheets[1]
        for row in sheet.iter_rows(min_row=2):
            if row[1].value == "Record":
                done += 1
                row[2].value = outcome("citizen", "en", number=1) if done % 2 else outcome("none", "en")
        book.save(file)
    return done


def test_every_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthesise(4000, 8000, 7, tmp_path / "data")
    for name in ("doses.csv", "citizens.csv", "labels.csv"):
        (tmp_path / "data" / name).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINKAGE_STORE", raising=False)
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    given = [shlex.split(line.removeprefix("$ ")) for block in blocks for line in block.splitlines()]
    assert {words[2] for words in given if words[1] == "review"} == {"account", "queue", "export", "import", "status"}
    for words in given:
        assert main([*words[1:], *(["--memory", "2GB"] if words[1] == "score" else [])]) == 0, " ".join(words)
        if words[1:3] == ["review", "export"] and "sheets" in words:
            assert decide(tmp_path / "sheets") > 10
    after, before = (
        dict(duckdb.execute(f"SELECT decision, count(*) FROM '{run}/decisions.parquet' GROUP BY 1").fetchall())
        for run in ("run_after", "run")
    )
    assert after["accept"] > before["accept"]
    assert after["review"] < before["review"]
