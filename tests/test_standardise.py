"""Raw tables become comparable columns: the engine and the functions of one value agree, row by row."""

import unicodedata
from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa
import pytest
from duckdb import DuckDBPyConnection
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.standardise import standardise
from linkage.vietnamese import (
    Name,
    fold,
    is_foreign,
    neighbouring_provinces,
    parse_address,
    parse_birth_date,
    parse_identity_number,
    parse_identity_numbers,
    parse_insurance_number,
    parse_name,
    parse_phone,
    parse_sex,
    resolve_place,
)
from linkage.vietnamese.text import compose

DOSE_COLUMNS = (
    *("full_name", "national_id", "date_of_birth", "sex", "phone", "health_insurance_no"),
    *("province", "district", "commune", "address", "nationality", "injected_on", "facility_id"),
)
CITIZEN_COLUMNS = (
    *("citizen_id", "full_name", "previous_ids", "date_of_birth", "phone", "health_insurance_no", "deceased_on"),
)
NEARLY_CLEAN = {
    "national_id": "(0[0-9]{2}[0-9]{9}|[0-9]{9}|[0-9]{8,13}|(0{9}|1{9}|123456789|012345678))(\\.0)?",
    "previous_ids": "([0-9]{9}|0990[0-9]{8})(;([0-9]{9}|[0-9]{12}|000000000|))?",
    "phone": "(0|84|\\+84)?[3579][0-9]{8}|0[35789]0{8}",
    "health_insurance_no": "([A-Z]{2}[0-9]{3})?[0-9]{10}|0{10}|1234567890",
}
ODD_NAMES = ("Ông Nguyễn Văn An", "NGUYỄN THỊ HOÀ", "NguyenVanA", "Lê", "H’ Hen Niê", "12", "王 明", "Ê̆ban Y")
ODD_TEXTS = (
    "14/07/1956",
    "1956",
    "20650",
    "5/6/12",
    "2021-08-09",
    "2021-08-09 10:30:00.5",
    "2021-08-31",
    "2021-02-30",
    "2027-01-01",
    "Nam",
    "nữ",
    "Hà Nội",
    "Quận Ba Đình",
    "Phúc Xá",
    "Việt Nam",
    "Lào",
    "Số 12/3,  Đường LÊ LỢI.",
    "12, ấp 3",
    "...",
)


@pytest.fixture
def connection() -> Iterator[DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("SET threads = 2")
        yield opened


def typed(column: str) -> st.SearchStrategy[str | None]:
    if column == "facility_id":
        return st.sampled_from([None, "CS01", " CS02 "])
    odd = ODD_NAMES if column == "full_name" else ODD_TEXTS
    values = [st.none(), st.sampled_from(odd), st.text(min_size=1, max_size=12).filter(_can_be_read)]
    if column in NEARLY_CLEAN:
        values += [st.from_regex(NEARLY_CLEAN[column], fullmatch=True)] * 2
    return st.one_of(values)


def _can_be_read(text: str) -> bool:
    return bool(text.strip()) and "\0" not in text


def rows(columns: Sequence[str]) -> st.SearchStrategy[list[tuple[str | None, ...]]]:
    return st.lists(st.tuples(*map(typed, columns)), min_size=5, max_size=15)


def load(
    connection: DuckDBPyConnection, table: str, columns: Sequence[str], values: Sequence[Sequence[str | None]]
) -> None:
    keys = pa.array(range(0, 3 * len(values), 3), pa.int64())
    texts = [pa.array([row[i] for row in values], pa.string()) for i in range(len(columns))]
    connection.register("loaded", pa.table([keys, *texts], names=["key", *columns]))
    connection.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM loaded")
    connection.unregister("loaded")


def standardised(connection: DuckDBPyConnection, table: str) -> list[dict[str, object]]:
    found = connection.execute(f"SELECT * FROM {table}_standardised ORDER BY key")
    names = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def expected(key: int, row: dict[str, str | None]) -> dict[str, object]:
    """What the functions of one value say of a raw row."""
    name = parse_name(row.get("full_name") or "") or in_other_letters(row.get("full_name") or "")
    typed_number = row.get("national_id")
    number = parse_identity_number(typed_number) if typed_number else None
    born = parse_birth_date(row.get("date_of_birth") or "")
    place = resolve_place(row.get("province"), row.get("district"), row.get("commune"))
    address = parse_address(row.get("address") or "")
    former = parse_identity_numbers(row.get("previous_ids") or "")
    return {
        "key": key,
        "name": name and name.canonical,
        "name_ascii": name and name.ascii,
        "name_sound": name and name.sound,
        "name_doublet": name and name.doublet,
        "surname": name and name.surname,
        "middle": name and name.middle,
        "given": name and name.given,
        "surname_ascii": name and (fold(name.surname) or name.surname),
        "middle_ascii": name and (fold(name.middle) or name.middle),
        "given_ascii": name and (fold(name.given) or name.given),
        "id": number and number.value,
        "id_kind": number and number.kind,
        "id_repair": number and number.repair,
        "id_sex": number and number.sex,
        "id_birth_year": number and number.birth_year,
        "id_province": number and number.province,
        "former_ids": former + ([number.second] if number and number.second else []),
        "born": born and born.value,
        "born_year": born and born.year,
        "born_month_day": born and born.month_day,
        "born_swapped": born and born.swapped,
        "born_precision": born and born.precision,
        "born_readings": list(born.readings) if born else [],
        "born_solar": list(born.solar) if born else [],
        "sex": parse_sex(row.get("sex") or ""),
        "phone": parse_phone(row.get("phone") or ""),
        "insurance_no": parse_insurance_number(row.get("health_insurance_no") or ""),
        "province": place.province,
        "district": place.district,
        "commune": place.commune,
        "neighbours": neighbours(place.province),
        "province_2025": place.province_2025,
        "commune_2025": place.commune_2025,
        "address": address and address.home,
        "address_hamlet": address and address.hamlet,
        "foreign_national": bool(row.get("nationality")) and is_foreign(row.get("nationality") or ""),
        "injected_on": day(row.get("injected_on")),
        "deceased_on": day(row.get("deceased_on")),
        "facility": (row.get("facility_id") or "").strip() or None,
    }


def in_other_letters(text: str) -> Name | None:
    """A name without a Latin letter: its words, the same in every spelling."""
    bare = "".join(letter if unicodedata.category(letter)[0] in "LM" else " " for letter in compose(text).lower())
    words = bare.split()
    if not words:
        return None
    whole, surname = " ".join(words), words[0] if len(words) > 1 else ""
    return Name(whole, whole, surname, " ".join(words[1:-1]), words[-1], whole, whole)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("王小明", "王小明"),
        ("王 小明", "王 小明"),
        ("ＩＶＡＮ", "ivan"),
        ("Иванов  Пётр", "иванов пётр"),
        ("محمد بن علي", "محمد بن علي"),
        ("สมชาย ใจดี", "สมชาย ใจดี"),
        ("राम कुमार", "राम कुमार"),
        ("이 영희", "이 영희"),
        ("Γιώργος, 12", "γιώργος"),
        ("李娜 Nguyễn", "nguyễn"),
        ("12345", None),
        ("---", None),
    ],
)
def test_names_of_any_script_are_kept(connection: DuckDBPyConnection, typed: str, name: str | None) -> None:
    load(connection, "doses", ("full_name",), [(typed,)])
    standardise(connection, {"doses": "doses_standardised"})
    [found] = standardised(connection, "doses")
    assert found["name"] == name
    if name and not fold(name):
        assert {found[spelling] for spelling in ("name_ascii", "name_sound", "name_doublet")} == {name}
        assert " ".join(str(found[part]) for part in ("surname", "middle", "given") if found[part]) == name


