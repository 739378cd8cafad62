"""Text read in the wrong encoding, put right when the repaired text is clean Vietnamese."""

import json
import re
import unicodedata
from functools import cache
from importlib.resources import files

from linkage.vietnamese.text import LETTERS

_CLEAN = re.compile(f"[{LETTERS}{LETTERS.upper()} .,'()/-]+")
# the lead bytes C2–C6, CC and E1 of Vietnamese letters in UTF-8, followed by a byte that is no ASCII
_UTF8_AS_CP1252 = re.compile("[ÂÃÄÅÆÌâãäåæì][^\x00-\x7f]|[ÃãÄä] |[áÁ][º»]")
_UNDEFINED_IN_CP1252 = dict.fromkeys(map(chr, (0x81, 0x8D, 0x8F, 0x90, 0x9D)))


def decode_mojibake(text: str) -> str:
    """The text as it was meant, when it is TCVN3 or UTF-8 read as Windows-1252; else the text itself.

    The text is expected composed (NFC) and otherwise untouched: TCVN3 spells ư with a soft hyphen.
    """
    if text.isascii():
        return text
    for decoded in (_from_utf8(text), _from_tcvn3(text)):
        if decoded is not None and _CLEAN.fullmatch(decoded):
            return decoded
    return text


def _from_utf8(text: str) -> str | None:
    if not _UTF8_AS_CP1252.search(text):
        return None
    # à is C3 A0, and A0 is a no-break space that many programs turn into a plain one
    text = re.sub("(?<=Ã) ", "\u00a0", text)
    try:
        return unicodedata.normalize("NFC", b"".join(map(_cp1252_byte, text)).decode("utf-8"))
    except (UnicodeEncodeError, UnicodeDecodeError):
        return None


def _cp1252_byte(character: str) -> bytes:
    return character.encode("latin-1" if character in _UNDEFINED_IN_CP1252 else "cp1252")


@cache
def _tcvn3() -> tuple[dict[int, str], re.Pattern[str]]:
    table = json.loads(files(__package__).joinpath("data/tcvn3_to_unicode.json").read_text(encoding="utf-8"))
    letters = {entry["as_cp1252"]: letter for letter, entry in table.items()}
    # what no Vietnamese word holds: a sign beside a letter, or a capital of another language inside a word
    signs = "".join(letter for letter in letters if not letter.isalpha() or letter in "ªµ")
    foreign = "".join(
        letter for letter in letters if letter.isupper() and letter.lower() not in LETTERS and letter != "Ð"
    )
    evidence = re.compile(f"[{signs}](?=[^\\W\\d_])|(?<=[^\\W\\d_])[{signs}]|(?<=[a-z])[{foreign}]")
    return str.maketrans(letters), evidence


def _from_tcvn3(text: str) -> str | None:
    letters, evidence = _tcvn3()
    return text.translate(letters) if evidence.search(text) else None
