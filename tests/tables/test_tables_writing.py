"""A result appears whole or not at all."""

import json
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from linkage.tables import write_json, write_parquet


def test_parquet_is_written_with_zstandard(tmp_path: Path) -> None:
    file = tmp_path / "it's.parquet"
    with duckdb.connect() as connection:
        write_parquet(connection, "SELECT range AS n FROM range(3)", file)
    assert pq.read_table(file).to_pydict() == {"n": [0, 1, 2]}
    assert pq.read_metadata(file).row_group(0).column(0).compression == "ZSTD"
    assert list(tmp_path.iterdir()) == [file]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    file.write_text("before")
    query = "SELECT CASE WHEN range > 900000 THEN error('stop') END FROM range(1000000)"
    with duckdb.connect() as connection, pytest.raises(duckdb.Error):
        write_parquet(connection, query, file)
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_json_keeps_letters_and_order(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_json({"b": "Đỗ", "a": 1}, file)
    assert list(json.loads(file.read_text(encoding="utf-8")).items()) == [("b", "Đỗ"), ("a", 1)]
    assert "Đỗ" in file.read_text(encoding="utf-8")
    with pytest.raises(TypeError):
        write_json({"a": object()}, file)
    assert list(tmp_path.iterdir()) == [file]
