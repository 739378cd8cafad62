"""m and u of every level, from labelled pairs, random pairs and the registry's frequencies."""

from collections.abc import Mapping

import duckdb
import numpy as np
from numpy.typing import NDArray

from linkage.scoring import compile_levels, level_column, pair_columns, with_steps
from models import Comparison, LevelParameters, Specification

PSEUDO_COUNT = 1.0
"""Dirichlet prior of the levels of one comparison: this many pairs, spread evenly (Gelman et al. 2013, section 3.4)."""


def levels_of(
    connection: duckdb.DuckDBPyConnection, specification: Specification, pairs: str
) -> dict[str, NDArray[np.uint8]]:
    """The level of each pair on each comparison, 0 for missing: comparison → shape (pairs,), by ascending ``number``.

    Args:
        connection: holds ``doses_compared`` and ``citizens_compared``.
        specification: what is compared.
        pairs: a relation with ``number``, ``dose_key`` and ``citizen_key``.
    """
    columns = ", ".join(level_column(comparison) for comparison in specification.comparisons)
    joined = (
        f"SELECT p.number, {pair_columns(specification)} FROM {pairs} AS p "
        "JOIN doses_compared AS l ON l.key = p.dose_key JOIN citizens_compared AS r ON r.key = p.citizen_key"
    )
    steps = compile_levels(specification, ("number",))
    sql = f"{with_steps(joined, steps)} SELECT {columns} FROM levels ORDER BY number"
    found = connection.execute(sql).fetchnumpy()
    return {c.name: np.asarray(found[level_column(c)], dtype=np.uint8) for c in specification.comparisons}


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
        [(share,)] = connection.execute(
            f"SELECT coalesce(sum(frequency_{column}), 0) / count(*) FROM citizens_compared"
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
    same_value: Mapping[str, float],
    hard_negatives: float,
    citizens: int,
) -> dict[str, LevelParameters]:
    """M and u of the levels of one comparison, missing pairs left out.

    m is the weighted share of the matches on the level, with ``PSEUDO_COUNT``. u is that of two strata of the
    citizens who are not the dose's own: the ``hard_negatives`` per dose that labels stand for (relatives, namesakes),
    and all others, whom random pairs stand for. Of a level with a frequency u is Σp², of a unique one 1/N.

    Args:
        comparison: the comparison.
        levels: shape (labelled pairs,).
        is_match: shape (labelled pairs,).
        weights: shape (labelled pairs,), 1 ÷ sampling probability.
        random_levels: shape (random pairs,).
        same_value: Σp² by frequency column.
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
        share = float(u[place])
        if level.frequency:
            share = max(same_value[level.frequency], 1 / citizens**2)
        elif level.unique:
            share = 1 / citizens
        found[level.name] = LevelParameters(
            m=float(m[place]), u=share, positives=float(positives[place]), negatives=float(negatives[place])
        )
    return found


def _counts(levels: NDArray[np.uint8], weights: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    counts: NDArray[np.float64] = np.bincount(levels, weights, count + 1)[1:].astype(np.float64)
    return counts


def _share(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = (counts + PSEUDO_COUNT / len(counts)) / (counts.sum() + PSEUDO_COUNT)
    return shares
