"""Bases: the groups of subjects that the machine holds for one person each.

Subjects whose doses are accepted to one citizen are one person, as far as that is certain for each of them: the dose
most surely the citizen's stands first, and every other subject must hold its own beside it. For that its log odds, of
"this citizen" against "somebody else or nobody", are lowered by how rare a second subject is, and moved by how the
injections of both would fit one person (Bayes' rule, with the histories as one more comparison). Who does not hold its
own, and who has no citizen, is then linked by the model to the subjects beside it. Links join groups from the surest
on, where "surest" counts the others that a subject fits as well and that are not that person. None is joined that would
bring two citizens, two well-formed numbers, two birth dates of a day, or what a human keeps apart into one person: such
a link is a conflict for a human.
"""

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
from duckdb import DuckDBPyConnection

from linkage.persons.histories import history_levels, learn_histories
from linkage.persons.joining import JOIN_BITS, Fact, days_in, join, numbers_in
from linkage.persons.linking import link_subjects
from linkage.persons.subjects import log_odds
from linkage.progress import Progress, silent
from linkage.store import Bond
from models import Model, Registry

__all__ = ["group_subjects"]

VACCINATED = 0.8
"""Share of citizens who have a subject: how probable it is that a false link meets somebody's own subject (82.96 M
profiles of 98 M citizens, 2022)."""

BESIDE_BITS = -4.0
"""log2 of SECOND_SUBJECT / VACCINATED: what a subject's log odds lose where another subject has the citizen."""

MOST_LINKS = 50
"""Others that a subject may fit; who fits more is nobody in particular."""

BETTER = 20
"""Subjects of a citizen that every other one of it is held against: a citizen with thousands has a clerk's number."""

CERTAIN = 20.0
"""Log2 odds from which a subject is its citizen's whatever histories say: of such pairs these are learned."""


def group_subjects(
    connection: DuckDBPyConnection,
    model: Model,
    registry: Registry,
    bonds: Iterable[Bond] = (),
    *,
    progress: Progress = silent,
) -> None:
    """Make ``bases`` (subject, head, citizen_id, citizen_of_base) and ``doubts`` (see ``_doubts``).

    ``head`` is the first subject of the base, by name; ``citizen_id`` is the citizen that the subject's own doses
    tie it to. A row of ``bases`` for every subject.

    Args:
        connection: holds ``doses``, ``decisions``, ``candidates`` of a run, ``dose_subjects``, ``claims``, ``subjects``
            (of ``make_subjects``), and ``injections``.
        model: of the run.
        registry: of the run.
        bonds: what humans keep apart.
        progress: told after each part.
    """
    sides = _sides(bonds)
    _keep(connection, "kept_apart", ("subject", "side"), [(one, side) for one, its in sides.items() for side in its])
    _rank(connection)
    histories = learn_histories(connection, "certain")
    _members(connection, histories)
    _to_link(connection)
    link_subjects(connection, model, registry, progress=progress)
    _join(connection, histories, sides)
    _doubts(connection)


def _bits(histories: Mapping[str, float], level: str) -> str:
    return f"CASE {level} {' '.join(f'WHEN {name!r} THEN {bits!r}' for name, bits in histories.items())} ELSE 0 END"


def _sides(bonds: Iterable[Bond]) -> dict[str, frozenset[str]]:
    """Subject → the sides it is on of what humans keep apart: the number of a bond, with a sign."""
    sides: dict[str, frozenset[str]] = {}
    for bond in bonds:
        if bond.kind == "apart":
            for sign, members in (("+", bond.left), ("-", bond.right)):
                for one in members:
                    sides[one] = sides.get(one, frozenset()) | {f"{sign}{bond.entry}"}
    return sides


