"""Promotion: which model runs take, and who decided so, when and why.

The folder of promoted models holds a copy of every model that was promoted, ``<name>-<12 digits of its digest>``, and
``promotions.jsonl`` with a line for each promotion. Lines are only ever added, and the last one counts. A promotion is
done when its line is on the disk: what a kill or a power cut leaves before that is neither seen nor counted.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from models.model import Model, ModelError

DEFAULT = "dose_citizen"
"""The shipped model that runs take while nothing is promoted."""

RECORD = "promotions.jsonl"
PARTS = ("splink.json", "card.md", "card.vi.md", "charts")
"""What is copied of a model folder beside ``model.json``: never anything else that lies there."""

MAY_LACK = frozenset({"replaced", "because", "verdict", "comparison"})
VERDICTS = ("better", "worse", "not_enough_data")
MOST_CHARACTERS = 2000


class PromotionError(Exception):
    """A promotion that is refused, or a folder of promoted models that cannot be used.

    Args:
        reason: why, in one word: ``empty``, ``other_model``, ``worse``, ``not_enough_data``, ``no_comparison``,
            ``outdated``, ``comparison``, ``record``, ``damaged`` or ``no_file``.
        facts: file, line, digests: what a message names.
    """

    def __init__(self, reason: str, **facts: object) -> None:
        super().__init__(reason, facts)
        self.reason = reason
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Verdict:
    """What ``linkage model compare`` found of model ``b`` against model ``a``, both by their digests.

    Attributes:
        sha256: of the file it stands in.
    """

    a: str
    b: str
    verdict: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Promotion:
    """One line of the record.

    Attributes:
        digest: SHA-256 of ``model.json`` in the copy.
        written_at: when the ``model.json`` that was promoted had been written.
        replaced: digest of the model promoted before.
        by, at, because: who, when (UTC), why.
        verdict, comparison: of the comparison it rests on, and the SHA-256 of that file.
    """

    name: str
    digest: str
    written_at: str
    replaced: str | None
    by: str
    at: str
    because: str | None
    verdict: str | None
    comparison: str | None

    @property
    def folder(self) -> str:
        """The name of the copy in the folder of promoted models."""
        return f"{self.name}-{self.digest[:12]}"


@dataclass(frozen=True, slots=True)
class History:
    """All promotions, the oldest first.

    Attributes:
        cut_off: number of a last line that a crash cut off; that promotion did not happen.
    """

    promotions: tuple[Promotion, ...]
    cut_off: int | None

    @property
    def last(self) -> Promotion | None:
        """The promotion that counts."""
        return self.promotions[-1] if self.promotions else None


def shipped() -> dict[str, Path]:
    """The folders of the models that come with the program, by name."""
    return {path.name: path for path in sorted((Path(str(files("models"))) / "trained").glob("*/"))}


def read_history(folder: Path) -> History:
    """The promotions recorded in a folder; none where there is no record.

    Raises:
        PromotionError: a line is damaged.
        OSError: the record cannot be read.
    """
    try:
        with (folder / RECORD).open("rb") as record:
            fcntl.flock(record, fcntl.LOCK_SH)
            return _parsed(record)
    except FileNotFoundError:
        return History((), None)


def copy_of(promotion: Promotion, folder: Path) -> Path:
    """The copy of a promoted model, as it was when it was promoted.

    Raises:
        PromotionError: it is gone, or ``model.json`` is another now.
    """
    copy = folder / promotion.folder
    if _digest_of(copy) != promotion.digest:
        raise PromotionError("damaged", path=copy)
    return copy


def read_verdict(path: Path) -> Verdict:
    """What ``comparison.json`` says.

    Raises:
        PromotionError: it is no comparison, or cannot be read.
    """
    try:
        content = path.read_bytes()
        data = json.loads(content)
        a, b, verdict = data["a"]["digest"], data["b"]["digest"], data["verdict"]
    except (KeyError, OSError, RecursionError, TypeError, ValueError) as error:
        raise PromotionError("comparison", path=path) from error
    if verdict not in VERDICTS or not isinstance(a, str) or not isinstance(b, str):
        raise PromotionError("comparison", path=path)
    return Verdict(a, b, verdict, sha256=hashlib.sha256(content).hexdigest())


def promote(
    folder: Path,
    source: Path,
    *,
    by: str,
    because: str | None = None,
    verdict: Verdict | None = None,
    in_use: str | None = None,
) -> Promotion | None:
    """Copy a model folder to the folder of promoted models and record that runs take it from now on.

    Two promotions at once happen one after the other. Where a model is in use already, another takes its place when a
    comparison of the two says that it is better, or when ``because`` says why.

    Args:
        folder: of the promoted models.
        source: the model folder.
        by: who.
        because: why.
        verdict: of a comparison of the model in use with this one.
        in_use: digest of the model that runs take before any is promoted; None where they take none.

    Returns:
        The promotion; None where this model is the promoted one already.

    Raises:
        PromotionError: it is refused, or the folder is damaged.
        ModelError: the model cannot be used.
        OSError: something cannot be read or written.
    """
    by, because = _line(by), None if because is None else _line(because)
    if not by or because == "":
        raise PromotionError("empty", flag="--because" if by else "--by")
    model = Model.read(source)
    _refuse_links(source)
    written = datetime.fromtimestamp((source / "model.json").stat().st_mtime, UTC)
    before = read_history(folder).last
    if before and _digest_now(before, folder) == model.digest:
        return None
    if verdict and verdict.b != model.digest:
        raise PromotionError("other_model", found=verdict.b[:12], digest=model.digest[:12])
    if verdict and verdict.verdict != "better" and not because:
        raise PromotionError(verdict.verdict)
    with _locked(folder) as record:
        last = _parsed(record).last
        now = _digest_now(last, folder) if last else in_use
        if last and now == model.digest:
            return None
        if now and verdict and verdict.a != now:
            raise PromotionError("outdated", found=verdict.a[:12], digest=now[:12])
        if last and not now and not because:
            raise PromotionError("damaged", path=folder / last.folder)
        if now and now != model.digest and not (because or verdict):
            raise PromotionError("no_comparison")
        promotion = Promotion(
            name=model.name,
            digest=model.digest,
            written_at=written.isoformat(timespec="seconds"),
            replaced=last.digest if last else in_use,
            by=by,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            because=because,
            verdict=verdict.verdict if verdict else None,
            comparison=verdict.sha256 if verdict else None,
        )
        _copy(model, source, folder / promotion.folder)
        _append(record, promotion)
    return promotion


def _digest_now(last: Promotion, folder: Path) -> str | None:
    """The digest of the model promoted now, as this program reads it; None where the copy is lost."""
    try:
        return Model.read(copy_of(last, folder)).digest
    except (PromotionError, ModelError):
        return None


def _digest_of(copy: Path) -> str | None:
    """SHA-256 of the ``model.json`` of a copy; None without one."""
    try:
        return hashlib.sha256((copy / "model.json").read_bytes()).hexdigest()
    except OSError:
        return None


def _line(text: str) -> str:
    """One line of printable text."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:MOST_CHARACTERS]


