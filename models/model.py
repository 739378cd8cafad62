"""A trained Fellegi–Sunter model: a specification with what was learned from labels, as JSON and back."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.checking import CAUTION, OTHER
from models.specification import Comparison, Level, Specification

SCHEMA_VERSION = 2

NEVER = math.nextafter(1, 2)
"""An accept threshold that no probability reaches, not even one that rounds to 1."""


LONGEST_NAME, LONGEST_INTEGER = 100, 19
_NAME = re.compile(rf"[\w. -]{{1,{LONGEST_NAME}}}")


def is_name(name: str) -> bool:
    """Whether a model may be called so: at most ``LONGEST_NAME`` letters, digits, spaces and ``. - _``."""
    return _NAME.fullmatch(name) is not None


class ModelError(ValueError):
    """A model file that cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class LevelParameters:
    """What was learned about one level.

    Attributes:
        m: probability of the level among matching pairs.
        u: probability of the level among pairs of a dose and any other citizen of the training registry.
        reach: of a level with a frequency, the share of the pairs of a dose and another citizen with the same value
            that are on this level (a date typed as a year alone, a name without diacritics); else 1. What both
            hypotheses have alike is no evidence.
        positives: weighted number of labelled matches seen on the level.
        negatives: weighted number of labelled non-matches seen on the level.
        prior: matches that the prior adds to those seen on the level, as if they had been seen too.
        m_interval, u_interval: where m and u lie with 95 % confidence; None in a model that was made without.
        weight_interval: the same of log2(m / u), in bits.
    """

    m: float
    u: float
    positives: float
    negatives: float
    reach: float = 1.0
    prior: float = 0.0
    m_interval: tuple[float, float] | None = None
    u_interval: tuple[float, float] | None = None
    weight_interval: tuple[float, float] | None = None

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> "LevelParameters":
        """From what JSON makes of it, where an interval is a list."""
        values: dict[str, Any] = {name: tuple(x) if isinstance(x, list) else x for name, x in data.items()}
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Registry:
    """What a model needs to know of the registry it is run against.

    Attributes:
        citizens: how many there are.
        ratios: comparison → level → how many times more pairs of citizens agree so than if the columns were
            independent, for the levels that are interactions.
        ratios_without_last: the same without the last column, for those levels that have ``mistaken``.
    """

    citizens: int
    ratios: Mapping[str, Mapping[str, float]]
    ratios_without_last: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibrated odds against "none of the registry" are 2^(slope · match weight + intercept)."""

    slope: float = 1.0
    intercept: float = 0.0

    def bits(self, match_weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log2 of the calibrated odds, shape as given."""
        return self.slope * match_weight + self.intercept


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Probabilities on which a dose is decided.

    Attributes:
        accept: stratum → the best candidate is accepted from this probability on; ``NEVER`` where the labels proved
            nothing, and for doses with a caution.
        review: below this for all candidates together, no match.
    """

    accept: Mapping[str, float]
    review: float


@dataclass(frozen=True, slots=True)
class Model:
    """A specification, its parameters, and how to decide.

    Attributes:
        in_registry: probability that the citizen of a dose is in the registry and among its candidates.
        calibration: stratum → how match weights become odds where the evidence is of that kind.
        evidence: what the parameters rest on: counts, digests, seed, versions, error rates measured on labels
            held apart. Plain data.
    """

    name: str
    specification: Specification
    parameters: Mapping[str, Mapping[str, LevelParameters]]
    in_registry: float
    calibration: Mapping[str, Calibration]
    thresholds: Thresholds
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def m_u(self, comparison: Comparison, level: Level, registry: Registry) -> tuple[float, float]:
        """M and u of a level against a registry.

        Of a level with ``frequency`` both are among the pairs that its ``reach`` covers; u holds where the frequency
        is unknown, elsewhere the frequency takes its place. An interaction has no m and u: two numbers are given whose
        ratio is its correction of the others'.
        """
        if comparison.is_interaction:
            ratio = registry.ratios[comparison.name][level.name] if level.together else 1.0
            if level.mistaken:
                wrong = self._wrong(level.mistaken)
                ratio = (1 - wrong) * ratio + wrong * registry.ratios_without_last[comparison.name][level.name]
            if level.slip:
                right, slipped = (self._learned(each) for each in level.slip)
                ratio = 1 + (ratio - 1) * min(1.0, slipped.m / right.m * right.u / slipped.u)
            return 0.5 / max(ratio, 1.0), 0.5 / max(1 / ratio, 1.0)
        learned = self.parameters[comparison.name][level.name]
        return learned.m / learned.reach, 1 / registry.citizens if level.unique else learned.u / learned.reach

    def _learned(self, level: str) -> LevelParameters:
        comparison, _, name = level.partition(".")
        return self.parameters[comparison][name]

    def _wrong(self, disagreement: str) -> float:
        """How often a match of the kind that a level of disagreement is for disagrees.

        A stranger of any kind disagrees on one of the levels without frequency: their u tell the kinds' shares.
        """
        name, _, level = disagreement.partition(".")
        [comparison] = (each for each in self.specification.comparisons if each.name == name)
        learned = self.parameters[name]
        every = sum(learned[each.name].u for each in comparison.levels if not each.frequency)
        return min(1.0, learned[level].m * every / learned[level].u)

    def prior_bits(self, citizens: int) -> float:
        """Log2 odds that a dose and one citizen, drawn at random, are the same person."""
        probability = self.in_registry / citizens
        return math.log2(probability / (1 - probability))

    def to_json(self) -> str:
        """The text of ``model.json``: the same model gives the same bytes."""
        data = {
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "specification": self.specification.to_dict(),
            "parameters": {
                comparison: {level: asdict(learned) for level, learned in levels.items()}
                for comparison, levels in self.parameters.items()
            },
            "in_registry": self.in_registry,
            "calibration": {stratum: asdict(each) for stratum, each in self.calibration.items()},
            "thresholds": asdict(self.thresholds),
            "evidence": dict(self.evidence),
        }
        return json.dumps(data, ensure_ascii=False, indent=1) + "\n"

    @property
    def digest(self) -> str:
        """SHA-256 of ``model.json``."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str) -> "Model":
        """Read what ``to_json`` wrote.

        Raises:
            ModelError: the text is no model of this schema version.
        """
        try:
            data = json.loads(text, parse_int=_int)
            version = data["schema_version"]
            # names and SQL go into files and statements, where half a character cannot be written
            json.dumps(data, ensure_ascii=False).encode()
        except _MALFORMED as error:
            raise ModelError(_said(error)) from error
        if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
            raise ModelError(f"schema version {version}, this program reads 1 to {SCHEMA_VERSION}")
        try:
            for migrate in _MIGRATIONS[version - 1 :]:
                data = migrate(data)
            model = cls(
                name=data["name"],
                specification=Specification.from_dict(data["specification"]),
                parameters={
                    comparison: {level: LevelParameters.of_json(learned) for level, learned in levels.items()}
                    for comparison, levels in data["parameters"].items()
                },
                in_registry=data["in_registry"],
                calibration={stratum: Calibration(**each) for stratum, each in data["calibration"].items()},
                thresholds=Thresholds(**data["thresholds"]),
                evidence=data["evidence"],
            )
            _check(model)
            _check_finite(data)
        except _MALFORMED as error:
            raise ModelError(_said(error)) from error
        return model

    @classmethod
    def read(cls, folder: Path) -> "Model":
        """Read ``model.json`` of a model folder.

        Raises:
            OSError: it cannot be opened.
            ModelError: it is no model.
        """
        path = folder / "model.json"
        if path.exists() and not path.is_file():
            # to read a pipe is to wait for ever
            raise ModelError("it is no regular file")
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise ModelError("it is not UTF-8") from error


