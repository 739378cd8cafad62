"""From the tables of a training to the arrays that learning works on."""

from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np

from linkage.blocking import Budget, plan_blocking
from linkage.deciding import WEAKEST
from linkage.scoring import compile_scoring, level_column, measure_registry
from models import Model, Registry, Specification
from training.estimation import levels_of, random_pairs, reaches, same_value_shares
from training.learning import LabelledPairs
from training.shares import count_levels
from training.vectors import Candidates, Ints, Vectors

RANDOM_PAIRS = 1_000_000


def find_pairs(connection: duckdb.DuckDBPyConnection, specification: Specification, seed: int) -> LabelledPairs:
    """Find the levels of all labelled pairs, of random pairs, and of pairs with one value.

    Args:
        connection: holds what ``compared_tables`` makes, and ``labelled`` (see ``labelled_keys``).
        specification: what is compared.
        seed: of the random draws.
    """
    connection.execute(
        "CREATE TEMP TABLE numbered AS"
        " SELECT row_number() OVER (ORDER BY dose_key, citizen_key) AS number, * FROM labelled"
    )
    rows = connection.execute(
        "SELECT dose_key, citizen_key, is_match, weight, person FROM numbered ORDER BY number"
    ).fetchnumpy()
    labelled = {name: np.asarray(column) for name, column in rows.items()}
    _, labelled["person"] = np.unique(labelled["person"].astype(str), return_inverse=True)
    own = labelled["is_match"]
    random_pairs(connection, RANDOM_PAIRS, seed)
    random_levels = levels_of(connection, specification, "random_pairs")
    random_doses = connection.execute("SELECT dose_key FROM random_pairs ORDER BY number").fetchnumpy()["dose_key"]
    return LabelledPairs(
        specification,
        measure_registry(connection, specification),
        labelled,
        levels_of(connection, specification, "numbered"),
        random_levels,
        {
            comparison.name: count_levels(random_levels[comparison.name], len(comparison.levels), clusters=random_doses)
            for comparison in specification.comparisons
        },
        same_value_shares(connection, specification),
        # what strangers with one value are on says nothing of matches: all labelled doses may tell it to every fold
        reaches(connection, specification, {name: labelled[name][own] for name in labelled}, seed),
    )


def score_candidates(connection: duckdb.DuckDBPyConnection, model: Model, registry: Registry) -> None:
    """Make ``scored``: the candidates of the labelled and of the random doses, found as a run finds them."""
    plan = plan_blocking(connection, model.specification, Budget())
    [(last,)] = connection.execute("SELECT max(key) FROM doses_compared").fetchall()
    # parameters of a fold may weigh a pair a little more than these do
    scoring = compile_scoring(model, registry, plan, WEAKEST - 20, with_frequencies=True)
    connection.execute(f"CREATE TEMP TABLE scored AS {scoring}", {"first": 0, "last": last})


def read_candidates(connection: duckdb.DuckDBPyConnection, specification: Specification) -> tuple[Candidates, Ints]:
    """The candidates of the labelled doses, and the doses' keys in their order."""
    doses = connection.execute(
        "SELECT dose_key, weight, has_citizen, person FROM labelled_doses ORDER BY dose_key"
    ).fetchnumpy()
    keys = np.asarray(doses["dose_key"], dtype=np.int64)
    _, person = np.unique(np.asarray(doses["person"], dtype=str), return_inverse=True)
    rows = connection.execute(
        f"SELECT s.dose_key, coalesce(l.is_match, false) AS is_match, {_columns(specification)} FROM scored AS s"
        " JOIN labelled_doses AS d ON d.dose_key = s.dose_key"
        " LEFT JOIN labelled AS l ON l.dose_key = s.dose_key AND l.citizen_key = s.citizen_key"
        " ORDER BY s.dose_key, s.citizen_key"
    ).fetchnumpy()
    candidates = Candidates(
        vectors=_vectors(specification, rows),
        dose=np.searchsorted(keys, np.asarray(rows["dose_key"], dtype=np.int64)),
        is_match=np.asarray(rows["is_match"], dtype=bool),
        weight=np.asarray(doses["weight"], dtype=float),
        has_citizen=np.asarray(doses["has_citizen"], dtype=bool),
        person=person.astype(np.int64),
    )
    return candidates, keys


def read_unlabelled(
    connection: duckdb.DuckDBPyConnection, specification: Specification, doses: int
) -> tuple[Vectors, Ints]:
    """The candidates of some random doses that have no label, and the number of each one's dose, ascending."""
    rows = connection.execute(
        f"SELECT dense_rank() OVER (ORDER BY dose_key) - 1 AS dose, {_columns(specification)}"
        " FROM scored WHERE match_weight > $weakest AND dose_key IN (SELECT key FROM random_doses"
        " WHERE key NOT IN (SELECT dose_key FROM labelled_doses) ORDER BY key LIMIT $doses)"
        " ORDER BY dose_key, citizen_key",
        {"weakest": WEAKEST, "doses": doses},
    ).fetchnumpy()
    return _vectors(specification, rows), np.asarray(rows["dose"], dtype=np.int64)


def _columns(specification: Specification) -> str:
    return ", ".join(f"{level_column(each)}, frequency_of_{each.name}" for each in specification.comparisons)


def _vectors(specification: Specification, rows: Mapping[str, Any]) -> Vectors:
    frequencies = (rows[f"frequency_of_{comparison.name}"] for comparison in specification.comparisons)
    return Vectors(
        np.column_stack([rows[level_column(comparison)] for comparison in specification.comparisons]),
        np.column_stack([np.ma.filled(np.ma.asarray(each, dtype=float), np.nan) for each in frequencies]),
    )
