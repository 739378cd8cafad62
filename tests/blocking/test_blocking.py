"""Candidate pairs: what the plan says is what is made, within the budget, and nothing else is lost than is said."""

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.blocking import BlockingPlan, Budget, compile_pairs, plan_blocking
from linkage.scoring import compared_tables, compile_scoring, measure_registry
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
    numbers: list[str] | None
    name: str | None
    place: str | None
    year: int | None


class Pair(NamedTuple):
    dose: int
    citizen: int
    rule: int


RECORDS = st.lists(
    st.builds(
        Record,
        st.none() | st.lists(st.sampled_from("pqrs"), max_size=3, unique=True),
        st.sampled_from(("an", "an", "an", "binh", "chi", None)),
        st.sampled_from(("01", "01", "79", None)),
        st.sampled_from((1990, 1991, None)),
    ),
    max_size=25,
)
BUDGETS = st.builds(
    Budget, st.sampled_from((0.0, 0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 1e9)), st.sampled_from((0, 1, 2, 3, 5, 8, 1000))
)
FIRST_KEY = {"doses": 0, "citizens": 1000}
"""Keys of the two sides differ, so that one taken for the other shows."""


def fill(connection: duckdb.DuckDBPyConnection, doses: Sequence[Record], citizens: Sequence[Record]) -> None:
    for side, records in (("doses", doses), ("citizens", citizens)):
        columns = {
            "key": pa.array([FIRST_KEY[side] + place for place in range(len(records))], pa.int64()),
            "numbers": pa.array([record.numbers for record in records], pa.list_(pa.string())),
            "name": pa.array([record.name for record in records], pa.string()),
            "place": pa.array([record.place for record in records], pa.string()),
            "year": pa.array([record.year for record in records], pa.int32()),
        }
        connection.register("given", pa.table(columns))
        connection.execute(f"CREATE TABLE {side}_standardised AS FROM given")
        connection.unregister("given")
    compared_tables(connection, SPECIFICATION)


def pairs_of(connection: duckdb.DuckDBPyConnection, made: BlockingPlan, first: int = 0, last: int = 999) -> list[Pair]:
    rows = connection.execute(compile_pairs(SPECIFICATION, made), {"first": first, "last": last}).fetchall()
    return sorted(Pair(*row) for row in rows)


def plan(doses: Sequence[Record], citizens: Sequence[Record], budget: Budget) -> tuple[BlockingPlan, list[Pair]]:
    """The plan, and the pairs made under it."""
    with duckdb.connect() as connection:
        fill(connection, doses, citizens)
        made = plan_blocking(connection, SPECIFICATION, budget)
        return made, pairs_of(connection, made)


def blocks_of(record: Record, rule: BlockingRule, *, split: bool = False) -> Iterator[Hashable]:
    if rule.any_of:
        yield from record.numbers or ()
        return
    values = tuple(getattr(record, column) for column in (*rule.on, *(rule.split if split else ())))
    if None not in values:
        yield values


Block = tuple[list[int], list[int]]


def gather(
    doses: Sequence[Record], citizens: Sequence[Record], rule: BlockingRule, *, split: bool = False
) -> dict[Hashable, Block]:
    """Block → the keys of its doses and of its citizens, for blocks that have both."""
    blocks: dict[Hashable, Block] = defaultdict(lambda: ([], []))
    for side, records in enumerate((doses, citizens)):
        for key, record in enumerate(records, start=(FIRST_KEY["doses"], FIRST_KEY["citizens"])[side]):
            for block in blocks_of(record, rule, split=split):
                blocks[block][side].append(key)
    return {block: keys for block, keys in blocks.items() if keys[0] and keys[1]}


def afforded(blocks: dict[Hashable, Block], limit: int, left: float) -> dict[Hashable, Block]:
    """The smallest blocks, those of one size all or none, as long as they fit the limit and what is left."""
    kept: dict[Hashable, Block] = {}
    for size in sorted({len(citizens) for _, citizens in blocks.values()}):
        more = {block: keys for block, keys in blocks.items() if len(keys[1]) == size}
        if size > limit or total(kept) + total(more) > left:
            break
        kept |= more
    return kept


def total(blocks: dict[Hashable, Block]) -> int:
    return sum(len(doses) * len(citizens) for doses, citizens in blocks.values())


def brute_force(doses: Sequence[Record], citizens: Sequence[Record], rule: BlockingRule) -> int:
    return total(gather(doses, citizens, rule))


