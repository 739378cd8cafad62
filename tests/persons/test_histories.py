"""What two subjects' injections say of their being one person, and the bits that a run gives to it."""

import math
from collections.abc import Iterator, Sequence

import duckdb
import pytest

from linkage.persons.histories import LEVELS, PRIOR, history_levels, learn_histories

Dose = tuple[str | None, int | None]

FIRST, SECOND, THIRD = ("2021-07-01", 1), ("2021-08-01", 2), ("2022-01-01", 3)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("SET threads = 1")
        opened.execute("""
        CREATE TABLE injections (dose_id VARCHAR, day DATE, vaccine VARCHAR, dose_number SMALLINT,
          booster_number SMALLINT, lot VARCHAR, facility VARCHAR, recorded TIMESTAMP)
        """)
        opened.execute("CREATE TABLE dose_subjects (dose_id VARCHAR, subject VARCHAR)")
        opened.execute("CREATE TABLE subjects (subject VARCHAR)")
        opened.execute("CREATE TABLE pairs (subject_l VARCHAR, subject_r VARCHAR)")
        yield opened


def enter(connection: duckdb.DuckDBPyConnection, subject: str, doses: Sequence[Dose]) -> None:
    connection.execute("INSERT INTO subjects VALUES (?)", [subject])
    for number, (day, dose_number) in enumerate(doses):
        dose = f"{subject}-{number}"
        row = [dose, day, "pfizer", dose_number, None, None, f"at {subject}", None]
        connection.execute("INSERT INTO injections VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute("INSERT INTO dose_subjects VALUES (?, ?)", [dose, subject])


def level(connection: duckdb.DuckDBPyConnection, one: Sequence[Dose], other: Sequence[Dose]) -> str:
    enter(connection, "A", one)
    enter(connection, "B", other)
    connection.execute("INSERT INTO pairs VALUES ('A', 'B'), ('B', 'A')")
    history_levels(connection, "pairs", "levels")
    rows = dict(connection.execute("SELECT subject_l, level FROM levels").fetchall())
    assert rows["A"] == rows["B"], "it must not matter who is on the left"
    return str(rows["A"])


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([FIRST], [SECOND], "continues"),
        ([FIRST, THIRD], [SECOND], "continues"),
        ([FIRST, SECOND], [SECOND], "same_injection"),
        ([FIRST], [("2021-07-02", 1)], "same_injection"),
        ([FIRST], [("2021-07-08", 2)], "clash"),
        ([FIRST, SECOND], [("2021-09-15", 2)], "clash"),
        ([SECOND], [("2021-09-01", 1)], "clash"),
        ([FIRST, SECOND], [SECOND, ("2021-07-08", 2)], "clash"),
        ([FIRST], [THIRD], "neutral"),
        ([FIRST], [(None, None)], "neutral"),
        ([(None, None)], [(None, None)], "neutral"),
        ([FIRST], [("2021-08-01", None)], "neutral"),
    ],
)
def test_level_of_two_histories(
    connection: duckdb.DuckDBPyConnection, one: Sequence[Dose], other: Sequence[Dose], expected: str
) -> None:
    assert level(connection, one, other) == expected


def test_without_pairs_the_declared_bits_hold(connection: duckdb.DuckDBPyConnection) -> None:
    learned = learn_histories(connection, "pairs")
    totals = {side: sum(PRIOR[side].values()) for side in PRIOR}
    declared = {name: math.log2(PRIOR["m"][name] / totals["m"] * totals["u"] / PRIOR["u"][name]) for name in LEVELS}
    assert learned == pytest.approx(declared)
    assert learned["continues"] > 0 > learned["clash"]


def test_many_pairs_outweigh_what_was_declared(connection: duckdb.DuckDBPyConnection) -> None:
    # of 3,000 strangers, all of one first dose on one day at their own facility, each two are the same injection
    connection.execute("INSERT INTO subjects SELECT 'S' || lpad(range::VARCHAR, 5, '0') FROM range(3000)")
    connection.execute("INSERT INTO dose_subjects SELECT 'D' || subject, subject FROM subjects")
    connection.execute("""
    INSERT INTO injections
    SELECT 'D' || subject, DATE '2021-07-01', 'pfizer', 1, NULL, NULL, 'at ' || subject, NULL FROM subjects
    """)
    # and of 2,000 pairs that are certain a quarter goes on
    for number, row in enumerate((FIRST, SECOND)):
        connection.execute(
            "INSERT INTO dose_subjects SELECT c || ? || '-' || range, c || range FROM range(500), (VALUES (?)) AS v(c)",
            [number, "AB"[number]],
        )
        connection.execute(
            "INSERT INTO injections SELECT c || ? || '-' || range, ?::DATE, 'pfizer', ?, NULL, NULL, c, NULL"
            " FROM range(500), (VALUES (?)) AS v(c)",
            [number, *row, "AB"[number]],
        )
    connection.execute("INSERT INTO pairs SELECT 'A' || range, 'B' || range FROM range(500)")
    connection.execute("""
    INSERT INTO pairs SELECT 'S' || lpad(range::VARCHAR, 5, '0'), 'S' || lpad((range + 1)::VARCHAR, 5, '0')
    FROM range(1500)
    """)
    learned = learn_histories(connection, "pairs")
    # 2,999 pairs of strangers beside 50 declared, 2,000 certain pairs beside 50
    seen_m = {"continues": 500 + 25, "same_injection": 1500 + 5, "clash": 5, "neutral": 15}
    seen_u = {"continues": 5, "same_injection": 2999 + 5, "clash": 30, "neutral": 10}
    for name in LEVELS:
        expected = math.log2(seen_m[name] / 2050 * 3049 / seen_u[name])
        assert learned[name] == pytest.approx(expected), name


def test_bits_do_not_depend_on_the_order_of_rows(connection: duckdb.DuckDBPyConnection) -> None:
    for number in range(40):
        day = f"2021-{7 + number % 5:02d}-{1 + number % 28:02d}"
        enter(connection, f"S{number}", [(day, 1 + number % 3)])
    before = learn_histories(connection, "pairs")
    for table in ("subjects", "dose_subjects", "injections"):
        connection.execute(f"CREATE OR REPLACE TABLE {table} AS FROM {table} ORDER BY reverse(COLUMNS(*)::VARCHAR)")
    assert learn_histories(connection, "pairs") == before
