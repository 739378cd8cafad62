"""How good a folder of ``persons build`` is, measured against truth: merged subjects, twins, duplicate doses."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from evaluation.intervals import Share, share
from linkage.errors import UserError
from linkage.intervals import TAIL, gamma_high, gamma_low
from linkage.reports.reading import connect, open_file
from linkage.tables import TRUTH, read_table

__all__ = ["DuplicateFigures", "PersonFigures", "PersonsEvaluation", "measure_persons"]

OF_BUILD = {
    "persons": ("person_id", "citizen_id"),
    "subjects": ("subject_id", "person_id"),
    "duplicates": ("dose_id", "primary_dose_id"),
    "conflicts": (),
}
PARTS = {"all": "true", "no_citizen": "citizen_id IS NULL", "absent": "absent"}
"""The subjects of each part: all; of persons built without a citizen; of people whom truth does not find registered."""

LONGEST_CHAIN = 20
"""Steps of ``duplicate_of`` that are followed to the first entry."""


@dataclass(frozen=True, slots=True)
class PersonFigures:
    """How well subjects were merged. The subjects of a part are compared among themselves.

    The true person of a subject is that of most of its doses (of equals the first by name), that of a built person
    likewise.

    Attributes:
        subjects: in the part.
        mixed_subjects: of them, those that hold doses of several true persons.
        precision: pairs of subjects in one built person that are of one true person.
        recall: pairs of subjects of one true person that are in one built person.
        twins_merged: pairs of subjects, both of a twin, of two true persons, in one built person; None when truth says
            of nobody whether he is a twin.
        strangers: doses in a built person that is somebody else, of all doses.
        merged_persons: built persons with subjects of two true persons or more, of built persons.
        split_persons: true persons in two built persons or more, of true persons with two subjects or more.
    """

    subjects: int
    mixed_subjects: int
    precision: Share
    recall: Share
    twins_merged: int | None
    strangers: Share
    merged_persons: Share
    split_persons: Share


@dataclass(frozen=True, slots=True)
class DuplicateFigures:
    """How well entries of one injection were linked, in pairs of doses without direction.

    Two doses linked to one primary are a pair, in what was built and in truth.

    Attributes:
        precision: pairs linked that are of one injection.
        recall: pairs of one injection that are linked.
        second_doses_linked: rows whose dose is another injection of the same person than its primary.
        strangers_linked: rows whose dose is an injection of another person than its primary's.
    """

    precision: Share
    recall: Share
    second_doses_linked: int
    strangers_linked: int


@dataclass(frozen=True, slots=True)
class PersonsEvaluation:
    """A folder of ``persons build`` measured against truth.

    ``parts`` are the keys of `PARTS`. ``labelled_excluded`` doses are of subjects with a labelled dose, ``unknown``
    ones have no person in truth, ``truth_only`` ones are not among the doses of the run; none is in a figure.
    ``conflicts`` are rows for a human to look at. ``without_person`` doses of the run are of a subject that has no
    built person, which must not be; each such subject counts as a person of its own.
    """

    doses: int
    parts: dict[str, PersonFigures]
    duplicates: DuplicateFigures
    conflicts: int
    labelled_excluded: int
    unknown: int
    truth_only: int
    without_person: int

    def as_dict(self) -> dict[str, Any]:
        """Everything as what JSON can hold."""
        return asdict(self)


def measure_persons(
    persons: Path, run: Path, truth: str, columns: Mapping[str, str] | None = None
) -> PersonsEvaluation:
    """Measure what ``persons build`` made against a truth table.

    Subjects of persons whose labels trained the model (``labelled`` = 1) are left out with all their doses, as in
    `evaluation.metrics`: the model has seen their answers, so they would flatter it. A pair of which one side is left
    out is in no figure.

    Shares of pairs are of persons drawn independently, not of pairs: one wrong merge makes many wrong pairs at once.
    So their intervals are those of `linkage.intervals` (Fay and Feuer 1997) for the number of errors, its variance the
    sum over persons of squared errors (built persons for precision, true ones for recall; Σ e²), the upper limit as
    though the next person had the pairs of a typical pair's person, Σ n² / Σ n, all wrong.

    Args:
        persons: the folder that ``linkage persons build`` wrote.
        run: the folder of the run it was built of.
        truth: a table with ``dose_id``, ``person_id`` (empty: the ``citizen_id`` stands for it), ``citizen_id``, and
            optionally ``duplicate_of``, ``twin`` and ``labelled``.
        columns: its header → our column, before the known headers.

    Raises:
        UserError: a folder is not what it should be, the truth table cannot be read or names a dose twice, or nothing
            is left to measure.
    """
    for name in OF_BUILD:
        if not (persons / f"{name}.parquet").is_file():
            raise UserError("persons_evaluation.unfinished", folder=persons, file=f"{name}.parquet")
    with connect() as connection:
        open_file(connection, run, "doses", ("dose_id", "subject_id"))
        for name, needed in OF_BUILD.items():
            open_file(connection, persons, name, needed)
        read_table(connection, TRUTH, truth, columns=columns)
        _refuse_repeats(connection, truth)
        _prepare(connection)
        counts = _row(
            connection, "SELECT count(*), count(*) FILTER (labelled), count(*) FILTER (NOT labelled) FROM known"
        )
        known, labelled, doses = counts
        if not doses:
            problem = "all_labelled" if known else "nothing_in_common"
            raise UserError(f"evaluation_{problem}", truth=truth, run=run, doses=labelled)
        in_run, without_person, truth_only, conflicts = _row(
            connection,
            "SELECT (SELECT count(*) FROM placed), (SELECT count(*) FROM placed WHERE without_person),"
            " (SELECT count(*) FROM truth ANTI JOIN placed USING (dose_id)), (SELECT count(*) FROM conflicts)",
        )
        return PersonsEvaluation(
            doses=doses,
            parts={name: _person_figures(connection, condition) for name, condition in PARTS.items()},
            duplicates=_duplicate_figures(connection),
            conflicts=conflicts,
            labelled_excluded=labelled,
            unknown=in_run - known,
            truth_only=truth_only,
            without_person=without_person,
        )


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Tables of what was built and what is true.

    ``placed``: doses of the run with subject and built person; ``known``: those that truth knows; ``judged``: of them
    what figures count; ``judged_subjects``.
    """
    flag = "lower(coalesce({}, '')) IN ('1', '1.0', 'true')"
    for name, query in {
        "placed": """
            SELECT dose_id, subject, coalesce(person_id, subject) AS person_id, person_id IS NULL AS without_person,
              citizen_id
            FROM (SELECT dose_id, coalesce(nullif(trim(subject_id), ''), dose_id) AS subject FROM doses)
            LEFT JOIN (SELECT subject_id AS subject, person_id FROM subjects) USING (subject)
            LEFT JOIN (SELECT person_id, citizen_id FROM persons) USING (person_id)""",
        "known": f"""
            SELECT p.*, coalesce(t.person_id, t.citizen_id) AS truly, t.citizen_id IS NULL AS absent,
              t.duplicate_of, {flag.format("t.twin")} AS twin,
              bool_or({flag.format("t.labelled")}) OVER (PARTITION BY subject) AS labelled
            FROM placed AS p JOIN truth AS t USING (dose_id) WHERE coalesce(t.person_id, t.citizen_id) IS NOT NULL""",
        "judged": f"""
            WITH RECURSIVE up(dose_id, first, steps) AS (
              SELECT dose_id, duplicate_of, 1 FROM truth WHERE duplicate_of IS NOT NULL
              UNION ALL
              SELECT up.dose_id, duplicate_of, steps + 1 FROM up JOIN truth ON truth.dose_id = up.first
              WHERE duplicate_of IS NOT NULL AND steps < {LONGEST_CHAIN}
            ), firsts AS (SELECT dose_id, arg_max(first, steps) AS first FROM up GROUP BY dose_id)
            SELECT k.*, coalesce(first, dose_id) AS event, coalesce(primary_dose_id, dose_id) AS entry
            FROM known AS k LEFT JOIN firsts USING (dose_id)
            LEFT JOIN (SELECT dose_id, primary_dose_id FROM duplicates) USING (dose_id) WHERE NOT labelled""",
        "judged_subjects": """
            SELECT DISTINCT ON (subject) *, count(*) OVER (PARTITION BY subject) > 1 AS mixed FROM (
              SELECT subject, person_id, citizen_id, truly, bool_and(absent) AS absent, bool_or(twin) AS twin,
                count(*) AS doses
              FROM judged GROUP BY subject, person_id, citizen_id, truly
            ) ORDER BY subject, doses DESC, truly""",
    }.items():  # fmt: skip
        connection.execute(f"CREATE TEMP TABLE {name} AS {query}")


