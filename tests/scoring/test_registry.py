"""What a registry says about chance agreement: counted pair by pair, and the same in any order."""

import importlib
import math
from itertools import permutations

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from evaluation.splink_oracle import derive
from linkage.scoring import compared_tables, measure_registry
from models import Comparison, Level, Registry, Specification

HALVES = Comparison("half", "false", (Level("same", "half_l = half_r"), Level("other")), {})
TOGETHER = Comparison(
    "coincidence",
    "home_l IS NULL",
    (
        Level("near", "near AND home_l = home_r", together=("home", "born"), beside="near"),
        Level("far", "born_l = born_r", together=("home", "born"), apart="name"),
        Level("all", "true", together=("home", "name", "born"), mistaken="half.other"),
        Level("two", "true", together=("home", "name"), apart="born", mistaken="half.other"),
        Level("three", "true", together=("home", "name", "born"), beside="near", mistaken="half.other"),
        Level("one", "true", together=("born",)),
        Level("nothing_expected", "true", together=("code", "born")),
        Level("nothing_seen", "true", together=("couple", "half")),
        Level("none"),
    ),
    {"years": "abs(year_l - year_r)", "near": "years = 1"},
)
SMALL = Specification("small", {}, (), (HALVES, TOGETHER))
Row = dict[str, object]


def people(seed: int, size: int) -> list[Row]:
    """Homes hold people of like birth and name more often than chance; some values are missing."""
    generator = np.random.default_rng(seed)
    rows: list[Row] = []
    for place in range(size):
        home = int(generator.integers(size // 4))
        own = generator.random() < 0.5
        values: Row = {
            "home": f"home {home}",
            "born": int(home % 7 if own else generator.integers(7)),
            "name": f"name {home % 5 if own else generator.integers(5)}",
            "year": int(generator.integers(6)),
        }
        missing = {name: None for name in values if generator.random() < 0.1}
        rows.append({**values, **missing, "half": place % 2, "couple": place // 2, "code": place})
    return rows


def measure(rows: list[Row], order: int | None = None) -> Registry:
    """The registry of these people; with ``order`` they stand in another one."""
    if order is not None:
        rows = [rows[place] for place in np.random.default_rng(order).permutation(len(rows))]
    table = pa.Table.from_pylist([{"key": key, **row} for key, row in enumerate(rows)])
    with duckdb.connect() as connection:
        connection.register("citizens_compared", table)
        return measure_registry(connection, SMALL)


def near(one: Row, other: Row) -> bool:
    years = one["year"], other["year"]
    return None not in years and abs(int(str(years[0])) - int(str(years[1]))) == 1


def counted(rows: list[Row], level: Level) -> float:
    """The ratio of one level, pair by pair."""
    pairs = list(permutations(rows, 2))

    def agree(columns: tuple[str, ...], apart: str | None = None) -> int:
        return sum(
            all(one[column] is not None and one[column] == other[column] for column in columns)
            and (apart is None or (None not in (one[apart], other[apart]) and one[apart] != other[apart]))
            for one, other in pairs
        )

    *others, last = level.together
    seen, expected = float(agree(level.together, level.apart)), float(agree((last,), level.apart))
    for column in others:
        expected *= agree((column,)) / len(rows) ** 2
    if level.beside:
        seen = sum(near(*pair) for pair in pairs if all(pair[0][c] == pair[1][c] is not None for c in level.together))
        expected *= sum(near(*pair) for pair in pairs) / len(pairs)
    if not expected:
        return 1.0
    return seen / expected if seen else min(1.0, math.log(2) / expected)


@pytest.mark.parametrize("seed", range(2))
def test_ratios_are_those_of_all_pairs_counted_one_by_one(seed: int) -> None:
    rows = people(seed, 200)
    registry = measure(rows)
    assert registry.citizens == 200
    levels = {level.name: level for level in TOGETHER.levels if level.together}
    assert set(registry.ratios["coincidence"]) == set(levels)
    for name, level in levels.items():
        # of `beside` the share is that of random pairs
        exact = 0.15 if level.beside else 1e-9
        assert registry.ratios["coincidence"][name] == pytest.approx(counted(rows, level), rel=exact), name
    assert registry.ratios["coincidence"]["near"] > 2
    assert registry.ratios["coincidence"]["one"] == 1
    assert registry.ratios["coincidence"]["nothing_expected"] == 1
    assert registry.ratios["coincidence"]["nothing_seen"] < 0.01


@pytest.mark.parametrize("seed", range(2))
def test_without_the_last_column_the_ratio_is_that_of_the_others(seed: int) -> None:
    rows = people(seed, 200)
    registry = measure(rows)
    found = registry.ratios_without_last["coincidence"]
    assert found["all"] == pytest.approx(counted(rows, Level("", together=("home", "name"))), rel=1e-9)
    assert found["two"] == 1
    beside = counted(rows, Level("", together=("home", "name"), beside="near"))
    assert found["three"] == pytest.approx(beside, rel=0.15)
    assert set(found) == {"all", "two", "three"}


@pytest.mark.parametrize("drawn", [100, 400_000])
def test_the_order_of_citizens_changes_no_ratio(drawn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("linkage.scoring.registry"), "_RANDOM_CITIZENS", drawn)
    rows = people(4, 500)
    registry = measure(rows)
    assert all(measure(rows, order=order) == registry for order in range(5))


def test_random_pairs_are_drawn_from_a_large_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("linkage.scoring.registry")
    rows = people(5, 4000)
    # years lie apart as they would in a file sorted by year
    rows.sort(key=lambda row: str(row["year"]))
    whole = measure(rows).ratios["coincidence"]
    monkeypatch.setattr(module, "_RANDOM_CITIZENS", 1000)
    drawn = measure(rows).ratios["coincidence"]
    assert drawn["near"] != whole["near"]
    assert drawn["near"] == pytest.approx(whole["near"], rel=0.12)
    assert {name: ratio for name, ratio in drawn.items() if name not in ("near", "three")} == {
        name: ratio for name, ratio in whole.items() if name not in ("near", "three")
    }


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_tiny_registry_has_ratios_too(size: int) -> None:
    registry = measure([{**row, "home": "one", "year": None} for row in people(6, 8)[:size]])
    numbers = [*registry.ratios["coincidence"].values(), *registry.ratios_without_last["coincidence"].values()]
    assert all(0 < number < math.inf for number in numbers)
    assert registry.citizens == size


def test_the_shipped_interactions_are_measured_exactly(
    connection: duckdb.DuckDBPyConnection, specification: Specification
) -> None:
    compared_tables(connection, specification)
    registry = measure_registry(connection, specification)
    derive(connection, specification)
    assert measure_registry(connection, specification, "citizens_derived") == registry
    assert registry.citizens == 2000
    connection.execute("CREATE TABLE counted AS FROM citizens_compared")

    def pairs(*conditions: str) -> int:
        on = " AND ".join(("l.key <> r.key", *conditions))
        [(found,)] = connection.execute(f"SELECT count(*) FROM counted AS l JOIN counted AS r ON {on}").fetchall()
        return int(found)

    positive = 0
    for comparison, level in specification.interactions:
        apart = [f"l.{level.apart} <> r.{level.apart}"] if level.apart else []
        *others, last = (f"l.{column} = r.{column}" for column in level.together)
        seen, expected = pairs(*others, last, *apart), float(pairs(last, *apart))
        for other in others:
            expected *= pairs(other) / 2000**2
        if seen and not level.beside:
            positive += 1
            assert registry.ratios[comparison][level.name] == pytest.approx(seen / expected, rel=1e-9), level.name
    assert positive > 5
