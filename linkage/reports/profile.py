"""What the doses of a run, or of a sample, look like to a model: decisions, levels and match weights, counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import duckdb

from linkage.tables.sql import quoted, text_literal

__all__ = ["DECISIONS", "Profile", "measure_profile", "profile_counts"]

DECISIONS = ("accept", "review", "no_match")


@dataclass(frozen=True, slots=True)
class Profile:
    """Counts of doses; nothing of a person.

    Attributes:
        doses: how many were counted.
        decisions: decision → doses; every decision but quarantine is there.
        levels: comparison → level of the best candidate → doses that have a candidate.
        bits: match weight of the best candidate, rounded down to whole bits → doses that have a candidate.
        without_candidate: doses that have none.
    """

    doses: int
    decisions: Mapping[str, int]
    levels: Mapping[str, Mapping[str, int]]
    bits: Mapping[int, int]
    without_candidate: int

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON, in one order whatever the order of the counts."""
        return {
            "doses": self.doses,
            "decisions": dict(self.decisions),
            "levels": {name: dict(sorted(levels.items())) for name, levels in self.levels.items()},
            "bits": {str(bits): self.bits[bits] for bits in sorted(self.bits)},
            "without_candidate": self.without_candidate,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """What ``as_dict`` gave, back.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        return cls(
            doses=int(data["doses"]),
            decisions={str(name): int(doses) for name, doses in data["decisions"].items()},
            levels={
                str(comparison): {str(level): int(doses) for level, doses in levels.items()}
                for comparison, levels in data["levels"].items()
            },
            bits={int(bits): int(doses) for bits, doses in data["bits"].items()},
            without_candidate=int(data["without_candidate"]),
        )


def measure_profile(connection: duckdb.DuckDBPyConnection, comparisons: Sequence[str], best: str) -> Profile:
    """Count the doses of a relation in one pass.

    Args:
        connection: where ``best`` is.
        comparisons: names of the comparisons.
        best: a relation with one row per dose: ``decision`` (``accept``, ``review``, ``no_match``), ``match_weight``
            of the best candidate in bits (null without a candidate) and a column per comparison with the name of its
            level (``missing`` among them; null without a candidate). A table or a subquery in brackets.
    """
    rows = connection.execute(f"SELECT aspect, value, doses FROM ({profile_counts(comparisons, best)})").fetchall()
    counts: dict[str, dict[str | None, int]] = {}
    for aspect, value, doses in rows:
        counts.setdefault(aspect, {})[value] = doses
    decided, bits = counts.get("decision", {}), counts.get("match_weight", {})
    if unknown := set(decided) - set(DECISIONS):
        raise ValueError(f"decisions that a profile cannot hold: {unknown}")
    return Profile(
        doses=sum(decided.values()),
        decisions={decision: decided.get(decision, 0) for decision in DECISIONS},
        levels={
            name: {level: doses for level, doses in counts.get(name, {}).items() if level is not None}
            for name in comparisons
        },
        bits={int(whole): doses for whole, doses in bits.items() if whole is not None},
        without_candidate=bits.get(None, 0),
    )


def profile_counts(comparisons: Sequence[str], best: str, unit: str | None = None) -> str:
    """The statement that counts, for every unit if one is asked for.

    Args:
        comparisons: names of the comparisons.
        best: as for ``measure_profile``.
        unit: an SQL expression over ``best`` that names the unit of a dose, such as its facility.

    Returns:
        A SELECT with ``unit`` (where asked for), ``aspect`` (``decision``, ``match_weight`` or a comparison),
        ``value`` (a decision, whole bits or a level; null without a candidate) and ``doses``.
    """
    aspects = {
        "decision": "decision",
        "match_weight": "floor(match_weight)::INTEGER::VARCHAR",
        **{name: quoted(name) for name in comparisons},
    }
    selected = ", ".join(f"{value} AS a{number}" for number, value in enumerate(aspects.values()))
    places = [f"a{number}" for number in range(len(aspects))]
    each = "unit, " if unit else ""
    named = " ".join(
        f"WHEN GROUPING({place}) = 0 THEN {text_literal(aspect)}" for place, aspect in zip(places, aspects, strict=True)
    )
    return f"""
    SELECT {each}CASE {named} END AS aspect, coalesce({", ".join(places)}) AS value, count(*) AS doses
    FROM (SELECT {f"{unit} AS unit, " if unit else ""}{selected} FROM {best})
    GROUP BY GROUPING SETS ({", ".join(f"({each}{place})" for place in places)})
    """
