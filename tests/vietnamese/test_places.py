"""Units of both vintages, from every way to write them."""

import csv
import unicodedata
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.vietnamese import Place, resolve_place
from linkage.vietnamese.places import neighbouring_provinces
from linkage.vietnamese.text import without_marks

KINDS = ("Thành phố", "Tỉnh", "Quận", "Huyện", "Thị xã", "Thị trấn", "Phường", "Xã", "Đặc khu")


def table(name: str) -> list[dict[str, str]]:
    with files("linkage.vietnamese").joinpath(f"data/{name}.csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


PROVINCES = {row["code"]: row for row in table("provinces")}
DISTRICTS = {row["code"]: row for row in table("districts")}
COMMUNES = {row["code"]: row for row in table("communes")}
COMMUNES_2025 = {row["code"]: row for row in table("communes_2025")}
NAMES_2025 = {row["code_2025"]: row["name_2025"] for row in PROVINCES.values()}
SUCCESSORS = table("successors")
communes = st.sampled_from(sorted(COMMUNES))
communes_2025 = st.sampled_from(sorted(COMMUNES_2025))


def short(name: str) -> str:
    kind = next((kind for kind in KINDS if name.lower().startswith(kind.lower() + " ")), "")
    return name[len(kind) :].strip()


def path(commune: str) -> tuple[str, str, str]:
    district = COMMUNES[commune]["district"]
    return DISTRICTS[district]["province"], district, commune


def names(commune: str) -> tuple[str, str, str]:
    province, district, _ = path(commune)
    return PROVINCES[province]["name"], DISTRICTS[district]["name"], COMMUNES[commune]["name"]


def names_2025(commune: str) -> tuple[str, None, str]:
    return NAMES_2025[COMMUNES_2025[commune]["province"]], None, COMMUNES_2025[commune]["name"]


def codes(place: Place) -> tuple[str | None, str | None, str | None]:
    return place.province, place.district, place.commune


def test_the_tables_are_whole() -> None:
    assert (len(PROVINCES), len(DISTRICTS), len(COMMUNES)) == (63, 705, 10_599)
    assert (len(NAMES_2025), len(COMMUNES_2025)) == (34, 3_321)
    assert {row["commune_2025"] for row in SUCCESSORS} == set(COMMUNES_2025)
    assert set(COMMUNES) - {row["unit"] for row in SUCCESSORS} == {"28825"}
    for row in SUCCESSORS:
        district = COMMUNES[row["unit"]]["district"] if row["unit"] in COMMUNES else row["unit"]
        province = PROVINCES[DISTRICTS[district]["province"]]
        assert province["code_2025"] == COMMUNES_2025[row["commune_2025"]]["province"]


def test_every_unit_of_2021_resolves_from_its_full_names_and_codes() -> None:
    for commune in COMMUNES:
        place = resolve_place(*names(commune))
        assert codes(place) == path(commune)
        assert place.province_2025 == PROVINCES[path(commune)[0]]["code_2025"]
        assert resolve_place(*path(commune)) == place
        # without the commune the same units above it
        assert codes(resolve_place(*names(commune)[:2], None)) == (*path(commune)[:2], None)


def test_every_unit_of_2025_resolves_from_its_full_names_and_codes() -> None:
    for commune, row in COMMUNES_2025.items():
        place = resolve_place(*names_2025(commune))
        by_code = resolve_place(row["province"], None, commune)
        for found in (place, by_code):
            assert (found.province_2025, found.commune_2025) == (row["province"], commune)
        assert all(unit in {None, known} for unit, known in zip(codes(place), codes(by_code), strict=True))


def test_short_names_resolve_to_the_same_unit_or_to_none() -> None:
    missed = 0
    for commune in COMMUNES:
        place = resolve_place(*map(short, names(commune)))
        missed += place.commune is None
        assert codes(place) == path(commune) or place.commune is None
    assert missed <= 60  # a town and a commune of one name in one district
    missed = 0
    for commune, row in COMMUNES_2025.items():
        place = resolve_place(short(NAMES_2025[row["province"]]), None, short(row["name"]))
        missed += place.commune_2025 is None
        assert place.commune_2025 in {commune, None}
    assert missed <= 1


def test_no_commune_resolves_by_its_name_alone() -> None:
    for row in (*COMMUNES.values(), *COMMUNES_2025.values()):
        for name in (row["name"], short(row["name"])):
            assert resolve_place(None, None, name) == Place(None, None, None, None, None)


def test_a_commune_that_stayed_whole_has_its_successor() -> None:
    successors: dict[str, set[str]] = {}
    for row in SUCCESSORS:
        successors.setdefault(row["unit"], set()).add(row["commune_2025"])
    for commune in COMMUNES:
        after = successors.get(commune, set())
        assert resolve_place(*names(commune)).commune_2025 == (min(after) if len(after) == 1 else None)


def test_a_commune_of_2025_has_the_units_of_2021_in_which_it_lies_whole() -> None:
    parts: dict[str, set[str]] = {}
    for row in SUCCESSORS:
        parts.setdefault(row["commune_2025"], set()).add(row["unit"])
    without_district = 0
    for commune, units in parts.items():
        place = resolve_place(*names_2025(commune))
        districts = {COMMUNES[unit]["district"] if unit in COMMUNES else unit for unit in units}
        whole = min(districts) if len(districts) == 1 else None
        assert place.commune is None or {place.commune} == units
        assert place.district in {whole, None}
        without_district += place.district != whole
    assert without_district < 200  # their names are those of communes of 2021 elsewhere in the province


@given(communes, st.sampled_from([str.upper, str.lower, lambda text: unicodedata.normalize("NFD", text)]))
@settings(deadline=None)  # the first call reads the tables
def test_case_and_composition_do_not_matter(commune: str, typed: object) -> None:
    assert callable(typed)
    assert codes(resolve_place(*map(typed, names(commune)))) == path(commune)


@given(communes)
@settings(deadline=None)
def test_without_marks_the_same_unit_or_none(commune: str) -> None:
    place = resolve_place(*map(without_marks, names(commune)))
    assert place.commune in {commune, None}
    assert place.district == path(commune)[1] or place.district is None


@given(st.one_of(communes.map(names), communes_2025.map(names_2025)))
@settings(deadline=None)
def test_the_codes_found_resolve_to_themselves(typed: tuple[str, str | None, str]) -> None:
    place = resolve_place(*typed)
    if place.commune:
        again = resolve_place(*codes(place))
        assert codes(again) == codes(place)
    if place.commune_2025:
        again = resolve_place(place.province_2025, None, place.commune_2025)
        assert (again.province_2025, again.commune_2025) == (place.province_2025, place.commune_2025)


texts = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.text(alphabet="0123456789 .PQFqxã", max_size=6),
    st.sampled_from([*PROVINCES, *DISTRICTS, *COMMUNES, *COMMUNES_2025]),
    st.sampled_from([row["name"] for row in (*PROVINCES.values(), *DISTRICTS.values(), *COMMUNES.values())]),
)


