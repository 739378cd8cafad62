"""A person's name: the canonical spelling, its plain letters, and its parts."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from linkage.vietnamese.mojibake import decode_mojibake
from linkage.vietnamese.text import LETTERS, compose, fold, latin_word, plain_letter
from linkage.vietnamese.tones import place_tone


@dataclass(frozen=True, slots=True)
class Name:
    """A name in canonical spelling (NFC, lower case, single spaces) and in the letters a–z.

    ``middle`` may be empty; a name of one word has an empty ``surname``. ``ascii`` has as many words as
    ``canonical``.
    """

    canonical: str
    ascii: str
    surname: str
    middle: str
    given: str


def parse_name(text: str) -> Name | None:
    """The name in a cell as typed; None when the cell holds no word in Latin letters."""
    canonical, plain = spell_name(text)
    return Name(canonical, plain, *split_name(canonical.split(" "))) if canonical else None


def spell_name(text: str) -> tuple[str, str]:
    """Canonical spelling and plain letters of a name as typed; both empty when there is no word."""
    words = text.split()
    pairs = [pair for pair in map(_plain_word, words) if pair]
    # à in UTF-8 read as cp1252 ends in a no-break space, which would tear the word
    if not pairs or len(pairs) < len(words) or pairs[0][0] in _TITLES or "\u00a0" in text:
        pairs = [_word(word) for word in _repair(text)]
    return " ".join([pair[0] for pair in pairs]), " ".join([pair[1] for pair in pairs])


def split_name(words: list[str]) -> tuple[str, str, str]:
    """Surname, middle and given name of the words of a name, at least one."""
    return (words[0] if len(words) > 1 else "", " ".join(words[1:-1]), words[-1])


_TITLES = frozenset(
    {"ông", "bà", "cụ", "cháu", "bé", "chị", "cô", "bác"} | {"bs", "ths", "ts", "gs", "pgs", "mr", "mrs", "ms", "dr"},
)
# Ông is also a rare surname: it is a title only before a common one
_COMMON_SURNAMES = frozenset(
    {"nguyễn", "trần", "lê", "phạm", "hoàng", "huỳnh", "phan", "vũ", "võ", "đặng", "bùi", "đỗ", "hồ", "ngô"},
)
_PLAIN = re.compile(f"[{LETTERS}]+(?:'[{LETTERS}]+)?")
_BRACKETED = re.compile(r"\([^)]*\)?|\[[^\]]*\]?|\{[^}]*\}?")
_WARD_NOTE = re.compile(r"\b[fF][0-9]\b")
_JOINED_APOSTROPHE = re.compile(r"(?:(?<=^[^\W\d_])|(?<=\s[^\W\d_]))'\s+(?=[^\W\d_])")
_CAPITALISED = re.compile(f"[{LETTERS.upper()}][{LETTERS}]*")


@lru_cache(maxsize=1 << 17)
def _plain_word(word: str) -> tuple[str, str] | None:
    """Canonical and plain form of a word that needs no repair; None for any other."""
    word = unicodedata.normalize("NFC", word)
    lower = word.lower()
    if not _PLAIN.fullmatch(lower) or _parts_of_glued(word):
        return None
    return _word(lower)


@lru_cache(maxsize=1 << 17)
def _word(word: str) -> tuple[str, str]:
    canonical = place_tone(word)
    return canonical, fold(canonical)


def _repair(text: str) -> list[str]:
    """The words of a name as typed, each in lower case and with at least one Latin letter."""
    composed = unicodedata.normalize("NFC", text)
    decoded = decode_mojibake(composed)
    text = _WARD_NOTE.sub(" ", compose(decoded))
    text = _BRACKETED.sub(" ", text) if _BRACKETED.sub("", text).strip() else text
    words = [latin_word(word) for word in text.split()]
    if decoded == composed:
        words = [part for word in words for part in _parts_of_glued(word) or (word,)]
    letters = "".join(_name_characters(" ".join(words)))
    letters = _JOINED_APOSTROPHE.sub("'", letters)
    cleaned = (_trim_apostrophes(word) for word in letters.split())
    return _without_titles([word for word in cleaned if _word(word)[1]])


def _name_characters(text: str) -> list[str]:
    kept: list[str] = []
    for character in unicodedata.normalize("NFC", text.lower()):
        if character == "'" or plain_letter(character):
            kept.append(character)
        elif unicodedata.category(character) == "Mn":
            # a mark without a letter of its own (Ê Đê ê̆) stays with the letter before it
            kept.append(character if kept and plain_letter(kept[-1]) else "")
        else:
            kept.append("" if character.isdigit() else " ")
    return kept


def _trim_apostrophes(word: str) -> str:
    word = re.sub("'+", "'", word.lstrip("'"))
    # H' and K' are names of their own; elsewhere an apostrophe at the end is a slip
    return word if len(word) == 2 else word.rstrip("'")


def _without_titles(words: list[str]) -> list[str]:
    while len(words) > 2 and words[0] in _TITLES and (words[0] != "ông" or words[1] in _COMMON_SURNAMES):
        words = words[1:]
    return words


def _parts_of_glued(word: str) -> list[str] | None:
    """NguyenVanA → Nguyen, Van, A; None for a word that is not several capitalised ones."""
    if word.islower() or word.isupper() or word.istitle():
        return None
    parts = _CAPITALISED.findall(word)
    whole = "".join(parts) == word and all(len(part) > 1 for part in parts[:-1])
    return parts if whole and len(parts) > (1 if len(parts[-1]) > 1 else 2) else None
