"""Doses: events of each profile, those entered twice, and the table as typed."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from evaluation.population.arrays import Flags, Ints, Texts, digits, draw, keep, pick, texts, years
from evaluation.population.birth_dates import write_dates
from evaluation.population.facilities import ORDINARY, SLOTS, Facilities
from evaluation.population.people import People
from evaluation.population.records import Authors, type_records
from evaluation.population.registry import World
from evaluation.population.subjects import CLASSES, FOREIGN, Subjects

RETYPED = 0.06  # doses whose facility typed the person anew
DAY = {
    name: int(np.datetime64(date, "D").astype(np.int64))
    for name, date in (
        ("start", "2021-03-08"), ("summer", "2021-07-15"), ("children", "2021-11-01"), ("end", "2022-08-31"),
    )
}  # fmt: skip
WAYS = 6  # of spelling a vaccine
VACCINES = {  # weight of the first dose, days to the second, spellings
    "AstraZeneca": (
        38, 70, "AstraZeneca|COVID-19 Vaccine AstraZeneca|Astra Zeneca|AZ|Vaxzevria|astrazeneca"
    ),
    "Pfizer": (28, 24, "Pfizer|Comirnaty|Pfizer-BioNTech|PFIZER|Comirnaty (Pfizer)|Pfizer/BNT162b2"),
    "Vero Cell": (23, 25, "Vero Cell|Verocell|Sinopharm|VERO CELL|Vero-Cell|Sinopharm (Vero Cell)"),
    "Moderna": (8, 28, "Moderna|Spikevax|MODERNA|Moderna (Spikevax)|Spikevax (Moderna)|Modena"),
    "Abdala": (2, 14, "Abdala|ABDALA|Abdala (Cuba)|abdala|Abdala|AICA Abdala"),
    "Sputnik V": (0.6, 21, "Sputnik V|Gam-COVID-Vac|SPUTNIK V|Sputnik|Sputnik-V|Sputnik V"),
    "Hayat-Vax": (0.3, 25, "Hayat-Vax|Hayat Vax|HAYAT-VAX|Hayat - Vax|Hayat-Vax|HayatVax"),
    "Janssen": (0.1, 60, "Janssen|Johnson & Johnson|JANSSEN|J&J|Janssen|Janssen (J&J)"),
}  # fmt: skip
DOSE_NUMBER = ("{}", "Mũi {}", "mũi {}", "Lần {}")


@dataclass(frozen=True, slots=True)
class Doses:
    """The dose table and, in step with it, the position of the person (negative for a foreigner)."""

    table: pa.Table
    person: Ints
    duplicate_of: Texts


def inject(count: int, doubled: int, subjects: Subjects, world: World, rng: np.random.Generator) -> Doses:
    """Exactly ``count`` rows, ``doubled`` of them entered a second time by another facility."""
    facilities = Facilities.found(world.places, rng)
    subject = np.repeat(np.arange(len(subjects.doses)), subjects.doses)
    ordinal, injected, vaccine = _events(subjects, subject, world.people, rng)

    source = np.sort(rng.choice(len(subject), doubled, replace=False))
    retyped = np.flatnonzero(rng.random(len(subject)) < RETYPED)
    author = np.concatenate([np.arange(len(subjects.doses)), subject[retyped], subject[source]])
    anew = pick(rng, CLASSES, len(author))
    kind = subjects.kind[author]
    kind = np.where((np.arange(len(author)) >= len(subjects.doses)) & (kind != FOREIGN), anew, kind)
    first_day = injected[np.minimum(np.searchsorted(subject, author), len(subject) - 1)]
    authors = Authors(subjects.person[author], kind, subjects.commune[author], first_day)
    records = type_records(world, authors, facilities, rng)
    record = subject.copy()
    record[retyped] = len(subjects.doses) + np.arange(len(retyped))
    record = np.concatenate([record, len(subjects.doses) + len(retyped) + np.arange(doubled)])

    again = np.concatenate([np.arange(len(subject)), source])
    entered_twice = np.arange(count) >= len(subject)
    profile = np.where(entered_twice, _other_profile(subjects, subject[again], rng), subject[again])
    facility = _where_injected(records.facility[record], entered_twice, rng)
    day = injected[again] + np.where(entered_twice, rng.integers(-2, 3, count), 0)
    order = rng.permutation(count)
    ids = np.empty(count, dtype=object)
    ids[order] = "D" + digits(np.arange(1, count + 1), 9)
    style = facilities.date_format[facility]
    number = texts(form.format(n) for form in DOSE_NUMBER for n in range(30))
    habit = np.where(facility % 7 == 0, facility % len(DOSE_NUMBER), 0)
    profile_no = "S" + digits(rng.permutation(len(subjects.doses)) + 1, 9)
    columns = {
        "dose_id": ids,
        "subject_id": profile_no[profile],
        **{field: typed[record] for field, typed in records.columns.items()},
        "dose_number": number[habit * 30 + ordinal[again]],
        "vaccine": _spell(vaccine[again], facility, rng),
        "lot_number": _lots(vaccine[again], day, entered_twice, rng),
        "injected_on": write_dates(day, style),
        "facility_id": "CS" + digits(facility, 6),
        "recorded_at": write_dates(day + rng.geometric(0.4, count) - 1, np.ones(count, dtype=np.int64)),
    }  # fmt: skip
    table = pa.table({field: pa.array(column[order], pa.string()) for field, column in columns.items()})
    primary = keep(ids[again], entered_twice)
    return Doses(table, subjects.person[subject[again]][order], primary[order])


def _events(subjects: Subjects, subject: Ints, people: People, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
    """Number, day and vaccine of every dose; the doses of a person follow one another over all profiles."""
    person = subjects.person[subject]
    _, start, which, held = np.unique(person, return_index=True, return_inverse=True, return_counts=True)
    ordinal = np.arange(len(person)) - start[which]
    age = np.where(person >= 0, 2022 - years(people.born[np.maximum(person, 0)]), 40)[start]
    weight = np.array([entry[0] for entry in VACCINES.values()])
    pfizer = list(VACCINES).index("Pfizer")
    first = np.where(age < 18, pfizer, draw(rng, weight, len(start)))
    second_gap = np.array([entry[1] for entry in VACCINES.values()])[first] + rng.integers(0, 15, len(start))
    opening = np.clip(rng.normal(DAY["summer"] + 30, 45, len(start)).astype(np.int64), DAY["start"], DAY["end"])
    opening = np.where(age < 18, DAY["children"] + rng.integers(0, 60, len(start)), opening)
    later = rng.integers(95, 170, len(person))
    step = np.select([ordinal == 0, ordinal == 1], [0, second_gap[which]], later)
    total = np.cumsum(step)
    elapsed = total - total[start][which]
    last = elapsed[start + held - 1]
    opening -= np.maximum(0, opening + last - DAY["end"])
    booster = draw(rng, np.array([20.0, 60, 5, 15, 0, 0, 0, 0]), len(person))
    mixed = rng.random(len(person)) < 0.1
    vaccine = np.where((ordinal >= 2) | ((ordinal == 1) & mixed), booster, first[which])
    return np.minimum(ordinal, 28) + 1, opening[which] + elapsed, vaccine


def _other_profile(subjects: Subjects, subject: Ints, rng: np.random.Generator) -> Ints:
    """The person's other profile where there is one, half the time."""
    before = np.maximum(subject - 1, 0)
    after = np.minimum(subject + 1, len(subjects.person) - 1)
    person = subjects.person[subject]
    other = np.where(
        (subjects.person[after] == person) & (after != subject), after,
        np.where(subjects.person[before] == person, before, subject),
    )  # fmt: skip
    return np.where(rng.random(len(subject)) < 0.5, other, subject)


