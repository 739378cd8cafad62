"""The address inside a commune: the home, and the hamlet or street it belongs to, however they are written."""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from linkage.vietnamese.text import compose, without_marks


@dataclass(frozen=True, slots=True)
class Address:
    """An address in plain letters and digits, without the administrative units above it.

    ``home`` is all that is known: house number, alley and street, or house number, group and hamlet. ``hamlet`` is
    the hamlet or quarter, else the street, without house number, alley and group; None when there is neither.
    They are equal when nothing more exact than the hamlet or the street is given. A hamlet with a name stands
    without its kind (thôn Đông and ấp Đông are dong), one with a number has it (thon 5).
    """

    home: str
    hamlet: str | None


def parse_address(text: str) -> Address | None:
    """The address in a cell as typed; None when it holds nothing but administrative units or signs."""
    found = _Parts()
    first = True
    for piece in _COMMA.split(text):
        for words, is_unit, is_unit_if_first in _segments(piece):
            if not (is_unit_if_first if first else is_unit):
                found.read(words)
            first = False
    return found.address()


# a group of homes inside a hamlet, the hamlet itself: kind as written → kind, how much it holds
_GROUPS = {
    "to": ("to", 1),
    "to tu quan": ("to", 1),
    "t": ("to", 1),
    "nhom": ("nhom", 1),
    "cum": ("cum", 1),
    "doi": ("doi", 2),
}
_HAMLETS = {"xom": ("xom", 3), "x": ("xom", 3), "khu": ("khu", 3)}
_HAMLETS |= dict.fromkeys(("to dan pho", "to dp", "t dp", "tdp"), ("to", 3))
_HAMLETS |= {kind: (kind, 4) for kind in ("thon", "ap", "ban", "buon", "lang", "plei", "khom", "phum", "soc")}
_HAMLETS |= dict.fromkeys(("khu pho", "kp", "k p"), ("khu pho", 4)) | dict.fromkeys(("khu vuc", "kv"), ("khu vuc", 4))
_HAMLETS |= dict.fromkeys(("tieu khu", "tk"), ("tieu khu", 4))
_HAMLETS |= dict.fromkeys(("khu dan cu", "kdc"), ("khu dan cu", 4))
_KINDS = {tuple(written.split()): kind for written, kind in (_GROUPS | _HAMLETS).items()}
_FIRST_WORDS = frozenset(words[0] for words in _KINDS)
# also words of names (Lạng Sơn, Bàn Cờ): kinds of a named hamlet only where an address begins
_ALSO_NAMES = frozenset({"ban", "lang", "soc", "khu", "x"})
_ALLEYS = frozenset({"ngo", "ngach", "hem", "kiet"})
_HOUSE = {("so", "nha"), ("nha", "so"), ("so",), ("sn",), ("nha",)}
_STREETS = {("duong",), ("d",), ("pho",), ("dai", "lo")}
_UNITS: set[tuple[str, ...]] = {("xa",), ("huyen",), ("thi", "tran"), ("thi", "xa"), ("thanh", "pho"), ("tinh",)}
_UNITS |= {("tt",), ("tx",), ("tp",), ("dac", "khu")}
_SHORT_UNITS: set[tuple[str, ...]] = {("p",), ("f",), ("q",), ("h",), ("x",), ("t",), ("phuong",), ("quan",)}
_FIRST_OF_UNITS = frozenset(words[0] for words in _UNITS | _SHORT_UNITS)
_FIRST_OF_HOUSES = frozenset(words[0] for words in _HOUSE)
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}

_SPACED_SLASH = re.compile(r"\s*/\s*")
_HYPHEN_IN_NUMBER = re.compile(r"(?<=[0-9])([a-z]?)-(?=[0-9])")
_SHORT_WITH_STOP = re.compile(r"\b(p|q|h|x|tt|tx|tp|t|f)\s*\.\s*(?=[a-z0-9])")
_UNIT_INSIDE = re.compile(
    r"(?<=\S)(?<!\bba)\s+(?=(?:p|f|q|phuong|quan)\s?[0-9]{1,2}\b"
    r"|(?:phuong|xa|thi tran|tt)\s+[a-z0-9 ]+?\s(?:quan|huyen|thi xa|thanh pho|tinh|tp|tx)\s"
    r"|(?:tp|tinh|huyen|thi xa|thi tran)\s[a-z ]+$)"
)
_COMMA = re.compile(r"[,;\n\r]")
_BETWEEN = re.compile(r"[,:()]|/(?=[a-z]{2})|[-–—]")
_GLUED = re.compile(r"\b(sn|so|to|tdp|kp|ap|thon|xom|doi|khu|kv|tk|ngo|hem|p|q|f|x|t)\.?\s*(?=[0-9])")
_WORD = re.compile(r"[a-z0-9/]+")
_NUMBER = re.compile(r"[a-z]{0,2}[0-9][a-z0-9]*(?:/[a-z0-9]+)*")
_ZEROS = re.compile(r"(?<![a-z0-9])0+(?=[0-9])")


