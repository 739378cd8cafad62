"""``python -m evaluation.benchmarks.review_sheet``: review sheets there and back, through a real LibreOffice.

Prints the seconds that the sheets of one commune take to write, and checks that a round trip through LibreOffice (which
opens and saves every file) changes nothing but the decisions that were made in between.
"""

import argparse
import re
import subprocess
import tempfile
import time
import unicodedata
import uuid
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import python_calamine

from linkage.review import words
from linkage.review.cases import ASKED, OUTCOMES, Answer, Candidate, Case, Dose, Relative
from linkage.review.sheet import Written, write_sheets
from linkage.review.sheet_layout import COLUMNS
from linkage.review.sheet_reading import Staged, read_answers
from linkage.review.views import View

NAMES = (
    *(
        "Nguyễn Thị Hoà",
        "NGUYEN THI HOA",
        "Y Blor Niê Kđăm",
        "H'Hen Niê",
        "H’Bia Ƀdap",
        "Thào A Sùng",
        "K' Brêu",
        "A Phŭn",
    ),
    *("=1+1", "@SUM(A1:A9)", "-2+3", "+84912345678", "\tTrần Văn Tab", "\rLê Văn Cr", "a\nb", "TRUE", "FALSE", "1/2"),
    *("_x000D_ Phạm", "Trương 🙂 Vy", unicodedata.normalize("NFD", "Đặng Thuỳ Dương"), "00123", "1E5", "12:30", "#N/A"),
    *('=HYPERLINK("http://a.b")', "http://a.b", " Lý  Thị ", "'Lò", "Null", "<b>&amp;</b>", "Đỗ ﬁ \u200bVăn", "9" * 30),
)
DAYS = ("05/12/1984", "1984-12-05", "1984", "12-05", "31/12/1999 00:00:00", "00/00/1960", "30.4.1975", "1/2/03")
NUMBERS = ("003184000123", "3184000123", "012345678", "7.9084E+10", "'003184000123", "000000000", "0031 8400 0124", "")
PHONES = ("+84912345678", "0912345678", "84912345678", "0084912345678", "0912.345.678", "0912345678/0987654321", "")


def cases(number: int, candidates: int = 2) -> Iterator[View]:
    """Cases with everything that spreadsheets are known to reinterpret, ``candidates`` + 1 rows each."""
    for place in range(number):
        subject = f"S{place:06}"
        record = {
            "full_name": NAMES[place % len(NAMES)],
            "date_of_birth": DAYS[place % len(DAYS)],
            "sex": ("Nữ", "nam", "1", "")[place % 4],
            "national_id": NUMBERS[place % len(NUMBERS)],
            "phone": PHONES[place % len(PHONES)],
            "health_insurance_no": ("GD4790012345678", "0012345678", "")[place % 3],
            "address": ("0012 Lê Lợi", "-", "=2", "1-2", "3/4")[place % 5],
            "commune": "Phúc Xá",
            "district": "Ba Đình",
            "province": "Hà Nội",
            "nationality": None,
        }
        doses = (
            Dose(f"{subject}-1", True, "review", injected_on="2021-09-01", vaccine="AZ", facility_id="F01"),
            Dose(f"{subject}-2", False, "accept", "003184000999", "2022-02-01", "=Pfizer"),
        )
        view = Case(
            subject,
            record,
            doses,
            tuple(_candidate(place, rank) for rank in range(candidates)),
            {"margin": 5.1, "caution": None, "accept": 0.9995, "lowest_accept": 0.9995, "review": 0.02},
            household=(Relative("phone", NAMES[(place + 3) % len(NAMES)], "1980-01-01", "M", "003080000321"),),
        )
        case_id = str(uuid.uuid5(uuid.NAMESPACE_OID, subject))
        yield View(case_id, 1, view, "00001", "open", 1, "ab" * 32, "vietnam@0123456789ab")


def _candidate(place: int, rank: int) -> Candidate:
    registry: dict[str, str | None] = {
        "full_name": NAMES[(place + rank) % len(NAMES)],
        "date_of_birth": ("1984-05-12", "1956")[rank % 2],
        "sex": "F",
        "previous_ids": ("012345678", None)[rank % 2],
        "phone": "0912345678",
        "health_insurance_no": "GD4790012345678",
        "address": "0012 Lê Lợi",
        "commune": "00001",
        "district": "001",
        "province": "01",
        "deceased_on": (None, "2020-01-31")[rank % 2],
    }
    levels, bits = {"name": "identical", "sex": "same"}, {"name": 9.5, "sex": 0.9}
    return Candidate(f"003184{place * 10 + rank:06}", 0.9 / 2**rank, 12.0 - rank, registry, levels, bits)


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """What came back: how many rows went out, cells that are not what they were, and what was read."""

    rows: int
    changed: tuple[str, ...]
    staged: Staged
    expected: Mapping[str, Answer]

    @property
    def whole(self) -> bool:
        """Whether nothing changed but the decisions."""
        staged = self.staged
        read = {row.case_id: row.answer for row in staged.rows}
        return read == self.expected and not (self.changed or staged.unusable or staged.missing or staged.notices)


