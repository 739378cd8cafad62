"""Labels as read: what is refused, what is counted, and who stays together."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.errors import UserError
from linkage.tables import LABELS, read_table
from linkage.tables.labels import check_labels
from training.labels import LabelCounts, labelled_keys

Labels = list[tuple[str, str, str, str]]


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Doses D0 to D9, two to a subject but for the last two, which have none; citizens C0 to C9."""
    with duckdb.connect() as connection:
        connection.execute("""
            CREATE TABLE doses AS SELECT i AS key, 'D' || i AS dose_id,
              CASE WHEN i < 8 THEN 'S' || (i // 2) END AS subject_id FROM range(10) AS t(i)
        """)
        connection.execute(
            "CREATE TABLE citizens AS SELECT 100 + i AS key, 'C' || i AS citizen_id FROM range(10) AS t(i)"
        )
        yield connection


def clear(connection: duckdb.DuckDBPyConnection) -> None:
    tables = ("labels", "labels_quarantine", "label_rows", "label_pairs", "label_doses", "labelled", "labelled_doses")
    for table in tables:
        connection.execute(f"DROP TABLE IF EXISTS {table}")


def check(connection: duckdb.DuckDBPyConnection, labels: Labels, folder: Path) -> Path:
    file = folder / "labels.csv"
    text = "".join(",".join(row) + "\n" for row in labels)
    file.write_text(f"dose_id,citizen_id,is_match,weight\n{text}", encoding="utf-8")
    clear(connection)
    read_table(connection, LABELS, str(file))
    check_labels(connection, file)
    return file


GOOD: Labels = [("D0", "C0", "1", ""), ("D0", "C1", "0", "2.5")]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("is_match", value) for value in ("2", "maybe", "-1", "1?")),
        *(("weight", value) for value in ("0", "-1", "nan", "inf", "1e999", "1.1e12", "many", "1.234.5")),
    ],
)
def test_a_value_that_cannot_be_read_is_named_by_row(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, column: str, value: str
) -> None:
    bad = ("D1", "C1", value, "") if column == "is_match" else ("D1", "C1", "1", value)
    with pytest.raises(UserError) as raised:
        check(database, [*GOOD, bad, bad], tmp_path)
    assert raised.value.key == f"labels.bad_{column}"
    assert raised.value.facts == {"path": tmp_path / "labels.csv", "row": 4}
    assert "labels.csv" in str(raised.value)
    assert "4" in str(raised.value)


@pytest.mark.parametrize("number", ["7.9084E+10", "7,9084e+10", "79E+9", " 7.9E+10 "])
@pytest.mark.parametrize("answer", ["1", "0"])
def test_a_citizen_id_that_a_spreadsheet_damaged_is_named_by_row(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, number: str, answer: str
) -> None:
    with pytest.raises(UserError) as raised:
        check(database, [*GOOD, ("D1", f'"{number}"', answer, "")], tmp_path)
    assert raised.value.key == "labels.damaged_citizen_id"
    assert raised.value.facts == {"path": tmp_path / "labels.csv", "row": 4}


@pytest.mark.parametrize("yes", ["1", "1.0", "true", "TRUE", "Yes", "y", "t", "Có", " 1 "])
@pytest.mark.parametrize("no", ["0", "False", "Không"])
def test_a_match_is_written_in_many_ways(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, yes: str, no: str
) -> None:
    check(database, [("D0", "C0", yes, ""), ("D0", "C1", no, "2.5")], tmp_path)
    rows = database.execute("SELECT citizen_id, is_match, weight FROM label_pairs ORDER BY ALL").fetchall()
    assert rows == [("C0", True, 2.5), ("C1", False, 2.5)]


@pytest.mark.parametrize(("value", "key"), [("0", "labels.no_matches"), ("1", "labels.no_non_matches")])
def test_labels_of_one_kind_are_refused(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, value: str, key: str
) -> None:
    with pytest.raises(UserError) as raised:
        check(database, [("D0", "C0", value, ""), ("D1", "C1", value, "")], tmp_path)
    assert raised.value.key == key


