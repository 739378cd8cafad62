"""Work that survives its process: stages in one database beside the result, which appears whole or not at all."""

import json
import resource
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb

from linkage.errors import UserError
from linkage.tables import refuse_to_overwrite

WORK = frozenset({"work.duckdb", "work.duckdb.wal", "temporary", "result", "replaced"})
"""What a folder of unfinished work holds."""


class Workspace:
    """The folder ``RUN.partial`` while RUN is being made.

    Each stage is one transaction of ``work.duckdb``: after kill -9 it is either done or never began. Result files are
    written under ``RUN.partial/result``, which becomes RUN by one rename at the end.

    Args:
        target: the folder to make.
        settings: what the work depends on; a resumed work must have the same.
        resume: go on with unfinished work.
        force: throw away unfinished work, and replace ``target`` at the end.
        ours: names of the files a result has; a target that holds others is not replaced.
        threads: threads of the engine.
        memory: memory limit of the engine, such as ``4GB``.

    Raises:
        UserError: the target exists, unfinished work exists or differs, or another process is at it.
    """

    def __init__(
        self,
        target: Path,
        settings: Mapping[str, Any],
        *,
        resume: bool,
        force: bool,
        ours: frozenset[str],
        threads: int,
        memory: str,
    ) -> None:
        self.target = target = target.absolute()
        refuse_to_overwrite(target, force=force, ours=ours)
        self.folder = target.with_name(target.name + ".partial")
        self.result = self.folder / "result"
        if self.folder.exists() and not resume:
            if not force:
                raise UserError("run.unfinished", path=self.folder)
            refuse_to_overwrite(self.folder, force=True, ours=WORK)
            shutil.rmtree(self.folder)
        try:
            self.result.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError("run.cannot_write", path=self.folder, reason=error.strerror) from error
        self.connection = self._connect(threads, memory)
        self._check_settings(json.dumps(settings, sort_keys=True))

    def _connect(self, threads: int, memory: str) -> duckdb.DuckDBPyConnection:
        try:
            connection = duckdb.connect(str(self.folder / "work.duckdb"))
        except duckdb.IOException as error:
            raise UserError("run.locked", path=self.folder) from error
        try:
            connection.execute("SET memory_limit = ?", [memory])
        except duckdb.Error as error:
            raise UserError("run.bad_memory", found=memory) from error
        connection.execute(f"SET threads = {threads:d}")
        connection.execute("SET temp_directory = ?", [str(self.folder / "temporary")])
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET enable_progress_bar = false")
        connection.execute("CREATE TABLE IF NOT EXISTS settings (text VARCHAR)")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS stages"
            " (name VARCHAR PRIMARY KEY, seconds DOUBLE, peak_bytes BIGINT, facts JSON)"
        )
        return connection

    def _check_settings(self, settings: str) -> None:
        known = self.connection.execute("FROM settings").fetchall()
        if not known:
            self.connection.execute("INSERT INTO settings VALUES (?)", [settings])
        elif known != [(settings,)]:
            raise UserError("run.settings_differ", path=self.folder)

    def stage(self, name: str, work: Callable[[], Mapping[str, Any] | None], *, again: bool = False) -> dict[str, Any]:
        """Do a stage unless it is done; returns the facts it gave, from this process or from one that was killed.

        ``again`` is for a stage that leaves only temporary tables: a resumed process does it again.
        """
        done = self.connection.execute("SELECT facts FROM stages WHERE name = ?", [name]).fetchall()
        if done and not again:
            facts: dict[str, Any] = json.loads(done[0][0])
            return facts
        started = time.monotonic()
        self.connection.execute("BEGIN")
        try:
            facts = dict(work() or {})
            self.connection.execute(
                "INSERT OR REPLACE INTO stages VALUES (?, ?, ?, ?)",
                [name, time.monotonic() - started, peak_bytes(), json.dumps(facts)],
            )
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")
        return facts

    def stages(self) -> dict[str, dict[str, float]]:
        """Seconds of each stage, and the peak memory of its process up to its end, in bytes."""
        rows = self.connection.execute("SELECT name, seconds, peak_bytes FROM stages ORDER BY rowid").fetchall()
        return {name: {"seconds": round(seconds, 3), "peak_bytes": peak} for name, seconds, peak in rows}

    def publish(self) -> None:
        """The result becomes the target; what was needed to make it goes."""
        self.connection.close()
        if self.target.exists():
            self.target.rename(self.folder / "replaced")
        self.result.rename(self.target)
        shutil.rmtree(self.folder)

    def discard(self) -> None:
        """Throw the work away: what cannot be resumed is not left behind."""
        self.connection.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def peak_bytes() -> int:
    """The largest memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
