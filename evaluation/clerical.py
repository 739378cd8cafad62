"""How good a run is without truth: precision and recall from a weighted sample that clerks judged."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from evaluation.drift import Drift
from evaluation.figures import ReliabilityBin
from evaluation.intervals import Share, Weighted, weighted_share
from evaluation.judging import judge
from linkage.errors import UserError
from linkage.reports.profile import DECISIONS
from linkage.reports.reading import connect, open_file, open_run
from linkage.tables import LABELS, TableReport, read_table

BANDS = (0.0, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)
"""The least probability of each band."""

BROAD = ("all", "stratum")
"""Dimensions whose parts may hold every decision: only there is recall a figure."""

SUM_WITHIN = 2.0
"""How many times a sum of weights may differ from the doses it stands for before it is worth a word."""

COLUMNS = ("dose_id", "decision", "citizen_id", "probability", "model")
Notice = tuple[str, dict[str, str | int]]


@dataclass(frozen=True, slots=True)
class Part:
    """The estimates of some doses of the run: all of them, or one decision, stratum or band of probability.

    Attributes:
        dimension: ``all``, ``decision``, ``stratum`` or ``band``.
        name: of the part; of a band its least probability.
        doses: of the run.
        sampled: of them in the labels.
        answered: of the sampled, those whose answer could be used.
        right: best candidates that are the dose's citizen, of the doses that have one.
        precision: the same of accepted doses.
        linkable: doses whose citizen is in the registry, as far as the clerks found it.
        recall: right accepts of linkable doses: what needs no human. Without a value where some decision has doses in
            the run, but no answer.
        missed_links: linkable doses of ``no_match``.
    """

    dimension: str
    name: str
    doses: int
    sampled: int
    answered: int
    right: Share
    precision: Share
    linkable: Share
    recall: Share
    missed_links: Share


@dataclass(frozen=True, slots=True)
class Clerical:
    """A run measured on a clerical sample.

    ``decisions`` counts the doses of the run, quarantined ones aside. ``notices`` are keys of messages with their
    facts: rows that are in no figure, figures that cannot be given, weights that look wrong. ``drift`` is of the
    whole run.
    """

    run: str
    model: str
    decisions: dict[str, int]
    overall: Part
    parts: tuple[Part, ...]
    reliability: tuple[ReliabilityBin, ...]
    notices: tuple[Notice, ...]
    drift: Drift | None = None

    def as_dict(self) -> dict[str, Any]:
        """Everything as what JSON can hold."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Answers:
    """The doses whose answer counts, one place each; ``weight`` adds up to the run's doses of each decision."""

    decision: NDArray[np.int64]
    person: NDArray[np.int64]
    weight: NDArray[np.float64]
    probability: NDArray[np.float64]
    right: NDArray[np.bool_]
    linkable: NDArray[np.bool_]
    parts: Mapping[str, NDArray[np.str_]]

    def share(self, part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> Share:
        return weighted_share(Weighted(part & whole, whole, self.weight, self.person, self.decision))


def measure_sample(run: Path, labels: str, columns: Mapping[str, str] | None = None) -> Clerical:
    """Estimate how good the decisions of ``run`` are from judged pairs of a sample of its doses.

    A dose was drawn with probability 1 / ``weight``. What clerks left undecided, or contradict each other on, is
    non-response: within each decision the weights of the doses with an answer are scaled to the doses of the run
    (post-stratification; Särndal, Swensson and Wretman 1992, sections 7.6 and 15.6), which assumes that within a
    decision the unanswered are like the answered. Each share is a ratio of weighted sums with the interval of
    ``evaluation.intervals.weighted_share``; doses of one person (the citizen found, else the subject) count as one
    draw.

    Args:
        run: the folder that ``linkage score`` wrote.
        labels: a table with ``dose_id``, ``citizen_id``, ``is_match`` and ``weight``, see ``evaluation.judging``.
        columns: its header → our column, before the known headers.

    Raises:
        UserError: no finished run, an unreadable labels table, a value that cannot be read, or no answer for any dose
            of the run.
    """
    with connect() as connection:
        open_run(connection, run, COLUMNS)
        decided = open_file(connection, run, "decisions", COLUMNS)
        open_file(connection, run, "doses", ("dose_id", "subject_id"))
        table = read_table(connection, LABELS, labels, columns=columns)
        counts = judge(connection, labels, table.files)
        connection.execute(_places("stratum" in decided))
        if not counts.answered:
            raise UserError("clerical_nothing_usable", labels=labels, run=run, doses=counts.doses)
        sizes = _sizes(connection)
        answers, notices = _weighted(connection, sizes)
        [(model,)] = connection.execute("SELECT min(model) FROM decisions").fetchall()
    trained: list[Notice] = [("clerical_trained", {})] if _trained_on(run, table) else []
    read: list[Notice] = [(key, {name: str(fact) for name, fact in facts.items()}) for key, facts in table.notices]
    overall, parts = _estimated(answers, sizes)
    return Clerical(
        run=run.name,
        model=model or "",
        decisions={decision: sum(sizes["decision"].get(decision, (0,))[:1]) for decision in DECISIONS},
        overall=overall,
        parts=parts,
        reliability=_reliability(answers),
        notices=(*read, *trained, *counts.notices(), *notices),
    )


def _places(strata: bool) -> str:
    """The view ``placed``: each decided dose with its stratum and its band of probability."""
    bands = " ".join(f"WHEN probability >= {least!r} THEN '{least!r}'" for least in reversed(BANDS))
    stratum = "coalesce(stratum, 'none')" if strata else "''"
    return f"""
    CREATE VIEW placed AS
    SELECT dose_id, decision, {stratum} AS stratum, CASE {bands} ELSE 'none' END AS band
    FROM decisions WHERE decision <> 'quarantine'
    """


def _sizes(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, tuple[int, int, int]]]:
    """Dimension → part → doses of the run, sampled, answered."""
    rows = connection.execute(
        """
        SELECT CASE WHEN GROUPING(p.decision) = 0 THEN 'decision' WHEN GROUPING(p.stratum) = 0 THEN 'stratum'
            ELSE 'band' END AS dimension,
          coalesce(p.decision, p.stratum, p.band) AS name, count(*), count(j.dose_id), count(*) FILTER (j.answered)
        FROM placed AS p LEFT JOIN judged AS j USING (dose_id)
        GROUP BY GROUPING SETS ((p.decision), (p.stratum), (p.band)) ORDER BY dimension, name
        """
    ).fetchall()
    sizes: dict[str, dict[str, tuple[int, int, int]]] = {}
    for dimension, name, *counts in rows:
        sizes.setdefault(dimension, {})[name] = tuple(counts)
    return sizes


