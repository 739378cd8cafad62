"""What reviewers decided as labels to train with: each judged pair, and how many doses of the run it stands for."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import func, select

from linkage.errors import UserError
from linkage.reports.reading import connect, open_run, read_manifest
from linkage.store import Reader, Store
from linkage.store.schema import ANSWER, CASE_CONTENT, ENTRY, REVIEW_CASE
from linkage.tables import LABELS, read_table, refuse_to_overwrite, whole
from linkage.tables.labels import dose_weights, type_labels
from linkage.tables.sql import text_literal

__all__ = ["Labelled", "combined", "labels", "post_stratified"]

BANDS = (0.0, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)
"""The least probability of each band of a cell."""

OUTCOMES = ("citizen", "none", "cannot_tell")
"""What says something of the pairs shown; the rest says that the record itself is not fit to judge."""

Notice = tuple[str, dict[str, object]]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Labelled:
    """What was written.

    Attributes:
        rows: of the file.
        doses: with an answer, of the queue and of ``base`` together.
        gained: of them, answered in the queue.
        weight: sum over the doses with an answer: the doses of the run they stand for.
        notices: keys of messages with their facts.
    """

    rows: int
    doses: int
    gained: int
    weight: float
    notices: tuple[Notice, ...]


def labels(
    store: Store, run: Path, *, out: Path, base: str | None = None, force: bool = False, memory: str = "2GB"
) -> Labelled:
    """Write the labels that the answers to the doses in review of a run are, as one draw, see ``linkage train``.

    Of a settled case of the queue every dose in review of the run gets a row for each candidate shown: of outcome
    ``citizen`` 1 for the one named and 0 for the others, of ``none`` 0 for all (where none was shown, for nobody), of
    ``cannot_tell`` a question mark. What was sent back, is of two persons, was undone, is disputed or not yet decided
    gives none; nor does a hidden case or one read again for acceptance sampling.

    The answered doses of a cell, a stratum and a band of probability of the run, stand for all its doses in review
    (post-stratification; Särndal, Swensson and Wretman 1992, sections 7.6 and 15.6): within a cell those not answered
    yet are taken to be like the answered. With ``base`` both samples are one. A cell with n₁ doses of the base alone,
    of base weights w, and n₂ answered ones, of N in all, gives

        N / (n₁ + n₂) · n₁ w / Σw   and   N / (n₁ + n₂),

    each sample estimates the cell, and the mean of both by size does (Hartley 1962, eq. 2.3); a dose in both keeps its
    answer from the queue. Outside review the base stands alone, its weights scaled to the doses of each decision. A
    cell, stratum or decision without any label is taken to be like the rest of what it is part of, so that all weights
    add up to the doses of the run; without ``base`` to those in review.

    Args:
        store: holds the answers.
        run: the folder that ``linkage score`` wrote, of which the queue was made.
        out: the CSV file: ``dose_id, citizen_id, is_match, weight, reviewer, decided_at, draw``.
        base: the labels that the model of the run was trained on; those of doses that are not in the run are left out.
        force: replace ``out``.
        memory: limit of the engine.

    Raises:
        UserError: no finished run, no answer to any of its doses, unreadable ``base``, or ``out`` exists.
    """
    refuse_to_overwrite(out, force=force)
    with connect(memory) as connection:
        open_run(connection, run, ("dose_id", "decision", "stratum", "probability"))
        names = {row[0] for row in connection.execute("DESCRIBE decisions").fetchall()}
        # a run that respects answers no longer has in review what they settled
        in_review = "decision = 'review'" + (" OR answered IS NOT NULL" if "answered" in names else "")
        connection.execute(_PLACED.format(in_review=in_review))
        with store.reading() as reader:
            _load(connection, reader)
        connection.execute(_JUDGED)
        [(gained,)] = connection.execute("SELECT count(*) FROM answered WHERE outcome <> 'cannot_tell'").fetchall()
        if not gained:
            raise UserError("review.labels_none", run=run, store=store.url)
        notices = _add_base(connection, base) if base else [("review.labels_alone", {"doses": gained})]
        doses, weight = _weigh(connection, whole_run=base is not None)
        rows = _write(connection, out, _draw(run))
    return Labelled(rows, doses, gained, weight, tuple(notices))


def combined(
    weight: Floats, answered: NDArray[np.bool_], gained: NDArray[np.bool_], levels: Sequence[tuple[Ints, Ints]]
) -> Floats:
    """Weights of two samples as one: in each cell each counts for as many doses as it has, in proportion to its own.

    Args:
        weight: of each dose in its own sample, shape (doses,), above 0.
        answered: whether the dose counts, shape (doses,).
        gained: whether it is of the queue, shape (doses,); else of the base.
        levels: as of :func:`post_stratified`, the first of them the cells.
    """
    cell, sizes = levels[0]
    base = np.where(gained, -1, cell)
    counted = np.bincount(base[(base >= 0) & answered], minlength=len(sizes))
    return post_stratified(post_stratified(weight, answered, [(base, counted)]), answered, levels)


def post_stratified(weight: Floats, answered: NDArray[np.bool_], levels: Sequence[tuple[Ints, Ints]]) -> Floats:
    """Weights that add up to what is known of each part, from the finest division of the run to the coarsest.

    A part without an answer gets nothing at its own level, and its share, with the rest of the part that holds it, at
    the next; within a part the proportions of the level before are kept.

    Args:
        weight: before, shape (doses,), above 0.
        answered: whether the dose counts, shape (doses,); one that does not is scaled with the others.
        levels: of each level the part of each dose, shape (doses,), -1 where it is in none; and how many doses of the
            run each part has, shape (parts,).
    """
    for part, sizes in levels:
        inside = part >= 0
        sums = np.bincount(part[inside & answered], weight[inside & answered], minlength=len(sizes))
        factor = np.where(sums > 0, sizes / np.where(sums > 0, sums, 1.0), 1.0)
        weight = np.where(inside, weight * factor[part], weight)
    return weight


_BAND = " ".join(f"WHEN probability >= {least!r} THEN {place}" for place, least in reversed(list(enumerate(BANDS))))

_PLACED = f"""
CREATE TABLE placed AS
WITH banded AS (
  SELECT dose_id, {{in_review}} AS in_review, if(in_review, 'review', decision) AS decision,
    coalesce(stratum, '') AS stratum, CASE {_BAND} ELSE -1 END AS band
  FROM decisions WHERE decision <> 'quarantine'
)
SELECT dose_id, in_review,
  CASE WHEN in_review THEN dense_rank() OVER (ORDER BY NOT in_review, stratum, band) - 1 ELSE -1 END AS cell,
  CASE WHEN in_review THEN dense_rank() OVER (ORDER BY NOT in_review, stratum) - 1 ELSE -1 END AS stratum,
  dense_rank() OVER (ORDER BY decision) - 1 AS decision, 0 AS run
