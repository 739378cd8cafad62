"""The model compiled to one statement: pairs from the blocking joins, their levels, their bits."""

import math
from dataclasses import dataclass
from typing import Literal

import duckdb

from linkage.blocking import BlockingPlan, block_columns, compile_pairs
from linkage.progress import Progress, silent
from linkage.scoring.columns import bits_column, level_column, level_name, pair_columns
from linkage.scoring.registry import measure_registry
from linkage.standardise import typed_columns
from models import Comparison, Model, Registry, Specification

__all__ = [
    "Step",
    "bits_column",
    "compared_tables",
    "compile_levels",
    "compile_scoring",
    "compile_weights",
    "level_column",
    "level_name",
    "measure_registry",
    "pair_columns",
    "records",
    "with_steps",
]


_SIDES: tuple[Literal["l"], Literal["r"]] = ("l", "r")


@dataclass(frozen=True, slots=True)
class Step:
    """One named relation of a statement."""

    name: str
    sql: str


def compared_tables(
    connection: duckdb.DuckDBPyConnection, specification: Specification, *, progress: Progress = silent
) -> None:
    """Make the temporary ``doses_compared`` and ``citizens_compared`` from the standardised tables.

    Columns: ``key``, what is compared or splits a block, and the blocks. Citizens also carry ``frequency_<column>``:
    the share of the registry that has the citizen's value. A specification that names typed columns has them from the
    raw tables ``doses`` and ``citizens``.
    """
    derived = "".join(f", {sql} AS {name}" for name, sql in specification.columns.items())
    split = [column for rule in specification.blocking for column in rule.split]
    kept = [", ".join(dict.fromkeys(("key", *specification.columns_of(side), *split))) for side in _SIDES]
    blocks = "".join(f", {sql} AS {column}" for column, sql in block_columns(specification).items())
    doses, citizens = (
        f"SELECT {columns}{blocks} FROM (SELECT *{derived} FROM {records(connection, specification, table)})"
        for table, columns in zip(("doses", "citizens"), kept, strict=True)
    )
    progress("prepare records", 0, 2)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE doses_compared AS {doses}")
    progress("prepare records", 1, 2)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE citizens_bare AS {citizens}")
    columns = specification.frequency_columns
    shares = "".join(f", f{number}.share AS frequency_{column}" for number, column in enumerate(columns))
    joins = "".join(
        f" LEFT JOIN (SELECT {column}, count(*) / (SELECT count(*) FROM citizens_bare) AS share FROM citizens_bare"
        f" GROUP BY {column}) AS f{number} ON c.{column} = f{number}.{column}"
        for number, column in enumerate(columns)
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE citizens_compared AS SELECT c.*{shares} FROM citizens_bare AS c{joins}"
    )
    connection.execute("DROP TABLE citizens_bare")
    progress("prepare records", 2, 2)


def records(connection: duckdb.DuckDBPyConnection, specification: Specification, table: str) -> str:
    """The relation over which ``[columns]`` are worked out: what is standardised of ``doses`` or ``citizens``.

    With the typed columns beside it where the specification names one: joining them costs memory.
    """
    named = (*specification.columns.values(), *specification.compared_columns)
    if not any("typed_" in sql for sql in named):
        return f"{table}_standardised"
    return f"{table}_standardised JOIN {typed_columns(connection, table)} USING (key)"


