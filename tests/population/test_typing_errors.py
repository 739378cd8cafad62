"""Laws of single typing errors."""

import unicodedata
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.population import name_errors as errors
from evaluation.population import number_errors
from evaluation.population.arrays import fold
from evaluation.population.records import NAME_ERRORS

NAMES = ("Nguyễn Văn An", "Trần Thị Thu Hương", "H'Bia Niê", "Lý Mỹ", "Đặng Hòa", "K' Brèo Sré", "Y Blưnh")
names = st.sampled_from(NAMES)
numbers = st.builds("{}{:09d}".format, st.sampled_from(["003", "005", "099"]), st.integers(0, 10**9 - 1))
seeds = st.integers(0, 10**6)


@settings(max_examples=40, deadline=None)
@given(names, seeds)
def test_every_name_error_leaves_a_name(name: str, seed: int) -> None:
    for rewrite in NAME_ERRORS:
        typed = rewrite(name, Random(seed))
        assert typed.strip()
        assert typed == rewrite(name, Random(seed))


@settings(max_examples=40, deadline=None)
@given(names, seeds)
def test_errors_of_spelling_change_the_name_itself(name: str, seed: int) -> None:
    for rewrite in (errors.retone, errors.misspell, errors.sound_alike, errors.drop_middle):
        typed = unicodedata.normalize("NFC", rewrite(name, Random(seed)))
        assert typed != name


@settings(max_examples=40, deadline=None)
@given(names, seeds)
def test_harmless_forms_keep_the_name(name: str, seed: int) -> None:
    assert fold(errors.plain(name, Random(seed))) == fold(name)
    assert unicodedata.normalize("NFC", errors.decompose(name, Random(seed))) == name
    assert errors.spaced(name, Random(seed)).lower().split() == name.lower().split()


@settings(max_examples=60, deadline=None)
@given(numbers, seeds)
def test_errors_in_numbers_do_what_they_say(number: str, seed: int) -> None:
    wrong = number_errors.wrong_digit(number, Random(seed))
    assert sum(a != b for a, b in zip(number, wrong, strict=True)) == 1
    swapped = number_errors.transpose(number, Random(seed))
    assert swapped != number
    assert len(swapped) == 12
    assert number_errors.lose_zeros(number, Random(seed)).zfill(12) == number
    assert len(number_errors.drop_digit(number, Random(seed))) == 11
    assert len(number_errors.extra_digit(number, Random(seed))) == 13
    assert number in number_errors.two_numbers(number, Random(seed))
    assert number_errors.look_alike(number, Random(seed)) != number
    assert number in "".join(c for c in number_errors.number_format(number, Random(seed)) if c.isdigit())


@pytest.mark.parametrize(
    ("rewrite", "name", "typed"),
    [
        (errors.tcvn3, "Nguyễn Thị Hương", "NguyÔn ThÞ H\u00ad¬ng"),
        (errors.utf8_as_cp1252, "Nguyễn", "Nguyá»…n"),
        (errors.telex, "Nguyễn", "Nguyeenx"),
        (errors.telex, "Đức", "DDuwcs"),
        (errors.vni_keys, "Nguyễn", "Nguye6n4"),
        (errors.viqr, "Nguyễn", "Nguye^~n"),
        (errors.glue, "Nguyễn Văn An", "NguyễnVănAn"),
        (errors.given_first, "Nguyễn Văn An", "An Nguyễn Văn"),
        (number_errors.old_phone, "0701234567", "01201234567"),
        (number_errors.exponent, "079084123456", "7.9084E+10"),
    ],
)
def test_known_forms(rewrite: errors.Rewrite, name: str, typed: str) -> None:
    assert rewrite(name, Random(1)) == typed
