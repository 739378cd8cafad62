"""The commands of clerical review: queue a run, hand cases out, take answers back, serve the page, keep accounts."""

import argparse
import getpass
import hashlib
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linkage.cli.flags import FORCE, Command, Flag, Group, Result, natural
from linkage.cli.stores import STORE, actor, opened, text
from linkage.errors import UserError
from linkage.messages import say
from linkage.progress import Terminal
from linkage.reports.pages import count
from linkage.reports.reading import read_manifest, run_digest
from linkage.review import desk
from linkage.review.accounts import ROLES, Account, account, accounts, set_account
from linkage.review.answered import write_answered
from linkage.review.handing_out import FORMATS, hand_out
from linkage.review.queue import QueueSettings, queue_run
from linkage.review.sheet import MOST_CASES
from linkage.store import Store

if TYPE_CHECKING:
    from linkage.review.sheet_reading import ReadFile

__all__ = ["REVIEW"]

ENDINGS = (".xlsx", ".ods", ".csv")
RUN = Flag("--run", {"type": Path, "dest": "run_folder", "metavar": "RUN"})
ACTOR = Flag("--actor", {"type": text, "dest": "by", "metavar": "NAME"})


def share(value: str) -> float:
    """A number from 0 to 1."""
    number = float(value)
    if not 0 <= number <= 1:
        raise ValueError
    return number


def _queue(flags: argparse.Namespace) -> Result:
    settings = QueueSettings(double=flags.double, hidden=flags.hidden, known=flags.known, by=flags.units)
    with opened(flags, create=True) as store:
        done = _queued(store, flags, settings)
    return Result(say("review.queued", flags.lang, **_counted(done, flags.lang)), done)


def _queued(store: Store, flags: argparse.Namespace, settings: QueueSettings) -> dict[str, Any]:
    return queue_run(store, flags.run_folder, settings, actor(flags), progress=Terminal(flags.lang))


def _queue_if_new(store: Store, flags: argparse.Namespace) -> None:
    """Queue ``--run`` with the usual settings, unless it is what was queued last: nobody waits for that again."""
    if flags.run_folder is None:
        return
    with store.reading() as reader:
        last = reader.last("queue")
    if last is None or last.run != run_digest(read_manifest(flags.run_folder)):
        _queued(store, flags, QueueSettings())


def _counted(facts: Mapping[str, Any], language: str) -> dict[str, Any]:
    return {name: count(fact, language) if isinstance(fact, int) else fact for name, fact in facts.items()}


def _export(flags: argparse.Namespace) -> Result:
    if flags.labels:
        return _labels(flags)
    if flags.answers:
        with opened(flags) as store:
            rows = write_answered(store, flags.out, force=flags.force)
        return Result(
            say("review.answers_written", flags.lang, rows=count(rows, flags.lang), out=flags.out), {"rows": rows}
        )
    with opened(flags, create=flags.run_folder is not None) as store:
        _queue_if_new(store, flags)
        done = hand_out(
            store,
            flags.out,
            actor=actor(flags),
            language=flags.lang,
            by=flags.units,
            kind=flags.format,
            only=tuple(flags.only or ()),
            most=flags.most,
            force=flags.force,
            progress=Terminal(flags.lang),
        )
    if not done.cases:
        raise UserError("review.nothing_to_hand_out")
    facts = {"cases": done.cases, "files": [str(file) for file in done.files]}
    told = {"cases": count(done.cases, flags.lang), "files": count(len(done.files), flags.lang), "out": flags.out}
    return Result(say("review.exported", flags.lang, **told), facts)


def _labels(flags: argparse.Namespace) -> Result:
    from linkage.review.labels import labels  # noqa: PLC0415 - what only this command needs takes long to load

    if flags.run_folder is None:
        raise UserError("review.labels_need_run")
    with opened(flags) as store:
        done = labels(store, flags.run_folder, out=flags.out, base=flags.base, force=flags.force)
    told = {"rows": count(done.rows, flags.lang), "doses": count(done.gained, flags.lang), "out": flags.out}
    notices = [say(key, flags.lang, **_counted(facts, flags.lang)) for key, facts in done.notices]
    lines = [say("review.labels_written", flags.lang, **told), *notices]
    return Result("\n".join(lines), {"rows": done.rows, "doses": done.gained, "weight": done.weight})


