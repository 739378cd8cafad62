"""What clerks do to a name, a number or a phone: text in, text out, drawn from `random.Random`."""

import json
import unicodedata
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from random import Random

Rewrite = Callable[[str, Random], str]

TONES = "\u0300\u0301\u0303\u0309\u0323"
SOUND_ALIKE = (
    ("L", "N"), ("N", "L"), ("Ch", "Tr"), ("Tr", "Ch"), ("S", "X"), ("X", "S"), ("D", "Gi"), ("Gi", "D"),
    ("V", "D"),
    ("n", "ng"), ("ng", "n"), ("t", "c"), ("c", "t"), ("i", "y"), ("y", "i"), ("Qu", "Q"),
)  # fmt: skip
DOUBLETS = (
    ("Hoàng", "Huỳnh"), ("Vũ", "Võ"), ("Phúc", "Phước"), ("Bảo", "Bửu"), ("Cảnh", "Kiểng"), ("Nhật", "Nhựt"),
    ("Sinh", "Sanh"), ("Chính", "Chánh"), ("Tùng", "Tòng"), ("Chu", "Châu"), ("Trường", "Tràng"),
)  # fmt: skip
OLD_PLACEMENT = (("òa", "oà"), ("óa", "oá"), ("ỏa", "oả"), ("õa", "oã"), ("ọa", "oạ"), ("úy", "uý"), ("ùy",
"uỳ"),
                 ("ủy", "uỷ"), ("ũy", "uỹ"), ("ụy", "uỵ"))  # fmt: skip
TELEX_TONES = {"\u0300": "f", "\u0301": "s", "\u0303": "x", "\u0309": "r", "\u0323": "j"}
TELEX_MARKS = {"\u0302": "", "\u0306": "w", "\u031b": "w"}
OLD_PHONES = {"70": "120", "79": "121", "77": "122", "76": "126", "78": "128", "83": "123", "84": "124",
"85": "125",
              "81": "127", "82": "129", "32": "162", "33": "163", "34": "164", "35": "165", "36": "166",
              "37": "167",
              "38": "168", "39": "169"}  # fmt: skip


def plain(name: str, random: Random) -> str:
    """No diacritics; half the time in capitals."""
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
    """Keys of the Telex method left over."""
    return " ".join(_telex_word(word) for word in name.split())


def decompose(name: str, _: Random) -> str:
    """Combining accents."""
    return unicodedata.normalize("NFD", name)


def old_placement(name: str, random: Random) -> str:
    """The tone on the other vowel, where the word allows it."""
    for one, other in OLD_PLACEMENT:
        if name.endswith(one) or one + " " in name:
            return name.replace(one, other)
    return decompose(name, random)


def wrong_digit(number: str, random: Random) -> str:
    """One digit of the serial replaced."""
    at = (
        random.randrange(len(number) // 2, len(number))
        if random.random() < 0.8
        else random.randrange(3, len(number))
    )
    return number[:at] + random.choice([d for d in "0123456789" if d != number[at]]) + number[at + 1 :]


def transpose(number: str, random: Random) -> str:
    """Two neighbouring digits swapped."""
    spots = [i for i in range(3, len(number) - 1) if number[i] != number[i + 1]]
    if not spots:
        return wrong_digit(number, random)
    at = random.choice(spots)
    return number[:at] + number[at + 1] + number[at] + number[at + 2 :]


def lose_zeros(number: str, _: Random) -> str:
    """A numeric spreadsheet cell."""
    return number.lstrip("0")


def drop_digit(number: str, random: Random) -> str:
    """One digit missing."""
    at = random.randrange(3, len(number))
    return number[:at] + number[at + 1 :]


def extra_digit(number: str, random: Random) -> str:
    """One digit typed twice or too many."""
    at = random.randrange(3, len(number))
    return number[:at] + random.choice([number[at], str(random.randrange(10))]) + number[at:]


def look_alike(number: str, random: Random) -> str:
    """Letters that look like digits."""
    pairs = [(d, c) for d, c in (("0", "O"), ("1", "l"), ("5", "S"), ("0", "o")) if d in number]
    digit, letter = random.choice(pairs)
    return number.replace(digit, letter, random.randint(1, 3))


def exponent(number: str, _: Random) -> str:
    """Scientific form; the last digits are gone."""
    return f"{int(number):.4E}".replace("E+0", "E+")


def two_numbers(number: str, random: Random) -> str:
    """Another number in the same cell."""
    other = str(random.randrange(10_000_000, 390_000_000)).zfill(9)
    return random.choice(
        [f"{number}/{other}", f"{other} - {number}", f"{other}; {number}", f"{number} ({other})"]
    )


def placeholder(_: str, random: Random) -> str:
    """What stands in the box when there is no number."""
    return random.choice(
        ["0", "000000000", "123456789", "999999999999", "chưa có", ".", "không", "-", "000000000000"]
    )


def old_phone(phone: str, _: Random) -> str:
    """The eleven digits of before 2018."""
    return "0" + OLD_PHONES.get(phone[1:3], phone[1:3]) + phone[3:]


def phone_format(phone: str, random: Random) -> str:
    """+84, spaces, dots, the zero eaten."""
    kind = random.randrange(5)
    return (
        "+84" + phone[1:], phone[1:], f"{phone[:4]} {phone[4:7]} {phone[7:]}",
        f"{phone[:4]}.{phone[4:7]}.{phone[7:]}",
        "84" + phone[1:],
    )[kind]  # fmt: skip


def number_format(number: str, random: Random) -> str:
    """Separators and labels around a number that is right."""
    kind = random.randrange(6)
    return (
        f"{number[:3]} {number[3:6]} {number[6:9]} {number[9:]}".strip(), f"'{number}", f"CCCD: {number}",
        f" {number} ",
        f"{number[:4]}.{number[4:8]}.{number[8:]}".strip("."), f"{number[:6]}-{number[6:]}",
    )[kind]  # fmt: skip


def look_upper(name: str, _: Random) -> str:
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
        letter: entry["as_cp1252"]
        for letter, entry in table.items()
        if letter == unicodedata.normalize("NFC", letter)
    }


def _telex_word(word: str) -> str:
    result: list[str] = []
    tone = ""
    for c in unicodedata.normalize("NFD", word.replace("Đ", "DD").replace("đ", "dd")):
        if c in TELEX_TONES:
            tone = TELEX_TONES[c]
        elif c == "\u0302":
            result.append(result[-1].lower())
        else:
            result.append(TELEX_MARKS.get(c, c))
    return "".join(result) + tone