def compile_scoring(
    model: Model, registry: Registry, plan: BlockingPlan, weakest: float, *, with_frequencies: bool = False
) -> str:
    """The statement that scores the doses with ``key`` from ``$first`` to ``$last``.

    Reads ``doses_compared`` and ``citizens_compared``.

    Args:
        model: parameters.
        registry: what the citizens say about chance agreement.
        plan: which blocks are split or skipped.
        weakest: pairs with fewer bits than this are not kept.
        with_frequencies: adds ``frequency_of_<comparison>``, the share of citizens with the value that the pair's
            level has a frequency of.

    Returns:
        A SELECT of ``dose_key``, ``citizen_key``, ``rule`` (number of the first blocking rule that makes the pair),
        ``match_weight`` (bits, prior included), and a ``level_`` and a ``bits_`` column for each comparison. Every
        pair stands once.
    """
    specification = model.specification
    # rules find the same pairs again and again: dropping them as bare keys, before records are joined, is what pays
    pairs = (
        f"SELECT dose_key, citizen_key, rule, {pair_columns(specification)} FROM"
        f" ({compile_pairs(specification, plan)}) AS p"
        " JOIN doses_compared AS l ON l.key = p.dose_key JOIN citizens_compared AS r ON r.key = p.citizen_key"
    )
    kept = [level_column(c) for c in specification.comparisons] + [bits_column(c) for c in specification.comparisons]
    if with_frequencies:
        kept += [_frequency_case(comparison) for comparison in specification.comparisons]
    steps = (
        *compile_levels(specification, ("dose_key", "citizen_key", "rule")),
        *compile_weights(model, registry),
    )
    return (
        with_steps(pairs, steps)
        + f" SELECT dose_key, citizen_key, rule, match_weight, {', '.join(kept)} FROM weights"
        + f" WHERE match_weight > {weakest!r}"
    )


def compile_levels(specification: Specification, keys: tuple[str, ...]) -> tuple[Step, ...]:
    """The steps ``expressed`` and ``levels`` over a relation ``pairs``.

    ``pairs`` has the key columns and those of ``pair_columns``; ``levels`` has the keys, the frequencies and
    ``level_<comparison>``.
    """
    comparisons = specification.comparisons
    expressions = "".join(f", {sql} AS {name}" for c in comparisons for name, sql in c.expressions.items())
    frequencies = "".join(f", frequency_{column}" for column in specification.frequency_columns)
    levels = "".join(f", {_level_case(c)} AS {level_column(c)}" for c in comparisons)
    return (
        Step("expressed", f"SELECT *{expressions} FROM pairs"),
        Step("levels", f"SELECT {', '.join(keys)}{frequencies}{levels} FROM expressed"),
    )


def compile_weights(model: Model, registry: Registry) -> tuple[Step, ...]:
    """The steps ``bits`` and ``weights`` over ``levels``: ``bits_<comparison>`` and their sum ``match_weight``."""
    comparisons = model.specification.comparisons
    bits = "".join(f", {_bits_case(model, c, registry)} AS {bits_column(c)}" for c in comparisons)
    total = " + ".join(bits_column(c) for c in comparisons)
    return (
        Step("bits", f"SELECT *{bits} FROM levels"),
        Step(
            "weights",
            f"SELECT *, {model.prior_bits(registry.citizens)!r} + {total} AS match_weight FROM bits",
        ),
    )


def with_steps(pairs: str, steps: tuple[Step, ...]) -> str:
    """A WITH clause of ``pairs`` and the steps over it, in order; none is kept as a table on the way."""
    relations = (Step("pairs", pairs), *steps)
    return "WITH " + ", ".join(f"{step.name} AS NOT MATERIALIZED ({step.sql})" for step in relations)


def _level_case(comparison: Comparison) -> str:
    tests = " ".join(
        f"WHEN {level.when} THEN {place}"
        for place, level in enumerate(comparison.levels, start=1)
        if level.when is not None
    )
    return f"(CASE WHEN {comparison.missing} THEN 0 {tests} ELSE {len(comparison.levels)} END)::UTINYINT"


def _frequency_case(comparison: Comparison) -> str:
    places = " ".join(
        f"WHEN {place} THEN frequency_{level.frequency}"
        for place, level in enumerate(comparison.levels, start=1)
        if level.frequency
    )
    case = f"CASE {level_column(comparison)} {places} END" if places else "NULL::DOUBLE"
    return f"{case} AS frequency_of_{comparison.name}"


def _bits_case(model: Model, comparison: Comparison, registry: Registry) -> str:
    weights = []
    for place, level in enumerate(comparison.levels, start=1):
        m, u = (math.log2(probability) for probability in model.m_u(comparison, level, registry))
        against = f"coalesce(log2(frequency_{level.frequency}), {u!r})" if level.frequency else repr(u)
        weights.append(f"WHEN {place} THEN {m!r} - ({against})" if level.frequency else f"WHEN {place} THEN {m - u!r}")
    return f"(CASE {level_column(comparison)} {' '.join(weights)} ELSE 0 END)::DOUBLE"
