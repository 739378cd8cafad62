"""The ledger, the rows that belong to its entries, and the state they give.

An entry of the ledger and the rows of an entry are never changed or deleted: triggers say so. They guard against
accidents; against intent there is the chain of hashes.
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

LEDGER = ("entry", "change", "identifier", "bond", "bond_member")
NUMBER = BigInteger().with_variant(Integer, "sqlite")
# PostgreSQL would sort by the language of the server; SQLite sorts by code point anyway
KEY = Text().with_variant(Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "entry",
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
    op.create_table(
        "change",
        Column("entry", NUMBER, primary_key=True, autoincrement=False),
        Column("subject", KEY, primary_key=True),
        Column("base_before", KEY),
        Column("base_after", KEY, nullable=False),
        Column("person_before", KEY),
        Column("person_after", KEY, nullable=False),
        Column("citizen_before", KEY),
        Column("citizen_after", KEY),
        sqlite_with_rowid=False,
    )
    op.create_index("change_subject", "change", ["subject"])
    # null for whoever is new, hence nearly empty after a first build
    where = "person_before IS NOT NULL"
    op.execute(f"CREATE INDEX change_person_before ON change (person_before) WHERE {where}")
    op.create_table(
        "identifier",
        Column("entry", NUMBER, primary_key=True, autoincrement=False),
        Column("person_id", KEY, primary_key=True),
        Column("founder", KEY, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("identifier_person", "identifier", ["person_id"], unique=True)
    op.create_table(
        "bond",
        Column("entry", NUMBER, primary_key=True, autoincrement=False),
        Column("kind", Text, nullable=False),
    )
    op.create_table(
        "bond_member",
        Column("entry", NUMBER, primary_key=True, autoincrement=False),
        Column("bond", NUMBER, primary_key=True, autoincrement=False),
        Column("subject", KEY, primary_key=True),
        Column("side", Text, nullable=False),
        Column("live", Integer, nullable=False),
    )
    op.create_index("bond_member_bond", "bond_member", ["bond"])
    op.create_index("bond_member_subject", "bond_member", ["subject"])
    op.create_table(
        "subject",
        Column("subject", KEY, primary_key=True),
        Column("base", KEY, nullable=False),
        Column("person_id", KEY, nullable=False),
        Column("citizen_id", KEY),
        Column("first_entry", NUMBER, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("subject_base", "subject", ["base"])
    op.create_index("subject_person", "subject", ["person_id"])
    if op.get_context().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _guard_sqlite() -> None:
    for table in LEDGER:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
            )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION linkage_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$"
    )
    for table in LEDGER:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION linkage_append_only()"
        )
