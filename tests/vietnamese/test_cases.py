"""The table of cases, which a clerk can extend."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from linkage.vietnamese import (
    is_foreign,
    parse_address,
    parse_birth_date,
    parse_identity_number,
    parse_insurance_number,
    parse_name,
    parse_phone,
    parse_sex,
    resolve_place,
)
from linkage.vietnamese.sounds import doublet_key, sound_key
from linkage.vietnamese.syllables import Syllable, parse_syllable

CASES: dict[str, list[list[Any]]] = yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("typed", "canonical", "plain"), CASES["names"])
def test_name(typed: str, canonical: str | None, plain: str | None) -> None:
    name = parse_name(typed)
    assert (name and name.canonical, name and name.ascii) == (canonical, plain)


@pytest.mark.parametrize(("typed", "surname", "middle", "given"), CASES["name_parts"])
def test_name_parts(typed: str, surname: str, middle: str, given: str) -> None:
    name = parse_name(typed)
    assert name is not None
    assert (name.surname, name.middle, name.given) == (surname, middle, given)


@pytest.mark.parametrize(("one", "other", "sound", "doublet"), CASES["alike"])
def test_alike(one: str, other: str, sound: bool, doublet: bool) -> None:
    assert (sound_key(one) == sound_key(other)) is sound
    assert (doublet_key(one) == doublet_key(other)) is doublet


@pytest.mark.parametrize(("word", "parts"), [(case[0], case[1:]) for case in CASES["syllables"]])
def test_syllable(word: str, parts: list[str]) -> None:
    assert parse_syllable(word) == (Syllable(*parts) if parts else None)


@pytest.mark.parametrize(("typed", "value", "kind", "repair"), CASES["identity_numbers"])
def test_identity_number(typed: str, value: str | None, kind: str, repair: str) -> None:
    number = parse_identity_number(typed)
    assert (number.value, number.kind, number.repair) == (value, kind, repair)


@pytest.mark.parametrize(("typed", "sex", "birth_year", "province"), CASES["holders"])
def test_holder(typed: str, sex: str | None, birth_year: int | None, province: str | None) -> None:
    number = parse_identity_number(typed)
    assert (number.sex, number.birth_year, number.province) == (sex, birth_year, province)


@pytest.mark.parametrize(("typed", "value", "precision", "swapped", "repair"), CASES["birth_dates"])
def test_birth_date(typed: str, value: str, precision: str, swapped: str | None, repair: str) -> None:
    born = parse_birth_date(typed)
    found = (born.value, born.precision, born.swapped, born.repair) if born else (None,) * 4
    assert found == (value, precision, swapped, repair)


@pytest.mark.parametrize(("typed", "readings", "solar"), CASES["other_birth_dates"])
def test_other_birth_dates(typed: str, readings: list[str], solar: list[str]) -> None:
    born = parse_birth_date(typed)
    assert born is not None
    assert (list(born.readings), list(born.solar)) == (readings, solar)


@pytest.mark.parametrize(("typed", "sex"), CASES["sexes"])
def test_sex(typed: str, sex: str | None) -> None:
    assert parse_sex(typed) == sex


@pytest.mark.parametrize(("typed", "number"), CASES["phones"])
def test_phone(typed: str, number: str | None) -> None:
    assert parse_phone(typed) == number


@pytest.mark.parametrize(("typed", "number"), CASES["insurance_numbers"])
def test_insurance_number(typed: str, number: str | None) -> None:
    assert parse_insurance_number(typed) == number


@pytest.mark.parametrize(("typed", "foreign"), CASES["foreign_nationalities"])
def test_foreign_nationality(typed: str, foreign: bool) -> None:
    assert is_foreign(typed) is foreign


@pytest.mark.parametrize(("typed", "codes"), [(case[:3], case[3:]) for case in CASES["places"]])
def test_place(typed: list[str | None], codes: list[str | None]) -> None:
    place = resolve_place(*typed)
    assert [place.province, place.district, place.commune] == codes


@pytest.mark.parametrize(("typed", "home", "hamlet"), CASES["addresses"])
def test_address(typed: str, home: str | None, hamlet: str | None) -> None:
    address = parse_address(typed)
    assert (address and address.home, address and address.hamlet) == (home, hamlet)
