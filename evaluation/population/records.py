"""Typed records: what a facility wrote down about a person, column by column."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from evaluation.population import name_errors as errors
from evaluation.population import number_errors
from evaluation.population.arrays import Flags, Ints, Texts, change, digits, draw, fold, keep, pick, texts
from evaluation.population.birth_dates import type_birth_dates, write_dates
from evaluation.population.facilities import SLOTS, Facilities
from evaluation.population.people import CHILD, SPOUSE, People
from evaluation.population.places import STYLES, Places
from evaluation.population.registry import World
from evaluation.population.subjects import EXACT, FOREIGN, NO_ID, WRONG
from evaluation.population.typed_numbers import number_mistakes, type_numbers

# what is wrong with a WRONG record is one thing; any flawed record may have a second
WRONG_FIELD = {"name": 0.40, "born": 0.29, "number": 0.31}
SECOND = {"name": 0.07, "born": 0.05}
NAME_ERRORS = {
    errors.plain: 30, errors.misspell: 13, errors.sound_alike: 11, errors.retone: 9, errors.drop_middle: 8,
    errors.annotate: 6, errors.abbreviate: 5, errors.given_first: 3, errors.doublet: 3,
    errors.other_placement: 3, errors.tcvn3: 3, errors.telex: 1, errors.utf8_as_cp1252: 1, errors.glue: 1,
    errors.mothers_surname: 1, errors.saint: 1, errors.code_points: 2, errors.viqr: 0.5, errors.vni_keys: 0.5,
}  # fmt: skip
BIRTH_ERRORS = {
    "swap": 22, "first of January": 20, "year": 13, "digit": 11, "year off": 9, "day off": 8, "two digits": 5,
    "serial": 3, "injection": 1, "relative": 1.5, "lunar": 2, "zeros": 1.5, "impossible": 1, "missing": 2,
}  # fmt: skip
WRONG_SEX, NO_SEX = 0.005, 0.02
PRESENT = {
    "health_insurance_no": 0.30, "phone": 0.88, "province": 0.98, "district": 0.95, "commune": 0.92,
    "address": 0.7, "nationality": 0.5,
}  # fmt: skip
HOME_NATION = {"Việt Nam": 80, "VN": 12, "Việt nam": 7, "Kinh": 1}
NATIONS = (
    "Trung Quốc",
    "Hàn Quốc",
    "Lào",
    "Campuchia",
    "Hoa Kỳ",
    "Nhật Bản",
    "Korea",
    "Ấn Độ",
    "Pháp",
    "Nga",
)


@dataclass(frozen=True, slots=True)
class Authors:
    """Whose records are to be typed: columns as in `Subjects`, and a day on which the person was injected."""

    person: Ints
    kind: Ints
    commune: Ints
    injected: Ints


@dataclass(frozen=True, slots=True)
class Records:
    """Typed columns of the dose table, one entry per record, and the facility that typed each."""

    facility: Ints
    columns: dict[str, Texts]


def type_records(world: World, author: Authors, facilities: Facilities, rng: np.random.Generator) -> Records:
    """Type one record for each author, with the errors its ``kind`` asks for."""
    people, identity, places = world.people, world.identity, world.places
    count, kind = len(author.person), author.kind
    resident = author.person >= 0
    who = np.maximum(author.person, 0)  # what a foreigner borrows from the first resident is replaced below
    relative = _relatives(people)[who]
    field = pick(rng, WRONG_FIELD, count)
    flawed = resident & ((kind == WRONG) | (kind == NO_ID))
    bad_name = ((kind == WRONG) & (field == 0)) | (flawed & (rng.random(count) < SECOND["name"]))
    bad_born = ((kind == WRONG) & (field == 1)) | (flawed & (rng.random(count) < SECOND["born"]))
    bad_numbers = ((kind == WRONG) & (field == 2), kind == NO_ID)
    name_error = np.where(bad_name, pick(rng, NAME_ERRORS, count), -1)
    name_mistake = texts([*(rewrite.__name__ for rewrite in NAME_ERRORS), ""])[name_error]
    birth_mistake = texts([*BIRTH_ERRORS, ""])[np.where(bad_born, pick(rng, BIRTH_ERRORS, count), -1)]
    number_mistake = number_mistakes(bad_numbers, world, who, relative, rng)
    mistakes = (name_mistake, birth_mistake, number_mistake)
    facility, own_commune = facilities.choose(author.commune, mistakes, rng)
    born = type_birth_dates(
        people.born[who], birth_mistake, facilities.date_format[facility], rng,
        year_only=identity.year_only[who], exact=kind == EXACT,
        instead={"injection": author.injected, "relative": people.born[relative]},
    )  # fmt: skip
    phone = "0" + digits(np.where(rng.random(count) < 0.12, people.phone[relative], people.phone[who]), 9)
    others = {
        "relative": identity.number[relative], "phone": phone,
        "company": "03" + digits(facility // SLOTS * 7919 + 12_345_678, 8),
    }  # fmt: skip
    number = type_numbers(number_mistake, who, others, world, rng)
    for share, rewrite in ((0.05, number_errors.old_phone), (0.08, number_errors.phone_format)):
        change(phone, np.flatnonzero(rng.random(count) < share), rewrite, int(rng.integers(2**31)))
    here = np.where(own_commune, facility // SLOTS, author.commune)
    columns = {
        "full_name": _type_names(people.name[who], name_error, facilities.name_style[facility], rng),
        "date_of_birth": born,
        "sex": _sexes(people.sex[who], facilities.sex_style[facility], rng),
        "national_id": number,
        "health_insurance_no": _cards(
            identity.insurance[who], identity.insurance[relative], places.province[author.commune], rng
        ),
        "phone": phone,
        **_write_places(here, facility, facilities, places, rng),
        "address": _write_addresses(people.address[who], author.commune != people.commune[who], rng),
        "nationality": texts(HOME_NATION)[pick(rng, HOME_NATION, count)],
    }
    for column, share in PRESENT.items():
        columns[column] = keep(columns[column], rng.random(count) < share)
    _make_foreign(columns, np.flatnonzero(kind == FOREIGN), author.person, rng)
    return Records(facility, columns)


def _type_names(name: Texts, error: Ints, style: Ints, rng: np.random.Generator) -> Texts:
    """Names with their error; a facility's harmless style is on names without one."""
    typed = name.copy()
    for position, rewrite in enumerate(NAME_ERRORS):
        change(typed, np.flatnonzero(error == position), rewrite, int(rng.integers(2**31)))
    for position, rewrite in enumerate((errors.capitals, errors.decompose, errors.spaced), start=1):
        change(typed, np.flatnonzero((style == position) & (error < 0)), rewrite, int(rng.integers(2**31)))
    return typed


