"""Clerical review through the command line: a queue out of a run, files out and back, accounts, status, labels."""

import csv
import io
import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from linkage.cli import main
from linkage.review.words import outcome

Review = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def scored(small_population: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RUN of the small population."""
    run = tmp_path_factory.mktemp("scored") / "run"
    tables = ["--doses", f"{small_population}/doses.csv", "--citizens", f"{small_population}/citizens.csv"]
    assert main(["score", *tables, "--model", "dose_citizen", "--memory", "2GB", "--out", str(run)]) == 0
    return run


@pytest.fixture
def review(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Review:
    """``review("status")``: what the command says as JSON."""

    def run(*said: object, status: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        store = f"sqlite:///{tmp_path}/store.db"
        assert main(["review", *map(str, said), "--store", store, "--json"]) == status
        streams = capsys.readouterr()
        assert "Traceback" not in streams.err
        found: dict[str, Any] = json.loads(streams.out) if status == 0 else {"error": streams.err}
        return found

    return run


@pytest.fixture
def queued(scored: Path, review: Review) -> dict[str, Any]:
    """A queue, and a reader for all of it."""
    review("account", "an", "--units", "*")
    return review("queue", "--run", scored, "--double", "0")


def decide(file: Path, language: str, wanted: Callable[[int], str]) -> int:
    """Fill in the decision of every record; ``wanted`` gets the number of the case."""
    book = openpyxl.load_workbook(file, rich_text=True)
    sheet = book.worksheets[1]
    heads = {cell.value: cell.column for cell in sheet[1]}
    column = heads["DECISION" if language == "en" else "QUYẾT ĐỊNH"]
    done = 0
    for row in sheet.iter_rows(min_row=2):
        if row[1].value in ("Record", "Bản ghi"):
            done += 1
            sheet.cell(row[0].row, column).value = wanted(done)
    book.save(file)
    return done


def test_a_queue_goes_out_and_comes_back(queued: dict[str, Any], review: Review, scored: Path, tmp_path: Path) -> None:
    assert queued["cases"] > 5
    sheets = tmp_path / "sheets"
    out = review("export", "--run", scored, "--out", sheets, "--lang", "vi")
    assert out["cases"] == queued["cases"]
    assert {Path(name).parent for name in out["files"]} == {sheets}
    assert not any(path.stat().st_mode & 0o007 for path in (*map(Path, out["files"]), tmp_path / "store.db"))
    decided = sum(decide(Path(name), "vi", lambda _: outcome("none", "vi")) for name in out["files"])
    assert decided == queued["cases"]
    staged = review("import", *out["files"], "--reviewer", "an", "--dry-run")
    assert (staged["applied"], staged["entry"]) == (decided, None)
    assert review("status")["cases"]["open"] == decided
    done = review("import", *out["files"], "--reviewer", "an")
    assert (done["applied"], done["outcomes"], done["problems"]) == (decided, {"none": decided}, [])
    again = review("import", *out["files"], "--reviewer", "an")
    assert (again["applied"], again["unchanged"], again["entry"]) == (0, decided, None)
    # what the model holds for improbable waits for a second reader
    review("account", "binh", "--units", "*")
    second = review("import", *out["files"], "--reviewer", "binh")
    assert 0 < second["applied"] < decided
    assert second["refused"] == decided - second["applied"]
    status = review("status", "--run", scored)
    assert (status["cases"]["open"], status["cases"]["settled"]) == (0, decided)
    assert {each["name"]: each["cases"] for each in status["readers"]} == {
        "an": decided,
        "binh": second["applied"],
    }
    answers = tmp_path / "answers.csv"
    assert review("export", "--answers", "--out", answers)["rows"] == queued["doses"]
    with answers.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["outcome"], row["reader"], row["citizen_id"]) for row in rows} == {("none", "an", "")}
    assert len({row["dose_id"] for row in rows}) == queued["doses"]
    labels = review("export", "--labels", "--run", scored, "--out", tmp_path / "labels.csv")
    assert labels["doses"] == queued["doses"]
    # the same run again: nobody is asked twice
    assert review("queue", "--run", scored, "--double", "0")["entry"] is None
    assert main(["persons", "verify", "--store", f"sqlite:///{tmp_path}/store.db"]) == 0
    # a run that never heard of the answers would overrule them
    build = ["persons", "build", "--run", str(scored), "--out", str(tmp_path / "persons")]
    assert main([*build, "--store", f"sqlite:///{tmp_path}/store.db"]) == 2


@pytest.mark.usefixtures("queued")
def test_every_format_holds_every_case(review: Review, tmp_path: Path) -> None:
    cases = review("status")["cases"]["open"]
    table = review("export", "--out", tmp_path / "tables", "--format", "csv")
    ids = set()
    for name in table["files"]:
        with Path(name).open(encoding="utf-8-sig", newline="") as file:
            ids |= {row["case_id"].strip("\u00a0") for row in csv.DictReader(file)}
    assert len(ids) == table["cases"] == cases
    pages = review("export", "--out", tmp_path / "pages", "--format", "page")
    assert pages["cases"] == cases
    assert all("<html" in Path(name).read_text(encoding="utf-8") for name in pages["files"])
    small = review("export", "--out", tmp_path / "small", "--most", "1")
    assert len(small["files"]) == cases
    unit = review("status")["units"][0]
    one = review("export", "--out", tmp_path / "one", "--only", unit["unit"])
    assert one["cases"] == unit["open"] > 0
    assert "--force" in review("export", "--out", tmp_path / "one", status=2)["error"]
    (tmp_path / "one" / "mine.txt").write_text("keep")
    assert "mine.txt" in review("export", "--out", tmp_path / "one", "--force", status=2)["error"]
    assert (tmp_path / "one" / "mine.txt").exists()


def test_cases_are_dealt_to_reviewers_by_capacity(review: Review, scored: Path, tmp_path: Path) -> None:
    for name, capacity in (("an", 300), ("binh", 100)):
        review("account", name, "--units", "*", "--capacity", capacity)
    queued = review("queue", "--run", scored, "--by", "reviewer", "--double", "0")
    out = review("export", "--out", tmp_path / "sheets", "--by", "reviewer", "--most", "100000")
    assert sorted(Path(name).name for name in out["files"]) == ["reviewer_an_1.xlsx", "reviewer_binh_1.xlsx"]
    dealt = {each["reviewer"]: 0 for each in review("status")["units"]}
    for each in review("status")["units"]:
        dealt[each["reviewer"]] += each["open"]
    assert sum(dealt.values()) == queued["cases"]
    assert dealt["an"] == pytest.approx(3 * dealt["binh"], abs=4)
    # the name is in the file
    decide(Path(out["files"][0]), "en", lambda _: outcome("cannot_tell", "en"))
    assert review("import", out["files"][0])["applied"] == dealt["an"]


@pytest.mark.usefixtures("queued")
def test_rows_that_cannot_be_used_are_named(review: Review, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = Path(review("export", "--out", tmp_path / "sheets", "--lang", "en")["files"][0])
    cases = decide(file, "en", lambda case: "perhaps" if case == 1 else outcome("none", "en"))
    found = review("import", file, "--reviewer", "an")
    assert (found["applied"], found["unusable"]) == (cases - 1, 1)
    [problem] = found["problems"]
    assert file.name in problem
    assert "row 2" in problem
    capsys.readouterr()
    assert main(["review", "import", str(file), "--reviewer", "an", "--store", f"sqlite:///{tmp_path}/store.db"]) == 0
    assert problem in capsys.readouterr().out


@pytest.mark.usefixtures("queued")
@pytest.mark.parametrize(
    ("said", "told"),
    [
        (["import", "nothing.xlsx", "--reviewer", "an"], "nothing.xlsx"),
        (["import", "plain.csv", "--reviewer", "an"], "plain.csv"),
        (["import", "plain.csv"], "plain.csv"),
        (["import", "empty"], "empty"),
        (["export", "--out", "plain.csv"], "plain.csv"),
        (["export", "--labels", "--out", "labels.csv"], "--run"),
        (["export", "--run", "nowhere", "--out", "sheets"], "nowhere"),
        (["queue", "--run", "nowhere"], "nowhere"),
        (["account", "a b"], "name of an account"),
        (["account", "an", "--units", "abc"], "abc"),
        (["sample", "abc"], "abc"),
        (["sample", "00001"], "00001"),
        (["status", "--run", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_is_one_message(
    said: list[str], told: str, review: Review, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("plain.csv").write_text("a,b\n1,2\n")
    message = review(*said, status=2)["error"]
    assert told in message
    assert len(message.strip().splitlines()) == 1


def test_who_answers_needs_an_account(queued: dict[str, Any], review: Review, tmp_path: Path) -> None:
    assert queued["cases"]
    file = review("export", "--out", tmp_path / "sheets")["files"][0]
    assert "--reviewer" in review("import", file, status=2)["error"]
    assert "review account binh" in review("import", file, "--reviewer", "binh", status=2)["error"]
    review("account", "an", "--disable")
    assert "review account an" in review("import", file, "--reviewer", "an", status=2)["error"]


def test_a_password_is_read_from_the_input(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("mật khẩu rất dài\n"))
    [account] = review("account", "sep", "--role", "supervisor", "--units", "79, 001", "--password")["accounts"]
    assert account["units"] == ["001", "79"]
    assert account["role"] == "supervisor"
    [same] = review("account", "sep", "--capacity", "50")["accounts"]
    assert same == account | {"capacity": 50}


def test_an_account_stays_disabled_until_it_is_enabled(review: Review) -> None:
    def active(*said: str) -> bool:
        [account] = review("account", "an", *said)["accounts"]
        return bool(account["active"])

    assert active("--units", "79")
    assert not active("--disable")
    assert not active("--units", "01")
    assert active("--enable")


def test_a_taken_port_is_one_message(queued: dict[str, Any], review: Review) -> None:
    assert queued["cases"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert str(port) in review("serve", "--port", port, status=2)["error"]


def test_files_of_one_reader_are_not_imported_as_anothers(review: Review, scored: Path, tmp_path: Path) -> None:
    for name in ("an", "binh"):
        review("account", name, "--units", "*")
    review("queue", "--run", scored, "--by", "reviewer")
    files = review("export", "--out", tmp_path / "sheets", "--by", "reviewer")["files"]
    mine = next(name for name in files if "reviewer_an_" in name)
    assert "binh" in review("import", mine, "--reviewer", "binh", status=2)["error"]
    assert review("import", mine, "--reviewer", "an")["applied"] == 0
    assert "--by reviewer" in review("export", "--out", tmp_path / "none", "--only", "99999", status=2)["error"]


def test_nothing_is_served_to_nobody(review: Review, scored: Path) -> None:
    assert "review account" in review("serve", "--run", scored, status=2)["error"]
