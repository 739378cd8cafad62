"""Tables in and out: read files, map headers, check rows, quarantine; write whole or not at all."""

from linkage.tables.files import discover
from linkage.tables.headers import load_column_map
from linkage.tables.reading import FileReport, TableReport, read_table
from linkage.tables.schema import CITIZENS, DOSES, LABELS, TRUTH, TableSchema
from linkage.tables.writing import refuse_to_overwrite, whole, write_json, write_parquet

__all__ = [
    "CITIZENS",
    "DOSES",
    "LABELS",
    "TRUTH",
    "FileReport",
    "TableReport",
    "TableSchema",
    "discover",
    "load_column_map",
    "read_table",
    "refuse_to_overwrite",
    "whole",
    "write_json",
    "write_parquet",
]
