"""Where a record says someone lives: typed names or codes, of 2021 or of July 2025, become codes of both."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache

from linkage.vietnamese.units import Level, Units, all_units, is_number, rows


@dataclass(frozen=True, slots=True)
class Place:
    """Codes of two vintages, None where not certain.

    province (2 digits), district (3) and commune (5) are units of 2021; province_2025 (2) and commune_2025 (5)
    are units since 1 July 2025, by which places of either vintage can be compared. The same digits mean
    other units in the two vintages.
    """

    province: str | None
    district: str | None
    commune: str | None
    province_2025: str | None
    commune_2025: str | None


_NOWHERE = Place(None, None, None, None, None)


def resolve_place(province: str | None, district: str | None, commune: str | None) -> Place:
    """The codes of three cells as typed, each a name or a code, of any vintage.

    With a district the place is of 2021, or has a name of before or after that the tables know; without
    one it is of July 2025 when that vintage has such a commune, with the units of 2021 in which both vintages
    agree if that vintage has one too, else of 2021. A district is looked up in its
    province, without one among all when its name is unique; a commune in its district or province; never by
    its name alone. A found unit supplies the units above it, and the units of the other vintage that contain
    it for certain: a commune of 2021 divided among several has no commune_2025; a commune of 2025 has the
    commune, district and province of 2021 in which it lies whole. The name of a province alone keeps its
    2021 code; a code alone does so only when 2025 left that province as it was.
    """
    units = all_units()
    where = _province(_filled(province))
    district, commune = _filled(district), _filled(commune)
    if found := _with_district(units, where, district, commune):
        return found
    if found := _without_district(units, where, commune, first_2021=bool(district)):
        return found
    if not where.typed:
        return _NOWHERE
    kept = district or where.is_name or len(where.possible) == 1
    return Place(where.typed if kept else None, None, None, where.code_2025, None)


@cache
def neighbouring_provinces() -> frozenset[tuple[str, str]]:
    """Provinces of 2021 (63) with a common border on land or river: pairs of codes, each pair both ways."""
    pairs = [(first, second) for first, second in rows("neighbours", "province", "neighbour")]
    return frozenset(pairs) | {(second, first) for first, second in pairs}


def _filled(cell: str | None) -> str:
    return cell if cell and not cell.isspace() else ""


@dataclass(frozen=True, slots=True)
class _Province:
    """What a cell of a province means: its code of 2021, that of 2025, and all provinces of 2021 it may mean."""

    typed: str | None
    is_name: bool
    code_2025: str | None
    possible: tuple[str, ...]


@lru_cache(maxsize=1 << 12)
def _province(cell: str) -> _Province:
    units = all_units()
    typed, is_name = units.find("province", cell), not is_number(cell)
    if not typed:
        return _Province(None, is_name, None, ())
    code_2025 = units.province_2025[typed]
    of_2025 = typed in units.names_kept if is_name else typed == code_2025
    return _Province(typed, is_name, code_2025, tuple(units.provinces[code_2025]) if of_2025 else (typed,))


@dataclass(frozen=True, slots=True)
class _Districts:
    """What a cell of a district means: the district of 2021 of that name, and all whose land it may mean."""

    exact: str | None
    possible: tuple[str, ...]


@lru_cache(maxsize=1 << 16)
def _districts(where: _Province, cell: str) -> _Districts:
    units = all_units()
    above = where.typed or ""
    exact = units.find("district", cell, above) or _only(
        units.find("district", cell, province) for province in where.possible
    )
    wider = units.find("former_district", cell, units.parent[exact] if exact else above)
    possible = [exact] if exact else []
    possible += wider.split("+") if wider else []
    return _Districts(exact, tuple(possible))


def _with_district(units: Units, where: _Province, district: str, commune: str) -> Place | None:
    found = _districts(where, district) if district else None
    if not found or not found.possible:
        return None
    return (commune and _commune_inside(units, commune, found)) or _of_districts(units, found)


def _commune_inside(units: Units, commune: str, inside: _Districts) -> Place | None:
    """A commune of 2021 in a district, or else one of another vintage that shares land with the district."""
    levels: tuple[Level, ...] = ("commune", "former_commune")
    for level in levels:
        found = (inside.exact and units.find(level, commune, inside.exact)) or _only(
            units.find(level, commune, district) for district in inside.possible
        )
        if found:
            return _of_commune(units, found)
    province_2025 = units.province_2025[units.parent[inside.possible[0]]]
    found = _only(units.find("later_commune", commune, district) for district in inside.possible)
    found = found or units.find("commune_2025", commune, province_2025)
    parts = [unit for unit in units.parts[found] if _district(units, unit) in inside.possible] if found else []
    return _of_commune_2025(units, found, parts) if found and parts else None


def _without_district(units: Units, where: _Province, commune: str, *, first_2021: bool) -> Place | None:
    if not commune:
        return None
    of_2021 = units.find("commune", commune, where.typed or "")
    if of_2021 and first_2021:
        return _of_commune(units, of_2021)
    found = units.find("commune_2025", commune, where.code_2025 or "")
    if found == "":
        return None
    if found:
        parts = [
            unit
            for unit in units.parts[found]
            if not where.possible or units.parent[_district(units, unit)] in where.possible
        ]
        if parts:
            place = _of_commune_2025(units, found, parts)
            return _agreed(place, _of_commune(units, of_2021)) if of_2021 else place
    return _of_commune(units, of_2021) if of_2021 else None


def _of_commune(units: Units, commune: str) -> Place:
    district = units.parent[commune]
    province = units.parent[district]
    return Place(province, district, commune, units.province_2025[province], _only(units.successors.get(commune, ())))


def _of_commune_2025(units: Units, commune_2025: str, parts: list[str]) -> Place:
    """What the parts of a commune of 2025 have in common, the parts being those in which the place may lie."""
    district = _only(_district(units, unit) for unit in parts)
    province = _only(units.parent[_district(units, unit)] for unit in parts)
    commune = parts[0] if len(parts) == 1 and parts[0] != district else None
    province_2025 = units.province_2025[units.parent[_district(units, parts[0])]]
    return Place(province, district, commune, province_2025, commune_2025)


def _agreed(place: Place, reading: Place) -> Place:
    """A place of 2025 with those units of 2021 that a reading of the same cells as of 2021 does not deny."""
    province = place.province if place.province == reading.province else None
    district = place.district if place.district == reading.district else None
    commune = place.commune if place.commune == reading.commune else None
    return Place(province, district, commune, place.province_2025, place.commune_2025)


def _of_districts(units: Units, found: _Districts) -> Place:
    district = found.exact or _only(found.possible)
    province = units.parent[found.possible[0]]
    successor = _only(units.successors.get(district, ())) if district else None
    return Place(province, district, None, units.province_2025[province], successor)


def _district(units: Units, unit: str) -> str:
    """The district of a commune, or the unit itself if it is a district."""
    return units.parent[unit] if len(unit) == 5 else unit


def _only(found: Iterable[str | None]) -> str | None:
    """The one unit found, None when there are none or several."""
    distinct = {unit for unit in found if unit}
    return distinct.pop() if len(distinct) == 1 else None