def _rank(connection: DuckDBPyConnection) -> None:
    """Make ``ranked``, the subjects of each citizen that has several, ``beside``, their pairs, and ``certain`` ones."""
    connection.execute("""
    CREATE OR REPLACE TABLE ranked AS
    SELECT *, row_number() OVER (PARTITION BY citizen_id ORDER BY match_weight DESC, subject) AS place FROM subjects
    WHERE citizen_id IS NOT NULL
    QUALIFY count(*) OVER (PARTITION BY citizen_id) > 1
    """)
    connection.execute(f"""
    CREATE OR REPLACE TEMP VIEW beside AS
    SELECT better.subject AS subject_l, worse.subject AS subject_r, worse.bits >= {CERTAIN!r} AS certain
    FROM ranked AS better JOIN ranked AS worse USING (citizen_id)
    WHERE better.place < worse.place AND better.place <= {BETTER:d}
    """)
    connection.execute("CREATE OR REPLACE TEMP VIEW certain AS FROM beside WHERE certain")


def _members(connection: DuckDBPyConnection, histories: Mapping[str, float]) -> None:
    """Make ``members`` (subject, citizen_id, place, other, bits, clash, holds) of ``ranked``.

    bits are those beside the subject that fits the citizen best; it holds its own from ``JOIN_BITS`` on. ``other`` is
    the better one that speaks most against it.
    """
    history_levels(connection, "beside", "member_histories")
    connection.execute(f"""
    CREATE OR REPLACE TABLE members AS
    WITH against AS (
      SELECT subject_r AS subject, min(bits) AS bits, min((bits, subject_l)) AS worst, bool_or(level = 'clash') AS clash
      FROM (SELECT *, {_bits(histories, "level")} AS bits FROM member_histories) GROUP BY 1
    )
    -- of those whom a human keeps apart, who left has no claim beside who stayed
    SELECT *, (place = 1 OR bits >= {JOIN_BITS!r}) AND subject NOT IN (
        SELECT mine.subject FROM ranked AS mine JOIN kept_apart AS x ON x.subject = mine.subject AND x.side[1] = '+'
        JOIN kept_apart AS y ON y.side[1] = '-' AND y.side[2:] = x.side[2:]
        JOIN ranked AS theirs ON theirs.subject = y.subject AND theirs.citizen_id = mine.citizen_id) AS holds
    FROM (
      SELECT r.subject, r.citizen_id, r.place, coalesce(a.worst[2], first.subject) AS other,
        r.bits + {BESIDE_BITS!r} + coalesce(a.bits, 0) AS bits, coalesce(a.clash, false) AS clash
      FROM ranked AS r JOIN ranked AS first ON first.citizen_id = r.citizen_id AND first.place = 1
      LEFT JOIN against AS a ON a.subject = r.subject AND r.place > 1
    )
    """)
    connection.execute("DROP TABLE ranked")


def _to_link(connection: DuckDBPyConnection) -> None:
    """Make ``placed`` (subject, citizen_id), ``to_link`` (subject) and ``link_with`` (subject)."""
    connection.execute("""
    CREATE OR REPLACE TABLE placed AS
    SELECT subject, CASE WHEN coalesce(m.holds, true) THEN s.citizen_id END AS citizen_id
    FROM subjects AS s LEFT JOIN members AS m USING (subject)
    """)
    connection.execute(
        "CREATE OR REPLACE TABLE to_link AS SELECT subject FROM placed ANTI JOIN crowded_subjects USING (subject)"
        " WHERE citizen_id IS NULL"
    )
    # who has a citizen is found by the citizens that the doses of who has none might be of
    connection.execute("""
    CREATE OR REPLACE TABLE link_with AS
    SELECT DISTINCT p.subject FROM placed AS p WHERE citizen_id IN (
      SELECT c.citizen_id FROM candidates AS c JOIN dose_subjects USING (dose_id) JOIN to_link USING (subject))
    """)


