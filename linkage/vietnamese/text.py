"""Characters: which ones a Vietnamese text holds, and the plain letters under them."""

import re
import unicodedata
from functools import cache, lru_cache

_VOWELS = "aăâeêioôơuưy"
_TONES = "\u0300\u0301\u0303\u0309\u0323"
# letters of the minority languages' spellings that have a code point of their own
_MINORITY = "ŏŭĕčƀñ"
LETTERS = (
    "abcdefghijklmnopqrstuvwxyzđăâêôơư"
    + _MINORITY
    + "".join(unicodedata.normalize("NFC", vowel + tone) for vowel in _VOWELS for tone in _TONES)
)
"""Every lower-case letter of a name written in Viet Nam, composed (NFC)."""

_WITHOUT_DECOMPOSITION = str.maketrans(
    {"đ": "d", "ð": "d", "ɖ": "d", "ƀ": "b", "ł": "l", "ø": "o", "ı": "i"}
    | {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"},
)
_PLAIN_LETTERS = str.maketrans(
    {letter: unicodedata.normalize("NFD", letter.replace("đ", "d").replace("ƀ", "b"))[0] for letter in LETTERS}
)
_APOSTROPHES = "'’‘`´ʼʹ′＇"
_TO_APOSTROPHE = str.maketrans(dict.fromkeys(_APOSTROPHES, "'"))
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_NOT_LETTERS = re.compile("[^a-z]+")
_TONE_BEFORE_HAT = re.compile("([\u0300\u0301\u0303\u0309])([\u0302\u0306])")
_TO_D_WITH_STROKE = str.maketrans("ÐƉðɖ", "ĐĐđđ")
_LOOK_ALIKES = str.maketrans(
    "АВЕКМНОРСТУХІЈЅаеорсухіјѕ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧονυ",
    "ABEKMHOPCTYXIJSaeopcyxijs" + "ABEZHIKMNOPTYXovu",
)


def compose(text: str) -> str:
    """Full-width forms, invisible characters, apostrophes and the three Đ made one; composed (NFC)."""
    if text.isascii():
        return text.replace("`", "'")
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFC", text).translate(_TO_APOSTROPHE))
    text = _INVISIBLE.sub("", text).translate(_TO_D_WITH_STROKE)
    return _hats_before_tones(text) if any(map(_is_mark, text)) else text


def _hats_before_tones(text: str) -> str:
    """ê with its tone typed before its hat is the same letter, though no normal form of Unicode says so."""
    decomposed = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", _TONE_BEFORE_HAT.sub(r"\2\1", decomposed))


def latin_word(word: str) -> str:
    """A word typed with Cyrillic or Greek look-alikes, in Latin letters; any other word as it is."""
    if word.isascii():
        return word
    latin = word.translate(_LOOK_ALIKES)
    return latin if all(plain_letter(letter) or not letter.isalpha() for letter in latin) else word


@lru_cache(maxsize=4096)
def plain_letter(letter: str) -> str:
    """The letters a–z under one character: '' when it has none."""
    return _NOT_LETTERS.sub("", without_marks(letter))


@cache
def _is_mark(character: str) -> bool:
    return unicodedata.category(character) == "Mn"


def without_marks(text: str) -> str:
    """Lower case without tone marks, hats and strokes; other characters stay."""
    plain = text.lower().translate(_PLAIN_LETTERS)
    if plain.isascii():
        return plain
    decomposed = unicodedata.normalize("NFKD", text.lower().translate(_WITHOUT_DECOMPOSITION))
    bare = "".join(character for character in decomposed if not _is_mark(character))
    return bare.lower().translate(_WITHOUT_DECOMPOSITION)


def fold(text: str) -> str:
    """The text in the letters a–z and single spaces: đ → d, no marks, no apostrophes, no digits."""
    bare = without_marks(text.translate(_TO_APOSTROPHE)).replace("'", "")
    return _NOT_LETTERS.sub(" ", bare).strip()
