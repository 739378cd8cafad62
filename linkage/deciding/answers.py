"""What humans answered about doses, beside what the machine would decide: no machine overrules a human.

An answer ``citizen`` is that citizen's accept. After ``none`` no citizen that the human was shown is accepted: the
machine's decision stands where its best candidate is one the human never saw. ``cannot_tell``, ``send_back`` and
``mixed_up`` keep a dose in review as long as its record is as the human saw it. Where machine and
human differ, the human's answer holds and the difference is listed.
"""

import duckdb
import pyarrow as pa

__all__ = ["ANSWERS", "BEST", "SEEN", "compile_answered", "compile_contradictions", "digest_of", "record_digest"]

ANSWERS = pa.schema(
    [
        pa.field("dose_id", pa.string(), nullable=False),
        pa.field("entry", pa.int64(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("citizen_id", pa.string()),
        pa.field("candidates", pa.list_(pa.string()), nullable=False),
        pa.field("record", pa.string()),
    ]
)
"""A row for each answered dose, the latest answer: the entry of the ledger that settled it, the outcome (one of
``linkage.review.cases.OUTCOMES``), the citizen of outcome ``citizen``, the citizens shown, and the ``record_digest`` of
the dose as it was then (null: not known)."""

SEEN: tuple[str, ...] = (
    *("full_name", "date_of_birth", "sex", "national_id", "health_insurance_no", "phone"),
    *("province", "district", "commune", "address", "nationality", "injected_on"),
)
"""The columns of a dose that a human is shown and a model may compare: another value, and the record has changed."""

BEST = """
SELECT dose_key, citizen_key, probability, match_weight, runner_up_key, margin, rule, caution, stratum, decision,
  NULL::BIGINT AS answered, NULL::VARCHAR AS answer
FROM candidates WHERE rank = 1"""
"""The best candidate of each dose that has any, and what the machine decides."""


def record_digest(of: str) -> str:
    """SQL for the MD5 of the columns ``SEEN`` of a relation, as typed; no value is not an empty one."""
    values = ", ".join(f"coalesce({of}.{column}, chr(30))" for column in SEEN)
    return f"md5(concat_ws(chr(31), {values}))"


def digest_of(answers: pa.Table | None) -> str | None:
    """SHA-256 of answers, whatever the order of their rows; None without any."""
    if answers is None or not len(answers):
        return None
    with duckdb.connect() as connection:
        connection.register("given", answers)
        rows = "SELECT dose_id, md5(to_json(given)::VARCHAR) AS said FROM given"
        [(digest,)] = connection.execute(f"SELECT sha256(string_agg(said ORDER BY dose_id)) FROM ({rows})").fetchall()
    return str(digest)


def compile_answered(given: str, machine: str) -> str:
    """The statement that gives every answered dose its decision.

    Args:
        given: a relation with the columns of ``ANSWERS``; answers about doses that are not in ``doses`` play no part.
        machine: a relation with ``key`` of ``doses``, what the machine decides, and the columns of ``BEST``.

    Returns:
        A SELECT with a row for each: the columns of ``BEST``, with ``decision`` null where the machine's stands;
        ``named`` (the citizen_id of the answer) and ``named_key`` (null: not in the registry any more); ``changed``
        (whether the record is not as the human saw it), ``shown`` (whether the machine's best candidate was
        shown), ``machine_decision``, ``machine_citizen_id`` (its best candidate) and ``machine_probability``. An
        accepted citizen has the probability and the match weight of the candidate it is, both null if it is none; its
        runner-up is the best other candidate, and the margin to it is negative where that one weighs more.
    """
    return f"""
    WITH given AS (
      SELECT d.key, a.entry, a.outcome, a.citizen_id AS named, c.key AS named_key, a.candidates,
        a.record IS DISTINCT FROM {record_digest("d")} AS changed
      FROM {given} AS a JOIN doses AS d USING (dose_id) LEFT JOIN citizens AS c ON c.citizen_id = a.citizen_id
    ), beside AS (
      SELECT g.*, m.* EXCLUDE (key, answered, answer, decision), m.decision AS machine_decision,
        b.citizen_id AS machine_citizen_id, coalesce(list_contains(g.candidates, b.citizen_id), true) AS shown,
        g.named_key IS NOT NULL AS accepts, g.named_key IS NOT DISTINCT FROM m.citizen_key AS is_best,
        k.probability AS own_probability, k.match_weight AS own_weight, k.rule AS own_rule
      FROM given AS g JOIN {machine} AS m ON m.key = g.key
      LEFT JOIN citizens AS b ON b.key = m.citizen_key
      LEFT JOIN candidates AS k ON k.dose_key = g.key AND k.citizen_key = g.named_key
    )
    SELECT key AS dose_key, if(accepts, named_key, citizen_key) AS citizen_key,
      if(accepts, own_probability, probability) AS probability, if(accepts, own_weight, match_weight) AS match_weight,
      if(accepts AND NOT is_best, citizen_key, runner_up_key) AS runner_up_key,
      if(accepts AND NOT is_best, own_weight - match_weight, margin) AS margin,
      if(accepts, own_rule, rule) AS rule, caution, stratum,
      CASE WHEN outcome = 'citizen' THEN if(accepts, 'accept', 'review')
           WHEN outcome = 'none' THEN if(shown, 'no_match', NULL)
           WHEN NOT changed THEN 'review' END AS decision,
      entry AS answered, outcome AS answer, named, named_key, changed, shown,
      machine_decision, machine_citizen_id, probability AS machine_probability
    FROM beside
    """


def compile_contradictions() -> str:
    """The rows of ``contradictions.parquet`` from the table ``answered``: one for each answer and reason.

    Reasons: ``citizen_gone`` (the citizen named is not in the registry), ``accepts_another`` citizen than the one
    named, ``accepts_rejected`` (one of those the human was shown and took none of), ``accepts_undecided`` (where the
    human could not decide), ``no_match`` (where the human named a citizen, or could not decide), ``record_changed``
    since a human named a citizen or none.
    """
    return """
    SELECT dose_id, entry, outcome, citizen_id, machine_decision, machine_citizen_id, machine_probability, reason FROM (
      SELECT a.dose_key, d.dose_id, a.answered AS entry, a.answer AS outcome, a.named AS citizen_id,
        a.machine_decision, a.machine_citizen_id, a.machine_probability, unnest(list_filter([
          CASE WHEN answer = 'citizen' AND named_key IS NULL THEN 'citizen_gone' END,
          CASE WHEN machine_decision = 'accept' AND answer = 'citizen' AND named <> machine_citizen_id
                 THEN 'accepts_another'
               WHEN machine_decision = 'accept' AND answer = 'none' AND shown THEN 'accepts_rejected'
               WHEN machine_decision = 'accept' AND answer NOT IN ('citizen', 'none') AND NOT changed
                 THEN 'accepts_undecided'
               WHEN machine_decision = 'no_match' AND decision IN ('accept', 'review') THEN 'no_match' END,
          CASE WHEN changed AND answer IN ('citizen', 'none') THEN 'record_changed' END
        ], lambda reason: reason IS NOT NULL)) AS reason
      FROM answered AS a JOIN doses AS d ON d.key = a.dose_key
    ) ORDER BY dose_key, reason
    """
