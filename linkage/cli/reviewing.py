"""What the commands of clerical review say: what an import would change, and how far the queue is."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from linkage.cli.flags import Result
from linkage.messages import say
from linkage.reports.pages import count, localised, percent
from linkage.reports.reading import read_manifest
from linkage.review import desk
from linkage.review.quality import accuracy, agreement
from linkage.review.sampling import sampled_units, verdict
from linkage.review.sheet_reading import Staged
from linkage.review.views import Applied
from linkage.review.web.tally import by_day, forecast, readings, total
from linkage.review.words import outcome, unit_name
from linkage.store import Store

SHOWN = 50
"""Rows that are named one by one; ``--json`` has all."""

UNITS_SHOWN = 20
DAYS = 7


def imported(staged: Staged, done: Applied, language: str, *, dry_run: bool) -> Result:
    """What files said, what became of it, and every row that could not be used."""
    where = {row.case_id: row for row in staged.rows}
    refused = [(where[case_id], reason) for case_id, reason in done.refused]
    outcomes: dict[str, int] = {}
    for case_id in done.applied:
        said = where[case_id].answer.outcome
        outcomes[said] = outcomes.get(said, 0) + 1
    facts = {
        "applied": len(done.applied),
        "unchanged": len(done.unchanged),
        "refused": len(refused),
        "unusable": len(staged.unusable),
        "undecided": staged.undecided,
        "missing": sum(len(missing.cases) for missing in staged.missing),
    }
    key = "review.would_import" if dry_run else "review.imported"
    lines = [say(key, language, **{name: count(number, language) for name, number in facts.items()})]
    lines += [f"  {outcome(name, language)}: {count(outcomes[name], language)}" for name in sorted(outcomes)]  # type: ignore[arg-type]
    problems = [each.in_language(language) for each in staged.unusable]
    problems += [
        say("review_sheet.unusable", language, file=row.file, row=row.row, reason=say(reason, language))
        for row, reason in refused
    ]
    notices = [each.in_language(language) for each in staged.missing]
    notices += [each.in_language(language) for each in staged.notices]
    lines += [*problems[:SHOWN], *_more(problems, language), *notices]
    if done.entry is not None:
        lines.append(say("review.in_ledger", language, entry=done.entry))
    data = facts | {"outcomes": outcomes, "entry": done.entry, "problems": problems, "notices": notices}
    return Result("\n".join(lines), data)


def _more(problems: list[str], language: str) -> Iterable[str]:
    if len(problems) > SHOWN:
        yield say("review.more", language, rows=count(len(problems) - SHOWN, language))


def status_of(store: Store, run: Path | None) -> dict[str, Any]:
    """The queue, its readers and batches as plain data; with a run also what it would decide otherwise than humans."""
    units, rows = desk.progress(store), desk.throughput(store, DAYS)
    today = store.now().date()
    summed = total(units)
    found: dict[str, Any] = {
        "cases": asdict(summed),
        "forecast": asdict(forecast(summed.open, by_day(rows, today, DAYS))),
        "units": [asdict(each) for each in sorted(units, key=lambda each: (-each.open, each.unit))],
        "agreement": asdict(agreement(store).overall),
        "readers": [asdict(each) for each in readings(rows, today, agreement(store), accuracy(store))],
        "batches": [asdict(verdict(store, unit)) for unit in sampled_units(store)],
    }
    if run is not None:
        found["answers"] = read_manifest(run).get("answers")
    return found


def as_lines(found: Mapping[str, Any], language: str) -> str:
    """What a person reads of :func:`status_of`."""

    def row(key: str, value: str) -> str:
        return f"{say(f'review.status.{key}', language):<44}{value:>14}"

    cases, rate = found["cases"], found["forecast"]
    lines = [row(name, count(cases[name], language)) for name in ("open", "doses_open", "disputed", "settled")]
    lines.append(row("oldest", cases["oldest"] or "–"))
    lines.append(row("per_day", localised(f"{rate['per_day']:,.0f}", language)))
    lines.append(row("days", "–" if rate["days"] is None else count(rate["days"], language)))
    kappa = found["agreement"]
    if kappa["value"] is not None:
        interval = localised(f"{kappa['value']:.3f} ({kappa['low']:.3f} – {kappa['high']:.3f})", language)
        lines.append(f"{say('review.status.kappa', language)}: {interval}, {count(kappa['pairs'], language)}")
    for each in found["readers"]:
        right = each["accuracy"]
        known = f"{percent(right['value'], language)}" if right and right["value"] is not None else "–"
        lines.append(
            say("review.status.reader", language, name=each["name"], cases=count(each["cases"], language), known=known)
        )
    for each in found["batches"]:
        told = say(f"review.verdict.{each['decided']}", language)
        facts = {"unit": unit_name(each["unit"]), "read": each["read"], "errors": each["errors"], "verdict": told}
        lines.append(say("review.status.batch", language, sample=each["plan"]["sample"], **facts))
    lines += [
        f"  {unit_name(each['unit']) or '–':<34}{each['reviewer'] or '':<16}{count(each['open'], language):>10}"
        for each in found["units"][:UNITS_SHOWN]
        if each["open"]
    ]
    answers = found.get("answers")
    if answers:
        lines.append(say("review.status.contradictions", language, doses=sum(answers["contradictions"].values())))
        lines += [
            f"  {say(f'explain.contradiction.{reason}', language)}: {count(doses, language)}"
            for reason, doses in sorted(answers["contradictions"].items())
        ]
    return "\n".join(lines)
