"""The tables, as the migrations leave them; text compares by code point on both databases."""

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text

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

OF_AN_ENTRY = (CHANGE, IDENTIFIER, BOND, BOND_MEMBER)
"""The tables whose rows belong to an entry, in the order of its digest."""

SUBJECT_INDEXES = {"subject_base": "base", "subject_person": "person_id"}
