"""What a clerical sample and a drift check say, in words."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.clerical import BANDS, Clerical
from evaluation.drift import Drift
from evaluation.units import Unit
from linkage.messages import catalogue, say, word
from linkage.reports.pages import count, localised, percent
from linkage.tables.files import printable

LONGEST = 40
NAMED = 5
MOVED_BITS = 0.5
"""How far the mean match weight may be from that of training before it has moved."""

REGISTRY_WITHIN = 2.0
"""How many times larger or smaller than in training a registry may be before it is worth a word."""


def sampled(result: Clerical, language: str) -> list[str]:
    """One sentence for every set of rows that no figure holds, and for every figure that cannot be given."""
    return [sentence(notice, language) for notice in result.notices]


def sentence(notice: tuple[str, Mapping[str, Any]], language: str) -> str:
    """A message by its key and its facts, numbers as the language writes them."""
    key, facts = notice
    worded = {name: count(fact, language) if isinstance(fact, int) else fact for name, fact in facts.items()}
    return say(key, language, **worded)


def verdict(drift: Drift, language: str) -> str:
    """Whether the run is like the training reference, and what is not."""
    changed = [aspect(shift.aspect, language) for shift in drift.shifts if shift.state != "as_trained"]
    return say(f"drift_{drift.verdict}", language, aspects=", ".join(changed))


def drifted(drift: Drift, language: str) -> list[str]:
    """The verdict, then where match weights went, units that stand out and whatever else is worth a sentence."""
    sentences = [verdict(drift, language), *_weights(drift, language)]
    now, before = drift.citizens, drift.reference_citizens
    if now and before and not 1 / REGISTRY_WITHIN <= now / before <= REGISTRY_WITHIN:
        bits = localised(f"{math.log2(before / now):+.1f}", language)
        sizes = {"now": count(now, language), "before": count(before, language)}
        sentences.append(say("drift_registry", language, bits=bits, **sizes))
    for kind, standing_out in drift.units.standing_out.items():
        if standing_out:
            names = [_departed(unit, language) for unit in drift.units.worst if unit.kind == kind][:NAMED]
            worst = ", ".join(names + ["…"] * (len(names) < standing_out))
            facts = {"units": standing_out, "of": drift.units.looked_at[kind]}
            sentences.append(
                say(f"drift_{kind}_out", language, worst=worst, **{k: count(v, language) for k, v in facts.items()})
            )
    if drift.undated:
        sentences.append(say("drift_undated", language, doses=count(drift.undated, language)))
    return sentences


def _weights(drift: Drift, language: str) -> list[str]:
    """Where match weights went, if they are no longer as trained, and what that made of the decisions."""
    if not any(shift.aspect == "match_weight" and shift.state != "as_trained" for shift in drift.shifts):
        return []
    if not drift.bits or not drift.reference_bits:
        return []
    # a whole bit stands for the half bit above it
    now, before = (
        sum(bits * doses for bits, doses in part.items()) / sum(part.values()) + 0.5
        for part in (drift.bits, drift.reference_bits)
    )
    way = "spread" if abs(now - before) < MOVED_BITS else "up" if now > before else "down"
    means = {name: localised(f"{mean:.1f}", language) for name, mean in (("now", now), ("before", before))}
    shares = {
        name: percent(share, language)
        for shift in drift.shifts
        if shift.aspect == "decision"
        for moved in shift.moved
        for name, share in ((moved.value, moved.run), (f"{moved.value}_before", moved.reference))
    }
    return [say(f"drift_weights_{way}", language, **means, **shares)]


def _departed(unit: Unit, language: str) -> str:
    """A unit and what it stands out in."""
    return f"{unit_name(unit)} ({', '.join(aspect(part.aspect, language) for part in unit.departures[:NAMED])})"


def unit_name(unit: Unit) -> str:
    """A facility as the doses have it, cut and without control characters; a week by its Monday."""
    shown = printable(unit.name)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def aspect(name: str, language: str) -> str:
    """A decision, a match weight, or a comparison."""
    return (
        say(f"drift_of_{name}", language) if f"drift_of_{name}" in catalogue() else word(f"comparison.{name}", language)
    )


def score_starts(drift: Drift) -> list[int]:
    """The least whole bits of each bin of match weights, ascending."""
    bins = (moved.value for shift in drift.shifts if shift.aspect == "match_weight" for moved in shift.moved)
    return sorted(int(name) for name in bins if name != "none")


def value(of: str, name: str, starts: Sequence[int], language: str) -> str:
    """One value of an aspect; ``starts`` as `score_starts` gives them."""
    if of == "decision":
        return say(f"evaluation_{name}", language)
    if of == "match_weight":
        return say("drift_no_candidate", language) if name == "none" else _bin(int(name), starts, language)
    return say("drift_missing", language) if name == "missing" else word(f"level.{of}.{name}", language)


def _bin(start: int, starts: Sequence[int], language: str) -> str:
    """A bin of match weights from end to end; the first holds all below it too, the last all above."""
    after = next((other for other in starts if other > start), None)
    if after is None:
        return say("drift_bits_from", language, bits=start)
    return say("drift_bits_below" if start == starts[0] else "drift_bits_between", language, bits=start, to=after)


def band(name: str, language: str) -> str:
    """A band of probability from end to end, by its lower end."""
    if name == "none":
        return say("drift_no_candidate", language)
    ends = [*BANDS, 1.0]
    low, high = (localised(f"{end * 100:g}", language) for end in ends[ends.index(float(name)) :][:2])
    return f"{low} – {high}\u00a0%"
