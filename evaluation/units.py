"""Facilities and weeks whose doses are unlike all others of the run."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from evaluation.stability import DIFFERENT, chance_of_no_change, freedom, indices

FEWEST_DOSES = 100
MOST_SHOWN = 20
WRONGLY_NAMED = 0.05
"""Share of the aspects named that may be chance (false discovery rate)."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One value of an aspect: its share of the doses one compares with, and of those one asks about."""

    value: str
    reference: float
    run: float


@dataclass(frozen=True, slots=True)
class Departure:
    """One aspect of one unit against all other doses of the run; ``moved`` is the value that rose most."""

    aspect: str
    index: float
    moved: Moved


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit that stands out, and in what, the largest index first."""

    kind: str
    name: str
    doses: int
    departures: tuple[Departure, ...]


@dataclass(frozen=True, slots=True)
class Units:
    """Kind of unit → how many have enough doses to be looked at, how many stand out; and the worst of these.

    The worst have the largest product of index and doses.
    """

    looked_at: dict[str, int]
    standing_out: dict[str, int]
    worst: tuple[Unit, ...]


@dataclass(frozen=True, slots=True)
class _Counts:
    """Doses of each unit by value of an aspect, shape (units, values), and of the whole run, shape (values,)."""

    kind: str
    aspect: str
    units: NDArray[np.str_]
    values: list[str]
    doses: NDArray[np.float64]
    total: NDArray[np.float64]


def measure_units(
    connection: duckdb.DuckDBPyConnection,
    comparisons: Sequence[str],
    score_bins: Sequence[int],
    doses_each: float,
    kinds: Sequence[str],
) -> Units:
    """Compare each unit with the rest of the run, aspect by aspect.

    A unit stands out in an aspect when its population stability index is above ``DIFFERENT`` and that is not chance:
    the hypothesis is an index of that size, not of zero, and of all that are named at most ``WRONGLY_NAMED`` are
    wrong (Benjamini and Hochberg 1995, J. R. Stat. Soc. B 57(1), 289-300). See ``evaluation.stability``.

    Args:
        connection: has the table ``counts`` that ``linkage.reports.profile.count_doses`` selects.
        comparisons: the aspects beside ``decision`` and ``match_weight``.
        score_bins: the least whole bits of each bin of match weights, ascending.
        doses_each: doses of one person: so many count as one.
        kinds: of units in ``counts``.
    """
    found: list[tuple[_Counts, int, float, float]] = []
    looked_at: dict[str, int] = {}
    for kind in kinds:
        for aspect in ("decision", "match_weight", *comparisons):
            counts = _counted(connection, kind, aspect, score_bins)
            looked_at[kind] = max(looked_at.get(kind, 0), len(counts.units))
            found += _compared(counts, doses_each)
    chances = np.array([chance for *_, chance in found])
    stands = false_discovery_control(chances, method="bh") <= WRONGLY_NAMED if found else chances > 0
    grouped: dict[tuple[str, str], list[tuple[Departure, int]]] = {}
    for (counts, place, value, _), named in zip(found, stands, strict=True):
        if named:
            key = (counts.kind, str(counts.units[place]))
            grouped.setdefault(key, []).append((_departure(counts, place, value), int(counts.doses[place].sum())))
    units = [
        Unit(*key, max(doses for _, doses in parts), tuple(sorted((part for part, _ in parts), key=_by_index)))
        for key, parts in grouped.items()
    ]
    worst = sorted(units, key=lambda unit: (-unit.departures[0].index * unit.doses, unit.kind, unit.name))
    standing_out = {kind: sum(unit.kind == kind for unit in units) for kind in kinds}
    return Units(looked_at, standing_out, tuple(worst[:MOST_SHOWN]))


def _by_index(departure: Departure) -> tuple[float, str]:
    return -departure.index, departure.aspect


def _counted(connection: duckdb.DuckDBPyConnection, kind: str, aspect: str, score_bins: Sequence[int]) -> _Counts:
    """Doses by unit and value; units with too few are left out, and so are doses without a unit."""
    value = "coalesce(value, 'none')"
    if aspect == "match_weight":
        cases = " ".join(f"WHEN value::INTEGER >= {start:d} THEN '{start:d}'" for start in reversed(score_bins[1:]))
        lowest = f"'{score_bins[0]:d}'" if score_bins else "'none'"
        value = f"CASE WHEN value IS NULL THEN 'none' {cases} ELSE {lowest} END"
    having = "" if aspect in ("decision", "match_weight") else " AND value IS NOT NULL"
    counts = connection.execute(
        f"""
        WITH named AS (
          SELECT kind, unit, {value} AS value, sum(doses)::BIGINT AS doses FROM counts
          WHERE aspect = $aspect AND (kind IS NULL OR kind = $kind AND unit IS NOT NULL){having} GROUP BY ALL
        )
        SELECT coalesce(unit, '') AS unit, kind IS NULL AS every, value, doses FROM named
        QUALIFY kind IS NULL OR sum(doses) OVER (PARTITION BY kind, unit) >= {FEWEST_DOSES} ORDER BY every, unit, value
        """,
        {"kind": kind, "aspect": aspect},
    ).fetchnumpy()
    every, doses = np.asarray(counts["every"], dtype=bool), np.asarray(counts["doses"], dtype=float)
    values, rank = np.unique(np.asarray(counts["value"], dtype=str), return_inverse=True)
    units, place = np.unique(np.asarray(counts["unit"], dtype=str)[~every], return_inverse=True)
    table = np.zeros((len(units), len(values)))
    table[place, rank[~every]] = doses[~every]
    total = np.zeros(len(values))
    total[rank[every]] = doses[every]
    return _Counts(kind, aspect, units, [str(value) for value in values], table, total)


def _compared(counts: _Counts, doses_each: float) -> list[tuple[_Counts, int, float, float]]:
    """Each unit's place, its index against the others, and the chance of it without a departure worth a word."""
    others = counts.total - counts.doses
    inside, outside = counts.doses.sum(axis=1), others.sum(axis=1)
    values = indices(counts.doses, others)
    spread = doses_each * (1 / np.maximum(inside, 1) + 1 / np.maximum(outside, 1))
    chances = chance_of_no_change(values, spread, freedom(counts.doses, others), DIFFERENT)
    return [
        (counts, place, float(values[place]), float(chances[place])) for place in range(len(values)) if outside[place]
    ]


def _departure(counts: _Counts, place: int, value: float) -> Departure:
    inside, others = counts.doses[place], counts.total - counts.doses[place]
    now, before = inside / inside.sum(), others / others.sum()
    most = int(np.argmax(now - before))
    return Departure(counts.aspect, value, Moved(counts.values[most], float(before[most]), float(now[most])))
