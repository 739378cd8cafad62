"""Typed records: what a facility wrote down about a person, column by column."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from evaluation.population import typing_errors as errors
from evaluation.population.arrays import Flags, Ints, Texts, change, digits, draw, pick, texts
from evaluation.population.birth_dates import type_birth_dates
from evaluation.population.people import CHILD, SPOUSE, People
from evaluation.population.places import STYLES, Places
from evaluation.population.registry import Identity
from evaluation.population.subjects import EXACT, FOREIGN, HABITS, NO_ID, ORDINARY, SLOTS, WRONG

# what is wrong with a WRONG record; one thing, with a second by SECOND
WRONG_FIELD = {"name": 0.40, "born": 0.29, "number": 0.31}
SECOND = {"name": 0.07, "born": 0.05}
NAME_ERRORS = {
    errors.plain: 30, errors.misspell: 13, errors.sound_alike: 11, errors.retone: 9, errors.drop_middle: 8,
    errors.annotate: 6, errors.abbreviate: 5, errors.given_first: 3, errors.doublet: 3, errors.old_placement: 3,
    errors.tcvn3: 3, errors.telex: 2, errors.utf8_as_cp1252: 1, errors.glue: 1, errors.mothers_surname: 1,
    errors.saint: 1,
}  # fmt: skip
BIRTH_ERRORS = {
    "swap": 22, "first of January": 20, "year": 13, "digit": 11, "year off": 9, "day off": 8, "two digits": 5,
    "serial": 3, "injection": 1, "relative": 1.5, "lunar": 2, "zeros": 1.5, "impossible": 1, "missing": 2,
}  # fmt: skip
WRONG_NUMBERS = {"former": 45, "digit": 22, "transposed": 8, "relative": 18, "stranger": 2, "cancelled": 5}
NO_NUMBERS = {
    "missing": 50, "zeros lost": 17, "digit lost": 6, "digit added": 4, "look-alike": 3, "phone": 3, "placeholder": 6,
    "two numbers": 3, "exponent": 2, "company": 3, "insurance": 1, "staff": 2,
}  # fmt: skip
HABIT_OF = {"swap": 1, "zeros lost": 2, "exponent": 2, "first of January": 3, "company": 6, "serial": 7}
WRONG_SEX, NO_SEX = 0.005, 0.02
PRESENT = {"insurance": 0.30, "phone": 0.88, "province": 0.98, "district": 0.95, "commune": 0.92, "address": 0.7,
           "nationality": 0.5}  # fmt: skip
NATIONS = ("Trung Quốc", "Hàn Quốc", "Lào", "Campuchia", "Hoa Kỳ", "Nhật Bản", "Korea", "Ấn Độ", "Pháp", "Nga")


@dataclass(frozen=True, slots=True)
class Facilities:
    """How each facility writes: one entry per commune × slot."""

    date_format: Ints
    name_style: Ints
    sex_style: Ints
    place_style: Ints
    seat: Ints  # per commune: the commune of its district that holds the facilities with a habit

    @classmethod
    def found(cls, places: Places, rng: np.random.Generator) -> "Facilities":
        count = len(places.share) * SLOTS
        _, seat, which = np.unique(places.district, return_index=True, return_inverse=True)
        return cls(
            date_format=draw(rng, np.array([50.0, 25, 10, 10, 5]), count),
            name_style=draw(rng, np.array([72.0, 20, 4, 4]), count),
            sex_style=draw(rng, np.array([70.0, 12, 10, 8]), count),
            place_style=draw(rng, np.array([55.0, 20, 14, 4, 3, 4]), count),
            seat=seat[which].astype(np.int64),
        )


@dataclass(frozen=True, slots=True)
class Records:
    """Typed columns of the dose table, one entry per record, and the facility that typed each."""

    facility: Ints
    columns: dict[str, Texts]


def type_records(
    person: Ints,
    kind: Ints,
    commune: Ints,
    injected: Ints,
    people: People,
    identity: Identity,
    places: Places,
    facilities: Facilities,
    rng: np.random.Generator,
) -> Records:
    """Type one record for each entry of ``person``, with the errors its ``kind`` asks for."""
    count = len(person)
    resident = person >= 0
    who = np.maximum(person, 0)
    relative = _relatives(people)[who]
    field = pick(rng, WRONG_FIELD, count)
    flawed = (kind == WRONG) | (kind == NO_ID)
    extra = {name: flawed & (rng.random(count) < share) for name, share in SECOND.items()}
    bad_name = resident & (((kind == WRONG) & (field == 0)) | extra["name"])
    bad_born = resident & (((kind == WRONG) & (field == 1)) | extra["born"])
    name_error = np.where(bad_name, pick(rng, NAME_ERRORS, count), -1)
    birth_error = np.where(bad_born, pick(rng, BIRTH_ERRORS, count), -1)
    number_error = _number_errors(kind, field, identity, who, rng)
    facility, own_commune = _choose_facilities(commune, name_error, birth_error, number_error, facilities, rng)
    seed = int(rng.integers(2**31))

    name = people.name[who]
    for position, rewrite in enumerate(NAME_ERRORS):
        change(name, np.flatnonzero(name_error == position), rewrite, seed + position)
    style = facilities.name_style[facility]
    for position, tidy in enumerate((errors.look_upper, errors.decompose, errors.spaced), start=1):
        change(name, np.flatnonzero((style == position) & (name_error < 0)), tidy, seed - position)

    born = type_birth_dates(
        people.born[who], people.born[relative], identity.year_only[who], injected,
        texts([*BIRTH_ERRORS, ""])[birth_error], kind == EXACT, facilities.date_format[facility], rng,
    )  # fmt: skip
    phone = "0" + digits(np.where(rng.random(count) < 0.12, people.phone[relative], people.phone[who]), 9)
    number = _numbers(number_error, who, relative, phone, facility, people, identity, rng)
    change(phone, np.flatnonzero(rng.random(count) < 0.05), errors.old_phone, seed)
    change(phone, np.flatnonzero(rng.random(count) < 0.08), errors.phone_format, seed + 1)
    here = np.where(own_commune, facility // SLOTS, commune)
    columns = {
        "full_name": name,
        "date_of_birth": born,
        "sex": _sexes(people.sex[who], facilities.sex_style[facility], rng),
        "national_id": number,
        "health_insurance_no": _cards(identity.insurance[who], places.province[commune], rng),
        "phone": phone,
        **_write_places(here, facility, facilities, places, rng),
        "address": people.address[who],
        "nationality": texts(["Việt Nam", "VN", "Việt nam", "Kinh"])[draw(rng, np.array([80.0, 12, 7, 1]), count)],
    }
    for column, share in PRESENT.items():
        target = "health_insurance_no" if column == "insurance" else column
        columns[target] = np.where(rng.random(count) < share, columns[target], None)
    _make_foreign(columns, np.flatnonzero(kind == FOREIGN), person, rng)
    return Records(facility, columns)


def _relatives(people: People) -> Ints:
    """Each person's relative at home: the mother of a child, the head for the others, the next person for the head."""
    count = len(people.role)
    _, start, household = np.unique(people.household, return_index=True, return_inverse=True)
    head = start[household]
    following = np.minimum(head + 1, count - 1)
    at_home = people.household[following] == people.household
    mother = np.where(at_home & (people.role[following] == SPOUSE), following, head)
    others = np.where(people.role == CHILD, mother, head)
    return np.where(others == np.arange(count), np.where(at_home, following, others), others)


