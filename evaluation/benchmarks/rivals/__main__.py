"""``python -m evaluation.benchmarks.rivals``: compare, print the table, keep ``results.json``, ``.md`` and ``.svg``."""

import argparse
import json
import os
import platform
from pathlib import Path

import duckdb

from evaluation.benchmarks.rivals import as_markdown, compare, draw
from training import Tolerances


def main() -> None:
    """Compare at one size."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.rivals", description=__doc__)
    parser.add_argument("--citizens", type=int, default=100_000)
    parser.add_argument("--doses", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-false-link-rate", type=float, default=Tolerances().false_links)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--out", type=Path, default=Path("rivals"))
    flags = parser.parse_args()
    machine = (
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, DuckDB {duckdb.__version__}"
    )
    results = {
        "machine": machine,
        "threads": flags.threads,
        "memory": flags.memory,
        **compare(
            flags.citizens,
            flags.doses,
            flags.seed,
            flags.out,
            tolerance=flags.max_false_link_rate,
            threads=flags.threads,
            memory=flags.memory,
        ),
    }
    text = as_markdown(results)
    (flags.out / "results.json").write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (flags.out / "results.md").write_text(text, encoding="utf-8")
    draw(results, flags.out / "results.svg")
    print(text)


if __name__ == "__main__":
    main()
