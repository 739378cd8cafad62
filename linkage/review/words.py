"""A case in the words of a clerk: why it is in review, what speaks for and against a candidate, and the answers."""

import re
from collections.abc import Mapping
from functools import cache, lru_cache

from linkage.explain import FIELDS, evidence, why, worded
from linkage.messages import catalogue, say, word
from linkage.review.accounts import FACILITY
from linkage.review.cases import Candidate, Case, Dose, Outcome, Relative
from linkage.vietnamese.units import rows

__all__ = [
    "doses",
    "for_and_against",
    "household",
    "in_review_because",
    "line",
    "outcome",
    "reasons",
    "recorded_words",
    "registry_words",
    "unit_name",
    "variants",
]

LEVELS = ("province", "district", "commune")
TOLD = 0.1
"""Bits: what weighs less says nothing."""
DATES = frozenset({"date_of_birth", "deceased_on"})
SEXES = ("F", "M")
ISO_DAY = re.compile(r"\d{4}-\d\d(-\d\d)?")
Registry = dict[str, str | None]


def reasons(case: Case, language: str) -> tuple[str, ...]:
    """Why the case is in review, then what speaks for its best candidate and against."""
    best = max(case.candidates, key=lambda candidate: candidate.probability, default=None)
    return (*in_review_because(case, language), *(for_and_against(best, language) if best else ()))


def in_review_because(case: Case, language: str) -> tuple[str, ...]:
    """Why the machine did not decide, without its figures: they would sway who reads."""
    if not case.candidates:
        return (_said("explain.forgone", language),)
    probabilities = sorted((candidate.probability for candidate in case.candidates), reverse=True)
    told = why({**case.decision, "decision": "review"}, probabilities)
    return tuple(_said(key, language, **worded(facts, language)) for key, facts in told)


def for_and_against(candidate: Candidate, language: str) -> tuple[str, ...]:
    """What speaks for a candidate and what against, the heaviest first."""
    # what is no comparison of fields corrects the weights of others: a clerk would misread it
    weighed = [(name, bits) for name, bits in candidate.bits.items() if name in FIELDS and abs(bits) >= TOLD]
    said = [(name, candidate.levels[name], bits) for name, bits in weighed]
    return tuple(say(key, language, **worded(facts, language)) for key, facts in evidence(said))


def outcome(name: Outcome, language: str, *, number: int | None = None, field: str | None = None) -> str:
    """What may be answered.

    Args:
        name: the outcome.
        language: ``en`` or ``vi``.
        number: of the candidate, where the outcome is one.
        field: what the facility is asked for, where the outcome is to send back.
    """
    text = say(f"review.outcome.{name}", language)
    if number is not None:
        return f"{number}: {text}"
    return f"{text}: {line(field, language)}" if field else text


def line(name: str, language: str) -> str:
    """The words of a line of a case, one of ``linkage.review.cases.PAIRED``."""
    return say(f"review.field.{name}", language)


def recorded_words(record: Mapping[str, str | None]) -> dict[str, str | None]:
    """The columns of a record as typed, with names for codes of units where they are certain."""
    return {**record, **_units(*(record.get(level) or "" for level in LEVELS))}


def registry_words(registry: Mapping[str, str | None], recorded: Mapping[str, str | None], language: str) -> Registry:
    """The columns of a citizen as a clerk would write them beside the record: names for codes, dates as in the record.

    What is not certain stays as it is: a code without its province, a date that is none.
    """
    words_of = {**registry, **_units(*(registry.get(level) or "" for level in LEVELS))}
    if (sex := registry.get("sex")) in SEXES:
        words_of["sex"] = say(f"review.sex.{sex}", language)
    for column in DATES & registry.keys():
        if not ISO_DAY.fullmatch(recorded.get(column) or ""):
            words_of[column] = _day(registry.get(column))
    return words_of


