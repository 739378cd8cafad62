"""Plain Splink 5 on the same records, the same comparisons and the same blocking: the oracle, and the yardstick."""

import duckdb
from splink import DuckDBAPI, Linker

from linkage.scoring import records
from models import Model, Registry, Specification, to_splink

__all__ = ["derive", "splink_match_weights"]


def derive(connection: duckdb.DuckDBPyConnection, specification: Specification) -> None:
    """Make the views ``doses_derived`` and ``citizens_derived``: the standardised columns and the specification's."""
    columns = "".join(f", {sql} AS {name}" for name, sql in specification.columns.items())
    for side in ("doses", "citizens"):
        relation = records(connection, specification, side)
        connection.execute(f"CREATE OR REPLACE VIEW {side}_derived AS SELECT *{columns} FROM {relation}")


def splink_match_weights(
    connection: duckdb.DuckDBPyConnection, model: Model, registry: Registry, weakest: float
) -> str:
    """Score ``doses_derived`` against ``citizens_derived`` with Splink's ``predict()``.

    Returns:
        The name of a table with ``dose_key``, ``citizen_key`` and ``match_weight`` (bits) of the pairs above
        ``weakest`` bits.
    """
    specification = model.specification
    blocked = (column for rule in specification.blocking for column in rule.on)
    columns = ", ".join(dict.fromkeys((*specification.compared_columns, *blocked)))
    api = DuckDBAPI(connection=connection)
    inputs = []
    # of two datasets Splink puts the one whose name sorts first on the left
    for name, source in (("a_doses", "doses_derived"), ("b_citizens", "citizens_derived")):
        connection.execute(f"CREATE TABLE {name} AS SELECT key AS unique_id, {columns} FROM {source}")
        inputs.append(api.register(name, dataset_display_name=name))
    linker = Linker(inputs, to_splink(model, registry), log_level=None)
    for column in specification.frequency_columns:
        connection.execute(
            f"CREATE TABLE frequencies_of_{column} AS SELECT {column}, count(*) / {registry.citizens} AS tf_{column}"
            f" FROM citizens_derived WHERE {column} IS NOT NULL GROUP BY {column}"
        )
        lookup = api.register(f"frequencies_of_{column}", dataset_display_name=f"frequencies_of_{column}")
        linker.table_management.register_term_frequency_lookup(lookup, column)
    predicted = linker.inference.predict(threshold_match_weight=weakest)
    connection.execute(
        "CREATE VIEW splink_weights AS SELECT unique_id_l AS dose_key, unique_id_r AS citizen_key, match_weight"
        f" FROM {predicted.physical_name}"
    )
    return "splink_weights"
