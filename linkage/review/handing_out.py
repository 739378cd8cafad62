"""Open cases leave the house: a file for each unit or reviewer, split at what a person can hold."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from re import fullmatch
from typing import Literal, get_args

from linkage.progress import Progress, silent
from linkage.review import desk
from linkage.review.overview import with_open
from linkage.review.sheet import MOST_CASES, file_name, write_sheet
from linkage.review.signing import signing_page
from linkage.review.table import write_table
from linkage.review.views import View
from linkage.review.words import unit_name
from linkage.store import Store
from linkage.tables import refuse_to_overwrite, whole

__all__ = ["FORMATS", "HandedOut", "hand_out"]

By = Literal["commune", "reviewer"]
Format = Literal["xlsx", "csv", "page"]
FORMATS: tuple[Format, ...] = get_args(Format)
_ENDING: Mapping[Format, str] = {"xlsx": "xlsx", "csv": "csv", "page": "html"}


@dataclass(frozen=True, slots=True)
class HandedOut:
    """The files that were written, and the cases in them."""

    files: tuple[Path, ...]
    cases: int


def hand_out(
    store: Store,
    folder: Path,
    *,
    actor: str,
    language: str,
    by: By = "commune",
    kind: Format = "xlsx",
    only: tuple[str, ...] = (),
    most: int = MOST_CASES,
    force: bool = False,
    progress: Progress = silent,
) -> HandedOut:
    """Write the open cases, those worth most first; the ledger says who took which out of the house.

    Args:
        store: holds the queue.
        folder: where the files go; it is made.
        actor: who takes them.
        language: ``en`` or ``vi``.
        by: a file for each commune (facility, where the queue was made so), or for each reviewer they were dealt to.
        kind: a workbook, a table for machines, or a page to print.
        only: these units or reviewers alone.
        most: cases of a file.
        force: replace files that are there.
        progress: told after each unit.

    Raises:
        UserError: a file exists or cannot be written.
    """
    _refuse(folder, kind, force=force)
    names = with_open(store, "unit" if by == "commune" else "reviewer", only)
    files: list[Path] = []
    cases = 0
    for done, name in enumerate(names):
        progress("hand out", done, len(names))
        views = desk.cases_of(store, unit=name) if by == "commune" else desk.cases_of(store, reviewer=name)
        for part, some in enumerate(_parts(views, most), start=1):
            path = folder / file_name(by, name, part, _ENDING[kind])
            _write(kind, path, some, language=language, by=by, unit=name, part=part)
            desk.record_views(store, actor, [view.case_id for view in some], {"file": path.name})
            files.append(path)
            cases += len(some)
    progress("hand out", len(names), len(names))
    return HandedOut(tuple(files), cases)


def _refuse(folder: Path, kind: Format, *, force: bool) -> None:
    """Files that went out before and are not part of this are taken away, other files of people never."""
    ours = frozenset(
        path.name
        for path in (folder.iterdir() if folder.is_dir() else ())
        if fullmatch(rf"(commune|reviewer)_[a-z0-9-]*_[0-9]+\.{_ENDING[kind]}", path.name)
    )
    # a name that no file has says that it is a folder
    refuse_to_overwrite(folder, force=force, ours=ours | {"."})
    for name in ours:
        (folder / name).unlink()


def _parts(views: Iterator[View], most: int) -> Iterator[list[View]]:
    while some := list(islice(views, most)):
        yield some


def _write(kind: Format, path: Path, views: list[View], *, language: str, by: By, unit: str, part: int) -> None:
    title = unit_name(unit) if by == "commune" else unit
    match kind:
        case "xlsx":
            write_sheet(views, path, language=language, by=by, unit=unit, title=title, part=part)
        case "csv":
            write_table(views, path)
        case "page":
            with whole(path) as target:
                target.write_text(signing_page(views, language, unit=title), encoding="utf-8")
