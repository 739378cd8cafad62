"""What is compared, and how: the declared part of a Fellegi–Sunter model, before anything is learned."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from models.checking import CAUTION, OTHER, check_data

_SIDE = re.compile(r"\b([a-z_0-9]+?)_([lr])\b")


@dataclass(frozen=True, slots=True)
class Level:
    """One degree of agreement.

    Attributes:
        name: its name within the comparison.
        when: SQL over ``<column>_l`` and ``<column>_r``; None for the last level, which takes the rest.
        frequency: the column whose share among the citizens is u for this pair.
        unique: u is 1 / number of citizens.
        absent: u is among doses whose citizen is not in the registry: the level says more of the dose than of the pair.
        together, apart, beside: makes the level an interaction: its weight is -log2 of how many times more pairs of
            citizens agree on all columns of ``together``, and not on ``apart``, than if the columns were independent;
            of pairs for which the SQL ``beside`` holds, if given, and as if that were independent too.
        mistaken: a level of disagreement, "comparison.level": a dose may be wrong in the last column of ``together``,
            as often as this level says; then only the others agree together.
        slip: two levels, each "comparison.level": the citizens agree on ``together``, and a slip in the dose has put
            the pair on the second level instead of the first.
    """

    name: str
    when: str | None = None
    frequency: str | None = None
    unique: bool = False
    absent: bool = False
    together: tuple[str, ...] = ()
    apart: str | None = None
    beside: str | None = None
    mistaken: str | None = None
    slip: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Levels from full agreement down to disagreement; ``missing`` holds when a side has nothing to compare.

    ``expressions`` may be named in the conditions of every comparison, and in later expressions.
    """

    name: str
    missing: str
    levels: tuple[Level, ...]
    expressions: Mapping[str, str]

    @property
    def is_interaction(self) -> bool:
        """It corrects the others' weights for agreeing together, and has no m and u of its own."""
        return any(level.together for level in self.levels)


@dataclass(frozen=True, slots=True)
class BlockingRule:
    """A pair is a candidate when all columns of ``on`` agree; with ``any_of``, when two lists share an element."""

    name: str
    on: tuple[str, ...]
    split: tuple[str, ...] = ()
    any_of: bool = False


Pattern = Mapping[str, tuple[str, ...]]
"""Comparison → some of its levels or ``missing``: a pair has the pattern when each comparison is on one of them."""


@dataclass(frozen=True, slots=True)
class Caution:
    """What no machine accepts, whatever its probability: the dose goes to review.

    It holds when the best candidate has the pattern ``best`` and, if ``another`` is not empty, another candidate has
    that one.
    """

    name: str
    best: Pattern
    another: Pattern


@dataclass(frozen=True, slots=True)
class Stratum:
    """Doses whose evidence is of one kind, and whose probabilities are calibrated and proven together.

    A dose is in the first stratum whose pattern ``best`` its best candidate has; in "caution" before all others when a
    caution holds, and in "other" when none holds.
    """

    name: str
    best: Pattern


