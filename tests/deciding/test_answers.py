"""What humans answered beside what the machine would decide."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.deciding.answers import (
    ANSWERS,
    BEST,
    SEEN,
    compile_answered,
    compile_contradictions,
    digest_of,
    record_digest,
)
from linkage.review.cases import OUTCOMES, PAIRED

CITIZENS = ("A", "B", "C", "D")
GONE = "gone"


class Dose(NamedTuple):
    """A dose: its candidates, best first, what the machine decides, and what a human answered of what was shown."""

    candidates: tuple[str, ...]
    machine: str
    outcome: str
    named: str | None
    shown: tuple[str, ...]
    seen_name: str
    entry: int

    @property
    def best(self) -> str | None:
        return self.candidates[0] if self.candidates else None

    @property
    def changed(self) -> bool:
        return self.seen_name != "now"


@st.composite
def dose(draw: st.DrawFn) -> Dose:
    candidates = tuple(draw(st.lists(st.sampled_from(CITIZENS), unique=True, max_size=3)))
    outcome = draw(st.sampled_from(OUTCOMES))
    return Dose(
        candidates,
        draw(st.sampled_from(("accept", "review", "no_match") if candidates else ("review", "no_match"))),
        outcome,
        draw(st.sampled_from((*CITIZENS, GONE))) if outcome == "citizen" else None,
        tuple(draw(st.lists(st.sampled_from(CITIZENS), unique=True))),
        draw(st.sampled_from(("now", "before"))),
        draw(st.integers(1, 9)),
    )


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        columns = ", ".join(f"{column} VARCHAR" for column in SEEN)
        opened.execute(f"CREATE TABLE doses (key BIGINT, dose_id VARCHAR, {columns})")
        opened.execute("CREATE TABLE citizens (key BIGINT, citizen_id VARCHAR)")
        opened.executemany("INSERT INTO citizens VALUES (?, ?)", list(enumerate(CITIZENS)))
        opened.execute("""
        CREATE TABLE candidates (dose_key BIGINT, citizen_key BIGINT, rank BIGINT, probability DOUBLE,
          match_weight DOUBLE, runner_up_key BIGINT, margin DOUBLE, rule INTEGER, caution VARCHAR, stratum VARCHAR,
          decision VARCHAR)
        """)
        yield opened


def answered(connection: duckdb.DuckDBPyConnection, doses: list[Dose]) -> tuple[list[dict[str, Any]], set[Any]]:
    """The table ``answered``, by dose, and the pairs of dose and reason among the contradictions."""
    for table in ("doses", "candidates"):
        connection.execute(f"DELETE FROM {table}")
    for key, dose in enumerate(doses):
        connection.execute("INSERT INTO doses (key, dose_id, full_name) VALUES (?, ?, 'now')", [key, f"D{key}"])
        for place, citizen in enumerate(dose.candidates):
            second = CITIZENS.index(dose.candidates[1]) if place == 0 and len(dose.candidates) > 1 else None
            margin = None if second is None else 1.0
            connection.execute(
                "INSERT INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, 'other', ?)",
                (key, CITIZENS.index(citizen), place + 1, 0.5, 9.0 - place, second, margin, place, dose.machine),
            )
    machine = f"""(
    SELECT key, b.* EXCLUDE (dose_key, decision), coalesce(b.decision, m.decision) AS decision
    FROM (VALUES {", ".join(f"({key}, '{dose.machine}')" for key, dose in enumerate(doses))}) AS m(key, decision)
    LEFT JOIN ({BEST}) AS b ON b.dose_key = key)"""
    connection.register("given_answers", answers_of(doses))
    connection.execute(f"CREATE OR REPLACE TABLE answered AS {compile_answered('given_answers', machine)}")
    connection.unregister("given_answers")
    found = connection.execute("FROM answered ORDER BY dose_key")
    names = [column[0] for column in found.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    listed = connection.execute(compile_contradictions()).fetchall()
    assert len(listed) == len(set(listed))
    return rows, {(row[0], row[-1]) for row in listed}


def answers_of(doses: list[Dose]) -> pa.Table:
    """As a store gives them, and one about a dose that is not there."""
    rows = [
        [f"D{key}", dose.entry, dose.outcome, dose.named, list(dose.shown), record(dose.seen_name)]
        for key, dose in enumerate(doses)
    ]
    rows.append(["elsewhere", 1, "none", None, [], ""])
    return pa.table(
        [pa.array(column, type=field.type) for column, field in zip(zip(*rows, strict=True), ANSWERS, strict=True)],
        schema=ANSWERS,
    )


def record(full_name: str) -> str:
    """The digest of a record that has this name and nothing else."""
    values = ", ".join(f"NULL::VARCHAR AS {column}" for column in SEEN[1:])
    query = f"SELECT {record_digest('d')} FROM (SELECT '{full_name}' AS full_name, {values}) AS d"
    [(digest,)] = duckdb.execute(query).fetchall()
    return str(digest)


def decision(dose: Dose) -> str | None:
    """None: the machine's stands."""
    if dose.outcome == "citizen":
        return "review" if dose.named == GONE else "accept"
    if dose.outcome == "none":
        return "no_match" if dose.best is None or dose.best in dose.shown else None
    return None if dose.changed else "review"


