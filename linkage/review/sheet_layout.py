"""What stands in the cells of a review sheet, and how a row that came back is known to be the one that went out."""

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace

from linkage.messages import say
from linkage.review import words
from linkage.review.cases import PAIRED, Candidate, Case
from linkage.review.differing import Piece, Pieces, compared, in_none
from linkage.review.sheet_check import check_of

__all__ = [
    "CHECKED",
    "COLUMNS",
    "MACHINE",
    "Content",
    "Control",
    "ShownCase",
    "ShownRow",
    "control_total",
    "printable",
    "shown_case",
]

CHECKED = ("name", "birth_date", "sex", "number", "phone", "insurance_no", "home", "other")
"""Columns of the record and of the candidates, one above the other."""

MACHINE = ("case_id", "model", "content")
"""Columns for the machine; nobody needs to read them."""

COLUMNS = ("case", "row", "decision", *CHECKED, "reason", "doses", "comment", *MACHINE)
"""Columns of a review sheet, in order; words: ``review_sheet.column.<column>``."""

HOME = ("address", "commune", "district", "province")
MOST_ROWS = 1 << 20
"""Of a sheet."""
LONGEST = 1_000
"""Characters of a value that are shown."""

_OWN = "itself"
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row of a sheet: its number (0: the record, 1: the first candidate), and column → what is shown."""

    number: int
    cells: Mapping[str, Pieces]

    def text(self, column: str) -> str:
        """What the cell says; empty without one."""
        return "".join(piece.text for piece in self.cells.get(column, ()))


@dataclass(frozen=True, slots=True)
class ShownCase:
    """The rows of a case: the record, and the citizens in the order of the rows under it."""

    case_id: str
    model: str
    citizens: tuple[str, ...]
    rows: tuple[ShownRow, ...]


@dataclass(frozen=True, slots=True)
class Control:
    """What a file says of itself: where it comes from, and what is to come back of it.

    Args:
        file: its UUID.
        run: the digest of the run.
        model: name@digest.
        by: what its unit is.
        unit: the unit.
        cases: how many.
        rows: how many, records and candidates together.
        total: the `control_total` of its cases.
    """

    file: str
    run: str
    model: str
    by: str
    unit: str
    cases: int
    rows: int
    total: int

    def as_text(self) -> str:
        """JSON in which no spreadsheet sees a number, a date or a formula."""
        return _safe_json({"control": asdict(self)})

    @classmethod
    def from_text(cls, text: str) -> "Control | None":
        """What `as_text` wrote; None when it is something else."""
        try:
            plain = json.loads(text)["control"]
            texts = [str(plain[each.name]) for each in fields(cls)]
            control = cls(*texts[:5], *map(int, texts[5:]))  # type: ignore[arg-type]
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        return control if 0 <= control.cases <= MOST_ROWS else None


@dataclass(frozen=True, slots=True)
class Content:
    """What the machine keeps of a row: enough to know it again, and whom each number means.

    Args:
        file: UUID of the file it went out in.
        case: number of the case in the file, 1 first.
        of: how many cases the file has.
        row: 0 for the record, else the number of the candidate.
        citizens: of all candidates, in their order.
        check: column → `check_of` its text; and that of all else, under ``itself``; see `checked`.
    """

    file: str
    case: int
    of: int
    row: int
    citizens: tuple[str, ...]
    check: Mapping[str, str] = field(default_factory=dict)

    def checked(self, case_id: str, texts: Mapping[str, str]) -> "Content":
        """With the check values of the row of this case: of ``texts`` (column → text) and of its own."""
        check = {column: check_of(case_id, self.row, column, text) for column, text in texts.items()}
        return replace(self, check={**check, _OWN: self._own_check(case_id)})

    def _own_check(self, case_id: str) -> str:
        rest = json.dumps([self.file, self.case, self.of, self.citizens])
        return check_of(case_id, self.row, _OWN, rest)

    def belongs_to(self, case_id: str) -> bool:
        """Whether this is of a row of that case, and nothing of it was changed."""
        return self.check.get(_OWN) == self._own_check(case_id)

    def as_text(self) -> str:
        """JSON in which no spreadsheet sees a number, a date or a formula."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        return _safe_json(plain)

    @classmethod
    def from_text(cls, text: str) -> "Content | None":
        """What `as_text` wrote; None when it is something else."""
        try:
            plain = json.loads(text)
            content = cls(
                str(plain["file"]),
                int(plain["case"]),
                int(plain["of"]),
                int(plain["row"]),
                tuple(map(str, plain["citizens"])),
                {str(column): str(value) for column, value in plain["check"].items()},
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        fits = 0 <= content.row <= len(content.citizens) and 1 <= content.case <= content.of <= MOST_ROWS
        return content if fits else None


def _safe_json(plain: Mapping[str, object]) -> str:
    text = json.dumps(plain, separators=(",", ":"))
    return re.sub("[=+@-]", lambda sign: f"\\u{ord(sign[0]):04x}", text)


def control_total(case_ids: Iterable[str]) -> int:
    """The control total of a file: the sum of the CRC-32 of its cases, modulo 10⁹."""
    return sum(zlib.crc32(case_id.encode()) for case_id in case_ids) % 10**9


def printable(text: str | None, longest: int = LONGEST) -> str:
    """A value on one line: control characters become spaces; what is longer than any value is cut."""
    plain = _CONTROLS.sub(" ", text or "")
    return plain if len(plain) <= longest else plain[:longest] + "…"


def shown_case(case_id: str, model: str, case: Case, language: str) -> ShownCase:
    """The record, and under it each candidate, with what differs."""
    typed = words.recorded_words(case.record)
    pairs = [_paired(typed, candidate, language) for candidate in case.candidates]
    record: dict[str, Pieces] = {
        line: in_none(_recorded(typed, line), [recorded[line] for recorded, _ in pairs]) for line in _LINES
    }
    cells = _columns(record)
    cells["reason"] = _plain(
        "\n".join((*words.in_review_because(case, language), *_few(words.variants(case, language))))
    )
    beside = (*words.doses(case, language), *words.household(case, language))
    cells["doses"] = _plain("\n".join(_few(beside)))
    rows = [ShownRow(0, cells)]
    for number, (candidate, (_, registry)) in enumerate(zip(case.candidates, pairs, strict=True), start=1):
        cells = _columns(registry)
        cells["reason"] = _plain("\n".join(words.for_and_against(candidate, language)))
        rows.append(ShownRow(number, cells))
    return ShownCase(case_id, model, tuple(candidate.citizen_id for candidate in case.candidates), tuple(rows))


MOST_BESIDE = 12
"""Lines about other doses and the household that are shown."""

_LINES = ("name", "birth_date", "sex", "number", "phone", "insurance_no", *HOME, "nationality", "deceased_on")


def _recorded(record: Mapping[str, str | None], line: str) -> str:
    column = PAIRED[line][0]
    return printable(record.get(column)) if column else ""


def _paired(
    record: Mapping[str, str | None], candidate: Candidate, language: str
) -> tuple[dict[str, Pieces], dict[str, Pieces]]:
    """Line → pieces, of the record beside one candidate and of that candidate."""
    registry = words.registry_words({**candidate.registry, "citizen_id": candidate.citizen_id}, record, language)
    sides: tuple[dict[str, Pieces], dict[str, Pieces]] = ({}, {})
    for line in _LINES:
        recorded = _recorded(record, line)
        first = printable(registry.get(PAIRED[line][1][0])) if PAIRED[line][1] else ""
        pieces = compared(line, recorded, first)
        if line == "number" and (former := printable(registry.get("previous_ids"))):
            if recorded.strip() in re.split(r"[;,\s]+", former):
                pieces = _plain(recorded), _plain(first)
            pieces = pieces[0], (*pieces[1], *_plain("\n" + say("review_sheet.former", language, numbers=former)))
        if line == "deceased_on" and first:
            pieces = (), (Piece(say("review_sheet.deceased", language, day=first), True),)
        sides[0][line], sides[1][line] = pieces
    return sides


def _columns(lines: Mapping[str, Pieces]) -> dict[str, Pieces]:
    """Lines → the columns of the sheet; commune, district and province follow the address."""
    cells = {column: lines[column] for column in CHECKED if column in lines}
    return {
        **cells,
        "home": _joined(lines[line] for line in HOME),
        "other": _joined((lines["nationality"], lines["deceased_on"])),
    }


def _joined(parts: Iterator[Pieces] | tuple[Pieces, ...]) -> Pieces:
    joined: list[Piece] = []
    for pieces in parts:
        if any(piece.text.strip() for piece in pieces):
            joined += [Piece(", ", False)] * bool(joined) + list(pieces)
    return tuple(joined)


def _few(lines: Sequence[str]) -> list[str]:
    return [printable(line, 200) for line in lines[:MOST_BESIDE]]


def _plain(text: str) -> Pieces:
    return (Piece(text, False),) if text else ()
