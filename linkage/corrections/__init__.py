"""What a dose record says differently from the registry, field by field, and in what way.

The kinds of a field's differences are declared here once, as conditions in SQL over the standardised dose ``l`` and
citizen ``r``, and over both as typed, ``t`` and ``c``. The first condition that holds gives the kind; no kind means
that the two agree, or that the registry has nothing to say.
"""

from collections.abc import Mapping

__all__ = ["KINDS", "compile_corrections", "compile_kinds", "compile_outcome"]

Rules = tuple[tuple[str | None, str], ...]

_REGISTRY_COLUMN = {"national_id": "citizen_id"}


def _letters(text: str) -> str:
    """A name without what nobody would correct: capitals, marks, invisible characters, signs, wide spaces."""
    plain = f"translate(strip_accents(lower(nfc_normalize({text}))), 'đðɖ’‘`´ʼʹ′', 'ddd''''''''''''''')"
    words = f"regexp_replace(regexp_replace({plain}, '\\p{{Cf}}', '', 'g'), '[^\\pL\\pM\\pN''^~+*?]+', ' ', 'g')"
    return f"trim(replace({words}, ''' ', ''''))"


def _name() -> Rules:
    typed, spelled, known = _letters("t.full_name"), _letters("l.name"), _letters("r.name")
    within = f"list_has_all(string_split({typed}, ' '), string_split({spelled}, ' '))"
    joined = f"replace({typed}, ' ', '') = replace({known}, ' ', '')"
    fewer = f"len(string_split({typed}, ' ')) < len(string_split({spelled}, ' '))"
    # forms of address that are names too, and so stay
    addressed = (
        "ends_with(l.name, ' ' || r.name) AND regexp_matches(l.name_ascii, '^(anh|em|con|ong|thay|di|mo|thim) ')"
    )
    letter, stop = "regexp_full_match(word[1], '[a-z]|[b-df-hj-np-tv-xz]+')", "contains(t.full_name, '.')"
    return (
        (None, "r.name IS NULL OR l.name = r.name AND t.full_name = c.full_name"),
        ("malformed", "l.name IS NULL"),
        (None, f"l.name = r.name AND {typed} IN ({spelled}, {_letters('c.full_name')})"),
        ("title_or_note", f"l.name = r.name AND {within} OR {addressed}"),
        ("spacing", f"{joined} AND (l.name = r.name AND {fewer} OR l.name_ascii <> r.name_ascii)"),
        ("encoding", "l.name = r.name"),
        ("diacritics", "l.name_ascii = r.name_ascii"),
        ("doublet", "l.name_doublet = r.name_doublet"),
        ("word_order", "list_sort(string_split(l.name_ascii, ' ')) = list_sort(string_split(r.name_ascii, ' '))"),
        ("abbreviation", f"l.given_ascii = r.given_ascii AND {_shortened(f'{letter} OR {stop}')}"),
        ("initials", _shortened(letter)),
        ("sound_alike", "l.name_sound = r.name_sound"),
        ("middle_name", "l.surname_ascii = r.surname_ascii AND l.given_ascii = r.given_ascii"),
        ("spelling", "levenshtein(l.name_ascii, r.name_ascii) <= 2"),
        ("other", "true"),
    )


def _shortened(when: str) -> str:
    """SQL for as many words on both sides, each whole or, ``when`` this holds of it, cut short."""
    words, known = "string_split(l.name_ascii, ' ')", "string_split(r.name_ascii, ' ')"
    each = f"word[1] = word[2] OR starts_with(word[2], word[1]) AND ({when})"
    all_words = f"list_bool_and(list_transform(list_zip({words}, {known}), lambda word: {each}))"
    return f"len({words}) = len({known}) AND {all_words}"


def _plain(typed: str, standardised: str) -> Rules:
    return (
        (None, f"r.{standardised} IS NULL OR l.{standardised} = r.{standardised}"),
        ("missing", f"t.{typed} IS NULL"),
        ("malformed", f"l.{standardised} IS NULL"),
        ("other", "true"),
    )


def _named(unit: str) -> str:
    """SQL for the name of a unit without its kind, or its number without zeros."""
    kinds = "phuong|xa|thi tran|quan|huyen|thi xa|thanh pho|tinh|p|x|tt|q|h|tx|tp|t"
    return f"regexp_replace({_letters(unit)}, '^(({kinds}) )?0*', '')"


def _place(unit: str) -> Rules:
    """Units of 2021 are compared with each other, and those of 2025 where a side has no other."""
    later = f"{unit}_2025"
    as_named = f"t.{unit} = r.{unit} OR {_named(f't.{unit}')} = {_named(f'c.{unit}')}"
    return (
        (None, f"coalesce(r.{unit}, r.{later}) IS NULL OR l.{unit} = r.{unit}"),
        (None, f"l.{unit} IS NULL AND r.{unit} IS NULL AND l.{later} = r.{later}"),
        ("missing", f"t.{unit} IS NULL"),
        # a name or a code that is not certain by itself
        (None, f"l.{unit} IS NULL AND ({as_named}) AND coalesce(l.province_2025 = r.province_2025, true)"),
        ("malformed", f"coalesce(l.{unit}, l.{later}) IS NULL"),
        ("other", f"l.{unit} <> r.{unit}"),
        # a commune of 2021 that was divided has none of 2025: nothing is known against it within the province
        ("unit_renamed", f"coalesce(l.{later} = r.{later}, l.province_2025 = r.province_2025)"),
        ("other", "true"),
    )


