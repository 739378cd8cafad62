"""``python -m evaluation.benchmarks``: measure, print a table, and keep it as ``results.json`` and ``results.md``."""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from linkage.standardise import standardise
from linkage.tables import CITIZENS, DOSES, read_table


@dataclass(frozen=True, slots=True)
class Measured:
    """One process: wall seconds, and the largest memory it held, in bytes."""

    seconds: float
    peak_bytes: int


def run(*command: str) -> Measured:
    """Run a Python module as a process; its words go to stderr.

    Raises:
        RuntimeError: it failed.
    """
    started = time.perf_counter()
    process = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", *command],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)],
    )
    _, status, usage = os.wait4(process, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with status {status}")
    return Measured(time.perf_counter() - started, usage.ru_maxrss * 1024)


def whole_job(out: Path, citizens: int, doses: int, threads: int, memory: str) -> dict[str, Any]:
    """Synthesise, train, score from CSV, evaluate: seconds and memory of each command, and the accuracy."""
    data = out / f"data_{citizens}_{doses}"
    tables = ("--doses", str(data / "doses.csv"), "--citizens", str(data / "citizens.csv"))
    machine = ("--threads", str(threads), "--memory", memory, "--force")
    measured = {}
    size = ("--citizens", str(citizens), "--doses", str(doses), "--seed", "1")
    measured["synth"] = run("linkage.cli", "synth", *size, "--out", str(data), "--force")
    labels = ("--labels", str(data / "labels.csv"))
    measured["train"] = run("linkage.cli", "train", *tables, *labels, "--out", str(out / "model"), *machine)
    to_run = ("--model", str(out / "model"), "--out", str(out / "run"))
    measured["score"] = run("linkage.cli", "score", *tables, *to_run, *machine)
    truth = ("--run", str(out / "run"), "--truth", str(data / "truth.csv"))
    measured["evaluate"] = run("linkage.cli", "evaluate", *truth, "--out", str(out / "evaluation"), "--force")
    overall = json.loads((out / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))["overall"]
    manifest = json.loads((out / "run" / "manifest.json").read_text(encoding="utf-8"))
    return {
        "citizens": citizens,
        "doses": doses,
        "commands": {name: asdict(value) for name, value in measured.items()},
        "stages": manifest["stages"],
        "pairs": manifest["blocking"]["pairs"],
        "accuracy": {name: overall[name]["value"] for name in ("precision", "recall", "review_share")},
    }


def side_by_side(out: Path, citizens: int, doses: int, threads: int, memory: str, *, rounds: int) -> dict[str, Any]:
    """Ours and plain Splink in turn on the same standardised records; medians, and the ratios round by round."""
    data, folder = out / f"data_{citizens}_{doses}", out / "sides"
    folder.mkdir(exist_ok=True)
    database = folder / "standardised.duckdb"
    database.unlink(missing_ok=True)
    with duckdb.connect(str(database)) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.begin()
        read_table(connection, DOSES, str(data / "doses.csv"))
        read_table(connection, CITIZENS, str(data / "citizens.csv"))
        standardise(connection, {"doses": "doses_standardised", "citizens": "citizens_standardised"})
        for table in ("doses", "citizens"):
            target = str(folder / f"{table}.parquet").replace("'", "''")
            connection.execute(f"COPY {table}_standardised TO '{target}' (FORMAT parquet)")
        connection.commit()
    database.unlink()
    measured: dict[str, list[Measured]] = {"ours": [], "splink": []}
    for _ in range(rounds):
        for side, values in measured.items():
            model = str(out / "model")
            values.append(run("evaluation.benchmarks.sides", side, str(folder), model, str(threads), memory))
    [(differing,)] = duckdb.execute(
        "SELECT count(*) FROM read_parquet($ours) AS o FULL JOIN read_parquet($splink) AS s USING (dose_key)"
        " WHERE o.citizen_key IS DISTINCT FROM s.citizen_key OR o.decision IS DISTINCT FROM s.decision",
        {side: str(folder / f"{side}.parquet") for side in measured},
    ).fetchall()
    pairs = list(zip(measured["ours"], measured["splink"], strict=True))
    return {
        "rounds": rounds,
        "decisions_that_differ": differing,
        "seconds": {s: statistics.median(m.seconds for m in values) for s, values in measured.items()},
        "peak_bytes": {s: statistics.median(m.peak_bytes for m in values) for s, values in measured.items()},
        "splink_seconds_per_ours": statistics.median(b.seconds / a.seconds for a, b in pairs),
        "splink_peak_per_ours": statistics.median(b.peak_bytes / a.peak_bytes for a, b in pairs),
    }


def as_markdown(results: dict[str, Any]) -> str:
    """The results as tables a person reads."""
    job, sides = results["whole_job"], results["side_by_side"]
    lines = [
        (
            f"{job['doses']:,} doses, {job['citizens']:,} citizens (synthetic), {results['threads']} threads,"
            f" --memory {results['memory']}, {results['machine']}"
        ),
        "",
        "| command | seconds | peak memory |",
        "|---|---|---|",
        *(
            f"| {name} | {value['seconds']:.1f} | {value['peak_bytes'] / 2**30:.2f} GiB |"
            for name, value in job["commands"].items()
        ),
        "",
        *(f"- {name.replace('_', ' ')}: {value:.3%}" for name, value in job["accuracy"].items()),
        f"- candidate pairs counted: {job['pairs']:,}",
    ]
    if sides:
        lines += [
            "",
            f"| {sides['rounds']} rounds, from standardised records | ours | plain Splink | Splink ÷ ours |",
            "|---|---|---|---|",
            (
                f"| seconds (median) | {sides['seconds']['ours']:.1f} | {sides['seconds']['splink']:.1f} |"
                f" {sides['splink_seconds_per_ours']:.2f} |"
            ),
            (
                f"| peak memory (median) | {sides['peak_bytes']['ours'] / 2**30:.2f} GiB |"
                f" {sides['peak_bytes']['splink'] / 2**30:.2f} GiB | {sides['splink_peak_per_ours']:.2f} |"
            ),
            "",
            f"Decisions that differ between the two: {sides['decisions_that_differ']:,}.",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure at one size; ``--rounds 0`` leaves plain Splink out."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks", description=__doc__)
    parser.add_argument("--citizens", type=int, default=100_000)
    parser.add_argument("--doses", type=int, default=200_000)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmark"))
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    size = (flags.out, flags.citizens, flags.doses, flags.threads, flags.memory)
    results = {
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()},"
        f" DuckDB {duckdb.__version__}",
        "threads": flags.threads,
        "memory": flags.memory,
        "whole_job": whole_job(*size),
        "side_by_side": side_by_side(*size, rounds=flags.rounds) if flags.rounds else None,
    }
    (flags.out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (flags.out / "results.md").write_text(as_markdown(results), encoding="utf-8")
    print(as_markdown(results))


if __name__ == "__main__":
    main()
