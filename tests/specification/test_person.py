"""The specification ``person``: the level on which a pair of records is, in any script, and words for each of them."""

from collections.abc import Mapping, Sequence

import duckdb
import jellyfish
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.blocking import Budget, compile_pairs, plan_blocking
from linkage.messages import LANGUAGES, catalogue
from linkage.scoring import compared_tables, compile_levels, level_column, pair_columns, with_steps
from linkage.standardise import standardise
from linkage.tables import CITIZENS, DOSES
from models import load

PERSON = load("person")
Record = Mapping[str, str]
Pair = tuple[Record, Record]


def levels_of(pairs: Sequence[Pair]) -> list[dict[str, str]]:
    """Comparison → level, of each pair."""
    with duckdb.connect() as connection:
        compared(connection, pairs)
        relation = (
            f"SELECT l.key AS dose_key, {pair_columns(PERSON)} FROM doses_compared AS l"
            " JOIN citizens_compared AS r ON l.key = r.key"
        )
        columns = ", ".join(level_column(comparison) for comparison in PERSON.comparisons)
        statement = with_steps(relation, compile_levels(PERSON, ("dose_key",)))
        rows = connection.execute(f"{statement} SELECT {columns} FROM levels ORDER BY dose_key").fetchall()
    names = [("missing", *(level.name for level in comparison.levels)) for comparison in PERSON.comparisons]
    return [
        {c.name: named[place] for c, named, place in zip(PERSON.comparisons, names, row, strict=True)} for row in rows
    ]


def compared(connection: duckdb.DuckDBPyConnection, pairs: Sequence[Pair]) -> None:
    for side, schema in enumerate((DOSES, CITIZENS)):
        columns = {column: [pair[side].get(column) for pair in pairs] for column in schema.columns}
        table = pa.table({"key": range(len(pairs)), **{c: pa.array(x, pa.string()) for c, x in columns.items()}})
        connection.register("typed", table)
        connection.execute(f"CREATE TABLE {schema.name} AS FROM typed")
        connection.unregister("typed")
    standardise(connection, {"doses": "doses_standardised", "citizens": "citizens_standardised"})
    compared_tables(connection, PERSON)


NAMES = (
    ("Smith, John", "SMITH JOHN", "identical"),
    ("José Muñoz", "Jose Munoz", "without_accents"),
    ("Łukasz Żółć", "Lukasz Zolc", "without_accents"),
    ("Mary-Jane O'Brien", "obrien mary jane", "words_in_another_order"),
    ("Mary Jane Smith", "Maryjane Smith", "words_run_together"),
    ("Jon Smyth", "John Smyth", "one_letter"),
    ("Jonh Smyth", "John Smyth", "one_letter"),
    ("Jo Smyht", "Jon Smyth", "two_letters"),
    ("John Smith", "John Edward Smith", "words_missing"),
    ("Katherine Smith", "Katie-Lou Smith", "last_word_and_like_first"),
    ("John Smithers", "John Smithersons", "first_word_and_like_last"),
    ("Ann Smith", "John Smith", "last_word"),
    ("John Baker", "John Smith", "first_word"),
    ("John Smith", "Xu Wen", "different"),
    ("王小明", "王 小 明", "identical"),
    ("王小明", "明王小", "words_in_another_order"),
    ("王小明", "王小朋", "one_letter"),
    ("王小明", "李秀英", "different"),
    ("Иванов Пётр", "иванов петр", "without_accents"),
    ("Иванов Петр", "Петр Иванов", "words_in_another_order"),
    ("Иванов Петр", "Иванова Петр", "one_letter"),
    ("Иванов Петр", "Кузнецова Мария", "different"),
    ("محمد بن علي", "محمد علي", "words_missing"),
    ("محمد بن علي", "محمد بن عالي", "one_letter"),
    ("สมชาย ใจดี", "ใจดี สมชาย", "words_in_another_order"),
    ("이영희", "이 영희", "words_run_together"),
    ("राम कुमार", "राम कुमार", "identical"),
    ("12", "John Smith", "different"),
    ("--", "John Smith", "missing"),
)


def test_names_of_any_script() -> None:
    found = levels_of([({"full_name": dose}, {"full_name": citizen}) for dose, citizen, _ in NAMES])
    assert [(*names, level["name"]) for names, level in zip(((a, b) for a, b, _ in NAMES), found, strict=True)] == [
        *NAMES
    ]


NUMBERS = (
    ("5310998", {"citizen_id": "53-109.98"}, "same"),
    ("0005310998", {"citizen_id": "5310998"}, "same"),
    ("qq 12 34 56 c", {"citizen_id": "QQ123456C"}, "same"),
    ("5310998", {"citizen_id": "rec-1", "previous_ids": "77;5310998"}, "same"),
    ("5310989", {"citizen_id": "rec-1", "previous_ids": "5310998"}, "one_digit"),
    ("531", {"citizen_id": "532"}, "different"),
    ("7712043", {"citizen_id": "5310998"}, "different"),
    ("---", {"citizen_id": "5310998"}, "missing"),
    ("", {"citizen_id": "5310998"}, "missing"),
)


