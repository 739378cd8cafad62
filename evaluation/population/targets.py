"""Realised figures of a population beside the target figures."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import duckdb
import pyarrow as pa

from linkage.messages import catalogue, say

EXACT, DIFFERS, MALFORMED, NONE = "exact", "details differ", "malformed number", "no number"
FOREIGN = "foreigner"
DETAILS = {EXACT: "agree", DIFFERS: "differ", MALFORMED: "malformed_id", NONE: "no_id", FOREIGN: "foreigner"}
"""The classes as the column ``details`` of the truth table; ``differ`` is a well-formed number with which number,
name or birth date is not as the registry has it."""

# As the platform would see it: number, name and birth date agree once case, spaces, Unicode composition,
# separators and date layout are set aside; nothing else is mended. Nine digits pass for a well-formed number.
TYPED = """
SELECT *, national_id AS typed,
  regexp_replace(replace(national_id, 'CCCD:', ''), '[^0-9A-Za-z]', '', 'g') AS number,
  lower(trim(regexp_replace(nfc_normalize(full_name), '\\s+', ' ', 'g'))) AS name,
  try_strptime(date_of_birth, ['%d/%m/%Y', '%Y-%m-%d', '%d-%m-%Y', '%d.%m.%Y']) AS whole_date,
  coalesce(strftime(whole_date, '%Y-%m-%d'), date_of_birth) AS born,
  coalesce(phone, province, district, commune) IS NOT NULL AS located
FROM doses
"""
CLASSES = f"""
CREATE TABLE seen AS
SELECT d.dose_id, d.subject_id, t.person_id, t.citizen_id AS truth, t.duplicate_of, d.name, d.born, d.located,
  CASE
    WHEN t.person_id LIKE 'F%' THEN '{FOREIGN}'
    WHEN lower(c.full_name) = d.name AND c.date_of_birth = d.born THEN '{EXACT}'
    WHEN d.typed IS NULL THEN '{NONE}'
    WHEN d.number IN ('000000000', '123456789', '000000000000') THEN '{MALFORMED}'
    WHEN regexp_full_match(d.number, '0[0-9]{{2}}[0-3][0-9]{{8}}|[0-9]{{9}}') THEN '{DIFFERS}'
    ELSE '{MALFORMED}'
  END AS class
FROM ({TYPED}) d
JOIN truth t USING (dose_id)
LEFT JOIN citizens c ON c.citizen_id = d.number
"""

SHARES = "SELECT class, count(*) * 100.0 / sum(count(*)) OVER () FROM seen GROUP BY class"
PROFILES = """
WITH profiles AS (SELECT arg_min(class, dose_id) AS class, count(*) AS doses FROM seen GROUP BY subject_id)
SELECT avg(doses) FILTER (class = 'exact'), avg(doses) FILTER (class = 'details differ'),
  avg(doses) FILTER (class IN ('no number', 'malformed number')) FROM profiles
"""
PERSONS = """
SELECT (count(DISTINCT subject_id) * 1.0 / count(DISTINCT person_id) - 1) * 100,
  count(duplicate_of) * 100.0 / count(*),
  count(DISTINCT person_id) FILTER (truth IS NULL AND person_id NOT LIKE 'F%') * 100.0
    / count(DISTINCT person_id)
FROM seen
"""
RECOVERABLE = """
SELECT avg((jaro_winkler_similarity(strip_accents(seen.name), strip_accents(lower(c.full_name))) >= 0.88
  AND (seen.born = c.date_of_birth OR contains(seen.born, left(c.date_of_birth, 4))) AND located)::INT) * 100