def _number_errors(kind: Ints, field: Ints, identity: Identity, who: Ints, rng: np.random.Generator) -> Texts:
    count = len(kind)
    wrong = texts(WRONG_NUMBERS)[pick(rng, WRONG_NUMBERS, count)]
    wrong = np.where((wrong == "former") & (identity.former[who] == ""), "relative", wrong)
    wrong = np.where((wrong == "cancelled") & (identity.cancelled[who] == ""), "digit", wrong)
    wrong = np.where((identity.cancelled[who] != "") & (rng.random(count) < 0.5), "cancelled", wrong)
    none = texts(NO_NUMBERS)[pick(rng, NO_NUMBERS, count)]
    return np.select([(kind == WRONG) & (field == 2), kind == NO_ID], [wrong, none], "")


def _choose_facilities(
    commune: Ints,
    name_error: Ints,
    birth_error: Ints,
    number_error: Texts,
    facilities: Facilities,
    rng: np.random.Generator,
) -> tuple[Ints, Flags]:
    """An ordinary facility of the commune, or one of the district whose habit is the error; and who types its own commune."""
    count = len(commune)
    habit = np.full(count, -1)
    rewrites = list(NAME_ERRORS)
    habit[name_error == rewrites.index(errors.plain)] = 0
    habit[np.isin(name_error, [rewrites.index(errors.tcvn3), rewrites.index(errors.utf8_as_cp1252)])] = 5
    births = texts([*BIRTH_ERRORS, ""])[birth_error]
    for error, code in HABIT_OF.items():
        habit[(births == error) | (number_error == error)] = code
    habit[rng.random(count) > 0.8] = -1
    own = (habit < 0) & (rng.random(count) < 0.04)
    habit[own] = HABITS.index("own commune")
    ordinary = commune * SLOTS + rng.integers(0, ORDINARY, count)
    return np.where(habit >= 0, facilities.seat[commune] * SLOTS + ORDINARY + habit, ordinary), own