FROM banded
"""

_SETTLED = (
    select(ENTRY.c.number, ENTRY.c.actor, ENTRY.c.at, REVIEW_CASE.c.outcome, REVIEW_CASE.c.citizen_id)
    .add_columns(CASE_CONTENT.c.content)
    .select_from(REVIEW_CASE)
    .join(CASE_CONTENT, CASE_CONTENT.c.case_id == REVIEW_CASE.c.case_id)
    .join(
        ENTRY,
        ENTRY.c.number
        == select(func.max(ANSWER.c.entry))
        .where(ANSWER.c.case_id == REVIEW_CASE.c.case_id, ANSWER.c.reading > 0)
        .scalar_subquery(),
    )
    .where(REVIEW_CASE.c.kind == "queue", REVIEW_CASE.c.state == "settled", REVIEW_CASE.c.outcome.in_(OUTCOMES))
)
"""The settled cases of the queue: the entry that decided, who, when, what, and what was shown."""

_SHOWN = """'{"doses": [{"dose_id": "VARCHAR", "in_case": "BOOLEAN"}], "candidates": [{"citizen_id": "VARCHAR"}]}'"""

# of a dose in several settled cases, of this queue and of earlier ones, the last decision holds
_ANSWERED = f"""
INSERT INTO answered
SELECT d.dose_id, number, actor, decided_at, outcome, said, shown FROM (
  SELECT * EXCLUDE (plain), [c.citizen_id FOR c IN plain.candidates] AS shown,
    unnest([d.dose_id FOR d IN plain.doses IF d.in_case]) AS dose_id
  FROM (SELECT * EXCLUDE (content) RENAME (citizen_id AS said), from_json(content, {_SHOWN}) AS plain FROM batch)
) AS d JOIN placed AS p ON p.dose_id = d.dose_id AND p.in_review
"""

_JUDGED = """
CREATE TABLE judged AS
SELECT dose_id, citizen_id, actor AS reviewer, decided_at,
  CASE WHEN outcome = 'cannot_tell' THEN '?' ELSE coalesce(said = citizen_id, false)::INTEGER::VARCHAR END AS is_match
