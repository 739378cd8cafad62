"""What clerks do to a name: text in, text out, drawn from `random.Random`."""

import json
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from random import Random

Rewrite = Callable[[str, Random], str]

TONES = "\u0300\u0301\u0303\u0309\u0323"
SOUND_ALIKE = (
    ("L", "N"), ("N", "L"), ("Ch", "Tr"), ("Tr", "Ch"), ("S", "X"), ("X", "S"), ("D", "Gi"), ("Gi", "D"),
    ("V", "D"), ("n", "ng"), ("ng", "n"), ("t", "c"), ("c", "t"), ("i", "y"), ("y", "i"), ("Qu", "Q"),
)  # fmt: skip
DOUBLETS = (
    ("Hoàng", "Huỳnh"), ("Vũ", "Võ"), ("Phúc", "Phước"), ("Bảo", "Bửu"), ("Cảnh", "Kiểng"), ("Nhật", "Nhựt"),
    ("Sinh", "Sanh"), ("Chính", "Chánh"), ("Tùng", "Tòng"), ("Chu", "Châu"), ("Trường", "Tràng"),
)  # fmt: skip
PLACEMENTS = (
    ("òa", "oà"), ("óa", "oá"), ("ỏa", "oả"), ("õa", "oã"), ("ọa", "oạ"), ("ùy", "uỳ"), ("úy", "uý"),
    ("ủy", "uỷ"), ("ũy", "uỹ"), ("ụy", "uỵ"),
)  # fmt: skip
CODE_POINTS = (
    ("Đ", "\u00d0"),
    ("Đ", "\u0189"),
    (" ", "\u00a0"),
    (" ", " \u200b"),
    ("a", "\u0430"),
    ("o", "\u043e"),
)
MARKS, TONES_IN_ORDER = "\u0302\u0306\u031b", "\u0301\u0300\u0309\u0303\u0323"
TELEX, VNI_KEYS, VIQR = ("^ww", "sfrxj", "D", "d"), ("687", "12345", "9", "9"), ("^(+", "'`?~.", "D", "d")


def plain(name: str, random: Random) -> str:
    """No diacritics; mostly in capitals."""
    bare = "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c))
    bare = bare.replace("Đ", "D").replace("đ", "d")
    return bare.upper() if random.random() < 0.7 else bare


def misspell(name: str, random: Random) -> str:
    """One letter of a longer word dropped, doubled, swapped or replaced."""
    words = name.split()
    at = random.randrange(len(words))
    word = words[at]
    if len(word) < 3:
        return retone(name, random)
    spot = random.randrange(1, len(word))
    kind = random.randrange(4)
    if kind == 0:
        word = word[:spot] + word[spot + 1 :]
    elif kind == 1:
        word = word[:spot] + word[spot] + word[spot:]
    elif kind == 2 and spot + 1 < len(word) and word[spot] != word[spot + 1]:
        word = word[:spot] + word[spot + 1] + word[spot] + word[spot + 2 :]
    else:
        word = word[:spot] + random.choice([c for c in "aeiouynghctm" if c != word[spot]]) + word[spot + 1 :]
    return " ".join([*words[:at], word, *words[at + 1 :]])


def retone(name: str, random: Random) -> str:
    """One word gets another tone."""
    words = name.split()
    at = random.randrange(len(words))
    letters = unicodedata.normalize("NFD", words[at])
    toned = [i for i, c in enumerate(letters) if c in TONES]
    vowels = [i for i, c in enumerate(letters) if c.lower() in "aeiouy"]
    if toned:
        tone = random.choice([t for t in ("", *TONES) if t != letters[toned[0]]])
        letters = letters[: toned[0]] + tone + letters[toned[0] + 1 :]
    elif vowels:
        letters = letters[: vowels[0] + 1] + random.choice(TONES) + letters[vowels[0] + 1 :]
    else:
        letters += "a"
    words[at] = unicodedata.normalize("NFC", letters)
    return " ".join(words)


def sound_alike(name: str, random: Random) -> str:
    """One word as it sounds in a region."""
    words = name.split()
    for at in random.sample(range(len(words)), len(words)):
        word = words[at]
        for one, other in random.sample(SOUND_ALIKE, len(SOUND_ALIKE)):
            if one[0].isupper() and word.startswith(one) and word[len(one) :]:
                return " ".join([*words[:at], other + word[len(one) :], *words[at + 1 :]])
            if one.islower() and word.endswith(one) and len(word) > len(one) + 1:
                return " ".join([*words[:at], word[: -len(one)] + other, *words[at + 1 :]])
    return retone(name, random)


def doublet(name: str, random: Random) -> str:
    """The other form of a word under a name taboo."""
    words = name.split()
    pairs = [(at, other) for pair in (DOUBLETS, [(b, a) for a, b in DOUBLETS]) for one, other in pair
             for at, word in enumerate(words) if word == one]  # fmt: skip
    if not pairs:
        return sound_alike(name, random)
    at, other = random.choice(pairs)
    return " ".join([*words[:at], other, *words[at + 1 :]])