# both dates as far as the coarser of the two goes
_BORN, _KNOWN_BORN = "left(l.born, length(r.born))", "left(r.born, length(l.born))"

KINDS: Mapping[str, Rules] = {
    "full_name": _name(),
    "date_of_birth": (
        (None, "r.born IS NULL OR l.born = r.born"),
        ("missing", "t.date_of_birth IS NULL"),
        ("malformed", "l.born IS NULL"),
        (None, "starts_with(l.born, r.born)"),
        ("year_only", "l.born_precision = 'year' AND starts_with(r.born, l.born)"),
        ("month_only", "l.born_precision = 'month' AND starts_with(r.born, l.born)"),
        ("year_only", "l.born_month_day = '01-01' AND l.born_year = r.born_year"),
        ("day_month_swap", "l.born_swapped = r.born"),
        ("other_reading", "list_contains(l.born_readings, r.born)"),
        ("one_day", "abs(date_diff('day', try_cast(l.born AS DATE), try_cast(r.born AS DATE))) = 1"),
        ("lunar", "list_contains(l.born_solar, r.born)"),
        ("one_year", f"abs(l.born_year - r.born_year) = 1 AND {_BORN}[5:] = {_KNOWN_BORN}[5:]"),
        ("one_digit", f"levenshtein({_BORN}, {_KNOWN_BORN}) = 1"),
        ("transposed", f"damerau_levenshtein({_BORN}, {_KNOWN_BORN}) = 1"),
        ("other", "true"),
    ),
    "sex": _plain("sex", "sex"),
    "national_id": (
        (None, "l.id = r.id AND l.id_repair IN ('none', 'separators')"),
        ("missing", "t.national_id IS NULL"),
        *((repair, f"l.id = r.id AND l.id_repair = '{repair}'") for repair in ("lost_zero", "lookalike", "extracted")),
        ("former_number", "list_contains(r.former_ids, l.id)"),
        ("second_number", "list_contains(l.former_ids, r.id)"),
        ("malformed", "l.id IS NULL"),
        ("of_another_citizen", "l.id IN (FROM numbers_of_others)"),
        ("one_digit", "length(l.id) = length(r.id) AND levenshtein(l.id, r.id) = 1"),
        ("transposed", "length(l.id) = length(r.id) AND damerau_levenshtein(l.id, r.id) = 1"),
        ("missing_digit", "length(l.id) < length(r.id) AND levenshtein(l.id, r.id) = 1"),
        ("extra_digit", "length(l.id) > length(r.id) AND levenshtein(l.id, r.id) = 1"),
        ("malformed", "l.id_kind = 'other'"),
        ("other", "true"),
    ),
    "health_insurance_no": _plain("health_insurance_no", "insurance_no"),
    "phone": _plain("phone", "phone"),
    "province": _place("province"),
    "district": (
        (None, "r.district IS NULL OR l.district = r.district"),
        # since 2025 there are no districts to be typed
        (None, "t.district IS NULL AND l.district IS NULL AND l.commune_2025 IS NOT NULL"),
        ("missing", "t.district IS NULL"),
        ("unit_renamed", "l.district IS NULL AND l.commune_2025 = r.commune_2025"),
        ("malformed", "l.district IS NULL"),
        ("other", "true"),
    ),
    "commune": _place("commune"),
    "address": (
        (None, "r.address IS NULL OR l.address = r.address"),
        ("missing", "t.address IS NULL"),
        (None, "r.address = r.address_hamlet AND l.address_hamlet = r.address_hamlet"),
        ("incomplete", "l.address IS NULL OR l.address = l.address_hamlet AND l.address_hamlet = r.address_hamlet"),
        ("other", "true"),
    ),
}
"""Field → its kinds, each with its condition; None is no difference."""


def compile_kinds(accepted: str) -> str:
    """A SELECT of ``dose_key``, ``citizen_key`` and ``kind_<field>`` for every row of ``accepted``.

    Args:
        accepted: a relation with ``dose_key`` and ``citizen_key``.
    """
    kinds = ", ".join(f"{_case(rules)} AS kind_{field}" for field, rules in KINDS.items())
    pairs = f"""{accepted} AS a
    JOIN doses_standardised AS l ON l.key = a.dose_key
    JOIN citizens_standardised AS r ON r.key = a.citizen_key"""
    return f"""
    WITH numbers_of_others AS (
      SELECT DISTINCT number FROM (SELECT unnest(list_prepend(id, former_ids)) AS number FROM citizens_standardised)
      WHERE number IN (SELECT l.id FROM {pairs} WHERE l.id <> r.id)
    )
    SELECT a.dose_key, a.citizen_key, {kinds}
    FROM {pairs}
    JOIN doses AS t ON t.key = a.dose_key
    JOIN citizens AS c ON c.key = a.citizen_key
    """


def _case(rules: Rules) -> str:
    branches = (f"WHEN {condition} THEN {repr(kind) if kind else 'NULL'}" for kind, condition in rules)
    return f"CASE {' '.join(branches)} END"


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
