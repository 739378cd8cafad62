"""The golden record: of all values a person has in the registry and in its doses, one per field, and why that one.

Most persons' doses agree on a field: those are read off one GROUP BY over the doses, beside the registry's value.
Only where doses contradict each other, or lengths must be compared, values are put in rows and ranked.
Persons are worked out in parts of bounded size.
"""

from typing import Final

import duckdb

from linkage.persons.golden_rules import FIELDS, RULES, GoldenRules, read_golden_rules
from linkage.progress import Progress, silent
from linkage.scoring import Step

__all__ = ["FIELDS", "RULES", "GoldenRules", "compile_golden", "make_golden", "read_golden_rules"]

_OF_CITIZENS: Final = tuple(field for field in FIELDS if field not in {"national_id", "nationality"})

# rule → its score of a candidate value, 0 where it has nothing to say, and when it speaks for the only value there is
_SCORES: Final = {
    "registry": ("in_registry::BIGINT", "{0}_registry IS NOT NULL"),
    "verified": ("standing::BIGINT", "{0}_standing > 0"),
    "most_recent": (
        "coalesce(date_diff('day', DATE '0001-01-01', latest) + 1, 0)",
        "{0}_latest IS NOT NULL",
    ),
    "most_complete": ("length(value)", "coalesce({0}_low, {0}_registry) IS NOT NULL"),
    "majority": ("doses", "{0}_doses > 0"),
}
PERSONS_AT_ONCE = 200_000