@dataclass(frozen=True, slots=True)
class Specification:
    """Comparisons, blocking rules, cautions and strata for one kind of link."""

    name: str
    columns: Mapping[str, str]
    blocking: tuple[BlockingRule, ...]
    comparisons: tuple[Comparison, ...]
    cautions: tuple[Caution, ...] = ()
    strata: tuple[Stratum, ...] = ()

    @property
    def frequency_columns(self) -> tuple[str, ...]:
        """Columns whose frequencies among the citizens are u of some level, in order of first use."""
        found = (level.frequency for comparison in self.comparisons for level in comparison.levels)
        return tuple(dict.fromkeys(column for column in found if column))

    @property
    def stratum_names(self) -> tuple[str, ...]:
        """Every stratum that a dose with a candidate may be in."""
        return (*(stratum.name for stratum in self.strata), OTHER, CAUTION)

    @property
    def interactions(self) -> tuple[tuple[str, Level], ...]:
        """The levels that are interactions, each with its comparison's name."""
        return tuple((c.name, level) for c in self.comparisons for level in c.levels if level.together)

    @property
    def compared_columns(self) -> tuple[str, ...]:
        """Columns that the conditions read, on either side, in order of first use."""
        return tuple(dict.fromkeys((*self.columns_of("l"), *self.columns_of("r"))))

    def columns_of(self, side: Literal["l", "r"]) -> tuple[str, ...]:
        """Columns that the conditions of levels read of the dose, ``l``, or of the citizen, ``r``.

        Of citizens there are also those that are counted: frequencies, interactions, and what ``beside`` reads of two.
        """
        levels = [level for comparison in self.comparisons for level in comparison.levels]
        texts = [
            *(sql for c in self.comparisons for sql in (c.missing, *c.expressions.values())),
            *(level.when for level in levels if level.when),
        ]
        found = [column for sql in texts for column in read_columns(sql, side)]
        if side == "r":
            besides = [self.inlined(level.beside) for level in levels if level.beside]
            found += [column for sql in besides for each in ("l", "r") for column in read_columns(sql, each)]
            found += self.frequency_columns
            found += [c for level in levels for c in (*level.together, *((level.apart,) if level.apart else ()))]
        return tuple(dict.fromkeys(found))

    def inlined(self, condition: str) -> str:
        """The condition with every named expression written out: what a tool without named expressions needs."""
        named = [pair for comparison in self.comparisons for pair in comparison.expressions.items()]
        # a later expression may use an earlier one
        for name, sql in reversed(named):
            written = f"({sql})".replace("\\", r"\\")
            condition = re.sub(rf"\b{name}\b", written, condition)
        return condition

    def to_dict(self) -> dict[str, Any]:
        """Plain data that ``from_dict`` reads back to an equal specification."""
        return {
            "name": self.name,
            "columns": dict(self.columns),
            "blocking": [
                {"name": rule.name, "on": list(rule.on), "split": list(rule.split), "any": rule.any_of}
                for rule in self.blocking
            ],
            "comparison": [
                {
                    "name": comparison.name,
                    "missing": comparison.missing,
                    "expressions": dict(comparison.expressions),
                    "level": [_level_to_dict(level) for level in comparison.levels],
                }
                for comparison in self.comparisons
            ],
            "caution": [
                {
                    "name": caution.name,
                    "best": {comparison: list(levels) for comparison, levels in caution.best.items()},
                    "another": {comparison: list(levels) for comparison, levels in caution.another.items()},
                }
                for caution in self.cautions
            ],
            "stratum": [
                {
                    "name": stratum.name,
                    "best": {comparison: list(levels) for comparison, levels in stratum.best.items()},
                }
                for stratum in self.strata
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Specification":
        """Read plain data.

        Raises:
            SpecificationError: a key is unknown, missing or of another kind, a name is declared twice, or a part
                contradicts another.
        """
        check_data(data)
        return cls(
            name=data["name"],
            columns=dict(data.get("columns", {})),
            blocking=tuple(
                BlockingRule(rule["name"], tuple(rule["on"]), tuple(rule.get("split", ())), rule.get("any", False))
                for rule in data["blocking"]
            ),
            comparisons=tuple(
                Comparison(
                    name=comparison["name"],
                    missing=comparison["missing"],
                    levels=tuple(_level(level) for level in comparison["level"]),
                    expressions=dict(comparison.get("expressions", {})),
                )
                for comparison in data["comparison"]
            ),
            cautions=tuple(
                Caution(caution["name"], _pattern(caution["best"]), _pattern(caution.get("another", {})))
                for caution in data.get("caution", ())
            ),
            strata=tuple(Stratum(stratum["name"], _pattern(stratum["best"])) for stratum in data.get("stratum", ())),
        )


def read_columns(sql: str, side: Literal["l", "r"]) -> tuple[str, ...]:
    """Columns that a condition reads of one side, in order of first use."""
    return tuple(dict.fromkeys(match[1] for match in _SIDE.finditer(sql) if match[2] == side))


def load(name: str) -> Specification:
    """A specification shipped in this package, by name.

    Raises:
        FileNotFoundError: none has that name.
    """
    text = files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return Specification.from_dict(tomllib.loads(text))


def _level_to_dict(level: Level) -> dict[str, Any]:
    data: dict[str, Any] = {"name": level.name}
    if level.when is not None:
        data["when"] = level.when
    if level.frequency:
        data["frequency"] = level.frequency
    if level.unique:
        data["unique"] = True
    if level.absent:
        data["absent"] = True
    if level.together:
        data["together"] = list(level.together)
    if level.apart:
        data["apart"] = level.apart
    if level.beside:
        data["beside"] = level.beside
    if level.mistaken:
        data["mistaken"] = level.mistaken
    if level.slip:
        data["slip"] = list(level.slip)
    return data


def _level(data: Mapping[str, Any]) -> Level:
    return Level(**{**data, **{names: tuple(data.get(names, ())) for names in ("together", "slip")}})


def _pattern(levels: Mapping[str, Iterable[str]]) -> Pattern:
    return {comparison: tuple(names) for comparison, names in levels.items()}
