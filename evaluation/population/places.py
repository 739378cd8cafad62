"""The communes a synthetic population lives in."""

import csv
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from evaluation.population.arrays import Ints, Texts, fold, texts

PEOPLE_A_COMMUNE = 9_200
COMMUNES_A_PROVINCE = 3

# millions of inhabitants in 2021, rounded; every province not named here has one
MILLIONS = {
    "01": 8.3, "79": 9.2, "38": 3.7, "40": 3.4, "75": 3.2, "74": 2.6, "31": 2.1, "30": 1.9,
    "34": 1.9, "89": 1.9, "66": 1.9, "24": 1.9, "36": 1.8, "82": 1.8, "91": 1.7, "80": 1.7,
    "64": 1.6, "87": 1.6, "52": 1.5, "49": 1.5, "25": 1.5, "27": 1.5, "22": 1.4, "68": 1.3,
    "42": 1.3, "83": 1.3, "19": 1.3, "14": 1.3, "33": 1.3, "56": 1.3, "92": 1.2, "60": 1.2,
    "51": 1.2, "48": 1.2, "72": 1.2, "94": 1.2, "96": 1.2, "26": 1.2, "77": 1.2,
}  # fmt: skip

PROVINCE_SHORT = {"79": "TPHCM", "01": "HN", "66": "Đắc Lắc", "77": "BR-VT", "46": "Huế", "52": "B.Định"}
UNITS = {
    "Thành phố ": "TP. ", "Thị xã ": "TX. ", "Thị trấn ": "TT. ", "Tỉnh ": "T. ", "Quận ": "Q.",
    "Phường ": "P.", "Huyện ": "H. ", "Xã ": "X. ",
}  # fmt: skip

STYLES = ("official", "short", "abbreviated", "code", "plain capitals", "plain")


@dataclass(frozen=True, slots=True)
class Places:
    """The communes chosen: one entry per commune, in step.

    ``province``, ``district`` and ``commune`` hold the codes of 2021; ``region`` is 0 North, 1 Centre, 2
    South; ``written[style][level]`` are the names as a style of `STYLES` types them (level 0 province, 1
    district, 2 commune).
    """

    province: Texts
    district: Texts
    commune: Texts
    region: Ints
    share: np.ndarray[tuple[int], np.dtype[np.float64]]
    written: tuple[tuple[Texts, Texts, Texts], ...]


def settle(people: int, rng: np.random.Generator) -> Places:
    """Choose about one commune for every 9,200 people, several a province, weighted by population."""
    provinces = {row["code"]: row["name"] for row in _rows("provinces.csv")}
    districts = {row["code"]: row for row in _rows("districts.csv")}
    home: dict[str, list[tuple[str, str, str]]] = {code: [] for code in provinces}
    for row in _rows("communes.csv"):
        home[districts[row["district"]]["province"]].append((row["district"], row["code"], row["name"]))

    wanted = max(9, round(people / PEOPLE_A_COMMUNE))
    codes = sorted(provinces)
    weight = np.array([MILLIONS.get(code, 1.0) for code in codes])
    count = min(len(codes), max(4, round(wanted / COMMUNES_A_PROVINCE)))
    chosen = rng.choice(len(codes), size=count, replace=False, p=weight / weight.sum())
    parts = np.maximum(1, np.rint(wanted * weight[chosen] / weight[chosen].sum()).astype(int))
    units: list[tuple[str, str, str, str]] = []
    for province, size in zip(chosen, parts, strict=True):
        units += _neighbours(codes[province], home[codes[province]], int(size), rng)
    share = rng.lognormal(0.0, 0.35, len(units))
    spelled = [(provinces[p], districts[d]["name"], name) for p, d, _, name in units]
    return Places(
        province=texts(unit[0] for unit in units),
        district=texts(unit[1] for unit in units),
        commune=texts(unit[2] for unit in units),
        region=np.array([_region(unit[0]) for unit in units]),
        share=share / share.sum(),
        written=tuple(_column(units, spelled, style) for style in STYLES),
    )


def _rows(name: str) -> list[dict[str, str]]:
    text = files("linkage.vietnamese").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _region(province: str) -> int:
    return 0 if province <= "37" else 1 if province <= "68" else 2


def _neighbours(
    province: str, communes: list[tuple[str, str, str]], size: int, rng: np.random.Generator
) -> list[tuple[str, str, str, str]]:
    """Communes in runs of up to three of one district, so that near and far neighbours both exist."""
    starts = rng.permutation(np.arange(0, len(communes), 3))[: -(-size // 3)]
    picked = [index for start in starts for index in range(start, min(start + 3, len(communes)))]
    return [(province, *communes[index]) for index in picked[:size]]


def _column(
    units: list[tuple[str, str, str, str]], spelled: list[tuple[str, str, str]], style: str
) -> tuple[Texts, Texts, Texts]:
    province, district, commune = (
        texts(_write(unit[level], names[level], style, level) for unit, names in zip(units, spelled, strict=True))
        for level in range(3)
    )
    return province, district, commune


def _write(code: str, name: str, style: str, level: int) -> str:
    if style == "official":
        return name
    if style == "code":
        return code
    unit = next((unit for unit in UNITS if name.startswith(unit)), "")
    if style == "abbreviated":
        if level == 0 and code in PROVINCE_SHORT:
            return PROVINCE_SHORT[code]
        return UNITS.get(unit, "") + name.removeprefix(unit)
    bare = name.removeprefix(unit)
    short = name if bare.isdigit() else bare
    if name == "Thành phố Thủ Đức":  # of 2021; habit kept the units it was made of
        short = "Quận 9"
    if style == "short":
        return short
    return fold(short).upper() if style == "plain capitals" else fold(name)
