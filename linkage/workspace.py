"""Work that survives its process: stages in one database beside the result, which appears whole or not at all."""

import fcntl
import json
import os
import re
import resource
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import duckdb

from linkage.errors import UserError
from linkage.tables import refuse_to_overwrite
from linkage.tables.sql import text_literal

WORK = frozenset({"work.duckdb", "work.duckdb.wal", "temporary", "result", "replaced"})
"""What a folder of unfinished work holds."""


class Workspace:
    """The folder ``RUN.partial`` while RUN is being made.

    Each stage is one transaction of ``work.duckdb``: after kill -9 it is either done or never began. Result files are
    written under ``RUN.partial/result``, which becomes RUN by one rename at the end.

    Args:
        target: the folder to make.
        settings: what the work depends on; a resumed work must have the same.
        resume: go on with unfinished work; None: such work is never resumed, what a kill left of it goes.
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
        resume: bool | None,
        force: bool,
        ours: frozenset[str],
        threads: int,
        memory: str,
    ) -> None:
        self.settings = settings
        self.target = target = target.absolute()
        refuse_to_overwrite(target, force=force, ours=ours)
        self.folder = target.with_name(target.name + ".partial")
        self.result = self.folder / "result"
        self._lock = self._locked()
        try:
            self._tidy(resume=resume, force=force)
            refuse_to_overwrite(target, force=force, ours=ours)
            self.result.mkdir(parents=True, exist_ok=True)
            for left in self.result.glob(".*.part"):
                left.unlink()
            self.connection = self._connect(threads, memory)
            self._check_settings(json.dumps(settings, sort_keys=True))
        except BaseException:
            self._unlock()
            raise

    def _locked(self) -> TextIO:
        """Hold the lock of this target: it stands outside the folder, which may be thrown away."""
        path = self.target.with_name(f".{self.target.name}.lock")
        self.target.parent.mkdir(parents=True, exist_ok=True)
        while True:
            lock = path.open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.exists() and path.stat().st_ino == os.fstat(lock.fileno()).st_ino:
                    return lock
            except BlockingIOError as error:
                lock.close()
                raise UserError("run.locked", path=self.target) from error
            lock.close()

    def _unlock(self) -> None:
        self.target.with_name(f".{self.target.name}.lock").unlink(missing_ok=True)
        self._lock.close()

    def _tidy(self, *, resume: bool | None, force: bool) -> None:
        """End what a kill left undone: a half-made replacement is finished; unfinished work is kept, or goes."""
        if not self.folder.exists() and not self.folder.is_symlink():
            return
        refuse_to_overwrite(self.folder, force=True, ours=WORK)
        if (self.folder / "replaced").exists() and not self.target.exists() and self.result.exists():
            self.result.rename(self.target)
        if self.target.exists() and not self.result.exists():
            shutil.rmtree(self.folder)
        elif not resume:
            if not force and resume is not None:
                raise UserError("run.unfinished", path=self.folder)
            shutil.rmtree(self.folder)

    def _connect(self, threads: int, memory: str) -> duckdb.DuckDBPyConnection:
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)? *([KMGT]i?B)", memory, re.IGNORECASE):
            raise UserError("run.bad_memory", found=memory)
        try:
            connection = duckdb.connect(str(self.folder.resolve() / "work.duckdb"))
            connection.execute("SET memory_limit = ?", [memory])
        except (duckdb.IOException, duckdb.SerializationException) as error:
            raise UserError("run.damaged", path=self.folder) from error
        connection.execute(f"SET threads = {threads:d}")
        connection.execute("SET temp_directory = ?", [str(self.folder.resolve() / "temporary")])
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
            # after some errors the engine has already rolled back; the first error is the one that tells
            with suppress(duckdb.Error):
                self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")
        return facts

    def stages(self) -> dict[str, dict[str, float]]:
        """Seconds of each stage, and the peak memory of its process up to its end, in bytes."""
        rows = self.connection.execute("SELECT name, seconds, peak_bytes FROM stages ORDER BY rowid").fetchall()
        return {name: {"seconds": round(seconds, 3), "peak_bytes": peak} for name, seconds, peak in rows}

    def seal(self, *inputs: Path) -> None:
        """From here on no statement reaches files but the work's and those of inputs: a model brings its own SQL."""
        folders = ", ".join(text_literal(str(folder.resolve())) for folder in (self.folder, *inputs))
        self.connection.execute(f"SET allowed_directories = [{folders}]")
        self.connection.execute("SET enable_external_access = false")

    def publish(self) -> None:
        """The result becomes the target; what was needed to make it goes."""
        self.connection.close()
        if self.target.exists() or self.target.is_symlink():
            self.target.rename(self.folder / "replaced")
        self.result.rename(self.target)
        shutil.rmtree(self.folder)

    def discard(self) -> None:
        """Throw the work away: what cannot be resumed is not left behind."""
        self.connection.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Let go of the work, done or not."""
        self.connection.close()
        self._unlock()


def peak_bytes() -> int:
    """The largest memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