def _import(flags: argparse.Namespace) -> Result:
    from linkage.cli.reviewing import imported  # noqa: PLC0415 - what only this command needs takes long to load
    from linkage.review.sheet_reading import read_answers  # noqa: PLC0415 - what only this command needs takes long to load

    files = [file for path in flags.files for file in _files(path)]
    staged = read_answers(files)
    with opened(flags) as store:
        reader = _reader(store, flags, staged.files)
        rows = [(row.case_id, row.answer) for row in staged.rows]
        if flags.dry_run:
            done = desk.stage_many(store, reader, rows)
        else:
            digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
            done = desk.answer_many(store, reader, rows, {"files": digests, "brought_by": actor(flags)})
    return imported(staged, done, flags.lang, dry_run=flags.dry_run)


def _files(path: Path) -> list[Path]:
    """The spreadsheets and tables of a folder, or the file itself; what an office program has open is none."""
    if not path.is_dir():
        return [path]
    found = [file for file in sorted(path.iterdir()) if file.suffix.lower() in ENDINGS and file.name[0] not in ".~"]
    if not found:
        raise UserError("review.nothing_to_import", path=path, endings=", ".join(ENDINGS))
    return found


def _reader(store: Store, flags: argparse.Namespace, files: "Sequence[ReadFile]") -> Account:
    """Whose answers files hold: who ``--reviewer`` names, else who is named in them or they were dealt to."""
    dealt = {file.control.unit for file in files if file.control and file.control.by == "reviewer"}
    written = {file.reviewer for file in files if file.reviewer} or dealt
    if flags.reviewer and written - {flags.reviewer}:
        # else somebody could be made a second reader of what they said themselves
        raise UserError("review.other_reader", names=", ".join(sorted(written)), name=flags.reviewer)
    names = {flags.reviewer} if flags.reviewer else written
    if len(names) != 1:
        raise UserError("review.whose" if not names else "review.of_several", names=", ".join(sorted(names)))
    [name] = names
    found = account(store, name)
    if found is None or not found.active:
        raise UserError("review.no_account", name=name)
    return found


def _status(flags: argparse.Namespace) -> Result:
    from linkage.cli.reviewing import as_lines, status_of  # noqa: PLC0415 - what only this command needs takes long to load

    with opened(flags) as store:
        found = status_of(store, flags.run_folder)
    return Result(as_lines(found, flags.lang), found)


def _serve(flags: argparse.Namespace) -> Result:
    from linkage.review.web.serving import serve  # noqa: PLC0415 - what only this command needs takes long to load

    with opened(flags, create=flags.run_folder is not None) as store:
        _queue_if_new(store, flags)
        if not any(each.active for each in accounts(store)):
            raise UserError("review.no_accounts")
    _check_port(flags.host, flags.port)
    sys.stderr.write(say("review.serving", flags.lang, host=flags.host, port=flags.port) + "\n")
    serve(flags.store, flags.host, flags.port, flags.workers, language=flags.lang, https=flags.https)
    return Result("", {})


def _check_port(host: str, port: int) -> None:
    """Several processes would each find out by themselves that they cannot listen, and start again and again."""
    try:
        with socket.create_server((host, port)):
            pass
    except (OSError, OverflowError) as error:
        raise UserError("review.cannot_listen", host=host, port=port) from error


def _account(flags: argparse.Namespace) -> Result:
    with opened(flags, create=True) as store:
        if flags.name is not None:
            known = account(store, flags.name) or Account(flags.name, "reviewer", language=flags.lang)
            said = {
                "role": flags.role,
                "units": flags.units and tuple(flags.units.replace(" ", "").split(",")),
                "capacity": flags.capacity,
            }
            changed = replace(known, **{name: value for name, value in said.items() if value is not None})
            changed = replace(changed, active=(known.active or flags.enable) and not flags.disable)
            set_account(store, changed, _password(flags), actor=actor(flags))
        everybody = accounts(store)
    lines = [
        f"{each.name:<24}{say(f'review.role.{each.role}', flags.lang):<16}{count(each.capacity, flags.lang):>8}  "
        + (", ".join(each.units) or "–")
        + ("" if each.active else f"  ({say('review.disabled', flags.lang)})")
        for each in everybody
    ]
    return Result("\n".join(lines), {"accounts": [asdict(each) for each in everybody]})


