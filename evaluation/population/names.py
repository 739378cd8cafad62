"""Names by sex, cohort and region, drawn as codes into three vocabularies."""

import csv
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

import jellyfish
import numpy as np

from evaluation.population.arrays import Ints, Texts, draw, fold, texts

COHORTS = (1960, 1975, 1990, 2002, 2007)  # the years in which a new cohort begins
THI = (0.90, 0.85, 0.74, 0.58, 0.36, 0.18)  # share of women with Thị, by cohort
VAN = (0.80, 0.75, 0.62, 0.45, 0.28, 0.16)  # share of men with Văn
THI_ALONE = (0.78, 0.70, 0.58, 0.50, 0.45, 0.45)  # share of women with Thị who have no second middle name
OLD = (0.72, 0.50, 0.18, 0.05, 0.02, 0.0)  # weight of the old rural given names
MORE = (0.22, 0.34, 0.36, 0.32, 0.26, 0.24)  # weight of the less common given names
MINORITY = ("", "Ê Đê", "Ba Na", "Kơ Ho", "Khmer", "Chăm")
KHMER = 4
HIGHLAND = 3  # groups 1–3 do not write surname, middle, given
HOME = {"66": (1, 0.17), "62": (2, 0.30), "64": (2, 0.25), "68": (3, 0.12), "84": (4, 0.30), "94": (4, 0.30),
        "91": (4, 0.10), "58": (5, 0.11), "60": (5, 0.04)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words and the shares with which they are drawn.

    A name is ``surnames[s] + " " + middles[m] + givens[g]``; a middle is empty or ends in a space.
    ``surname_share`` has a row per region and then per minority group, ``middle_share`` and ``given_share``
    a row per sex × cohort, then (given) per sex × minority group. ``near[g]`` are given names one letter or
    tone away.
    """

    surnames: Texts
    middles: Texts
    givens: Texts
    surname_share: np.ndarray[tuple[int, int], np.dtype[np.float64]]
    middle_share: np.ndarray[tuple[int, int], np.dtype[np.float64]]
    given_share: np.ndarray[tuple[int, int], np.dtype[np.float64]]
    near: tuple[Ints, ...]

    def full(self, surname: Ints, middle: Ints, given: Ints) -> Texts:
        """Names as text."""
        return texts(
            f"{s} {m}{g}"
            for s, m, g in zip(self.surnames[surname], self.middles[middle], self.givens[given], strict=True)
        )


def vocabulary() -> Vocabulary:
    """Build the word lists with their shares."""
    lists: dict[str, list[str]] = tomllib.loads(_data("names.toml"))
    surname_tables = [_surnames(region, lists["more_surnames"]) for region in range(3)]
    surname_tables += [_minority_surnames(group, lists) for group in range(1, len(MINORITY))]
    middle_tables = [_middles(sex, cohort, lists) for sex in range(2) for cohort in range(len(THI))]
    common = [_common_givens(sex) for sex in "FM"]
    given_tables = [_givens(sex, cohort, common[sex], lists) for sex in range(2) for cohort in range(len(THI))]
    given_tables += [_minority_givens(sex, group, lists) for sex in range(2) for group in range(1, len(MINORITY))]
    surnames, surname_share = _stack(surname_tables)
    middles, middle_share = _stack(middle_tables)
    givens, given_share = _stack(given_tables)
    near = _near(givens, given_share)
    return Vocabulary(surnames, middles, givens, surname_share, middle_share, given_share, near)


def draw_surnames(words: Vocabulary, region: Ints, group: Ints, rng: np.random.Generator) -> Ints:
    """A surname for each entry, by region (Kinh) or minority group."""
    return draw_rows(words.surname_share, np.where(group > 0, 2 + group, region), rng)


def draw_middles(words: Vocabulary, sex: Ints, year: Ints, group: Ints, rng: np.random.Generator) -> Ints:
    """A middle name for each entry; none for the minority groups."""
    drawn = draw_rows(words.middle_share, sex * len(THI) + cohort(year), rng)
    empty = int(np.flatnonzero(words.middles == "")[0])
    return np.where(group > 0, empty, drawn)


def draw_givens(words: Vocabulary, sex: Ints, year: Ints, group: Ints, rng: np.random.Generator) -> Ints:
    """A given name for each entry."""
    kinh = sex * len(THI) + cohort(year)
    minority = 2 * len(THI) + sex * (len(MINORITY) - 1) + group - 1
    return draw_rows(words.given_share, np.where(group > 0, minority, kinh), rng)


def near_givens(words: Vocabulary, given: Ints, rng: np.random.Generator) -> Ints:
    """A given name one letter or tone away, or the same where there is none."""
    result = given.copy()
    for code in np.unique(given):
        if len(words.near[code]):
            where = np.flatnonzero(given == code)
            result[where] = rng.choice(words.near[code], len(where))
    return result


def cohort(year: Ints) -> Ints:
    """The position of a birth year among the cohorts."""
    return np.searchsorted(COHORTS, year, side="right").astype(np.int64)


def draw_rows(share: np.ndarray[tuple[int, int], np.dtype[np.float64]], row: Ints, rng: np.random.Generator) -> Ints:
    """Draw a column for each entry from its row of shares."""
    result = np.zeros(len(row), dtype=np.int64)
    for which in np.unique(row):
        where = np.flatnonzero(row == which)
        result[where] = draw(rng, share[which], len(where))
    return result


def _data(name: str) -> str:
    return files(__package__).joinpath("data", name).read_text(encoding="utf-8")


def _surnames(region: int, tail: list[str]) -> dict[str, float]:
    column = ("percent_2022_list", "percent_2022_list", "percent_dak_lak_2010s")[region]
    rows = csv.DictReader(_data("surname_shares.csv").splitlines())
    table = {row["surname"]: float(row[column] or row["percent_dak_lak_2010s"]) for row in rows}
    for northern, southern in (("Hoàng", "Huỳnh"), ("Vũ", "Võ")):
        both = 5.0
        table[northern], table[southern] = ((both, 0.2), (both / 2, both / 2), (0.4, both))[region]
    left = max(8.0, 100 - sum(table.values()))
    weight = 1 / (np.arange(len(tail)) + 6.0)
    for name, part in zip(tail, left * weight / weight.sum(), strict=True):
        table[name] = table.get(name, 0.0) + float(part)
    return table


def _minority_surnames(group: int, lists: dict[str, list[str]]) -> dict[str, float]:
    # Ê Đê, Ba Na and Kơ Ho households carry no surname: what is written first depends on the sex
    key = {KHMER: "khmer_surnames", 5: "cham_surnames"}.get(group)
    return _falling(lists[key]) if key else {"": 1.0}


def _middles(sex: int, group: int, lists: dict[str, list[str]]) -> dict[str, float]:
    mark, share = ("Văn", VAN[group]) if sex else ("Thị", THI[group])
    alone = 0.93 if sex else THI_ALONE[group]
    own = lists["male_middle" if sex else "female_middle"]
    seconds = own if sex else lists["thi_second"]
    table = {f"{mark} ": 100 * share * alone, "": 100 * (1 - share) * 0.07}
    for word, part in _falling(seconds).items():
        table[f"{mark} {word} "] = 100 * share * (1 - alone) * part
    for word, part in _falling(own).items():
        table[f"{word} "] = table.get(f"{word} ", 0.0) + 100 * (1 - share) * 0.75 * part
        for second, other in _falling(own[::-1]).items():
            table[f"{word} {second} "] = 100 * (1 - share) * 0.18 * part * other
    return table


def _common_givens(sex: str) -> dict[str, float]:
    rows = csv.DictReader(_data("given_names_by_sex.csv").splitlines())
    table = {row["given_name"]: float(row["percent"]) for row in rows if row["sex"] == sex}
    return {name: part / sum(table.values()) for name, part in table.items()}


def _givens(sex: int, group: int, common: dict[str, float], lists: dict[str, list[str]]) -> dict[str, float]:
    old = _even(lists["old_male" if sex else "old_female"])
    more = _even(lists["more_male" if sex else "more_female"])
    table: dict[str, float] = {}
    for part, weight in ((common, 1 - OLD[group] - MORE[group]), (more, MORE[group]), (old, OLD[group])):
        for name, share in part.items():
            table[name] = table.get(name, 0.0) + weight * share
    return table


def _minority_givens(sex: int, group: int, lists: dict[str, list[str]]) -> dict[str, float]:
    if group == 1:
        first, clans = (lists["ede_male"], lists["ede_clans"]) if sex else (lists["ede_female"], lists["ede_clans"])
        return _even([f"Y {name} {clan}" if sex else f"H'{name} {clan}" for name in first for clan in clans])
    if group == 2:
        names = [onset + rhyme for onset in lists["bana_onsets"] for rhyme in lists["bana_rhymes"]]
        return _even([f"{'A' if sex else 'Y'} {name}" for name in names])
    if group == HIGHLAND:
        return _even([f"K' {name} {clan}" for name in lists["koho_given"] for clan in lists["koho_clans"]])
    if group == KHMER:
        names = [f"{first} {last}" for first in lists["khmer_first"] for last in lists["khmer_last"]]
        return _even([f"{'' if sex else 'Thị '}{name}" for name in names])
    return _common_givens("FM"[sex])


def _falling(words: list[str]) -> dict[str, float]:
    weight = 1 / (np.arange(len(words)) + 4.0)
    return {word: float(part) for word, part in zip(words, weight / weight.sum(), strict=True)}


def _even(words: list[str]) -> dict[str, float]:
    return {word: 1 / len(set(words)) for word in words}


def _stack(
    tables: Iterable[dict[str, float]],
) -> tuple[Texts, np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    listed = list(tables)
    words = list(dict.fromkeys(word for table in listed for word in table))
    share = np.array([[table.get(word, 0.0) for word in words] for table in listed])
    return texts(words), share / share.sum(axis=1, keepdims=True)


def _near(givens: Texts, share: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> tuple[Ints, ...]:
    kinh = np.flatnonzero(share[: 2 * len(THI)].sum(axis=0) > 0)
    by_sex = [share[s * len(THI) : (s + 1) * len(THI)].sum(axis=0) > 0 for s in range(2)]
    plain = [fold(word) for word in givens]
    near: list[Ints] = [np.array([], dtype=np.int64)] * len(givens)
    for one in kinh:
        near[one] = np.array(
            [
                other
                for other in kinh
                if other != one
                and any(uses[one] and uses[other] for uses in by_sex)
                and jellyfish.levenshtein_distance(plain[one], plain[other]) <= 1
            ],
            dtype=np.int64,
        )
    return tuple(near)
