"""A person's name: the canonical spelling, its plain letters, and its parts."""

import html
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from linkage.vietnamese.mojibake import decode_mojibake, may_be_mojibake
from linkage.vietnamese.sounds import doublet_key, sound_key
from linkage.vietnamese.syllables import reads_without_marks
from linkage.vietnamese.text import LETTERS, compose, fold, latin_word, plain_letter
from linkage.vietnamese.tones import place_tone
from linkage.vietnamese.typing_keys import may_hold_letters, undo_letters, undo_signs


@dataclass(frozen=True, slots=True)
class Name:
    """A name in canonical spelling (NFC, lower case, single spaces) and in the letters a–z.

    ``middle`` may be empty; a name of one word has an empty ``surname``. ``ascii``, ``sound`` and ``doublet`` have
    as many words as ``canonical``: ``sound`` is equal for names that sound alike in some region, ``doublet`` for
    names that differ in the forms of a name taboo (Hoàng, Huỳnh). Both are near agreement, never equality.
    """

    canonical: str
    ascii: str
    surname: str
    middle: str
    given: str
    sound: str
    doublet: str


def parse_name(text: str) -> Name | None:
    """The name in a cell as typed; None when the cell holds no word in Latin letters."""
    words = _words(text)
    if not words:
        return None
    canonical, plain, sound, doublet = map(" ".join, zip(*words, strict=True))
    return Name(canonical, plain, *split_name(canonical), sound, doublet)


def spell_name(text: str) -> tuple[str, str, str, str]:
    """Canonical spelling, plain letters, keys of sound and of doublets of a name as typed; all empty without a word."""
    words = _words(text)
    return (
        " ".join([word[0] for word in words]),
        " ".join([word[1] for word in words]),
        " ".join([word[2] for word in words]),
        " ".join([word[3] for word in words]),
    )


def split_name(canonical: str) -> tuple[str, str, str]:
    """Surname, middle and given name of a name in canonical spelling."""
    surname, _, rest = canonical.partition(" ")
    middle, _, given = rest.rpartition(" ")
    return (surname, middle, given) if rest else ("", "", canonical)


# canonical spelling, plain letters, key of sound, key of doublets
_Word = tuple[str, str, str, str]

