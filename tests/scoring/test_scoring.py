"""Match weights: those of Splink, each pair once, and the same however the work is cut."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pytest

from evaluation.splink_oracle import derive, splink_match_weights
from linkage.blocking import BlockingPlan, Budget, plan_blocking
from linkage.scoring import bits_column, compared_tables, compile_scoring, level_column, measure_registry
from linkage.standardise import standardise
from linkage.tables import CITIZENS, DOSES, read_table
from models import Model, Registry, Specification

EVERYTHING = Budget(pairs_per_dose=1e9, citizens_per_block=10**9)
ALL_DOSES = {"first": 0, "last": 10**9}
WEAKEST = -1000.0
Random = Callable[..., Model]


class Blocked(NamedTuple):
    registry: Registry
    plan: BlockingPlan


def block(connection: duckdb.DuckDBPyConnection, specification: Specification) -> Blocked:
    compared_tables(connection, specification)
    plan = plan_blocking(connection, specification, EVERYTHING)
    return Blocked(measure_registry(connection, specification), plan)


def score(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    blocked: Blocked,
    name: str = "scored",
    bounds: dict[str, int] | None = None,
) -> str:
    statement = compile_scoring(model, blocked.registry, blocked.plan, WEAKEST)
    connection.execute(f"CREATE OR REPLACE TABLE {name} AS {statement}", bounds or ALL_DOSES)
    return name


def one(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    [(found,)] = connection.execute(sql).fetchall()
    return int(found)


def assert_equal_to_splink(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    blocked = block(connection, model.specification)
    score(connection, model, blocked)
    derive(connection, model.specification)
    oracle = splink_match_weights(connection, model, blocked.registry, WEAKEST)
    pairs, common, different = connection.execute(f"""
        SELECT count(*), count(s.match_weight) FILTER (o.match_weight IS NOT NULL),
          count(*) FILTER (abs(s.match_weight - o.match_weight) > 1e-9 * greatest(1, abs(o.match_weight)))
        FROM scored AS s FULL JOIN {oracle} AS o USING (dose_key, citizen_key)
    """).fetchall()[0]
    assert pairs > 4000
    assert common == pairs
    assert different == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_match_weights_are_those_of_splink(
    connection: duckdb.DuckDBPyConnection, specification: Specification, random_model: Random, seed: int
) -> None:
    assert_equal_to_splink(connection, random_model(specification, seed))


def test_match_weights_of_a_trained_model_are_those_of_splink(
    connection: duckdb.DuckDBPyConnection, trained_folder: Path
) -> None:
    assert_equal_to_splink(connection, Model.read(trained_folder))


def test_the_pairs_are_those_of_the_rules_each_under_its_first_rule_and_once(
    connection: duckdb.DuckDBPyConnection, specification: Specification, random_model: Random
) -> None:
    blocked = block(connection, specification)
    derive(connection, specification)
    score(connection, random_model(specification, 1), blocked, bounds={"first": 0, "last": 199})
    whens = []
    for number, rule in enumerate(specification.blocking):
        if rule.any_of:
            test = f"list_has_any(l.{rule.on[0]}, r.{rule.on[0]})"
        else:
            test = " AND ".join(f"l.{column} = r.{column}" for column in rule.on)
        whens.append(f"WHEN {test} THEN {number}")
    connection.execute(f"""
        CREATE TABLE expected AS SELECT l.key AS dose_key, r.key AS citizen_key, CASE {" ".join(whens)} END AS rule
        FROM (FROM doses_derived WHERE key <= 199) AS l, citizens_derived AS r WHERE rule IS NOT NULL
    """)
    columns = "dose_key, citizen_key, rule"
    assert one(connection, "SELECT count(*) FROM expected") > 200
    assert one(connection, "SELECT count(DISTINCT rule) FROM expected") > 5
    # EXCEPT ALL counts: a pair scored twice stays over
    assert (
        one(
            connection, f"SELECT count(*) FROM (SELECT {columns} FROM scored EXCEPT ALL SELECT {columns} FROM expected)"
        )
        == 0
    )
    assert (
        one(
            connection, f"SELECT count(*) FROM (SELECT {columns} FROM expected EXCEPT ALL SELECT {columns} FROM scored)"
        )
        == 0
    )


def test_every_pair_stands_once(
    connection: duckdb.DuckDBPyConnection, specification: Specification, random_model: Random
) -> None:
    score(connection, random_model(specification, 1), block(connection, specification))
    pairs = "SELECT count(*) FROM (SELECT DISTINCT dose_key, citizen_key FROM scored)"
    assert one(connection, "SELECT count(*) FROM scored") == one(connection, pairs)


@pytest.mark.parametrize(
    ("typed", "previous"),
    [
        ("003056000001", "003056000001"),
        ("012345671", "012345671;012345671"),
        ("003056000001 / 012345671", "012345671"),
        ("012345671 / 012345672", "012345672;012345671"),
    ],
)
def test_a_pair_stands_once_whatever_numbers_are_repeated(
    tmp_path: Path, specification: Specification, random_model: Random, typed: str, previous: str
) -> None:
    (tmp_path / "doses.csv").write_text(f"dose_id,full_name,national_id\nD1,Lê Văn An,{typed}\n", encoding="utf-8")
    (tmp_path / "citizens.csv").write_text(
        f"citizen_id,full_name,previous_ids\n003056000001,Lê Văn An,{previous}\n", encoding="utf-8"
    )
    with duckdb.connect() as connection:
        read_table(connection, DOSES, str(tmp_path / "doses.csv"))
        read_table(connection, CITIZENS, str(tmp_path / "citizens.csv"))
        standardise(connection, {"doses": "doses_standardised", "citizens": "citizens_standardised"})
        score(connection, random_model(specification, 1), block(connection, specification))
        assert connection.execute("SELECT dose_key, citizen_key FROM scored").fetchall() == [(0, 0)]


def test_match_weight_is_the_prior_and_the_bits_of_the_comparisons(
    connection: duckdb.DuckDBPyConnection, specification: Specification, random_model: Random
) -> None:
    model = random_model(specification, 4)
    blocked = block(connection, specification)
    score(connection, model, blocked, bounds={"first": 0, "last": 499})
    bits = [bits_column(comparison) for comparison in specification.comparisons]
    rows = connection.execute(f"SELECT match_weight, {', '.join(bits)} FROM scored").fetchnumpy()
    total = model.prior_bits(blocked.registry.citizens) + np.sum([rows[column] for column in bits], axis=0)
    assert len(total) > 500
    np.testing.assert_allclose(rows["match_weight"], total, rtol=0, atol=1e-9)


@pytest.mark.parametrize("side", ["doses", "citizens"])
def test_missing_on_either_side_gives_no_bits(
    connection: duckdb.DuckDBPyConnection, specification: Specification, random_model: Random, side: str
) -> None:
    blocked = block(connection, specification)
    model = random_model(specification, 5)
    score(connection, model, blocked, bounds={"first": 0, "last": 199})
    lists = {"all_ids", "former_ids"}
    found = {row[0] for row in connection.execute(f"DESCRIBE {side}_compared").fetchall()}
    columns = [column for column in specification.compared_columns if column in found]
    emptied = ", ".join(f"{'[]' if column in lists else 'NULL'} AS {column}" for column in columns)
    connection.execute(f"CREATE TEMP TABLE emptied AS SELECT * REPLACE ({emptied}) FROM {side}_compared")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {side}_compared AS FROM emptied")
    score(connection, model, blocked, "without", {"first": 0, "last": 199})
    assert one(connection, "SELECT count(*) FROM without") == one(connection, "SELECT count(*) FROM scored") > 200
    for comparison in specification.comparisons:
        level, bits = level_column(comparison), bits_column(comparison)
        if re.search(rf"_{'l' if side == 'doses' else 'r'}\b", comparison.missing):
            assert one(connection, f"SELECT count(*) FROM without WHERE {level} <> 0 OR {bits} <> 0") == 0
        else:
            # nobody is said to be dead
            assert (side, comparison.name) == ("citizens", "life")
            alive = [each.name for each in comparison.levels].index("alive") + 1
            assert one(connection, f"SELECT count(*) FROM without WHERE {level} NOT IN (0, {alive})") == 0
        assert one(connection, f"SELECT count(*) FROM scored WHERE {level} = 0 AND {bits} <> 0") == 0
        assert one(connection, f"SELECT count(*) FROM scored WHERE {bits} <> 0") > 0, comparison.name


def test_scores_do_not_depend_on_partitions(
    connection: duckdb.DuckDBPyConnection, specification: Specification, random_model: Random
) -> None:
    blocked = block(connection, specification)
    model = random_model(specification, 6)
    score(connection, model, blocked)
    cuts = [0, 1, 700, 701, 2500, 10**9]
    for number, (first, end) in enumerate(pairwise(cuts)):
        score(connection, model, blocked, f"part_{number}", {"first": first, "last": end - 1})
    parts = " UNION ALL ".join(f"FROM part_{number}" for number in range(len(cuts) - 1))
    assert one(connection, f"SELECT count(*) FROM (FROM scored EXCEPT ALL ({parts}))") == 0
    assert one(connection, f"SELECT count(*) FROM (({parts}) EXCEPT ALL FROM scored)") == 0


def test_scores_do_not_depend_on_row_order(
    connection: duckdb.DuckDBPyConnection, specification: Specification, random_model: Random
) -> None:
    model = random_model(specification, 7)
    score(connection, model, block(connection, specification))
    for side in ("doses", "citizens"):
        connection.execute(
            f"CREATE OR REPLACE VIEW {side}_standardised AS SELECT * REPLACE (9999 - key AS key) "
            f"FROM base.{side}_standardised ORDER BY key DESC"
        )
    score(connection, model, block(connection, specification), "reversed")
    same = (
        "FROM scored AS s JOIN reversed AS r ON 9999 - s.dose_key = r.dose_key AND 9999 - s.citizen_key = r.citizen_key"
        " WHERE s.match_weight = r.match_weight AND s.rule = r.rule"
    )
    pairs = one(connection, "SELECT count(*) FROM scored")
    assert one(connection, "SELECT count(*) FROM reversed") == pairs
    assert one(connection, f"SELECT count(*) {same}") == pairs


def test_weak_pairs_are_left_out(
    connection: duckdb.DuckDBPyConnection, specification: Specification, random_model: Random
) -> None:
    blocked = block(connection, specification)
    model = random_model(specification, 8)
    score(connection, model, blocked)
    statement = compile_scoring(model, blocked.registry, blocked.plan, 3.5)
    strong = one(connection, "SELECT count(*) FROM scored WHERE match_weight > 3.5")
    assert 0 < strong < one(connection, "SELECT count(*) FROM scored")
    connection.execute(f"CREATE TABLE kept AS {statement}", ALL_DOSES)
    assert one(connection, "SELECT count(*) FROM kept") == strong
    assert one(connection, "SELECT count(*) FROM kept WHERE match_weight <= 3.5") == 0
