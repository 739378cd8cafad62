"""Laws of whole runs: what must not change a decision, and what a kill must not lose."""

import csv
import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from linkage import run as job_module
from linkage.cli import main
from linkage.workspace import Workspace

ID_AND_DECISION = "dose_id, decision, outcome, citizen_id, round(probability, 9), round(match_weight, 9), rule, caution"


def _arguments(doses: Path, citizens: Path, model: Path, out: Path, *more: str) -> list[str]:
    tables = ["--doses", str(doses), "--citizens", str(citizens)]
    return ["score", *tables, "--model", str(model), "--out", str(out), *more]


def _decisions(run: Path) -> list[tuple[object, ...]]:
    return duckdb.execute(f"SELECT {ID_AND_DECISION} FROM '{run}/decisions.parquet' ORDER BY dose_id").fetchall()


@pytest.fixture(scope="module")
def undisturbed(small_population: Path, trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    arguments = _arguments(small_population / "doses.csv", small_population / "citizens.csv", trained_folder, out)
    assert main(arguments) == 0
    return out


def _shuffled(source: Path, target: Path, seed: int) -> Path:
    with source.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    random.Random(seed).shuffle(rows)
    with target.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return target


def test_the_order_of_rows_changes_no_decision(
    small_population: Path, trained_folder: Path, undisturbed: Path, tmp_path: Path
) -> None:
    doses = _shuffled(small_population / "doses.csv", tmp_path / "doses.csv", 1)
    citizens = _shuffled(small_population / "citizens.csv", tmp_path / "citizens.csv", 2)
    assert main(_arguments(doses, citizens, trained_folder, tmp_path / "run")) == 0
    decided = {row[0]: row for row in _decisions(tmp_path / "run")}
    for row in _decisions(undisturbed):
        # of two citizens who fit equally well either may be named first; neither is accepted
        same = row if row[1] == "accept" else (*row[:3], decided[row[0]][3], *row[4:])
        assert decided[row[0]] == same


def test_partitions_and_threads_change_no_decision(
    small_population: Path, trained_folder: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "PARTITION", 700)
    arguments = _arguments(
        small_population / "doses.csv", small_population / "citizens.csv", trained_folder, tmp_path / "run"
    )
    assert main([*arguments, "--threads", "1"]) == 0
    assert _decisions(tmp_path / "run") == _decisions(undisturbed)


def test_kill_at_any_moment_leaves_nothing_half_written_and_resume_ends_the_same(
    small_population: Path, trained_folder: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    arguments = _arguments(
        small_population / "doses.csv", small_population / "citizens.csv", trained_folder, out, "--resume"
    )
    jitter = random.Random(5)
    killed = 0
    # ever later, so that each process gets further than the one before, on a machine of any speed
    for attempt in range(60):
        process = subprocess.Popen(
            [sys.executable, "-m", "linkage.cli", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 0.5 + 0.4 * attempt + jitter.uniform(0.0, 0.4)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        if process.wait() == 0:
            break
        assert not out.exists() or (out / "manifest.json").exists()
    assert killed > 0
    assert main(arguments) == 0
    assert _decisions(out) == _decisions(undisturbed)
    names = {file.name for file in undisturbed.iterdir()}
    assert {file.name for file in out.iterdir()} == names
    assert not out.with_name("run.partial").exists()


def test_a_file_that_a_kill_left_half_written_goes_when_work_is_resumed(tmp_path: Path) -> None:
    def work() -> Workspace:
        return Workspace(
            tmp_path / "run", {}, resume=True, force=False, ours=frozenset({"a.json"}), threads=1, memory="1GB"
        )

    killed = work()
    (killed.result / "a.json").write_text("1")
    (killed.result / ".b.parquet.4711.part").write_text("half")
    killed.close()
    resumed = work()
    assert [file.name for file in resumed.result.iterdir()] == ["a.json"]
    resumed.publish()
    resumed.close()
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["a.json"]


def test_unfinished_work_is_neither_mixed_nor_thrown_away_silently(
    small_population: Path,
    trained_folder: Path,
    undisturbed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "run"
    doses, citizens = small_population / "doses.csv", small_population / "citizens.csv"
    fewer = _shuffled(citizens, tmp_path / "citizens.csv", 3)

    def break_down(*_: object) -> None:
        raise RuntimeError(_decisions(undisturbed))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_module, "_decide", break_down)
        assert main(_arguments(doses, citizens, trained_folder, out)) == 1
    assert "RuntimeError" in (said := capsys.readouterr().err)
    assert "D0000" not in said
    assert main(_arguments(doses, citizens, trained_folder, out)) == 2
    assert "run.partial" in capsys.readouterr().err
    assert main(_arguments(doses, fewer, trained_folder, out, "--resume")) == 2
    assert "run.partial" in capsys.readouterr().err
    assert main(_arguments(doses, citizens, trained_folder, out, "--resume")) == 0
    assert _decisions(out) == _decisions(undisturbed)


def test_a_refused_input_leaves_nothing_to_resume(
    small_population: Path, trained_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doses, citizens = small_population / "doses.csv", tmp_path / "citizens.csv"
    citizens.write_text("citizen_id,full_name\n", encoding="utf-8")
    assert main(_arguments(doses, citizens, trained_folder, tmp_path / "run")) == 2
    assert "citizens.csv" in capsys.readouterr().err
    assert {file.name for file in tmp_path.iterdir()} == {"citizens.csv"}


def test_two_runs_do_not_share_a_folder(
    small_population: Path, trained_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = _arguments(
        small_population / "doses.csv", small_population / "citizens.csv", trained_folder, tmp_path / "run"
    )
    with (tmp_path / ".run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for flag in ((), ("--force",), ("--resume",)):
            assert main([*arguments, *flag]) == 2
            assert "another run" in capsys.readouterr().err
    assert main(arguments) == 0


def test_a_replacement_killed_between_its_renames_is_finished(
    small_population: Path, trained_folder: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out, partial = tmp_path / "run", tmp_path / "run.partial"
    partial.mkdir()
    shutil.copytree(undisturbed, partial / "result")
    shutil.copytree(undisturbed, partial / "replaced")
    arguments = _arguments(small_population / "doses.csv", small_population / "citizens.csv", trained_folder, out)
    assert main([*arguments, "--force"]) == 0
    assert _decisions(out) == _decisions(undisturbed)
    assert {file.name for file in tmp_path.iterdir()} == {"run"}


def test_more_namesakes_than_can_be_compared_go_to_review(trained_folder: Path, tmp_path: Path) -> None:
    place = "Nguyễn Văn An,1980-01-01,Nam,Lâm Đồng,Di Linh,Thị trấn Di Linh"
    header = "full_name,date_of_birth,sex,province,district,commune"
    many = range(2000)
    citizens, doses = tmp_path / "citizens.csv", tmp_path / "doses.csv"
    citizens.write_text(
        "\n".join([f"citizen_id,{header}", *(f"0990800{n:05d},{place}" for n in many)]), encoding="utf-8"
    )
    doses.write_text(
        "\n".join(
            [
                f"dose_id,national_id,{header}",
                *(f"D{n},{'' if n % 2 else f'0990800{n:05d}'},{place}" for n in many),
            ]
        ),
        encoding="utf-8",
    )
    assert main(_arguments(doses, citizens, trained_folder, tmp_path / "run")) == 0
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["blocking"]["pairs_forgone"] >= 2000 * 2000
    assert manifest["blocking"]["pairs"] <= 100 * 2000
    decided = {row[0]: row for row in _decisions(tmp_path / "run")}
    assert {decided[f"D{n}"][1] for n in many if n % 2} == {"review"}
    assert {decided[f"D{n}"][1] for n in many if n % 2 == 0} <= {"accept", "review"}


def test_hostile_rows_are_set_aside_and_the_rest_is_done(
    small_population: Path, trained_folder: Path, undisturbed: Path, tmp_path: Path
) -> None:
    text = (small_population / "doses.csv").read_text(encoding="utf-8").split("\n")
    header = text[0].replace('"', "").split(",")

    def line(dose_id: str, full_name: str) -> str:
        cells = {"dose_id": dose_id, "full_name": full_name}
        return ",".join('"' + cells.get(column, "").replace('"', '""') + '"' for column in header)

    bad = [
        line("", ""),
        text[1],
        line("X1", ""),
        '"X2","Nguyễn Văn Ba"',
        line("X3", "a" * 20_000),
        line("X4", "Trần\0Văn Ba"),
    ]
    good = line("=1+1", '=HYPERLINK("x")')
    doses = tmp_path / "doses.csv"
    doses.write_text("\n".join([*text[:-1], *bad, good, ""]), encoding="utf-8")
    assert main(_arguments(doses, small_population / "citizens.csv", trained_folder, tmp_path / "run")) == 0
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["rows_in"] == manifest["rows_out"] == 4007
    assert manifest["decisions"]["quarantine"] == 6
    problems = duckdb.execute(f"SELECT row, problem FROM '{tmp_path}/run/quarantine.parquet' ORDER BY row").fetchall()
    expected = ["no_dose_id", "duplicate_dose_id", "no_name", "ragged_row", "giant_cell", "nul_character"]
    assert problems == [(4002 + place, problem) for place, problem in enumerate(expected)]
    decided = {row[0]: row for row in _decisions(tmp_path / "run") if row[1] != "quarantine"}
    assert decided.pop("=1+1")[1] == "no_match"
    assert list(decided.values()) == _decisions(undisturbed)


def test_the_sql_of_a_model_reads_no_file(
    small_population: Path, trained_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret, model = tmp_path / "secret.txt", tmp_path / "strange"
    secret.write_text("not yours")
    model.mkdir()
    data = json.loads((trained_folder / "model.json").read_text(encoding="utf-8"))
    [sex] = [each for each in data["specification"]["comparison"] if each["name"] == "sex"]
    sex["level"][0]["when"] = f"sex_l = sex_r AND (SELECT count(*) FROM read_text('{secret}')) = 1"
    (model / "model.json").write_text(json.dumps(data), encoding="utf-8")
    tables = small_population / "doses.csv", small_population / "citizens.csv"
    assert main(_arguments(*tables, model, tmp_path / "run")) == 2
    *_, last = capsys.readouterr().err.splitlines()
    assert "cannot use" in last
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("part", ["columns", "when"])
def test_the_sql_of_a_model_that_fails_on_records_says_so_and_shows_no_value(
    part: str, small_population: Path, trained_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = json.loads((trained_folder / "model.json").read_text(encoding="utf-8"))
    if part == "columns":
        changed["specification"]["columns"]["broken"] = "CAST(given_ascii AS INTEGER)"
        changed["specification"]["comparison"][0]["missing"] = "broken_l IS NULL"
    else:
        changed["specification"]["comparison"][0]["level"][0]["when"] = "CAST(given_ascii_l AS INTEGER) = 1"
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text(json.dumps(changed), encoding="utf-8")
    doses, citizens = small_population / "doses.csv", small_population / "citizens.csv"
    assert main(_arguments(doses, citizens, tmp_path / "model", tmp_path / "run")) == 2
    said = capsys.readouterr().err
    assert "ConversionException" in said
    assert "Could not convert" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("manifest", ["null", "[]", "{}", '{"inputs": {', "[" * 100_000, '{"a":' * 100_000])
def test_a_run_with_another_manifest_is_no_run_of_this_version(
    manifest: str, undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out, none = tmp_path / "run", tmp_path / "out.csv", tmp_path / "none.csv"
    shutil.copytree(undisturbed, run)
    (run / "manifest.json").write_text(manifest, encoding="utf-8")
    for arguments in (
        ["train", "--suggest", "5", "--run", str(run), "--out", str(out)],
        ["evaluate", "--run", str(run), "--out", str(tmp_path / "page")],
        ["evaluate", "--run", str(run), "--truth", str(none), "--out", str(tmp_path / "page")],
        ["evaluate", "--run", str(run), "--labels", str(none), "--out", str(tmp_path / "page")],
        ["report", "--run", str(run), "--by", "province", "--out", str(out)],
        ["explain", "--run", str(run), "D1"],
    ):
        assert main(arguments) == 2, arguments
        assert "is no finished run of this version" in capsys.readouterr().err, arguments
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("name", ["decisions", "candidates", "doses", "review"])
def test_a_run_that_lacks_columns_is_refused(
    name: str, undisturbed: Path, tmp_path: Path, small_population: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(undisturbed, run)
    [(dose,)] = duckdb.execute(f"SELECT min(dose_id) FROM '{undisturbed}/candidates.parquet'").fetchall()
    file = run / f"{name}.parquet"
    duckdb.execute(f"COPY (SELECT dose_id FROM '{undisturbed}/{name}.parquet') TO '{file}' (FORMAT parquet)")
    page = ["--out", str(tmp_path / "page")]
    reading = {
        "suggest": ["train", "--suggest", "5", "--run", str(run), "--out", str(tmp_path / "out.csv")],
        "drift": ["evaluate", "--run", str(run), *page],
        "truth": ["evaluate", "--run", str(run), "--truth", str(small_population / "truth.csv"), *page],
        "labels": ["evaluate", "--run", str(run), "--labels", str(small_population / "labels.csv"), *page],
        "report": ["report", "--run", str(run), "--by", "province", "--out", str(tmp_path / "out.csv")],
        "explain": ["explain", "--run", str(run), dose],
    }
    unread = {
        "decisions": (),
        "candidates": ("truth", "labels", "report"),
        "doses": ("truth", "report"),
        "review": ("suggest", "drift", "labels", "report", "explain"),
    }
    for command, arguments in reading.items():
        if command not in unread[name]:
            assert main(arguments) == 2, command
            assert "version" in capsys.readouterr().err, command
