"""What every offline page shares: the look, the numbers of each language, writing whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shutil import rmtree
from uuid import uuid4

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from linkage.errors import UserError
from linkage.messages import say

POINTS = {"en": (",", "."), "vi": (".", ",")}


def environment(language: str, *packages: str) -> Environment:
    """Templates of ``packages`` and of this room, escaped, with the words and numbers of ``language``."""
    loaders = [PackageLoader(package) for package in (*packages, "linkage.reports")]
    pages = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.globals["language"] = language
    pages.globals["say"] = lambda key, **facts: say(key, language, **facts)
    pages.filters["count"] = partial(count, language=language)
    pages.filters["percent"] = partial(percent, language=language)
    return pages


def count(number: int, language: str) -> str:
    """1234567 as 1,234,567 or 1.234.567."""
    return _localised(f"{number:,}", language)


def percent(share: float | None, language: str) -> str:
    """A share as a percentage; near 0 % and 100 % with two significant digits of the rest."""
    if share is None:
        return "–"
    left = min(share, 1 - share) * 100
    decimals = 1
    while decimals < 5 and 0 < left < 10 ** (1 - decimals):
        decimals += 1
    return _localised(f"{share * 100:,.{decimals}f}", language) + "\u00a0%"


def _localised(number: str, language: str) -> str:
    thousands, point = POINTS[language]
    return number.translate({ord(","): thousands, ord("."): point})


def refuse_to_overwrite(out: Path, *, force: bool, ours: frozenset[str] = frozenset()) -> None:
    """Check that ``out`` may be written; a folder is only ever replaced when it holds nothing but ``ours``.

    Raises:
        UserError: ``out`` exists and ``force`` is not set, or it is a folder with other files in it.
    """
    if (out.exists() or out.is_symlink()) and not force:
        raise UserError("report_exists", out=out)
    others = sorted(path.name for path in out.iterdir() if path.name not in ours) if out.is_dir() else []
    if others:
        raise UserError("report_folder_in_use", out=out, name=others[0])


@contextmanager
def whole(out: Path) -> Iterator[Path]:
    """A temporary sibling of ``out`` to write to; it takes the place of ``out`` when the block ends well.

    Raises:
        UserError: it cannot be written.
    """
    part = out.absolute().with_name(f".{out.name}.{uuid4().hex}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        yield part
        if out.is_dir() and not out.is_symlink():
            old = part.with_suffix(".old")
            out.rename(old)
            part.rename(out)
            rmtree(old)
        else:
            part.replace(out)
    except OSError as error:
        raise UserError("report_unwritable", out=out, problem=error.strerror or error) from error
    finally:
        if part.is_dir():
            rmtree(part, ignore_errors=True)
        elif part.exists():
            part.unlink()