def neighbours(province: str | None) -> list[str] | None:
    return sorted(there for here, there in neighbouring_provinces() if here == province) or None


def day(cell: str | None) -> str | None:
    found = parse_birth_date(cell or "")
    return found.value if found and found.precision == "day" else None


@given(doses=rows(DOSE_COLUMNS), citizens=rows(CITIZEN_COLUMNS))
@settings(max_examples=15, deadline=None)
def test_engine_and_functions_agree(
    doses: list[tuple[str | None, ...]], citizens: list[tuple[str | None, ...]]
) -> None:
    with duckdb.connect() as connection:
        load(connection, "doses", DOSE_COLUMNS, doses)
        load(connection, "citizens", CITIZEN_COLUMNS, citizens)
        standardise(connection, {"doses": "doses_standardised", "citizens": "citizens_standardised"})
        for table, columns, values in (
            ("doses", DOSE_COLUMNS, doses),
            ("citizens", CITIZEN_COLUMNS, citizens),
        ):
            raw = [dict(zip(columns, row, strict=True)) for row in values]
            renamed = [{"national_id": row.get("citizen_id"), **row} for row in raw]
            found = standardised(connection, table)
            assert found == [expected(key * 3, row) for key, row in enumerate(renamed)]


def test_row_order_and_thread_count_do_not_matter(connection: DuckDBPyConnection) -> None:
    values = [(name, f"{number}") for name in ODD_NAMES for number in (3099012345, 271449999, "O03099O12345")]
    load(connection, "doses", ("full_name", "national_id"), values)
    connection.execute("CREATE OR REPLACE TABLE backwards AS SELECT * FROM doses ORDER BY key DESC")
    standardise(connection, {"doses": "doses_standardised"})
    connection.execute("SET threads = 1")
    standardise(connection, {"backwards": "backwards_standardised"})
    connection.execute("SET threads = 2")
    assert standardised(connection, "backwards") == standardised(connection, "doses")


def test_both_tables_have_the_same_columns_and_every_row_once(connection: DuckDBPyConnection) -> None:
    load(connection, "doses", ("full_name",), [("Nguyễn Văn An",)] * 5_000 + [(None,)])
    load(connection, "citizens", ("citizen_id", "full_name"), [("003099012345", "Nguyễn Văn An")])
    standardise(connection, {"doses": "doses_standardised", "citizens": "citizens_standardised"})
    shapes = [connection.execute(f"DESCRIBE {table}_standardised").fetchall() for table in ("doses", "citizens")]
    assert shapes[0] == shapes[1]
    counted = connection.execute("SELECT count(*), count(DISTINCT key), count(name) FROM doses_standardised")
    assert counted.fetchone() == (5_001, 5_001, 5_000)


def test_nothing_is_left_behind_and_progress_ends(connection: DuckDBPyConnection) -> None:
    load(connection, "doses", ("full_name",), [("Nguyễn Văn An",)])
    before = connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY ALL").fetchall()
    told: list[tuple[str, float, float]] = []
    standardise(connection, {"doses": "again"}, progress=lambda *told_now: told.append(told_now))
    after = connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY ALL").fetchall()
    assert after == sorted([*before, ("again",)])
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert told[-1][1] == told[-1][2]
    with pytest.raises(duckdb.CatalogException):
        connection.execute("SELECT standardise_name('An')")
