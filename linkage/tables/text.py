"""CSV and its kin: every physical line is accounted for, under its own row number.

Lines that are plainly one record each (most lines of most files) are found by counting delimiters and quotes
in whole blocks and parsed by Arrow; every other line is read with care by `linkage.tables.records`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from linkage.errors import UserError
from linkage.tables.headers import Header, recognise, require
from linkage.tables.lines import BLOCK, Block, read_blocks
from linkage.tables.records import Grammar, NeedMoreLines, Record, read_record
from linkage.tables.schema import GIANT_CELL, BadRow, Chunk, TableSchema

DELIMITERS = ",;\t"
LONGEST_HEADER = 1 << 20
MOST_LINES = 200_000
"""Lines looked at together, however short they are."""

Positions = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]


def read_text(
    file: Path, schema: TableSchema, columns: Mapping[str, str], size: int = BLOCK
) -> tuple[Header, Iterator[Chunk]]:
    """The header of a text file, and its rows a block of ``size`` bytes at a time.

    Raises:
        UserError: the header is no text, lacks a required column or names one twice; the file is damaged.
    """
    blocks = read_blocks(file, size)
    first, blank = _skip_blank(file, blocks)
    lines = _Lines.of(first.data)
    headers, taken, delimiter = _read_header(file, lines, blank + 1)
    header = recognise(headers, schema, columns, str(file))
    require(header, schema, headers, str(file))
    rest = Block(first.data[lines.ends[taken - 1] + 1 :], first.share, first.last)
    parser = _Parser(header, schema, Grammar.of(delimiter, len(headers)), row=blank + taken + 1)
    return header, _chunks(parser, rest, blocks)


def _chunks(parser: "_Parser", first: Block, blocks: Iterator[Block]) -> Iterator[Chunk]:
    carry = b""
    for block in chain([first], blocks):
        for piece in _few_lines(block):
            chunk, carry = parser.parse(Block(carry + piece.data, piece.share, piece.last))
            yield chunk


def _few_lines(block: Block) -> Iterator[Block]:
    begin = 0
    if block.data.count(b"\n") + block.data.count(b"\r") > MOST_LINES:
        ends = _Lines.of(block.data).ends
        for cut in (ends[MOST_LINES - 1 : -1 : MOST_LINES] + 1).tolist():
            yield Block(block.data[begin:cut], block.share, last=False)
            begin = cut
    yield Block(block.data[begin:], block.share, block.last)


def _skip_blank(file: Path, blocks: Iterator[Block]) -> tuple[Block, int]:
    """The first block from its first line that is not blank, and the number of blank lines before it."""
    blank = 0
    for block in blocks:
        filled = len(block.data) - len(block.data.lstrip())
        begin = max(block.data.rfind(end, 0, filled) for end in (b"\n", b"\r")) + 1
        blank += len(_Lines.of(block.data[:begin]).ends)
        if filled < len(block.data):
            return Block(block.data[begin:], block.share, block.last), blank
    raise UserError("empty_file", file=file)


def _read_header(file: Path, lines: "_Lines", row: int) -> tuple[list[str], int, str]:
    """The headers, the physical lines they take, and the delimiter."""
    line = lines.line(0)
    if len(line) > LONGEST_HEADER or b"\0" in line:
        raise UserError("wrong_content", file=file, content="binary")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise UserError("header_not_utf8", file=file, row=row) from error
    unquoted = "".join(text.split('"')[::2])
    delimiter = max(DELIMITERS, key=unquoted.count)
    record = read_record(lines.after(0, last=True), Grammar.of(delimiter, 0))
    if record.problem:
        raise UserError("header_malformed", file=file, row=row)
    return record.cells, record.lines, delimiter


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of a block: where each begins, and where its LF, or its CR without LF, is."""

    data: bytes
    starts: Positions
    ends: Positions

    @classmethod
    def of(cls, data: bytes) -> "_Lines":
        codes = np.frombuffer(data, np.uint8)
        ending = codes == ord("\n")
        if b"\r" in data:
            ending[:-1] |= (codes[:-1] == ord("\r")) & ~ending[1:]
            ending[-1] = True
        ends = np.flatnonzero(ending)
        return cls(data, np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends, ends)

    def line(self, number: int) -> bytes:
        """A line with its end."""
        return self.data[self.starts[number] : self.ends[number] + 1]

    def after(self, number: int, last: bool) -> Callable[[int], bytes | None]:
        """The lines from one on, counted from 0."""

        def line_at(offset: int) -> bytes | None:
            if number + offset < len(self.ends):
                return self.line(number + offset)
            if last:
                return None
            raise NeedMoreLines

        return line_at

    def only(self, wanted: Marks) -> bytes:
        """The wanted lines in one piece."""
        if wanted.all():
            return self.data
        edges = np.flatnonzero(np.diff(np.concatenate(([False], wanted, [False])).astype(np.int8)))
        runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
        return b"".join(self.data[self.starts[begin] : self.ends[end - 1] + 1] for begin, end in runs)


