"""Every command of the data scientist's page, in its order, on synthetic people."""

import csv
import re
import shlex
from importlib.resources import files
from pathlib import Path

import pytest

from evaluation.population import synthesise
from linkage.cli import main

PAGE = Path(str(files("training"))) / "README.md"


def commands(page: str) -> list[list[str]]:
    """The commands of the console blocks."""
    blocks = re.findall(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return [shlex.split(line.removeprefix("$ ")) for block in blocks for line in block.splitlines()]


def answer(review_file: Path, truth: dict[str, str]) -> None:
    """Do the clerk's work: 1 for the dose's citizen, 0 for all others; whom blocking did not find is looked up."""
    with review_file.open(encoding="utf-8-sig", newline="") as file:
        # a spreadsheet shows each cell as text for the space before it
        rows = [{name: cell.strip() for name, cell in row.items()} for row in csv.DictReader(file)]
    for row in rows:
        citizen = truth[row["dose_id"]]
        if not row["citizen_id"]:
            row["citizen_id"] = citizen
            row["is_match"] = "1" if citizen else "0"
        else:
            row["is_match"] = str(int(row["citizen_id"] == citizen))
        row["reviewer"] = "synthetic"
    with review_file.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_every_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthesise(4000, 8000, 7, tmp_path / "data")
    for name in ("doses.csv", "citizens.csv"):
        (tmp_path / "data" / name).rename(tmp_path / name)
    with (tmp_path / "data" / "truth.csv").open(encoding="utf-8", newline="") as file:
        truth = {row["dose_id"]: row["citizen_id"] for row in csv.DictReader(file)}
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINKAGE_MODELS", raising=False)
    given = commands(PAGE.read_text(encoding="utf-8"))
    assert {words[0] for words in given} == {"linkage"}
    assert {words[1] for words in given} == {"score", "train", "evaluate", "model"}
    for words in given:
        assert main(words[1:]) == 0, " ".join(words)
        if "--suggest" in words:
            answer(Path(words[words.index("--out") + 1]), truth)
    model = (tmp_path / "run_november" / "model.json").read_text(encoding="utf-8")
    assert model == (tmp_path / "models" / "november" / "model.json").read_text(encoding="utf-8")
    made = ("measured/index.html", "models/november/card.md", "comparison/index.html", "drift/index.html")
    assert all((tmp_path / name).is_file() for name in made)
