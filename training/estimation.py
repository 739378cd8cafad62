"""m and u of every level, from labelled pairs, random pairs and the registry's frequencies."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from linkage.scoring import compile_levels, level_column, pair_columns, with_steps
from models import Comparison, LevelParameters, Specification

REACH_PAIRS = 100_000
"""Pairs drawn for each frequency column to see how often a level reaches them."""

PSEUDO_COUNT = 1.0
"""Dirichlet prior of the levels of one comparison: this many pairs, spread evenly (Gelman et al. 2013, section 3.4)."""


def levels_of(
    connection: duckdb.DuckDBPyConnection, specification: Specification, pairs: str, of: Sequence[Comparison] = ()
) -> dict[str, NDArray[np.uint8]]:
    """The level of each pair on each comparison, 0 for missing: comparison → shape (pairs,), by ascending ``number``.

    Args:
        connection: holds ``doses_compared`` and ``citizens_compared``.
        specification: what is compared.
        pairs: a relation with ``number``, ``dose_key`` and ``citizen_key``.
        of: these comparisons alone; else all.
    """
    of = of or specification.comparisons
    columns = ", ".join(level_column(comparison) for comparison in of)
    joined = (
        f"SELECT p.number, {pair_columns(specification)} FROM {pairs} AS p "
        "JOIN doses_compared AS l ON l.key = p.dose_key JOIN citizens_compared AS r ON r.key = p.citizen_key"
    )
    steps = compile_levels(specification, ("number",))
    sql = f"{with_steps(joined, steps)} SELECT {columns} FROM levels ORDER BY number"
    found = connection.execute(sql).fetchnumpy()
    return {c.name: np.asarray(found[level_column(c)], dtype=np.uint8) for c in of}


def random_pairs(connection: duckdb.DuckDBPyConnection, pairs: int, seed: int) -> None:
    """Make ``random_pairs``: that many doses, each with a citizen drawn at random; the same for the same seed."""
    doses, citizens = (
        connection.execute(f"SELECT key FROM {table} ORDER BY key").fetchnumpy()["key"]
        for table in ("doses_compared", "citizens_compared")
    )
    generator = np.random.default_rng(seed)
    drawn = {
        "number": np.arange(pairs),
        "dose_key": np.asarray(doses)[generator.integers(len(doses), size=pairs)],
        "citizen_key": np.asarray(citizens)[generator.integers(len(citizens), size=pairs)],
    }
    connection.register("drawn", drawn)
    connection.execute("CREATE TABLE random_pairs AS FROM drawn")
    connection.unregister("drawn")


def same_value_shares(connection: duckdb.DuckDBPyConnection, specification: Specification) -> dict[str, float]:
    """Σp² of each frequency column: the probability that two random citizens agree on it, exactly."""
    shares = {}
    for column in specification.frequency_columns:
        # whole numbers: a sum of fractions differs with the order of its parts
        [(share,)] = connection.execute(
            f"SELECT coalesce(sum(n * n), 0) / (SELECT count(*) FROM citizens_compared) ** 2"
            f" FROM (SELECT count(*) AS n FROM citizens_compared WHERE {column} IS NOT NULL GROUP BY {column})"
        ).fetchall()
        shares[column] = float(share)
    return shares


def estimate(
    comparison: Comparison,
    levels: NDArray[np.uint8],
    is_match: NDArray[np.bool_],
    weights: NDArray[np.float64],
    random_levels: NDArray[np.uint8],
    *,
    absent: NDArray[np.bool_],
    same_value: Mapping[str, float],
    reach: Mapping[str, float],
    hard_negatives: float,
    citizens: int,
) -> dict[str, LevelParameters]:
    """M and u of the levels of one comparison, missing pairs left out.

    m is the weighted share of the matches on the level, with ``PSEUDO_COUNT``. u is that of two strata of the
    citizens who are not the dose's own: the ``hard_negatives`` per dose that labels stand for (relatives, namesakes),
    and all others, whom random pairs stand for. Of a level with a frequency u is Σp² times its reach, of a unique one
    1/N, of an absent one its share of the labelled pairs of doses without a match. An agreeing value is never more
    evidence than its frequency: reach is at least m.

    Args:
        comparison: the comparison.
        levels: shape (labelled pairs,).
        is_match: shape (labelled pairs,).
        absent: shape (labelled pairs,), whether the labels name no citizen of the dose.
        weights: shape (labelled pairs,), 1 ÷ sampling probability.
        random_levels: shape (random pairs,).
        same_value: Σp² by frequency column.
        reach: by level with a frequency, as ``reaches`` finds it.
        hard_negatives: labelled non-matches per dose, weighted.
        citizens: number of citizens.
    """
    weights = weights / weights.mean()
    count = len(comparison.levels)
    positives = _counts(levels[is_match], weights[is_match], count)
    negatives = _counts(levels[~is_match], weights[~is_match], count)
    strangers = _counts(random_levels, np.ones(len(random_levels)), count)
    m = _share(positives)
    near = min(hard_negatives / citizens, 1.0)
    u = near * _share(negatives) + (1 - near) * _share(strangers)
    found = {}
    for place, level in enumerate(comparison.levels):
        share, within = float(u[place]), 1.0
        if level.frequency:
            within = max(reach[level.name], float(m[place]))
            share = max(same_value[level.frequency], 1 / citizens**2) * within
        elif level.unique:
            share = 1 / citizens
        elif level.absent:
            share = float(_share(_counts(levels[absent], weights[absent], count))[place])
        found[level.name] = LevelParameters(
            m=float(m[place]),
            u=share,
            positives=float(positives[place]),
            negatives=float(negatives[place]),
            reach=within,
        )
    return found


def reaches(
    connection: duckdb.DuckDBPyConnection,
    specification: Specification,
    known: Mapping[str, NDArray[Any]],
    seed: int,
) -> dict[str, dict[str, float]]:
    """Of a dose and another citizen with the same value of a frequency column, the share on each of its levels.

    ``REACH_PAIRS`` such pairs a column are drawn, each dose's citizens alike, and weighted by how many there are.
    With no such pair a level's reach is 1, the cautious end.

    Args:
        connection: holds ``doses_compared`` and ``citizens_compared``.
        specification: what is compared.
        known: columns ``dose_key``, ``citizen_key`` (the dose's own) and ``weight`` (1 ÷ sampling probability).
        seed: of the draw.

    Returns:
        Comparison → level → share, for levels with a frequency.
    """
    found: dict[str, dict[str, float]] = {}
    for column in specification.frequency_columns:
        drawn = _same_value_pairs(connection, column, known, seed)
        for comparison in specification.comparisons:
            places = {place: level for place, level in enumerate(comparison.levels, 1) if level.frequency == column}
            if not places:
                continue
            levels = levels_of(connection, specification, "same_value_pairs", (comparison,))[comparison.name]
            total = drawn[levels > 0].sum()
            for place, level in places.items():
                share = float((drawn[levels == place].sum() + 1) / (total + 1))
                found.setdefault(comparison.name, {})[level.name] = share
    connection.execute("DROP TABLE IF EXISTS same_value_pairs")
    return found


def _same_value_pairs(
    connection: duckdb.DuckDBPyConnection, column: str, known: Mapping[str, NDArray[Any]], seed: int
) -> NDArray[np.float64]:
    """Make ``same_value_pairs`` (``number``, ``dose_key``, ``citizen_key``); their weights, 1 on average."""
    known_values = f"FROM citizens_compared WHERE {column} IS NOT NULL"
    by_value = connection.execute(f"SELECT key {known_values} ORDER BY {column}, key").fetchnumpy()
    citizens = np.asarray(by_value["key"])
    connection.register("known", {"place": np.arange(len(known["dose_key"])), "dose_key": known["dose_key"]})
    blocks = connection.execute(
        "SELECT known.place, same.first, same.size FROM known JOIN doses_compared AS l ON l.key = known.dose_key"
        " JOIN (SELECT value, size, sum(size) OVER (ORDER BY value) - size AS first"
        f" FROM (SELECT {column} AS value, count(*) AS size {known_values} GROUP BY {column})) AS same"
        f" ON same.value = l.{column} ORDER BY known.place"
    ).fetchnumpy()
    connection.unregister("known")
    count = max(1, REACH_PAIRS // max(1, len(blocks["place"])))
    place, first, size = (
        np.repeat(np.asarray(blocks[name], dtype=np.int64), count) for name in ("place", "first", "size")
    )
    drawn = citizens[first + (np.random.default_rng(seed).random(len(size)) * size).astype(np.int64)]
    other = drawn != np.asarray(known["citizen_key"])[place]
    place, size, drawn = place[other], size[other], drawn[other]
    pairs = {
        "number": np.arange(len(place)),
        "dose_key": np.asarray(known["dose_key"])[place],
        "citizen_key": drawn,
    }
    connection.register("drawn", pairs)
    connection.execute("CREATE OR REPLACE TABLE same_value_pairs AS FROM drawn")
    connection.unregister("drawn")
    weight: NDArray[np.float64] = np.asarray(known["weight"], dtype=np.float64)[place] * size
    return weight / weight.mean() if len(weight) else weight


def _counts(levels: NDArray[np.uint8], weights: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    counts: NDArray[np.float64] = np.bincount(levels, weights, count + 1)[1:].astype(np.float64)
    return counts


def _share(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = (counts + PSEUDO_COUNT / len(counts)) / (counts.sum() + PSEUDO_COUNT)
    return shares