def make_golden(connection: duckdb.DuckDBPyConnection, rules: GoldenRules, *, progress: Progress = silent) -> None:
    """Make the tables ``golden`` and ``losing_values``; neither depends on the order of rows. Their rows have no order.

    Reads ``doses`` and ``citizens`` as typed; ``decisions`` (``dose_id``, ``decision``, ``outcome``); ``injections``
    (one row or none for each dose: ``dose_id``, and ``day`` and ``recorded``, dates or null); ``dose_persons``
    (``dose_id``, ``person_id``); ``person_citizens`` (each person once: ``person_id``, and ``citizen_id`` or null).

    ``golden`` has each person of ``person_citizens`` once: ``person_id``, ``citizen_id``, and for each of `FIELDS` the
    value as typed, ``<field>_source`` (``registry`` or the ``dose_id``) and ``<field>_rule`` (the rule that told the
    value from the last other one; of an only value the first that speaks for it); null where there is none.
    ``losing_values`` has every other value that is not blank: ``person_id``, ``field``, ``value``, ``doses`` (how many
    were typed so), ``latest`` (day of the last of them, as ``most_recent`` counts it), ``source`` (``registry`` or a
    ``dose_id``).

    Args:
        connection: the work database; the tables of `compile_golden`, ``golden_…``, are made in it and dropped.
        rules: see `read_golden_rules`.
        progress: told of each part of the persons.
    """
    [(persons,)] = connection.execute("SELECT count(*) FROM person_citizens").fetchall()
    parts = -(-persons // PERSONS_AT_ONCE) or 1
    whole, by_part, results = compile_golden(rules)
    for step in whole:
        connection.execute(f"CREATE TEMP TABLE {step.name} AS {step.sql}", {"parts": parts})
    for part in range(parts):
        progress("golden records", part, parts)
        for step in by_part:
            given = {"part": part} if "$part" in step.sql else {}
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {step.name} AS {step.sql}", given)
        for step in results:
            command = f"INSERT INTO {step.name}" if part else f"CREATE TABLE {step.name} AS"
            connection.execute(f"{command} {step.sql}")
    for step in (*whole, *by_part):
        connection.execute(f"DROP TABLE {step.name}")
    progress("golden records", parts, parts)


def compile_golden(rules: GoldenRules) -> tuple[tuple[Step, ...], tuple[Step, ...], tuple[Step, ...]]:
    """The relations of golden records: those made once (of ``$parts``), those of a ``$part``, and the two results."""
    return (
        (Step("golden_records", _records()), Step("golden_persons", _persons())),
        (
            Step("golden_summaries", _summaries(rules)),
            Step("golden_candidates", _candidates(rules)),
            Step("golden_ranked", _ranked(rules)),
        ),
        (Step("golden", _golden()), Step("losing_values", _losing_values())),
    )


def _value(column: str) -> str:
    """What was typed, unless it is white space alone; most values show by their first character that they are not."""
    white = r"\x{09}-\x{0d}\x{1c}-\x{1f}\x{85}\p{Z}"
    return f"CASE WHEN {column} BETWEEN '!' AND '~' OR regexp_matches({column}, '[^{white}]') THEN {column} END"


def _records() -> str:
    """Doses of persons: values, standing (2 verified, 1 accepted, 0), day, and two texts that order doses by either."""
    values = ", ".join(f"{_value(f'd.{field}')} AS {field}" for field in FIELDS)
    return f"""
    SELECT part, person_id, dose_id, {", ".join(FIELDS)}, standing, latest,
      standing || coalesce(latest::VARCHAR, '0000-00-00') || dose_id AS by_standing,
      coalesce(latest::VARCHAR, '0000-00-00') || standing || dose_id AS by_day
    FROM (
      SELECT hash(p.person_id) % $parts AS part, p.person_id, d.dose_id, {values},
        CASE WHEN a.dose_id IS NULL THEN 0 WHEN a.outcome = 'verified' THEN 2 ELSE 1 END::TINYINT AS standing,
        CASE WHEN i.latest BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' THEN i.latest END AS latest
      FROM dose_persons AS p
      JOIN doses AS d ON d.dose_id = p.dose_id
      LEFT JOIN (SELECT dose_id, outcome FROM decisions WHERE decision = 'accept') AS a ON a.dose_id = p.dose_id
      LEFT JOIN (SELECT dose_id, coalesce(recorded::DATE, day::DATE) AS latest FROM injections) AS i
        ON i.dose_id = p.dose_id
    ) ORDER BY part
    """


def _persons() -> str:
    """Every person once, with what the registry says of its citizen."""
    values = ", ".join(f"{_value(f'c.{field}')} AS {field}_registry" for field in _OF_CITIZENS)
    return f"""
    SELECT hash(p.person_id) % $parts AS part, p.person_id, p.citizen_id, {values},
      p.citizen_id AS national_id_registry, NULL::VARCHAR AS nationality_registry
    FROM person_citizens AS p LEFT JOIN citizens AS c ON c.citizen_id = p.citizen_id
    ORDER BY part
    """


def _summaries(rules: GoldenRules) -> str:
    """A row per person: of each field the span of what doses say, and whether its values must be ranked one by one."""
    spans, contests = [], []
    for field in FIELDS:
        said, text = f"FILTER ({field} IS NOT NULL)", _order(rules, field)
        spans.append(f"""
          min({field}) AS {field}_low, max({field}) AS {field}_high, count({field}) AS {field}_doses,
          max(latest) {said} AS {field}_latest, max(standing) {said} AS {field}_standing,
          substr(max({text}) {said}, 12) AS {field}_dose""")
        undecided = f"{field}_low <> {field}_registry AND coalesce({field}_rule, 'most_complete') = 'most_complete'"
        contests.append(f"coalesce({field}_low <> {field}_high OR {undecided}, false) AS {field}_contested")
    return f"""
    SELECT *, list_bool_or([{", ".join(f"{field}_contested" for field in FIELDS)}]) AS contested FROM (
      SELECT *, {", ".join(_rule_of_agreed(rules, field) for field in FIELDS)}, {", ".join(contests)}
      FROM (FROM golden_persons WHERE part = $part)
      LEFT JOIN (
        SELECT person_id, {",".join(spans)} FROM golden_records WHERE part = $part GROUP BY person_id
      ) USING (person_id)
    )
    """


def _order(rules: GoldenRules, field: str) -> str:
    return "by_day" if rules.newest_first(field) else "by_standing"


def _rule_of_agreed(rules: GoldenRules, field: str) -> str:
    """The first rule that speaks for the one value of the doses or for the registry's; only lengths speak for both."""
    speaks = " ".join(f"WHEN {_SCORES[rule][1].format(field)} THEN '{rule}'" for rule in rules.of[field])
    return f"CASE {speaks} END AS {field}_rule"


def _candidates(rules: GoldenRules) -> str:
    """A row per person, contested field and value: what every rule goes by, and the dose that is its source."""
    typed = ", ".join(
        f"{{'field': '{field}', 'value': CASE WHEN {field}_contested THEN {field} END}}" for field in FIELDS
    )
    known = typed.replace(" THEN ", " THEN p.").replace(" END", "_registry END")
    newest = ", ".join(f"'{field}'" for field in FIELDS if rules.newest_first(field))
    text = f"CASE WHEN entry.field IN ({newest}) THEN by_day ELSE by_standing END" if newest else "by_standing"
    return f"""
    SELECT person_id, entry.field AS field, entry.value AS value, count(dose_id) AS doses, max(latest) AS latest,
      max(standing) AS standing, bool_or(dose_id IS NULL) AS in_registry, substr(max({text}), 12) AS dose
    FROM (
      SELECT person_id, dose_id, latest, standing, by_day, by_standing, unnest([{typed}]) AS entry
      FROM golden_records JOIN (FROM golden_summaries WHERE contested) USING (person_id, part)
      UNION ALL BY NAME
      SELECT person_id, 0 AS standing, unnest([{known}]) AS entry FROM golden_summaries AS p WHERE contested
    ) WHERE entry.value IS NOT NULL GROUP BY ALL
    """


def _ranked(rules: GoldenRules) -> str:
    """Candidates in order, ``place`` 1 for the winner, with the ``rule`` that told it from the next."""
    longest = max(map(len, rules.of.values()))
    scores = ", ".join(f"{_by_field(rules, place)} AS score_{place}" for place in range(longest))
    order = ", ".join(f"score_{place} DESC" for place in range(longest))
    by_place = range(longest)
    telling = " ".join(f"WHEN score_{place} <> lead(score_{place}) OVER ranks THEN {place + 1}" for place in by_place)
    last = " ".join(f"WHEN score_{place} > 0 THEN {place + 1}" for place in reversed(by_place))
    names = " ".join(f"WHEN '{field}' THEN {list(rules.of[field])!r}" for field in FIELDS)
    return f"""
    SELECT person_id, field, value, doses, latest, in_registry, dose, place,
      CASE WHEN place = 1 THEN (CASE field {names} END)[told] END AS rule
    FROM (
      SELECT *, row_number() OVER ranks AS place, CASE {telling} {last} END AS told
      FROM (SELECT *, {scores} FROM golden_candidates)
      WINDOW ranks AS (PARTITION BY person_id, field ORDER BY {order}, value)
    )
    """


def _by_field(rules: GoldenRules, place: int) -> str:
    """The score by the rule that a field asks in this place."""
    asked = {field: rules.of[field][place] for field in FIELDS if place < len(rules.of[field])}
    fields = {rule: [field for field in asked if asked[field] == rule] for rule in RULES if rule in asked.values()}
    cases = " ".join(
        f"WHEN field IN ({', '.join(map(repr, of))}) THEN {_SCORES[rule][0]}" for rule, of in fields.items()
    )
    return f"CASE {cases} ELSE 0 END"


def _golden() -> str:
    """Every person of the part once: the winner of what was contested, else the only value."""
    chosen = ", ".join(
        f"""
        CASE WHEN s.{field}_contested THEN w.{field} WHEN s.{field}_rule = 'registry' THEN s.{field}_registry
          WHEN s.{field}_rule IS NOT NULL THEN coalesce(s.{field}_low, s.{field}_registry) END AS {field},
        CASE WHEN s.{field}_contested THEN w.{field}_source WHEN s.{field}_rule = 'registry' THEN 'registry'
          WHEN s.{field}_rule IS NOT NULL THEN coalesce(s.{field}_dose, 'registry') END AS {field}_source,
        CASE WHEN s.{field}_contested THEN w.{field}_rule ELSE s.{field}_rule END AS {field}_rule"""
        for field in FIELDS
    )
    source = "CASE WHEN rule = 'registry' OR doses = 0 THEN 'registry' ELSE dose END"
    won = ", ".join(
        f"max(value) FILTER (field = '{field}') AS {field}, max({source}) FILTER (field = '{field}') AS {field}_source,"
        f" max(rule) FILTER (field = '{field}') AS {field}_rule"
        for field in FIELDS
    )
    return f"""
    SELECT s.person_id, s.citizen_id, {chosen} FROM golden_summaries AS s
    LEFT JOIN (SELECT person_id, {won} FROM golden_ranked WHERE rule IS NOT NULL GROUP BY person_id) AS w
      ON w.person_id = s.person_id
    """


def _losing_values() -> str:
    """What was ranked and did not win, and of what was not: the one that was overruled, or that no rule spoke for."""
    lost = ", ".join(
        f"""{{'field': '{field}', 'value': CASE WHEN {field}_contested THEN NULL
          WHEN {field}_rule IS NULL THEN coalesce({field}_low, {field}_registry)
          WHEN {field}_low <> {field}_registry AND {field}_rule = 'registry' THEN {field}_low
          WHEN {field}_low <> {field}_registry THEN {field}_registry END,
          'of_doses': {field}_rule = 'registry' OR {field}_rule IS NULL,
          'doses': coalesce({field}_doses, 0), 'latest': {field}_latest,
          'source': CASE WHEN {field}_rule IS NULL AND {field}_registry IS NOT NULL THEN 'registry'
            ELSE {field}_dose END}}"""
        for field in FIELDS
    )
    return f"""
    SELECT person_id, field, value, doses, latest, CASE WHEN in_registry THEN 'registry' ELSE dose END AS source
    FROM golden_ranked WHERE rule IS NULL
    UNION ALL
    SELECT person_id, lost.field, lost.value, CASE WHEN lost.of_doses THEN lost.doses ELSE 0 END,
      CASE WHEN lost.of_doses THEN lost.latest END, CASE WHEN lost.of_doses THEN lost.source ELSE 'registry' END
    FROM (SELECT person_id, unnest([{lost}]) AS lost FROM golden_summaries) WHERE lost.value IS NOT NULL
    """