def _person_figures(connection: duckdb.DuckDBPyConnection, condition: str) -> PersonFigures:
    connection.execute(f"CREATE OR REPLACE TEMP TABLE part AS FROM judged_subjects WHERE {condition}")
    subjects, mixed = _row(connection, "SELECT count(*), count(*) FILTER (mixed) FROM part")
    [(merged, several)] = connection.execute(
        "SELECT count(*), count(*) FILTER (persons > 1) FROM"
        " (SELECT count(DISTINCT truly) AS persons FROM part GROUP BY person_id)"
    ).fetchall()
    [(true, split)] = connection.execute(
        "SELECT count(*) FILTER (subjects > 1), count(*) FILTER (persons > 1) FROM"
        " (SELECT count(*) AS subjects, count(DISTINCT person_id) AS persons FROM part GROUP BY truly)"
    ).fetchall()
    doses, strangers = _row(
        connection,
        "SELECT coalesce(sum(doses), 0)::BIGINT, coalesce(sum(doses) - sum(most), 0)::BIGINT FROM ("
        " SELECT sum(doses) AS doses, max(doses) AS most FROM ("
        "  SELECT j.person_id, j.truly, count(*) AS doses FROM judged AS j SEMI JOIN part USING (subject) GROUP BY ALL"
        ") GROUP BY person_id)",
    )
    return PersonFigures(
        subjects=subjects,
        mixed_subjects=mixed,
        precision=_pairs(connection, "part", "person_id", "truly"),
        recall=_pairs(connection, "part", "truly", "person_id"),
        twins_merged=_twins_merged(connection),
        strangers=share(strangers, doses),
        merged_persons=share(several, merged),
        split_persons=share(split, true),
    )


