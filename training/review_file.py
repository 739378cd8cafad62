"""The file in which a clerk answers: a row per candidate, dose and citizen side by side, and its way back as labels.

A spreadsheet computes a cell that begins with = + - @, eats leading zeros and turns numbers and surnames into dates and
truth values. In XLSX every cell is text. In CSV every cell begins with a no-break space: it is then text to a
spreadsheet, and whoever reads the labels takes it away. No probability is shown, and doses come in random order: what
the machine thinks sways who reads.
"""

import csv
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import duckdb
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.worksheet.datavalidation import DataValidation

from linkage.errors import UserError
from linkage.messages import say
from linkage.tables import whole

KINDS = (".csv", ".xlsx")
SHOWN = 5
MOST_ROWS = 1_048_575
SAFE = "\u00a0"
WIDE = 22

RECORD = {
    "name": ("d.full_name", "c.full_name"),
    "birth_date": ("d.date_of_birth", "c.date_of_birth"),
    "sex": ("d.sex", "c.sex"),
    "number": ("d.national_id", "c.citizen_id"),
    "former_numbers": (None, "c.previous_ids"),
    "insurance_no": ("d.health_insurance_no", "c.health_insurance_no"),
    "phone": ("d.phone", "c.phone"),
    "place": (
        "concat_ws(', ', d.commune, d.district, d.province)",
        "concat_ws(', ', c.commune, c.district, c.province)",
    ),
    "address": ("d.address", "c.address"),
}
"""What is shown of both sides, as typed: the dose's expression and the citizen's."""

LABEL = ("dose_id", "citizen_id", "is_match")
REST = ("reviewer", "decided_at", "weight", "draw", "rank", "cell")


def write_review_file(connection: duckdb.DuckDBPyConnection, out: Path, draw: str, language: str) -> int:
    """Write the drawn doses with their best candidates; returns the number of rows.

    A dose without a candidate has one row with an empty citizen_id. ``cell`` is the number of the cell of the draw,
    which tells a clerk nothing.

    Args:
        connection: holds ``chosen`` (``number``, ``dose_id``, ``cell``, ``weight``), ``candidates``, ``doses`` and
            ``citizens``.
        out: a file that ends in one of ``KINDS``; appears whole or not at all.
        draw: what tells this draw from another.
        language: of the headers of the record.

    Raises:
        UserError: the file cannot be written, or has more rows than a sheet holds.
    """
    record = {
        say(f"suggest.{side}", language, field=say(f"suggest.field.{name}", language)): expressions[place]
        for name, expressions in RECORD.items()
        for place, side in enumerate(("dose", "registry"))
        if expressions[place]
    }
    columns = ", ".join(f"{expression}::VARCHAR" for expression in record.values())
    query = f"""
    SELECT chosen.dose_id, k.citizen_id, NULL, {columns}, NULL, NULL, round(weight, 6)::VARCHAR, $draw,
      k.rank::VARCHAR, chosen.cell::VARCHAR
    FROM chosen JOIN doses AS d USING (dose_id)
    LEFT JOIN (SELECT dose_id, citizen_id, rank FROM candidates WHERE rank <= {SHOWN}) AS k USING (dose_id)
    LEFT JOIN citizens AS c ON c.citizen_id = k.citizen_id
    ORDER BY chosen.number, k.rank"""
    header = (*LABEL, *record, *REST)
    rows = connection.execute(query, {"draw": draw}).fetchall()
    if len(rows) > MOST_ROWS:
        raise UserError("suggest.too_long", path=out, rows=len(rows), most=MOST_ROWS)
    with whole(out) as part:
        (_write_csv if out.suffix.lower() == ".csv" else _write_workbook)(part, header, map(_printable, rows))
    return len(rows)


def _printable(row: tuple[str | None, ...]) -> tuple[str, ...]:
    """Identifiers as they are; elsewhere control characters become spaces, so that a record stays on its line."""
    ids, record = row[:2], row[2:]
    return (*(cell or "" for cell in ids), *(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", cell or "") for cell in record))


def _write_csv(part: Path, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    with part.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for row in rows:
            writer.writerow([SAFE + cell if cell else "" for cell in (*row[:2], *map(_unsplit, row[2:]))])


def _unsplit(cell: str) -> str:
    """Safe even where a spreadsheet takes another character for the delimiter."""
    return re.sub(r"""(?<=[,;|'"])(?=[=+\-@])""", SAFE, cell)


def _write_workbook(part: Path, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("labels")
    sheet.freeze_panes = "D2"
    letters = {}
    for place, name in enumerate(header):
        letter = chr(ord("A") + place)
        letters[name] = letter
        sheet.column_dimensions[letter].width = WIDE
    answers = DataValidation(type="list", formula1='"1,0,?"', allow_blank=True)
    answers.add(f"{letters['is_match']}2:{letters['is_match']}{MOST_ROWS + 1}")
    sheet.data_validations.append(answers)

    def texts(row: Iterable[str]) -> Iterator[WriteOnlyCell]:
        for text in row:
            cell = WriteOnlyCell(sheet, value=_escaped(text) or None)
            # neither a formula nor an error value, whatever it begins with
            cell.data_type = "s" if text else "n"
            cell.number_format = "@"
            yield cell

    sheet.append(header)
    for row in rows:
        sheet.append(texts(row))
    book.save(part)
    _without_time(part)


def _escaped(text: str) -> str:
    """What XML has no place for, and what only looks so, as a workbook writes it (ECMA-376, part 1, 22.9.2.19)."""
    plain = re.sub(r"_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text)
    return str(ILLEGAL_CHARACTERS_RE.sub(lambda found: f"_x{ord(found[0]):04X}_", plain))


def _without_time(part: Path) -> None:
    """The same content gives the same bytes: times of writing are taken out of a workbook."""
    with zipfile.ZipFile(part) as archive:
        entries: Mapping[str, bytes] = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            fixed = re.sub(rb"(<dcterms:\w+[^>]*>)[^<]*", rb"\g<1>2000-01-01T00:00:00Z", content)
            archive.writestr(
                zipfile.ZipInfo(name), fixed if name == "docProps/core.xml" else content, zipfile.ZIP_DEFLATED
            )
