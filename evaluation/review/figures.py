"""What a run accepts, with truth, whoever decided it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from evaluation.intervals import Share, share

__all__ = ["Accepts", "measure_accepts", "read_truth"]


@dataclass(frozen=True, slots=True)
class Accepts:
    """Doses of a run.

    Attributes:
        doses: of the run.
        linkable: whose citizen is in the registry.
        accepted: linked to a citizen, by the machine or by a human.
        right: of them, to their own.
        review: waiting for a human.
    """

    doses: int
    linkable: int
    accepted: int
    right: int
    review: int

    @property
    def recall(self) -> Share:
        """Linkable doses that are linked to their citizen."""
        return share(self.right, self.linkable)

    @property
    def precision(self) -> Share:
        """Linked doses that are linked to their citizen."""
        return share(self.right, self.accepted)


def measure_accepts(run: Path, truth: Path) -> Accepts:
    """Count the accepts of a run and those that are right; every dose of the truth table counts.

    Args:
        run: the folder that ``linkage score`` wrote.
        truth: CSV with ``dose_id`` and ``citizen_id``.
    """
    [counts] = duckdb.execute(
        """
        SELECT count(*), count(t.citizen_id), count(*) FILTER (decision = 'accept'),
          count(*) FILTER (decision = 'accept' AND d.citizen_id = t.citizen_id), count(*) FILTER (decision = 'review')
        FROM read_parquet($run) AS d JOIN read_csv($truth, all_varchar = true) AS t USING (dose_id)
        """,
        {"run": str(run / "decisions.parquet"), "truth": str(truth)},
    ).fetchall()
    return Accepts(*counts)


def read_truth(truth: Path) -> Mapping[str, str | None]:
    """Dose → its citizen, None where the registry has none."""
    query = "SELECT dose_id, citizen_id FROM read_csv(?, all_varchar = true)"
    return dict(duckdb.execute(query, [str(truth)]).fetchall())