@given(texts, texts, texts)
@settings(deadline=None)
def test_any_cells_give_units_inside_each_other(
    province: str | None, district: str | None, commune: str | None
) -> None:
    place = resolve_place(province, district, commune)
    if place.commune:
        assert COMMUNES[place.commune]["district"] == place.district
    if place.district:
        assert DISTRICTS[place.district]["province"] == place.province
    if place.province:
        assert PROVINCES[place.province]["code_2025"] == place.province_2025
    if place.commune_2025:
        assert COMMUNES_2025[place.commune_2025]["province"] == place.province_2025


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        # a code alone: 24 was Bắc Giang, is Bắc Ninh; 27 is of 2021 only; 01 is the same in both
        (("24", None, None), Place(None, None, None, "24", None)),
        (("27", None, None), Place("27", None, None, "24", None)),
        (("01", None, None), Place("01", None, None, "01", None)),
        (("24", "221", None), Place("24", "221", None, "24", None)),
        (("24", "Thành phố Bắc Ninh", None), Place("27", "256", None, "24", None)),
        (("Bắc Ninh", None, None), Place("27", None, None, "24", None)),
        # 00004 was Trúc Bạch, is Ba Đình
        (("01", "001", "00004"), Place("01", "001", "00004", "01", "00004")),
        ((None, None, "00004"), Place("01", None, None, "01", "00004")),
        # names that ended, and those of 2022 to June 2025
        (("HCM", "Q.2", "P. An Phú"), Place("79", "769", "27091", "79", None)),
        (("HCM", "Q9", None), Place("79", "769", None, "79", None)),
        (("Cao Bằng", "Huyện Trà Lĩnh", None), Place("04", "047", None, "04", None)),
        (("Huế", "Quận Phú Xuân", "Tây Lộc"), Place("46", "474", "19750", "46", "19753")),
        (("Bắc Giang", "TX. Chũ", "P. Chũ"), Place("24", "219", "07525", "24", "07525")),
        (("Hà Nội", "Gia Lâm", "Xã Thiên Đức"), Place("01", "018", None, "01", "00541")),
        (("Lào Cai", "Sa Pa", "San Sả Hồ"), Place("10", "088", "03019", "15", "03037")),
        # the old province or district with the new commune, and the other way round
        (("TP HCM", "Quận 1", "Phường Sài Gòn"), Place("79", "760", None, "79", "26740")),
        (("Bình Dương", None, "Phường Thủ Dầu Một"), Place("74", "718", None, "79", "25747")),
        (("Bình Dương", None, "Phường Sài Gòn"), Place("74", None, None, "79", None)),
        (("TP.HCM", "Thủ Dầu Một", "Phú Cường"), Place("74", "718", "25747", "79", "25747")),
        # a name of both vintages: the district only where both readings have the same
        (("Thành phố Hà Nội", None, "Phường Phú Thượng"), Place("01", None, None, "01", "00091")),
        (("Hà Nội", None, "Phúc Xá"), Place("01", "001", "00001", "01", "00097")),
        # an island district without communes
        (("Hải Phòng", "Bạch Long Vĩ", None), Place("31", "318", None, "31", "11948")),
        (("Hải Phòng", None, "Đặc khu Bạch Long Vĩ"), Place("31", "318", None, "31", "11948")),
        # numbers and kinds as typed
        (("TPHCM", "Q. Phú Nhuận", "F7"), Place("79", "768", "27052", "79", "27058")),
        (("T.P Hồ Chí Minh", "District 1", "Ward Ben Nghe"), Place("79", "760", "26740", "79", "26740")),
        (("Ho Chi Minh City", "1", "P.Bến Nghé"), Place("79", "760", "26740", "79", "26740")),
        ((None, None, "7"), Place(None, None, None, None, None)),
        ((None, "1", None), Place(None, None, None, None, None)),
        # typed without marks it may be Thạnh An
        (("HCM", None, "thanh an"), Place("79", None, None, "79", None)),
    ],
)
def test_examples(typed: tuple[str | None, str | None, str | None], expected: Place) -> None:
    assert resolve_place(*typed) == expected


def test_neighbours_are_mutual_and_reach_every_province() -> None:
    pairs = neighbouring_provinces()
    assert {first for first, _ in pairs} == set(PROVINCES)
    assert all((second, first) in pairs and first != second for first, second in pairs)
    by_name = {(short(PROVINCES[first]["name"]), short(PROVINCES[second]["name"])) for first, second in pairs}
    assert {("Hà Nội", "Hà Nam"), ("Hồ Chí Minh", "Long An"), ("Đà Nẵng", "Quảng Nam")} <= by_name
    assert not {("Hà Nội", "Hồ Chí Minh"), ("Quảng Ninh", "Thái Bình"), ("Nam Định", "Thanh Hóa")} & by_name
