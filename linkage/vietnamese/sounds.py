"""Keys under which words that are near are equal: as a region says them, or as a name taboo changed them.

Equal keys are near agreement, never equality: Thi and Thy, or Hoàn and Hoàng, are different names that sound
alike somewhere.
"""

import csv
import re
from functools import cache, lru_cache
from importlib.resources import files

from linkage.vietnamese.syllables import Syllable, inventory, parse_syllable, with_tone
from linkage.vietnamese.tones import split_tone

_ONSETS = (
    {"k": "c", "q": "c", "gh": "g", "ngh": "ng"}  # one sound in two spellings
    | {"n": "l", "tr": "ch", "s": "x", "gi": "d", "r": "d"}  # the North
    | {"v": "d"}  # the South, with gi
)
_CODAS = {"ng": "n", "c": "t"}  # the South
_NUCLEI = {"y": "i", "iê": "i", "yê": "i", "ya": "ia", "ô": "o", "oo": "o"}  # i and y; the South
_TONES = {"": "1", "huyền": "2", "sắc": "3", "hỏi": "4", "ngã": "4", "nặng": "4"}  # the South and the Centre


@lru_cache(maxsize=1 << 17)
def sound_key(word: str) -> str:
    """A key equal for canonical words that sound alike in the North, the Centre or the South.

    North: l and n, ch and tr, s and x, d, gi and r. Centre: hỏi, ngã, nặng. South: v, d and gi, final n and ng,
    final t and c, hỏi and ngã, i and iê, o and ô. Everywhere: i and y, where the tone stands, k, c and q, and
    ng written before e and i. A word that is no syllable is its own key; only a syllable's key holds a digit.
    """
    syllable = parse_syllable(word) or parse_syllable(_respelled(word))
    return _key(syllable) if syllable else word


def _key(syllable: Syllable) -> str:
    onset = _ONSETS.get(syllable.onset, syllable.onset)
    medial = "w" if syllable.medial else ""
    nucleus = _NUCLEI.get(syllable.nucleus, syllable.nucleus)
    coda = _CODAS.get(syllable.coda, syllable.coda)
    return f"{onset}{medial}{nucleus}{coda}{_TONES[syllable.tone]}"


def _respelled(word: str) -> str:
    """A word with k, gh and ngh before e, i, y and c, g and ng elsewhere, as spelling has it."""
    toneless, tones = split_tone(word)
    front = re.sub("^(?:c(?!h)|ng(?!h)|g(?![hi]))(?=[eêiy])", lambda match: _FRONT[match[0]], toneless)
    back = re.sub("^(?:k(?!h)|ngh|gh)(?![eêiy])", lambda match: _BACK[match[0]], front)
    return (with_tone(back, tones[0] if tones else "") if back in inventory() and len(tones) < 2 else None) or word


_FRONT = {"c": "k", "g": "gh", "ng": "ngh"}
_BACK = {front: back for back, front in _FRONT.items()}


def doublet_key(word: str) -> str:
    """A key equal for the two forms of a canonical word under a name taboo (Hoàng and Huỳnh); else the word."""
    return _doublets().get(word, word)


@cache
def _doublets() -> dict[str, str]:
    with files(__package__).joinpath("data/doublets.csv").open(encoding="utf-8") as table:
        return {row["other"]: row["form"] for row in csv.DictReader(table)}
