"""A text file of any encoding as blocks of whole lines in UTF-8."""

import codecs
import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from linkage.errors import UserError
from linkage.tables.files import UTF16_MARKS
from linkage.tables.schema import GIANT_CELL

BLOCK = 16 << 20
"""Bytes read at a time; a longer line is cut to this length."""
FILLER = b"x" * (GIANT_CELL + 1)
"""Ends a line that was cut, so that it is never taken for a whole one."""


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines, each ended by LF, CR LF or CR alone."""

    data: bytes
    share: float
    """How much of the file has been read, 0 to 1."""
    last: bool


def read_blocks(file: Path, size: int = BLOCK) -> Iterator[Block]:
    """The lines of a text file, perhaps compressed, as UTF-8; bytes that are no text stay as invalid UTF-8.

    Raises:
        UserError: the file cannot be read, or is compressed and cut short or damaged.
    """
    rest = b""
    overlong = False
    for piece, share in _pieces(file, size):
        data = piece
        if overlong:
            end = re.search(rb"[\r\n]", data)
            if not end:
                continue
            data, overlong = data[end.start() :], False
        rest += data
        cut = max(rest.rfind(b"\n"), rest.rfind(b"\r", 0, -1)) + 1
        if cut:
            yield Block(rest[:cut], share, last=False)
            rest = rest[cut:]
        # of a CR at the end nobody knows yet whether LF follows
        if len(rest) >= size and not rest.endswith(b"\r"):
            rest, overlong = _whole_characters(rest[:size]) + FILLER, True
    yield Block(rest + b"\n" if rest else b"", 1.0, last=True)


def _pieces(file: Path, size: int) -> Iterator[tuple[bytes, float]]:
    total = file.stat().st_size
    try:
        with file.open("rb") as raw:
            stream = _plain(raw)
            head = stream.read(4)
            utf8 = _to_utf8(head)
            data = head.removeprefix(codecs.BOM_UTF8) + stream.read(size)
            while data:
                yield utf8(data, False), min(raw.tell() / max(total, 1), 1.0)
                data = stream.read(size)
            yield utf8(b"", True), 1.0
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError("damaged_gzip", file=file) from error
    except OSError as error:
        raise UserError("input_unreadable", file=file) from error


def _plain(raw: BinaryIO) -> BinaryIO | gzip.GzipFile:
    zipped = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    return gzip.GzipFile(fileobj=raw) if zipped else raw


def _to_utf8(head: bytes) -> Callable[[bytes, bool], bytes]:
    if not head.startswith(UTF16_MARKS):
        return lambda data, _final: data
    decoder = codecs.getincrementaldecoder("utf-16")("surrogatepass")

    def utf8(data: bytes, final: bool) -> bytes:
        if final:
            return b"\xff" if decoder.getstate()[0] else b""
        return decoder.decode(data).encode("utf-8", "surrogatepass")

    return utf8


def _whole_characters(data: bytes) -> bytes:
    end = len(data)
    while end and data[end - 1] & 0xC0 == 0x80:
        end -= 1
    return data[: end - 1] if end and data[end - 1] >= 0xC0 else data[:end]