@lru_cache(maxsize=1 << 17)
def _segments(text: str) -> list[tuple[list[str], bool, bool]]:
    """The words of each part between two commas; whether they are a unit, elsewhere and where an address begins."""
    plain = without_marks(text)
    if not plain.isascii():
        plain = without_marks(compose(text))
    if "/" in plain or "-" in plain:
        plain = _HYPHEN_IN_NUMBER.sub(r"\1/", _SPACED_SLASH.sub("/", plain))
    plain = _GLUED.sub(r"\1 ", plain.replace("'", ""))
    plain = _SHORT_WITH_STOP.sub(r",\1 ", plain) if "." in plain else plain
    plain = _ZEROS.sub("", plain) if "0" in plain else plain
    pieces = (" ".join(_WORD.findall(piece)) for piece in _BETWEEN.split(plain))
    parts = (_UNIT_INSIDE.sub(",", words).split(",") for words in pieces)
    found = [part.split() for each in parts for part in each if part]
    return [(words, _is_unit(words, first=False), _is_unit(words, first=True)) for words in found]


def _is_unit(words: list[str], *, first: bool) -> bool:
    """Whether words name a commune, district, province or the country."""
    if words[0] not in _FIRST_OF_UNITS:
        return words in (["viet", "nam"], ["vn"])
    following = words[_length(_UNITS, words, 0) or _length(_SHORT_UNITS, words, 0) :]
    if len(following) == len(words) or not following:
        return False
    number = following[0].isdigit()
    if words[0] in {"x", "t"} and number:
        return False  # xóm 3, tổ 5
    if words[0] == "p" and number and len(following[0]) > 2:
        return False  # a room
    return number or (words[:2] != ["tinh", "lo"] and (not first or bool(_length(_UNITS, words, 0))))


def _length(phrases: set[tuple[str, ...]], words: list[str], at: int) -> int:
    """How many words from here make one of the phrases; 0 for none."""
    if tuple(words[at : at + 2]) in phrases:
        return min(2, len(words) - at)
    return 1 if tuple(words[at : at + 1]) in phrases else 0


def _is_number(words: list[str], at: int) -> bool:
    return at < len(words) and _NUMBER.fullmatch(words[at]) is not None


@dataclass(slots=True)
class _Parts:
    """What has been read of an address so far."""

    house: str = ""
    alleys: list[str] = field(default_factory=list)
    street: str = ""
    # how much each holds, and its text
    local: list[tuple[int, str]] = field(default_factory=list)

    def address(self) -> Address | None:
        local = [text for _, text in sorted(self.local)]
        hamlet = local[-1] if local else self.street
        if self.house and self.street:
            parts = [self.house, *self.alleys, self.street]
        elif self.house or len(local) > 1:
            parts = [self.house, *self.alleys, *local]
        else:
            parts = [*self.alleys, *local, self.street]
        home = " ".join(filter(None, parts))
        return Address(home, hamlet or None) if home else None

    def read(self, words: list[str]) -> None:
        """Take in the words between two commas."""
        begun = bool(self.street or self.local)
        exact = len(self.alleys) + bool(self.house)
        rest: list[str] = []
        at = 0
        while at < len(words):
            size = self._local(words, at, first=not begun and not self.house and at == 0) or self._number(
                words, at, alone=not rest
            )
            if not size:
                rest.append(words[at])
            at += size or 1
        if rest and not self.street and (not begun or len(self.alleys) + bool(self.house) > exact):
            self.street = _street(rest) if not self.local or begun else ""

    def _local(self, words: list[str], at: int, *, first: bool) -> int:
        """Read a group or hamlet from here; the number of words it takes, 0 when there is none."""
        if words[at] not in _FIRST_WORDS:
            return 0
        size = next((size for size in (3, 2, 1) if tuple(words[at : at + size]) in _KINDS), 0)
        start = at + size
        if not size or start >= len(words):
            return 0
        kind, holds = _KINDS[tuple(words[at:start])]
        if words[start] == "so" and _is_number(words, start + 1):
            start += 1
        value = _ROMAN.get(words[start], words[start])
        if _NUMBER.fullmatch(value) or (len(value) == 1 and len(words) == start + 1):
            self._add(holds, f"{kind} {value}")
            return start + 1 - at
        if holds < 3 or (words[at] in _ALSO_NAMES and size == 1 and not first):
            return 0
        end = start + 1
        while end < len(words) and not (words[end] in _FIRST_WORDS and _is_number(words, end + 1)):
            end += 1
        self._add(holds, " ".join(words[start:end]))
        return end - at

    def _add(self, holds: int, text: str) -> None:
        # the units of an address grow: what follows a hamlet and is as large is a unit above it
        if all(holds < 4 or held < 4 for held, _ in self.local):
            self.local.append((holds, text))

    def _number(self, words: list[str], at: int, *, alone: bool) -> int:
        """Read a house number or an alley from here; the number of words it takes, 0 when there is none."""
        if words[at] in _ALLEYS and _is_number(words, at + 1):
            self.alleys.append(f"{words[at]} {words[at + 1]}")
            return 2
        size = _length(_HOUSE, words, at) if words[at] in _FIRST_OF_HOUSES else 0
        if self.house or not _is_number(words, at + size) or not (size or alone):
            return 0
        self.house = words[at + size]
        return size + 1


def _street(words: list[str]) -> str:
    """A street without its kind, unless that stands before a number."""
    while (size := _length(_STREETS, words, 0)) and len(words) > size:
        named = words[size:]
        if named[0] == "so" and len(named) > 1:
            named = named[1:]
        if named[0][0].isdigit():
            return " ".join(["duong", *named])
        words = words[size:]
    return " ".join(words)
