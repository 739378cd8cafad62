"""The commands of persons on hostile input, damaged runs and stores out of reach: one message, nothing half-written."""

import getpass
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from linkage.cli import main
from linkage.store import open_store

Build = Callable[..., int]
Remade = Callable[..., Path]

HOSTILE = (
    "a'b\"c;--",
    "x\ny\r\n\tz",
    "=cmd|' /C calc'!A1",
    "<script>alert(1)</script>",
    "long" * 2000,
    "{{ 7 * 7 }} %s {0} \\",
    "ẞ ß SS",
    "s000000001",
    "S 000000001",
    "\u202e\u0000".replace("\0", "\u200b"),
)
"""Subject ids; a number at the end makes each one's own."""


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """What stood on stderr: one line that is no traceback."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("linkage")]
    assert len(lines) == 1
    return lines[0]


def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@pytest.fixture
def hostile_run(remade: Remade) -> Path:
    """Doses with a hostile subject each, and a hostile name and address; some with none."""
    ids = "[" + ", ".join(quoted(text) for text in HOSTILE) + "]"
    name = "'<img src=x onerror=alert(1)> ' || full_name"
    subject = f"{ids}[1 + place % {len(HOSTILE) + 1}] || place // {len(HOSTILE) + 1}"
    return remade(
        "hostile_run",
        doses=f"""
        SELECT * EXCLUDE (place) REPLACE ({subject} AS subject_id, {name} AS full_name,
          '=HYPERLINK("x")' AS address)
        FROM (SELECT *, row_number() OVER (ORDER BY dose_id) - 1 AS place FROM doses)
        """,
    )


def test_hostile_subjects_are_kept_to_the_letter(
    build: Build, hostile_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build("out", hostile_run) == 0
    asked = f"SELECT DISTINCT coalesce(subject_id, dose_id) FROM '{hostile_run}/doses.parquet'"
    typed = {subject for (subject,) in duckdb.execute(asked).fetchall()}
    assert any(subject.startswith(HOSTILE[1]) for subject in typed)
    built = duckdb.execute(f"FROM '{tmp_path}/out/subjects.parquet'").fetchall()
    assert {subject for subject, _ in built} == typed
    assert len(built) == len(typed)
    assert main(["persons", "verify", "--store", url(tmp_path)]) == 0
    one_each = {text: person for text in HOSTILE for subject, person in built if subject.startswith(text)}
    assert len(one_each) == len(HOSTILE)
    for number, (text, person) in enumerate(one_each.items()):
        page = tmp_path / f"{number}.html"
        capsys.readouterr()
        assert main(["persons", "show", person, "--store", url(tmp_path), "--page", str(page), "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        assert any(subject["subject"].startswith(text) for subject in facts["subjects"])
        html = page.read_text(encoding="utf-8")
        assert "<script>alert" not in html
        assert "<img src=x" not in html
    assert build("out", hostile_run, "--force") == 0
    with open_store(url(tmp_path)) as store, store.reading() as reader:
        assert reader.head().number == 1


def test_subjects_that_differ_in_case_are_two_and_spaces_around_one_are_none(
    build: Build, remade: Remade, tmp_path: Path
) -> None:
    typed = ["abc", "ABC", " abc ", "   ", "Abc"]
    run = remade(
        "run",
        doses=f"""
        SELECT * REPLACE (CASE dose_id {" ".join(f"WHEN id[{n}] THEN '{t}'" for n, t in enumerate(typed, 1))}
          ELSE subject_id END AS subject_id)
        FROM doses, (SELECT list(dose_id ORDER BY dose_id) AS id FROM doses)
        """.replace("SELECT * REPLACE", "SELECT * EXCLUDE (id) REPLACE"),
    )
    first = [dose for (dose,) in duckdb.execute(f"SELECT dose_id FROM '{run}/doses.parquet' ORDER BY 1").fetchall()]
    assert build("out", run) == 0
    subjects = {subject for subject, _ in duckdb.execute(f"FROM '{tmp_path}/out/subjects.parquet'").fetchall()}
    assert {"abc", "ABC", "Abc", first[3]} <= subjects
    assert not subjects & {" abc ", "   ", ""}


def test_without_subjects_every_dose_is_its_own(build: Build, remade: Remade, tmp_path: Path) -> None:
    run = remade("run", doses="SELECT * REPLACE (NULL::VARCHAR AS subject_id) FROM doses")
    assert build("out", run) == 0
    doses = duckdb.execute(f"SELECT dose_id FROM '{run}/doses.parquet' ORDER BY 1").fetchall()
    assert duckdb.execute(f"SELECT subject_id FROM '{tmp_path}/out/subjects.parquet'").fetchall() == doses
    [(grouped,)] = duckdb.execute(f"SELECT count(DISTINCT person_id) FROM '{tmp_path}/out/subjects.parquet'").fetchall()
    assert grouped < len(doses), "doses of one citizen are one person nevertheless"


def test_a_dose_that_would_be_another_ones_subject_is_refused(
    build: Build, remade: Remade, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    least = "(SELECT min(dose_id) FROM doses)"
    run = remade(
        "run",
        doses=f"""
        SELECT * REPLACE (CASE dose_id WHEN {least} THEN NULL
          WHEN (SELECT max(dose_id) FROM doses) THEN {least} ELSE subject_id END AS subject_id) FROM doses""",
    )
    assert build("out", run) == 2
    message = said(capsys)
    assert "subject_id" in message
    assert "D0" not in message
    assert not (tmp_path / "out").exists()


def test_an_empty_run_has_nobody(build: Build, remade: Remade, tmp_path: Path) -> None:
    tables = ("doses", "decisions", "candidates", "citizens")
    run = remade("run", **{name: f"SELECT * FROM {name} LIMIT 0" for name in tables})
    assert build("out", run) == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (manifest["persons"], manifest["subjects"], manifest["doses"]) == (0, 0, 0)


def test_a_run_of_an_older_version_is_refused(
    build: Build, remade: Remade, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = remade("run")
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({k: v for k, v in manifest.items() if k != "registry"}))
    assert build("out", run) == 2
    assert "older version" in said(capsys)
    (run / "manifest.json").write_text(json.dumps(manifest))
    (run / "model.json").write_text("{}")
    assert build("out", run) == 2
    assert "model.json" in said(capsys)
    (run / "manifest.json").unlink()
    assert build("out", run, "--lang", "vi") == 2
    assert "manifest.json" in said(capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("table", ["doses", "decisions", "candidates", "citizens"])
def test_a_damaged_file_is_named(
    table: str, build: Build, remade: Remade, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = remade("run")
    file = run / f"{table}.parquet"
    found = file.read_bytes()
    middle = len(found) // 2
    for damaged in (found[:middle], found[:8] + b"\xff" * (middle - 8) + found[middle:]):
        file.write_bytes(damaged)
        assert build("out", run) == 2
        assert file.name in said(capsys)
    assert not [path.name for path in tmp_path.iterdir() if path.name not in {"run", "store.db"}]


def test_a_result_that_exists_is_only_replaced_with_force(
    build: Build, before: Path, scored_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = (before / "manifest.json").stat().st_ino
    assert build("before") == 2
    assert "--force" in said(capsys)
    assert (before / "manifest.json").stat().st_ino == old
    assert build("before", scored_run, "--force") == 0
    assert (before / "manifest.json").stat().st_ino != old
    (before / "mine.txt").write_text("mine")
    assert build("before", scored_run, "--force") == 2
    assert "mine.txt" in said(capsys)
    assert (before / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "store",
    [
        "sqlite:////nowhere/store.db",
        "postgresql://somebody:secret@127.0.0.1:1/none",
        "mysql://x",
        "store.db",
        "\udcff",
    ],
)
@pytest.mark.parametrize("language", ["en", "vi"])
def test_a_store_out_of_reach_is_one_message_without_the_password(
    store: str, language: str, scored_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = ["build", "--run", str(scored_run), "--out", str(tmp_path / "out")]
    for command in (build, ["show", "Pnone"], ["verify"], ["merge", "A", "B", "--because", "x"]):
        assert main(["persons", *command, "--store", store, "--lang", language]) == 2
        assert "secret" not in said(capsys)
    assert not list(tmp_path.iterdir())


def test_a_store_that_is_not_there_is_only_made_by_a_build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["show", "Pnone"], ["history", "Pnone"], ["verify"], ["unmerge", "A", "--because", "x"]):
        assert main(["persons", *command, "--store", url(tmp_path)]) == 2
        assert "persons build" in said(capsys)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize("language", ["en", "vi"])
@pytest.mark.parametrize(
    "command",
    [
        ["show", "Pnobody"],
        ["history", "Pnobody"],
        ["merge", "Pnobody", "Pnobody2", "--because", "x"],
        ["unmerge", "Pnobody", "--because", "x"],
        ["unmerge", "Pnobody", "--because", " "],
        ["show", "'; DROP TABLE entry; --"],
        ["show", "\udcff"],
        ["merge", "A", "B", "--because", "\udcff"],
        ["unmerge", "A"],
        ["unmerge", "A", "--because", "x", "--entry", "none"],
        ["verify", "--head", "0"],
    ],
)
def test_what_cannot_be_is_said_in_one_message(
    command: list[str], language: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["persons", *command, "--store", url(tmp_path), "--lang", language]) == 2
    assert said(capsys)


def test_messages_of_merging_name_no_numbers_of_persons(
    before: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [(one, of_one), (other, of_other)] = duckdb.execute(
        f"SELECT person_id, citizen_id FROM '{before}/persons.parquet' WHERE citizen_id IS NOT NULL ORDER BY 1 LIMIT 2"
    ).fetchall()
    merge = ["persons", "merge", one, other, "--because", "x", "--store", url(tmp_path)]
    assert main(merge) == 2
    message = said(capsys)
    assert "--citizen" in message
    assert of_one not in message
    assert of_other not in message
    assert main([*merge, "--citizen", "003000000000"]) == 2
    assert of_one not in said(capsys)
    assert main([*merge, "--citizen", of_other, "--by", "Bà Năm"]) == 0
    capsys.readouterr()
    assert main(["persons", "show", one, "--store", url(tmp_path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["citizen"]["citizen_id"] == of_other
    assert facts["history"][-1]["actor"] == "Bà Năm"


def test_who_has_no_login_name_is_a_number(
    before: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", nobody)
    [(one,), (other,)] = duckdb.execute(
        f"SELECT person_id FROM '{before}/persons.parquet' WHERE citizen_id IS NULL ORDER BY 1 LIMIT 2"
    ).fetchall()
    assert main(["persons", "merge", one, other, "--because", "x", "--store", url(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["persons", "history", one, "--store", url(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["history"][-1]["actor"] == str(os.getuid())


def test_the_store_may_be_named_by_the_environment(before: Path, tmp_path: Path) -> None:
    verified = subprocess.run(
        [sys.executable, "-m", "linkage.cli", "persons", "verify", "--json"],
        cwd=before,
        env=os.environ | {"LINKAGE_STORE": url(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(verified.stdout)["entries"] == 1


@pytest.mark.usefixtures("before")
def test_a_state_that_is_not_the_ledgers_is_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verify = ["persons", "verify", "--store", url(tmp_path)]
    with sqlite3.connect(tmp_path / "store.db") as database:
        database.execute("UPDATE subject SET person_id = 'Pnobody' WHERE subject = (SELECT min(subject) FROM subject)")
        database.execute("DELETE FROM subject WHERE subject = (SELECT max(subject) FROM subject)")
    database.close()
    assert main(verify) == 2
    assert "--rebuild" in said(capsys)
    assert main([*verify, "--rebuild"]) == 0
    assert main(verify) == 0
    # from a ledger that was tampered with nothing is made
    with sqlite3.connect(tmp_path / "store.db") as database:
        database.execute("DROP TRIGGER change_no_update")
        database.execute("UPDATE change SET person_after = 'Pnobody'")
    database.close()
    capsys.readouterr()
    assert main([*verify, "--rebuild"]) == 2
    assert "Entry 1" in said(capsys)
    with sqlite3.connect(tmp_path / "store.db") as database:
        assert database.execute("SELECT count(*) FROM subject WHERE person_id = 'Pnobody'").fetchall() == [(0,)]
    database.close()
