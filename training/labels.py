"""Labelled pairs: which doses and citizens a clerk said are one person, with what sampling weight."""

from dataclasses import dataclass

import duckdb
from scipy.stats import fisher_exact

from linkage.tables.labels import check_labels

__all__ = ["BY_CHANCE", "LabelCounts", "check_labels", "labelled_keys"]

BY_CHANCE = 0.01


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
