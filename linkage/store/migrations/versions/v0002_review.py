"""Clerical review: the queue, what is shown of its cases, what humans answered, and who may answer."""

from alembic import op
from sqlalchemy import BigInteger, Column, Double, Integer, Text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NUMBER = BigInteger().with_variant(Integer, "sqlite")
KEY = Text().with_variant(Text(collation="C"), "postgresql")

OPEN = "state = 'open'"
POOL = f"{OPEN} AND (reviewer IS NULL OR first_reader IS NOT NULL)"
INDEXES = {
    "review_case_pool": ("place", POOL),
    "review_case_province": ("province, place", POOL),
    "review_case_district": ("district, place", POOL),
    "review_case_commune": ("commune, place", POOL),
    "review_case_facility": ("facility, place", POOL),
    "review_case_reviewer": ("reviewer, place", OPEN),
    "review_case_disputed": ("place", "state = 'disputed'"),
    "review_case_holder": ("holder", "holder IS NOT NULL"),
    "review_case_kind": ("kind, state", "kind <> 'queue'"),
}


def upgrade() -> None:
    """Make the tables."""
    # the last entry of a kind, among many that were only looked at
    op.create_index("entry_kind", "entry", ["kind", "number"])
    op.create_table(
        "answer",
        Column("entry", NUMBER, primary_key=True, autoincrement=False),
        Column("case_id", KEY, primary_key=True),
        Column("outcome", Text, nullable=False),
        Column("citizen_id", KEY),
        Column("field", Text),
        Column("comment", Text, nullable=False),
        Column("reading", Integer, nullable=False),
        Column("seconds", Integer),
        sqlite_with_rowid=False,
    )
    op.create_index("answer_case", "answer", ["case_id"])
    _guard()
    op.create_table(
        "review_case",
        Column("case_id", KEY, primary_key=True),
        Column("kind", Text, nullable=False),
        Column("run", Text, nullable=False),
        Column("model", Text, nullable=False),
        Column("subject", KEY, nullable=False),
        Column("unit", KEY, nullable=False),
        Column("province", KEY),
        Column("district", KEY),
        Column("commune", KEY),
        Column("facility", KEY),
        Column("reviewer", KEY),
        Column("place", NUMBER, nullable=False),
        Column("worth", Double, nullable=False),
        Column("doses", Integer, nullable=False),
        Column("probability", Double, nullable=False),
        Column("waiting_since", Text),
        Column("queued_at", Text, nullable=False),
        Column("readings", Integer, nullable=False),
        Column("surprised", Integer),
        Column("state", Text, nullable=False),
        Column("version", Integer, nullable=False),
        Column("first_reader", KEY),
        Column("holder", KEY),
        Column("held_until", Text),
        Column("outcome", Text),
        Column("citizen_id", KEY),
        Column("field", Text),
        Column("of_case", KEY),
        Column("known_outcome", Text),
        Column("known_citizen", KEY),
    )
    for name, (columns, where) in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON review_case ({columns}) WHERE {where}")
    # all that is counted by unit, so that no case is opened
    op.create_index("review_case_unit", "review_case", ["unit", "reviewer", "state", "kind", "doses", "waiting_since"])
    op.create_table(
        "case_content",
        Column("case_id", KEY, primary_key=True),
        Column("content", Text, nullable=False),
    )
    op.create_table(
        "case_dose",
        Column("case_id", KEY, primary_key=True),
        Column("dose_id", KEY, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("case_dose_dose", "case_dose", ["dose_id"])
    _accounts()


def _accounts() -> None:
    op.create_table(
        "account",
        Column("name", KEY, primary_key=True),
        Column("role", Text, nullable=False),
        Column("password", Text),
        Column("units", Text, nullable=False),
        Column("capacity", Integer, nullable=False),
        Column("language", Text, nullable=False),
        Column("active", Integer, nullable=False),
    )
    op.create_table(
        "session",
        Column("token", Text, primary_key=True),
        Column("account", KEY, nullable=False),
        Column("csrf", Text, nullable=False),
        Column("created", Text, nullable=False),
        Column("expires", Text, nullable=False),
    )
    # by the digest of the name as typed, known or not
    op.create_table("failed_login", Column("name", Text, nullable=False), Column("at", Text, nullable=False))
    op.create_index("failed_login_name", "failed_login", ["name", "at"])


def _guard() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER answer_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON answer "
            "FOR EACH STATEMENT EXECUTE FUNCTION linkage_append_only()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER answer_no_{verb.lower()} BEFORE {verb} ON answer "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        )
