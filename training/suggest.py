"""Which doses to label next: drawn from a finished run with known inclusion probabilities, written as a review file.

The draw serves two ends. It measures: every cell (decision × stratum × band of probability) has doses enough for an
interval, and no weight is much larger than in a simple random sample, because an error bound without an error seen is
three times the largest weight. It teaches: doses whose decision is uncertain, and doses whose best candidate is on a
level that few labelled matches have shown, are drawn more often. Each end has its share of the sample (``SHARES``), so
that a dose is drawn with the probability

    π = n · Σ_k share_k · size_k / Σ size_k

where size is 1 (in proportion), the cell's mean of √(p(1-p)) (uncertain: Neyman 1934), 1 / the cell's number of doses
(even) and the variance of the best match weight that too few matches leave (rare). The draw is systematic with unequal
probabilities over doses in random order within their cell (Madow 1949; Tillé 2006, chapter 7): its size is fixed and
each π is exact.

Doses of one subject tell much the same: one of them is drawn at most. The subject is drawn with the sum of its doses'
π, then one of its doses with its share of that sum, so that each dose keeps its π. Where the sum exceeds 1, which takes
large samples, the subject's doses are drawn one by one: to hold them to one would enlarge weights.
"""

import glob
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from linkage.errors import UserError
from linkage.reports.reading import connect
from linkage.tables import refuse_to_overwrite
from models import Model, ModelError
from training.review_file import KINDS, write_review_file
from training.vectors import Floats, Ints

SHARES = {"proportional": 0.75, "uncertain": 0.1, "even": 0.08, "rare": 0.07}
"""Of the sample, by what it is for. Three quarters in proportion keep every weight below 4/3 of a random sample's, so
that what is proven of the accepts is hardly less; the last quarter measures and teaches everything else."""

EDGES = (0.01, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999)
"""Ends of the bands of probability of the best candidate."""

WITHOUT_CANDIDATE = 0.01
"""Taken as the probability that a dose without a candidate has a citizen all the same."""

SUBJECT_AT_MOST = 10
"""Doses of one subject; where more carry a subject_id it is no subject but a filler, and they are drawn one by one."""

