"""What the registry of a run says about chance agreement: its size, and which columns agree together."""

import math
from dataclasses import replace
from functools import cache

import duckdb

from models import Level, Registry, Specification, read_columns

__all__ = ["measure_registry"]

_RANDOM_CITIZENS = 400_000
"""Drawn from a larger registry, about."""

_STEPS = (0.618, 0.382, 0.267, 0.733, 0.171)
"""How far apart in a random order two citizens of a random pair stand, as shares of those drawn."""


def measure_registry(
    connection: duckdb.DuckDBPyConnection, specification: Specification, table: str = "citizens_compared"
) -> Registry:
    """Count the citizens of a table, and pairs of them for every interaction.

    A ratio is of ordered pairs seen to pairs expected, exact but for the share of ``beside``, which is that of random
    pairs, the same in whatever order the citizens stand. Nothing seen is counted as log 2 pairs, the median of what may
    be behind it (a Poisson count with a flat prior), and never raises a weight that nothing was expected of. What
    ``apart`` takes away is expected in proportion to the last column of ``together``, which it may refine.
    """
    [(citizens,)] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()

    # levels share columns: each set is counted once
    @cache
    def agreeing(columns: tuple[str, ...], known: tuple[str, ...]) -> float:
        [(found,)] = connection.execute(
            f"SELECT coalesce(sum(n * (n - 1)), 0)::DOUBLE FROM (SELECT count(*) AS n FROM {table}"
            f" WHERE {' AND '.join(f'{column} IS NOT NULL' for column in known)} GROUP BY {', '.join(columns)})"
        ).fetchall()
        return float(found)

    def pairs(columns: tuple[str, ...], apart: str | None) -> float:
        known = (*columns, apart) if apart else columns
        return agreeing(columns, known) - (agreeing(known, known) if apart else 0.0)

    @cache
    def share(beside: str) -> float:
        highest = min(2**64 - 1, 2**64 * _RANDOM_CITIZENS // citizens)
        parts = ", ".join(f"({each})" for each in _STEPS)
        # by what citizens are like, for the order of their rows must change no decision
        values = f"hash({', '.join(specification.columns_of('r'))})"
        drawn = (
            "(SELECT *, row_number() OVER (ORDER BY hashed) - 1 AS place, count(*) OVER () AS size"
            f" FROM (SELECT *, {values} AS hashed FROM {table}) WHERE hashed <= {highest}::UBIGINT)"
        )
        near, far = _pairs_where(
            connection,
            specification,
            beside,
            f"{drawn} AS l CROSS JOIN (VALUES {parts}) AS s(part)"
            f" JOIN {drawn} AS r ON r.place = (l.place + greatest(1, round(l.size * s.part)::BIGINT)) % l.size",
        )
        return max(near, 1.0) / max(far, 1.0)

    def ratio(level: Level) -> float:
        *others, last = level.together
        seen, expected = pairs(level.together, level.apart), pairs((last,), level.apart)
        for column in others:
            expected *= pairs((column,), None) / citizens**2
        if level.beside:
            expected *= share(level.beside)
            on = " AND ".join(f"l.{column} = r.{column}" for column in level.together)
            seen, _ = _pairs_where(
                connection, specification, level.beside, f"{table} AS l JOIN {table} AS r ON {on} AND l.key <> r.key"
            )
        if not expected:
            return 1.0
        return seen / expected if seen else min(1.0, math.log(2) / expected)

    ratios: dict[str, dict[str, float]] = {}
    without_last: dict[str, dict[str, float]] = {}
    for comparison, level in specification.interactions:
        ratios.setdefault(comparison, {})[level.name] = ratio(level)
        if level.mistaken:
            fewer = replace(level, together=level.together[:-1], apart=None)
            without_last.setdefault(comparison, {})[level.name] = ratio(fewer)
    return Registry(citizens, ratios, without_last)


def _pairs_where(
    connection: duckdb.DuckDBPyConnection, specification: Specification, condition: str, join: str
) -> tuple[float, float]:
    """Of the pairs of a join of citizens ``l`` and ``r``, those for which the condition holds, and all."""
    written = specification.inlined(condition)
    columns = ", ".join(f"{side}.{c} AS {c}_{side}" for side in ("l", "r") for c in read_columns(written, side))
    [(near, every)] = connection.execute(
        f"SELECT count(*) FILTER ({written})::DOUBLE, count(*)::DOUBLE FROM (SELECT {columns} FROM {join})"
    ).fetchall()
    return near, every
