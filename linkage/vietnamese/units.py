"""Administrative units of 2021 and of July 2025, their names before, between and since, and who became what."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal

from linkage.vietnamese.text import compose, without_marks
from linkage.vietnamese.tones import place_tone

Level = Literal["province", "district", "former_district", "commune", "former_commune", "later_commune", "commune_2025"]
_DIGITS: dict[Level, int] = {"province": 2, "district": 3, "commune": 5, "commune_2025": 5}
_NUMBER = re.compile(r"\s*([0-9]{1,5})(?:\.0)?\s*")


class Units:
    """The tables, and the unit that a typed name or code means inside another one.

    parent: the province of a district of 2021, the district of a commune of 2021.
    province_2025: the province of 2025 that took a province of 2021 in; provinces: the other way round.
    successors: the communes of 2025 that took a commune of 2021 in, or an island district without communes.
    parts: the other way round, the units of 2021 that a commune of 2025 has land of.
    names_kept: provinces of 2021 whose name is the name of a province of 2025.
    """

    def __init__(self) -> None:
        self.parent: dict[str, str] = {}
        self.province_2025: dict[str, str] = {}
        self.provinces: dict[str, list[str]] = {}
        self.successors: dict[str, list[str]] = {}
        self.parts: dict[str, list[str]] = {}
        self.names_kept = {"46"}  # Thừa Thiên Huế is called by the name of its city
        # by level, unit above ('' for anywhere) and form of the name; '' marks a form that several units share
        self._named: dict[tuple[Level, str, str], str] = {}
        self._codes: dict[tuple[Level, str], tuple[str, ...]] = {}
        self._read_provinces()
        self._read_units_of_2021()
        self._read_units_of_2025()
        self._read_other_names()

    def _read_provinces(self) -> None:
        for code, name, code_2025, name_2025 in rows("provinces", "code", "name", "code_2025", "name_2025"):
            self._add("province", code, name, ("",))
            self.province_2025[code] = code_2025
            self.provinces.setdefault(code_2025, []).append(code)
            if name == name_2025:
                self.names_kept.add(code)
        for code, aliases in _PROVINCE_ALIASES.items():
            for alias in aliases.split():
                self._named["province", "", f":{alias}"] = code

    def _read_units_of_2021(self) -> None:
        for code, name, province in rows("districts", "code", "name", "province"):
            self.parent[code] = province
            self._add("district", code, name, (province, ""))
        for code, name, district in rows("communes", "code", "name", "district"):
            self.parent[code] = district
            self._add("commune", code, name, (district, self.parent[district]))
            self._codes["commune", code] += ("",)

    def _read_units_of_2025(self) -> None:
        for code, name, province in rows("communes_2025", "code", "name", "province"):
            self._add("commune_2025", code, name, (province,))
            self._codes["commune_2025", code] += ("",)
        for unit, commune in rows("successors", "unit", "commune_2025"):
            self.successors.setdefault(unit, []).append(commune)
            self.parts.setdefault(commune, []).append(unit)

    def _read_other_names(self) -> None:
        districts: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for name, province, district in rows("former_districts", "name", "province", "district"):
            districts[name, province].append(district)
        for (name, province), codes in districts.items():
            self._add("former_district", "+".join(codes), name, (province, ""))
        for name, district, commune, later in rows("former_communes", "name", "district", "commune", "commune_2025"):
            self._add("former_commune" if commune else "later_commune", commune or later, name, (district,))

    def _add(self, level: Level, code: str, name: str, above: tuple[str, ...]) -> None:
        self._codes[level, code] = above
        for unit in above:
            for form in (*_as_typed(name), *_forms(name)):
                if not unit and form.lstrip(":").isdigit():
                    continue  # a bare number is a code unless its province is known
                key = level, unit, form
                self._named[key] = code if self._named.get(key, code) == code else ""

    def find(self, level: Level, text: str, above: str = "") -> str | None:
        """The unit that a cell means, a code or a name, inside the unit ``above`` ('' for anywhere).

        '' when several units have the name, None when none has. A code with fewer digits than its level has,
        as spreadsheets leave it, counts where no name fits and the unit above is known. Former districts that
        became several of 2021 are joined by '+'.
        """
        found = self._named.get((level, above, text.lower()))
        if found:
            return found
        number = _NUMBER.fullmatch(text)
        if number and self._is_code(level, number[1], above):
            return number[1]
        for form in _forms(text):
            found = self._named.get((level, above, form), found)
            if found:
                return found
        if number and (above or level == "province"):
            padded = number[1].zfill(_DIGITS.get(level, 0))
            return padded if self._is_code(level, padded, above) else found
        return found

    def _is_code(self, level: Level, code: str, above: str) -> bool:
        return len(code) == _DIGITS.get(level) and above in self._codes.get((level, code), ())


@cache
def all_units() -> Units:
    """The tables, read once."""
    return Units()


def is_number(text: str) -> bool:
    """A cell that is a code, not a name."""
    return _NUMBER.fullmatch(text) is not None


def rows(table: str, *columns: str) -> Iterable[tuple[str, ...]]:
    """Columns of one of the data tables, row by row."""
    with files(__package__).joinpath(f"data/{table}.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            yield tuple(row[column] for column in columns)


# kinds of unit as typed, with and without accents, shortened, or in English
_KINDS = {
    "tỉnh": ("tỉnh", "tinh", "t"),
    "thành phố": ("thành phố", "thanh pho", "tp", "t p"),
    "quận": ("quận", "quan", "q", "district"),
    "huyện": ("huyện", "huyen", "h"),
    "thị xã": ("thị xã", "thi xa", "tx", "t x"),
    "phường": ("phường", "phuong", "p", "f", "ward"),
    "xã": ("xã", "xa", "x"),
    "thị trấn": ("thị trấn", "thi tran", "tt", "t t"),
    "đặc khu": ("đặc khu", "dac khu", "đk"),
}
_KIND_OF = {tuple(typed.split()): kind for kind, forms in _KINDS.items() for typed in forms}
_WORD = re.compile(r"[^\W\d_]+|[0-9]+")
_APOSTROPHES = re.compile("['’‘`´]")
# other names of provinces, in the plain letters that _plain leaves
_PROVINCE_ALIASES = {
    "01": "hn tphn hanoiciti",
    "46": "hue tthue tth",
    "48": "dn tpdn",
    "77": "brvt bariavt vungtau baria",
    "79": "hcm tphcm hcmc tphochiminh hochiminhciti sg saigon tpsg",
}


def _as_typed(name: str) -> tuple[str, ...]:
    """The name as most people type it, found without looking at its words; none of a number or without marks."""
    words = name.lower().split()
    typed = " ".join(words), " ".join(_without_kind(words)[1])
    # Phường 6 of one district is Phường 06 of another
    return tuple(form for form in typed if not form.isascii() and not words[-1].isdigit())


@lru_cache(maxsize=1 << 16)
def _forms(text: str) -> tuple[str, ...]:
    """Forms of a typed name to look up, the surest first: spelled or plain, with or without the kind."""
    words = _WORD.findall(_APOSTROPHES.sub("", compose(text).lower()))
    kind, rest = _without_kind(words)
    spelled, plain = zip(*map(_spellings, words), strict=True) if words else ((), ())
    forms = []
    for spelling in (spelled, plain):
        typed, named = "".join(spelling), "".join(spelling[len(words) - len(rest) :])
        forms += [f"{kind}:{named}", f":{typed}", f":{named}"]
    return tuple(dict.fromkeys(form for form in forms if not form.endswith(":")))


def _without_kind(words: list[str]) -> tuple[str, list[str]]:
    for length in (2, 1):
        kind = _KIND_OF.get(tuple(words[:length]))
        if kind and len(words) > length:
            return kind, words[length:]
    return "", words


@lru_cache(maxsize=1 << 14)
def _spellings(word: str) -> tuple[str, str]:
    """A word with its tone in its place; and plain: no marks, y as i (Quy, Qui), one spelling of Đắk and Lắk."""
    if word.isdigit():
        number = word.lstrip("0")
        return number, number
    spelled = place_tone(word)
    return spelled, without_marks(spelled).replace("y", "i").replace("dac", "dak").replace("lac", "lak")
