"""``python -m evaluation.benchmarks.persons``: subjects grouped, at several sizes, from one run made larger.

A run of a synthetic population is scored once, and then copied as often as asked: every copy has its own subjects,
doses, citizens, numbers, phones and given names, so that nobody is in two copies, while errors, twins and split
profiles are those of the population. Each size is built in a process of its own, into an empty store.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb

from linkage.tables.sql import text_literal

GIVEN = (
    *("An", "Ban", "Cat", "Dan", "Gam", "Hat", "Kha", "Lam", "Man", "Nam", "Pha", "Quan", "San", "Tan", "Van", "Xa"),
    *("Binh", "Chi", "Dong", "Hanh", "Khoa", "Linh", "Minh", "Nhan", "Oanh", "Phuc", "Sinh", "Tho", "Uyen", "Vinh"),
)
"""Given names, one a copy: what tells people of different copies apart."""

MULTIPLIED = ("doses", "decisions", "candidates", "citizens")


def main() -> None:
    """Make the run, copy it, build the persons of each size, print and keep the table."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.persons", description=__doc__)
    parser.add_argument("--run", type=Path, help="a scored run to copy; none: one is made", metavar="RUN")
    parser.add_argument("--citizens", type=int, default=1_000_000)
    parser.add_argument("--doses", type=int, default=2_000_000)
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--memory", default="8GB")
    parser.add_argument("--out", type=Path, default=Path("persons_benchmark"))
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    run = flags.run or _scored(flags.citizens, flags.doses, flags.out, flags.memory)
    results = []
    for copies in flags.copies:
        larger = flags.out / f"run_{copies}"
        multiply(run, copies, larger)
        results.append(_built(larger, copies, flags))
        # after each: what is measured is not lost with what comes next
        (flags.out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        (flags.out / "results.md").write_text(as_markdown(results), encoding="utf-8")
    print(as_markdown(results))


def _linkage(*arguments: str) -> str:
    command = [sys.executable, "-m", "linkage.cli", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - our own command


def _scored(citizens: int, doses: int, out: Path, memory: str) -> Path:
    data, run = out / "data", out / "run"
    if not data.exists():
        _linkage("synth", "--citizens", str(citizens), "--doses", str(doses), "--out", str(data), "--seed", "11")
    if not run.exists():
        tables = ("--doses", str(data / "doses.csv"), "--citizens", str(data / "citizens.csv"))
        _linkage("score", *tables, "--model", "dose_citizen", "--out", str(run), "--memory", memory)
    return run


def multiply(run: Path, copies: int, target: Path) -> None:
    """Write a run as large as ``copies`` of a run."""
    target.mkdir(exist_ok=True)
    for name in ("manifest.json", "model.json"):
        (target / name).write_bytes((run / name).read_bytes())
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET preserve_insertion_order = false")
        for name in MULTIPLIED:
            source = text_literal(str(run / f"{name}.parquet"))
            found = {row[0] for row in connection.execute(f"DESCRIBE FROM {source}").fetchall()}
            replaced = ", ".join(f"{sql} AS {column}" for column, sql in _REPLACED.items() if column in found)
            query = f"SELECT * REPLACE ({replaced}) FROM {source} CROSS JOIN _copies"
            connection.execute(f"CREATE OR REPLACE TEMP TABLE _copies AS {_copies(copies)}")
            file = text_literal(str(target / f"{name}.parquet"))
            connection.execute(f"COPY (SELECT * EXCLUDE (copy, given, digits) FROM ({query})) TO {file}")


_OTHER_DIGITS = "left({0}, -6) || translate(right({0}, 6), '0123456789', digits)"
# a synthetic population has three prefixes, and each copy three of its own, so that no number is in two copies
_OTHER_PREFIX = "printf('%03d', 3 * copy + list_position(['003', '005', '099'], left({0}, 3))) || substr({0}, 4)"
_OTHER_NUMBER = _OTHER_PREFIX.format(f"({_OTHER_DIGITS})")
_REPLACED = {
    **{name: f"{name} || '.' || copy" for name in ("dose_id", "subject_id")},
    **{name: _OTHER_DIGITS.format(name) for name in ("phone", "health_insurance_no")},
    "citizen_id": _OTHER_NUMBER.format("citizen_id"),
    "national_id": "CASE WHEN regexp_full_match(national_id, '(003|005|099)[0-9]{9}')"
    f" THEN {_OTHER_NUMBER.format('national_id')} ELSE {_OTHER_DIGITS.format('national_id')} END",
    "full_name": "full_name || ' ' || given",
}


def _copies(copies: int) -> str:
    if copies > len(GIVEN):
        raise ValueError(f"at most {len(GIVEN)} copies")
    # permutations a·d + b of the digits, each another one
    rows = ", ".join(
        f"({number}, '{GIVEN[number]}', '{''.join(str((factor * d + number // 4) % 10) for d in range(10))}')"
        for number, factor in ((n, (1, 3, 7, 9)[n % 4]) for n in range(copies))
    )
    return f"SELECT * FROM (VALUES {rows}) AS copies(copy, given, digits)"


def _built(run: Path, copies: int, flags: argparse.Namespace) -> dict[str, Any]:
    store, out = flags.out / f"store_{copies}.db", flags.out / f"persons_{copies}"
    for left in flags.out.glob(f"store_{copies}.db*"):
        left.unlink()
    manifest = json.loads(
        _linkage(
            *("persons", "build", "--run", str(run), "--out", str(out), "--force", "--json"),
            *("--store", f"sqlite:///{store}", "--threads", str(flags.threads), "--memory", flags.memory),
        )
    )
    stages = manifest["stages"]
    return {
        "copies": copies,
        **{name: manifest[name] for name in ("doses", "subjects", "persons", "duplicates")},
        "conflicts": sum(manifest["conflicts"].values()),
        "seconds": {name: stage["seconds"] for name, stage in stages.items()},
        "peak_bytes": max(stage["peak_bytes"] for stage in stages.values()),
        "store_bytes": store.stat().st_size,
        "memory": flags.memory,
        "threads": flags.threads,
    }


def as_markdown(results: list[dict[str, Any]]) -> str:
    """The results as a table a person reads."""
    stages = list(results[0]["seconds"])
    lines = [
        "| subjects | doses | persons | seconds | µs a subject | peak memory | store | " + " | ".join(stages) + " |",
        "|" + "---:|" * (7 + len(stages)),
    ]
    for each in results:
        total = sum(each["seconds"].values())
        cells = [f"{each[name]:,}" for name in ("subjects", "doses", "persons")]
        cells += [f"{total:.0f}", f"{total / each['subjects'] * 1e6:.0f}", f"{each['peak_bytes'] / 2**30:.2f} GiB"]
        cells += [f"{each['store_bytes'] / 2**30:.2f} GiB", *(f"{each['seconds'][name]:.0f}" for name in stages)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