def _join(connection: DuckDBPyConnection, histories: Mapping[str, float], sides: Mapping[str, frozenset[str]]) -> None:
    """Make ``bases`` and ``refused`` (subject, other, reason) from the links."""
    connection.execute(f"""
    CREATE OR REPLACE TABLE found AS
    SELECT subject_l, subject_r, max(probability) AS probability FROM (
      SELECT least(subject, other) AS subject_l, greatest(subject, other) AS subject_r, probability FROM links
      QUALIFY row_number() OVER (PARTITION BY subject ORDER BY probability DESC, other) <= {MOST_LINKS})
    GROUP BY subject_l, subject_r
    """)
    history_levels(connection, "found", "link_histories")
    edges = connection.execute(f"""
    SELECT subject_l, subject_r, {log_odds("probability")} + {_bits(histories, "level")} AS bits, level = 'clash'
    FROM found JOIN link_histories USING (subject_l, subject_r)
    """).fetchall()
    touched = connection.execute("""
    WITH touched AS (
      SELECT subject_l AS subject FROM found UNION SELECT subject_r FROM found UNION SELECT subject FROM kept_apart
    )
    SELECT p.subject, p.citizen_id, array_agg(DISTINCT d.national_id), array_agg(DISTINCT d.date_of_birth),
      array_agg(DISTINCT c.date_of_birth)
    FROM touched JOIN placed AS p USING (subject) JOIN dose_subjects USING (subject) JOIN doses AS d USING (dose_id)
    LEFT JOIN citizens AS c ON c.citizen_id = p.citizen_id GROUP BY 1, 2
    """).fetchall()
    facts = {
        subject: Fact(citizen, numbers_in(numbers), days_in([*typed, *registered]))
        for subject, citizen, numbers, typed, registered in touched
    }
    joined, refused = join(edges, facts, sides)
    _keep(connection, "joined", ("subject", "head"), joined)
    _keep(connection, "refused", ("subject", "other", "reason"), refused)
    connection.execute("""
    CREATE OR REPLACE TABLE bases AS
    WITH together AS (
      SELECT p.subject, p.citizen_id, coalesce(j.head, p.subject) AS part,
        coalesce(any_value(p.citizen_id) OVER (PARTITION BY coalesce(j.head, p.subject)), p.citizen_id)
          AS citizen_of_base
      FROM placed AS p LEFT JOIN joined AS j USING (subject)
    )
    SELECT subject, min(subject) OVER (PARTITION BY coalesce('c' || citizen_of_base, 's' || part)) AS head, citizen_id,
      citizen_of_base
    FROM together
    """)
    connection.execute("DROP TABLE joined")
    connection.execute("DROP TABLE found")


def _keep(
    connection: DuckDBPyConnection, table: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]
) -> None:
    columns_of_rows = zip(*rows, strict=True) if rows else ([] for _ in columns)
    arrow = pa.table([pa.array(column, pa.string()) for column in columns_of_rows], names=list(columns))
    connection.register("kept_rows", arrow)
    connection.execute(f"CREATE OR REPLACE TABLE {table} AS FROM kept_rows")
    connection.unregister("kept_rows")


def _doubts(connection: DuckDBPyConnection) -> None:
    """Make ``doubts`` (reason, subject, other, citizen_id, dose_id): what a human must look at.

    Reasons: ``two_citizens`` (doses of one subject are accepted to several, or a link would bring them together),
    ``second_subject_unsure`` and ``histories_clash`` (of one citizen, taken out or left in), ``two_numbers``,
    ``two_birth_dates``, ``ambiguous`` (fits several who are not one person). What humans decided is no doubt.
    """
    connection.execute(f"""
    CREATE OR REPLACE TABLE doubts AS
    SELECT 'two_citizens' AS reason, subject, NULL AS other, c.citizen_id, c.dose_id
    FROM claims AS c JOIN bases AS b USING (subject)
    WHERE c.citizen_id IS DISTINCT FROM b.citizen_of_base AND subject IN (SELECT subject FROM claims WHERE place = 2)
    UNION ALL
    SELECT CASE WHEN clash THEN 'histories_clash' ELSE 'second_subject_unsure' END, m.subject, m.other,
      m.citizen_id, NULL
    FROM members AS m JOIN bases AS b USING (subject)
    WHERE m.clash OR m.bits < {JOIN_BITS!r} AND NOT m.holds AND b.citizen_of_base IS DISTINCT FROM m.citizen_id
    UNION ALL
    SELECT DISTINCT reason, least(subject, other), greatest(subject, other), NULL, NULL FROM refused
    WHERE reason NOT IN ('unsure', 'kept_apart')
    """)