_TITLES = frozenset(
    {"ông", "ong", "bà", "cụ", "cháu", "bé", "chị", "cô", "bác", "thầy", "dì", "mợ", "thím"}
    | {"bs", "bscki", "bsckii", "cki", "ckii", "ths", "ts", "gs", "pgs", "ds", "đd", "ktv", "ys"}
    | {"hs", "sv", "gv", "bn", "lm", "mr", "mrs", "ms", "dr"},
)
# names of their own too: a title only before a common surname, one with Thị or Văn behind it, or another title
_AMBIGUOUS_TITLES = frozenset({"ông", "ong", "thầy", "dì", "mợ", "thím"})
_COMMON_SURNAMES = frozenset(
    {"nguyễn", "trần", "lê", "phạm", "hoàng", "huỳnh", "phan", "vũ", "võ", "đặng", "bùi", "đỗ", "hồ", "ngô"}
    | {"dương", "trương", "đinh", "đoàn", "lâm", "trịnh", "phùng", "lương", "lưu", "đào", "tống", "quách", "triệu"}
    | {"nguyen", "tran", "le", "pham", "hoang", "huynh", "vu", "vo", "dang", "bui", "do", "ho", "ngo"},
)
# in plain letters; of several words where they are written so
_SAINTS = frozenset(
    {"maria", "anna", "ana", "teresa", "terexa", "phero", "phaolo", "giuse", "gioan", "gioankim", "gioakim", "daminh"}
    | {"anton", "antonio", "micae", "martino", "mactino", "phanxico", "xavie", "vincente", "vinhson", "toma", "mattheu"}
    | {"matta", "macta", "madalena", "rosa", "cecilia", "xexilia", "lucia", "luxia", "catarina", "agata"}
    | {
        "inhaxio",
        "augustino",
        "autinh",
        "baotixita",
        "baotixia",
        "simon",
        "giacobe",
        "giacobo",
        "batolomeo",
        "stephano",
    }
    | {"philipphe", "isave", "elisabet", "monica", "clara", "emmanuel", "raphael", "gabriel", "benado", "carolo"}
)
_SAINTS_OF_TWO = frozenset(
    {("phe", "ro"), ("phao", "lo"), ("giu", "se"), ("gio", "an"), ("da", "minh"), ("vinh", "son"), ("an", "ton")}
)
_NO_SAINTS_TONES = frozenset("\u0300\u0303\u0309\u0323")
_MAY_BE_SAINTS = _SAINTS | {first for first, _ in _SAINTS_OF_TWO}
_NEVER_GIVEN = frozenset({"thị", "thi", "văn", "van"})
_PLAIN = re.compile(f"[{LETTERS}]+(?:'[{LETTERS}]+)?")
_PAIR_OF_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")
_BRACKETED = re.compile(r"\([^)]*\)?|\[[^\]]*\]?|\{[^}]*\}?")
_WARD_NOTE = re.compile(r"\b[fF][0-9]\b")
# behind a name and a sign: where the person lives, whose child it is, whose phone follows
_NOTE_BEHIND = re.compile(
    r"(?<=\w)\s*(?:\s[-–]|[,;:/])\s*"
    r"(?:thôn|tổ|ấp|xóm|khu|đội|kp|kdc|con|cháu|mẹ|bố|cha|vợ|chồng|sđt|sdt|đt|dt|cn|nv|gv|hs|sn|ns)\b.*$",
    re.IGNORECASE,
)
_BORN = re.compile(r"(?<=\w)\s+(?:sinh\s+năm|sinh|năm|sn|ns)[\s.:]*(?:[0-9]{1,2}[/.-]){0,2}[0-9]{4}\b", re.IGNORECASE)
# each with the characters of which it holds one at least
_NOTES = (
    (frozenset("([{"), _BRACKETED),
    (frozenset("0123456789"), _WARD_NOTE),
    (frozenset("-–,;:/"), _NOTE_BEHIND),
    (frozenset("0123456789"), _BORN),
)
_ZERO_FOR_O = re.compile(r"(?<=[^\W\d_])0(?=[^\W\d_])")
_JOINED_APOSTROPHE = re.compile(r"(?:(?<=^[^\W\d_])|(?<=\s[^\W\d_])|(?<=^[hk])\s)'\s*(?=[^\W\d_])", re.IGNORECASE)
_GLUED = re.compile(f"({'|'.join(sorted(_COMMON_SURNAMES))})(thị|thi|văn|van)(.{{2,}})", re.IGNORECASE)
_CAPITALISED = re.compile(f"[{LETTERS.upper()}][{LETTERS}]*")


def _words(text: str) -> list[_Word]:
    typed = text.split()
    words = [word for word in map(_plain_word, typed) if word]
    # à in UTF-8 read as cp1252 ends in a no-break space, which would tear the word
    if not words or len(words) < len(typed) or "\u00a0" in text:
        return [_word(word) for word in _repair(text)]
    if words[0][0] in _TITLES or words[0][1] in _MAY_BE_SAINTS:
        return [_word(word) for word in _name_itself([word[0] for word in words])]
    return words


@lru_cache(maxsize=1 << 17)
def _plain_word(word: str) -> _Word | None:
    """A word that needs no repair; None for any other."""
    word = unicodedata.normalize("NFC", word)
    lower = word.lower()
    if (
        not _PLAIN.fullmatch(lower)
        or _parts_of_glued(word)
        or any(map(may_be_mojibake, (word, lower)))
        or may_hold_letters(lower)
    ):
        return None
    return _word(lower)


@lru_cache(maxsize=1 << 17)
def _word(word: str) -> _Word:
    canonical = place_tone(word)
    return canonical, fold(canonical), sound_key(canonical), doublet_key(canonical)


def _repair(text: str) -> list[str]:
    """The words of a name as typed, each in lower case and with at least one Latin letter."""
    words = _repair_once(text)
    # what is thrown away may have hidden what it stood beside
    while not _are_clean(words) and (again := _repair_once(" ".join(words))) != words:
        words = again
    return words


def _are_clean(words: list[str]) -> bool:
    return bool(words) and all(map(_plain_word, words)) and _name_itself(words) == words


