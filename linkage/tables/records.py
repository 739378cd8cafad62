"""One CSV record at a time, with care: what no fast reader can be trusted with."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from linkage.tables.schema import GIANT_CELL

LONGEST_RECORD = 1 << 20
"""A quoted cell still open after so many characters was never meant to be closed."""


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of a record, the physical lines it takes, and what is wrong with it, if anything is."""

    cells: list[str]
    lines: int = 1
    problem: str | None = None


class NeedMoreLines(Exception):  # noqa: N818 - a question, not an error
    """The record is not closed and the block of lines ends here."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """How cells look with one delimiter, in tables of ``width`` columns."""

    delimiter: str
    width: int
    cell: re.Pattern[str]
    open_cell: re.Pattern[str]
    inside: re.Pattern[str]
    loose_cell: re.Pattern[str]

    @classmethod
    def of(cls, delimiter: str, width: int) -> "Grammar":
        """The grammar of a file; ``width`` 0 leaves the number of cells open."""
        end = rf"(?={re.escape(delimiter)}|\Z)"
        bare = rf'(?!")[^{re.escape(delimiter)}]*'
        quoted = r'[^"]*(?:""[^"]*)*'
        return cls(
            delimiter,
            width,
            cell=re.compile(rf'"({quoted})"{end}|({bare})', re.DOTALL),
            open_cell=re.compile(rf'"({quoted})', re.DOTALL),
            inside=re.compile(quoted, re.DOTALL),
            loose_cell=re.compile(rf'"(.*?)"{end}|({bare})', re.DOTALL),
        )


def read_record(line_at: Callable[[int], bytes | None], grammar: Grammar) -> Record:
    """Read the record that begins in line 0; ``line_at(n)`` is line n with its end, None after the last.

    A quoted cell may span lines. When it does not end as a cell must, or holds as many delimiters as a row, a
    quote was left open: only the line it stands in is given up, and the next line is a record of its own.

    Raises:
        NeedMoreLines: passed on from ``line_at``.
    """
    raw = line_at(0) or b""
    try:
        line, _ = _content_and_end(raw)
    except UnicodeDecodeError:
        cells = raw.decode(errors="replace").split(grammar.delimiter)
        return Record(cells, problem="bad_encoding")
    record = _strict(line, line_at, grammar) or _loose(line, grammar)
    if record is None:
        cells = line.split(grammar.delimiter)
        record = Record(cells, problem="giant_cell" if _giant(cells) else "unclosed_quote")
    elif _giant(record.cells):
        record = Record(record.cells, record.lines, "giant_cell")
    elif any("\0" in cell for cell in record.cells):
        record = Record(record.cells, record.lines, "nul_character")
    elif grammar.width and len(record.cells) != grammar.width:
        record = Record(record.cells, record.lines, "ragged_row")
    return record


def _strict(line: str, line_at: Callable[[int], bytes | None], grammar: Grammar) -> Record | None:
    """By the book; None when a quote is out of place or left open."""
    cells: list[str] = []
    position, lines = 0, 1
    while True:
        if found := grammar.cell.match(line, position):
            cells.append(found[2] if found[1] is None else found[1].replace('""', '"'))
            position = found.end()
        else:
            opened = grammar.open_cell.fullmatch(line, position)
            closed = opened and _continue(opened[1], lines, line_at, grammar)
            if not closed:
                return None
            cell, line, position, lines = closed
            cells.append(cell)
        if position == len(line):
            break
        position += 1
    return Record(cells, lines) if lines == 1 or len(cells) == (grammar.width or len(cells)) else None


def _continue(
    opening: str, lines: int, line_at: Callable[[int], bytes | None], grammar: Grammar
) -> tuple[str, str, int, int] | None:
    """The cell that goes on in the next lines, the line and position where it ends, the lines read so far."""
    _, ending = _content_and_end(line_at(lines - 1) or b"")
    parts, length = [opening, ending], len(opening)
    delimiters = opening.count(grammar.delimiter)
    while length < LONGEST_RECORD:
        raw = line_at(lines)
        if raw is None:
            return None
        lines += 1
        try:
            line, ending = _content_and_end(raw)
        except UnicodeDecodeError:
            return None
        found = grammar.inside.match(line)
        content = found[0] if found else ""
        parts.append(content)
        length += len(content) + 1
        delimiters += content.count(grammar.delimiter)
        if grammar.width and delimiters >= grammar.width - 1:
            return None
        if len(content) < len(line):
            end = len(content) + 1
            if end < len(line) and line[end] != grammar.delimiter:
                return None
            return "".join(parts).replace('""', '"'), line, end, lines
        parts.append(ending)
    return None


def _content_and_end(raw: bytes) -> tuple[str, str]:
    text = raw.decode()
    content = text.removesuffix("\n").removesuffix("\r")
    return content, text[len(content) :]


def _loose(line: str, grammar: Grammar) -> Record | None:
    """A quote inside a quoted cell that nobody doubled is a character like any other."""
    cells: list[str] = []
    position = 0
    while found := grammar.loose_cell.match(line, position):
        cells.append(found[2] if found[1] is None else found[1].replace('""', '"'))
        position = found.end() + 1
        if found.end() == len(line):
            return Record(cells)
    return None


def _giant(cells: list[str]) -> bool:
    return any(len(cell) > GIANT_CELL for cell in cells)
