"""What every offline page shares: the look, the numbers of each language, writing whole or not at all."""

from functools import partial

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

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
    pages.filters["at_most"] = partial(at_most, language=language)
    return pages


def count(number: int, language: str) -> str:
    """1234567 as 1,234,567 or 1.234.567."""
    return localised(f"{number:,}", language)


def percent(share: float | None, language: str) -> str:
    """A share as a percentage; near 0 % and 100 % with two significant digits of the rest."""
    if share is None:
        return "–"
    left = min(share, 1 - share) * 100
    decimals = 1
    while decimals < 5 and 0 < left < 10 ** (1 - decimals):
        decimals += 1
    return localised(f"{share * 100:,.{decimals}f}", language) + "\u00a0%"


def at_most(rate: float, language: str) -> str:
    """A rate that is proven or tolerated as "1 in 2,520", N rounded down to three digits: no more than is shown.

    Args:
        rate: above 0.
        language: ``en`` or ``vi``.
    """
    # 1 / (1 / 2500) may end just below 2500
    whole = int(1 / rate * (1 + 1e-9))
    step = 10 ** max(len(str(whole)) - 3, 0)
    return say("one_in", language, number=count(whole // step * step, language))


def localised(number: str, language: str) -> str:
    """A number as English writes it, with the points and commas of the language."""
    thousands, point = POINTS[language]
    return number.translate({ord(","): thousands, ord("."): point})