def _where_injected(typed_at: Ints, entered_twice: Flags, rng: np.random.Generator) -> Ints:
    """Mostly where the record was typed; else an ordinary facility of the commune."""
    other = typed_at // SLOTS * SLOTS + rng.integers(0, ORDINARY, len(typed_at))
    elsewhere = (rng.random(len(typed_at)) < 0.25) & ~entered_twice
    return np.where(elsewhere, other, typed_at)


def _spell(vaccine: Ints, facility: Ints, rng: np.random.Generator) -> Texts:
    spellings = np.stack([texts(entry[2].split("|")) for entry in VACCINES.values()])
    way = np.where(rng.random(len(vaccine)) < 0.1, rng.integers(0, WAYS, len(vaccine)), facility * 5 % WAYS)
    return spellings[vaccine, way]


def _lots(vaccine: Ints, day: Ints, entered_twice: Flags, rng: np.random.Generator) -> Texts:
    """A lot of the vaccine for a week or two; blank where entered twice and now and then otherwise."""
    code = vaccine * 100 + np.maximum(0, day - DAY["start"]) // 10
    table = texts(f"{'APVMBSHJ'[n // 100]}{'ABCXYZ'[n % 6]}{(n * 7919) % 9000 + 1000}" for n in range(800))
    return keep(table[code], ~entered_twice & (rng.random(len(day)) > 0.04))
