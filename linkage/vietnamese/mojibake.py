"""Text read in the wrong encoding, put right when the repaired text is clean Vietnamese."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from importlib.resources import files
from itertools import product

from linkage.vietnamese.syllables import parse_syllable, reads_without_marks
from linkage.vietnamese.text import LETTERS, without_marks
from linkage.vietnamese.tones import place_tone

_CLEAN = re.compile(f"[{LETTERS}{LETTERS.upper()} .,'()/-]+")
_BETWEEN_WORDS = re.compile("((?:\\s|[!-@\\[-`{-~])+)")
# the lead bytes C2–C6, CC and E1 of Vietnamese letters in UTF-8, followed by a byte that is no ASCII
_UTF8_AS_CP1252 = re.compile("[ÂÃÄÅÆÌâãäåæì][^\x00-\x7f]|[ÃãÄä] |Ã$|[áÁ][º»]")
_UNDEFINED_IN_CP1252 = tuple(map(chr, (0x81, 0x8D, 0x8F, 0x90, 0x9D)))
# êng and êc end words of Ba Na and Xơ Đăng, and would be ấng and ấc
_MINORITY_RHYME = re.compile("[a-z]*ê(?:ng|c)", re.IGNORECASE)
_BEYOND_CP1252 = frozenset(
    letter for letter in LETTERS + LETTERS.upper() if not letter.encode("cp1252", errors="ignore")
)
_LOST = "\ufffd"  # what stands for a byte that was thrown away


def decode_mojibake(text: str) -> str:
    """The text as it was meant, when it is UTF-8 or TCVN3 read as Windows-1252, or VNI; else the text itself.

    The text is expected composed (NFC) and otherwise untouched: TCVN3 spells ư with a soft hyphen.

    TCVN3 and VNI are undone when every word then reads as Vietnamese and one did not before; TCVN3 also for
    words that are no syllables, when they hold signs that no word holds.
    """
    if text.isascii():
        return text
    return _from_utf8(text) or _by_words(text, _tcvn3_word) or _by_words(text, _vni_word) or _from_tcvn3(text) or text


@lru_cache(maxsize=1 << 15)
def may_be_mojibake(word: str) -> bool:
    """Whether one composed word could be TCVN3 or VNI; a word that is clean on its own never is."""
    if word.isascii() or len(word) == 1 or _is_syllable(word.lower().replace("ð", "đ")):
        return False
    return any(read(word) for read in (_tcvn3_word, _vni_word))


def _is_syllable(word: str) -> bool:
    return parse_syllable(word) is not None


def _by_words(text: str, read: Callable[[str], str | None]) -> str | None:
    """The text with each of its words read anew; None when a word is not Vietnamese then, or all were before."""
    pieces = _BETWEEN_WORDS.split(text)
    if not any(map(may_be_mojibake, pieces[::2])):
        return None
    readings = [word if word.isascii() or _is_initial(word) else read(word) for word in pieces[::2]]
    if not all(reading is not None and reads_without_marks(reading.lower()) for reading in readings):
        return None
    pieces[::2] = map(str, readings)
    return "".join(pieces)


def _is_initial(word: str) -> bool:
    return len(word) == 1 and word.isupper()


def _from_utf8(text: str) -> str | None:
    if not _UTF8_AS_CP1252.search(text):
        return None
    # à is C3 A0, and A0 is a no-break space that many programs turn into a plain one or cut off
    text = re.sub("Ã(?: |$)", "Ã\u00a0", text)
    decoded = list(dict.fromkeys(filter(None, map(_decoded, _with_lost_bytes(text)))))
    if len(decoded) > 1:
        decoded = [each for each in decoded if all(map(_is_likely, each.split()))]
    return _common(decoded) if decoded else None


def _common(decoded: list[str]) -> str:
    """What most of the readings have in common in plain letters, with the marks that those agree on."""
    plain = Counter(map(without_marks, decoded))
    most = plain.most_common(1)[0][0]
    agreeing = zip(*(each for each in decoded if without_marks(each) == most), strict=True)
    return "".join(letters[0] if len(set(letters)) == 1 else without_marks(letters[0]) for letters in agreeing)


def _is_likely(word: str) -> bool:
    return (word.istitle() or word.isupper() or word.islower()) and reads_without_marks(word.lower())


def _with_lost_bytes(text: str) -> Iterator[str]:
    """The text with each byte that Windows-1252 does not define, and a program threw away, set to all it may be."""
    parts = text.split(_LOST)
    for lost in product(_UNDEFINED_IN_CP1252, repeat=len(parts) - 1) if len(parts) < 4 else ():
        yield "".join(part + byte for part, byte in zip(parts, (*lost, ""), strict=True))


def _decoded(text: str) -> str | None:
    try:
        decoded = unicodedata.normalize("NFC", b"".join(map(_cp1252_byte, text)).decode("utf-8"))
    except (UnicodeEncodeError, UnicodeDecodeError):
        return None
    return decoded if _CLEAN.fullmatch(decoded) else None


def _cp1252_byte(character: str) -> bytes:
    return character.encode("latin-1" if character in _UNDEFINED_IN_CP1252 else "cp1252")


@cache
def _tcvn3_letters() -> dict[str, str]:
    table = json.loads(files(__package__).joinpath("data/tcvn3_to_unicode.json").read_text(encoding="utf-8"))
    return {entry["as_cp1252"]: letter for letter, entry in table.items()}


@cache
def _tcvn3() -> tuple[dict[int, str], re.Pattern[str]]:
    letters = _tcvn3_letters()
    # what no Vietnamese word holds: a sign beside a letter, or a capital of another language inside a word
    signs = "".join(letter for letter in letters if not letter.isalpha() or letter in "ªµ")
    foreign = "".join(
        letter for letter in letters if letter.isupper() and letter.lower() not in LETTERS and letter != "Ð"
    )
    evidence = re.compile(f"[{signs}](?=[^\\W\\d_])|(?<=[^\\W\\d_])[{signs}]|(?<=[a-z])[{foreign}]")
    return str.maketrans(letters), evidence


def _from_tcvn3(text: str) -> str | None:
    letters, evidence = _tcvn3()
    # a soft hyphen alone is what it was meant to be
    if not _BEYOND_CP1252.isdisjoint(text) or not evidence.search(text.replace("\u00ad", "")):
        return None
    decoded = text.translate(letters)
    return decoded if _CLEAN.fullmatch(decoded) else None


@lru_cache(maxsize=1 << 15)
def _tcvn3_word(word: str) -> str | None:
    """The syllable that a word is in TCVN3; None for a word that is none.

    TCVN3 has no capitals with tones: a capital that it lacks was typed otherwise, or a program made capitals of
    its bytes, å to Å. In a word of capitals each letter may be meant as its other case.
    """
    word = word.replace("\u039c", "µ")
    plain = "".join(filter(str.isascii, word))
    choices = [[each] if each.isascii() else _tcvn3_readings(each, plain) for each in word]
    if _MINORITY_RHYME.fullmatch(word) or len(word) - len(plain) > 4:
        return None
    readings = (place_tone("".join(reading).lower()) for reading in product(*choices))
    return next(filter(_is_syllable, readings), None)


# made of ố ộ ợ ù ủ ũ ú ứ ỹ ý, which are more common than what they are on their own: ẩ ẫ ẻ ẽ ẹ ề ể ỉ ĩ í
_RATHER_EXCHANGED = "ÈÉÎÏÑÒÓØÜÝ"


def _tcvn3_readings(character: str, plain: str) -> list[str]:
    """What a character may be in TCVN3, the likeliest first, beside these plain letters of its word."""
    letters = _tcvn3_letters()
    itself, exchanged = letters.get(character), letters.get(character.swapcase())
    if plain.isupper() or (plain.islower() and character.islower()):
        both = (exchanged, itself) if character in _RATHER_EXCHANGED else (itself, exchanged)
    else:
        both = (itself, None)
    return list(filter(None, both)) or ([character] if character.isupper() else [])


# VNI: the sign behind a vowel is its tone, its mark, or both; some letters stand alone
_VNI_SIGNS = dict(zip("ùøûõï", "\u0301\u0300\u0309\u0303\u0323", strict=True))
_VNI_SIGNS |= {"â": "\u0302", "ê": "\u0306"}
_VNI_SIGNS |= dict(zip("áàåãä", (f"\u0302{tone}" for tone in "\u0301\u0300\u0309\u0303\u0323"), strict=True))
_VNI_SIGNS |= dict(zip("éèúüë", (f"\u0306{tone}" for tone in "\u0301\u0300\u0309\u0303\u0323"), strict=True))
_VNI_LETTERS = {"ô": "ơ", "ö": "ư", "í": "í", "ì": "ì", "æ": "ỉ", "ó": "ĩ", "ò": "ị", "î": "ỵ", "ñ": "đ"}


@lru_cache(maxsize=1 << 15)
def _vni_word(word: str) -> str | None:
    """The syllable that a word is in the encoding VNI; None for a word that is none."""
    letters: list[str] = []
    for character in word.lower():
        marked = unicodedata.normalize("NFC", letters[-1] + _VNI_SIGNS.get(character, "")) if letters else ""
        if character in _VNI_SIGNS and marked in LETTERS and len(marked) == 1:
            letters[-1] = marked
        elif character.isascii() or character in _VNI_LETTERS:
            letters.append(_VNI_LETTERS.get(character, character))
        else:
            return None
    reading = place_tone("".join(letters))
    return reading if _is_syllable(reading) else None
