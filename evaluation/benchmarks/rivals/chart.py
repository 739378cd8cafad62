"""Linkable doses accepted and right against false links among accepts, as each linker's threshold moves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from evaluation.benchmarks.rivals.table import COLUMNS

LEAST_ACCEPTS = 1_000
WORST = 0.01


def draw(results: Mapping[str, Any], target: Path) -> None:
    """Write the chart as SVG: a curve of realised error, a dot and a triangle for what was chosen."""
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "rivals", "font.size": 10}):
        figure = Figure(figsize=(8, 6), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for number, (name, title) in enumerate(COLUMNS.items()):
            evaluation, colour = results["evaluations"][name], f"C{number}"
            overall, proven = evaluation["overall"], results["proven"][name]
            points = [
                ((point["accepts"] - point["right"]) / point["accepts"], point["right"] / max(1, overall["linkable"]))
                for point in evaluation["thresholds"]
                if point["accepts"] >= LEAST_ACCEPTS
            ]
            shown = [point for point in points if 0 < point[0] <= WORST]
            axes.plot([x for x, _ in shown], [y for _, y in shown], color=colour, label=title)
            accepted = overall["recall"]["value"]
            if overall["accept"] and overall["false_links"]["count"]:
                axes.plot(overall["false_links"]["value"], accepted, "o", color=colour)
            if proven["doses"]:
                axes.plot(proven["bound"], accepted, "^", color=colour)
        axes.set_xscale("log")
        axes.set_xlabel("false links among accepts: realised (line, dot), proven (triangle)")
        axes.set_ylabel("linkable doses accepted and right")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
