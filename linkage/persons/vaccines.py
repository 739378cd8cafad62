"""Vaccines: what a cell calls them, and which days between two entries mean what (vaccines.toml)."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jellyfish import damerau_levenshtein_distance

from linkage.vietnamese.text import compose, without_marks

__all__ = ["Vaccine", "Vaccines", "read_vaccines"]

LONGEST = 60
"""Characters of a cell that can still be the name of a vaccine."""

_NO_WORD = re.compile("[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Vaccine:
    """One vaccine; all figures are days, as vaccines.toml says."""

    code: str
    disease: str
    same_injection_days: int
    least_days: int
    least_days_to_other: int


@dataclass(frozen=True, slots=True)
class Vaccines:
    """The vaccines that are known, by code, and what is held of a text that names none of them.

    ``spellings`` maps words, folded, to a code; ``generic`` and ``blank`` are folded as well.
    """

    known: Mapping[str, Vaccine]
    spellings: Mapping[str, str]
    generic: re.Pattern[str]
    blank: frozenset[str]
    unknown_same_injection_days: int
    unknown_least_days: int

    def code_of(self, text: str) -> str | None:
        """The code of a cell; its own words, folded, when they name no known vaccine; None when it is blank.

        An unknown vaccine is not a blank one: it agrees with itself alone. "Vaccine Covid-19" names none: it is blank.
        Of a giant cell the first words stand for all.
        """
        words = _words(text[: 4 * LONGEST])
        telling = " ".join(self.generic.sub(" ", f" {words} ").split())
        if words in self.blank or telling in self.blank:
            return None
        exactly = self.spellings.get(words) or self.spellings.get(telling)
        return exactly or _only(self._among_words(telling)) or _only(self._nearly(telling)) or telling[:LONGEST].strip()

    def _among_words(self, words: str) -> Iterable[str]:
        return (code for spelling, code in self.spellings.items() if f" {spelling} " in f" {words} ")

    def _nearly(self, words: str) -> Iterable[str]:
        """Codes with a spelling of which one letter in six, at most two, is wrong: none of up to five letters."""
        typed = words.replace(" ", "")
        for spelling, code in self.spellings.items():
            named = spelling.replace(" ", "")
            most = min(len(typed) // 6, len(named) // 6, 2)
            near = most and abs(len(named) - len(typed)) <= most
            if near and damerau_levenshtein_distance(named, typed) <= most:
                yield code


@cache
def read_vaccines() -> Vaccines:
    """The vaccines that are shipped.

    Raises:
        ValueError: the file contradicts itself.
    """
    return parse_vaccines((files("linkage.persons") / "vaccines.toml").read_text(encoding="utf-8"))


def parse_vaccines(text: str) -> Vaccines:
    """Vaccines from the text of a TOML file, see the head of vaccines.toml.

    Raises:
        ValueError: a key is missing or unknown, one spelling stands for two vaccines, or days do not fit: a second dose
            could be taken for the first entered twice.
    """
    data = tomllib.loads(text)
    entries = data["vaccine"]
    vaccines = [_vaccine(entry) for entry in entries]
    known = {vaccine.code: vaccine for vaccine in vaccines}
    if len(known) != len(vaccines):
        raise ValueError("a code occurs twice")
    if set(data) != {"generic", "blank", "unknown", "vaccine"}:
        raise ValueError(f"expected generic, blank, unknown, vaccine; got {', '.join(data)}")
    unknown = data["unknown"]
    if not 0 <= unknown["same_injection_days"] < unknown["least_days"]:
        raise ValueError("unknown: least_days must exceed same_injection_days")
    longest_first = sorted(map(_words, data["generic"]), key=lambda words: (-len(words), words))
    generic = re.compile(f"(?<= )(?:{'|'.join(longest_first)})(?= )")
    return Vaccines(
        known=known,
        spellings=_spellings(entries),
        generic=generic,
        blank=frozenset(map(_words, data["blank"])) | {""},
        unknown_same_injection_days=unknown["same_injection_days"],
        unknown_least_days=unknown["least_days"],
    )


def _vaccine(entry: Mapping[str, Any]) -> Vaccine:
    try:
        vaccine = Vaccine(**{key: value for key, value in entry.items() if key != "spellings"})
    except TypeError as error:
        raise ValueError(f"vaccine {entry.get('code')}: {error}") from error
    least = min(vaccine.least_days, vaccine.least_days_to_other)
    if not 0 <= vaccine.same_injection_days < least:
        raise ValueError(f"vaccine {vaccine.code}: least_days must exceed same_injection_days")
    return vaccine


def _spellings(entries: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    spellings: dict[str, str] = {}
    for entry in entries:
        for spelling in map(_words, [entry["code"], *entry["spellings"]]):
            if spellings.setdefault(spelling, entry["code"]) != entry["code"]:
                raise ValueError(f"{spelling!r} stands for {spellings[spelling]} and {entry['code']}")
    return spellings


def _words(text: str) -> str:
    """Letters a–z and digits in words; of a text without any, what it has of letters and digits of other scripts."""
    bare = without_marks(compose(text))
    return _NO_WORD.sub(" ", bare).strip() or "".join(letter for letter in bare if letter.isalnum())


def _only(codes: Iterable[str]) -> str | None:
    found = set(codes)
    return found.pop() if len(found) == 1 else None
