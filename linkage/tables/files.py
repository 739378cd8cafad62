"""Which files a path means, what they hold, and their digests."""

import glob
import hashlib
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from linkage.errors import UserError

Kind = Literal["text", "parquet", "workbook"]

SUFFIXES: dict[str, Kind] = {
    ".csv": "text",
    ".tsv": "text",
    ".txt": "text",
    ".csv.gz": "text",
    ".tsv.gz": "text",
    ".txt.gz": "text",
    ".parquet": "parquet",
    ".xlsx": "workbook",
    ".xlsm": "workbook",
    ".xls": "workbook",
    ".ods": "workbook",
}
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Found:
    """The files to read, in order, and those in the same folder that are left alone."""

    files: tuple[Path, ...]
    ignored: tuple[Path, ...]


def discover(path: str) -> list[Path]:
    """The files that a file name, a folder (its own files) or a glob means, sorted, each file once.

    Raises:
        UserError: there is nothing to read, or what is there is no regular file.
    """
    return list(find(path).files)


def find(path: str) -> Found:
    """As `discover`, with the hidden and unsupported files that were left out."""
    try:
        ordered = _each_once(sorted(_candidates(path)))
    except OSError as error:
        raise UserError("input_unreadable", file=printable(path)) from error
    wanted = tuple(file for file in ordered if _kind_by_name(file) and not _hidden(file, path))
    if not wanted:
        raise UserError("input_not_found" if not ordered else "nothing_to_read", file=printable(path) or '""')
    for file in wanted:
        if not _is_utf8(file):
            raise UserError("file_name_not_utf8", file=printable(file))
    return Found(wanted, tuple(file for file in ordered if file not in wanted))


def kind_of(file: Path) -> Kind:
    """What the file holds, by its first bytes; they must agree with its name.

    Raises:
        UserError: the file cannot be read, is empty, or holds something else than its name says.
    """
    try:
        with file.open("rb") as stream:
            head = stream.read(4096)
    except OSError as error:
        raise UserError("input_unreadable", file=printable(file)) from error
    if not head:
        raise UserError("empty_file", file=printable(file))
    named = _kind_by_name(file)
    content = _content(file, head)
    zipped = file.name.lower().endswith(".gz")
    if content == "gzip" and zipped:
        return "text"
    if content != named or zipped:
        raise UserError("wrong_content", file=printable(file), content=content)
    return named


def digest(file: Path) -> str:
    """The SHA-256 of the file, in hexadecimal.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError("input_unreadable", file=printable(file)) from error


def digest_together(digests: Iterable[str]) -> str:
    """The SHA-256 of the digests of a table's files, in their order: one for the whole table."""
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def printable(name: str | Path) -> str:
    """A name as a message shows it: bytes that are no text and control characters become ``�``."""
    return "".join(letter if letter.isprintable() else "�" for letter in str(name))


def _candidates(path: str) -> list[Path]:
    place = Path(path)
    if not path:
        return []
    if place.is_dir():
        return [entry for entry in place.iterdir() if entry.is_file()]
    if not place.exists():
        names = glob.glob(path, recursive=True)  # noqa: PTH207 - Path.glob refuses absolute patterns
        return [Path(name) for name in names if Path(name).is_file()]
    if not place.is_file():
        raise UserError("not_a_regular_file", file=printable(path))
    if _kind_by_name(place) is None:
        raise UserError("unsupported_file", file=printable(path))
    return [place]


def _is_utf8(file: Path) -> bool:
    try:
        str(file).encode()
    except UnicodeEncodeError:
        return False
    return True


def _content(file: Path, head: bytes) -> str:
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return "workbook"
    if head.startswith(b"PK"):
        return "workbook" if _is_workbook(file) else "zip"
    if not head.startswith(UTF16_MARKS) and _looks_binary(head):
        return "binary"
    return "text"


def _is_workbook(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return file.suffix.lower() in SUFFIXES and SUFFIXES[file.suffix.lower()] == "workbook"
    return "[Content_Types].xml" in names or "content.xml" in names


def _looks_binary(head: bytes) -> bool:
    first_line = head.replace(b"\r", b"\n").lstrip(b"\n").partition(b"\n")[0]
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head)
    return b"\0" in first_line or controls * 20 > len(head)


def _kind_by_name(file: Path) -> Kind | None:
    name = file.name.lower()
    return next((kind for suffix, kind in SUFFIXES.items() if name.endswith(suffix)), None)


def _hidden(file: Path, path: str) -> bool:
    return file.name.startswith((".", "~$", "_")) and file != Path(path)


def _each_once(files: Iterable[Path]) -> list[Path]:
    kept: dict[tuple[int, int], Path] = {}
    for file in files:
        status = file.stat()
        kept.setdefault((status.st_dev, status.st_ino), file)
    return list(kept.values())
