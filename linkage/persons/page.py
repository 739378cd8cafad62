"""One person for human eyes: an offline page, and the same facts as text for the terminal."""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial
from unicodedata import category

from linkage.messages import catalogue, say, word
from linkage.persons.facts import (
    Comparison,
    Conflict,
    DoseFacts,
    GoldenValue,
    HistoryEntry,
    Link,
    Move,
    PersonFacts,
    SubjectFacts,
)
from linkage.reports.pages import count, environment, localised, percent

__all__ = ["history_text", "person_page", "person_text"]


def person_page(facts: PersonFacts, language: str) -> str:
    """An HTML page that needs nothing beside itself.

    Args:
        facts: whatever was typed in them is shown as text, never obeyed.
        language: ``en`` or ``vi``.
    """
    pages = environment(language, "linkage.persons")
    pages.finalize = _shown
    pages.filters["day"] = partial(_day, language=language)
    pages.filters["bits"] = partial(_bits, language=language)
    pages.filters["word"] = lambda name, kind: word(f"person.{kind}.{name}", language)
    pages.filters["words"] = partial(_evidence, language=language)
    pages.filters["source"] = partial(_source, language=language)
    pages.filters["level"] = partial(_level, language=language)
    places = {dose.dose_id: place for place, dose in enumerate(facts.doses_by_day, start=1)}
    return pages.get_template("person.html").render(
        person=facts, places=places, duplicates=sum(dose.primary_dose_id is not None for dose in facts.doses)
    )


def person_text(facts: PersonFacts, language: str) -> str:
    """The same facts for the terminal; what was typed cannot move the cursor, change colours or add lines."""
    sections = {
        "golden": [line for value in facts.golden for line in _golden(value, language)],
        "subjects": [_subject(subject, language) for subject in facts.subjects],
        "doses": [line for dose in facts.doses_by_day for line in _dose(dose, language)],
        "links": [line for link in facts.links for line in _link(link, language)],
        "conflicts": [f"  {_conflict(conflict, language)}" for conflict in facts.conflicts],
    }
    parts = [[*_head(facts, language)]]
    parts += [[say(f"person.{name}", language), *lines] for name, lines in sections.items() if lines]
    told = ["\n".join(map(plain, lines)) for lines in parts]
    return "\n\n".join([*told, history_text(facts.history_by_number, language)])


def history_text(history: Sequence[HistoryEntry], language: str) -> str:
    """The entries of a history for the terminal, in the order given."""
    lines = [say("person.history", language)]
    for entry in history:
        lines.append(f"  {entry.number}  {entry.at}  {_what(entry, language)}  {_who(entry)}")
        lines += [f"      {_move(move, language)}" for move in entry.moves]
        lines += [f"      {text}" for text in (entry.because, entry.evidence) if text.strip(" {}")]
    return "\n".join(map(plain, lines))


def plain(text: str) -> str:
    """Text in which every character shows: line breaks and tabs become spaces, controls of screen and script U+FFFD."""
    return "".join(_seen(letter) for letter in text)


def _seen(letter: str) -> str:
    if letter.isprintable() or category(letter) == "Zs":
        return letter
    return " " if letter.isspace() else "\ufffd"


def _shown(value: object) -> object:
    """What the templates print: text that somebody typed has no invisible characters, markup is our own."""
    return plain(value) if type(value) is str else value


def _head(facts: PersonFacts, language: str) -> Iterator[str]:
    tell = partial(say, language=language)
    yield f"{tell('person.id')} {facts.person_id}"
    if facts.former_ids:
        yield f"  {tell('person.former_ids')}: {', '.join(facts.former_ids)}"
    citizen = facts.citizen
    yield f"  {tell('person.citizen')}: {citizen.citizen_id if citizen else tell('person.no_citizen')}"
    if citizen and citizen.previous_ids:
        yield f"  {tell('person.previous_ids')}: {', '.join(citizen.previous_ids)}"
    if citizen and citizen.deceased_on:
        yield f"  {tell('person.deceased_on')}: {citizen.deceased_on}"


