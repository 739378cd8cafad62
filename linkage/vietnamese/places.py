"""Administrative units of 2021: typed names or codes become codes."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

from linkage.vietnamese.text import compose, without_marks
from linkage.vietnamese.tones import place_tone


@dataclass(frozen=True, slots=True)
class Place:
    """Codes of 2021: ``province`` (2 digits), ``district`` (3), ``commune`` (5); None where not resolved."""

    province: str | None
    district: str | None
    commune: str | None


def resolve_place(province: str | None, district: str | None, commune: str | None) -> Place:
    """The codes of three cells as typed, each a name or a code.

    A district is looked up inside its province, without one among all when its name is unique; a commune
    inside its district, or else inside its province when its name is unique there; never by its name alone.
    A found unit supplies the units above it when those cells say nothing.
    """
    units = _units()
    found_province = units.find(province, "", 2)
    found_district = units.find(district, found_province or "", 3)
    if found_district:
        found_province = units.parent[found_district]
    above = found_district or found_province or ""
    found_commune = units.find(commune, above, 5)
    if found_commune:
        found_district = units.parent[found_commune]
        found_province = units.parent[found_district]
    return Place(found_province, found_district, found_commune)


class _Units:
    """All units by parent and form of the name; '' marks a form that several units of one parent share."""

    def __init__(self) -> None:
        self.parent: dict[str, str] = {}
        self._named: dict[tuple[str, int, str], str] = {}
        self._provinces = frozenset(code for (code,) in _rows("provinces", ("code",)))
        for code, name in _rows("provinces", ("code", "name")):
            self._add(code, name, ("",))
        for code, name, province in _rows("districts", ("code", "name", "province")):
            self.parent[code] = province
            self._add(code, name, (province, ""))
        for code, name, district in _rows("communes", ("code", "name", "district")):
            self.parent[code] = district
            self._add(code, name, (district, self.parent[district]))
        for alias, code in _PROVINCE_ALIASES.items():
            self._named["", 2, alias] = code
        for above, form in _MERGED_INTO_THU_DUC:
            self._named[above, 3, form] = "769"

    def _add(self, code: str, name: str, above: Iterable[str]) -> None:
        for parent in above:
            for form in (name, *_forms(name)):
                if not parent and form[1:].isdigit():
                    continue  # a bare number is a code unless its province is known
                key = parent, len(code), form
                self._named[key] = code if self._named.get(key, code) == code else ""

    def find(self, text: str | None, above: str, digits: int) -> str | None:
        """The unit of so many digits typed as a code or name, inside the unit ``above`` ('' for anywhere)."""
        if not text:
            return None
        number = text.strip().removesuffix(".0")
        if len(number) == digits and self._is_inside(number, above, digits):
            return number
        if found := self._named.get((above, digits, text)):
            return found
        for form in _forms(text):
            if found := self._named.get((above, digits, form)):
                return found
        padded = number.zfill(digits)
        return padded if number and len(number) < digits and self._is_inside(padded, above, digits) else None

    def _is_inside(self, code: str, above: str, digits: int) -> bool:
        if digits == 2:
            return code in self._provinces
        parent = self.parent.get(code)
        return parent is not None and above in {"", parent, self.parent.get(parent)}


@cache
def _units() -> _Units:
    return _Units()


def _rows(table: str, columns: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    with files(__package__).joinpath(f"data/{table}.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            yield tuple(row[column] for column in columns)


# kinds of unit as typed, with and without accents or shortened
_KINDS = {
    "tỉnh": "tỉnh tinh",
    "thành phố": "thành_phố thanh_pho tp",
    "quận": "quận quan q",
    "huyện": "huyện huyen h",
    "thị xã": "thị_xã thi_xa tx",
    "phường": "phường phuong p f",
    "xã": "xã xa x",
    "thị trấn": "thị_trấn thi_tran tt",
}
_KIND_OF = {typed.replace("_", " "): kind for kind, forms in _KINDS.items() for typed in forms.split()}
_WITH_KIND = re.compile(rf"({'|'.join(sorted(_KIND_OF, key=len, reverse=True))})(?: |(?=[0-9]))(.+)")
_WORD = re.compile(r"[^\W\d_]+|[0-9]+")
_APOSTROPHES = re.compile("['’‘`´]")
# other names of provinces, in the plain letters that _plain leaves
_PROVINCE_ALIASES = {
    f":{alias}": code
    for code, aliases in {
        "01": "hn tphn",
        "46": "hue tthue tth",
        "48": "dn tpdn",
        "77": "brvt vungtau baria",
        "79": "hcm tphcm hcmc tphochiminh sg saigon tpsg",
    }.items()
    for alias in aliases.split()
}
_MERGED_INTO_THU_DUC = [("79", ":2"), ("79", ":9")] + [(above, f"quận:{n}") for above in ("79", "") for n in "29"]


@lru_cache(maxsize=1 << 16)
def _forms(text: str) -> tuple[str, ...]:
    """Forms of a typed name to look up, the surest first: spelled or plain, with or without the kind."""
    typed = " ".join(_WORD.findall(_APOSTROPHES.sub("", compose(text).lower())))
    match = _WITH_KIND.fullmatch(typed)
    kind, rest = (_KIND_OF[match[1]], match[2]) if match else ("", typed)
    spelled = [f"{kind}:{_spelled(rest)}", f":{_spelled(typed)}", f":{_spelled(rest)}"]
    plain = [f"{kind}:{_plain(rest)}", f":{_plain(typed)}", f":{_plain(rest)}"]
    return tuple(dict.fromkeys(form for form in spelled + plain if not form.endswith(":")))


def _spelled(name: str) -> str:
    return "".join(word.lstrip("0") if word.isdigit() else place_tone(word) for word in name.split())


def _plain(name: str) -> str:
    """Without marks; y as i (Quy Nhơn, Qui Nhơn) and the three spellings of Đắk Lắk as one."""
    plain = without_marks(_spelled(name))
    return plain.replace("y", "i").replace("dac", "dak").replace("lac", "lak")
