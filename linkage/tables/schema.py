"""What each input table is made of, and what reading one yields."""

from dataclasses import dataclass

import pyarrow as pa

GIANT_CELL = 10_000
"""A cell with more characters than this is no value of a person or a dose."""

KEYS = ("dose_id", "subject_id", "citizen_id")

LONGEST_KEY = 200
"""One of ``KEYS`` with more characters is none, and no database would index it."""


@dataclass(frozen=True, slots=True)
class TableSchema:
    """The columns of an input table.

    ``id_column`` is never empty in a usable row; ``unique`` says that it occurs once; ``filled`` lists the
    other columns that must not be empty, each with the problem that is written when it is. Columns whose header
    is ``unread``, a regular expression, are known and not read: no notice names them.
    """

    name: str
    id_column: str
    required: tuple[str, ...]
    columns: tuple[str, ...]
    unique: bool
    filled: tuple[tuple[str, str], ...] = ()
    unread: str = ""


DOSES = TableSchema(
    name="doses",
    id_column="dose_id",
    required=("dose_id", "full_name"),
    columns=(
        "dose_id",
        "full_name",
        "subject_id",
        "date_of_birth",
        "sex",
        "national_id",
        "health_insurance_no",
        "phone",
        "province",
        "district",
        "commune",
        "address",
        "nationality",
        "dose_number",
        "vaccine",
        "lot_number",
        "injected_on",
        "facility_id",
        "recorded_at",
    ),
    unique=True,
    filled=(("full_name", "no_name"),),
)

CITIZENS = TableSchema(
    name="citizens",
    id_column="citizen_id",
    required=("citizen_id", "full_name"),
    columns=(
        "citizen_id",
        "full_name",
        "previous_ids",
        "date_of_birth",
        "sex",
        "province",
        "district",
        "commune",
        "address",
        "phone",
        "health_insurance_no",
        "deceased_on",
    ),
    unique=True,
    filled=(("full_name", "no_name"),),
)

LABELS = TableSchema(
    name="labels",
    id_column="dose_id",
    required=("dose_id", "citizen_id", "is_match"),
    columns=("dose_id", "citizen_id", "is_match", "weight", "reviewer", "decided_at", "draw"),
    unique=False,
    unread="rank|cell|(dose|registry|mũi tiêm|dân cư): .*",
)

TRUTH = TableSchema(
    name="truth",
    id_column="dose_id",
    required=("dose_id", "citizen_id"),
    columns=("dose_id", "citizen_id", "person_id", "duplicate_of", "labelled", "stratum", "twin", "details"),
    unique=False,
)

SCHEMAS = (DOSES, CITIZENS, LABELS, TRUTH)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot become cells: its place among the rows of the file, its row number, what is wrong."""

    ordinal: int
    row: int
    id: str | None
    problem: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of one file, in reading order.

    ``rows`` has ``ordinal`` and ``row`` (BIGINT) and a text column for each column of the schema that the
    file has; the ordinals of ``rows`` and ``bad`` together have no gaps.
    """

    rows: pa.Table
    bad: tuple[BadRow, ...]
    share: float
    """How much of the file has been read, 0 to 1."""
