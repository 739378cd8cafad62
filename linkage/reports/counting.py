"""Doses of a run counted by unit and outcome."""

import csv
import json
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from linkage.errors import UserError
from linkage.messages import say
from linkage.reports.pages import environment
from linkage.reports.reading import connect, open_run
from linkage.tables import refuse_to_overwrite, whole

UNITS = ("province", "district", "commune", "facility")
ACCEPTED = ("verified", "details_corrected", "id_corrected", "id_supplied")
OUTCOMES = (*ACCEPTED, "in_review", "not_found", "foreigner", "quarantined")
FORMATS = (".csv", ".json", ".html")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
BARS = 20


@dataclass(frozen=True, slots=True)
class Counts:
    """Doses read, and how many of them ended in each outcome; the outcomes sum to the doses."""

    doses: int
    verified: int
    details_corrected: int
    id_corrected: int
    id_supplied: int
    in_review: int
    not_found: int
    foreigner: int
    quarantined: int

    def __post_init__(self) -> None:
        if self.doses != sum(self.of(outcome) for outcome in OUTCOMES):
            raise ValueError("the outcomes do not sum to the doses: " + str(self))

    @property
    def accepted(self) -> int:
        """Doses tied to a citizen, by the machine or by a human."""
        return sum(self.of(outcome) for outcome in ACCEPTED)

    def of(self, outcome: str) -> int:
        """Doses that ended in ``outcome``."""
        return int(getattr(self, outcome))


@dataclass(frozen=True, slots=True)
class Line:
    """One unit: its code (``None``: doses without a unit), its name as of 2021 and its counts."""

    code: str | None
    name: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class Report:
    """Lines in the order of their codes, doses without a unit last, and the totals."""

    by: str
    lines: tuple[Line, ...]
    total: Counts


def report(run: Path, by: str, out: Path, *, language: str = "en", force: bool = False) -> Report:
    """Count the doses of ``run`` by unit and write them to ``out``.

    Args:
        run: the folder that ``linkage score`` wrote.
        by: ``province``, ``district``, ``commune`` (2021 codes of the dose) or ``facility``.
        out: ``.csv`` (UTF-8 with BOM), ``.json`` or ``.html`` (one offline page). In CSV a cell that a
            spreadsheet would take for a formula (it starts with ``= + - @``, TAB or CR) gets an apostrophe in
            front, so such a facility id is not the recorded one to the letter; JSON holds it as recorded.
        language: ``en`` or ``vi``, for headings; names of units stay Vietnamese.
        force: overwrite ``out``.

    Raises:
        UserError: unknown unit or file ending, ``out`` exists, or ``run`` is no finished run.
    """
    if by not in UNITS:
        raise UserError("report_by_unknown", by=by, allowed=", ".join(UNITS))
    if out.suffix.lower() not in FORMATS:
        raise UserError("report_format_unknown", out=out, allowed=", ".join(FORMATS))
    refuse_to_overwrite(out, force=force)
    result = _counted(run, by)
    with whole(out) as part:
        if out.suffix.lower() == ".csv":
            _write_csv(result, part, language)
        elif out.suffix.lower() == ".json":
            part.write_text(_as_json(result), encoding="utf-8")
        else:
            part.write_text(_as_html(result, run, language), encoding="utf-8")
    return result


def _counted(run: Path, by: str) -> Report:
    column = "facility_id" if by == "facility" else by
    outcomes = ", ".join(f"count(*) FILTER (outcome = '{outcome}')" for outcome in OUTCOMES)
    with connect() as connection:
        open_run(connection, run, ("outcome", column))
        rows = connection.execute(
            f"SELECT nullif({column}, '') AS unit, count(*), {outcomes} FROM decisions"
            " GROUP BY unit ORDER BY unit NULLS LAST",
        ).fetchall()
    names = {} if by == "facility" else _names(by)
    lines = tuple(Line(code, names.get(code, ""), Counts(*counts)) for code, *counts in rows)
    sums = (sum(line.counts.doses for line in lines), *(_sum(lines, outcome) for outcome in OUTCOMES))
    return Report(by, lines, Counts(*sums))


def _sum(lines: tuple[Line, ...], outcome: str) -> int:
    return sum(line.counts.of(outcome) for line in lines)


@cache
def _names(by: str) -> dict[str, str]:
    """Code → full name: many communes share a name, so each carries its district and province."""
    parent = UNITS[UNITS.index(by) - 1] if by != "province" else None
    above = _names(parent) if parent else {}
    text = files("linkage.vietnamese").joinpath("data", _table(by)).read_text(encoding="utf-8")
    return {
        row["code"]: row["name"] + (f", {above[row[parent]]}" if parent else "")
        for row in csv.DictReader(text.splitlines())
    }


def _table(by: str) -> str:
    return f"{by}s.csv"


def label(line: Line, by: str, language: str) -> str:
    """The name a reader sees: of the unit, its code when no name is known, or the words for no unit."""
    if line.code is None:
        return say(f"report_no_{by}", language)
    return line.name or line.code


def _write_csv(result: Report, file: Path, language: str) -> None:
    heads = ["report_code", f"report_{result.by}", "report_doses"]
    heads += [*(f"report_{outcome}" for outcome in ACCEPTED), "report_accepted"]
    heads += [f"report_{outcome}" for outcome in OUTCOMES[len(ACCEPTED) :]]
    with file.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([say(head, language) for head in heads])
        for line in result.lines:
            name = label(line, result.by, language)
            writer.writerow([_harmless(line.code or ""), _harmless(name), *_cells(line.counts)])
        writer.writerow(["", say("report_total", language), *_cells(result.total)])


def _cells(counts: Counts) -> list[int]:
    accepted = [counts.of(outcome) for outcome in ACCEPTED]
    rest = [counts.of(outcome) for outcome in OUTCOMES[len(ACCEPTED) :]]
    return [counts.doses, *accepted, counts.accepted, *rest]


def _harmless(cell: str) -> str:
    return "'" + cell if cell.startswith(FORMULA_STARTS) else cell


def _as_json(result: Report) -> str:
    def entry(counts: Counts) -> dict[str, int]:
        return {**asdict(counts), "accepted": counts.accepted}

    lines = [{"code": line.code, "name": line.name, **entry(line.counts)} for line in result.lines]
    return json.dumps({"by": result.by, "lines": lines, "total": entry(result.total)}, ensure_ascii=False, indent=1)


def _as_html(result: Report, run: Path, language: str) -> str:
    largest = sorted(result.lines, key=lambda line: -line.counts.doses)[:BARS]
    return (
        environment(language)
        .get_template("report.html")
        .render(
            result=result,
            run=run.name,
            outcomes=OUTCOMES,
            largest=largest,
            label=lambda line: label(line, result.by, language),
        )
    )
