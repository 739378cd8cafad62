"""A synthetic Vietnamese population: citizens, dose records as typed, the truth, and labels.

How a small sample is made as hard as the nation. In a nation of 98 million an exact match on name, birth
date and sex is right only 50–68 % of the time; in 100,000 people drawn at random such namesakes hardly
exist. So about 42 % of the citizens are put into clusters of two, three or four persons of the same sex and
surname, born within four years of each other, living in different provinces; one of them gives middle name,
given name and birth date to the others. Another 2.1 % share them with one person of the same province but
another commune; within a commune chance alone gives the national rate. Twins and minority groups stay out
of the clusters (the second twin copies the first, who may have namesakes of his own by chance). People
stand in about one commune for every 9,200 of them, a few communes a province, so that a commune has its
true density of twins, siblings and namesakes. The share of pairs with one full name thereby rises by half a namesake
per citizen: it is above the nation's below about 20,000 citizens.

Registry: 0.3 % wrong in name, birth date or sex; 25 % of those born before 1960 hold the year alone; 0.02 %
stand in it twice, under a second number, and the truth names the first. 2 % of the vaccinated are missing
from it. Personal numbers begin with the unassigned province codes 003, 005 and 099.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from evaluation.population.arrays import keep, texts
from evaluation.population.doses import inject
from evaluation.population.labels import draw, hold_apart, label
from evaluation.population.names import vocabulary
from evaluation.population.people import found_households
from evaluation.population.places import settle
from evaluation.population.registry import TWICE_REGISTERED, World, identify, registry_table
from evaluation.population.subjects import ABSENT, ENTERED_TWICE, choose_absent, count_vaccinated, enrol
from evaluation.population.targets import DETAILS, Figure, as_json, as_table, classify, measure
from linkage.errors import UserError
from linkage.progress import Progress, silent
from linkage.tables import refuse_to_overwrite, whole

FEWEST_CITIZENS, MOST_DOSES_A_CITIZEN = 500, 3
STAGES = 5
TABLES = ("citizens", "doses", "truth", "labels")
FILES = frozenset({"targets.json", *(f"{name}.{end}" for name in TABLES for end in ("csv", "parquet"))})
"""What the folder holds; one that holds anything else is never replaced."""

FileFormat = Literal["csv", "parquet"]

__all__ = ["Figure", "PopulationReport", "as_table", "synthesise"]


@dataclass(frozen=True, slots=True)
class PopulationReport:
    """Rows written and the realised figures (`as_table` prints them)."""

    citizens: int
    doses: int
    labels: int
    figures: tuple[Figure, ...]


def synthesise(
    citizens: int,
    doses: int,
    seed: int,
    out: Path,
    *,
    file_format: FileFormat = "csv",
    force: bool = False,
    progress: Progress = silent,
) -> PopulationReport:
    """Write the folder ``out``: citizens, doses, truth, labels (CSV or Parquet) and targets.json.

    ``truth`` has, beside its usual columns, ``labelled``: 1 for the doses of persons held apart for labels,
    which an evaluation leaves out; ``twin``: 1 for those of a twin; and ``details``: how the typed record stands
    against the registry (`targets.DETAILS`). The folder appears whole or not at all; the same arguments give the
    same bytes.

    Raises:
        UserError: ``out`` exists, or fewer than 500 citizens, no dose, or more than three doses a citizen
        are asked for.
    """
    refuse_to_overwrite(out, force=force, ours=FILES)
    if citizens < FEWEST_CITIZENS or not 1 <= doses <= MOST_DOSES_A_CITIZEN * citizens:
        raise UserError("population_size", citizens=citizens, doses=doses, fewest=FEWEST_CITIZENS)
    tables, figures = _tables(citizens, doses, seed, progress)
    with whole(out) as partial:
        _write(tables, figures, partial, file_format)
    progress("synthesise", STAGES, STAGES)
    return PopulationReport(tables["citizens"].num_rows, tables["doses"].num_rows, tables["labels"].num_rows, figures)


def _write(tables: dict[str, pa.Table], figures: tuple[Figure, ...], folder: Path, file_format: FileFormat) -> None:
    folder.mkdir(parents=True)
    for name, table in tables.items():
        if file_format == "csv":
            pa.csv.write_csv(table, folder / f"{name}.csv", pa.csv.WriteOptions(quoting_style="needed"))
        else:
            pa.parquet.write_table(table, folder / f"{name}.parquet")
    (folder / "targets.json").write_text(as_json(figures), encoding="utf-8")


def _tables(citizens: int, doses: int, seed: int, progress: Progress) -> tuple[dict[str, pa.Table], tuple[Figure, ...]]:
    streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(8)]
    vaccinated = count_vaccinated(citizens, doses)
    missing = round(ABSENT * vaccinated)
    persons = citizens - round(TWICE_REGISTERED * citizens) + missing
    places = settle(persons, streams[0])
    people = found_households(persons, places, vocabulary(), streams[1])
    progress("synthesise", 1, STAGES)
    identity = identify(people, places, streams[2])
    absent = choose_absent(people, missing, streams[3])
    world = World(people, identity, places, ~absent)
    subjects = enrol(world, vaccinated, doses - round(doses * ENTERED_TWICE), streams[4])
    progress("synthesise", 2, STAGES)
    injected = inject(doses, round(doses * ENTERED_TWICE), subjects, world, streams[5])
    progress("synthesise", 3, STAGES)
    immune = np.isin(np.arange(persons), injected.person)
    registry = registry_table(world, immune, citizens, streams[6])

    who = np.maximum(injected.person, 0)
    known = (injected.person >= 0) & ~absent[who]
    columns = {
        "dose_id": injected.table["dose_id"],
        "citizen_id": pa.array(keep(identity.number[who], known), pa.string()),
        "person_id": pa.array([f"P{p:09d}" if p >= 0 else f"F{-p:09d}" for p in injected.person.tolist()]),
        "duplicate_of": pa.array(injected.duplicate_of, pa.string()),
        "twin": pa.array(((injected.person >= 0) & (people.twin[who] >= 0)).astype(np.int64)),
    }
    progress("synthesise", 4, STAGES)
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        classify(connection, registry, injected.table, pa.table(columns))
        twins = int(((people.twin >= 0) & ~absent).sum()) / 2 / citizens
        figures = measure(connection, twins)
        seen = [row[0] for row in connection.execute("SELECT class FROM seen ORDER BY dose_id").fetchall()]
    held = hold_apart(injected.person, streams[7])
    drawn, weights = draw(injected, texts(seen), held, world, streams[7])
    labels = label(injected, drawn, weights, world)
    details = [DETAILS[name] for name in seen]
    truth = pa.table(columns | {"labelled": pa.array(held.astype(np.int64)), "details": pa.array(details)})
    return {"citizens": registry, "doses": injected.table, "truth": truth, "labels": labels}, figures
