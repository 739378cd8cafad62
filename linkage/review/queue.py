"""The queue, built of a run or brought up to date by the next one."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from linkage.progress import Progress, silent
from linkage.review.accounts import accounts
from linkage.review.queueing.bringing import By, bring
from linkage.review.queueing.cases import build_cases
from linkage.review.queueing.hidden import choose_hidden
from linkage.review.queueing.household import find_relatives
from linkage.review.queueing.inputs import database, open_run, parted, reading, subjects
from linkage.review.queueing.places import Order, deal, place_cases
from linkage.store import Draft, Store

__all__ = ["QueueSettings", "queue_run"]

ROWS_AT_ONCE = 200_000
"""Candidates whose cases are built in one go."""


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """How a queue is made.

    Args:
        double: share of the cases that two people read.
        hidden: cases with a known answer, as a share of the others.
        known: labels that hidden cases are made of; none without.
        by: a case belongs to its commune, or to the facility of its dose; ``reviewer`` also deals it to one of those
            who cover it.
        seed: decides which cases are read twice, and where hidden ones stand.
        order: what the places go by; anything but ``worth`` is for comparison.
        memory: limit of the engine, such as ``2GB``.
    """

    double: float = 0.05
    hidden: float = 0.02
    known: Path | None = None
    by: By = "commune"
    seed: int = 0
    order: Order = "worth"
    memory: str = "2GB"


def queue_run(
    store: Store, run: Path, settings: QueueSettings, actor: str, progress: Progress = silent
) -> dict[str, Any]:
    """Build the queue of a run, or bring the one that is there up to date; in one transaction, with one entry.

    A case for each subject with doses in review. The same subject with the same doses, records and candidates is the
    same case: what was answered of it stays answered, whatever the model. The same run again changes nothing, and
    writes no entry.

    Args:
        store: the operational database.
        run: the folder that ``linkage score`` wrote.
        settings: see there.
        actor: who asked for it.
        progress: told about the parts that are done.

    Returns:
        ``run`` (digest), ``cases``, ``doses``, ``hidden``, ``double`` (of this run), ``added``, ``updated``,
        ``withdrawn``, ``reopened`` (of the store), ``entry`` (None where nothing changed).

    Raises:
        UserError: the run is unfinished, damaged or of another version, the labels cannot be used, or the store cannot
            be written.
    """
    with database(settings.memory) as connection, reading(run):
        found = open_run(connection, run)
        subjects(connection)
        if settings.known is not None:
            choose_hidden(connection, str(settings.known), settings.hidden, settings.seed)
        parts = parted(connection, found.model, ROWS_AT_ONCE)
        find_relatives(connection)
        build_cases(connection, found.model, parts, progress)
        place_cases(connection, settings.order, settings.double, settings.seed)
        deal(connection, accounts(store) if settings.by == "reviewer" else ())
        names = ("cases", "doses", "hidden", "double")
        [row] = connection.execute("""
        SELECT count(*) FILTER (NOT hidden), coalesce(sum(doses) FILTER (NOT hidden), 0)::BIGINT,
          count(*) FILTER (hidden), count(*) FILTER (readings = 2) FROM cases JOIN placed USING (case_id)
        """).fetchall()
        counts: dict[str, int] = dict(zip(names, row, strict=True))
        with store.writing() as writer:
            brought = bring(writer, connection, found, settings.by, progress)
            entry = None
            if not brought.is_nothing:
                evidence: Mapping[str, Any] = _said(settings) | counts | asdict(brought)
                draft = Draft("queue", actor, evidence=evidence, run=found.digest, model=found.model_name)
                entry = writer.append(draft)
    return {"run": found.digest, **counts, **asdict(brought), "entry": entry}


def _said(settings: QueueSettings) -> dict[str, Any]:
    known = None if settings.known is None else str(settings.known)
    return {"double": settings.double, "share_hidden": settings.hidden, "by": settings.by, "seed": settings.seed} | {
        "order": settings.order,
        "known": known,
    }
