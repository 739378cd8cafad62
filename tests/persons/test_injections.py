"""What a dose says of its injection: cells a clerk, a spreadsheet and an attacker would type."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.persons.injections import make_injections, read_dose_number, read_lot
from linkage.persons.vaccines import parse_vaccines, read_vaccines

COLUMNS = ("injected_on", "vaccine", "dose_number", "lot_number", "facility_id", "recorded_at")
CAMPAIGN = """
generic = ["vaccine"]
blank = ["unknown"]
[unknown]
same_injection_days = 0
least_days = 1
[[vaccine]]
code = "one"
disease = "covid19"
spellings = ["First one"]
same_injection_days = 2
least_days = 17
least_days_to_other = 17
"""


def injections(rows: Sequence[Mapping[str, str | None]], columns: Sequence[str] = COLUMNS) -> list[dict[str, Any]]:
    """The table ``injections`` of doses typed so, by dose_id D0, D1, ..."""
    typed = {column: pa.array([row.get(column) for row in rows], pa.string()) for column in columns}
    with duckdb.connect() as connection:
        connection.register("doses", pa.table({"dose_id": [f"D{number}" for number in range(len(rows))], **typed}))
        make_injections(connection)
        found = connection.execute("FROM injections ORDER BY len(dose_id), dose_id")
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@settings(deadline=None, max_examples=15)
@given(st.lists(st.fixed_dictionaries({column: st.none() | st.text() for column in COLUMNS}), min_size=1, max_size=20))
def test_any_text_gives_a_row_a_dose(rows: list[dict[str, str | None]]) -> None:
    found = injections(rows)
    assert [row["dose_id"] for row in found] == [f"D{number}" for number in range(len(rows))]
    for typed, row in zip(rows, found, strict=True):
        assert row["dose_number"] is None or row["booster_number"] is None
        assert row["day"] is None or 1900 <= row["day"].year <= 2026
        assert row["vaccine"] == read_vaccines().code_of(typed["vaccine"] or "")
        assert row["lot"] == read_lot(typed["lot_number"] or "")


@given(st.text(max_size=300))
def test_space_around_a_cell_does_not_matter(text: str) -> None:
    assert read_vaccines().code_of(text) == read_vaccines().code_of(f"  {text}\t")


@given(
    st.from_regex("[A-KP-Z][B-N][0-9]{4}", fullmatch=True),
    st.sampled_from(["", "Lô ", "Số lô: ", "LOT NO. "]),
    st.sampled_from([" ", "-", ".", "/", "\u200b", ""]),
)
def test_a_lot_however_it_is_written(lot: str, before: str, between: str) -> None:
    assert read_lot(lot) is not None
    assert read_lot(f"{before}{lot[:2]}{between}{lot[2:].lower()}") == read_lot(lot)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        *(
            (text, "astrazeneca")
            for text in ("COVID-19 Vaccine AstraZeneca", "AZ", "vắc xin ASTRA ZENECA", "Astra Zenneca")
        ),
        *(
            (text, "pfizer")
            for text in ("Comirnaty (Pfizer)", "Ｐｆｉｚｅｒ", "Pfizer\u200b", "Pfizer BNT162b2 lọ tím")
        ),
        *((text, "vero_cell") for text in ("Vắc xin Covid-19 Vero Cell, Inactivated", "SINOPHARM", "Vero-Cel")),
        *((text, "janssen") for text in ("J&J", "Johnson & Johnson", "Jansen")),
        *((text, "sputnik_v") for text in ("Gam-COVID-Vac", "Sputnik-V")),
        *((text, "moderna") for text in ("Modena", "Spikevax (Moderna)")),
        *((text, "hayat_vax") for text in ("Hayat - Vax", "Sinopharm (Hayat-Vax)")),
        *((text, "abdala") for text in ("AICA Abdala", "ABDALA")),
        *((text, "rabies") for text in ("Vắc xin dại Verorab", "phòng dại", "Abhayrab")),
        *((text, None) for text in ("", " ", "-", "không rõ", "Vắc xin Covid-19", "N/A", "...", "0")),
        ("Pfizer, Moderna", "pfizer moderna"),
        ("cúm mùa", "cum mua"),
        ("疫苗", "疫苗"),
        ('=HYPERLINK("http://x")', "hyperlink http x"),
        ("Verorabb", "rabies"),
        ("AZZ", "azz"),
    ],
)
def test_vaccines_as_people_write_them(typed: str, code: str | None) -> None:
    assert read_vaccines().code_of(typed) == code


def test_the_names_of_one_vaccine_are_of_no_other() -> None:
    vaccines = read_vaccines()
    for spelling, code in vaccines.spellings.items():
        assert vaccines.code_of(spelling) == code


@pytest.mark.parametrize(
    ("typed", "number", "booster"),
    [
        *((text, 2, None) for text in ("2", "Mũi 2", "Lần 2", "mũi thứ hai", "II", "2.0", "m2", "２")),
        *((text, None, 1) for text in ("mũi nhắc lại 1", "Nhắc lại lần 1", "booster 1")),
        *((text, None, None) for text in ("", "mũi", "1/2", "0", "2021", "-", "=1+1", "nhắc lại", "9" * 20_000)),
    ],
)
def test_dose_numbers(typed: str, number: int | None, booster: int | None) -> None:
    assert read_dose_number(typed) == (number, booster)


@pytest.mark.parametrize(
    ("typed", "lot"),
    [
        *((text, "fg3519") for text in ("FG3519", "fg 3519", "Lô: FG-3519", "Số lô FG3519", "LOT NO. FG3519")),
        ("PCA0O27", "pca0027"),
        ("疫苗", "疫苗"),
        *((text, None) for text in ("", "-", "không có", "000", "N/A")),
    ],
)
def test_lots(typed: str, lot: str | None) -> None:
    assert read_lot(typed) == lot


def test_days_and_times() -> None:
    rows = injections(
        [
            {"injected_on": "05/07/2021", "recorded_at": "2021-07-06 08:35:12.5"},
            {"injected_on": "2021-07-31", "recorded_at": "06/07/2021 8:05"},
            {"injected_on": "07/2021", "recorded_at": "2021-07-06"},
            {"injected_on": "9999-12-31", "recorded_at": "9999-12-31 00:00"},
            {"injected_on": "44382", "recorded_at": "25:99"},
            {"injected_on": None, "recorded_at": None},
        ]
    )
    day = dt.date
    assert [row["day"] for row in rows] == [day(2021, 7, 5), day(2021, 7, 31), None, None, day(2021, 7, 5), None]
    moment = dt.datetime
    assert [row["recorded"] for row in rows] == [
        moment(2021, 7, 6, 8, 35, 12), moment(2021, 7, 6, 8, 5), moment(2021, 7, 6), None, None, None,
    ]  # fmt: skip


def test_columns_that_are_missing_are_blank() -> None:
    [row] = injections([{"injected_on": "2021-07-05"}], columns=("injected_on",))
    assert row.pop("dose_id") == "D0"
    assert row.pop("day") == dt.date(2021, 7, 5)
    assert set(row.values()) == {None}


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("least_days = 17", "least_days = 2"),
        ("least_days_to_other = 17", "least_days_to_other = 2"),
        ("least_days = 17", "least_dayz = 17"),
        ("least_days = 1\n", "least_days = 0\n"),
        ('disease = "covid19"\n', ""),
        ('blank = ["unknown"]', 'blank = ["unknown"]\nblanks = 1'),
    ],
)
def test_vaccines_that_contradict_themselves(line: str, instead: str) -> None:
    assert parse_vaccines(CAMPAIGN).code_of("vaccine first ONE") == "one"
    assert line in CAMPAIGN
    with pytest.raises(ValueError, match=r"\w"):
        parse_vaccines(CAMPAIGN.replace(line, instead))


def test_a_spelling_of_two_vaccines_is_refused() -> None:
    other = CAMPAIGN[CAMPAIGN.index("[[vaccine]]") :].replace('code = "one"', 'code = "two"')
    with pytest.raises(ValueError, match="first one"):
        parse_vaccines(CAMPAIGN + other)
