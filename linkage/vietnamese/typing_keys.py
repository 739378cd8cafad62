"""Keys of a typing method that stayed in the text (Nguyeenx, Nguye6n4, Nguye^~n), undone.

Many foreign names read as keys: Max is Mã and Lee is Lê in Telex. Hence the rule, for a whole name and one
method at a time: every word stands as it is in a Vietnamese name or is undone to a syllable, and at least one
word is proof of the method.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from linkage.vietnamese.syllables import reads_without_marks, with_tone

_HAT, _HORN, _BREVE = {"a": "â", "e": "ê", "o": "ô"}, {"o": "ơ", "u": "ư"}, {"a": "ă"}
_VOWELS = frozenset("aăâeêioôơuưy")


@dataclass(frozen=True, slots=True, eq=False)  # hashed as itself
class _Method:
    """Keys of tones and marks, the key that makes đ of d, and what in a name proves the method."""

    tones: Mapping[str, str]
    marks: Mapping[str, Mapping[str, str]]
    stroke: str
    proof: Callable[["_Undone"], bool]


@dataclass(frozen=True, slots=True)
class _Undone:
    """The words of a name that only a method explains, the others, and whether its last word is all it explains."""

    words: list[str]
    others: list[str]
    only_last: bool


_TELEX_PROOF = re.compile(
    "dd|n[gh].*|(?:vox|vux|lys)$"  # no foreign name begins so; Võ, Vũ, Lý
    "|.*(?:aa|ee|oo|[aou]w|[^ -~]).*[srxfj]|.*[srxfj].*w|.*w.*w"  # a mark and a tone, two marks
    "|.*[aeiouy](?:ng|nh|ch)[srxfj]$"
)
_TELEX_TONE = re.compile(".*[aeiouy].*[fj]")
_TELEX_MARK = re.compile("(?:aa|ee|oo)[a-z]|[aou][a-z]?w")
_TELEX_INSIDE = re.compile("aa|[aou]w[a-z]|[cpt][sj]$")


def _proves_telex(undone: _Undone) -> bool:
    """Marks and tones that no foreign name shows; weaker ones beside marks, or beside each other."""
    beside_marks = not all(map(str.isascii, undone.others))
    several = len(undone.words) > 1
    return len(undone.words) > 2 or any(
        _TELEX_PROOF.match(word)
        or (_TELEX_TONE.match(word) and (undone.others or several))
        or (_TELEX_MARK.search(word) and beside_marks)
        or (_TELEX_INSIDE.search(word) and several)
        for word in undone.words
    )


def _proves_vni(undone: _Undone) -> bool:
    # one digit behind the last word may number people
    return len(undone.words) > 1 or not undone.only_last or bool(re.search("[1-9].*[1-9a-z]", undone.words[0]))


def _proves_viqr(undone: _Undone) -> bool:
    # a full stop, an apostrophe or a question mark behind a word, or between initials, may be just that
    return len(undone.words) > 1 or any(re.search("[(^+~]|..[`?'.][a-z]", word) for word in undone.words)


def _tones(keys: str) -> dict[str, str]:
    return dict(zip(keys, ("sắc", "huyền", "hỏi", "ngã", "nặng"), strict=True))


_W = {"a": "ă", "o": "ơ", "u": "ư"}
_DOUBLED = {vowel: {vowel: marked} for vowel, marked in _HAT.items()}
_TELEX = _Method(_tones("sfrxj"), {"w": _W} | _DOUBLED, "d", _proves_telex)
_VNI = _Method(_tones("12345"), {"6": _HAT, "7": _HORN, "8": _BREVE}, "9", _proves_vni)
_VIQR = _Method(_tones("'`?~."), {"^": _HAT, "+": _HORN, "(": _BREVE}, "d", _proves_viqr)


def undo_letters(words: list[str]) -> list[str]:
    """The words of a name in lower case without the letters that were keys of Telex."""
    return _undo(words, _TELEX)


def undo_signs(words: list[str]) -> list[str]:
    """The words of a name as typed without the digits and signs that were keys of VNI or VIQR."""
    if all(map(str.isalpha, words)):
        return words
    return _undo(_undo(words, _VNI), _VIQR)


def may_hold_letters(word: str) -> bool:
    """Whether a word in lower case could be undone as Telex."""
    return _reading(word, _TELEX) is not None


def _undo(words: list[str], method: _Method) -> list[str]:
    lower = [word.lower() for word in words]
    readings = [_reading(word, method) for word in lower]
    both = list(zip(lower, readings, strict=True))
    # Coong stands as it is too, and proves nothing
    explained = [word for word, reading in both if reading and not reads_without_marks(word)]
    others = [word for word, reading in both if not reading]
    if not explained or not all(map(reads_without_marks, others)):
        return words
    if not method.proof(_Undone(explained, others, only_last=explained == [lower[-1]])):
        return words
    return [reading or word for word, reading in zip(words, readings, strict=True)]


@lru_cache(maxsize=1 << 15)
def _reading(word: str, method: _Method) -> str | None:
    """The syllable that the keys of a word write; None when it stands as it is or writes none."""
    # oo is a nucleus, as in xoong, and never one of a name: Coong is Công
    if reads_without_marks(word) and "oo" not in word:
        return None
    letters: list[str] = []
    tones: list[str] = []
    for key in word:
        if key in method.tones and _VOWELS.intersection(letters):
            tones.append(method.tones[key])
        elif key == method.stroke and letters == ["d"]:
            letters = ["đ"]
        elif not _mark(letters, key, method):
            letters.append(key)
    toneless = "".join(letters)
    tone = tones[0] if tones else ""
    if len(tones) > 1 or (toneless == word and not tone):
        return None
    # one key may mark both vowels of ươ
    return with_tone(toneless, tone) or with_tone(re.sub("uơ|ưo", "ươ", toneless), tone)


def _mark(letters: list[str], key: str, method: _Method) -> bool:
    """Put the mark of a key on the last vowel that takes it; False when the key is no mark here."""
    vowels = method.marks.get(key, {})
    # a letter doubles the vowel beside it or before the coda: the second o of khoeo does neither
    if not letters or (key in _VOWELS and letters[-1] != key and letters[-1] in _VOWELS):
        return False
    for at in range(len(letters) - 1, -1, -1):
        if letters[at] in vowels:
            letters[at] = vowels[letters[at]]
            return True
    return False
