"""``python -m evaluation.benchmarks.rivals``: compare, print the table, keep it beside a folder of each seed."""

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
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="populations; counts are added")
    parser.add_argument("--max-false-link-rate", type=float, default=Tolerances().false_links)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--out", type=Path, default=Path("rivals"))
    flags = parser.parse_args()
    machine = (
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, DuckDB {duckdb.__version__}"
    )
    several = []
    for seed in flags.seeds:
        out = flags.out / f"seed_{seed}"
        results = {
            "machine": machine,
            "threads": flags.threads,
            "memory": flags.memory,
            **compare(
                flags.citizens,
                flags.doses,
                seed,
                out,
                tolerance=flags.max_false_link_rate,
                threads=flags.threads,
                memory=flags.memory,
            ),
        }
        kept = json.dumps(results, ensure_ascii=False, indent=1) + "\n"
        (out / "results.json").write_text(kept, encoding="utf-8")
        draw(results, out / "results.svg")
        several.append(results)
        # after each: what is measured is not lost with what comes next
        (flags.out / "results.md").write_text(as_markdown(several), encoding="utf-8")
    print(as_markdown(several))


if __name__ == "__main__":
    main()