def _repair_once(text: str) -> list[str]:
    composed = unicodedata.normalize("NFC", html.unescape(text) if "&" in text else text)
    decoded = decode_mojibake(composed)
    words = decoded.split()
    if not all(map(str.isalpha, words)):
        # VIQR writes ă as a( without its pair
        words = undo_signs(_without(_PAIR_OF_BRACKETS, decoded).split())
        words = _without_notes(compose(" ".join(words))).split()
    words = [latin_word(compose(word)) for word in words]
    if decoded == composed:
        words = [part for word in words for part in _parts_of_glued(word) or (word,)]
    words = [word.lower() for word in words]
    if not all(map(_PLAIN.fullmatch, words)):
        words = _lettered(" ".join(map(_without_zeros, words)))
    return _name_itself(undo_letters(_without_titles(words)))


def _lettered(text: str) -> list[str]:
    """The words of a text in lower case that hold a Latin letter, without anything but letters and apostrophes."""
    letters = _JOINED_APOSTROPHE.sub("'", "".join(_name_characters(text)))
    trimmed = map(_trim_apostrophes, letters.split())
    return [word for word in trimmed if _word(word)[1]]


def _without_notes(text: str) -> str:
    for signs, note in _NOTES:
        if not signs.isdisjoint(text):
            text = _without(note, text)
    return text


def _without(note: re.Pattern[str], text: str) -> str:
    """The text without its notes, unless it is nothing else."""
    rest = note.sub(" ", text)
    return rest if any(map(str.isalpha, rest)) else text


def _without_zeros(word: str) -> str:
    """H0àng → Hoàng, where that is a syllable."""
    letters = _ZERO_FOR_O.sub("o", word)
    return letters if letters != word and reads_without_marks(letters) else word


def _name_characters(text: str) -> list[str]:
    kept: list[str] = []
    for character in unicodedata.normalize("NFC", text):
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


def _name_itself(words: list[str]) -> list[str]:
    """The words of a name without titles and saints' names in front."""
    while (fewer := _without_saints(_without_titles(words))) != words:
        words = fewer
    return words


def _without_titles(words: list[str]) -> list[str]:
    # given name first: Bé Nguyễn Thị
    while len(words) > 2 and words[0] in _TITLES and words[-1] not in _NEVER_GIVEN:
        ambiguous = words[0] in _AMBIGUOUS_TITLES and words[2] not in _NEVER_GIVEN
        if ambiguous and words[1] not in _COMMON_SURNAMES | _TITLES:
            break
        words = words[1:]
    return words


def _without_saints(words: list[str]) -> list[str]:
    """Maria Nguyễn Thị Lan → Nguyễn Thị Lan; a name that does not go on as a Vietnamese one stays."""
    rest = words
    while len(rest) > 2:
        first, second = (_word(word)[1] for word in rest[:2])
        if first not in _SAINTS and (first, second) not in _SAINTS_OF_TWO:
            break
        following = rest[1:] if first in _SAINTS else rest[2:]
        # Gioãn Văn Hùng is a Doãn: no saint has such a tone, and a surname goes before Văn
        if following[0] in _NEVER_GIVEN or not _NO_SAINTS_TONES.isdisjoint(unicodedata.normalize("NFD", rest[0])):
            break
        rest = following
    with_marks = not all(map(str.isascii, rest)) and all(map(reads_without_marks, rest))
    proof = len(rest) > 1 and (rest[0] in _COMMON_SURNAMES or rest[1] in _NEVER_GIVEN or with_marks)
    return rest if proof else words


def _parts_of_glued(word: str) -> list[str] | None:
    """NguyenVanA → Nguyen, Van, A, NGUYENVANAN → NGUYEN, VAN, AN; None for a word that is not several."""
    if word.islower() or word.isupper() or word.istitle():
        return _parts_of_one_case(word) if len(word) > 8 else None
    parts = _CAPITALISED.findall(word)
    whole = "".join(parts) == word and all(len(part) > 1 for part in parts[:-1])
    return parts if whole and len(parts) > (1 if len(parts[-1]) > 1 else 2) else None


def _parts_of_one_case(word: str) -> list[str] | None:
    """A common surname, Thị or Văn, and what can be only one syllable or only one pair of them."""
    found = _GLUED.fullmatch(word)
    rest = found[3] if found else ""
    splits = [[rest]] + [[rest[:at], rest[at:]] for at in range(2, len(rest) - 1)]
    possible = [parts for parts in splits if all(reads_without_marks(part.lower()) for part in parts)]
    return [found[1], found[2], *possible[0]] if found and len(possible) == 1 else None