ONE = 2**40
"""Probabilities are reckoned in parts of this."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The doses to draw from, in random order; all of shape (doses,).

    Attributes:
        cell: number of the dose's cell.
        uncertain: √(p(1-p)) of the best candidate's probability p.
        rare: variance of the best candidate's match weight (natural units) for want of labelled matches.
        subject: doses with the same number are of one subject.
        luck: a random number above 0 and below 1: which dose of a subject.
    """

    cell: Ints
    uncertain: Floats
    rare: Floats
    subject: Ints
    luck: Floats


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the draw; ``low`` to ``high`` is the band of probability, None without a candidate."""

    stratum: int
    decision: str
    evidence: str
    low: float | None
    high: float | None
    doses: int
    drawn: int


@dataclass(frozen=True, slots=True)
class Suggested:
    """What was drawn: doses of how many, rows of the file, the smallest and largest weight, and the cells."""

    drawn: int
    doses: int
    rows: int
    least_weight: float
    largest_weight: float
    cells: tuple[Cell, ...]


def suggest(run: Path, doses: int, out: Path, *, seed: int = 1, language: str = "en", force: bool = False) -> Suggested:
    """Draw doses of a run and write them as a review file that ``linkage train --labels`` reads back.

    Args:
        run: the folder that ``linkage score`` wrote.
        doses: how many to draw.
        out: a ``.csv`` or ``.xlsx`` file, see `training.review_file`.
        seed: the same seed gives the same file.
        language: of the headers that only people read.
        force: replace ``out``.

    Raises:
        UserError: the folder is no finished run, it has fewer doses than are asked for, or ``out`` exists,
            cannot be written, or is no CSV or XLSX file.
    """
    if out.suffix.lower() not in KINDS:
        raise UserError("suggest.kind", path=out)
    refuse_to_overwrite(out, force=force)
    with connect() as connection:
        try:
            read_frame(connection, run, seed)
            draw = _draw_id(run, doses, seed)
        except (OSError, ModelError, RecursionError, ValueError, KeyError, TypeError, duckdb.Error) as error:
            raise UserError("suggest.no_run", path=run) from error
        frame = frame_of(connection)
        if doses > len(frame.cell):
            raise UserError("suggest.too_few", run=run, found=len(frame.cell), asked=doses)
        probability = inclusion(frame, doses)
        start = _uniform(f"{seed}:start")
        chosen = draw_doses(frame, probability, start)
        weight = 1 / probability[chosen]
        connection.register("chosen_numbers", {"number": chosen, "weight": weight})
        connection.execute(
            "CREATE TABLE chosen AS SELECT frame.*, weight FROM frame JOIN chosen_numbers USING (number)"
        )
        connection.unregister("chosen_numbers")
        try:
            rows = write_review_file(connection, out, draw, language)
        except duckdb.BinderException as error:
            raise UserError("suggest.no_run", path=run) from error
        return Suggested(
            len(chosen), len(frame.cell), rows, float(weight.min()), float(weight.max()), _cells(connection)
        )


def read_frame(connection: duckdb.DuckDBPyConnection, run: Path, seed: int) -> None:
    """Make the views ``decisions``, ``candidates``, ``doses``, ``citizens`` of a run, and the table ``frame``.

    ``frame``: ``number`` (from 0, in an order that only the seed decides), ``dose_id``, ``decision``, ``evidence``,
    ``band``, ``cell``, ``subject``, ``uncertain``, ``rare``, ``luck``. Rows in quarantine are no doses.

    Raises:
        OSError, ModelError, duckdb.Error: the folder is no finished run.
    """
    for view in ("decisions", "candidates", "doses", "citizens"):
        connection.read_parquet(glob.escape(str(run / f"{view}.parquet"))).create_view(view)
    edges = ", ".join(map(repr, EDGES))
    # 48 bits of a digest, the engine's hash() would change with its version
    luck = "(('0x' || left(md5($seed || ':luck:' || dose_id), 12))::BIGINT + 0.5) / 281474976710656"
    connection.execute(
        f"""
    CREATE TABLE frame AS
    WITH sized AS (
      SELECT dose_id, subject_id, count(*) OVER (PARTITION BY subject_id) AS of_subject FROM doses
    ), best AS (
      SELECT dose_id, {_rarity(Model.read(run))} AS rare FROM candidates WHERE rank = 1
    ), known AS (
      SELECT dose_id, decision, coalesce(stratum, '') AS evidence, coalesce(rare, 0) AS rare,
        CASE WHEN probability IS NULL THEN -1 ELSE len(list_filter([{edges}], lambda edge: edge <= probability)) END
          AS band,
        coalesce(probability, {WITHOUT_CANDIDATE}) AS p,
        CASE WHEN of_subject <= {SUBJECT_AT_MOST} AND subject_id IS NOT NULL THEN 's' || subject_id
             ELSE 'd' || dose_id END AS subject
      FROM decisions JOIN sized USING (dose_id) LEFT JOIN best USING (dose_id) WHERE decision <> 'quarantine'
    )
    SELECT row_number() OVER (ORDER BY md5($seed || ':order:' || dose_id), dose_id) - 1 AS number, dose_id, decision,
      evidence, band, dense_rank() OVER (ORDER BY decision, evidence, band) - 1 AS cell,
      dense_rank() OVER (ORDER BY subject) - 1 AS subject, sqrt(greatest(p * (1 - p), 0)) AS uncertain, rare,
      {luck} AS luck
    FROM known
    """,
        {"seed": str(seed)},
    )


def _rarity(model: Model) -> str:
    """The variance of a best candidate's match weight, as SQL over its levels.

    The log of a share of which k matches were seen, with a prior of one, varies by about 1 / (k + 1) (delta method).
    """
    parts = [
        f'CASE "{comparison}" '
        + " ".join(f"WHEN '{level}' THEN {1 / (learned.positives + 1)!r}" for level, learned in levels.items())
        + " ELSE 0 END"
        for comparison, levels in model.parameters.items()
    ]
    return " + ".join(parts)


def frame_of(connection: duckdb.DuckDBPyConnection) -> Frame:
    """The table ``frame`` as arrays, by ``number``."""
    found = connection.execute("SELECT cell, uncertain, rare, subject, luck FROM frame ORDER BY number").fetchnumpy()
    return Frame(
        cell=np.asarray(found["cell"], dtype=np.int64),
        uncertain=np.asarray(found["uncertain"], dtype=float),
        rare=np.asarray(found["rare"], dtype=float),
        subject=np.asarray(found["subject"], dtype=np.int64),
        luck=np.asarray(found["luck"], dtype=float),
    )


def inclusion(frame: Frame, doses: int) -> Floats:
    """The probability that each dose is drawn, shape (doses of the frame,): above 0, summing to ``doses``.

    Args:
        frame: the doses.
        doses: how many to draw; at most all.
    """
    in_cell = np.bincount(frame.cell)
    sizes = {
        "proportional": np.ones(len(frame.cell)),
        "uncertain": (np.bincount(frame.cell, frame.uncertain) / in_cell)[frame.cell],
        "even": 1 / in_cell[frame.cell],
        "rare": frame.rare,
    }
    used = {name: size / size.sum() for name, size in sizes.items() if size.any()}
    probability = np.asarray(sum(SHARES[name] * size for name, size in used.items()))
    certain = np.zeros(len(probability), dtype=bool)
    while True:
        free = ~certain
        probability[free] *= (doses - certain.sum()) / max(probability[free].sum(), np.finfo(float).tiny)
        over = free & (probability >= 1)
        if not over.any():
            return probability
        probability[over] = 1
        certain |= over


def draw_doses(frame: Frame, probability: Floats, start: float) -> Ints:
    """The doses drawn, as places in the frame, ascending; of a subject whose probabilities sum to 1 at most, one.

    Args:
        frame: the doses.
        probability: as ``inclusion`` gives it.
        start: where the systematic draw begins, from 0 to below 1.
    """
    together = np.bincount(frame.subject, probability)[frame.subject] <= 1
    # a dose drawn by itself is its own unit
    _, unit = np.unique(np.where(together, frame.subject, -1 - np.arange(len(probability))), return_inverse=True)
    # the least of exponential times with rates π is dose i's with probability π_i / Σπ (Efraimidis & Spirakis 2006)
    by_unit = np.lexsort((-np.log(frame.luck) / probability, unit))
    chosen = np.sort(by_unit[np.diff(unit[by_unit], prepend=-1) > 0])
    chosen = chosen[np.argsort(frame.cell[chosen], kind="stable")]
    # whole numbers, and the certain ones apart: none may slip between two rounded sums
    of_unit = np.rint(np.bincount(unit, probability) * ONE).astype(np.int64)[unit[chosen]]
    hit = of_unit >= ONE
    reached = np.cumsum(of_unit[~hit])
    reached[-1:] = (round(probability.sum()) - hit.sum()) * ONE
    hit[~hit] = np.diff((reached + int(start * ONE)) // ONE, prepend=0) > 0
    return np.sort(chosen[hit])


def _cells(connection: duckdb.DuckDBPyConnection) -> tuple[Cell, ...]:
    rows = connection.execute("""
    SELECT cell, any_value(decision), any_value(evidence), any_value(band), count(*), count(chosen.number)
    FROM frame LEFT JOIN (SELECT number FROM chosen) AS chosen USING (number) GROUP BY cell ORDER BY cell
    """).fetchall()
    ends = (0.0, *EDGES, 1.0)
    return tuple(
        Cell(
            stratum=cell,
            decision=decision,
            evidence=evidence,
            low=None if band < 0 else ends[band],
            high=None if band < 0 else ends[band + 1],
            doses=doses,
            drawn=drawn,
        )
        for cell, decision, evidence, band, doses, drawn in rows
    )


def _uniform(text: str) -> float:
    return int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:12], 16) / 2**48


def _draw_id(run: Path, doses: int, seed: int) -> str:
    """What tells one draw from another: the same run, size and seed give the same."""
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    files = [file["sha256"] for table in ("doses", "citizens") for file in manifest["inputs"][table]["files"]]
    text = ":".join([manifest["model"]["digest"], *files, str(doses), str(seed)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