def reasons(dose: Dose) -> Iterator[str]:
    """Why a decision is listed."""
    if dose.outcome in ("citizen", "none"):
        if dose.changed:
            yield "record_changed"
        if dose.named == GONE:
            yield "citizen_gone"
    if dose.machine == "accept":
        if dose.outcome == "citizen" and dose.best != dose.named:
            yield "accepts_another"
        if dose.outcome == "none" and dose.best in dose.shown:
            yield "accepts_rejected"
        if dose.outcome not in ("citizen", "none") and not dose.changed:
            yield "accepts_undecided"
    if dose.machine == "no_match" and (dose.outcome == "citizen" or (dose.outcome != "none" and not dose.changed)):
        yield "no_match"


@given(st.lists(dose(), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_no_machine_overrules_a_human_and_every_difference_is_listed(
    connection: duckdb.DuckDBPyConnection, doses: list[Dose]
) -> None:
    rows, listed = answered(connection, doses)
    assert [row["dose_key"] for row in rows] == list(range(len(doses)))
    assert listed == {(f"D{key}", reason) for key, dose in enumerate(doses) for reason in reasons(dose)}
    for row, dose in zip(rows, doses, strict=True):
        assert row["decision"] == decision(dose)
        assert (row["answered"], row["answer"], row["machine_decision"]) == (dose.entry, dose.outcome, dose.machine)
        accepted = row["decision"] == "accept"
        wanted = dose.named if accepted else dose.best
        assert row["citizen_key"] == (None if wanted is None else CITIZENS.index(wanted))
        if wanted not in dose.candidates:
            assert (row["probability"], row["match_weight"], row["margin"], row["rule"]) == (None, None, None, None)
            continue
        place = dose.candidates.index(wanted)
        assert (row["rule"], row["match_weight"]) == (place, 9.0 - place)
        others = [one for one in dose.candidates if one != wanted]
        assert row["runner_up_key"] == (CITIZENS.index(others[0]) if others else None)
        best_other = dose.candidates.index(others[0]) if others else None
        assert row["margin"] == (None if best_other is None else best_other - place)


def test_a_digest_of_answers_is_theirs_whatever_the_order_of_rows() -> None:
    doses = [Dose(("A",), "review", "citizen", one, ("A",), "now", 1) for one in CITIZENS]
    table = answers_of(doses)
    assert digest_of(table) == digest_of(table.take(list(reversed(range(len(table))))))
    assert digest_of(table) != digest_of(answers_of([*doses[:-1], doses[-1]._replace(entry=2)]))
    assert digest_of(table) != digest_of(answers_of([*doses[:-1], doses[-1]._replace(named="A")]))
    assert digest_of(None) is None
    assert digest_of(ANSWERS.empty_table()) is None


def test_what_a_clerk_sees_of_a_record_is_what_reopens_it() -> None:
    assert set(SEEN) == {column for column, _ in PAIRED.values() if column} | {"injected_on"}


def test_a_value_anywhere_else_is_another_record() -> None:
    values = ", ".join(f"{column} VARCHAR" for column in SEEN)
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE doses (number INTEGER, {values})")
        connection.execute("INSERT INTO doses (number) VALUES (0)")
        for number, column in enumerate(SEEN):
            for value in ("x", "y", ""):
                connection.execute(f"INSERT INTO doses (number, {column}) VALUES (?, ?)", [number, value])
        [(rows, records)] = connection.execute(
            f"SELECT count(*), count(DISTINCT {record_digest('doses')}) FROM doses"
        ).fetchall()
    assert rows == records == 1 + 3 * len(SEEN)
