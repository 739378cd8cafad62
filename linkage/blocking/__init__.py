"""Candidate pairs under a budget: every rule's pairs are counted before one of them is made.

A rule puts a record into a block: the hash of the columns that must agree. A block with too many citizens is
over-full (Nguyễn Văn … born on 1 January): it is split by further columns, and what is still over-full is skipped.
Pairs forgone are counted and reported.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from linkage.progress import Progress, silent
from models import BlockingRule, Specification

__all__ = ["BlockingPlan", "Budget", "RulePlan", "block_columns", "compile_pairs", "plan_blocking"]


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

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "BlockingPlan":
        """Read what ``dataclasses.asdict`` made of a plan."""
        return cls(tuple(RulePlan(**rule) for rule in data["rules"]))


def block_columns(specification: Specification) -> dict[str, str]:
    """Column → SQL over a record that gives its block under each rule: a UBIGINT, NULL for a record in no block.

    For a rule with ``any_of`` it is a list of blocks.
    """
    # hash() is the engine's own: it may differ between versions, and no block outlives its run
    return {
        _column(number): f"list_transform({rule.on[0]}, lambda x: hash(x))" if rule.any_of else _hash(rule.on)
        for number, rule in enumerate(specification.blocking)
    }


def plan_blocking(
    connection: duckdb.DuckDBPyConnection,
    specification: Specification,
    budget: Budget,
    *,
    progress: Progress = silent,
) -> BlockingPlan:
    """Count the pairs of each rule, and decide which blocks are split or skipped.

    Reads ``doses_compared`` and ``citizens_compared``. Leaves, for the rules that need them, the temporary tables
    ``overfull_<n>``, blocks that are split or skipped, and ``skipped_<n>``, parts of split ones that are skipped
    (column ``block``); and ``doses_forgone``, the doses (column ``key``) some of whose pairs are given up.
    """
    left = budget.pairs_per_dose * _count(connection, "doses_compared")
    plans: list[RulePlan] = []
    for number, rule in enumerate(specification.blocking):
        progress("count pairs", number, len(specification.blocking))
        plans.append(_plan_rule(connection, number, rule, left, budget.citizens_per_block))
        left -= plans[-1].pairs
    progress("count pairs", len(plans), len(plans))
    plan = BlockingPlan(tuple(plans))
    forgone = [
        _forgone(number, rule, planned)
        for number, (rule, planned) in enumerate(zip(specification.blocking, plan.rules, strict=True))
        if planned.pairs_forgone
    ]
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE doses_forgone AS "
        + (" UNION ".join(forgone) if forgone else "SELECT key FROM doses_compared WHERE false")
    )
    return plan


def compile_pairs(specification: Specification, plan: BlockingPlan) -> str:
    """A SELECT of the candidate pairs of the doses with ``key`` from ``$first`` to ``$last``, each once.

    Columns: ``dose_key``, ``citizen_key``, ``rule`` (number of the first rule that makes the pair).
    """
    joins = (
        _rule_pairs(number, rule, planned)
        for number, (rule, planned) in enumerate(zip(specification.blocking, plan.rules, strict=True))
    )
    return (
        "SELECT dose_key, citizen_key, min(rule) AS rule"
        f" FROM ({' UNION ALL '.join(joins)}) GROUP BY dose_key, citizen_key"
    )


def _rule_pairs(number: int, rule: BlockingRule, planned: RulePlan) -> str:
    """The pairs of one rule. Blocks that are skipped leave both sides before the join: it must not enumerate them."""
    if not planned.split_blocks and not planned.skipped_blocks:
        return _join(number, _block(number, rule), "true")
    overfull = f"IN (SELECT block FROM overfull_{number})"
    kept = _join(number, _block(number, rule), f"block NOT {overfull}")
    if not planned.split_blocks:
        return kept
    part, skipped = _part(number, rule), f"SELECT block FROM skipped_{number}"
    return f"{kept} UNION ALL {_join(number, part, f'block NOT IN ({skipped})', f'{_column(number)} {overfull}')}"


def _join(number: int, block: str, where: str, within: str = "true") -> str:
    doses, citizens = (
        f"(SELECT key, block FROM (SELECT key, {block} AS block FROM {side} WHERE {within}) WHERE {where})"
        for side in ("(FROM doses_compared WHERE key BETWEEN $first AND $last)", "citizens_compared")
    )
    keys = f"l.key AS dose_key, r.key AS citizen_key, {number}::UTINYINT AS rule"
    return f"SELECT {keys} FROM {doses} AS l JOIN {citizens} AS r ON l.block = r.block"


def _forgone(number: int, rule: BlockingRule, planned: RulePlan) -> str:
    """The doses of which a rule gives up pairs."""
    block, overfull = _block(number, rule), f"IN (SELECT block FROM overfull_{number})"
    doses = f"SELECT key FROM (SELECT key, {block} AS block, * FROM doses_compared) WHERE block {overfull}"
    if not planned.split_blocks:
        return doses
    part = _part(number, rule)
    return f"{doses} AND ({part} IS NULL OR {part} IN (SELECT block FROM skipped_{number}))"


def _plan_rule(
    connection: duckdb.DuckDBPyConnection, number: int, rule: BlockingRule, left: float, limit: int
) -> RulePlan:
    by_size = _sizes(connection, _block(number, rule), "true")
    affordable, kept = _affordable(by_size, limit, left)
    total = sum(pairs for _, pairs in by_size)
    largest = by_size[-1][0] if by_size else 0
    if largest <= affordable:
        return RulePlan(rule.name, kept, limit, largest, 0, 0, 0)
    overfull = _set_aside(connection, f"overfull_{number}", affordable)
    if not rule.split or rule.any_of:
        return RulePlan(rule.name, kept, affordable, largest, 0, overfull, total - kept)
    part = _part(number, rule)
    by_size = _sizes(connection, part, f"{_column(number)} IN (SELECT block FROM overfull_{number})")
    part_affordable, split = _affordable(by_size, limit, left - kept)
    skipped = _set_aside(connection, f"skipped_{number}", part_affordable)
    return RulePlan(rule.name, kept + split, affordable, largest, overfull, skipped, total - kept - split)


def _sizes(connection: duckdb.DuckDBPyConnection, block: str, where: str) -> list[tuple[int, int]]:
    """Make ``sizes``, how many doses and citizens each block holds that has both; returns the pairs by citizens."""
    sides = (
        f"{side}_blocks AS (SELECT block, count(*) AS {side} FROM"
        f" (SELECT {block} AS block FROM {side}_compared WHERE {where}) WHERE block IS NOT NULL GROUP BY block)"
        for side in ("doses", "citizens")
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE sizes AS WITH {', '.join(sides)}"
        " SELECT block, doses, citizens FROM doses_blocks JOIN citizens_blocks USING (block)"
    )
    return connection.execute(
        "SELECT citizens, sum(doses * citizens)::BIGINT FROM sizes GROUP BY citizens ORDER BY citizens"
    ).fetchall()


def _affordable(by_size: list[tuple[int, int]], limit: int, left: float) -> tuple[int, int]:
    """The largest number of citizens a block may have, and the pairs of all blocks up to it."""
    affordable, kept = 0, 0
    for citizens, pairs in by_size:
        if citizens > limit or kept + pairs > left:
            break
        affordable, kept = citizens, kept + pairs
    return affordable, kept


def _set_aside(connection: duckdb.DuckDBPyConnection, table: str, affordable: int) -> int:
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT block FROM sizes WHERE citizens > ?", [affordable]
    )
    return _count(connection, table)


def _column(number: int) -> str:
    return f"block_{number}"


def _block(number: int, rule: BlockingRule) -> str:
    return f"unnest({_column(number)})" if rule.any_of else _column(number)


def _part(number: int, rule: BlockingRule) -> str:
    return _hash((_column(number), *rule.split))


def _hash(columns: tuple[str, ...]) -> str:
    known = " AND ".join(f"{column} IS NOT NULL" for column in columns)
    return f"CASE WHEN {known} THEN hash({', '.join(columns)}) END"


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    [(rows,)] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    return int(rows)