def _numbers(
    error: Texts,
    who: Ints,
    relative: Ints,
    phone: Texts,
    facility: Ints,
    people: People,
    identity: Identity,
    rng: np.random.Generator,
) -> Texts:
    number = identity.number[who]
    seat = facility // SLOTS
    whole = {
        "former": identity.former[who], "cancelled": identity.cancelled[who], "relative": identity.number[relative],
        "phone": phone, "insurance": identity.insurance[who], "company": "03" + digits(seat * 7919 + 12_345_678, 8),
        "staff": "NV" + digits(rng.integers(1, 5000, len(who)), 5),
        "stranger": _stranger(identity.number)[who],
    }  # fmt: skip
    for name, column in whole.items():
        number = np.where(error == name, column, number)
    number[error == "missing"] = None
    alone = (error == "relative") & (relative == who)
    rewrites = {
        "digit": errors.wrong_digit, "transposed": errors.transpose, "zeros lost": errors.lose_zeros,
        "digit lost": errors.drop_digit, "digit added": errors.extra_digit, "look-alike": errors.look_alike,
        "placeholder": errors.placeholder, "two numbers": errors.two_numbers, "exponent": errors.exponent,
    }  # fmt: skip
    for name, rewrite in rewrites.items():
        where = (error == name) | (alone if name == "digit" else False)
        change(number, np.flatnonzero(where), rewrite, int(rng.integers(2**31)))
    tidy = (error == "") & (rng.random(len(who)) < 0.05)
    change(number, np.flatnonzero(tidy), errors.number_format, int(rng.integers(2**31)))
    return number


def _stranger(numbers: Texts) -> Texts:
    """The number nearest by value: same prefix, sex and year."""
    order = np.argsort(numbers.astype("U12"), kind="stable")
    result = numbers.copy()
    result[order[:-1]] = numbers[order[1:]]
    return result


def _sexes(sex: Ints, style: Ints, rng: np.random.Generator) -> Texts:
    wrong = rng.random(len(sex)) < WRONG_SEX
    sex = np.where(wrong, 1 - sex, sex)
    written = texts(["Nữ", "Nam", "nữ", "nam", "Nu", "Nam", "F", "M"])[style * 2 + sex]
    return np.where(rng.random(len(sex)) < NO_SEX, None, written)


def _cards(insurance: Texts, province: Texts, rng: np.random.Generator) -> Texts:
    kinds = texts(["GD4", "DN4", "HS4", "TE1", "HT3", "CN3"])[rng.integers(0, 6, len(insurance))]
    return np.where(rng.random(len(insurance)) < 0.7, kinds + province + insurance, insurance)


def _write_places(
    commune: Ints, facility: Ints, facilities: Facilities, places: Places, rng: np.random.Generator
) -> dict[str, Texts]:
    style = facilities.place_style[facility]
    style = np.where(rng.random(len(style)) < 0.06, rng.integers(0, len(STYLES), len(style)), style)
    table = [np.stack([written[level] for written in places.written]) for level in range(3)]
    return {unit: table[level][style, commune] for level, unit in enumerate(("province", "district", "commune"))}


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
    columns["health_insurance_no"][where] = None