def by_hand(doses: Sequence[Record], citizens: Sequence[Record], budget: Budget) -> list[list[Pair]]:
    """The pairs of each rule under a budget, those of several shared numbers as often as they share one."""
    left = budget.pairs_per_dose * len(doses)
    made = []
    for number, rule in enumerate(SPECIFICATION.blocking):
        blocks = gather(doses, citizens, rule)
        kept = afforded(blocks, budget.citizens_per_block, left)
        if rule.split:
            parts = gather(doses, citizens, rule, split=True)
            overfull: dict[Hashable, Block] = {
                part: keys
                for part, keys in parts.items()
                if isinstance(part, tuple) and part[: len(rule.on)] not in kept
            }
            kept |= afforded(overfull, budget.citizens_per_block, left - total(kept))
        made.append([Pair(dose, citizen, number) for keys in kept.values() for dose in keys[0] for citizen in keys[1]])
        left -= len(made[-1])
    return made


def each_once(made: Sequence[Sequence[Pair]]) -> list[Pair]:
    first: dict[tuple[int, int], int] = {}
    for pair in (pair for pairs in made for pair in pairs):
        first.setdefault((pair.dose, pair.citizen), pair.rule)
    return sorted(Pair(dose, citizen, rule) for (dose, citizen), rule in first.items())


@given(doses=RECORDS, citizens=RECORDS)
@settings(max_examples=15, deadline=None)
def test_without_a_budget_every_pair_of_a_rule_is_counted_and_made(doses: list[Record], citizens: list[Record]) -> None:
    made, pairs = plan(doses, citizens, Budget(pairs_per_dose=1e12, citizens_per_block=10**6))
    for rule, planned in zip(SPECIFICATION.blocking, made.rules, strict=True):
        assert planned.pairs == brute_force(doses, citizens, rule)
        assert (planned.split_blocks, planned.skipped_blocks, planned.pairs_forgone) == (0, 0, 0)
    assert made.pairs_forgone == 0
    expected = [
        Pair(FIRST_KEY["doses"] + dose, FIRST_KEY["citizens"] + citizen, rules[0])
        for dose, left in enumerate(doses)
        for citizen, right in enumerate(citizens)
        if (rules := [n for n, rule in enumerate(SPECIFICATION.blocking) if agree(left, right, rule)])
    ]
    assert pairs == expected


def agree(dose: Record, citizen: Record, rule: BlockingRule) -> bool:
    return not set(blocks_of(dose, rule)).isdisjoint(blocks_of(citizen, rule))


@given(doses=RECORDS, citizens=RECORDS, budget=BUDGETS)
@settings(max_examples=40, deadline=None)
def test_under_any_budget_the_plan_is_kept_and_nothing_is_lost_unsaid(
    doses: list[Record], citizens: list[Record], budget: Budget
) -> None:
    made, pairs = plan(doses, citizens, budget)
    expected = by_hand(doses, citizens, budget)
    assert pairs == each_once(expected)
    assert len(pairs) <= made.pairs <= int(budget.pairs_per_dose * len(doses))
    for number, (rule, planned) in enumerate(zip(SPECIFICATION.blocking, made.rules, strict=True)):
        assert planned.pairs == len(expected[number])
        assert planned.pairs + planned.pairs_forgone == brute_force(doses, citizens, rule)
        assert planned.pairs_forgone == 0 or planned.split_blocks + planned.skipped_blocks > 0
    for dose, record in enumerate(doses):
        for number, rule in enumerate(SPECIFICATION.blocking):
            blocks = len(list(blocks_of(record, rule)))
            found = sum((pair.dose, pair.rule) == (dose, number) for pair in pairs)
            assert found <= blocks * budget.citizens_per_block


@given(doses=RECORDS, citizens=RECORDS, budget=BUDGETS, cuts=st.lists(st.integers(0, 30), max_size=3))
@settings(max_examples=15, deadline=None)
def test_pairs_do_not_depend_on_where_the_doses_are_cut(
    doses: list[Record], citizens: list[Record], budget: Budget, cuts: list[int]
) -> None:
    with duckdb.connect() as connection:
        fill(connection, doses, citizens)
        made = plan_blocking(connection, SPECIFICATION, budget)
        bounds = pairwise(sorted({0, *cuts, 1000}))
        parts = [pair for first, end in bounds for pair in pairs_of(connection, made, first, end - 1)]
        assert parts == pairs_of(connection, made)