@lru_cache(maxsize=1 << 14)
def _units(province: str, district: str, commune: str) -> dict[str, str]:
    """Names of units whose codes stand one inside the other: of 2021 with a district, of July 2025 without."""
    provinces, districts, communes, communes_2025 = _names()
    if district in districts and districts[district][1] == province:
        names = {"province": provinces[province][0], "district": districts[district][0]}
        inside = commune in communes and communes[commune][1] == district
        return {**names, "commune": communes[commune][0]} if inside else names
    if not district and commune in communes_2025 and communes_2025[commune][1] == province:
        return {"province": provinces[province][1], "commune": communes_2025[commune][0]}
    return {}


@cache
def _names() -> tuple[dict[str, tuple[str, str]], ...]:
    """Code → name and code of the unit above, of each level; of a province: its names of 2021 and 2025."""
    tables = {
        "provinces": ("code", "name", "name_2025"),
        "districts": ("code", "name", "province"),
        "communes": ("code", "name", "district"),
        "communes_2025": ("code", "name", "province"),
    }
    return tuple({code: (name, above) for code, name, above in rows(table, *of)} for table, of in tables.items())


def doses(case: Case, language: str) -> tuple[str, ...]:
    """The doses of the subject, a line each: those that the answer settles first."""
    numbers = {candidate.citizen_id: number for number, candidate in enumerate(case.candidates, start=1)}
    return tuple(_dose(dose, numbers.get(dose.citizen_id or ""), language) for dose in case.doses)


def household(case: Case, language: str) -> tuple[str, ...]:
    """Who else has the phone or the address, a line each."""
    return tuple(_relative(relative, language) for relative in case.household)


def variants(case: Case, language: str) -> tuple[str, ...]:
    """What other doses of the subject say otherwise, a line for each column."""
    return tuple(
        say("review.variant", language, field=word(f"field.{column}", language), values=" / ".join(values))
        for column, values in case.variants.items()
        if values
    )


def _said(key: str, language: str, **facts: object) -> str:
    """A reason as it is told to who knows that all cases are in review."""
    own = key.replace("explain.", "review.because.", 1)
    text = say(own if own in catalogue() else key, language, **facts)
    rest = text.removeprefix(say("review.because.prefix", language)).lstrip()
    return rest[:1].upper() + rest[1:]


def _dose(dose: Dose, candidate: int | None, language: str) -> str:
    facts = [_day(dose.injected_on), dose.vaccine, dose.lot_number]
    facts += [say("review.dose.number", language, number=dose.dose_number)] if dose.dose_number else []
    facts += [say("review.dose.facility", language, facility=dose.facility_id)] if dose.facility_id else []
    told = ", ".join(fact for fact in facts if fact) or say("review.dose.unknown", language)
    if dose.in_case:
        return told
    if dose.citizen_id is None:
        state = say("review.dose.other", language)
    elif candidate:
        state = say("review.dose.candidate", language, number=candidate)
    else:
        state = say("review.dose.citizen", language, citizen_id=dose.citizen_id)
    return f"{told} ({state})"


def _relative(relative: Relative, language: str) -> str:
    sex = say(f"review.sex.{relative.sex}", language) if relative.sex in SEXES else relative.sex
    facts = (relative.full_name, _day(relative.date_of_birth), sex, relative.citizen_id)
    return say(f"review.household.{relative.why}", language, who=", ".join(fact for fact in facts if fact))


def _day(day: str | None) -> str | None:
    """2021-09-01 as 01/09/2021; what is no day in this form as it is."""
    return "/".join(reversed(day.split("-"))) if day and ISO_DAY.fullmatch(day) else day


@cache
def _unit_names() -> dict[str, str]:
    tables = ("communes_2025", "communes", "districts", "provinces")
    return {code: name for table in tables for code, name in rows(table, "code", "name")}


def unit_name(code: str) -> str:
    """The name of a commune (5 digits), district (3) or province (2) of 2021; anything else as it is."""
    return _unit_names().get(code, code.removeprefix(FACILITY))