def drop_middle(name: str, random: Random) -> str:
    """A middle name left out."""
    words = name.split()
    if len(words) < 3:
        return misspell(name, random)
    at = random.randrange(1, len(words) - 1)
    return " ".join(words[:at] + words[at + 1 :])


def abbreviate(name: str, random: Random) -> str:
    """Ng. Văn An, Nguyễn V. An, N.V.An."""
    words = name.split()
    kind = random.randrange(3)
    if kind == 0 or len(words) < 3:
        return " ".join([words[0][:2] + ".", *words[1:]])
    if kind == 1:
        return " ".join([words[0], *(word[0] + "." for word in words[1:-1]), words[-1]])
    return ".".join([*(word[0] for word in words[:-1]), words[-1]])


def glue(name: str, _: Random) -> str:
    """NguyễnVănAn."""
    return "".join(name.split())


def annotate(name: str, random: Random) -> str:
    """A title in front or a note behind."""
    if random.random() < 0.6:
        return random.choice(["Ông ", "Bà ", "BS. ", "Cháu ", "Cô ", "Anh "]) + name
    return name + random.choice([" (F0)", " (bé)", " - F1", " (mẹ)", " (CN)", " (Thôn 2)"])


def given_first(name: str, random: Random) -> str:
    """The given name in front."""
    words = name.split()
    return " ".join([words[-1], *words[:-1]]) if len(words) > 1 else annotate(name, random)


def saint(name: str, random: Random) -> str:
    """A saint's name in front."""
    return random.choice(["Maria ", "Phêrô ", "Giuse ", "Têrêsa ", "Anna "]) + name


def mothers_surname(name: str, random: Random) -> str:
    """The mother's surname inserted."""
    words = name.split()
    return " ".join([words[0], random.choice(["Trần", "Lê", "Phạm", "Đỗ", "Bùi"]), *words[1:]])


def tcvn3(name: str, _: Random) -> str:
    """TCVN3 bytes read as cp1252."""
    table = _tcvn3()
    return "".join(table.get(letter, letter) for letter in name)


def utf8_as_cp1252(name: str, _: Random) -> str:
    """UTF-8 bytes read as cp1252."""
    return "".join(bytes([byte]).decode("cp1252", "replace") for byte in name.encode())


def telex(name: str, _: Random) -> str:
    """Keys of the Telex method left over: the vowel doubled for its hat, the tone at the end of the word."""
    return " ".join(re.sub(r"(\w)\^", r"\1\1", _keys(word, TELEX)) for word in name.split())


def vni_keys(name: str, _: Random) -> str:
    """Keys of the VNI method left over."""
    return " ".join(_keys(word, VNI_KEYS) for word in name.split())


def viqr(name: str, _: Random) -> str:
    """VIQR: marks and tones as signs behind the vowel."""
    letters = unicodedata.normalize("NFD", name.replace("Đ", "DD").replace("đ", "dd"))
    return letters.translate(str.maketrans(MARKS + TONES_IN_ORDER, VIQR[0] + VIQR[1]))


def code_points(name: str, random: Random) -> str:
    """Letters and spaces that look the same and are not."""
    one, other = random.choice([pair for pair in CODE_POINTS if pair[0] in name] or [CODE_POINTS[2]])
    return name.replace(one, other)


def decompose(name: str, _: Random) -> str:
    """Combining accents."""
    return unicodedata.normalize("NFD", name)


def other_placement(name: str, random: Random) -> str:
    """The tone on the other vowel, where the word allows it."""
    for one, other in PLACEMENTS:
        if name.endswith(one) or one + " " in name:
            return name.replace(one, other)
    return decompose(name, random)


def capitals(name: str, _: Random) -> str:
    """Capitals with diacritics."""
    return name.upper()


def spaced(name: str, random: Random) -> str:
    """Superfluous spaces, lower case."""
    return random.choice([name.replace(" ", "  ", 1), name + " ", " " + name, name.lower()])


@cache
def _tcvn3() -> dict[str, str]:
    table = json.loads(
        files("linkage.vietnamese").joinpath("data", "tcvn3_to_unicode.json").read_text(encoding="utf-8")
    )
    return {
        letter: entry["as_cp1252"] for letter, entry in table.items() if letter == unicodedata.normalize("NFC", letter)
    }


def _keys(word: str, method: tuple[str, str, str, str]) -> str:
    marks, tones, capital, small = method
    letters = unicodedata.normalize("NFD", word.replace("Đ", "D" + capital).replace("đ", "d" + small))
    tone = "".join(tones[TONES_IN_ORDER.index(c)] for c in letters if c in TONES_IN_ORDER)
    bare = "".join(c for c in letters if c not in TONES_IN_ORDER)
    return bare.translate(str.maketrans(MARKS, marks)) + tone
