"""Tone marks: which one a syllable carries, and on which letter."""

import re
import unicodedata

TONES = {"sắc": "\u0301", "huyền": "\u0300", "hỏi": "\u0309", "ngã": "\u0303", "nặng": "\u0323"}
"""Name of a tone → its combining mark."""

_TONED = {
    unicodedata.normalize("NFC", vowel + mark): (vowel, tone)
    for vowel in "aăâeêioôơuưy"
    for tone, mark in TONES.items()
}
_TONELESS = str.maketrans({letter: vowel for letter, (vowel, _) in _TONED.items()})
_ON_SECOND_VOWEL = re.compile("(?:o[áàảãạéèẻẽẹ]|(?<!q)u[ýỳỷỹỵ])$")
_ON_FIRST_VOWEL = re.compile("(?:[óòỏõọ][ae]|[úùủũụ]y)(?=[a-zâê])|(?<=q)[úùủũụ][aey]")


def split_tone(word: str) -> tuple[str, list[str]]:
    """A composed word without its tone marks, and the names of its tones."""
    return word.translate(_TONELESS), [_TONED[letter][1] for letter in word if letter in _TONED]


def with_tone_on(vowel: str, tone: str) -> str:
    """A vowel with a tone of this name; "" for none."""
    return unicodedata.normalize("NFC", vowel + TONES[tone]) if tone else vowel


def place_tone(word: str) -> str:
    """The tone of an open oa, oe, uy on its first vowel (hòa, thúy), elsewhere on the second (hoàn, quý)."""
    word = _ON_SECOND_VOWEL.sub(lambda match: _move_tone(match[0]), word)
    return _ON_FIRST_VOWEL.sub(lambda match: _move_tone(match[0]), word)


def _move_tone(vowels: str) -> str:
    """oá ↔ óa: the tone mark moves to the other vowel."""
    toneless, (tone,) = split_tone(vowels)
    first, second = toneless[0], toneless[1]
    return first + with_tone_on(second, tone) if vowels[0] in _TONED else with_tone_on(first, tone) + second
