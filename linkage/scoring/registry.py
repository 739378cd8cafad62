"""What the registry of a run says about chance agreement: its size, and which columns agree together."""

import duckdb

from models import Level, Registry, Specification

__all__ = ["measure_registry"]


def measure_registry(
    connection: duckdb.DuckDBPyConnection, specification: Specification, table: str = "citizens_compared"
) -> Registry:
    """Count the citizens of a table, and pairs of them for every interaction, exactly.

    A ratio is (pairs seen + 1) / (pairs expected + 1): nothing expected and nothing seen corrects nothing.
    """
    [(citizens,)] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    ratios: dict[str, dict[str, float]] = {}
    for comparison, level in specification.interactions:
        seen, expected = _pairs(connection, table, level, citizens)
        ratios.setdefault(comparison, {})[level.name] = (seen + 1) / (expected + 1)
    return Registry(citizens=citizens, ratios=ratios)


def _pairs(connection: duckdb.DuckDBPyConnection, table: str, level: Level, citizens: int) -> tuple[float, float]:
    """Ordered pairs of two citizens on the level: those there are, and those that independent columns would make.

    What ``apart`` takes away is expected in proportion to the last column of ``together``, which it may refine.
    """
    *others, last = level.together
    seen = _agreeing(connection, table, level.together, level.apart)
    expected = _agreeing(connection, table, (last,), level.apart)
    for column in others:
        expected *= _agreeing(connection, table, (column,), None) / citizens**2
    return seen, expected


def _agreeing(connection: duckdb.DuckDBPyConnection, table: str, columns: tuple[str, ...], apart: str | None) -> float:
    known = " AND ".join(f"{column} IS NOT NULL" for column in (*columns, *((apart,) if apart else ())))

    def pairs(of: tuple[str, ...]) -> float:
        [(found,)] = connection.execute(
            f"SELECT coalesce(sum(n * (n - 1)), 0)::DOUBLE FROM (SELECT count(*) AS n FROM {table}"
            f" WHERE {known} GROUP BY {', '.join(of)})"
        ).fetchall()
        return float(found)

    return pairs(columns) - (pairs((*columns, apart)) if apart else 0.0)
