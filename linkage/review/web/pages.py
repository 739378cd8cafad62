"""Templates become answers: one environment per language, compiled once, and the digest of what browsers may keep."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import cache
from importlib.resources import files

from jinja2 import Environment
from starlette.responses import HTMLResponse

from linkage.messages import LANGUAGES, say, word
from linkage.reports.pages import environment, localised
from linkage.review.web.facing import sex_in_words
from linkage.review.words import unit_name

__all__ = ["Pages"]


class Pages:
    """All pages in all languages."""

    def __init__(self) -> None:
        static = files("linkage.review.web") / "static"
        digest = hashlib.sha256(b"".join(sorted(file.read_bytes() for file in static.iterdir()))).hexdigest()[:12]
        self._environments = {language: _environment(language, digest) for language in LANGUAGES}

    def render(self, name: str, language: str, status: int = 200, **facts: object) -> HTMLResponse:
        """The page ``templates/<name>.html``.

        Args:
            name: of the template.
            language: ``en`` or ``vi``.
            status: of HTTP.
            facts: what the template shows.
        """
        template = self._environments[language].get_template(f"{name}.html")
        return HTMLResponse(template.render(facts), status)


@cache
def _environment(language: str, digest: str) -> Environment:
    pages = environment(language, "linkage.review.web")
    pages.auto_reload = False
    pages.globals |= {
        "digest": digest,
        "languages": LANGUAGES,
        "has": lambda key, **facts: say(f"web.{key}", language, **facts),
    }
    pages.filters |= _filters(language)
    for name in pages.list_templates():
        pages.get_template(name)
    return pages


def _filters(language: str) -> Mapping[str, Callable[..., str]]:
    return {
        "word": lambda name, kind: word(f"{kind}.{name}", language),
        "unit": unit_name,
        "sex": lambda code: sex_in_words(code, language) or "–",
        "day": lambda day: _day(day, language),
        "moment": lambda at: _moment(at, language),
        "decimal": lambda number, decimals=2: localised(f"{number:.{decimals}f}", language),
    }


def _day(day: date | str | None, language: str) -> str:
    """28/02/2021 or 2021-02-28 of a date, or of the text of one; what is none stays as typed."""
    if day is None:
        return "–"
    try:
        parsed = day if isinstance(day, date) else date.fromisoformat(day[:10])
    except ValueError:
        return str(day)
    return f"{parsed:%d/%m/%Y}" if language == "vi" else parsed.isoformat()


def _moment(at: str, language: str) -> str:
    """Day and minute of an entry, by the clock of this machine."""
    local = datetime.fromisoformat(at).astimezone()
    return f"{_day(local.date(), language)} {local:%H:%M}"
