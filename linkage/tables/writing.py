"""Results that appear whole or not at all."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from uuid import uuid4

import duckdb

from linkage.errors import UserError
from linkage.tables.sql import text_literal


def write_parquet(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> int:
    """Write the rows of a query as Parquet, compressed with Zstandard, and return their number.

    A file of this name is replaced.
    """

    def write(part: Path) -> int:
        copy = f"COPY ({query}) TO {text_literal(str(part))} (FORMAT parquet, COMPRESSION zstd)"
        [(rows,)] = connection.execute(copy).fetchall()
        return int(rows)

    return _whole(path, write)


def write_json(value: object, path: Path) -> None:
    """Write a value as indented JSON with its keys in the order given."""
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    _whole(path, lambda part: part.write_text(text, encoding="utf-8"))


def _whole(path: Path, write: Callable[[Path], int]) -> int:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        written = write(part)
        _flush(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    _flush(path.parent)
    return written


def refuse_to_overwrite(out: Path, *, force: bool, ours: frozenset[str] = frozenset()) -> None:
    """Check that ``out`` may be written; a folder is only ever replaced when it holds nothing but ``ours``.

    Without ``ours`` the result is a file.

    Raises:
        UserError: ``out`` exists and ``force`` is not set, or it is a folder with other files in it, or a file where
            a folder is to be.
    """
    if (out.exists() or out.is_symlink()) and not force:
        raise UserError("run.exists", path=out)
    if ours and out.exists() and not out.is_dir():
        raise UserError("run.is_file", path=out)
    others = sorted(path.name for path in out.iterdir() if path.name not in ours) if out.is_dir() else []
    if others:
        raise UserError("run.not_ours", path=out, name=others[0])


@contextmanager
def whole(out: Path) -> Iterator[Path]:
    """A temporary sibling of ``out`` to write to; it takes the place of ``out`` when the block ends well.

    Raises:
        UserError: it cannot be written.
    """
    part = out.absolute().with_name(f".{out.name}.{uuid4().hex}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        yield part
        if out.is_dir() and not out.is_symlink():
            old = part.with_suffix(".old")
            out.rename(old)
            part.rename(out)
            rmtree(old)
        else:
            part.replace(out)
    except OSError as error:
        raise UserError("run.cannot_write", path=out, reason=error.strerror or error) from error
    finally:
        if part.is_dir():
            rmtree(part, ignore_errors=True)
        elif part.exists():
            part.unlink()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
