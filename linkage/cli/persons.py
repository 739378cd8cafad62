"""The commands of persons: build them from a run, show one, merge and part by hand, verify the ledger."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from linkage.cli.flags import DEFAULT_MEMORY, FORCE, OUT, Command, Flag, Group, Result, natural, threads
from linkage.cli.stores import BY, STORE, actor, opened, text
from linkage.errors import UserError
from linkage.messages import say, word
from linkage.persons.build import PersonsJob, build_persons
from linkage.persons.by_hand import merge, unmerge
from linkage.persons.facts import PersonFacts
from linkage.persons.page import history_text, person_page, person_text
from linkage.persons.showing import history_of, person_facts
from linkage.progress import Terminal
from linkage.reports.pages import count
from linkage.tables import refuse_to_overwrite, whole

__all__ = ["PERSONS"]


BECAUSE = Flag("--because", {"required": True, "type": text, "metavar": "TEXT"})
PERSON = Flag("person", {"type": text, "metavar": "ID"})
PROBLEMS_SHOWN = 5
COUNTS = ("doses", "subjects", "persons", "persons_of_several_subjects", "persons_with_citizen", "duplicates")


def _build(flags: argparse.Namespace) -> Result:
    job = PersonsJob(
        run=flags.run_folder,
        out=flags.out,
        actor=actor(flags),
        threads=flags.threads,
        memory=flags.memory,
        golden=flags.golden,
        force=flags.force,
    )
    with opened(flags, create=True) as store:
        manifest = build_persons(job, store, progress=Terminal(flags.lang))
    lines = [f"{say(f'persons.{name}', flags.lang):<44}{count(manifest[name], flags.lang):>14}" for name in COUNTS]
    conflicts = manifest["conflicts"]
    lines += [f"{say('persons.conflicts', flags.lang):<44}{count(sum(conflicts.values()), flags.lang):>14}"]
    lines += [
        f"  {word(f'person.conflict.{reason}', flags.lang)}: {count(rows, flags.lang)}"
        for reason, rows in sorted(conflicts.items())
    ]
    return Result(
        "\n".join([*lines, say("persons.built", flags.lang, out=flags.out, entry=manifest["entry"])]), manifest
    )


def _show(flags: argparse.Namespace) -> Result:
    if flags.page:
        refuse_to_overwrite(flags.page, force=flags.force)
    with opened(flags) as store:
        facts = person_facts(store, flags.person, flags.run_folder)
    if not flags.page:
        return Result(person_text(facts, flags.lang), _plain(facts))
    with whole(flags.page) as part:
        part.write_text(person_page(facts, flags.lang), encoding="utf-8")
    return Result(say("persons.page", flags.lang, page=flags.page), _plain(facts))


def _plain(facts: PersonFacts) -> dict[str, Any]:
    """As JSON holds it: days as ISO text."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(facts), default=str))
    return plain


def _history(flags: argparse.Namespace) -> Result:
    with opened(flags) as store:
        history = history_of(store, flags.person)
    return Result(history_text(history, flags.lang), {"history": [asdict(entry) for entry in history]})


def _merge(flags: argparse.Namespace) -> Result:
    with opened(flags) as store:
        done = merge(store, flags.a, flags.b, because=flags.because, actor=actor(flags), citizen=flags.citizen)
    facts = {"person": done.person_id, "ids": ", ".join(done.redirected), "entry": done.entry}
    lines = [say("persons.merged", flags.lang, subjects=count(len(done.subjects), flags.lang), **facts)]
    if done.lifted:
        lines.append(say("persons.lifted", flags.lang, entries=", ".join(map(str, done.lifted))))
    return Result("\n".join(lines), asdict(done))


def _unmerge(flags: argparse.Namespace) -> Result:
    with opened(flags) as store:
        done = unmerge(
            store,
            flags.person,
            subjects=flags.subject or (),
            because=flags.because,
            actor=actor(flags),
            entry=flags.entry,
        )
    facts = {"person": done.person_id, "ids": ", ".join(done.living), "entry": done.entry}
    lines = [say("persons.unmerged", flags.lang, subjects=count(len(done.subjects), flags.lang), **facts)]
    for key, entries in (("persons.taken_back", done.lifted), ("persons.along", done.along)):
        if entries:
            lines.append(say(key, flags.lang, entries=", ".join(map(str, entries))))
    return Result("\n".join(lines), asdict(done))


def _verify(flags: argparse.Namespace) -> Result:
    with opened(flags) as store:
        problems = store.verify(flags.head)
        state_only = {problem.kind for problem in problems} == {"state"}
        if flags.rebuild and state_only:
            # never from a ledger that is not what was written
            store.rebuild()
            problems = store.verify(flags.head)
        with store.reading() as reader:
            head = reader.head()
    if problems:
        told = " ".join(problem.in_language(flags.lang) for problem in problems[:PROBLEMS_SHOWN])
        raise UserError(
            "persons.state_differs" if state_only else "persons.tampered", problems=told, count=len(problems)
        )
    facts = {"entries": head.number, "head": head.hash}
    return Result(say("persons.verified", flags.lang, **facts), facts)


PERSONS = Group(
    "persons",
    (
        Command(
            "build",
            (
                Flag("--run", {"required": True, "type": Path, "dest": "run_folder", "metavar": "RUN"}),
                OUT,
                STORE,
                BY,
                Flag("--golden", {"type": Path, "metavar": "FILE"}),
                Flag("--threads", {"type": natural, "default": threads(), "metavar": "N"}),
                Flag("--memory", {"default": DEFAULT_MEMORY}),
                FORCE,
            ),
            _build,
        ),
        Command(
            "show",
            (
                PERSON,
                STORE,
                Flag("--run", {"type": Path, "dest": "run_folder", "metavar": "RUN"}),
                Flag("--page", {"type": Path, "metavar": "FILE"}),
                FORCE,
            ),
            _show,
        ),
        Command("history", (PERSON, STORE), _history),
        Command(
            "merge",
            (
                Flag("a", {"type": text, "metavar": "A"}),
                Flag("b", {"type": text, "metavar": "B"}),
                BECAUSE,
                BY,
                Flag("--citizen", {"type": text, "metavar": "ID"}),
                STORE,
            ),
            _merge,
        ),
        Command(
            "unmerge",
            (
                PERSON,
                Flag("--subject", {"action": "append", "type": text, "metavar": "SUBJECT"}),
                Flag("--entry", {"type": natural, "metavar": "N"}),
                BECAUSE,
                BY,
                STORE,
            ),
            _unmerge,
        ),
        Command(
            "verify", (STORE, Flag("--head", {"metavar": "HASH"}), Flag("--rebuild", {"action": "store_true"})), _verify
        ),
    ),
)
