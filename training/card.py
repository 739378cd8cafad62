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

from models import NEVER, Comparison, Level, Model, Registry, to_splink
from training.suspicion import in_words

SYNTHETIC = """**Synthetic people**: the labels were made by `linkage synth`. The model shows the method; train one on
your own labels before deciding about real people."""

SURE = 0.01
"""The chart states bits that independent comparisons would share less often than this; others are a dash."""


def _odds(share: float) -> float:
    """Log2 odds, within what a drawing can show."""
    share = min(max(share, 2.0**-12), 1 - 2.0**-16)
    return math.log2(share / (1 - share))


def write_card(folder: Path, model: Model) -> None:
    """Write ``splink.json``, ``card.md`` and the drawings in ``charts`` into a model folder."""
    registry = Registry(**model.evidence["registry"])
    settings = json.dumps(to_splink(model, registry), ensure_ascii=False, indent=1)
    (folder / "splink.json").write_text(settings + "\n", encoding="utf-8")
    (folder / "charts").mkdir(exist_ok=True)
    drawings = {
        "match_weights": _match_weights(model, registry),
        "dependence": _shared_bits(model.evidence["dependence"]),
        "reliability": _reliability(model.evidence["reliability"]),
    }
    for name, figure in drawings.items():
        # without a salt of its own the drawing's ids differ from run to run
        with rc_context({"svg.hashsalt": name}):
            figure.savefig(folder / "charts" / f"{name}.svg", metadata={"Date": None})
    (folder / "card.md").write_text(_card(model), encoding="utf-8")


_RATES = "false links of accepts | 95 % interval | proven at most | missed links of no-match | 95 % interval"


def _card(model: Model) -> str:
    evidence = model.evidence
    labels, thresholds, reliability = evidence["labels"], evidence["thresholds"], evidence["reliability"]
    beyond = thresholds["missed_by_blocking"]
    rows = "\n".join(
        _row(model, comparison, level) for comparison in model.specification.comparisons for level in comparison.levels
    )
    strata = "\n".join(_stratum(model, name, found) for name, found in thresholds["strata"].items())
    return f"""# Model {model.name}

Digest `{model.digest[:12]}`, specification `{model.specification.name}`, seed {evidence["seed"]}.

## Intended use
Linking dose records to registry citizens where a wrong link is worse than a review: what is below the thresholds goes
to clerks. It decides about records like those it was trained on, against the registry they were drawn from; `linkage
evaluate` says when a run has drifted from them. Not for finding persons, and not where no clerk follows.

## Trained on
{SYNTHETIC if labels["synthetic"] else ""}
{labels["positives"]:,} labelled matches and {labels["negatives"]:,} non-matches of {thresholds["doses"]:,} doses.
Left out: {labels["repeated"]:,} repeated, {labels["contradicted"]:,} contradicted, {labels["unknown_ids"]:,} with
unknown ids. Registry of {evidence["registry"]["citizens"]:,} citizens; {evidence["random_pairs"]:,} random pairs for u.
{f"m also of {evidence['unlabelled']:,} doses without a label." if evidence["unlabelled"] else ""}
{_notices(labels)}
## Error rates
Measured by cross-fitting: the labelled persons are in {evidence["folds"]} parts, and each part is scored and calibrated
by what the others taught; sampling weights respected. The model itself is of all labels.

Asked, with 95 % confidence: at most 1 in {1 / thresholds["max_false_link_rate"]:,.0f} accepts is a false link, at most
1 in {1 / thresholds["max_false_link_rate_of_a_stratum"]:,.0f} in each stratum by itself; a stratum that cannot show it
is not accepted. At most {thresholds["max_missed_link_rate"]:.2%} of no-match are links the review threshold misses;
{beyond["errors"]:,} of the {thresholds["missed_links"]["doses"]:,} no-match below have a citizen whom blocking did not
find, which no threshold mends.

| stratum | labelled doses | accepted from | accepted | reviewed | {_RATES} |
|---|---|---|---|---|---|---|---|---|---|
{strata}
{_stratum(model, "all", thresholds)}

Below {model.thresholds.review:.6f} for all candidates together a dose is no match.
Prior: {model.in_registry:.4f} of doses have their citizen in the registry and among the candidates.

## Do probabilities mean what they say
![Reliability](charts/reliability.svg)

| stratum | expected calibration error | calibrated log2 odds |
|---|---|---|
{chr(10).join(_calibration(model, name, found) for name, found in reliability.items())}

## Levels
u and the weight of unique levels are those of the training registry; a run takes them from its own.
![Match weights](charts/match_weights.svg)

| comparison | level | m | 95 % interval | u | bits | 95 % interval | matches seen |
|---|---|---|---|---|---|---|---|
{rows}

{_dependence(evidence["dependence"])}
## Limits
Comparisons are summed as independent given match or non-match, but for the interactions of the specification; what is
left of the above is only balanced by the calibration. The error rates hold for doses like those labelled, as far as the
labels are right: a clerk's wrong label counts as the model's error, or hides one. Thresholds were tested on persons
whose labels had no part in their scores, but for the prior and for u of levels with a frequency, which all labelled
doses tell. Persons with several labelled doses are taken to err as often as others.
"""


