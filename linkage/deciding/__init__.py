"""From match weights to decisions: the posterior over all candidates of a dose and "none of them".

A dose belongs to one citizen at most. With prior π that its citizen is among the candidates, each of N citizens being
as likely as the other, Bayes' rule over the N + 1 exclusive hypotheses gives

    P(citizen i) = 2^w_i / (Σ_j 2^w_j + (1 - π)),   w_i = log2 odds of π/N plus the Fellegi–Sunter match weight

(Fellegi & Sunter 1969, eq. 3, for the likelihood ratios; the normalisation over exclusive hypotheses is that of
Fortini et al. 2001, section 3). Candidates left out weigh less than ``WEAKEST`` bits each and are in "none".
"""

from linkage.scoring import level_column
from models import CAUTION, OTHER, Model, Pattern, Specification

__all__ = ["DECISIONS", "WEAKEST", "compile_deciding", "compile_ranking"]

WEAKEST = -20.0
"""Match weight in bits under which a pair is not kept: 2^-20 against "none of them"."""

DECISIONS = ("accept", "review", "no_match", "quarantine")


def compile_deciding(model: Model, candidates: str) -> str:
    """The statement that ranks candidates and decides each dose that has any.

    Args:
        model: calibration, prior, thresholds and cautions.
        candidates: a relation with ``dose_key``, ``citizen_key``, ``rule``, ``match_weight``, and the levels that
            cautions name.

    Returns:
        A SELECT with a row for each candidate: the columns of ``compile_ranking``, ``probability`` (calibrated; of one
        dose they sum to at most 1), ``margin`` (bits to the runner-up; null without one), ``runner_up_key``, and the
        dose's ``decision``: ``accept`` when the best candidate reaches the accept threshold, no other has its weight,
        and no caution holds; ``no_match`` when all candidates together stay below the review threshold; else
        ``review``.
    """
    thresholds = model.thresholds
    strata = model.specification.stratum_names
    calibration = ((name, model.calibration[name]) for name in strata)
    bits = " ".join(f"WHEN '{name}' THEN {c.slope!r} * match_weight + {c.intercept!r}" for name, c in calibration)
    accept = " ".join(f"WHEN '{name}' THEN {thresholds.accept[name]!r}" for name in strata)
    dose = "(PARTITION BY dose_key ORDER BY rank)"
    return f"""
    WITH calibrated AS (
      SELECT *, CASE stratum {bits} END AS bits FROM ({compile_ranking(model.specification, candidates)})
    ), levelled AS (
      -- odds are taken relative to the dose's largest, so that no power of two overflows
      SELECT *, greatest(max(bits) OVER (PARTITION BY dose_key), 0) AS top FROM calibrated
    ), weighed AS (
      SELECT *, pow(2, bits - top) AS odds, {1 - model.in_registry!r} * pow(2, -top) AS none FROM levelled
    ), ranked AS (
      SELECT *, match_weight - lead(match_weight) OVER {dose} AS margin,
        lead(citizen_key) OVER {dose} AS runner_up_key,
        sum(odds) OVER (PARTITION BY dose_key) AS total
      FROM weighed
    ), posterior AS (
      SELECT *, odds / (total + none) AS probability, total / (total + none) AS any_probability FROM ranked
    ), best AS (
      SELECT *, first_value(probability) OVER (PARTITION BY dose_key ORDER BY rank) AS best_probability,
        first_value(margin) OVER (PARTITION BY dose_key ORDER BY rank) AS best_margin
      FROM posterior
    )
    SELECT * EXCLUDE (bits, top, odds, none, total, any_probability, best_probability, best_margin),
      CASE WHEN best_probability >= CASE stratum {accept} END AND coalesce(best_margin, 1) > 0 AND caution IS NULL
             THEN 'accept'
           WHEN any_probability >= {thresholds.review!r} THEN 'review'
           ELSE 'no_match' END AS decision
    FROM best
    """


def compile_ranking(specification: Specification, candidates: str) -> str:
    """The statement that ranks candidates and finds what forbids a machine to accept.

    Returns:
        A SELECT with a row for each candidate: the columns of ``candidates``, ``rank`` (from 1, by match weight, then
        by citizen key), the dose's ``caution``: the first one that holds, null without one; and its ``stratum``:
        "caution", or the first whose pattern the best candidate has, or "other".
    """
    order = "(PARTITION BY dose_key ORDER BY match_weight DESC, citizen_key)"
    held = {
        f"{who}_{number}": _held(specification, pattern)
        for number, caution in enumerate(specification.cautions)
        for who, pattern in (("best", caution.best), ("another", caution.another))
        if pattern
    }
    columns = "".join(f", {condition} AS {name}" for name, condition in held.items())
    kinds = " ".join(f"WHEN {_held(specification, each.best)} THEN '{each.name}'" for each in specification.strata)
    holds = " ".join(
        f"WHEN bool_or(rank = 1 AND best_{number}) OVER dose"
        + (f" AND bool_or(rank > 1 AND another_{number}) OVER dose" if caution.another else "")
        + f" THEN '{caution.name}'"
        for number, caution in enumerate(specification.cautions)
    )
    kept = ", ".join(("own_stratum", *held))
    return f"""
    SELECT * EXCLUDE ({kept}), CASE WHEN caution IS NOT NULL THEN '{CAUTION}'
        ELSE any_value(own_stratum) FILTER (rank = 1) OVER dose END AS stratum
    FROM (
      SELECT *, {f"CASE {holds} END" if holds else "NULL::VARCHAR"} AS caution
      FROM (SELECT *, row_number() OVER {order} AS rank{columns},
          {f"CASE {kinds} ELSE '{OTHER}' END" if kinds else f"'{OTHER}'"} AS own_stratum FROM {candidates})
      WINDOW dose AS (PARTITION BY dose_key)
    )
    WINDOW dose AS (PARTITION BY dose_key)
    """


def _held(specification: Specification, pattern: Pattern) -> str:
    """Whether a candidate has the pattern."""
    conditions = []
    for comparison in specification.comparisons:
        places = {"missing": 0} | {level.name: place for place, level in enumerate(comparison.levels, start=1)}
        if levels := pattern.get(comparison.name):
            numbers = ", ".join(str(places[level]) for level in levels)
            conditions.append(f"{level_column(comparison)} IN ({numbers})")
    return " AND ".join(conditions)
