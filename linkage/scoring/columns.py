"""Names of the columns of a pair."""

from models import Comparison, Specification


def level_column(comparison: Comparison) -> str:
    """The column with a pair's level: 0 is missing, then the levels' places from 1."""
    return f"level_{comparison.name}"


def level_name(comparison: Comparison, of: str) -> str:
    """The name of a pair's level as a column called after the comparison, from a relation ``of`` with the level."""
    names = ", ".join(f"'{name}'" for name in ("missing", *(level.name for level in comparison.levels)))
    return f"[{names}][{of}.{level_column(comparison)} + 1] AS {comparison.name}"


def bits_column(comparison: Comparison) -> str:
    """The column with a pair's match weight on one comparison, in bits."""
    return f"bits_{comparison.name}"


def pair_columns(specification: Specification) -> str:
    """The select list of a join of ``doses_compared`` l and ``citizens_compared`` r that ``compile_levels`` reads."""
    doses = (f"l.{c} AS {c}_l" for c in specification.columns_of("l"))
    citizens = (f"r.{c} AS {c}_r" for c in specification.columns_of("r"))
    return ", ".join([*doses, *citizens, *(f"r.frequency_{c}" for c in specification.frequency_columns)])
