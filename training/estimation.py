"""m and u of every level, from labelled pairs, random pairs and the registry's frequencies."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from linkage.scoring import compile_levels, level_column, pair_columns, with_steps
from models import Comparison, LevelParameters, Specification
from training.shares import Seen, Share, count_levels

REACH_PAIRS = 100_000
"""Pairs drawn for each frequency column to see how often a level reaches them."""

PSEUDO_COUNT = 1.0
"""Dirichlet prior of the levels of one comparison: this many pairs, spread evenly but for what ``estimate`` says."""


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
    """Make ``random_pairs``: that many of ``random_doses``, each with a citizen drawn at random.

    The same for the same seed, in whatever order the rows of the files stood: their identifiers make the order here.
    """
    # the doses with labels are drawn by kind, and not like all
    doses, citizens = (
        connection.execute(f"SELECT key FROM {keys} JOIN {table} USING (key) ORDER BY {identifier}").fetchnumpy()["key"]
        for keys, table, identifier in (
            ("random_doses", "doses", "dose_id"),
            ("citizens_compared", "citizens", "citizen_id"),
        )
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
    levels: NDArray[np.integer[Any]],
    is_match: NDArray[np.bool_],
    weights: NDArray[np.float64],
    strangers: Seen,
    *,
    absent: NDArray[np.bool_],
    same_value: Mapping[str, float],
    reach: Mapping[str, Share],
    hard_negatives: float,
    citizens: int,
    persons: NDArray[Any] | None = None,
    pseudo_count: float = PSEUDO_COUNT,
) -> dict[str, LevelParameters]:
    """M and u of the levels of one comparison with 95 % intervals, missing pairs left out.

    m is the weighted share of the matches on the level; to those seen a Dirichlet prior adds ``pseudo_count`` pairs,
    spread evenly over the levels. A level that no match was seen on gets less, so that its m is at most its u: what no
    match has shown is never evidence for one, and evidence against one only as far as the matches prove it, by the
    prior where strangers are seen there, and not at all where they are as rare. With no match at all m is u.

    u is that of two strata of the citizens who are not the dose's own: the ``hard_negatives`` per dose that labels
    stand for (relatives, namesakes), and all others, whom random pairs stand for; each with the same even prior. Of a
    level with a frequency u is Σp² times its reach, of a unique one 1/N exactly, of an absent one its share of the
    labelled pairs of doses without a match. An agreeing value is never more evidence than its frequency: reach is at
    least m.

    Intervals are those of ``count_levels``; that of a weight is of m over u, and with a frequency of m over reach, at
    the average of its values. Of a level without a match, m has the lower end 0, and the weight one ``NO_END`` bits
    under it. Rounded to six digits.

    Args:
        comparison: the comparison.
        levels: shape (labelled pairs,).
        is_match: shape (labelled pairs,).
        absent: shape (labelled pairs,), whether the labels name no citizen of the dose.
        weights: shape (labelled pairs,), 1 ÷ sampling probability; only their ratios count.
        strangers: levels of the random pairs, counted.
        same_value: Σp² by frequency column.
        reach: by level with a frequency, as ``reaches`` finds it.
        hard_negatives: labelled non-matches per dose, weighted.
        citizens: number of citizens.
        persons: of each labelled pair; what one person's doses have alike makes intervals wider.
        pseudo_count: pairs that the prior is worth.
    """
    count = len(comparison.levels)

    def seen(pairs: NDArray[np.bool_]) -> Seen:
        return count_levels(levels[pairs], count, weights[pairs], None if persons is None else persons[pairs])

    matches, others, without = seen(is_match), seen(~is_match), seen(absent)
    near = min(hard_negatives / citizens, 1.0)
    mixed = [
        share.times(near).plus(far.times(1 - near))
        for share, far in zip(others.smoothed(pseudo_count), strangers.smoothed(pseudo_count), strict=True)
    ]
    same = {name: max(share, 1 / citizens**2) for name, share in same_value.items()}
    by_chance = [
        reach[level.name].times(same[level.frequency])
        if level.frequency
        else Share.exact(1 / citizens)
        if level.unique
        else alone
        if level.absent
        else share
        for level, share, alone in zip(comparison.levels, mixed, without.smoothed(pseudo_count), strict=True)
    ]
    of_matches, prior = _of_matches(matches, [share.estimate for share in by_chance], pseudo_count)
    found = {}
    for place, (level, m, u) in enumerate(zip(comparison.levels, of_matches, by_chance, strict=True)):
        within, share, weight = 1.0, u.estimate, m.bits_over(u)
        if level.frequency:
            within = max(reach[level.name].estimate, m.estimate)
            share = same[level.frequency] * within
            weight = weight.at_most(-math.log2(same[level.frequency]))
        found[level.name] = LevelParameters(
            m=m.estimate,
            u=share,
            positives=matches.weighted(place),
            negatives=others.weighted(place),
            reach=within,
            prior=float(prior[place]),
            m_interval=m.interval,
            u_interval=Share(share, min(u.low, share), max(u.high, share)).interval,
            weight_interval=weight.interval,
        )
    return found


def _of_matches(
    matches: Seen, by_chance: Sequence[float], pseudo_count: float
) -> tuple[list[Share], NDArray[np.float64]]:
    """M of each level, and the matches that the prior adds."""
    even, u = pseudo_count / len(by_chance), np.array(by_chance)
    if matches.pairs:
        prior = np.where(matches.counts > 0, even, np.minimum(even, u * matches.size))
        m = (matches.counts + prior) / (matches.size + prior.sum())
    else:
        prior = u * pseudo_count
        m = u
    # a level that every pair is on is as sure as a number can say
    m = np.minimum(m, np.nextafter(1, 0))
    ends = zip(m, matches.low, matches.high, strict=True)
    return [Share(*(float(end) for end in (share, min(low, share), high))) for share, low, high in ends], prior


def reaches(
    connection: duckdb.DuckDBPyConnection,
    specification: Specification,
    known: Mapping[str, NDArray[Any]],
    seed: int,
) -> dict[str, dict[str, Share]]:
    """Of a dose and another citizen with the same value of a frequency column, the share on each of its levels.

    ``REACH_PAIRS`` such pairs a column are drawn, each dose's citizens alike, and weighted by how many there are. The
    prior is one pair on the level, the cautious end: with no pair drawn its reach is 1. Intervals are between doses.

    Args:
        connection: holds ``doses``, ``citizens``, ``doses_compared`` and ``citizens_compared``.
        specification: what is compared.
        known: columns ``dose_key``, ``citizen_key`` (the dose's own) and ``weight`` (1 ÷ sampling probability).
        seed: of the draw.

    Returns:
        Comparison → level → share, for levels with a frequency.
    """
    found: dict[str, dict[str, Share]] = {}
    known = _by_identifiers(connection, known)
    for column in specification.frequency_columns:
        doses, drawn = _same_value_pairs(connection, column, known, seed)
        for comparison in specification.comparisons:
            places = {place: level for place, level in enumerate(comparison.levels, 1) if level.frequency == column}
            if not places:
                continue
            levels = levels_of(connection, specification, "same_value_pairs", (comparison,))[comparison.name]
            seen = count_levels(levels, len(comparison.levels), drawn, doses)
            total = drawn[levels > 0].sum()
            for place, level in places.items():
                share = float((drawn[levels == place].sum() + 1) / (total + 1))
                ends = float(seen.low[place - 1]), max(float(seen.high[place - 1]), share)
                found.setdefault(comparison.name, {})[level.name] = Share(share, *ends)
    connection.execute("DROP TABLE IF EXISTS same_value_pairs")
    return found


def _same_value_pairs(
    connection: duckdb.DuckDBPyConnection, column: str, known: Mapping[str, NDArray[Any]], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Make ``same_value_pairs`` (``number``, ``dose_key``, ``citizen_key``).

    Returns:
        Of each pair, its dose's place in ``known``, and its weight, 1 on average.
    """
    known_values = f"FROM citizens_compared WHERE {column} IS NOT NULL"
    by_value = connection.execute(
        f"SELECT key FROM (SELECT key, {column} AS value {known_values}) AS known"
        " JOIN citizens USING (key) ORDER BY known.value, citizens.citizen_id"
    ).fetchnumpy()
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
    return place, weight / weight.mean() if len(weight) else weight


def _by_identifiers(
    connection: duckdb.DuckDBPyConnection, known: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """The same rows in an order that does not come from that of the files."""
    keys = {name: np.asarray(known[name]) for name in ("dose_key", "citizen_key")}
    connection.register("known", keys | {"place": np.arange(len(keys["dose_key"]))})
    order = connection.execute(
        "SELECT place FROM known JOIN doses ON doses.key = dose_key JOIN citizens ON citizens.key = citizen_key"
        " ORDER BY dose_id, citizen_id"
    ).fetchnumpy()["place"]
    connection.unregister("known")
    return {name: np.asarray(values)[order] for name, values in known.items()}
