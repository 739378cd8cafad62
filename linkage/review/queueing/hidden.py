"""Hidden cases: subjects whose answer is known from labels, to be read among the others."""

import duckdb

from linkage.tables import LABELS, read_table
from linkage.tables.labels import PAIRS, SAID, type_labels

__all__ = ["choose_hidden"]


def choose_hidden(connection: duckdb.DuckDBPyConnection, known: str, share: float, seed: int) -> None:
    """Add to ``asked`` the subjects that become hidden cases: ``share`` of those in the queue, or as many as there are.

    Chosen are subjects without a dose in review, with candidates, whose labels say one thing: those nearest to what
    review looks like come first, their best candidate's probability being nearest to one half. The right answer is the
    citizen of the labels, or none of them if that one is no candidate.

    Args:
        connection: holds ``keyed``, ``asked`` and the views of the run.
        known: labels, as :func:`linkage.tables.read_table` reads them.
        share: of the queue.
        seed: decides among equals.

    Raises:
        UserError: the labels cannot be read.
    """
    report = read_table(connection, LABELS, known)
    type_labels(connection, known, report.files)
    connection.execute(PAIRS)
    connection.execute(
        f"""
    INSERT INTO asked
    WITH said AS (
      SELECT dose_id, contradicted OR matches > 1 OR (matched AND "none") AS disputed, matched,
        "none" OR matched AS known FROM ({SAID})
    ), right_one AS (
      SELECT dose_id, max(citizen_id) FILTER (is_match) AS citizen_id FROM label_pairs GROUP BY dose_id
    ), labelled AS (
      SELECT k.subject, bool_or(s.disputed) OR count(DISTINCT coalesce(r.citizen_id, '')) > 1 AS disputed,
        any_value(r.citizen_id) AS citizen_id
      FROM said AS s JOIN right_one AS r USING (dose_id) JOIN keyed AS k USING (dose_id)
      WHERE s.known AND NOT k.crowded GROUP BY k.subject
    ), shown AS (
      SELECT k.subject, max(c.probability) AS probability, bool_or(c.citizen_id = l.citizen_id) AS is_candidate
      FROM labelled AS l JOIN keyed AS k USING (subject) JOIN candidates AS c USING (dose_id)
      WHERE NOT l.disputed GROUP BY k.subject
    )
    SELECT subject, true, CASE WHEN is_candidate THEN 'citizen' ELSE 'none' END,
      CASE WHEN is_candidate THEN l.citizen_id END
    FROM shown JOIN labelled AS l USING (subject) ANTI JOIN asked USING (subject)
    ORDER BY abs(probability - 0.5), md5($seed || '/' || subject), subject
    LIMIT (SELECT round($share * count(*))::BIGINT FROM asked)
    """,
        {"share": share, "seed": str(seed)},
    )