@contextmanager
def _locked(folder: Path) -> Iterator[BinaryIO]:
    """The record, for nobody else until the block ends; what a kill left half-copied goes."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / RECORD).open("ab+", buffering=0) as record:
        fcntl.flock(record, fcntl.LOCK_EX)
        for left in folder.glob(".*.part"):
            shutil.rmtree(left)
        yield record


def _parsed(record: BinaryIO) -> History:
    record.seek(0)
    *lines, rest = record.read().split(b"\n")
    promotions = []
    for number, line in enumerate(lines, start=1):
        try:
            promotion = Promotion(**json.loads(line))
            whole = all(isinstance(v, str) or (v is None and n in MAY_LACK) for n, v in asdict(promotion).items())
        except (RecursionError, TypeError, ValueError):
            whole = False
        if not whole:
            raise PromotionError("record", path=record.name, line=number)
        promotions.append(promotion)
    return History(tuple(promotions), len(lines) + 1 if rest else None)


def _refuse_links(source: Path) -> None:
    """Raise where a part of a model folder leads elsewhere or is a pipe: its target would be copied, or waited for."""
    for name in PARTS:
        for path in (source / name, *(source / name).rglob("*")):
            if path.is_symlink() or (path.exists() and not path.is_file() and not path.is_dir()):
                raise PromotionError("no_file", path=path, source=source)


def _copy(model: Model, source: Path, target: Path) -> None:
    """Copy a model folder, unless the copy is there; ``target`` appears whole or not at all."""
    if _digest_of(target) == model.digest:
        return
    part = target.with_name(f".{uuid4().hex}.part")
    part.mkdir()
    try:
        (part / "model.json").write_text(model.to_json(), encoding="utf-8")
        for name in PARTS:
            if (source / name).is_dir():
                shutil.copytree(source / name, part / name)
            elif (source / name).exists():
                shutil.copyfile(source / name, part / name)
        for path in (*part.rglob("*"), part):
            _flush(path)
        if target.exists():
            shutil.rmtree(target)
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _flush(target.parent)


def _append(record: BinaryIO, promotion: Promotion) -> None:
    """Add a line and bring it to the disk, in the place of one that was cut off; a full disk leaves no part of it."""
    record.seek(0)
    end = record.read().rfind(b"\n") + 1
    line = json.dumps(asdict(promotion), ensure_ascii=False).encode() + b"\n"
    record.truncate(end)
    try:
        written = record.write(line)
        os.fsync(record.fileno())
    except OSError:
        written = 0
    if written != len(line):
        record.truncate(end)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), record.name)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
