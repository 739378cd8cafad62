"""What was measured of persons, as JSON and as a page of Markdown."""

import json
from collections.abc import Mapping
from pathlib import Path

from evaluation.intervals import Share
from evaluation.persons import DuplicateFigures, PersonFigures, PersonsEvaluation, measure_persons
from linkage.messages import say
from linkage.reports.pages import count, percent
from linkage.tables import refuse_to_overwrite, whole

__all__ = ["as_markdown", "evaluate_persons"]

FILES = frozenset({"persons.json", "persons.md"})


def evaluate_persons(
    persons: Path,
    run: Path,
    truth: str,
    out: Path,
    *,
    columns: Mapping[str, str] | None = None,
    language: str = "en",
    force: bool = False,
) -> PersonsEvaluation:
    """Measure as `measure_persons` does, and write ``persons.json`` and ``persons.md`` to ``out``.

    Args:
        persons: the folder that ``linkage persons build`` wrote.
        run: the folder of the run it was built of.
        truth: the truth table.
        out: appears whole or not at all.
        columns: the truth table's header → our column, before the known headers.
        language: ``en`` or ``vi``, of the text; the JSON is the same in both.
        force: replace ``out``, unless it holds other files.

    Raises:
        UserError: as `measure_persons`, or ``out`` exists or cannot be written.
    """
    refuse_to_overwrite(out, force=force, ours=FILES)
    result = measure_persons(persons, run, truth, columns)
    with whole(out) as part:
        part.mkdir()
        text = json.dumps(result.as_dict(), ensure_ascii=False, indent=1)
        (part / "persons.json").write_text(text, encoding="utf-8")
        (part / "persons.md").write_text(as_markdown(result, language), encoding="utf-8")
    return result


def as_markdown(result: PersonsEvaluation, language: str) -> str:
    """The figures as a page of Markdown: a table of persons by part, one of duplicates, and what no figure holds."""

    def words(name: str, **facts: object) -> str:
        return say(f"persons_evaluation.{name}", language, **facts)

    def row(*cells: str) -> str:
        return f"| {' | '.join(cells)} |"

    figures = {
        name: [_cell(getattr(part, name), language) for part in result.parts.values()]
        for name in PersonFigures.__dataclass_fields__
    }
    linked = result.duplicates
    outside = {name: getattr(result, name) for name in ("labelled_excluded", "unknown", "truth_only", "without_person")}
    return "\n".join(
        [
            f"# {words('title')}",
            "",
            words("subtitle", doses=count(result.doses, language), conflicts=count(result.conflicts, language)),
            "",
            row("", *(words(name) for name in result.parts)),
            row("---", *("---:" for _ in result.parts)),
            *(row(words(name), *cells) for name, cells in figures.items()),
            "",
            row(words("duplicates"), ""),
            row("---", "---:"),
            *(
                row(words(f"duplicate_{name}"), _cell(getattr(linked, name), language))
                for name in DuplicateFigures.__dataclass_fields__
            ),
            "",
            *(words(name, doses=count(doses, language)) for name, doses in outside.items() if doses),
            "",
        ]
    )


def _cell(figure: Share | int | None, language: str) -> str:
    if figure is None:
        return "–"
    if isinstance(figure, int):
        return count(figure, language)
    of = say("evaluation_of", language, part=count(figure.count, language), all=count(figure.total, language))
    if figure.value is None:
        return "–"
    value, low, high = (percent(each, language) for each in (figure.value, figure.low, figure.high))
    return f"{value} ({low} – {high}; {of})"
