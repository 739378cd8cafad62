"""``linkage train --suggest``: which doses to label next."""

import argparse
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from linkage.cli.flags import Flag, Result, natural
from linkage.errors import UserError
from linkage.messages import say, word
from linkage.reports.pages import count
from training.suggest import Suggested, suggest

INPUTS = (
    Flag("--doses"),
    Flag("--citizens"),
    Flag("--labels"),
    Flag("--suggest", {"type": natural, "metavar": "N"}),
    Flag("--run", {"type": Path, "dest": "run_folder", "metavar": "RUN"}),
)
"""Which of them are needed depends on what ``linkage train`` is asked to do."""

NUMBERS = ("drawn", "doses", "rows", "least_weight", "largest_weight")


def check_inputs(flags: argparse.Namespace) -> None:
    """Refuse what lacks an input.

    Raises:
        UserError: flags are missing: to train, or to suggest.
    """
    given = {"--doses": flags.doses, "--citizens": flags.citizens, "--labels": flags.labels}
    wanted = {"--suggest": flags.suggest, "--run": flags.run_folder} if flags.suggest or flags.run_folder else given
    missing = [name for name, value in wanted.items() if not value]
    if missing:
        raise UserError("cli.missing", command="linkage train", flag=", ".join(missing))


def suggest_doses(flags: argparse.Namespace) -> Result:
    """Draw ``flags.suggest`` doses of the run and write the review file."""
    found = suggest(flags.run_folder, flags.suggest, flags.out, seed=flags.seed, language=flags.lang, force=flags.force)
    return Result(_as_text(found, flags.out, flags.lang), asdict(found))


def _as_text(found: Suggested, out: Path, language: str) -> str:
    lines = [f"{'':<52}{say('suggest.doses', language):>14}{say('suggest.drawn', language):>14}"]
    for (decision, evidence), cells in groupby(found.cells, key=lambda cell: (cell.decision, cell.evidence)):
        stratum = word(f"stratum.{evidence}", language) if evidence else say("suggest.without_candidate", language)
        name = f"{say(f'decision.{decision}', language)}, {stratum}"
        doses, drawn = (sum(numbers) for numbers in zip(*((cell.doses, cell.drawn) for cell in cells), strict=True))
        lines.append(f"{name:<52}{count(doses, language):>14}{count(drawn, language):>14}")
    numbers = {name: count(round(getattr(found, name)), language) for name in NUMBERS}
    return "\n".join([*lines, say("suggest.done", language, out=out, **numbers)])