class _Parser:
    """Turns blocks of lines into chunks of rows, counting rows and lines as it goes."""

    def __init__(self, header: Header, schema: TableSchema, grammar: Grammar, row: int) -> None:
        self._positions = header.positions
        self._id = header.positions[schema.id_column]
        self._grammar = grammar
        self._row = row
        self._ordinal = 0

    def parse(self, block: Block) -> tuple[Chunk, bytes]:
        """The rows of the block, and the lines at its end that need the next block to be understood."""
        lines = _Lines.of(block.data)
        plain, blank = _classify(lines, self._grammar)
        first = ~blank
        careful: list[tuple[int, Record]] = []
        stop = len(lines.ends)
        done = 0
        for number in np.flatnonzero(~plain & ~blank).tolist():
            if number < done:
                continue
            try:
                record = read_record(lines.after(number, block.last), self._grammar)
            except NeedMoreLines:
                stop = number
                break
            done = number + record.lines
            plain[number:done] = False
            first[number + 1 : done] = False
            careful.append((number, record))
        plain[stop:] = False
        first[stop:] = False
        ordinals = self._ordinal - 1 + np.cumsum(first, dtype=np.int64)
        chunk = Chunk(self._rows(lines, plain, careful, ordinals), self._bad(careful, ordinals), block.share)
        self._row += stop
        self._ordinal += int(first.sum())
        return chunk, lines.data[lines.starts[stop] :] if stop < len(lines.ends) else b""

    def _rows(self, lines: "_Lines", plain: Marks, careful: list[tuple[int, Record]], ordinals: Positions) -> pa.Table:
        parsed = _parse_plain(lines.only(plain), self._grammar, self._positions)
        tables = [self._table(parsed, np.flatnonzero(plain), ordinals)]
        good = [(number, record.cells) for number, record in careful if not record.problem]
        if good:
            cells = {
                column: pa.array([row[position] for _, row in good], pa.string())
                for column, position in self._positions.items()
            }
            tables.append(self._table(pa.table(cells), np.array([number for number, _ in good]), ordinals))
        return pa.concat_tables(tables)

    def _bad(self, careful: list[tuple[int, Record]], ordinals: Positions) -> tuple[BadRow, ...]:
        return tuple(
            BadRow(int(ordinals[number]), self._row + number, self._id_of(record), record.problem)
            for number, record in careful
            if record.problem
        )

    def _table(self, cells: pa.Table, numbers: Positions, ordinals: Positions) -> pa.Table:
        rows = pa.array(numbers + self._row, pa.int64())
        places = pa.array(ordinals[numbers], pa.int64())
        return cells.add_column(0, "row", rows).add_column(0, "ordinal", places)

    def _id_of(self, record: Record) -> str | None:
        value = record.cells[self._id].strip() if self._id < len(record.cells) else ""
        return value[:100].replace("\0", "") or None


def _parse_plain(data: bytes, grammar: Grammar, positions: Mapping[str, int]) -> pa.Table:
    names = [str(number) for number in range(grammar.width)]
    wanted = [str(position) for position in positions.values()]
    if not data:
        return pa.table({column: pa.array([], pa.string()) for column in positions})
    table = pa.csv.read_csv(
        pa.BufferReader(data),
        pa.csv.ReadOptions(column_names=names, block_size=len(data) + 1),
        pa.csv.ParseOptions(delimiter=grammar.delimiter),
        pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), include_columns=wanted, check_utf8=False),
    )
    return table.rename_columns(list(positions))


def _classify(lines: _Lines, grammar: Grammar) -> tuple[Marks, Marks]:
    """Which lines are one record each beyond doubt, and which are blank."""
    data, starts, ends = lines.data, lines.starts, lines.ends
    codes = np.frombuffer(data, np.uint8)
    lengths = ends - starts
    plain = (lengths > 1) & (lengths <= GIANT_CELL)
    if b"\0" in data:
        plain[np.searchsorted(ends, np.flatnonzero(codes == 0))] = False
    delimiters = np.flatnonzero(codes == ord(grammar.delimiter))
    if b'"' in data:
        quotes = np.flatnonzero(codes == ord('"'))
        before = np.searchsorted(quotes, starts)
        count = np.diff(before, append=len(quotes))
        plain &= count % 2 == 0
        plain[np.searchsorted(ends, _misplaced(codes, quotes, before, count, grammar))] = False
        line = np.searchsorted(ends, delimiters)
        outside = (np.searchsorted(quotes, delimiters) - before[line]) % 2 == 0
        delimiters = delimiters[outside]
    seen = np.searchsorted(delimiters, starts)
    plain &= np.diff(seen, append=len(delimiters)) == grammar.width - 1
    if not _is_utf8(data):
        for number in np.flatnonzero(plain).tolist():
            plain[number] = _is_utf8(lines.line(number))
    blank = lengths == 0
    for number in np.flatnonzero(~plain & ~blank).tolist():
        blank[number] = not lines.line(number).strip(b" \r\n")
    return plain, blank


def _misplaced(
    codes: npt.NDArray[np.uint8], quotes: Positions, before: Positions, count: Positions, grammar: Grammar
) -> Positions:
    """Quotes that neither open nor close a cell nor belong to a doubled quote."""
    opens = (np.arange(len(quotes)) - np.repeat(before, count)) % 2 == 0
    previous = codes[quotes - 1]
    following = codes[quotes + 1]
    beside = [ord(code) for code in (grammar.delimiter, '"', "\n", "\r")]
    opening = (quotes == 0) | np.isin(previous, beside)
    closing = np.isin(following, beside)
    misplaced: Positions = quotes[np.where(opens, ~opening, ~closing)]
    return misplaced


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
