"""Drawings of the model card: match weights, what comparisons share, and whether probabilities mean what they say."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure

from linkage.messages import say, word
from models import Model, Registry

SURE = 0.01
"""The chart states bits that independent comparisons would share less often than this; others are a dash."""

FEWEST = 5
"""A bin of fewer doses is pale."""

_LIMITS = (-13, 17)
_TICKS = {share: f"{share:.6%}".rstrip("0%").rstrip(".") + " %" for share in (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)}
_TICKS[0.9999] = "99.99 %"


def match_weights(model: Model, registry: Registry) -> Figure:
    """The match weight of every level, and its 95 % interval where there is one."""
    names: list[str] = []
    weights: list[float] = []
    intervals: dict[int, tuple[float, float]] = {}
    for comparison in model.specification.comparisons:
        for level in comparison.levels:
            m, u = model.m_u(comparison, level, registry)
            learned = model.parameters.get(comparison.name, {}).get(level.name)
            if learned and learned.weight_interval:
                intervals[len(names)] = learned.weight_interval
            names.append(f"{comparison.name}: {level.name.replace('_', ' ')}")
            weights.append(math.log2(m / u))
    figure = Figure(figsize=(8, 0.22 * len(names) + 1), layout="constrained")
    axes = figure.subplots()
    colours = ["#1b7f5c" if weight > 0 else "#b3402e" for weight in weights]
    axes.barh(range(len(names)), weights, color=colours, alpha=0.75)
    low, high = np.array(list(intervals.values())).reshape(-1, 2).T
    axes.hlines(list(intervals), low, high, color="#111111", linewidth=0.8)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.axvline(0, color="#333333", linewidth=0.8)
    axes.grid(axis="x", color="#e5e5e5", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", top=True, labeltop=True)
    axes.set_xlabel("match weight in bits, against the training registry; thin line: 95 % interval")
    return figure


def shared_bits(found: Mapping[str, Any]) -> Figure:
    """Bits that each two comparisons share, of matches and of non-matches."""
    names = list(dict.fromkeys(name for pair in found["matches"] for name in (pair["first"], pair["second"])))
    side = 1.5 + 0.5 * len(names)
    figure = Figure(figsize=(2 * side, side), layout="constrained")
    panels = figure.subplots(1, 2)
    for axes, kind in zip(panels, ("matches", "non_matches"), strict=True):
        axes.set_title(f"labelled {kind.replace('_', '-')}: bits that two comparisons share", fontsize=9)
        _triangle(axes, names, found[kind])
    return figure


def _triangle(axes: Axes, names: list[str], pairs: list[Mapping[str, Any]]) -> None:
    bits = np.full((len(names) - 1, len(names) - 1), np.nan)
    for pair in pairs:
        row, column = names.index(pair["second"]) - 1, names.index(pair["first"])
        sure = pair["p_value"] < SURE
        bits[row, column] = max(pair["bits"], 0.0) if sure else 0.0
        text = f"{pair['bits']:.2f}" if sure else "–"
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=6)
    colours = LinearSegmentedColormap.from_list("bits", ["#ffffff", "#1b7f5c"])
    axes.pcolormesh(bits, cmap=colours, norm=PowerNorm(0.5, vmin=0, vmax=1), edgecolors="#dddddd", linewidth=0.5)
    places = [place + 0.5 for place in range(len(names) - 1)]
    axes.set_xticks(places, names[:-1], fontsize=7, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, names[1:], fontsize=7)
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def reliability(found: Mapping[str, Any]) -> Figure:
    """Realised share against probability, both as log2 odds: a panel for all and for each stratum."""
    columns = min(3, len(found))
    rows = math.ceil(len(found) / columns)
    figure = Figure(figsize=(3.6 * columns, 3.6 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    places = [_odds(share) for share in _TICKS]
    for axes, (name, part) in zip(panels, found.items(), strict=False):
        axes.plot(_LIMITS, _LIMITS, color="#999999", linewidth=0.8)
        for each in part["bins"]:
            predicted, realised, low, high = (_odds(each[key]) for key in ("predicted", "realised", "low", "high"))
            pale = 0.3 if each["doses"] < FEWEST else 1.0
            axes.vlines(predicted, low, high, color="#1b7f5c", linewidth=1.2, alpha=pale)
            axes.plot(predicted, realised, "o", color="#1b7f5c", markersize=4, alpha=pale)
        title = say("model.all", "en") if name == "all" else word(f"stratum.{name}", "en")
        axes.set_title(f"{title} ({sum(each['doses'] for each in part['bins']):,} doses)", fontsize=9)
        axes.set(xlim=_LIMITS, ylim=_LIMITS)
        axes.grid(color="#eeeeee", linewidth=0.6)
        axes.set_xticks(places, list(_TICKS.values()), fontsize=7, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(places, list(_TICKS.values()), fontsize=7)
    for axes in panels[len(found) :]:
        axes.set_axis_off()
    figure.supxlabel(f"probability of the best candidate (pale: fewer than {FEWEST} doses)", fontsize=9)
    figure.supylabel("share that is right, 95 % interval", fontsize=9)
    return figure


def _odds(share: float) -> float:
    """Log2 odds, within what a drawing can show."""
    share = min(max(share, 2.0**-12), 1 - 2.0**-16)
    return math.log2(share / (1 - share))