FROM seen JOIN citizens c ON c.citizen_id = seen.truth WHERE class IN ('no number', 'malformed number')
"""
COLLISIONS = """
SELECT sum(n * (n - 1)) / (sum(n) * (sum(n) - 1)) FROM (
  SELECT count(*)::DOUBLE AS n FROM citizens WHERE regexp_matches(full_name, ?) GROUP BY full_name)
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: its unit, the range aimed at, and what came out."""

    name: str
    unit: str
    low: float
    high: float
    realised: float

    @property
    def met(self) -> bool:
        """It came out within the range."""
        return self.low <= self.realised <= self.high


def classify(connection: duckdb.DuckDBPyConnection, citizens: pa.Table, doses: pa.Table, truth: pa.Table) -> None:
    """Make the table ``seen``: each dose with the class the platform would put it in."""
    for name, table in (("citizens", citizens), ("doses", doses), ("truth", truth)):
        connection.register(name, table)
    connection.execute(CLASSES)


def measure(connection: duckdb.DuckDBPyConnection, twin_pairs: float) -> tuple[Figure, ...]:
    """All figures; `classify` comes first. ``twin_pairs`` are the realised pairs of twins per citizen."""
    share = dict(connection.execute(SHARES).fetchall())
    right, wrong, none = _row(connection, PROFILES)
    extra, doubled, absent = _row(connection, PERSONS)
    without = share.get(NONE, 0.0) + share.get(MALFORMED, 0.0)
    return (
        Figure("doses_that_agree_on_number_name_and_birth_date", "%", 55.5, 58.5, share.get(EXACT, 0.0)),
        Figure("doses_with_a_well_formed_number_that_disagree", "%", 20, 22.5, share.get(DIFFERS, 0.0)),
        Figure("doses_with_no_or_a_malformed_number", "%", 19, 22, without),
        Figure("doses_of_foreigners", "%", 0.2, 0.4, share.get(FOREIGN, 0.0)),
        Figure("doses_without_usable_number_still_recoverable", "%", 93, 100, *_row(connection, RECOVERABLE)),
        Figure("doses_a_profile_right", "doses", 2.45, 2.60, right),
        Figure("doses_a_profile_wrong", "doses", 2.20, 2.36, wrong),
        Figure("doses_a_profile_no_usable_number", "doses", 2.18, 2.34, none),
        Figure("profiles_beyond_vaccinated_people", "%", 3, 7, extra),
        Figure("doses_entered_twice", "%", 1.2, 1.8, doubled),
        Figure("vaccinated_people_missing_from_the_registry", "%", 1.5, 2.5, absent),
        Figure("pairs_of_twins_a_commune_of_9_200", "pairs", 55, 80, twin_pairs * 9_200),
        Figure("name_birth_date_and_sex_right_nationwide", "%", 50, 68, _right(connection, "full_name")),
        Figure("the_same_within_a_province", "%", 97, 98.2, _right(connection, "full_name, province")),
        Figure(
            "the_same_within_a_commune",
            "%",
            99.93,
            100,
            _right(connection, "full_name, province, district, commune"),
        ),
        Figure("two_people_share_a_name", "10⁻⁵", 4, 9, _collision(connection, ".")),
        Figure("two_people_share_a_name_with_thi", "10⁻⁵", 20, 35, _collision(connection, " Thị ")),
        Figure("two_share_a_name_surname_van_given", "10⁻⁵", 50, 80, _collision(connection, "^[^ ]+ Văn [^ ]+$")),
    )


def as_table(figures: Sequence[Figure], language: str = "en") -> str:
    """A text table of realised against target figures."""
    name, realised, target, unit = say("figures.heading", language).split("|")
    lines = [f"{name:<50} {realised:>9} {target:>15}  {unit}"]
    for figure in figures:
        mark = " " if figure.met else "!"
        aim = f"{figure.low:g} – {figure.high:g}"
        key = f"unit.{figure.unit}"
        unit = say(key, language) if key in catalogue() else figure.unit
        name = say(f"figure.{figure.name}", language)
        lines.append(f"{name:<50} {figure.realised:>9.2f}{mark}{aim:>15}  {unit}")
    if not all(figure.met for figure in figures):
        lines.append(say("figures.legend", language))
    return "\n".join(lines) + "\n"


def as_json(figures: Sequence[Figure]) -> str:
    """The same as JSON."""
    return json.dumps([asdict(figure) for figure in figures], ensure_ascii=False, indent=2) + "\n"


def _row(connection: duckdb.DuckDBPyConnection, query: str) -> list[float]:
    row = connection.execute(query).fetchone()
    return [float(value or 0.0) for value in row or ()]


def _right(connection: duckdb.DuckDBPyConnection, columns: str) -> float:
    counts = f"SELECT count(*)::DOUBLE AS n FROM citizens GROUP BY date_of_birth, sex, {columns}"
    return _row(connection, f"SELECT sum(n) / sum(n * n) * 100 FROM ({counts})")[0]


def _collision(connection: duckdb.DuckDBPyConnection, pattern: str) -> float:
    row = connection.execute(COLLISIONS, [pattern]).fetchone()
    return float(row[0] or 0.0) * 1e5 if row else 0.0
