"""Bases: the groups of subjects that the machine holds for one person each.

Subjects whose doses are accepted to one citizen are one person, as far as that is certain for each of them: the dose
most surely the citizen's stands first, and every other subject must hold its own beside it. For that its log odds, of
"this citizen" against "somebody else or nobody", are lowered by how rare a second subject is, and moved by how the
injections of both would fit one person (Bayes' rule, with the histories as one more comparison). Who does not hold its
own, and who has no citizen, is then linked by the model to the subjects beside it. Links join groups from the surest
on; none is joined that would bring two citizens, two well-formed numbers, or two birth dates of a day into one person:
such a link is a conflict for a human.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from duckdb import DuckDBPyConnection
from jellyfish import damerau_levenshtein_distance

from linkage.persons.histories import history_levels, learn_histories
from linkage.persons.linking import link_subjects
from linkage.persons.subjects import log_odds
from linkage.progress import Progress, silent
from linkage.vietnamese import parse_birth_date, parse_identity_number
from models import Model, Registry

__all__ = ["JOIN_BITS", "Fact", "group_subjects", "join"]

JOIN_BITS = 6.63
"""Log2 odds of 0.99, from which two subjects are one person. Most pairs are far above: what is just above is rare, and
so the mean of the probabilities of those joined is what precision is asked of."""

VACCINATED = 0.8
"""Share of citizens who have a subject: how probable it is that a false link meets somebody's own subject (82.96 M
profiles of 98 M citizens, 2022)."""

BESIDE_BITS = -4.0
"""log2 of SECOND_SUBJECT / VACCINATED: what a subject's log odds lose where another subject has the citizen."""

CONFLICTS = ("two_citizens", "two_numbers", "two_birth_dates")
"""Why a link is refused, the weightiest first."""

BETTER = 20
"""Subjects of a citizen that every other one of it is held against: a citizen with thousands has a clerk's number."""

CERTAIN = 20.0
"""Log2 odds from which a subject is its citizen's whatever histories say: of such pairs these are learned."""


def group_subjects(
    connection: DuckDBPyConnection, model: Model, registry: Registry, *, progress: Progress = silent
) -> None:
    """Make ``bases`` (subject, head, citizen_id) and ``doubts`` (reason, subject, other, citizen_id, dose_id, bits).

    ``head`` is the first subject of the base, by name. A row of ``bases`` for every subject.

    Args:
        connection: holds ``doses``, ``decisions``, ``candidates`` of a run, ``dose_subjects``, ``claims``, ``subjects``
            (of ``make_subjects``), and ``injections``.
        model: of the run.
        registry: of the run.
        progress: told after each part.
    """
    _rank(connection)
    histories = learn_histories(connection, "certain")
    _members(connection, histories)
    _to_link(connection)
    link_subjects(connection, model, registry, progress=progress)
    _join(connection, histories)
    _doubts(connection)


def _bits(histories: Mapping[str, float], level: str) -> str:
    return f"CASE {level} {' '.join(f'WHEN {name!r} THEN {bits!r}' for name, bits in histories.items())} ELSE 0 END"


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
    SELECT *, place = 1 OR bits >= {JOIN_BITS!r} AS holds
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
    connection.execute("CREATE OR REPLACE TABLE to_link AS SELECT subject FROM placed WHERE citizen_id IS NULL")
    # who has a citizen is found by the citizens that the doses of who has none might be of
    connection.execute("""
    CREATE OR REPLACE TABLE link_with AS
    SELECT DISTINCT p.subject FROM placed AS p WHERE citizen_id IN (
      SELECT c.citizen_id FROM candidates AS c JOIN dose_subjects USING (dose_id) JOIN to_link USING (subject))
    """)