def round_trip(views: Sequence[View], folder: Path, kind: str = "xlsx") -> RoundTrip:
    """Write sheets, decide every case, let LibreOffice open and save each file, and read them back.

    Args:
        views: the cases.
        folder: empty.
        kind: what LibreOffice saves: ``xlsx`` or ``ods``.

    Raises:
        FileNotFoundError: there is no LibreOffice.
    """
    written = write_sheets(views, folder / "sent", language="vi", by="commune")
    expected = {view.case_id: _decision(place, view.case)[1] for place, view in enumerate(views)}
    texts = iter([_decision(place, view.case)[0] for place, view in enumerate(views)])
    filled = [_fill_in(each, folder / "filled", texts) for each in written]
    through_office(filled, folder / "back", kind)
    back = [folder / "back" / f"{path.stem}.{kind}" for path in filled]
    changed = [cell for sent, path in zip(written, back, strict=True) for cell in _changed(sent.path, path)]
    rows = sum(each.control.rows for each in written)
    return RoundTrip(rows, tuple(changed), read_answers(back), expected)


def through_office(files: Sequence[Path], folder: Path, kind: str) -> None:
    """Let LibreOffice open each file and save it again as ``kind`` in ``folder``, with a profile of its own."""
    with tempfile.TemporaryDirectory() as profile:
        command = ["soffice", f"-env:UserInstallation=file://{profile}", "--headless", "--convert-to", kind]
        subprocess.run([*command, "--outdir", str(folder), *map(str, files)], check=True, capture_output=True)  # noqa: S603


def _decision(place: int, case: Case) -> tuple[str, Answer]:
    outcome = OUTCOMES[place % len(OUTCOMES)]
    number = 1 + place % len(case.candidates) if outcome == "citizen" else None
    field = ASKED[place % len(ASKED)] if outcome == "send_back" else None
    citizen = case.candidates[number - 1].citizen_id if number else None
    return words.outcome(outcome, "vi", number=number, field=field), Answer(outcome, citizen, field)


def _fill_in(written: Written, folder: Path, texts: Iterator[str]) -> Path:
    """The file with a decision in every yellow cell, and not another byte of the page changed."""
    folder.mkdir(exist_ok=True)
    path = folder / written.path.name
    letter = chr(ord("A") + COLUMNS.index("decision"))
    unlocked = _unlocked(written.path)
    with zipfile.ZipFile(written.path) as sent, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as filled:
        for name in sent.namelist():
            content = sent.read(name)
            if name == "xl/worksheets/sheet2.xml":
                content = re.sub(
                    rf'<c r="({letter}\d+)" s="({unlocked})"/>',
                    lambda cell: f'<c r="{cell[1]}" s="{cell[2]}" t="inlineStr"><is><t>{next(texts)}</t></is></c>',
                    content.decode(),
                ).encode()
            filled.writestr(name, content)
    return path


def _unlocked(path: Path) -> str:
    """The numbers of the formats of cells that may be written, as a pattern."""
    with zipfile.ZipFile(path) as archive:
        formats = archive.read("xl/styles.xml").decode().partition("<cellXfs")[2].partition("</cellXfs>")[0]
    return "|".join(str(number) for number, each in enumerate(formats.split("<xf ")[1:]) if 'locked="0"' in each)


def _changed(sent: Path, back: Path) -> Iterator[str]:
    """Cells that are not what they were, but for decisions."""
    before, after = (
        python_calamine.load_workbook(str(path)).get_sheet_by_index(1).to_python() for path in (sent, back)
    )
    decision = COLUMNS.index("decision")
    if len(before) != len(after):
        yield f"{back.name}: {len(before)} rows, {len(after)} came back"
    for row, (one, other) in enumerate(zip(before, after, strict=False), start=1):
        for place, (text, found) in enumerate(zip(one, other, strict=False)):
            if text != found and not (place == decision and row > 1):
                yield f"{back.name}, row {row}, {COLUMNS[place]}: {text!r} became {found!r}"


def main() -> None:
    """Time the sheets of a commune, then make the round trip."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.review_sheet", description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=10_000)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        views = list(cases(flags.cases))
        begin = time.perf_counter()
        written = write_sheets(views, Path(folder) / "commune", language="vi", by="commune")
        seconds = time.perf_counter() - begin
        print(f"{flags.cases:,} cases of one commune in {len(written)} files: {seconds:.2f} s")
        (Path(folder) / "trip").mkdir()
        begin = time.perf_counter()
        trip = round_trip(list(cases(-(-flags.rows // 3))), Path(folder) / "trip")
        seconds = time.perf_counter() - begin
        print(f"{trip.rows:,} rows through LibreOffice and back: {seconds:.1f} s, {len(trip.changed)} cells changed")
        print(
            "nothing changed but the decisions"
            if trip.whole
            else "\n".join(map(str, trip.changed[:10])) or "answers differ"
        )


if __name__ == "__main__":
    main()
