"""What a clerical sample and a drift check say, in words."""

from collections.abc import Mapping
from typing import Any

from evaluation.clerical import Clerical
from evaluation.drift import Drift
from evaluation.units import Unit
from linkage.messages import catalogue, say, word
from linkage.reports.pages import count, localised
from linkage.tables.files import printable

LONGEST = 40
NAMED = 5
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
    """The verdict, then units that stand out and whatever else is worth a sentence."""
    sentences = [verdict(drift, language)]
    for kind, standing_out in drift.units.standing_out.items():
        if standing_out:
            names = [unit_name(unit) for unit in drift.units.worst if unit.kind == kind][:NAMED]
            worst = ", ".join(names + ["…"] * (len(names) < standing_out))
            facts = {"units": standing_out, "of": drift.units.looked_at[kind]}
            sentences.append(
                say(f"drift_{kind}_out", language, worst=worst, **{k: count(v, language) for k, v in facts.items()})
            )
    now, before = drift.citizens, drift.reference_citizens
    if now and before and not 1 / REGISTRY_WITHIN <= now / before <= REGISTRY_WITHIN:
        sentences.append(say("drift_registry", language, now=count(now, language), before=count(before, language)))
    if drift.undated:
        sentences.append(say("drift_undated", language, doses=count(drift.undated, language)))
    return sentences


def unit_name(unit: Unit) -> str:
    """A facility as the doses have it, cut and without control characters; a week by its Monday."""
    shown = printable(unit.name)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def aspect(name: str, language: str) -> str:
    """A decision, a match weight, or a comparison."""
    return (
        say(f"drift_of_{name}", language) if f"drift_of_{name}" in catalogue() else word(f"comparison.{name}", language)
    )


def value(of: str, name: str, language: str) -> str:
    """One value of an aspect."""
    if of == "decision":
        return say(f"evaluation_{name}", language)
    if of == "match_weight":
        return say("drift_no_candidate", language) if name == "none" else say("drift_bits", language, bits=name)
    return say("drift_missing", language) if name == "missing" else word(f"level.{of}.{name}", language)


def band(name: str, language: str) -> str:
    """A band of probability by its lower end."""
    if name == "none":
        return say("drift_no_candidate", language)
    return f"≥ {localised(f'{float(name) * 100:g}', language)}\u00a0%"