_MALFORMED = (AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError)


def _int(found: str) -> int:
    if len(found) > LONGEST_INTEGER:
        raise ValueError("it holds a number too large")
    return int(found)


def _said(error: Exception) -> str:
    """What is wrong, in plain words."""
    if isinstance(error, KeyError):
        return f"it lacks {str(error.args[0])[:100]!r}"
    if isinstance(error, UnicodeEncodeError):
        return "it holds half a character (\\ud800 to \\udfff)"
    if isinstance(error, json.JSONDecodeError):
        return f"it is no JSON: line {error.lineno}, column {error.colno}"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error)[:300] if isinstance(error, ValueError) else "it is not laid out as a model is"


def _from_1(data: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 knew doses with and without a caution, and no other strata."""
    thresholds = data["thresholds"]
    return {
        **data,
        "calibration": {OTHER: data["calibration"], CAUTION: data["cautioned"]},
        "thresholds": {**thresholds, "accept": {OTHER: thresholds["accept"], CAUTION: NEVER}},
    }


_MIGRATIONS = (_from_1,)
"""From each schema version to the next, the first from 1."""


def _check(model: Model) -> None:
    """Raise ValueError where a number would make a decision meaningless, KeyError where one is missing."""
    if not is_name(model.name):
        raise ValueError(
            f"its name must be at most {LONGEST_NAME} letters, digits, spaces, points, dashes, underscores"
        )
    if not isinstance(model.evidence, dict):
        raise TypeError("its evidence is no object")
    if not model.specification.comparisons:
        raise ValueError("it has no comparison")
    numbers = {
        "in_registry": (model.in_registry, 0.0, 1.0),
    }
    _check_names(model)
    lowest = min(model.thresholds.accept.values())
    numbers["review threshold"] = (model.thresholds.review, -math.ulp(0), lowest)
    for stratum in model.specification.stratum_names:
        calibration, accept = model.calibration[stratum], model.thresholds.accept[stratum]
        numbers[f"slope of {stratum}"] = (calibration.slope, 0.0, 100.0)
        numbers[f"intercept of {stratum}"] = (calibration.intercept, -10_000.0, 10_000.0)
        numbers[f"accept threshold of {stratum}"] = (accept, 0.5, 2.0)
    for comparison in model.specification.comparisons:
        for level in () if comparison.is_interaction else comparison.levels:
            learned = model.parameters[comparison.name][level.name]
            numbers[f"m of {comparison.name}.{level.name}"] = (learned.m, 0.0, 1.0)
            # u is 1 where all citizens agree, as on the province of a provincial registry
            numbers[f"u of {comparison.name}.{level.name}"] = (learned.u, 0.0, math.nextafter(1, 2))
            least = max(learned.m, learned.u) if level.frequency else 1.0
            numbers[f"reach of {comparison.name}.{level.name}"] = (
                learned.reach,
                math.nextafter(least, 0),
                math.nextafter(1, 2),
            )
            for name, seen in (("positives", learned.positives), ("negatives", learned.negatives)):
                numbers[f"{name} of {comparison.name}.{level.name}"] = (seen, -math.ulp(0), math.inf)
            numbers |= _ends(f"{comparison.name}.{level.name}", learned)
    for name, (number, low, high) in numbers.items():
        if isinstance(number, bool) or not isinstance(number, float | int) or not low < number < high:
            raise ValueError(f"{name} is {str(number)[:40]}; it must be a number between {low} and {high}")


def _check_finite(data: object) -> None:
    """Raise ValueError where a number is one that JSON does not know."""
    try:
        json.dumps(data, allow_nan=False)
    except ValueError as error:
        raise ValueError("it holds NaN, Infinity or a number too large") from error


def _check_names(model: Model) -> None:
    """Raise ValueError where strata, comparisons or levels are others than the specification declares."""
    learned = {
        comparison.name: {level.name for level in comparison.levels}
        for comparison in model.specification.comparisons
        if not comparison.is_interaction
    }
    strata = set(model.specification.stratum_names)
    for what, found, declared in (
        ("calibration", model.calibration, strata),
        ("accept thresholds", model.thresholds.accept, strata),
        ("parameters", model.parameters, set(learned)),
        *((f"parameters of {name}", model.parameters[name], levels) for name, levels in learned.items()),
    ):
        for name in sorted(set(found) ^ declared):
            raise ValueError(f"{what}: {name[:100]!r} is {'not declared' if name in found else 'missing'}")


def _ends(level: str, learned: LevelParameters) -> dict[str, tuple[float, float, float]]:
    """What the prior count and the ends of the intervals of a level are, and what they must lie between."""
    numbers = {f"prior of {level}": (learned.prior, -math.ulp(0), math.inf)}
    for name, interval, least, most in (
        ("m", learned.m_interval, 0.0, 1.0),
        ("u", learned.u_interval, 0.0, 1.0),
        ("weight", learned.weight_interval, -10_000.0, 10_000.0),
    ):
        if interval is not None:
            (low, high), beyond = interval, math.nextafter(most, math.inf)
            numbers[f"low end of {name} of {level}"] = (low, math.nextafter(least, -math.inf), beyond)
            numbers[f"high end of {name} of {level}"] = (high, math.nextafter(low, -math.inf), beyond)
    return numbers