def _relatives(people: People) -> Ints:
    """Each person's relative at home.

    The twin of a second twin, the mother of a child, else the head; for the head the next person.
    """
    count = len(people.role)
    _, start, household = np.unique(people.household, return_index=True, return_inverse=True)
    head = start[household]
    following = np.minimum(head + 1, count - 1)
    at_home = people.household[following] == people.household
    mother = np.where(at_home & (people.role[following] == SPOUSE), following, head)
    others = np.where(people.role == CHILD, mother, head)
    others = np.where((people.twin >= 0) & (people.twin < np.arange(count)), people.twin, others)
    return np.where(others == np.arange(count), np.where(at_home, following, others), others)


def _sexes(sex: Ints, style: Ints, rng: np.random.Generator) -> Texts:
    wrong = rng.random(len(sex)) < WRONG_SEX
    sex = np.where(wrong, 1 - sex, sex)
    written = texts(["Nữ", "Nam", "nữ", "nam", "Nu", "Nam", "F", "M"])[style * 2 + sex]
    return keep(written, rng.random(len(sex)) >= NO_SEX)


def _cards(insurance: Texts, relative: Texts, province: Texts, rng: np.random.Generator) -> Texts:
    """The number alone or the whole card; now and then a relative's or one with a wrong digit."""
    insurance = np.where(rng.random(len(insurance)) < 0.02, relative, insurance)
    wrong = np.flatnonzero(rng.random(len(insurance)) < 0.02)
    change(insurance, wrong, number_errors.wrong_digit, int(rng.integers(2**31)))
    kinds = texts(["GD4", "DN4", "HS4", "TE1", "HT3", "CN3"])[rng.integers(0, 6, len(insurance))]
    return np.where(rng.random(len(insurance)) < 0.7, kinds + province + insurance, insurance)


def _write_places(
    commune: Ints, facility: Ints, facilities: Facilities, places: Places, rng: np.random.Generator
) -> dict[str, Texts]:
    style = facilities.place_style[facility]
    style = np.where(rng.random(len(style)) < 0.06, rng.integers(0, len(STYLES), len(style)), style)
    table = [np.stack([written[level] for written in places.written]) for level in range(3)]
    return {unit: table[level][style, commune] for level, unit in enumerate(("province", "district", "commune"))}


def _write_addresses(address: Texts, moved: Flags, rng: np.random.Generator) -> Texts:
    """As the registry has it, without the first part, without diacritics, or another address altogether."""
    way = draw(rng, np.array([45.0, 20, 20, 15]), len(address))
    distinct, which = np.unique(address.astype(str), return_inverse=True)
    shorter = texts(str(text).rpartition(", ")[2] for text in distinct)[which]
    folded = texts(fold(str(text)) for text in distinct)[which]
    other = address[rng.permutation(len(address))]
    return np.where(moved, other, np.select([way == 0, way == 1, way == 2], [address, shorter, folded], other))


def _make_foreign(columns: dict[str, Texts], where: Ints, person: Ints, rng: np.random.Generator) -> None:
    lists = tomllib.loads(files(__package__).joinpath("data", "names.toml").read_text(encoding="utf-8"))
    which = -1 - person[where]
    own = np.random.default_rng(int(rng.integers(2**31)))
    count = int(which.max(initial=-1)) + 1
    first, last = texts(lists["foreign_givens"]), texts(lists["foreign_surnames"])
    name = last[own.integers(0, len(last), count)] + " " + first[own.integers(0, len(first), count)]
    passport = texts("BCEGMNPX")[own.integers(0, 8, count)] + digits(own.integers(0, 10**8, count), 8)
    columns["full_name"][where] = name[which]
    columns["national_id"][where] = passport[which]
    columns["nationality"][where] = texts(NATIONS)[own.integers(0, len(NATIONS), count)][which]
    columns["phone"][where] = "09" + digits(own.integers(0, 10**8, count), 8)[which]
    born = own.integers(-3_000, 12_000, count)  # 1961 to 2002
    columns["date_of_birth"][where] = write_dates(born, own.integers(0, 2, count))[which]
    columns["sex"][where] = texts(["Nữ", "Nam"])[own.integers(0, 2, count)][which]
    columns["health_insurance_no"][where] = None
    columns["address"][where] = None
