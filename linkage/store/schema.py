"""The tables, as the migrations leave them; text compares by code point on both databases."""

from sqlalchemy import BigInteger, Column, Connection, Double, Integer, MetaData, Table, Text, inspect, select

VERSION = "0002"
"""Of the tables, as the last migration says."""

METADATA = MetaData()
# SQLite numbers rows quickest under INTEGER; PostgreSQL would stop at 2³¹
NUMBER = BigInteger().with_variant(Integer, "sqlite")

ENTRY = Table(
    "entry",
    METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("run", Text),
    Column("model", Text),
    Column("undoes", NUMBER),
    Column("rows", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

CHANGE = Table(
    "change",
    METADATA,
    Column("entry", NUMBER, primary_key=True, autoincrement=False),
    Column("subject", Text, primary_key=True),
    Column("base_before", Text),
    Column("base_after", Text, nullable=False),
    Column("person_before", Text),
    Column("person_after", Text, nullable=False),
    Column("citizen_before", Text),
    Column("citizen_after", Text),
)

IDENTIFIER = Table(
    "identifier",
    METADATA,
    Column("entry", NUMBER, primary_key=True, autoincrement=False),
    Column("person_id", Text, primary_key=True),
    Column("founder", Text, nullable=False),
)

BOND = Table(
    "bond",
    METADATA,
    Column("entry", NUMBER, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
)

# a row of a later entry than the bond's own takes a subject out of the bond (live 0) or back into it (1)
BOND_MEMBER = Table(
    "bond_member",
    METADATA,
    Column("entry", NUMBER, primary_key=True, autoincrement=False),
    Column("bond", NUMBER, primary_key=True, autoincrement=False),
    Column("subject", Text, primary_key=True),
    Column("side", Text, nullable=False),
    Column("live", Integer, nullable=False),
)

SUBJECT = Table(
    "subject",
    METADATA,
    Column("subject", Text, primary_key=True),
    Column("base", Text, nullable=False),
    Column("person_id", Text, nullable=False),
    Column("citizen_id", Text),
    Column("first_entry", NUMBER, nullable=False),
)

# reading: 1 and 2 of readers, 3 of who settles a dispute, 0 takes back what the same actor said
ANSWER = Table(
    "answer",
    METADATA,
    Column("entry", NUMBER, primary_key=True, autoincrement=False),
    Column("case_id", Text, primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("citizen_id", Text),
    Column("field", Text),
    Column("comment", Text, nullable=False),
    Column("reading", Integer, nullable=False),
    Column("seconds", Integer),
)

REVIEW_CASE = Table(
    "review_case",
    METADATA,
    Column("case_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("province", Text),
    Column("district", Text),
    Column("commune", Text),
    Column("facility", Text),
    Column("reviewer", Text),
    Column("place", NUMBER, nullable=False),
    Column("worth", Double, nullable=False),
    Column("doses", Integer, nullable=False),
    Column("probability", Double, nullable=False),
    Column("waiting_since", Text),
    Column("queued_at", Text, nullable=False),
    Column("readings", Integer, nullable=False),
    # 1 where the second reading was asked for because the first answer surprised
    Column("surprised", Integer),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("first_reader", Text),
    Column("holder", Text),
    Column("held_until", Text),
    Column("outcome", Text),
    Column("citizen_id", Text),
    Column("field", Text),
    Column("of_case", Text),
    Column("known_outcome", Text),
    Column("known_citizen", Text),
)
"""The queue: kinds ``queue``, ``hidden``, ``control``; states ``open``, ``disputed``, ``settled``, ``withdrawn``."""

OPEN = "state = 'open'"

POOL = f"{OPEN} AND (reviewer IS NULL OR first_reader IS NOT NULL)"
"""Open cases that were dealt to nobody, or wait for a second reader; databases find the index by this very text."""

CASE_CONTENT = Table(
    "case_content", METADATA, Column("case_id", Text, primary_key=True), Column("content", Text, nullable=False)
)

CASE_DOSE = Table(
    "case_dose", METADATA, Column("case_id", Text, primary_key=True), Column("dose_id", Text, primary_key=True)
)

ACCOUNT = Table(
    "account",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("password", Text),
    Column("units", Text, nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("language", Text, nullable=False),
    Column("active", Integer, nullable=False),
)

SESSION = Table(
    "session",
    METADATA,
    Column("token", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("csrf", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("expires", Text, nullable=False),
)

FAILED_LOGIN = Table("failed_login", METADATA, Column("name", Text, nullable=False), Column("at", Text, nullable=False))

OF_AN_ENTRY = (CHANGE, IDENTIFIER, BOND, BOND_MEMBER, ANSWER)
"""The tables whose rows belong to an entry, in the order of its digest."""

SINCE_REVIEW = frozenset({ANSWER.name})
"""Those of them that the digest of an entry names only where it has rows in them: earlier entries had no such table."""

SUBJECT_INDEXES = {"subject_base": "base", "subject_person": "person_id"}

_VERSION = Table("linkage_version", MetaData(), Column("version_num", Text))


def version_of(connection: Connection) -> str | None:
    """The version of the tables of a database; None if it holds no store."""
    if not inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(select(_VERSION.c.version_num)).scalar_one_or_none()
