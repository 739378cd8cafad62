"""The model card: what a model was trained on, how it errs, what it cannot do; and its parameters as charts."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure

from models import Comparison, Level, Model, Registry, to_splink

SYNTHETIC = """**Synthetic people**: the labels were made by `linkage synth`. The model shows the method; train one on
your own labels before deciding about real people."""

SURE = 0.01
"""The chart states bits that independent comparisons would share less often than this; others are a dash."""


def write_card(folder: Path, model: Model) -> None:
    """Write ``splink.json``, ``card.md`` and the drawings in ``charts`` into a model folder."""
    registry = Registry(**model.evidence["registry"])
    settings = json.dumps(to_splink(model, registry), ensure_ascii=False, indent=1)
    (folder / "splink.json").write_text(settings + "\n", encoding="utf-8")
    (folder / "charts").mkdir(exist_ok=True)
    drawings = {
        "match_weights": _match_weights(model, registry),
        "dependence": _shared_bits(model.evidence["dependence"]),
    }
    for name, figure in drawings.items():
        # without a salt of its own the drawing's ids differ from run to run
        with rc_context({"svg.hashsalt": name}):
            figure.savefig(folder / "charts" / f"{name}.svg", metadata={"Date": None})
    (folder / "card.md").write_text(_card(model), encoding="utf-8")


def _card(model: Model) -> str:
    evidence = model.evidence
    labels, thresholds = evidence["labels"], evidence["thresholds"]
    rows = "\n".join(
        _row(model, comparison, level) for comparison in model.specification.comparisons for level in comparison.levels
    )
    return f"""# Model {model.name}

Digest `{model.digest[:12]}`, specification `{model.specification.name}`, seed {evidence["seed"]}.

## Trained on
{SYNTHETIC if labels["synthetic"] else ""}
{labels["positives"]:,} labelled matches and {labels["negatives"]:,} non-matches.
Left out: {labels["repeated"]:,} repeated, {labels["contradicted"]:,} contradicted, {labels["unknown_ids"]:,} with
unknown ids. Registry of {evidence["registry"]["citizens"]:,} citizens; {evidence["random_pairs"]:,} random pairs for u.
Half of the labelled persons gave m and u, the other half the calibration and the thresholds below.

## Measured on the half held apart
On {thresholds["doses"]:,} doses, sampling weights respected. The thresholds were chosen on these same doses: for
figures on other persons run `linkage evaluate`.

| | doses | errors | share | 95 % interval | allowed |
|---|---|---|---|---|---|
| false links among accepts | {_rate(thresholds, "accepted", "false_link")} |
| missed links among no-match | {_rate(thresholds, "no_match", "missed_link")} |

A share above the allowed one says that these labels are too few, or too unlike each other in weight, to show that the
promise is kept: label more.

Accepted is a best candidate with probability ≥ {model.thresholds.accept:.6f}; no match, a dose whose candidates
together stay below {model.thresholds.review:.6f}.

Prior: {model.in_registry:.4f} of doses have their citizen in the registry and among the candidates.
Calibrated log2 odds = {model.calibration.slope:.4f} · match weight {model.calibration.intercept:+.4f};
of doses with a caution {model.cautioned.slope:.4f} · match weight {model.cautioned.intercept:+.4f}.

## Levels
u and the weight of unique levels are those of the training registry; a run takes them from its own.
![Match weights](charts/match_weights.svg)

| comparison | level | m | u | bits | matches seen |
|---|---|---|---|---|---|
{rows}

{_dependence(evidence["dependence"])}
## Limits
Comparisons are summed as independent given match or non-match, but for the interactions of the specification; what is
left of the above is only balanced by the calibration. The error rates hold for doses like those labelled.
"""


def _dependence(found: Mapping[str, Any]) -> str:
    rows = "\n".join(_combination(combination) for combination in found["combinations"])
    return f"""## Fields that err together
How many bits a comparison tells of another (mutual information), over labelled pairs. Of the non-matches much of it is
made by blocking: a pair that agrees on nothing is no candidate.
![What two comparisons share](charts/dependence.svg)

The combinations whose weights surely do not add up, the costliest first: bits by which the sum of both weights exceeds
their joint weight (95 % interval), and what is left of it with the interactions of the specification. Above 0 the sum
says too much for a match, below 0 too much against one.

| first | second | matches seen | non-matches seen | too much | left |
|---|---|---|---|---|---|
{rows}
"""


def _combination(found: Mapping[str, Any]) -> str:
    excess = found["excess"]
    first, second = f"{found['first']} {found['first_level']}", f"{found['second']} {found['second_level']}"
    bits = f"{excess['estimate']:+.1f} ({excess['low']:+.1f} … {excess['high']:+.1f}) | {found['left']:+.1f}"
    return f"| {first} | {second} | {found['matches']:,} | {found['non_matches']:,} | {bits} |"


def _rate(thresholds: Mapping[str, Any], of: str, error: str) -> str:
    share = thresholds[f"{error}_rate"]
    interval = f"{share['estimate']:.4%} | {share['low']:.4%} – {share['high']:.4%}"
    return f"{thresholds[of]:,} | {thresholds[f'{error}s']:,} | {interval} | {thresholds[f'max_{error}_rate']:.4%}"


def _row(model: Model, comparison: Comparison, level: Level) -> str:
    m, u = model.m_u(comparison, level, Registry(**model.evidence["registry"]))
    bits = f"{math.log2(m / u):+.1f}{' (by frequency)' if level.frequency else ''}"
    if comparison.is_interaction:
        return f"| {comparison.name} | {level.name} | – | – | {bits} | – |"
    seen = model.parameters[comparison.name][level.name].positives
    return f"| {comparison.name} | {level.name} | {m:.3g} | {u:.3g} | {bits} | {seen:.0f} |"


def _match_weights(model: Model, registry: Registry) -> Figure:
    names, weights = [], []
    for comparison in model.specification.comparisons:
        for level in comparison.levels:
            m, u = model.m_u(comparison, level, registry)
            names.append(f"{comparison.name}: {level.name.replace('_', ' ')}")
            weights.append(math.log2(m / u))
    figure = Figure(figsize=(8, 0.22 * len(names) + 1), layout="constrained")
    axes = figure.subplots()
    colours = ["#1b7f5c" if weight > 0 else "#b3402e" for weight in weights]
    axes.barh(range(len(names)), weights, color=colours)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.invert_yaxis()
    axes.axvline(0, color="#333333", linewidth=0.8)
    axes.set_xlabel("match weight in bits, against the training registry")
    return figure


def _shared_bits(found: Mapping[str, Any]) -> Figure:
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
