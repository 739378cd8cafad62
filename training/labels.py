"""Labelled pairs: which doses and citizens a clerk said are one person, with what sampling weight."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact
from sklearn.model_selection import GroupShuffleSplit

from linkage.errors import UserError
from linkage.tables import FileReport

BY_CHANCE = 0.01

PAIRS = """
CREATE TABLE label_pairs AS SELECT dose_id, citizen_id, bool_and(is_match) AS is_match,
  count(*) - count(DISTINCT coalesce(reviewer, '') || chr(0) || draw) AS repeated,
  coalesce(bool_and(reviewer = 'synthetic'), false) AS synthetic,
  bool_and(is_match) <> bool_or(is_match) AS contradicted
FROM label_rows WHERE NOT undecided GROUP BY dose_id, citizen_id
"""

DOSES = """
CREATE TABLE label_doses AS
WITH by_draw AS (
  SELECT dose_id, draw, coalesce(max(weight), 1) AS weight, count(DISTINCT weight) > 1 AS unequal
  FROM label_rows WHERE NOT undecided GROUP BY dose_id, draw
), shares AS (
  SELECT draw, count(*) / (sum(count(*)) OVER ()) AS share FROM by_draw GROUP BY draw
), weights AS (
  SELECT dose_id, list_sum(list(weight * share ORDER BY draw)) AS weight, count(*) AS draws,
    bool_or(unequal) AS unequal
  FROM by_draw JOIN shares USING (draw) GROUP BY dose_id
), said AS (
  SELECT dose_id, bool_or(contradicted) AS contradicted, bool_or(is_match) AS matched,
    bool_or(citizen_id IS NULL) AS none, count(*) FILTER (is_match) AS matches
  FROM label_pairs GROUP BY dose_id
)
SELECT * EXCLUDE (matches), matched AND matches + none::INTEGER > 1 AS two_citizens,
  contradicted OR two_citizens AS disputed