def _weighted(
    connection: duckdb.DuckDBPyConnection, sizes: Mapping[str, Mapping[str, tuple[int, int, int]]]
) -> tuple[_Answers, list[Notice]]:
    """The answers with their weights scaled to the run, and what is odd about the weights or missing."""
    rows = connection.execute(
        f"""
        SELECT list_position({list(DECISIONS)}, j.decision) - 1 AS decision, j.weight,
          dense_rank() OVER (ORDER BY j.person) - 1 AS person, coalesce(j.probability, -1) AS probability,
          j."right", j.linkable, j.answered, p.stratum, p.band, j.decision AS name
        FROM judged AS j JOIN placed AS p USING (dose_id) ORDER BY j.dose_id
        """
    ).fetchnumpy()
    answered, decision = np.asarray(rows["answered"], dtype=bool), np.asarray(rows["decision"], dtype=np.int64)
    weight = np.asarray(rows["weight"], dtype=float)
    notices: list[Notice] = []
    scale = np.zeros(len(DECISIONS))
    for place, name in enumerate(DECISIONS):
        doses, sampled, replied = sizes["decision"].get(name, (0, 0, 0))
        drawn = float(weight[decision == place].sum())
        if doses and not replied:
            notices.append((f"clerical_without_{name}", {"doses": doses}))
        elif doses and not doses / SUM_WITHIN <= drawn <= doses * SUM_WITHIN:
            notices.append((f"clerical_sum_{name}", {"sum": round(drawn), "doses": doses, "sampled": sampled}))
        scale[place] = doses / weight[(decision == place) & answered].sum() if replied else 0.0
    answers = _Answers(
        decision=decision[answered],
        person=np.asarray(rows["person"], dtype=np.int64)[answered],
        weight=(weight * scale[decision])[answered],
        probability=np.asarray(rows["probability"], dtype=float)[answered],
        right=np.asarray(rows["right"], dtype=bool)[answered],
        linkable=np.asarray(rows["linkable"], dtype=bool)[answered],
        parts={
            "decision": np.asarray(rows["name"], dtype=str)[answered],
            "stratum": np.asarray(rows["stratum"], dtype=str)[answered],
            "band": np.asarray(rows["band"], dtype=str)[answered],
        },
    )
    return answers, notices


def _estimated(
    answers: _Answers, sizes: Mapping[str, Mapping[str, tuple[int, int, int]]]
) -> tuple[Part, tuple[Part, ...]]:
    every = np.ones(len(answers.weight), dtype=bool)
    totals = np.array(list(sizes["decision"].values())).sum(axis=0).tolist()
    whole = all(replied for doses, _, replied in sizes["decision"].values() if doses)
    overall = _part(answers, every, ("all", ""), totals, whole=whole)
    parts = [
        _part(answers, answers.parts[dimension] == name, (dimension, name), counts, whole=whole)
        for dimension in ("decision", "stratum", "band")
        for name, counts in sizes[dimension].items()
        if len(sizes[dimension]) > 1
    ]
    return overall, tuple(parts)


def _part(
    answers: _Answers, inside: NDArray[np.bool_], called: tuple[str, str], counts: Sequence[int], *, whole: bool
) -> Part:
    accepted, refused = (answers.decision == DECISIONS.index(name) for name in ("accept", "no_match"))
    nothing = np.zeros_like(inside)
    dimension, name = called
    doses, sampled, answered = counts
    return Part(
        dimension=dimension,
        name=name,
        doses=doses,
        sampled=sampled,
        answered=answered,
        right=answers.share(answers.right, inside & (answers.probability >= 0)),
        precision=answers.share(answers.right, inside & accepted),
        linkable=answers.share(answers.linkable, inside if whole or dimension == "decision" else nothing),
        recall=answers.share(
            answers.right & accepted, inside & answers.linkable if whole and dimension in BROAD else nothing
        ),
        missed_links=answers.share(answers.linkable, inside & refused),
    )


def _reliability(answers: _Answers) -> tuple[ReliabilityBin, ...]:
    bins = []
    for name in map(repr, BANDS):
        inside = answers.parts["band"] == name
        if inside.any():
            predicted = float(np.average(answers.probability[inside], weights=answers.weight[inside]))
            bins.append(ReliabilityBin(predicted, answers.share(answers.right, inside)))
    return tuple(bins)


def _trained_on(run: Path, table: TableReport) -> bool:
    """Whether these very labels trained the run's model."""
    try:
        inputs = json.loads((run / "model.json").read_text(encoding="utf-8"))["evidence"]["inputs"]
        return bool(inputs["labels"] == table.digest)
    except (OSError, RecursionError, ValueError, TypeError, KeyError):
        return False