def _join(connection: DuckDBPyConnection, histories: Mapping[str, float]) -> None:
    """Make ``bases`` and ``refused`` (subject, other, bits, reason) from the links."""
    connection.execute("""
    CREATE OR REPLACE TEMP VIEW found AS
    SELECT DISTINCT subject AS subject_l, other AS subject_r FROM links
    """)
    history_levels(connection, "found", "link_histories")
    edges = connection.execute(f"""
    SELECT l.subject, l.other, {log_odds("l.probability")} + {_bits(histories, "h.level")} AS bits, h.level = 'clash'
    FROM links AS l JOIN link_histories AS h ON h.subject_l = l.subject AND h.subject_r = l.other
    ORDER BY bits DESC, 1, 2
    """).fetchall()
    touched = connection.execute("""
    WITH touched AS (SELECT subject_l AS subject FROM found UNION SELECT subject_r FROM found)
    SELECT p.subject, p.citizen_id, array_agg(DISTINCT d.national_id), array_agg(DISTINCT d.date_of_birth)
    FROM touched JOIN placed AS p USING (subject) JOIN dose_subjects USING (subject) JOIN doses AS d USING (dose_id)
    GROUP BY 1, 2
    """).fetchall()
    facts = {
        subject: Fact(citizen, numbers_in(numbers), days_in(dates)) for subject, citizen, numbers, dates in touched
    }
    joined, refused = join(edges, facts)
    _keep(connection, "joined", ("subject", "head"), joined)
    _keep(connection, "refused", ("subject", "other", "reason"), refused)
    connection.execute("""
    CREATE OR REPLACE TABLE bases AS
    WITH together AS (
      SELECT p.subject, coalesce(any_value(p.citizen_id) OVER (PARTITION BY coalesce(j.head, p.subject)), p.citizen_id)
        AS citizen_id, coalesce(j.head, p.subject) AS part
      FROM placed AS p LEFT JOIN joined AS j USING (subject)
    )
    SELECT subject, min(subject) OVER (PARTITION BY coalesce('c' || citizen_id, 's' || part)) AS head, citizen_id
    FROM together
    """)
    connection.execute("DROP TABLE joined")


def _keep(
    connection: DuckDBPyConnection, table: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]
) -> None:
    columns_of_rows = zip(*rows, strict=True) if rows else ([] for _ in columns)
    arrow = pa.table([pa.array(column, pa.string()) for column in columns_of_rows], names=list(columns))
    connection.register("kept_rows", arrow)
    connection.execute(f"CREATE OR REPLACE TABLE {table} AS FROM kept_rows")
    connection.unregister("kept_rows")


@dataclass(frozen=True, slots=True)
class Fact:
    """What must not differ within one person: citizen, well-formed numbers, birth dates of a day (ISO)."""

    citizen: str | None
    numbers: frozenset[str] = frozenset()
    days: frozenset[str] = frozenset()

    def against(self, other: "Fact") -> str | None:
        """Why both cannot be of one person; None when nothing says so."""
        if self.citizen and other.citizen and self.citizen != other.citizen:
            return "two_citizens"
        if not _near(self.known_numbers(), other.known_numbers()):
            return "two_numbers"
        return None if _near(self.days | _swapped(self.days), other.days) else "two_birth_dates"

    def with_(self, other: "Fact") -> "Fact":
        """Of both together."""
        return Fact(self.citizen or other.citizen, self.numbers | other.numbers, self.days | other.days)

    def known_numbers(self) -> frozenset[str]:
        """The citizen's number, else those typed."""
        # who has a citizen has that number, whatever was typed
        return frozenset({self.citizen}) if self.citizen else self.numbers


def numbers_in(typed: Iterable[str | None]) -> frozenset[str]:
    """The personal numbers of 12 digits that cells hold as they should be."""
    read = (parse_identity_number(text) for text in typed if text)
    return frozenset(n.value for n in read if n.value and n.kind == "cccd" and n.repair in {"none", "separators"})


def days_in(typed: Iterable[str | None]) -> frozenset[str]:
    """The birth dates in cells that are known to the day; 1 January often stands for an unknown one."""
    read = (parse_birth_date(text) for text in typed if text)
    return frozenset(b.value for b in read if b and b.precision == "day" and not b.value.endswith("-01-01"))


def _swapped(days: frozenset[str]) -> frozenset[str]:
    return frozenset(f"{day[:5]}{day[8:]}-{day[5:7]}" for day in days)