FROM weights JOIN said USING (dose_id)
"""


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """What was found in the labels.

    Attributes:
        positives, negatives: pairs used.
        repeated: rows on a pair that has a row of the same reviewer and draw.
        contradicted: pairs labelled 0 and 1.
        unknown_ids: pairs not used because an id of their dose's labels is unknown.
        synthetic: pairs used whose reviewer is 'synthetic'.
        none: doses used that are labelled as of no citizen at all.
        undecided: rows without an answer.
        unanswered: doses without one.
        half_answered: doses with a 0, a row without an answer, and no match: they count as without a citizen.
        reviewers_disagree: pairs of which reviewers say different things.
        odd_reviewers: reviewers whose pairs are disagreed on more often than those of the rest.
        two_citizens: doses matched to two citizens, or to one and to none.
        disputed: doses left out because their labels contradict each other.
        unknown_doses, unknown_citizens: different ids that are in no table.
        unequal_weights: doses whose rows of one draw carry different weights; the largest is taken.
        missing_weights: rows without a weight where others have one.
        draws: samples that the labels were drawn in.
        drawn_again: doses in more than one of them.
    """

    positives: int
    negatives: int
    repeated: int
    contradicted: int
    unknown_ids: int
    synthetic: int
    none: int = 0
    undecided: int = 0
    unanswered: int = 0
    half_answered: int = 0
    reviewers_disagree: int = 0
    odd_reviewers: int = 0
    two_citizens: int = 0
    disputed: int = 0
    unknown_doses: int = 0
    unknown_citizens: int = 0
    unequal_weights: int = 0
    missing_weights: int = 0
    draws: int = 1
    drawn_again: int = 0


def check_labels(connection: duckdb.DuckDBPyConnection, path: str | Path, files: Sequence[FileReport] = ()) -> None:
    r"""Turn the table ``labels`` as read into ``label_rows``, ``label_pairs`` and ``label_doses``.

    ``label_pairs``: ``dose_id, citizen_id, is_match, weight``, and whether it is ``contradicted``. An empty citizen_id
    says that the dose is of none of the registry's citizens. Rows without an answer (blank or ``?``) are no pairs.

    ``label_doses``: ``dose_id, weight``, and whether it is ``disputed``. The weight of a dose is the largest among its
    rows; where nothing has a weight it is 1. Labels of several draws (the column ``draw``) are combined as

        w = Σ_r λ_r w_r,   λ_r = n_r / Σ n_r,

    over the draws r the dose is in, n_r being the doses labelled in draw r: each draw alone estimates the same
    totals, so does their mean, and the larger draw counts for more (Hartley 1962; O'Muircheartaigh & Pedlow 2002).
    Labels without the column are one draw.

    Args:
        connection: holds the table ``labels``.
        path: what the user gave, for messages.
        files: the files read, so that a message names the right one.

    Raises:
        UserError: a value of ``is_match`` or ``weight`` cannot be read, a match has no citizen, or there is no match
            or no non-match.
    """
    _type(connection)
    for key, bad in (
        ("labels.bad_is_match", "is_match IS NULL AND NOT undecided"),
        ("labels.bad_weight", "NOT unweighted AND NOT coalesce(weight > 0 AND weight <= 1e12, false)"),
        ("labels.match_of_none", "is_match AND citizen_id IS NULL"),
    ):
        rows = connection.execute(
            f"SELECT file_no, row FROM label_rows WHERE {bad} ORDER BY file_no, row LIMIT 1"
        ).fetchall()
        for file_no, row in rows:
            raise UserError(key, path=files[file_no].label if files else path, row=row)
    connection.execute(PAIRS)
    connection.execute(DOSES)
    connection.execute(
        "ALTER TABLE label_pairs ADD COLUMN weight DOUBLE; UPDATE label_pairs SET weight = label_doses.weight"
        " FROM label_doses WHERE label_doses.dose_id = label_pairs.dose_id"
    )
    for is_match, key in ((True, "labels.no_matches"), (False, "labels.no_non_matches")):
        [(pairs,)] = connection.execute(
            "SELECT count(*) FROM label_pairs JOIN label_doses USING (dose_id)"
            " WHERE is_match = ? AND NOT disputed AND citizen_id IS NOT NULL",
            [is_match],
        ).fetchall()
        if pairs == 0:
            raise UserError(key, path=path)


def _type(connection: duckdb.DuckDBPyConnection) -> None:
    """Make ``label_rows``: the labels as read, with answers and weights that can be reckoned with."""
    bare = r"regexp_replace({}, '^[\s\p{{Z}}]+|[\s\p{{Z}}]+$', '', 'g')"
    answer, weight, draw = (bare.format(name) for name in ("lower(is_match)", "weight", "draw"))
    connection.execute(f"""
    CREATE TABLE label_rows AS SELECT row, file_no, trim(dose_id) AS dose_id, trim(citizen_id) AS citizen_id,
      CASE WHEN {answer} IN ('1', '1.0', 'true', 't', 'yes', 'y', 'có') THEN true
           WHEN {answer} IN ('0', '0.0', 'false', 'f', 'no', 'n', 'không') THEN false END AS is_match,
      coalesce({answer}, '?') IN ('?', '？') AS undecided,
      lower(trim(reviewer)) AS reviewer, coalesce({draw}, '') AS draw, weight IS NULL AS unweighted,
      -- a spreadsheet of this country writes 12,5
      try_cast(CASE WHEN {weight} NOT LIKE '%.%' THEN replace({weight}, ',', '.') ELSE {weight} END AS DOUBLE) AS weight
    FROM labels
    """)


def labelled_keys(connection: duckdb.DuckDBPyConnection) -> LabelCounts:
    """Make ``labelled`` and ``labelled_doses`` of the labels whose records are known and nothing contradicts.

    ``labelled``: ``dose_key, citizen_key, is_match, weight, synthetic, person``, a row per pair. ``labelled_doses``:
    ``dose_key, weight, has_citizen, person``, a row per dose; one that is labelled with non-matches only has no
    citizen. ``person`` is what must stay on one side of a split: the citizen of the dose where a label says so, else
    the dose's subject. A dose matched to a citizen who is in no table is left out: what it lacks is a citizen's record.
    """
    connection.execute("""
    CREATE TABLE labelled_doses AS
    SELECT d.key AS dose_key, l.weight, l.matched AS has_citizen,
      coalesce(m.citizen_id, d.subject_id, d.dose_id) AS person, l.dose_id, l.none
    FROM label_doses AS l JOIN doses AS d USING (dose_id)
    LEFT JOIN (SELECT dose_id, citizen_id FROM label_pairs WHERE is_match) AS m USING (dose_id)
    WHERE NOT disputed AND (m.citizen_id IS NULL OR m.citizen_id IN (SELECT citizen_id FROM citizens))
    ORDER BY dose_key
    """)
    connection.execute("""
    CREATE TABLE labelled AS
    SELECT d.dose_key, c.key AS citizen_key, p.is_match, d.weight, p.synthetic, d.person
    FROM label_pairs AS p JOIN labelled_doses AS d USING (dose_id) JOIN citizens AS c USING (citizen_id)
    ORDER BY dose_key, citizen_key
    """)
    undisputed = "label_pairs JOIN label_doses USING (dose_id) WHERE NOT disputed"
    counted = {
        "positives": "FROM labelled WHERE is_match",
        "negatives": "FROM labelled WHERE NOT is_match",
        "contradicted": "FROM label_pairs WHERE contradicted",
        "synthetic": "FROM labelled WHERE synthetic",
        "none": "FROM labelled_doses WHERE none",
        "undecided": "FROM label_rows WHERE undecided",
        "unanswered": "FROM (SELECT dose_id FROM label_rows GROUP BY dose_id HAVING bool_and(undecided))",
        "half_answered": "FROM label_doses WHERE NOT (disputed OR matched OR none) AND dose_id IN"
        " (SELECT dose_id FROM label_rows WHERE undecided)",
        "two_citizens": "FROM label_doses WHERE two_citizens",
        "disputed": "FROM label_doses WHERE disputed",
        "unknown_doses": "FROM label_doses WHERE dose_id NOT IN (SELECT dose_id FROM doses)",
        "unknown_citizens": "FROM (SELECT DISTINCT citizen_id FROM label_pairs WHERE citizen_id NOT IN"
        " (SELECT citizen_id FROM citizens))",
        "unequal_weights": "FROM label_doses WHERE unequal",
        "missing_weights": "FROM label_rows WHERE unweighted AND NOT undecided AND EXISTS"
        " (SELECT * FROM label_rows WHERE NOT unweighted)",
        "draws": "FROM (SELECT DISTINCT draw FROM label_rows WHERE NOT undecided)",
        "drawn_again": "FROM label_doses WHERE draws > 1",
    }
    counts = {name: int(connection.execute(f"SELECT count(*) {of}").fetchall()[0][0]) for name, of in counted.items()}
    [(repeated, pairs)] = connection.execute(
        "SELECT (SELECT sum(repeated)::BIGINT FROM label_pairs),"
        f" (SELECT count(*) FROM {undisputed} AND citizen_id IS NOT NULL)"
    ).fetchall()
    connection.execute("ALTER TABLE labelled_doses DROP COLUMN dose_id; ALTER TABLE labelled_doses DROP COLUMN none")
    disagree, odd = _reviewers(connection)
    unused = pairs - counts["positives"] - counts["negatives"]
    return LabelCounts(**counts, repeated=repeated, unknown_ids=unused, reviewers_disagree=disagree, odd_reviewers=odd)


def _reviewers(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """Pairs that reviewers disagree on, and reviewers whose pairs are disagreed on more often than those without them.

    Fisher's exact test, one-sided, at ``BY_CHANCE`` divided by the number of reviewers (Bonferroni).
    """
    rows = connection.execute("""
    WITH twice AS (
      SELECT list(DISTINCT reviewer) AS reviewers, bool_and(is_match) <> bool_or(is_match) AS differ FROM label_rows
      WHERE NOT undecided AND reviewer IS NOT NULL GROUP BY dose_id, citizen_id HAVING count(DISTINCT reviewer) > 1
    )
    SELECT count(*), count(*) FILTER (differ), (SELECT count(*) FROM twice), (SELECT count(*) FROM twice WHERE differ)
    FROM (SELECT unnest(reviewers) AS reviewer, differ FROM twice) GROUP BY reviewer
    """).fetchall()
    odd = 0
    for own, differ, pairs, all_differ in rows:
        others, others_differ = pairs - own, all_differ - differ
        table = [[differ, own - differ], [others_differ, others - others_differ]]
        odd += bool(fisher_exact(table, alternative="greater").pvalue < BY_CHANCE / len(rows))
    return (rows[0][3] if rows else 0), odd


def hold_apart(persons: NDArray[np.str_], seed: int, share: float = 0.5) -> NDArray[np.bool_]:
    """Which rows are held apart, by person: shape (rows,), True for about ``share`` of the persons."""
    splitter = GroupShuffleSplit(n_splits=1, test_size=share, random_state=seed)
    _, apart = next(splitter.split(persons, groups=persons))
    mask = np.zeros(len(persons), dtype=bool)
    mask[apart] = True
    return mask