def _password(flags: argparse.Namespace) -> str | None:
    """Asked for on a terminal, else the first line of the input: others on the machine can see what flags hold."""
    if not flags.password:
        return None
    if sys.stdin.isatty():
        return getpass.getpass(say("review.password", flags.lang))
    return sys.stdin.readline().rstrip("\r\n")


def _sample(flags: argparse.Namespace) -> Result:
    from linkage.review.sampling import draw_sample  # noqa: PLC0415 - what only this command needs takes long to load

    with opened(flags) as store:
        found = draw_sample(store, flags.unit, actor(flags))
    told = {"unit": flags.unit, "size": found.size, "sample": found.plan.sample, "most": found.plan.most_errors}
    return Result(say("review.sampled", flags.lang, **_counted(told, flags.lang)), asdict(found))


def _by(*choices: str) -> Flag:
    return Flag("--by", {"choices": choices, "default": "commune", "dest": "units"})


REVIEW = Group(
    "review",
    (
        Command(
            "queue",
            (
                Flag("--run", {**RUN.options, "required": True}),
                _by("commune", "facility", "reviewer"),
                Flag("--double", {"type": share, "default": QueueSettings().double, "metavar": "SHARE"}),
                Flag("--known", {"type": Path, "metavar": "LABELS"}),
                Flag("--hidden", {"type": share, "default": QueueSettings().hidden, "metavar": "SHARE"}),
                STORE,
                ACTOR,
            ),
            _queue,
        ),
        Command(
            "export",
            (
                RUN,
                Flag("--out", {"required": True, "type": Path, "metavar": "FOLDER"}),
                _by("commune", "reviewer"),
                Flag("--only", {"action": "append", "type": text, "metavar": "UNIT"}),
                Flag("--format", {"choices": FORMATS, "default": "xlsx"}),
                Flag("--most", {"type": natural, "default": MOST_CASES, "metavar": "N"}),
                Flag("--labels", {"action": "store_true"}),
                Flag("--answers", {"action": "store_true"}),
                Flag("--base", {"type": str, "metavar": "LABELS"}),
                STORE,
                ACTOR,
                FORCE,
            ),
            _export,
        ),
        Command(
            "import",
            (
                Flag("files", {"nargs": "+", "type": Path, "metavar": "FILE"}),
                Flag("--reviewer", {"type": text, "metavar": "NAME"}),
                Flag("--dry-run", {"action": "store_true"}),
                STORE,
                ACTOR,
            ),
            _import,
        ),
        Command("status", (RUN, STORE), _status),
        Command(
            "serve",
            (
                RUN,
                Flag("--host", {"default": "127.0.0.1"}),
                Flag("--port", {"type": natural, "default": 8000, "metavar": "PORT"}),
                Flag("--workers", {"type": natural, "default": 1, "metavar": "N"}),
                Flag("--https", {"action": "store_true"}),
                STORE,
                ACTOR,
            ),
            _serve,
        ),
        Command(
            "account",
            (
                Flag("name", {"nargs": "?", "type": text, "metavar": "NAME"}),
                Flag("--role", {"choices": ROLES}),
                Flag("--units", {"type": text, "metavar": "CODES"}),
                Flag("--capacity", {"type": natural, "metavar": "N"}),
                Flag("--password", {"action": "store_true"}),
                Flag("--disable", {"action": "store_true"}),
                Flag("--enable", {"action": "store_true"}),
                STORE,
                ACTOR,
            ),
            _account,
        ),
        Command("sample", (Flag("unit", {"type": text, "metavar": "UNIT"}), STORE, ACTOR), _sample),
    ),
)
