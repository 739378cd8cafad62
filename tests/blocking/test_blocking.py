"""Candidate pairs: what the plan says is what is made, within the budget, and nothing else is lost than is said."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.blocking import BlockingPlan, Budget, block_column, plan_blocking
from linkage.scoring import compared_tables, compile_scoring, derive, measure_registry
from linkage.standardise import standardise
from linkage.tables import CITIZENS, DOSES, read_table
from models import BlockingRule, Comparison, Level, Model, Specification

Random = Callable[..., Model]
SPECIFICATION = Specification(
    name="small",
    columns={},
    blocking=(
        BlockingRule("numbers", ("numbers",), any_of=True),
        BlockingRule("name", ("name",), split=("place",)),
        BlockingRule("name_and_year", ("name", "year")),
    ),
    comparisons=(
        Comparison("name", "name_l IS NULL OR name_r IS NULL", (Level("same", "name_l = name_r"), Level("other")), {}),
    ),
)


class Record(NamedTuple):
    numbers: list[str]
    name: str | None
    place: str | None
    year: int | None


RECORDS = st.lists(
    st.builds(
        Record,
        st.lists(st.sampled_from("pqrs"), max_size=3, unique=True),
        st.sampled_from(("an", "an", "an", "binh", "chi", None)),
        st.sampled_from(("01", "01", "79", None)),
        st.sampled_from((1990, 1991, None)),
    ),
    max_size=25,
)


def fill(connection: duckdb.DuckDBPyConnection, side: str, records: Sequence[Record]) -> None:
    columns = {
        "key": pa.array(range(len(records)), pa.int64()),
        "numbers": pa.array([record.numbers for record in records], pa.list_(pa.string())),
        "name": pa.array([record.name for record in records], pa.string()),
        "place": pa.array([record.place for record in records], pa.string()),
        "year": pa.array([record.year for record in records], pa.int32()),
    }
    connection.register("given", pa.table(columns))
    connection.execute(f"CREATE OR REPLACE TABLE {side}_derived AS FROM given")
    connection.unregister("given")


def plan(
    doses: Sequence[Record], citizens: Sequence[Record], budget: Budget
) -> tuple[BlockingPlan, list[Counter[int]]]:
    """The plan, and for each rule the pairs that its block columns make: citizens in the block → pairs."""
    with duckdb.connect() as connection:
        fill(connection, "doses", doses)
        fill(connection, "citizens", citizens)
        made, blocks = plan_blocking(connection, SPECIFICATION, budget)
        return made, [joined(connection, number, blocks) for number in range(len(SPECIFICATION.blocking))]


def joined(connection: duckdb.DuckDBPyConnection, number: int, blocks: dict[str, str]) -> Counter[int]:
    block = blocks[block_column(number)]
    if SPECIFICATION.blocking[number].any_of:
        block = f"unnest({block})"
    sides = ", ".join(f"{side} AS (SELECT {block} AS block FROM {side}_derived)" for side in ("doses", "citizens"))
    rows = connection.execute(f"""
        WITH {sides} SELECT size, sum(pairs)::BIGINT FROM (
          SELECT c.n AS size, c.n * d.n AS pairs FROM (SELECT block, count(*) AS n FROM citizens GROUP BY block) AS c
          JOIN (SELECT block, count(*) AS n FROM doses GROUP BY block) AS d ON c.block = d.block) GROUP BY size
    """).fetchall()
    return Counter(dict(rows))


def blocks_of(record: Record, rule: BlockingRule, *, split: bool = False) -> Iterator[Hashable]:
    if rule.any_of:
        yield from record.numbers
        return
    values = tuple(getattr(record, column) for column in (*rule.on, *(rule.split if split else ())))
    if None not in values:
        yield values


def brute_force(doses: Sequence[Record], citizens: Sequence[Record], rule: BlockingRule) -> int:
    sides: list[dict[Hashable, int]] = []
    for records in (doses, citizens):
        counts: dict[Hashable, int] = defaultdict(int)
        for record in records:
            for block in blocks_of(record, rule):
                counts[block] += 1
        sides.append(counts)
    return sum(n * sides[1].get(block, 0) for block, n in sides[0].items())


@given(doses=RECORDS, citizens=RECORDS)
@settings(max_examples=25, deadline=None)
def test_without_a_budget_every_pair_of_a_rule_is_counted_and_made(doses: list[Record], citizens: list[Record]) -> None:
    made, pairs = plan(doses, citizens, Budget(pairs_per_dose=1e12, citizens_per_block=10**6))
    for rule, planned, actual in zip(SPECIFICATION.blocking, made.rules, pairs, strict=True):
        expected = brute_force(doses, citizens, rule)
        assert planned.pairs == actual.total() == expected
        assert (planned.split_blocks, planned.skipped_blocks, planned.pairs_forgone) == (0, 0, 0)
    assert made.pairs_forgone == 0


@given(
    doses=RECORDS,
    citizens=RECORDS,
    per_dose=st.sampled_from((0.0, 0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 1e9)),
    per_block=st.sampled_from((0, 1, 2, 3, 5, 8, 1000)),
)
@settings(max_examples=60, deadline=None)
def test_under_any_budget_the_plan_is_kept_and_nothing_is_lost_unsaid(
    doses: list[Record], citizens: list[Record], per_dose: float, per_block: int
) -> None:
    made, pairs = plan(doses, citizens, Budget(per_dose, per_block))
    assert made.pairs <= int(per_dose * len(doses))
    for rule, planned, actual in zip(SPECIFICATION.blocking, made.rules, pairs, strict=True):
        assert planned.pairs == actual.total()
        assert planned.pairs + planned.pairs_forgone == brute_force(doses, citizens, rule)
        assert max(actual, default=0) <= per_block
        assert planned.pairs_forgone == 0 or planned.split_blocks + planned.skipped_blocks > 0


def test_split_blocks_are_made_within_the_budget_too() -> None:
    small = [Record([], "binh", "01", None)] * 50
    large = [Record([], "an", place, None) for place in ("01", "79", "48") for _ in range(30)]
    doses = [Record([], "binh", "01", None), *[Record([], "an", place, None) for place in ("01", "79", "48")] * 3]
    made, pairs = plan(doses, [*small, *large], Budget(pairs_per_dose=6.0, citizens_per_block=80))
    assert pairs[1].total() == made.rules[1].pairs <= 60


@given(doses=RECORDS, citizens=RECORDS, budgets=st.tuples(st.integers(0, 9), st.integers(0, 9)))
@settings(max_examples=25, deadline=None)
def test_a_larger_limit_of_a_block_never_forgoes_more(
    doses: list[Record], citizens: list[Record], budgets: tuple[int, int]
) -> None:
    tight, wide = (plan(doses, citizens, Budget(1e9, limit))[0] for limit in sorted(budgets))
    assert wide.pairs_forgone <= tight.pairs_forgone


def test_a_pair_skipped_by_one_rule_and_found_by_another_is_scored(random_model: Random) -> None:
    same = [Record([], "an", None, 1990), *[Record([], "an", None, 1991)] * 9]
    model = random_model(SPECIFICATION, 1)
    with duckdb.connect() as connection:
        for side, records in (("doses", same[:1]), ("citizens", same)):
            fill(connection, side, records)
            connection.execute(f"ALTER TABLE {side}_derived RENAME TO {side}_standardised")
        derive(connection, SPECIFICATION)
        made, blocks = plan_blocking(connection, SPECIFICATION, Budget(100.0, 5))
        compared_tables(connection, SPECIFICATION, blocks)
        statement = compile_scoring(model, measure_registry(connection, SPECIFICATION), -1000.0)
        pairs = connection.execute(
            f"SELECT dose_key, citizen_key, rule FROM ({statement})", {"first": 0, "last": 99}
        ).fetchall()
    assert [rule.pairs for rule in made.rules] == [0, 0, 1]
    assert made.rules[1].pairs_forgone == 10
    assert pairs == [(0, 0, 2)]


NGUYEN_VAN_AN = "Nguyễn Văn An"
PROVINCES = ("Hà Nội", "Hải Phòng", "Đà Nẵng", "Cần Thơ")


def namesakes(folder: Path, specification: Specification, provinces: Sequence[str]) -> BlockingPlan:
    """1,000 citizens of one name and birth date spread over the provinces, a dose in each, and one without a place."""
    citizens = "".join(
        f"00309{number:07d},{NGUYEN_VAN_AN},1990-01-01,{provinces[number % len(provinces)]}\n" for number in range(1000)
    )
    doses = "".join(
        f"D{number},{NGUYEN_VAN_AN},01/01/1990,{province}\n" for number, province in enumerate([*provinces, ""])
    )
    (folder / "citizens.csv").write_text(f"citizen_id,full_name,date_of_birth,province\n{citizens}", encoding="utf-8")
    (folder / "doses.csv").write_text(f"dose_id,full_name,date_of_birth,province\n{doses}", encoding="utf-8")
    with duckdb.connect() as connection:
        read_table(connection, DOSES, str(folder / "doses.csv"))
        read_table(connection, CITIZENS, str(folder / "citizens.csv"))
        standardise(connection, {"doses": "doses_standardised", "citizens": "citizens_standardised"})
        derive(connection, specification)
        return plan_blocking(connection, specification, Budget(1000.0, 300))[0]


@pytest.mark.parametrize(
    ("provinces", "split_into", "pairs"), [(PROVINCES, 0, 1000), (PROVINCES[:1], 1, 0)], ids=["split", "skipped"]
)
def test_a_block_of_a_thousand_namesakes_is_split_by_province_or_skipped_and_reported(
    tmp_path: Path, specification: Specification, provinces: tuple[str, ...], split_into: int, pairs: int
) -> None:
    made = {rule.rule: rule for rule in namesakes(tmp_path, specification, provinces).rules}
    rule = made["name_and_birth_date"]
    assert (rule.largest_block, rule.split_blocks, rule.skipped_blocks) == (1000, 1, split_into)
    assert rule.pairs == pairs
    assert rule.pairs + rule.pairs_forgone == 1000 * (len(provinces) + 1)


def test_a_number_that_too_many_share_is_skipped_and_the_others_are_not() -> None:
    citizens = [Record(["p", str(number)], None, None, None) for number in range(9)]
    doses = [Record(["p", "3"], None, None, None), Record(["5"], None, None, None)]
    made, pairs = plan(doses, citizens, Budget(100.0, 8))
    assert (made.rules[0].skipped_blocks, made.rules[0].pairs, made.rules[0].pairs_forgone) == (1, 2, 9)
    assert pairs[0] == Counter({1: 2})


@pytest.mark.parametrize(("shared", "rule"), [(["p", "q"], 0), (["q"], 0), ([], None)])
def test_former_numbers_in_common_make_one_pair(random_model: Random, shared: list[str], rule: int | None) -> None:
    model = random_model(SPECIFICATION, 1)
    with duckdb.connect() as connection:
        fill(connection, "doses", [Record([*shared, "d"], None, None, None)])
        fill(
            connection,
            "citizens",
            [Record(["c", *reversed(shared)], None, None, None), Record(["z"], None, None, None)],
        )
        for side in ("doses", "citizens"):
            connection.execute(f"ALTER TABLE {side}_derived RENAME TO {side}_standardised")
        derive(connection, SPECIFICATION)
        _, blocks = plan_blocking(connection, SPECIFICATION, Budget())
        compared_tables(connection, SPECIFICATION, blocks)
        statement = compile_scoring(model, measure_registry(connection, SPECIFICATION), -1000.0)
        found = connection.execute(
            f"SELECT dose_key, citizen_key, rule FROM ({statement})", {"first": 0, "last": 99}
        ).fetchall()
    assert found == ([] if rule is None else [(0, 0, rule)])