def _twins_merged(connection: duckdb.DuckDBPyConnection) -> int | None:
    """Pairs of subjects of two twins in one built person: all pairs of twins' subjects but those of one true person."""
    [said] = _row(connection, "SELECT count(twin) FROM truth")
    if not said:
        return None
    merged = _pairs(connection, "(FROM part WHERE twin)", "person_id", "truly")
    return merged.total - merged.count


def _duplicate_figures(connection: duckdb.DuckDBPyConnection) -> DuplicateFigures:
    second, strangers = _row(
        connection,
        "SELECT count(*) FILTER (d.truly = p.truly), count(*) FILTER (d.truly <> p.truly)"
        " FROM judged AS d JOIN judged AS p ON p.dose_id = d.entry WHERE d.event <> p.event",
    )
    return DuplicateFigures(
        precision=_pairs(connection, "judged", "entry", "event"),
        recall=_pairs(connection, "judged", "event", "entry"),
        second_doses_linked=second,
        strangers_linked=strangers,
    )


def _pairs(connection: duckdb.DuckDBPyConnection, rows: str, group: str, other: str) -> Share:
    """Pairs of rows alike in ``group`` that are alike in ``other`` too; groups are drawn, see `measure_persons`."""
    right, right_squares, wrong, wrong_squares, pairs, pairs_squares = _row(
        connection,
        "SELECT " + ", ".join(
            f"coalesce(sum({number}), 0)::HUGEINT, coalesce(sum({number} * {number}), 0)::HUGEINT"
            for number in ("agree", "(pairs - agree)", "pairs")
        ) + f""" FROM (
          SELECT sum(held)::HUGEINT * (sum(held) - 1) // 2 AS pairs, sum(held * (held - 1) // 2)::HUGEINT AS agree
          FROM (SELECT {group}, count(*)::HUGEINT AS held FROM {rows} GROUP BY {group}, {other}) GROUP BY {group}
        ) WHERE pairs > 0""",
    )  # fmt: skip
    if not pairs:
        return Share(0, 0, None, 0.0, 1.0)
    rarer_is_wrong = wrong <= right
    seen, variance = (wrong, wrong_squares) if rarer_is_wrong else (right, right_squares)
    low = float(gamma_low(seen, variance, TAIL)) / pairs
    high = min(float(gamma_high(seen, variance, pairs_squares / pairs, TAIL)) / pairs, 1.0)
    if rarer_is_wrong:
        low, high = 1 - high, 1 - low
    return Share(right, pairs, right / pairs, low, high)


def _refuse_repeats(connection: duckdb.DuckDBPyConnection, truth: str) -> None:
    repeats = connection.execute(
        'SELECT dose_id, min("row"), max("row") FROM truth'
        " GROUP BY dose_id HAVING count(*) > 1 ORDER BY min(key) LIMIT 1"
    ).fetchall()
    for dose, first, last in repeats:
        raise UserError("evaluation_truth_repeats", truth=truth, dose=dose, first=first, last=last)


def _row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, ...]:
    [row] = connection.execute(query).fetchall()
    return tuple(row)
