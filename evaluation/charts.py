"""Charts of an evaluation as inline SVG that follows the colours and the font of the page around it."""

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from evaluation.figures import Figures, ReliabilityBin, ThresholdPoint, WeightBin
from linkage.messages import say
from linkage.reports.pages import count

STYLES = {"ink": "#010101", "muted": "#020202", "line": "#030303", "right": "#040404", "wrong": "#050505"}
"""Stand-ins that no drawing uses by chance; in the SVG each becomes the page's colour of that name."""

SIZE = (4.7, 3.5)
MAX_BITS = 20


def weights_chart(bins: Sequence[WeightBin], language: str) -> str:
    """Best candidates by match weight (bits), right and wrong, doses on a logarithmic axis."""

    def draw(axes: Axes) -> None:
        for part in ("right", "wrong"):
            heights = [getattr(weights, part) for weights in bins]
            axes.bar(
                [weights.weight for weights in bins],
                heights,
                width=1,
                align="edge",
                alpha=0.6,
                color=STYLES[part],
                label=say(f"evaluation_{part}", language),
            )
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda doses, _: whole_doses(doses, language)))
        axes.set_xlabel(say("evaluation_match_weight", language))
        axes.set_ylabel(say("evaluation_doses", language))
        legend(axes)

    return svg("weights", draw)


def reliability_chart(bins: Sequence[ReliabilityBin], language: str) -> str:
    """Predicted probability against realised share with intervals, both as log-odds in bits."""

    def draw(axes: Axes) -> None:
        ticks = [0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999]
        places = [_bits(tick) for tick in ticks]
        axes.plot([-MAX_BITS, MAX_BITS], [-MAX_BITS, MAX_BITS], color=STYLES["muted"], linestyle=":", linewidth=1)
        for part in bins:
            at, realised = _bits(part.predicted), part.realised
            axes.plot(
                [at, at],
                [_bits(realised.low), _bits(realised.high)],
                color=STYLES["right"],
                alpha=0.5,
                linewidth=3,
            )
            if realised.value is not None:
                marker = {0.0: "v", 1.0: "^"}.get(realised.value, "o")
                height = min(max(_bits(realised.value), places[0] - 1.2), places[-1] + 1.2)
                axes.plot([at], [height], color=STYLES["right"], marker=marker, markersize=6)
        labels = [_tick(tick, language) for tick in ticks]
        axes.set_xticks(places, labels, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(places, labels)
        axes.set_xlim(places[0] - 2, places[-1] + 3.5)
        axes.set_ylim(places[0] - 2, places[-1] + 2)
        axes.set_xlabel(say("evaluation_predicted", language))
        axes.set_ylabel(say("evaluation_realised", language))

    return svg("reliability", draw)


def trade_off_chart(points: Sequence[ThresholdPoint], overall: Figures, language: str) -> str:
    """Precision against the automatic share of linkable doses as the threshold moves, and the run itself."""

    def draw(axes: Axes) -> None:
        linkable = max(overall.linkable, 1)
        found = [point.right / linkable for point in points]
        nines = [_nines(point.right / point.accepts) for point in points]
        axes.plot(found, nines, color=STYLES["right"], linewidth=2, label=say("evaluation_any_threshold", language))
        if overall.precision.value is not None:
            axes.plot(
                [overall.precision.count / linkable],
                [_nines(overall.precision.value)],
                color=STYLES["wrong"],
                marker="o",
                markersize=8,
                linestyle="",
                label=say("evaluation_this_run", language),
            )
        ticks = [0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999]
        labels = [_tick(tick, language) for tick in ticks]
        labels[-1] = "≥ " + labels[-1]
        axes.set_yticks([_nines(tick) for tick in ticks], labels)
        axes.set_ylim(-0.1, 5.3)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda part, _: _tick(part, language)))
        axes.set_xlabel(say("evaluation_automatic_share", language))
        axes.set_ylabel(say("evaluation_precision", language))
        legend(axes)

    return svg("trade-off", draw)


def scores_chart(reference: Mapping[int, int], run: Mapping[int, int], language: str) -> str:
    """Shares of the doses by whole bits of match weight: the training reference as a line, the run as bars."""

    def draw(axes: Axes) -> None:
        bits = range(min([*reference, *run], default=0), max([*reference, *run], default=0) + 1)
        before, now = ([part.get(whole, 0) / max(sum(part.values()), 1) for whole in bits] for part in (reference, run))
        label = say("drift_run_doses", language)
        axes.bar([*bits], now, width=1, align="edge", alpha=0.6, color=STYLES["right"], label=label)
        label = say("drift_reference_doses", language)
        axes.stairs(before, [*bits, bits[-1] + 1], color=STYLES["wrong"], linewidth=1.5, label=label)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda part, _: _tick(part, language)))
        axes.set_xlabel(say("evaluation_match_weight", language))
        axes.set_ylabel(say("drift_share", language))
        legend(axes)

    return svg("scores", draw)


def _bits(probability: float) -> float:
    if probability in (0, 1):
        return MAX_BITS * (2 * probability - 1)
    return max(-MAX_BITS, min(math.log2(probability / (1 - probability)), MAX_BITS))


def _nines(precision: float) -> float:
    return -math.log10(max(1 - precision, 1e-5))


def _tick(part: float, language: str) -> str:
    digits = f"{part * 100:.3f}".rstrip("0").rstrip(".")
    return (digits if language == "en" else digits.replace(".", ",")) + "\u00a0%"


def whole_doses(doses: float, language: str) -> str:
    """A tick on a logarithmic axis of doses; none below one dose."""
    return count(round(doses), language) if doses >= 1 else ""


def legend(axes: Axes) -> None:
    """Names of the series above the drawing."""
    axes.legend(frameon=False, labelcolor=STYLES["ink"], loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def svg(name: str, draw: Callable[[Axes], None]) -> str:
    """Draw on fresh axes; ids carry ``name``, so that several charts live in one page."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "font.size": 11, "legend.fontsize": "medium"}):
        figure = Figure(figsize=SIZE, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        draw(axes)
        axes.grid(color=STYLES["line"], linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[:].set_visible(False)
        axes.tick_params(which="both", colors=STYLES["muted"], length=0)
        axes.minorticks_off()
        for text in (axes.xaxis.label, axes.yaxis.label):
            text.set_color(STYLES["muted"])
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    for colour, stand_in in STYLES.items():
        svg = svg.replace(stand_in, f"var(--{colour})")
    return svg
