"""Where a syllable carries its tone mark."""

import re

_TONE_ROWS = {"a": "áàảãạ", "e": "éèẻẽẹ", "o": "óòỏõọ", "u": "úùủũụ", "y": "ýỳỷỹỵ"}
_ON_SECOND_VOWEL = re.compile("(?:o[áàảãạéèẻẽẹ]|(?<!q)u[ýỳỷỹỵ])$")
_ON_FIRST_VOWEL = re.compile("(?:[óòỏõọ][ae]|[úùủũụ]y)(?=[a-zâê])|(?<=q)[úùủũụ][aey]")


def place_tone(word: str) -> str:
    """The tone of an open oa, oe, uy on its first vowel (hòa, thúy), elsewhere on the second (hoàn, quý)."""
    word = _ON_SECOND_VOWEL.sub(lambda match: _move_tone(match[0]), word)
    return _ON_FIRST_VOWEL.sub(lambda match: _move_tone(match[0]), word)


def _move_tone(vowels: str) -> str:
    """oá ↔ óa: the tone mark moves to the other vowel."""
    rows = _TONE_ROWS.items()
    bare = [next((base for base, row in rows if vowel in row), vowel) for vowel in vowels]
    tone = next(row.index(vowel) for vowel in vowels for row in _TONE_ROWS.values() if vowel in row)
    target = 0 if vowels[0] == bare[0] else 1
    bare[target] = _TONE_ROWS[bare[target]][tone]
    return "".join(bare)
