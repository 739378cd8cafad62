"""What a dose record says differently from the registry, field by field, and in what way.

The kind of a difference is declared here once, as SQL over the standardised dose ``l`` and citizen ``r`` and the dose
as typed ``t``; NULL means that the two agree, or that the registry has nothing to say.
"""

from collections.abc import Mapping

__all__ = ["KINDS", "compile_corrections", "compile_kinds", "compile_outcome"]

_REGISTRY_COLUMN = {"national_id": "citizen_id"}


def _plain(typed: str, standardised: str) -> str:
    return f"""CASE
      WHEN r.{standardised} IS NULL OR l.{standardised} = r.{standardised} THEN NULL
      WHEN t.{typed} IS NULL THEN 'missing'
      WHEN l.{standardised} IS NULL THEN 'malformed'
      ELSE 'other' END"""


KINDS: Mapping[str, str] = {
    "full_name": """CASE
      WHEN l.name = r.name THEN NULL
      WHEN l.name_ascii = r.name_ascii THEN 'diacritics'
      WHEN list_sort(string_split(l.name_ascii, ' ')) = list_sort(string_split(r.name_ascii, ' ')) THEN 'word_order'
      WHEN l.surname_ascii = r.surname_ascii AND l.given_ascii = r.given_ascii THEN 'middle_name'
      WHEN levenshtein(l.name_ascii, r.name_ascii) <= 2 THEN 'spelling'
      ELSE 'other' END""",
    "date_of_birth": """CASE
      WHEN r.born IS NULL OR l.born = r.born THEN NULL
      WHEN t.date_of_birth IS NULL THEN 'missing'
      WHEN l.born IS NULL THEN 'malformed'
      WHEN r.born_precision <> 'day' AND starts_with(l.born, r.born) THEN NULL
      WHEN l.born_precision <> 'day' AND starts_with(r.born, l.born) THEN l.born_precision || '_only'
      WHEN l.born_month_day = '01-01' AND l.born_year = r.born_year THEN 'year_only'
      WHEN l.born_swapped = r.born THEN 'day_month_swap'
      WHEN length(l.born) = length(r.born) AND hamming(l.born, r.born) = 1 THEN 'one_digit'
      ELSE 'other' END""",
    "sex": _plain("sex", "sex"),
    "national_id": """CASE
      WHEN l.id = r.id AND l.id_repair IN ('none', 'separators') THEN NULL
      WHEN t.national_id IS NULL THEN 'missing'
      WHEN l.id = r.id THEN l.id_repair
      WHEN list_contains(r.former_ids, l.id) THEN 'former_number'
      WHEN list_contains(l.former_ids, r.id) THEN 'second_number'
      WHEN l.id IS NULL THEN 'malformed'
      WHEN damerau_levenshtein(l.id, r.id) = 1 THEN 'one_digit'
      ELSE 'other' END""",
    "health_insurance_no": _plain("health_insurance_no", "insurance_no"),
    "phone": _plain("phone", "phone"),
    **{unit: _plain(unit, unit) for unit in ("province", "district", "commune")},
    "address": """CASE
      WHEN r.address IS NULL OR l.address = r.address THEN NULL
      WHEN t.address IS NULL THEN 'missing'
      ELSE 'other' END""",
}


def compile_kinds(accepted: str) -> str:
    """A SELECT of ``dose_key``, ``citizen_key`` and ``kind_<field>`` for every row of ``accepted``.

    Args:
        accepted: a relation with ``dose_key`` and ``citizen_key``.
    """
    kinds = ", ".join(f"{sql} AS kind_{field}" for field, sql in KINDS.items())
    return f"""
    SELECT a.dose_key, a.citizen_key, {kinds}
    FROM {accepted} AS a
    JOIN doses_standardised AS l ON l.key = a.dose_key
    JOIN doses AS t ON t.key = a.dose_key
    JOIN citizens_standardised AS r ON r.key = a.citizen_key
    """


def compile_corrections(kinds: str) -> str:
    """A SELECT of the rows of ``corrections.parquet`` from what ``compile_kinds`` made.

    Columns: ``dose_id``, ``citizen_id``, ``field``, ``recorded`` and ``registry`` (both as typed), ``kind``.
    """
    pairs = ", ".join(
        f"{{'field': '{field}', 'recorded': t.{field}, 'registry': c.{_REGISTRY_COLUMN.get(field, field)},"
        f" 'kind': kind_{field}}}"
        for field in KINDS
    )
    return f"""
    SELECT dose_id, citizen_id, difference.field, difference.recorded, difference.registry, difference.kind FROM (
      SELECT k.dose_key, t.dose_id, c.citizen_id,
        unnest(list_filter([{pairs}], lambda x: x.kind IS NOT NULL)) AS difference
      FROM {kinds} AS k
      JOIN doses AS t ON t.key = k.dose_key
      JOIN citizens AS c ON c.key = k.citizen_key
    ) ORDER BY dose_key
    """


def compile_outcome() -> str:
    """SQL for the ``outcome`` of an accepted dose over the columns ``kind_<field>``."""
    return """CASE
      WHEN kind_national_id = 'missing' THEN 'id_supplied'
      WHEN kind_national_id IS NOT NULL THEN 'id_corrected'
      WHEN kind_full_name IS NULL AND kind_date_of_birth IS NULL AND kind_sex IS NULL THEN 'verified'
      ELSE 'details_corrected' END"""