FROM (
  SELECT *, unnest(CASE WHEN len(shown) > 0 THEN shown ELSE [NULL::VARCHAR] END) AS citizen_id FROM answered
);
CREATE TABLE labelled AS
SELECT dose_id, outcome <> 'cannot_tell' AS is_answered, true AS is_gained, 1.0::DOUBLE AS weight FROM answered
"""

# where both have an answer that of the queue holds, where only one has, that one
_BASE = f"""
CREATE TABLE base AS
SELECT w.dose_id, w.weight, s.is_answered FROM ({dose_weights("label_rows")}) AS w
JOIN (SELECT dose_id, bool_or(NOT undecided) AS is_answered FROM label_rows GROUP BY dose_id) AS s USING (dose_id)
JOIN placed USING (dose_id)
WHERE dose_id NOT IN (SELECT dose_id FROM labelled WHERE is_answered);
DELETE FROM labelled WHERE dose_id IN (SELECT dose_id FROM base);
DELETE FROM judged WHERE dose_id IN (SELECT dose_id FROM base);
INSERT INTO labelled SELECT dose_id, is_answered, false, weight FROM base;
INSERT INTO judged
SELECT r.dose_id, r.citizen_id, l.reviewer, l.decided_at,
  CASE WHEN r.undecided THEN '?' ELSE r.is_match::INTEGER::VARCHAR END
FROM label_rows AS r JOIN labels AS l USING (file_no, row) JOIN base ON base.dose_id = r.dose_id
"""


def _load(connection: duckdb.DuckDBPyConnection, reader: Reader) -> None:
    """Make ``answered``: who said what of each dose in review when, by which entry, and which citizens were shown."""
    connection.execute("""
    CREATE TABLE answered (dose_id VARCHAR, number BIGINT, actor VARCHAR, decided_at VARCHAR, outcome VARCHAR,
      said VARCHAR, shown VARCHAR[])
    """)
    names = ("number", "actor", "decided_at", "outcome", "citizen_id", "content")
    for rows in reader.stream(_SETTLED):
        columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        batch = pa.table({name: pa.array(columns[name], _TYPES.get(name, pa.string())) for name in names})
        connection.register("batch", batch)
        connection.execute(_ANSWERED)
        connection.unregister("batch")
    connection.execute("""
    CREATE OR REPLACE TABLE answered AS FROM answered
    QUALIFY row_number() OVER (PARTITION BY dose_id ORDER BY number DESC) = 1
    """)


_TYPES = {"number": pa.int64()}


def _add_base(connection: duckdb.DuckDBPyConnection, base: str) -> list[Notice]:
    """Put the rows of earlier labels beside those of the queue; what could not be read or used is told."""
    table = read_table(connection, LABELS, base)
    type_labels(connection, base, table.files)
    connection.execute(_BASE)
    [(elsewhere,)] = connection.execute("""
    SELECT count(DISTINCT dose_id) FROM label_rows WHERE dose_id NOT IN (SELECT dose_id FROM placed)
    """).fetchall()
    left_out: list[Notice] = [("review.labels_elsewhere", {"doses": elsewhere})] if elsewhere else []
    return [*table.notices, *left_out]


def _weigh(connection: duckdb.DuckDBPyConnection, *, whole_run: bool) -> tuple[int, float]:
    """Make ``weights``, ``dose_id, weight``; returns the doses with an answer and the sum of their weights."""
    divisions = ("cell", "stratum", "decision", *(["run"] if whole_run else []))
    sizes = {name: _sizes(connection, name) for name in divisions}
    found = connection.sql("FROM labelled JOIN placed USING (dose_id) ORDER BY dose_id").to_arrow_table()
    weight, answered, gained = (found[name].to_numpy() for name in ("weight", "is_answered", "is_gained"))
    parts = {name: found[name].to_numpy() for name in divisions}
    weight = np.round(combined(weight, answered, gained, [(parts[name], sizes[name]) for name in divisions]), 6)
    connection.register("weighed", pa.table({"dose_id": found["dose_id"], "weight": weight}))
    connection.execute("CREATE TABLE weights AS FROM weighed")
    connection.unregister("weighed")
    return int(answered.sum()), float(weight[answered].sum())


def _sizes(connection: duckdb.DuckDBPyConnection, division: str) -> Ints:
    """Doses of the run in each part of a division, by the number of the part."""
    rows = connection.execute(
        f"SELECT count(*) FROM placed WHERE {division} >= 0 GROUP BY {division} ORDER BY {division}"
    ).fetchnumpy()
    return np.asarray(rows["count_star()"], dtype=np.int64)


def _write(connection: duckdb.DuckDBPyConnection, out: Path, draw: str) -> int:
    with whole(out) as part:
        [(rows,)] = connection.execute(f"""
        COPY (
          SELECT dose_id, citizen_id, is_match, weight, reviewer, decided_at, {text_literal(draw)} AS draw
          FROM judged JOIN weights USING (dose_id) ORDER BY ALL
        ) TO {text_literal(str(part))} (FORMAT csv, HEADER)
        """).fetchall()
    return int(rows)


def _draw(run: Path) -> str:
    """A name for the sample: the same for the same inputs and model."""
    manifest = read_manifest(run)
    said = json.dumps([manifest["inputs"], manifest.get("model")], sort_keys=True)
    return f"review {hashlib.sha256(said.encode()).hexdigest()[:12]}"
