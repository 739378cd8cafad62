"""From the queue to the next run and back: what clerks answered at the desk is what ``score --store`` decides."""

import csv
import itertools
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from linkage.cli import main
from linkage.messages import say
from linkage.review.accounts import Account
from linkage.review.cases import OUTCOMES, Answer, Case
from linkage.review.desk import answer_case, answer_many, next_case
from linkage.review.queue import QueueSettings, queue_run
from linkage.store import open_store


def by_dose(run: Path) -> dict[str, dict[str, Any]]:
    """Dose → its row of the decisions."""
    rows = pq.read_table(run / "decisions.parquet").to_pylist()
    return {row["dose_id"]: row for row in rows}


def answers_of(run: Path) -> dict[str, Any]:
    """What the manifest says of answers."""
    found: dict[str, Any] = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["answers"]
    return found


@pytest.fixture
def before(small_population: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that the queue is made of."""
    run = tmp_path_factory.mktemp("before") / "run"
    tables = ["--doses", str(small_population / "doses.csv"), "--citizens", str(small_population / "citizens.csv")]
    assert main(["score", *tables, "--model", "dose_citizen", "--memory", "2GB", "--out", str(run)]) == 0
    return run


@pytest.fixture
def answered_store(before: Path, tmp_path: Path) -> tuple[str, dict[str, Case]]:
    """A store whose queue was made of the run and answered, every outcome in turn; its URL, and outcome → a case."""
    url = f"sqlite:///{tmp_path}/store.db"
    clerk, second = (Account(name, "reviewer", ("*",)) for name in ("an", "binh"))
    said: dict[str, Case] = {}
    answers: list[tuple[str, Answer]] = []
    with open_store(url) as store:
        queue_run(store, before, QueueSettings(double=0.0, hidden=0.0), "chi")
        for outcome in itertools.cycle(OUTCOMES):
            view = next_case(store, clerk)
            if view is None:
                break
            named = view.case.candidates[-1].citizen_id if outcome == "citizen" else None
            answer = Answer(outcome, named, "number" if outcome == "send_back" else None)
            answer_case(store, clerk, view.case_id, view.version, answer)
            answers.append((view.case_id, answer))
            said[outcome] = view.case
        # who reads second what surprised says the same
        answer_many(store, second, answers, {})
    return url, said


def test_from_the_queue_to_the_next_run_and_back(
    before: Path,
    answered_store: tuple[str, dict[str, Case]],
    small_population: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What clerks answered at the desk is what ``score --store`` decides; what a facility corrects is decided anew."""
    url, said = answered_store
    corrected = said["send_back"].dose_ids[0]
    with (small_population / "doses.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["dose_id"] == corrected:
            row["full_name"] = "Nguyễn Thị Chưa Từng Có"
    with (tmp_path / "doses.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    tables = ["--doses", str(tmp_path / "doses.csv"), "--citizens", str(small_population / "citizens.csv")]
    arguments = ["score", *tables, "--model", "dose_citizen", "--memory", "2GB"]
    monkeypatch.setenv("LINKAGE_STORE", url)
    assert main([*arguments, "--out", str(tmp_path / "run")]) == 0
    counts = answers_of(tmp_path / "run")
    now = by_dose(tmp_path / "run")
    expected = {"citizen": "accept", "none": "no_match"}
    for outcome, case in said.items():
        for dose in set(case.dose_ids) - {corrected}:
            assert (now[dose]["decision"], now[dose]["answer"]) == (expected.get(outcome, "review"), outcome)
    assert {now[dose]["citizen_id"] for dose in said["citizen"].dose_ids} == {said["citizen"].candidates[-1].citizen_id}
    assert now[corrected]["answered"] is None
    left = [row for row in now.values() if row["decision"] == "review" and row["answered"] is None]
    assert {row["dose_id"] for row in left} <= {corrected}
    entries = {row["answered"] for row in now.values()} - {None}
    assert len(entries) >= len(OUTCOMES)
    assert counts["known"] == sum(counts["respected"].values()) + 1
    # who gives no store gets what the machine decides
    monkeypatch.delenv("LINKAGE_STORE")
    assert main([*arguments, "--out", str(tmp_path / "machine")]) == 0
    assert answers_of(tmp_path / "machine")["known"] is None
    was = by_dose(before)
    assert {dose for dose, row in by_dose(tmp_path / "machine").items() if row != was[dose]} <= {corrected}


def test_a_store_that_is_not_there(
    small_population: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Named by --store it is an error; LINKAGE_STORE may be set before there is one."""
    tables = ["--doses", str(small_population / "doses.csv"), "--citizens", str(small_population / "citizens.csv")]
    arguments = ["score", *tables, "--model", "dose_citizen", "--memory", "2GB", "--out", str(tmp_path / "run")]
    missing = f"sqlite:///{tmp_path}/missing.db"
    assert main([*arguments, "--store", missing]) == 2
    assert "missing.db" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("LINKAGE_STORE", missing)
    assert main(arguments) == 0
    assert say("score.no_store", "en") in capsys.readouterr().out
    assert not (tmp_path / "missing.db").exists()
