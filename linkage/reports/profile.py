"""What the doses of a run, or of a sample, look like to a model: decisions, levels and match weights, counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import duckdb

from linkage.tables.sql import quoted, text_literal

__all__ = ["DECISIONS", "Profile", "count_doses", "measure_profile", "profile_of"]

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
    return profile_of(connection, comparisons, f"({count_doses(comparisons, best)})")


def count_doses(comparisons: Sequence[str], best: str, units: Mapping[str, str] | None = None) -> str:
    """The statement that counts all doses, and those of every unit, in one pass.

    Args:
        comparisons: names of the comparisons.
        best: as for ``measure_profile``.
        units: kind of unit → SQL expression over ``best`` that names a dose's unit, such as its facility.

    Returns:
        A SELECT with ``kind`` (of unit; null: all doses), ``unit``, ``aspect`` (``decision``, ``match_weight`` or a
        comparison), ``value`` (a decision, whole bits or a level; null without a candidate) and ``doses``.
    """
    units = units or {}
    aspects = {
        "decision": "decision",
        "match_weight": "floor(match_weight)::INTEGER::VARCHAR",
        **{name: quoted(name) for name in comparisons},
    }
    kinds = [f"u{number}" for number in range(len(units))]
    places = [f"a{number}" for number in range(len(aspects))]
    columns = [f"{sql} AS {name}" for sql, name in zip(units.values(), kinds, strict=True)]
    columns += [f"{sql} AS {name}" for sql, name in zip(aspects.values(), places, strict=True)]
    sets = [f"({place})" for place in places] + [f"({kind}, {place})" for kind in kinds for place in places]
    return f"""
    SELECT {_grouped(kinds, list(units))} AS kind, {_first(kinds)} AS unit,
      {_grouped(places, list(aspects))} AS aspect, {_first(places)} AS value, count(*) AS doses
    FROM (SELECT {", ".join(columns)} FROM {best}) GROUP BY GROUPING SETS ({", ".join(sets)})
    """


def _grouped(columns: Sequence[str], names: Sequence[str]) -> str:
    """The name of the one column that a row is grouped by."""
    pairs = zip(columns, names, strict=True)
    cases = " ".join(f"WHEN GROUPING({column}) = 0 THEN {text_literal(name)}" for column, name in pairs)
    return f"CASE {cases} END" if cases else "NULL::VARCHAR"


def _first(columns: Sequence[str]) -> str:
    return f"coalesce({', '.join(columns)})" if columns else "NULL::VARCHAR"


def profile_of(connection: duckdb.DuckDBPyConnection, comparisons: Sequence[str], counts: str) -> Profile:
    """The profile of all doses, from the counts that ``count_doses`` selects."""
    rows = connection.execute(f"SELECT aspect, value, doses FROM {counts} WHERE kind IS NULL").fetchall()
    found: dict[str, dict[str | None, int]] = {}
    for aspect, value, doses in rows:
        found.setdefault(aspect, {})[value] = doses
    decided, bits = found.get("decision", {}), found.get("match_weight", {})
    if unknown := set(decided) - set(DECISIONS):
        raise ValueError(f"decisions that a profile cannot hold: {unknown}")
    return Profile(
        doses=sum(decided.values()),
        decisions={decision: decided.get(decision, 0) for decision in DECISIONS},
        levels={
            name: {level: doses for level, doses in found.get(name, {}).items() if level is not None}
            for name in comparisons
        },
        bits={int(whole): doses for whole, doses in bits.items() if whole is not None},
        without_candidate=bits.get(None, 0),
    )