def _notices(labels: Mapping[str, Any]) -> str:
    found = [f"- {sentence}" for sentence in in_words(labels["suspicions"], "en")]
    return "\n".join(["", "What was odd about the labels:", *found, ""]) if found else ""


def _stratum(model: Model, name: str, found: Mapping[str, Any]) -> str:
    if name == "all":
        accept = "–"
    else:
        threshold = model.thresholds.accept[name]
        accept = "never" if threshold == NEVER else f"{threshold:.4f}"
        accept += f" ({found['lacking']:,} more labels needed)" if found["lacking"] else ""
    false, missed = (
        f"{rate['errors']:,} of {rate['doses']:,} | {rate['low']:.3%} – {rate['high']:.3%}"
        if rate["doses"]
        else "– | –"
        for rate in (found["false_links"], found["missed_links"])
    )
    proven = f"1 in {1 / found['false_links']['bound']:,.0f}" if found["false_links"]["doses"] else "–"
    shares = f"{found['accepted_share']:.2%} | {found['review_share']:.2%}"
    return f"| {name} | {found['doses']:,} | {accept} | {shares} | {false} | {proven} | {missed} |"


def _calibration(model: Model, name: str, found: Mapping[str, Any]) -> str:
    error = f"{found['expected_calibration_error']:.3%}"
    if name == "all":
        return f"| all | {error} | |"
    calibration = model.calibration[name]
    return f"| {name} | {error} | {calibration.slope:.4f} · match weight {calibration.intercept:+.4f} |"


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


def _row(model: Model, comparison: Comparison, level: Level) -> str:
    m, u = model.m_u(comparison, level, Registry(**model.evidence["registry"]))
    bits = f"{math.log2(m / u):+.1f}{' (by frequency)' if level.frequency else ''}"
    if comparison.is_interaction:
        return f"| {comparison.name} | {level.name} | – | – | – | {bits} | – | – |"
    learned = model.parameters[comparison.name][level.name]
    of_m, of_weight = (
        f"{interval[0]:{form}} … {interval[1]:{form}}" if interval else "–"
        for interval, form in ((learned.m_interval, ".3g"), (learned.weight_interval, "+.1f"))
    )
    seen = f"{learned.positives:.0f}"
    numbers = f"{learned.m:.3g} | {of_m} | {learned.u:.3g} | {bits} | {of_weight} | {seen}"
    return f"| {comparison.name} | {level.name} | {numbers} |"


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


def _reliability(found: Mapping[str, Any]) -> Figure:
    """Realised share against probability, both as log2 odds: a panel for all and for each stratum."""
    columns = min(3, len(found))
    figure = Figure(figsize=(3.2 * columns, 3.2 * math.ceil(len(found) / columns)), layout="constrained")
    panels = figure.subplots(math.ceil(len(found) / columns), columns, squeeze=False).ravel()
    for axes, (name, part) in zip(panels, found.items(), strict=False):
        bins = part["bins"]
        predicted, realised, low, high = (
            [_odds(each[key]) for each in bins] for key in ("predicted", "realised", "low", "high")
        )
        axes.plot([-13, 17], [-13, 17], color="#999999", linewidth=0.8)
        axes.vlines(predicted, low, high, color="#1b7f5c", linewidth=1.2)
        axes.plot(predicted, realised, "o", color="#1b7f5c", markersize=3)
        axes.set_title(f"{name} ({sum(each['doses'] for each in bins):,} doses)", fontsize=8)
        axes.set(xlim=(-13, 17), ylim=(-13, 17))
        axes.set_xticks(_TICKS, _TICK_NAMES, fontsize=6)
        axes.set_yticks(_TICKS, _TICK_NAMES, fontsize=6)
    for axes in panels[len(found) :]:
        axes.set_axis_off()
    figure.supxlabel("probability of the best candidate", fontsize=8)
    figure.supylabel("share that is right, 95 % interval", fontsize=8)
    return figure


_TICKS = tuple(_odds(share) for share in (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999))
_TICK_NAMES = ("0.001", "0.01", "0.1", "0.5", "0.9", "0.99", "0.999", "0.9999")
