"""The files of the folder RUN, each as a query over the work database."""

from linkage.corrections import compile_corrections
from linkage.deciding.answers import compile_contradictions
from linkage.scoring import bits_column, level_name
from models import Model

__all__ = ["output_queries"]


def output_queries(model: Model) -> dict[str, str]:
    """File name → the SELECT of its rows, in their order.

    Beside the files every user knows there are ``candidates.parquet`` (every kept candidate with the level and the
    bits of each comparison), ``doses.parquet`` and ``citizens.parquet`` (the records as typed: every usable dose, and
    the citizens that are a candidate of one or that a human named), so that a decision can be explained and reviewed
    from RUN alone; and ``contradictions.parquet``, where the machine would decide otherwise than a human did. In
    ``decisions.parquet`` ``answered`` is the entry of the ledger that a human's decision stands in and ``answer`` its
    outcome, both null where the machine decided.
    """
    return {
        "decisions.parquet": _decisions(model),
        "review.parquet": _candidates(
            _level_names(model), "k.dose_key IN (SELECT key FROM decisions WHERE decision = 'review')"
        ),
        "candidates.parquet": _candidates(f"{_level_names(model)}, {_bits(model)}", "true"),
        "corrections.parquet": compile_corrections("kinds"),
        "quarantine.parquet": """
            SELECT file, row, id AS dose_id, problem, 'doses' AS "table" FROM doses_quarantine
            UNION ALL SELECT file, row, NULL, problem, 'citizens' FROM citizens_quarantine
            ORDER BY "table" DESC, file, row""",
        "doses.parquet": "SELECT * EXCLUDE (key, file_no, row) FROM doses ORDER BY key",
        "citizens.parquet": """
            SELECT * EXCLUDE (key, file_no, row) FROM citizens
            WHERE key IN (SELECT citizen_key FROM candidates UNION ALL SELECT named_key FROM answered) ORDER BY key""",
        "contradictions.parquet": compile_contradictions(),
    }


def _decisions(model: Model) -> str:
    rules = ", ".join(f"'{rule.name}'" for rule in model.specification.blocking)
    return f"""
        SELECT o.dose_id, o.decision, o.outcome, c.citizen_id, o.probability, o.match_weight,
          u.citizen_id AS runner_up_citizen_id, o.margin, [{rules}][o.rule + 1] AS rule,
          '{model.name}@{model.digest[:12]}' AS model, o.caution, o.stratum,
          o.id_kind, o.id_repair, o.province, o.district, o.commune, o.facility_id,
          o.answered, o.answer
        FROM decisions AS o
        LEFT JOIN citizens AS c ON c.key = o.citizen_key
        LEFT JOIN citizens AS u ON u.key = o.runner_up_key
        ORDER BY o.key"""


def _candidates(columns: str, where: str) -> str:
    return f"""
        SELECT d.dose_id, c.citizen_id, k.rank, k.probability, k.match_weight, {columns}
        FROM candidates AS k JOIN doses AS d ON d.key = k.dose_key JOIN citizens AS c ON c.key = k.citizen_key
        WHERE {where} ORDER BY k.dose_key, k.rank"""


def _level_names(model: Model) -> str:
    return ", ".join(level_name(comparison, "k") for comparison in model.specification.comparisons)


def _bits(model: Model) -> str:
    return ", ".join(
        f"k.{bits_column(comparison)}::FLOAT AS {bits_column(comparison)}"
        for comparison in model.specification.comparisons
    )
