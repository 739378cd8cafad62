"""Laws of addresses: however a part is written, it is the same part."""

import unicodedata
from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st

from linkage.vietnamese import parse_address
from linkage.vietnamese.text import without_marks

numbers = st.integers(1, 400)
names = st.sampled_from(["Lê Lợi", "Đông Thành", "Hùng Vương", "Nà Lốc", "Phương Mai", "Tố Hữu", "Lạng Sơn"])
ways = st.randoms(use_true_random=False)
WRITTEN = {
    "thôn {}": ("thôn {}", "Thôn {}", "THÔN {}", "thon {}", "thôn số {}"),
    "ấp {}": ("ấp {}", "Ấp {}", "ap {}", "ấp số {}"),
    "khu phố {}": ("khu phố {}", "KP {}", "KP{}", "Kp. {}", "khu pho {}"),
    "tổ {}": ("tổ {}", "Tổ {}", "to {}", "tổ số {}"),
    "đội {}": ("đội {}", "Đội {}", "doi {}"),
    "số {}": ("số {}", "Số nhà {}", "SN {}", "sn{}", "nhà số {}", "so {}", "{}"),
}
UNITS = ("", ", xã Hải Anh", ", Xã Hải Anh, Huyện Hải Hậu, Tỉnh Nam Định", ", X. Hải Anh, H. Hải Hậu", ", P.7, Q.5")


@given(st.text(max_size=40))
def test_marks_case_and_composition_do_not_matter(text: str) -> None:
    address = parse_address(text)
    for typed in (unicodedata.normalize("NFD", text), f" {text}  "):
        assert parse_address(typed) == address


@given(st.sampled_from(["số", "đội", "tổ"]), st.sampled_from(["thôn", "ấp", "khu phố"]), numbers, numbers, ways)
def test_every_writing_of_a_home_is_one(small: str, large: str, one: int, other: int, ways: Random) -> None:
    plain = parse_address(f"{small} {one}, {large} {other}")
    assert plain is not None
    written = [
        ways.choice(WRITTEN[f"{kind} {{}}"]).format(f"{number:02}" if ways.random() < 0.5 else number)
        for kind, number in ((small, one), (large, other))
    ]
    typed = ways.choice([", ", " - ", " ", " , "]).join(written) + ways.choice(UNITS)
    assert parse_address(typed) == plain
    assert parse_address(without_marks(typed)) == plain
    assert plain.home.endswith(f" {plain.hamlet}")
    assert parse_address(f"{large} {other}") == type(plain)(str(plain.hamlet), plain.hamlet)


@given(names, numbers, st.sampled_from(["", "đường ", "Đ. ", "phố "]), st.sampled_from(UNITS), ways)
def test_every_writing_of_a_house_in_a_street_is_one(
    name: str, number: int, street: str, units: str, ways: Random
) -> None:
    house = ways.choice(WRITTEN["số {}"]).format(number)
    address = parse_address(f"{house} {street}{name}{units}")
    assert address is not None
    assert (address.home, address.hamlet) == (f"{number} {without_marks(name)}", without_marks(name))
    if street or name != "Phương Mai":  # without marks it looks like a ward
        assert parse_address(f"{house}, {street}{name}{units}") == address
    assert parse_address(address.home) == address


@given(st.text(alphabet="aáđôx pqthsn.,-/0123(\n", max_size=20))
def test_an_address_is_words_and_numbers(text: str) -> None:
    address = parse_address(text)
    assume(address is not None)
    assert address is not None
    assert set(address.home) <= set("abcdefghijklmnopqrstuvwxyz0123456789/ ")
    assert address.home == " ".join(address.home.split())
