"""The model card, in words for those who decide: what is proven, how it errs, what it cannot do; and its parameters."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from matplotlib import rc_context

from linkage.messages import catalogue, say, word
from linkage.reports.pages import environment, localised
from models import CAUTION, NEVER, Model, Registry, to_splink
from training import drawings
from training.suspicion import LEVEL_AT_LEAST, in_words

CARDS = {"en": "card.md", "vi": "card.vi.md"}

RARE = "labels.rare_levels"


def write_card(folder: Path, model: Model) -> None:
    """Write ``splink.json``, the cards in both languages and their drawings in ``charts`` into a model folder."""
    registry = Registry(**model.evidence["registry"])
    settings = json.dumps(to_splink(model, registry), ensure_ascii=False, indent=1)
    (folder / "splink.json").write_text(settings + "\n", encoding="utf-8")
    (folder / "charts").mkdir(exist_ok=True)
    figures = {
        "match_weights": drawings.match_weights(model, registry),
        "dependence": drawings.shared_bits(model.evidence["dependence"]),
        "reliability": drawings.reliability(model.evidence["reliability"]),
    }
    for name, figure in figures.items():
        # without a salt of its own the drawing's ids differ from run to run
        with rc_context({"svg.hashsalt": name}):
            figure.savefig(folder / "charts" / f"{name}.svg", metadata={"Date": None})
    facts = _facts(model, registry)
    for language, name in CARDS.items():
        (folder / name).write_text(_card(facts, language), encoding="utf-8")


def _card(facts: Mapping[str, Any], language: str) -> str:
    # Markdown is no HTML, and every name in it was checked when the specification was read
    pages = environment(language, "training").overlay(autoescape=False)
    pages.filters["exact"] = lambda share: localised(f"{100 * share:.6g}", language) + "\u00a0%"
    pages.filters["hundredths"] = lambda percents: localised(f"{percents:.2f}", language) + "\u00a0%"
    pages.filters["form"] = lambda number, form: localised(format(number, form), language)
    pages.filters["interval"] = lambda ends, form: " … ".join(localised(format(end, form), language) for end in ends)
    pages.filters["stratum"] = lambda name: say("model.all", language) if name == "all" else _stratum(name, language)
    pages.filters["about"] = lambda name: _about(name, language)
    pages.filters["level"] = lambda row: word(f"level.{row['comparison']}.{row['level']}", language)
    pages.filters["odd"] = lambda notices: in_words(notices, language)
    return pages.get_template(CARDS[language]).render(facts) + "\n"


def _stratum(name: str, language: str) -> str:
    return word(f"stratum.{name}", language)


def _about(name: str, language: str) -> str:
    key = f"about_stratum.{name}"
    return say(key if key in catalogue() else "about_stratum.own", language)


def _facts(model: Model, registry: Registry) -> dict[str, Any]:
    """What both cards say: every number that the evidence does not hold as it is, is computed here."""
    evidence = model.evidence
    found, suspicions = evidence["thresholds"], evidence["labels"]["suspicions"]
    rare = [facts for key, facts in suspicions if key == RARE]
    strata = {name: {**part, "shares": _shares(part)} for name, part in found["strata"].items()}
    return {
        "model": model,
        "evidence": evidence,
        "labels": evidence["labels"],
        "found": {**found, "shares": _shares(found)},
        "strata": strata,
        "alone": _without_candidate(found),
        "accept": {name: share for name, share in model.thresholds.accept.items() if share != NEVER},
        "lacking": {name: part["lacking"] for name, part in strata.items() if part["lacking"]},
        "unseen": [name for name in model.thresholds.accept if name not in strata and name != CAUTION],
        "odd": [each for each in suspicions if each[0] != RARE],
        "rare": rare[0]["levels"].split(", ") if rare else [],
        "rare_below": LEVEL_AT_LEAST,
        "unsure_from": drawings.SURE,
        "pale_below": drawings.FEWEST,
        "levels": list(_levels(model, registry)),
    }


def _shares(found: Mapping[str, Any]) -> dict[str, float]:
    """Shares accepted, reviewed and no match in hundredths of a percent, rounded so that they sum to 100 %."""
    accepted, reviewed = found["accepted_share"], found["review_share"]
    shares = {"accept": accepted, "review": reviewed, "no_match": max(1 - accepted - reviewed, 0.0)}
    whole = {name: math.floor(share * 10_000) for name, share in shares.items()}
    largest = sorted(shares, key=lambda name: whole[name] - shares[name] * 10_000)
    for name in largest[: 10_000 - sum(whole.values())]:
        whole[name] += 1
    return {name: part / 100 for name, part in whole.items()}


def _without_candidate(found: Mapping[str, Any]) -> dict[str, int]:
    """Doses of no stratum, none of which can be accepted: how many, and how many of them have a citizen."""
    strata = found["strata"].values()
    return {
        "doses": found["doses"] - sum(part["doses"] for part in strata),
        "no_match": found["missed_links"]["doses"] - sum(part["missed_links"]["doses"] for part in strata),
        "errors": found["missed_links"]["errors"] - sum(part["missed_links"]["errors"] for part in strata),
    }


def _levels(model: Model, registry: Registry) -> Iterator[dict[str, Any]]:
    for comparison in model.specification.comparisons:
        for level in comparison.levels:
            m, u = model.m_u(comparison, level, registry)
            yield {
                "comparison": comparison.name,
                "level": level.name,
                "bits": math.log2(m / u),
                "by_frequency": bool(level.frequency),
                "learned": None if comparison.is_interaction else model.parameters[comparison.name][level.name],
            }