def test_a_contradicted_pair_is_no_non_match(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        check(database, [("D0", "C0", "1", ""), ("D1", "C1", "1", ""), ("D1", "C1", "0", "")], tmp_path)
    assert raised.value.key == "labels.no_non_matches"


LABEL = st.tuples(
    st.sampled_from([f"D{number}" for number in range(12)]),
    st.sampled_from([f"C{number}" for number in range(12)]),
    st.sampled_from(("1", "0", "0")),
    st.just("1"),
)


@given(rows=st.lists(LABEL, max_size=30))
@settings(max_examples=25, deadline=None)
def test_every_label_is_used_or_counted_once(
    database: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory, rows: Labels
) -> None:
    labels = [*rows, *GOOD[:1] * 2, ("D1", "C1", "0", ""), ("D10", "C1", "1", ""), ("D1", "C11", "0", "")]
    pairs: dict[tuple[str, str], set[str]] = {}
    for dose, citizen, is_match, _ in labels:
        pairs.setdefault((dose, citizen), set()).add(is_match)
    plain = {pair: kinds for pair, kinds in pairs.items() if len(kinds) == 1}
    if {"1"} not in plain.values() or {"0"} not in plain.values():
        return
    matched: dict[str, set[str]] = {}
    for dose, citizen in (pair for pair, kinds in plain.items() if kinds == {"1"}):
        matched.setdefault(dose, set()).add(citizen)
    two = {dose for dose, citizens in matched.items() if len(citizens) > 1}
    disputed = two | {dose for dose, citizen in pairs if (dose, citizen) not in plain}
    plain = {pair: kinds for pair, kinds in plain.items() if pair[0] not in disputed}
    if {"1"} not in plain.values() or {"0"} not in plain.values():
        return
    check(database, labels, tmp_path_factory.mktemp("labels"))
    counts = labelled_keys(database)
    strangers = {"D10", "D11"} | {dose for dose, citizens in matched.items() if citizens & {"C10", "C11"}}
    known = {pair: kinds for pair, kinds in plain.items() if pair[0] not in strangers and pair[1] not in {"C10", "C11"}}
    assert counts.positives == sum(kinds == {"1"} for kinds in known.values())
    assert counts.negatives == sum(kinds == {"0"} for kinds in known.values())
    assert counts.contradicted == sum(len(kinds) > 1 for kinds in pairs.values())
    assert counts.two_citizens == len(two)
    assert counts.disputed == len(disputed)
    assert counts.unknown_ids == len(plain) - len(known)
    assert counts.unknown_doses == len({dose for dose, _ in pairs} & {"D10", "D11"})
    assert counts.unknown_citizens == len({citizen for _, citizen in pairs} & {"C10", "C11"})
    assert counts.repeated == len(labels) - len(pairs)
    used = database.execute(
        "SELECT d.dose_id, c.citizen_id, is_match FROM labelled JOIN doses AS d ON d.key = dose_key"
        " JOIN citizens AS c ON c.key = citizen_key"
    ).fetchall()
    assert counts.synthetic == 0
    assert sorted(used) == sorted((*pair, kinds == {"1"}) for pair, kinds in known.items())
    doses = database.execute(
        "SELECT d.dose_id, has_citizen FROM labelled_doses JOIN doses AS d ON d.key = dose_key"
    ).fetchall()
    wanted = {dose for dose, _ in plain} - strangers
    assert sorted(doses) == sorted((dose, dose in matched) for dose in wanted)


@pytest.mark.parametrize(("reviewers", "synthetic"), [(("synthetic", " Synthetic "), 2), (("A", "synthetic"), 1)])
def test_labels_that_nobody_gave_are_counted(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, reviewers: tuple[str, str], synthetic: int
) -> None:
    file = tmp_path / "reviewed.csv"
    rows = "".join(
        f"{dose},{citizen},{kind},{reviewer}\n"
        for (dose, citizen, kind, _), reviewer in zip(GOOD, reviewers, strict=True)
    )
    file.write_text(f"dose_id,citizen_id,is_match,reviewer\n{rows}", encoding="utf-8")
    clear(database)
    read_table(database, LABELS, str(file))
    check_labels(database, file)
    assert labelled_keys(database).synthetic == synthetic


def test_a_person_is_the_citizen_a_label_names_else_the_subject_else_the_dose(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    matches: Labels = [("D0", "C7", "1", ""), ("D3", "C7", "1", "")]
    others: Labels = [("D0", "C1", "0", ""), ("D4", "C1", "0", ""), ("D5", "C2", "0", ""), ("D9", "C1", "0", "")]
    check(database, [*matches, *others], tmp_path)
    labelled_keys(database)
    persons = database.execute("SELECT DISTINCT dose_key, person FROM labelled ORDER BY ALL").fetchall()
    assert persons == [(0, "C7"), (3, "C7"), (4, "S2"), (5, "S2"), (9, "D9")]


def file_of(folder: Path, *rows: str, header: str = "dose_id,citizen_id,is_match,weight,reviewer,draw") -> Path:
    file = folder / "labels.csv"
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return file


def counted(connection: duckdb.DuckDBPyConnection, file: Path) -> LabelCounts:
    clear(connection)
    report = read_table(connection, LABELS, str(file))
    check_labels(connection, file, report.files)
    return labelled_keys(connection)


PAIR = ("D0,C0,1,,,", "D0,C1,0,,,")


def test_an_empty_citizen_says_that_the_dose_has_none(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    counts = counted(database, file_of(tmp_path, *PAIR, "D4,,0,3,,", "D9,,0,2,,", "D5,C1,0,4,,"))
    assert (counts.none, counts.positives, counts.negatives, counts.unknown_ids) == (2, 1, 2, 0)
    rows = database.execute("FROM labelled_doses ORDER BY dose_key").fetchall()
    assert rows == [(0, 1, True, "C0"), (4, 3, False, "S2"), (5, 4, False, "S2"), (9, 2, False, "D9")]


def test_a_match_with_nobody_is_named_by_file_and_row(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    folder = tmp_path / "rounds"
    folder.mkdir()
    file_of(folder, *PAIR).rename(folder / "a.csv")
    file_of(folder, "D4,C1,0,,,", "D5,,1,,,").rename(folder / "b.csv")
    clear(database)
    report = read_table(database, LABELS, str(folder))
    with pytest.raises(UserError) as raised:
        check_labels(database, folder, report.files)
    assert raised.value.key == "labels.match_of_none"
    assert raised.value.facts == {"path": str(folder / "b.csv"), "row": 3}


def test_to_be_of_someone_and_of_no_one_is_a_contradiction(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    counts = counted(database, file_of(tmp_path, *PAIR, "D4,C2,1,,,", "D4,,0,,,", "D5,,0,,,", "D5,C2,0,,,"))
    assert (counts.two_citizens, counts.disputed, counts.none) == (1, 1, 1)
    assert database.execute("SELECT dose_key FROM labelled_doses ORDER BY ALL").fetchall() == [(0,), (5,)]


@pytest.mark.parametrize("answer", ["", "?", " ? ", "？", '"\u00a0"'])
def test_what_is_undecided_is_left_out_and_counted(
    database: duckdb.DuckDBPyConnection, tmp_path: Path, answer: str
) -> None:
    rows = [f"D0,C2,{answer},,,", f"D4,C1,{answer},,,", f"D4,,{answer},,,", f"D5,C1,{answer},,,", "D5,C2,0,,,"]
    counts = counted(database, file_of(tmp_path, *PAIR, *rows))
    assert (counts.undecided, counts.unanswered, counts.half_answered) == (4, 1, 1)
    assert (counts.positives, counts.negatives) == (1, 2)
    assert database.execute("SELECT dose_key FROM labelled_doses ORDER BY ALL").fetchall() == [(0,), (5,)]


def test_a_dose_carries_the_largest_of_its_weights(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rows = ("D0,C0,1,2,,", "D0,C1,0,5.5,,", "D0,C2,0,,,", "D4,C1,0,,,", 'D5,C1,0,"12,5",,', "D6,C1,0,\u00a03.5,,")
    counts = counted(database, file_of(tmp_path, *rows))
    assert (counts.unequal_weights, counts.missing_weights) == (1, 2)
    weights = database.execute("SELECT dose_key, weight FROM labelled_doses ORDER BY ALL").fetchall()
    assert weights == [(0, 5.5), (4, 1), (5, 12.5), (6, 3.5)]
    assert database.execute("SELECT DISTINCT weight FROM labelled WHERE dose_key = 0").fetchall() == [(5.5,)]


def test_draws_are_averaged_by_their_number_of_doses(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    first = ["D0,C0,1,4,,a", "D0,C1,0,4,,a", "D2,C1,0,4,,a", "D4,C1,0,4,,a"]
    second = ["D0,C0,1,10,,b"]
    counts = counted(database, file_of(tmp_path, *first, *second))
    assert (counts.draws, counts.drawn_again, counts.unequal_weights) == (2, 1, 0)
    weights = database.execute("SELECT dose_key, weight FROM labelled_doses ORDER BY ALL").fetchall()
    assert weights == [(0, 0.75 * 4 + 0.25 * 10), (2, 3), (4, 3)]


def test_a_second_reader_repeats_nothing(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rows = ("D0,C0,1,,A,", "D0,C0,1,,B,", "D0,C0,1,,B,r2", "D0,C1,0,,A,", "D0,C1,0,, a ,")
    counts = counted(database, file_of(tmp_path, *rows))
    assert (counts.repeated, counts.positives, counts.negatives) == (1, 1, 1)


def test_reviewers_who_disagree_and_the_one_who_stands_out(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rows = [
        f"D{dose},C{citizen},{(citizen == dose) ^ (reviewer == 'odd' and citizen > 4)},,{reviewer},"
        for dose in range(10)
        for citizen in range(10)
        for reviewer in (("first", "second") if dose < 5 else ("first", "odd") if dose < 8 else ("second",))
    ]
    counts = counted(database, file_of(tmp_path, *rows))
    assert counts.reviewers_disagree == 15
    assert counts.contradicted == 15
    assert counts.odd_reviewers == 1
    calm = [row for row in rows if not row.endswith("odd,")]
    assert counted(database, file_of(tmp_path, *calm)).odd_reviewers == 0