def test_split_blocks_are_made_within_the_budget_too() -> None:
    small = [Record([], "binh", "01", None)] * 50
    large = [Record([], "an", place, None) for place in ("01", "79", "48") for _ in range(30)]
    doses = [Record([], "binh", "01", None), *[Record([], "an", place, None) for place in ("01", "79", "48")]]
    made, pairs = plan(doses, [*small, *large], Budget(pairs_per_dose=30.0, citizens_per_block=80))
    assert len(pairs) == made.rules[1].pairs == 50
    assert made.rules[1].pairs_forgone == 270


def test_a_split_block_keeps_its_small_parts_and_skips_its_large_ones() -> None:
    doses = [Record(None, "an", place, None) for place in ("01", "79", None)]
    citizens = [Record(None, "an", place, None) for place in ("01", "79", "79", "79", "79", None, None)]
    made, pairs = plan(doses, citizens, Budget(100.0, 3))
    assert pairs == [Pair(0, 1000, 1)]
    rule = made.rules[1]
    assert (rule.largest_block, rule.split_blocks, rule.skipped_blocks) == (7, 1, 1)
    assert (rule.pairs, rule.pairs_forgone) == (1, 20)


@given(doses=RECORDS, citizens=RECORDS, budgets=st.tuples(st.integers(0, 9), st.integers(0, 9)))
@settings(max_examples=15, deadline=None)
def test_a_larger_limit_of_a_block_never_forgoes_more(
    doses: list[Record], citizens: list[Record], budgets: tuple[int, int]
) -> None:
    (tight, tight_pairs), (wide, wide_pairs) = (plan(doses, citizens, Budget(1e9, limit)) for limit in sorted(budgets))
    assert wide.pairs_forgone <= tight.pairs_forgone
    assert {pair[:2] for pair in tight_pairs} <= {pair[:2] for pair in wide_pairs}


def scored_pairs(
    model: Model, doses: Sequence[Record], citizens: Sequence[Record], budget: Budget
) -> tuple[BlockingPlan, list[Pair]]:
    with duckdb.connect() as connection:
        fill(connection, doses, citizens)
        made = plan_blocking(connection, SPECIFICATION, budget)
        statement = compile_scoring(model, measure_registry(connection, SPECIFICATION), made, -1000.0)
        rows = connection.execute(
            f"SELECT dose_key, citizen_key, rule FROM ({statement})", {"first": 0, "last": 99}
        ).fetchall()
    return made, sorted(Pair(*row) for row in rows)


@given(doses=RECORDS, citizens=RECORDS.filter(len), budget=BUDGETS)
@settings(max_examples=15, deadline=None)
def test_the_pairs_made_are_the_pairs_scored(
    random_model: Random, doses: list[Record], citizens: list[Record], budget: Budget
) -> None:
    _, scored = scored_pairs(random_model(SPECIFICATION, 1), doses, citizens, budget)
    assert scored == plan(doses, citizens, budget)[1]


def test_a_pair_skipped_by_one_rule_and_found_by_another_is_scored(random_model: Random) -> None:
    same = [Record([], "an", None, 1990), *[Record([], "an", None, 1991)] * 9]
    made, pairs = scored_pairs(random_model(SPECIFICATION, 1), same[:1], same, Budget(100.0, 5))
    assert [rule.pairs for rule in made.rules] == [0, 0, 1]
    assert made.rules[1].pairs_forgone == 10
    assert pairs == [Pair(0, 1000, 2)]


def test_a_plan_survives_plain_data() -> None:
    doses = [Record(["p"], "an", "01", 1990)] * 3
    made, _ = plan(doses, doses, Budget(2.0, 2))
    assert BlockingPlan.from_dict(json.loads(json.dumps(asdict(made)))) == made


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
        compared_tables(connection, specification)
        return plan_blocking(connection, specification, Budget(1000.0, 300))


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
    assert pairs == [Pair(0, 1003, 0), Pair(1, 1005, 0)]


@pytest.mark.parametrize(("shared", "rule"), [(["p", "q"], 0), (["q"], 0), ([], None)])
def test_former_numbers_in_common_make_one_pair(random_model: Random, shared: list[str], rule: int | None) -> None:
    doses = [Record([*shared, "d"], None, None, None)]
    citizens = [Record(["c", *reversed(shared)], None, None, None), Record(["z"], None, None, None)]
    _, pairs = scored_pairs(random_model(SPECIFICATION, 1), doses, citizens, Budget())
    assert pairs == ([] if rule is None else [Pair(0, 1000, rule)])
