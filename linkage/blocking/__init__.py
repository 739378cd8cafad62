"""Candidate pairs under a budget: every rule's pairs are counted before one of them is made.

A rule puts a record into a block: the hash of the columns that must agree. A block with too many citizens is
over-full (Nguyễn Văn … born on 1 January): it is split by further columns, and what is still over-full is skipped.
Pairs forgone are counted and reported.
"""

from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from linkage.progress import Progress, silent
from models import BlockingRule, Specification

__all__ = ["BlockingPlan", "Budget", "RulePlan", "block_column", "plan_blocking"]

SIDES = ("doses", "citizens")


@dataclass(frozen=True, slots=True)
class Budget:
    """How many pairs may be compared.

    Attributes:
        pairs_per_dose: over all rules, on average.
        citizens_per_block: a block with more citizens is over-full.
    """

    pairs_per_dose: float = 100.0
    citizens_per_block: int = 300


@dataclass(frozen=True, slots=True)
class RulePlan:
    """What one rule will cost.

    Attributes:
        pairs: pairs it makes, those that an earlier rule makes too included.
        citizens_per_block: the limit it runs under.
        largest_block: citizens in its largest block, before splitting.
        split_blocks: over-full blocks that were split.
        skipped_blocks: blocks (or parts of split ones) still over-full, and so skipped.
        pairs_forgone: pairs given up by splitting and skipping.
    """

    rule: str
    pairs: int
    citizens_per_block: int
    largest_block: int
    split_blocks: int
    skipped_blocks: int
    pairs_forgone: int


@dataclass(frozen=True, slots=True)
class BlockingPlan:
    """The rules' plans, in the order in which they run."""

    rules: tuple[RulePlan, ...]

    @property
    def pairs(self) -> int:
        """Pairs of all rules together, before those found twice are dropped."""
        return sum(rule.pairs for rule in self.rules)

    @property
    def pairs_forgone(self) -> int:
        """Pairs given up by all rules together."""
        return sum(rule.pairs_forgone for rule in self.rules)

    def to_list(self) -> list[dict[str, Any]]:
        """Plain data for the manifest."""
        return [asdict(rule) for rule in self.rules]


def block_column(number: int) -> str:
    """The column that holds a record's block under the rule of this number (from 0)."""
    return f"block_{number}"


def plan_blocking(
    connection: duckdb.DuckDBPyConnection,
    specification: Specification,
    budget: Budget,
    *,
    progress: Progress = silent,
) -> tuple[BlockingPlan, dict[str, str]]:
    """Count the pairs of each rule and decide which blocks are split or skipped.

    Reads the relations ``doses_derived`` and ``citizens_derived``; leaves the tables ``overfull_<n>`` and
    ``skipped_<n>`` (column ``block``) of the rules that need them.

    Returns:
        The plan, and for every block column the SQL over a derived record that gives its block: a UBIGINT or, for a
        rule with ``any_of``, a list of them; NULL for a record in no block.
    """
    left = int(budget.pairs_per_dose * _count(connection, "doses_derived"))
    plans: list[RulePlan] = []
    columns: dict[str, str] = {}
    for number, rule in enumerate(specification.blocking):
        progress("count pairs", number, len(specification.blocking))
        plan = _plan_rule(connection, number, rule, min(left, 2**62), budget.citizens_per_block)
        left -= plan.pairs
        plans.append(plan)
        columns[block_column(number)] = _block_sql(connection, number, rule, plan)
    progress("count pairs", len(plans), len(plans))
    return BlockingPlan(tuple(plans)), columns


def _plan_rule(
    connection: duckdb.DuckDBPyConnection, number: int, rule: BlockingRule, left: int, limit: int
) -> RulePlan:
    connection.execute(f"CREATE OR REPLACE TEMP TABLE sizes AS {_sizes(_block(rule), '')}")
    by_size = connection.execute(
        "SELECT citizens, sum(doses * citizens)::BIGINT FROM sizes GROUP BY citizens ORDER BY citizens"
    ).fetchall()
    affordable, kept = 0, 0
    for citizens, pairs in by_size:
        if citizens > limit or kept + pairs > left:
            break
        affordable, kept = citizens, kept + pairs
    total = sum(pairs for _, pairs in by_size)
    largest = by_size[-1][0] if by_size else 0
    if largest <= affordable:
        return RulePlan(rule.name, kept, limit, largest, 0, 0, 0)
    connection.execute(
        f"CREATE OR REPLACE TABLE overfull_{number} AS SELECT block FROM sizes WHERE citizens > ?",
        [affordable],
    )
    overfull = _count(connection, f"overfull_{number}")
    if not rule.split or rule.any_of:
        return RulePlan(rule.name, kept, affordable, largest, 0, overfull, total - kept)
    inside = f"{_block(rule)} IN (SELECT block FROM overfull_{number})"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE sizes AS {_sizes(_block(rule, split=True), inside)}")
    split_pairs = 0
    for citizens, pairs in connection.execute(
        "SELECT citizens, sum(doses * citizens)::BIGINT FROM sizes GROUP BY citizens ORDER BY citizens"
    ).fetchall():
        if citizens > limit or kept + split_pairs + pairs > left:
            break
        affordable, split_pairs = max(affordable, citizens), split_pairs + pairs
    connection.execute(
        f"CREATE OR REPLACE TABLE skipped_{number} AS SELECT block FROM sizes WHERE citizens > ?",
        [affordable],
    )
    skipped = _count(connection, f"skipped_{number}")
    forgone = total - kept - split_pairs
    return RulePlan(rule.name, kept + split_pairs, affordable, largest, overfull, skipped, forgone)


def _sizes(block: str, where: str) -> str:
    """How many doses and citizens each block holds that has both."""
    parts = [
        f"{side}_blocks AS (SELECT block, count(*) AS {side} FROM"
        f" (SELECT {block} AS block FROM {side}_derived{' WHERE ' + where if where else ''})"
        " WHERE block IS NOT NULL GROUP BY block)"
        for side in SIDES
    ]
    return f"WITH {', '.join(parts)} SELECT block, doses, citizens FROM doses_blocks JOIN citizens_blocks USING (block)"


def _block(rule: BlockingRule, *, split: bool = False) -> str:
    # hash() is the engine's own: it may differ between versions, and no block outlives its run
    if rule.any_of:
        return f"hash(unnest({rule.on[0]}))"
    columns = (*rule.on, *(rule.split if split else ()))
    known = " AND ".join(f"{column} IS NOT NULL" for column in columns)
    return f"CASE WHEN {known} THEN hash({', '.join(columns)}) END"


def _block_sql(connection: duckdb.DuckDBPyConnection, number: int, rule: BlockingRule, plan: RulePlan) -> str:
    overfull = plan.split_blocks or plan.skipped_blocks
    if rule.any_of:
        blocks = f"list_transform({rule.on[0]}, lambda x: hash(x))"
        if overfull:
            skipped = [str(block) for (block,) in connection.execute(f"FROM overfull_{number}").fetchall()]
            blocks = f"list_filter({blocks}, lambda x: NOT list_contains([{', '.join(skipped)}]::UBIGINT[], x))"
        return blocks
    block = _block(rule)
    if not overfull:
        return block
    narrow = "NULL"
    if rule.split:
        split = _block(rule, split=True)
        narrow = f"CASE WHEN {split} NOT IN (SELECT block FROM skipped_{number}) THEN {split} END"
    return f"CASE WHEN {block} IN (SELECT block FROM overfull_{number}) THEN {narrow} ELSE {block} END"


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    [(rows,)] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    return int(rows)