def _golden(golden: GoldenValue, language: str) -> Iterator[str]:
    name = word(f"field.{golden.field}", language)
    if golden.value is not None:
        told = f"{_source(golden.source, language)}, {word(f'person.rule.{golden.rule}', language)}"
        yield f"  {name}: {golden.value}  [{told}]"
    elif golden.losing:
        yield f"  {name}: –"
    for losing in golden.losing:
        facts = [_source(losing.source, language), say("person.typed", language, doses=count(losing.doses, language))]
        facts += [_day(losing.latest, language)] if losing.latest else []
        yield f"    {say('person.losing', language)}: {losing.value}  [{', '.join(facts)}]"


def _subject(subject: SubjectFacts, language: str) -> str:
    doses = say("person.doses_of", language, doses=count(subject.doses, language))
    citizen = f", {say('person.citizen', language)} {subject.citizen_id}" if subject.citizen_id else ""
    return f"  {subject.subject}: {doses}{citizen}, {say('person.base', language)} {subject.base}"


def _dose(dose: DoseFacts, language: str) -> Iterator[str]:
    seen = [_day(dose.day, language), dose.dose_id, dose.vaccine, dose.facility]
    probability = [percent(dose.probability, language)] if dose.probability is not None else []
    told = [word(f"decision.{dose.decision}", language), word(f"outcome.{dose.outcome}", language), *probability]
    yield f"  {'  '.join(text or '–' for text in seen)}  [{', '.join(told)}]"
    if dose.primary_dose_id:
        evidence = f" ({_evidence(dose.evidence, language)})" if dose.evidence else ""
        yield f"    {say('person.duplicate_of', language)} {dose.primary_dose_id}{evidence}"
    for near in dose.too_close:
        yield f"    {say('person.too_close', language, dose_id=near.dose_id, days=near.days)}"


def _link(link: Link, language: str) -> Iterator[str]:
    told = [word(f"person.reason.{link.reason}", language)]
    told += [say("person.entry", language, number=link.entry)] if link.entry is not None else []
    told += [say("person.bits", language, bits=_bits(link.bits, language))] if link.bits is not None else []
    told += [percent(link.probability, language)] if link.probability is not None else []
    yield f"  {link.subject} – {link.other}: {', '.join(told)}"
    for each in link.comparisons:
        yield f"    {_bits(each.bits, language):>7}  {_level(each, language)}"


def _conflict(conflict: Conflict, language: str) -> str:
    return f"{word(f'person.conflict.{conflict.reason}', language)}: {', '.join(conflict.concerns)}"


def _what(entry: HistoryEntry, language: str) -> str:
    what = word(f"person.kind.{entry.kind}", language)
    undone = f" ({say('person.undoes', language, number=entry.undoes)})" if entry.undoes is not None else ""
    return what + undone


def _who(entry: HistoryEntry) -> str:
    return f"{entry.actor}, {entry.model}" if entry.model else entry.actor


def _move(move: Move, language: str) -> str:
    return f"{move.subject}: {move.before or say('person.new', language)} → {move.after}"


def _day(day: date | None, language: str) -> str:
    if day is None:
        return "–"
    return f"{day:%d/%m/%Y}" if language == "vi" else day.isoformat()


def _bits(bits: float, language: str) -> str:
    return localised(f"{bits:+.1f}", language)


def _source(source: str | None, language: str) -> str:
    if source is None:
        return "–"
    return say("person.registry", language) if source == "registry" else say("person.dose", language, dose_id=source)


def _evidence(words: str, language: str) -> str:
    """Code words, ``days_apart:1;same_vaccine``, as a sentence's parts."""
    parts = (part.partition(":") for part in words.split(";") if part)
    return ", ".join(
        say("person.evidence.days_apart", language, days=fact)
        if name == "days_apart"
        else word(f"person.evidence.{name}", language)
        for name, _, fact in parts
    )


def _level(comparison: Comparison, language: str) -> str:
    name, key = word(f"comparison.{comparison.name}", language), f"level.{comparison.name}.{comparison.level}"
    if comparison.level == "missing":
        return say("level.missing", language, comparison=name)
    return word(key, language) if key in catalogue() else f"{name}: {word(key, language)}"
