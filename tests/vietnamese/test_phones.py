"""Telephone cells with more than one number, or with words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.vietnamese import parse_phone

tails = st.integers(0, 99_999_999).map("{:08}".format).filter(lambda tail: len(set(tail)) > 1)


@given(tails, tails, st.sampled_from(["", " ", "-", ".", "/", " - ", ", ", "\n", " hoặc ", " Zalo ", " (con) "]))
def test_the_first_of_two_numbers_counts(first: str, second: str, between: str) -> None:
    assert parse_phone(f"09{first}{between}03{second}") == f"09{first}"


@given(tails, st.sampled_from(["ĐT: {}", "so {}", "{} (con)", "{} bố", "SĐT mẹ {}", "{}con", "(+84) {}"]))
def test_words_beside_a_number_do_not_matter(tail: str, written: str) -> None:
    assert parse_phone(written.format(f"09{tail}")) == f"09{tail}"


@pytest.mark.parametrize("typed", ["1900 1234", "09123456789", "091234567", "chưa có", "9.12346E+8"])
def test_no_number(typed: str) -> None:
    assert parse_phone(typed) is None
