"""Laws that hold for any text."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from linkage.vietnamese import (
    fold,
    is_foreign,
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
from linkage.vietnamese.text import LETTERS

WORDS = "nguyễn trần lê phạm đặng hòa hoàn thúy quý huỳnh khỏe thị văn đức lan mỹ y thy"
words = st.sampled_from(WORDS.split())
names = st.lists(words, min_size=1, max_size=5).map(" ".join)
# characters that occur in cells, so that random text reaches the rules
cells = st.one_of(
    st.text(max_size=40),
    st.text(
        alphabet=LETTERS + LETTERS.upper() + " '’.-()/;0123456789OlSEÐ\u0301\u0323\u00a0\u00ad¬Þ¨¹",
        max_size=30,
    ),
    st.lists(st.one_of(words, st.sampled_from(["Ông", "Bà", "BS.", "H'", "(F0)", "VanA"])), max_size=6).map(" ".join),
)
NUMBERS = [
    "003099012345",
    "3099012345",
    "012345679",
    "B1234567",
    "O03099O12345",
    "0912345678",
    "CMND:",
    "/",
    " ",
]
numbers = st.one_of(
    st.lists(st.sampled_from(NUMBERS), max_size=3).map("".join),
    st.text(alphabet="0123459", min_size=8, max_size=13),
)
dates = st.one_of(
    st.text(alphabet="0123456789/- .", min_size=4, max_size=10),
    st.builds("{}/{}/{}".format, st.integers(0, 32), st.integers(0, 13), st.integers(1899, 2027)),
    st.integers(9_000, 47_000).map(str),
)
cccds = st.builds(
    "{}{}{:02}{:06}".format,
    st.sampled_from(["003", "005", "099"]),
    st.sampled_from("01"),
    st.integers(0, 99),
    st.integers(1, 999_999),
).filter(lambda number: not re.search(r"(.)\1{7}", number))
PARSERS: list[Callable[[str], object]] = [
    parse_name,
    parse_identity_number,
    parse_identity_numbers,
    parse_birth_date,
    parse_address,
    parse_sex,
    parse_phone,
    parse_insurance_number,
    is_foreign,
    fold,
]


@given(st.one_of(cells, numbers, dates))
@settings(deadline=None)  # the first call reads the tables of places
@example("１²٣")
@example("9" * 5000)
def test_no_text_raises(text: str) -> None:
    for parse in PARSERS:
        parse(text)
    resolve_place(text, text, text)


@given(cells)
def test_a_canonical_name_is_its_own_canonical_name(text: str) -> None:
    name = parse_name(text)
    assume(name is not None)
    assert name is not None
    assert parse_name(name.canonical) == name


@given(cells)
def test_parts_make_the_name(text: str) -> None:
    name = parse_name(text)
    assume(name is not None)
    assert name is not None
    assert " ".join(filter(None, (name.surname, name.middle, name.given))) == name.canonical
    assert name.given
    assert len(name.ascii.split(" ")) == len(name.canonical.split(" "))
    assert fold(name.canonical) == name.ascii


@given(names)
def test_a_clean_name_stays(text: str) -> None:
    name = parse_name(text)
    assert name is not None
    assert name.canonical == text


@given(names)
def test_case_and_spaces_do_not_matter(text: str) -> None:
    clean = parse_name(text)
    for typed in (
        text.upper(),
        text.title(),
        f"  {text} ",
        text.replace(" ", "  "),
        text.replace(" ", "\u00a0"),
    ):
        assert parse_name(typed) == clean


@given(cells)
@settings(deadline=None)
def test_composition_does_not_matter(text: str) -> None:
    composed, decomposed = unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)
    assert parse_name(composed) == parse_name(decomposed)
    assert fold(composed) == fold(decomposed)
    assert parse_sex(composed) == parse_sex(decomposed)
    assert resolve_place(composed, None, None) == resolve_place(decomposed, None, None)


@given(cells)
def test_fold_leaves_plain_letters_and_does_so_once(text: str) -> None:
    folded = fold(text)
    assert set(folded) <= set("abcdefghijklmnopqrstuvwxyz ")
    assert folded == " ".join(folded.split())
    assert fold(folded) == folded


TCVN3 = str.maketrans("ươếìị" + "ạăâđữộ", "\u00ad¬Õ×Þ" + "¹¨©®÷é")


TCVN3_WORDS = "hương thị thế tìm mạnh chăn tâm đăng hữu lộc"


@given(st.lists(st.sampled_from(TCVN3_WORDS.split()), min_size=1, max_size=4))
def test_tcvn3_read_as_cp1252_comes_back(syllables: list[str]) -> None:
    text = " ".join([*syllables, "thị"])
    assert parse_name(text.translate(TCVN3)) == parse_name(text)


@given(names)
def test_utf8_read_as_cp1252_comes_back(text: str) -> None:
    mojibake = text.encode().decode("cp1252", errors="ignore")
    assume(mojibake.encode("cp1252") == text.encode())
    assert parse_name(mojibake) == parse_name(text)


@given(cccds)
def test_lost_zeros_return(number: str) -> None:
    reading = parse_identity_number(str(int(number)))
    assert (reading.value, reading.kind, reading.repair) == (number, "cccd", "lost_zero")
    assert parse_identity_number(number).value == number


@given(cccds, st.sampled_from([" ", ".", "-", "_"]), st.integers(1, 9))
def test_separators_do_not_matter(number: str, separator: str, place: int) -> None:
    typed = number[:place] + separator + number[place:]
    assert parse_identity_number(typed).value == number


@given(numbers)
def test_a_read_number_reads_as_itself(text: str) -> None:
    reading = parse_identity_number(text)
    assume(reading.kind in {"cccd", "cmnd", "passport"})
    again = parse_identity_number(str(reading.value))
    assert (again.value, again.kind, again.repair) == (reading.value, reading.kind, "none")


@given(st.dates(date(1900, 1, 1), date(2026, 12, 31)))
def test_a_date_is_read_in_every_order(day: date) -> None:
    for typed in (
        f"{day:%Y-%m-%d}",
        f"{day:%d/%m/%Y}",
        f"{day:%d.%m.%Y}",
        f"{day:%Y%m%d}",
        f"{day.day}-{day.month}-{day.year}",
    ):
        born = parse_birth_date(typed)
        assert born is not None
        assert born.value == day.isoformat()
        assert (born.swapped is not None) == (day.day <= 12 and day.day != day.month)


@given(dates)
def test_a_read_birth_date_reads_as_itself(text: str) -> None:
    born = parse_birth_date(text)
    assume(born is not None)
    assert born is not None
    again = parse_birth_date(born.value)
    assert again is not None
    assert (again.value, again.precision, again.month_day) == (born.value, born.precision, born.month_day)


@given(st.integers(0, 99_999_999), st.sampled_from(["+84", "84", "0084", "", "0", "+84 "]))
def test_every_writing_of_a_phone_is_one_number(digits: int, start: str) -> None:
    tail = f"9{digits:08}"
    assume(len(set(tail[1:])) > 1)
    assert parse_phone(start + tail) == "0" + tail
