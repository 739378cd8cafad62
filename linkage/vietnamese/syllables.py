"""The syllables of Vietnamese: which letters make one, and its parts."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from linkage.vietnamese.text import without_marks
from linkage.vietnamese.tones import TONES, place_tone, split_tone, with_tone_on

# nucleus → the codas it takes, "-" for none; oo as in xoong
_RHYMES = {
    "a": "- c ch i m n ng nh o p t u y",
    "ă": "c m n ng p t",
    "â": "c m n ng p t u y",
    "e": "- c m n ng o p t",
    "ê": "- ch m n nh p t u",
    "i": "- ch m n nh p t u",
    "y": "-",
    "o": "- c i m n ng p t",
    "oo": "c ng",
    "ô": "- c i m n ng p t",
    "ơ": "- i m n p t",
    "u": "- c i m n ng p t",
    "ư": "- c i m n ng t u",
    "iê": "c m n ng p t u",
    "ia": "-",
    "uô": "c i m n ng t",
    "ua": "-",
    "ươ": "c i m n ng p t u",
    "ưa": "-",
}
_AFTER_O = {"a": "- c ch i m n ng nh o p t y", "ă": "c m n ng t", "e": "- m n o t"}
_AFTER_U = {"â": "n ng t y", "ê": "- ch nh", "ơ": "-", "y": "- ch n nh p t u", "yê": "n t", "ya": "-"}
_AFTER_Q = _AFTER_U | {
    "a": "- c ch n ng nh i o t u y",
    "ă": "c m n ng p t",
    "e": "- c n o t",
    "ê": "- ch n nh t",
    "i": "- ch nh t u",
    "ô": "- c",
    "ơ": "- i",
}
_WITHOUT_ONSET = {"yê": "m n ng t u"}
_AFTER_GI = {nucleus: _RHYMES[nucleus] for nucleus in _RHYMES if nucleus not in {"y", "oo", "ia"}}

_BEFORE_FRONT = ("k", "gh", "ngh")
_BEFORE_BACK = ("c", "g", "ng")
_BEFORE_ANY = ("", "b", "ch", "d", "đ", "h", "kh", "l", "m", "n", "nh", "p", "ph", "r", "s", "t", "th", "tr", "v", "x")
_STOPS = frozenset({"c", "ch", "p", "t"})


@dataclass(frozen=True, slots=True)
class Syllable:
    """The parts of a syllable as they are spelled; each but the nucleus may be empty.

    ``tone`` is one of "", "sắc", "huyền", "hỏi", "ngã", "nặng". The nucleus of gì and giếng is i and iê.
    """

    onset: str
    medial: str
    nucleus: str
    coda: str
    tone: str

    @property
    def spelling(self) -> str:
        """The syllable in canonical spelling: lower case, hòa and thúy, quý."""
        start = self.onset + self.medial
        nucleus = self.nucleus.removeprefix("i") if self.onset == "gi" and self.nucleus[0] == "i" else self.nucleus
        return start[:-1] + _toned(start[-1:], nucleus, self) + self.coda


def _toned(before: str, nucleus: str, syllable: Syllable) -> str:
    """The nucleus with its tone, and the letter before it, which carries the tone in hòa, thúy and gì."""
    on_medial = syllable.medial and syllable.onset != "q" and not syllable.coda and nucleus in {"a", "e", "y"}
    if on_medial or not nucleus:
        return with_tone_on(before, syllable.tone) + nucleus
    # ia, ua, ưa, ya on the first letter; iê, uô, ươ, oo on the second
    at = 1 if len(nucleus) == 2 and nucleus[1] != "a" else 0
    return before + nucleus[:at] + with_tone_on(nucleus[at], syllable.tone) + nucleus[at + 1 :]


@lru_cache(maxsize=1 << 15)
def parse_syllable(word: str) -> Syllable | None:
    """The parts of a word in composed lower case, wherever oa, oe, uy carry their tone; None for no syllable.

    Syllables that end in c, ch, p, t carry sắc or nặng, so that ``duc`` is none: see `reads_without_marks`.
    """
    toneless, tones = split_tone(word)
    parts = inventory().get(toneless)
    if parts is None or len(tones) > 1:
        return None
    syllable = Syllable(*parts, tones[0] if tones else "")
    return syllable if is_possible(syllable) and syllable.spelling == place_tone(word) else None


def with_tone(toneless: str, tone: str) -> str | None:
    """The syllable of these letters and a tone in canonical spelling; None when there is none."""
    parts = inventory().get(toneless)
    syllable = Syllable(*parts, tone) if parts else None
    return syllable.spelling if syllable and is_possible(syllable) else None


def is_possible(syllable: Syllable) -> bool:
    """Whether the coda allows the tone."""
    return syllable.coda not in _STOPS or syllable.tone in {"sắc", "nặng"}


def all_syllables() -> Iterator[Syllable]:
    """Every syllable of the inventory, in every tone its coda allows."""
    syllables = (Syllable(*parts, tone) for parts in inventory().values() for tone in ("", *TONES))
    return filter(is_possible, syllables)


@lru_cache(maxsize=1 << 15)
def reads_without_marks(word: str) -> bool:
    """Whether a lower-case word may stand in a Vietnamese name as it is.

    It is a syllable, a syllable without its marks, or an abbreviation: one letter, or no vowel.
    """
    plain = without_marks(word)
    short = len(word) == 1 or not set(plain) & set("aeiouy")
    return short or parse_syllable(word) is not None or (word.isascii() and word in _plain_inventory())


@cache
def inventory() -> dict[str, tuple[str, str, str, str]]:
    """Every syllable without its tone → onset, medial, nucleus, coda."""
    return {Syllable(*parts, "").spelling: parts for parts in _parts()}


@cache
def _plain_inventory() -> frozenset[str]:
    return frozenset(map(without_marks, inventory()))


def _parts() -> Iterator[tuple[str, str, str, str]]:
    for onset in (*_BEFORE_ANY, *_BEFORE_FRONT, *_BEFORE_BACK):
        for nucleus, coda in _pairs(_RHYMES):
            front = nucleus[0] in "eêiy"
            # before no onset iê is written yê
            if (onset not in (_BEFORE_BACK if front else _BEFORE_FRONT)) and (onset or nucleus != "iê"):
                yield onset, "", nucleus, coda
    for onset in (*_BEFORE_ANY, "g", "ng", "gi"):
        yield from ((onset, "o", *rhyme) for rhyme in _pairs(_AFTER_O))
    for onset in (*_BEFORE_ANY, "g", "ng"):
        yield from ((onset, "u", *rhyme) for rhyme in _pairs(_AFTER_U))
    yield from (("q", "u", *rhyme) for rhyme in _pairs(_AFTER_Q))
    yield from (("", "", *rhyme) for rhyme in _pairs(_WITHOUT_ONSET))
    # of gi + ê and gi + iê, both written giê, the second is meant before a coda: later in the table
    yield from (("gi", "", *rhyme) for rhyme in _pairs(_AFTER_GI))


def _pairs(rhymes: dict[str, str]) -> Iterator[tuple[str, str]]:
    for nucleus, codas in rhymes.items():
        yield from ((nucleus, coda.removeprefix("-")) for coda in codas.split())