def _near(some: frozenset[str], others: frozenset[str]) -> bool:
    """Whether one of some is one of the others, or a slip of the pen away; or nothing is known of a side."""
    return not some or not others or any(damerau_levenshtein_distance(x, y) <= 1 for x in some for y in others)


def join(
    edges: Iterable[tuple[str, str, float, bool]], facts: Mapping[str, Fact]
) -> tuple[list[tuple[str, str]], list[tuple[str, str, str]]]:
    """Join the ends of edges, from the surest on, unless something speaks against one of their groups being one person.

    Args:
        edges: subject, other, log2 odds that they are one person, and whether their histories speak against it; the
            surest first.
        facts: of every subject on an edge. Those of one citizen are one group from the start.

    Returns:
        (subject, the first subject of its group) of every subject on an edge, and (subject, other, reason) of the edges
        refused.
    """
    groups: dict[str, _Group] = {}
    of: dict[str, str] = {}
    for subject in sorted(facts):
        fact = facts[subject]
        key = f"c{fact.citizen}" if fact.citizen else f"s{subject}"
        of[subject] = key
        known = groups.get(key, _Group([], frozenset({Fact(fact.citizen)})))
        [of_citizen] = known.facts
        groups[key] = _Group([*known.subjects, subject], frozenset({of_citizen.with_(fact)}))
    refused = []
    for subject, other, bits, clash in edges:
        left, right = of[subject], of[other]
        if left == right:
            continue
        reason = groups[left].against(groups[right])
        if bits < JOIN_BITS:
            reason = "histories_clash" if clash else "unsure"
        if reason:
            refused.append((subject, other, reason))
            continue
        small, large = sorted((left, right), key=lambda key: (len(groups[key].subjects), key))
        groups[large] = groups[large].with_(groups.pop(small))
        of.update(dict.fromkeys(groups[large].subjects, large))
    joined = [(subject, min(group.subjects)) for group in groups.values() for subject in group.subjects]
    return joined, refused


@dataclass(frozen=True, slots=True)
class _Group:
    subjects: list[str]
    facts: frozenset[Fact]

    def against(self, other: "_Group") -> str | None:
        # every member against every other: of a chain the ends may be far apart
        reasons = {mine.against(theirs) for mine in self.facts for theirs in other.facts} - {None}
        return next((reason for reason in CONFLICTS if reason in reasons), None)

    def with_(self, other: "_Group") -> "_Group":
        return _Group(self.subjects + other.subjects, self.facts | other.facts)


def _doubts(connection: DuckDBPyConnection) -> None:
    """Make ``doubts`` (reason, subject, other, citizen_id, dose_id): what a human must look at.

    Reasons: ``two_citizens`` (doses of one subject are accepted to several, or a link would bring them together),
    ``second_subject_unsure`` and ``histories_clash`` (of one citizen, taken out or left in), ``two_numbers``,
    ``two_birth_dates``.
    """
    connection.execute("""
    CREATE OR REPLACE TABLE doubts AS
    SELECT 'two_citizens' AS reason, subject, NULL AS other, c.citizen_id, d.dose_id
    FROM claims AS c JOIN dose_subjects USING (subject)
    JOIN decisions AS d ON d.dose_id = dose_subjects.dose_id AND d.decision = 'accept' AND d.citizen_id = c.citizen_id
    JOIN bases AS b USING (subject) WHERE c.citizen_id IS DISTINCT FROM b.citizen_id
      AND subject IN (SELECT subject FROM claims WHERE place = 2)
    UNION ALL
    SELECT CASE WHEN clash THEN 'histories_clash' ELSE 'second_subject_unsure' END, m.subject, m.other,
      m.citizen_id, NULL
    FROM members AS m JOIN bases AS b USING (subject)
    WHERE m.clash OR NOT m.holds AND b.citizen_id IS DISTINCT FROM m.citizen_id
    UNION ALL
    SELECT DISTINCT reason, least(subject, other), greatest(subject, other), NULL, NULL FROM refused
    WHERE reason <> 'unsure'
    """)