def test_numbers() -> None:
    pairs = [
        ({"full_name": "a", "national_id": number or ""}, {"full_name": "a"} | known) for number, known, _ in NUMBERS
    ]
    assert [level["number"] for level in levels_of(pairs)] == [expected for *_, expected in NUMBERS]


def test_a_number_that_comes_with_many_names_says_nothing() -> None:
    pairs = [
        ({"full_name": name, "national_id": "99999"}, {"full_name": name, "citizen_id": "99999"}) for name in "abcdef"
    ]
    assert {level["number"] for level in levels_of(pairs)} == {"missing"}
    assert {level["number"] for level in levels_of(pairs[:4])} == {"same"}


ELSE = (
    ({"phone": "+44 20 7946 0958"}, {"phone": "(020) 7946-0958"}, "phone", "same"),
    ({"phone": "020 7946 0959"}, {"phone": "020 7946 0958"}, "phone", "one_digit"),
    ({"phone": "n/a"}, {"phone": "020 7946 0958"}, "phone", "missing"),
    ({"address": "7 High St", "commune": "Cork"}, {"address": "7, high st., Cork"}, "address", "same"),
    ({"address": "7 Hihg St, Cork"}, {"address": "7 High St, Cork"}, "address", "most_words"),
    ({"address": "9 Hill Rd, Cork"}, {"address": "7 High St, Cork"}, "address", "some_words"),
    ({"address": "北京市建国路1号"}, {"address": "北京市建国路2号"}, "address", "most_words"),
    ({"date_of_birth": "1984-03-12"}, {"date_of_birth": "19840312"}, "birth_date", "same_day"),
    ({"date_of_birth": "1984-12-03"}, {"date_of_birth": "1984-03-12"}, "birth_date", "day_and_month_swapped"),
    ({"date_of_birth": "1984-03-21"}, {"date_of_birth": "1984-03-12"}, "birth_date", "one_digit"),
    ({"date_of_birth": "1984"}, {"date_of_birth": "1984-03-12"}, "birth_date", "same_year_other_unknown"),
    ({"sex": "male"}, {"sex": "F"}, "sex", "different"),
)


def test_addresses_phones_dates_and_sexes() -> None:
    found = levels_of([({"full_name": "a"} | dose, {"full_name": "a"} | citizen) for dose, citizen, *_ in ELSE])
    assert [level[name] for level, (*_, name, _) in zip(found, ELSE, strict=True)] == [level for *_, level in ELSE]


LETTERS = "abcжпо王小明عليใจ"


def slipped(name: str, slips: list[tuple[int, str, str]]) -> tuple[str, str]:
    letters = list(name)
    for at, letter, how in slips:
        place = at % len(letters)
        letters[place : place + 2 * (how == "swap")] = {
            "put": [letter],
            "swap": letters[place : place + 2][::-1],
        }[how]
    return name, "".join(letters)


SLIPS = st.lists(st.tuples(st.integers(0, 8), st.sampled_from(LETTERS), st.sampled_from(("put", "swap"))), max_size=3)


@given(st.lists(st.builds(slipped, st.text(LETTERS, min_size=4, max_size=9), SLIPS), min_size=20, max_size=20))
@settings(max_examples=5, deadline=None)
def test_letters_are_counted_not_bytes(names: list[tuple[str, str]]) -> None:
    found = levels_of([({"full_name": dose}, {"full_name": citizen}) for dose, citizen in names])
    columns = {"full_name": [name for pair in names for name in pair]}
    plain = duckdb.execute(
        f"SELECT {PERSON.columns['plain_name']} FROM (SELECT *, {PERSON.columns['full_name']} AS full_name FROM"
        f" (SELECT {PERSON.columns['name_words']} AS name_words FROM"
        " (SELECT unnest($full_name) AS typed_full_name)))",
        columns,
    ).fetchall()
    near = {"one_letter": 1, "two_letters": 2}
    for level, dose, citizen in zip(found, plain[::2], plain[1::2], strict=True):
        slips = jellyfish.damerau_levenshtein_distance(dose[0], citizen[0])
        if level["name"] in near:
            assert slips == near[level["name"]]
        elif level["name"] in {"words_missing", "last_word", "first_word", "similar", "different"}:
            assert slips > 2


def test_records_without_anything_make_no_pairs_and_rules_stay_within_budgets() -> None:
    people: list[Pair] = [({"full_name": "--"}, {"full_name": "--", "citizen_id": "-"})] * 50
    with duckdb.connect() as connection:
        compared(connection, people)
        plan = plan_blocking(connection, PERSON, Budget())
        assert plan.pairs == plan.pairs_forgone == 0
        statement = f"SELECT count(*) FROM ({compile_pairs(PERSON, plan)})"
        assert connection.execute(statement, {"first": 0, "last": 50}).fetchall() == [(0,)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_has_words(language: str) -> None:
    keys = [f"comparison.{comparison.name}" for comparison in PERSON.comparisons]
    keys += [f"level.{c.name}.{level.name}" for c in PERSON.comparisons for level in c.levels]
    keys += [f"caution.{caution.name}" for caution in PERSON.cautions]
    assert [key for key in keys if not catalogue().get(key, {}).get(language)] == []
