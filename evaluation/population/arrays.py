"""Small array helpers the rooms of the population share."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Texts = np.ndarray[tuple[int], np.dtype[np.object_]]


def texts(values: Iterable[str | None]) -> Texts:
    """A column of text."""
    listed = list(values)
    column = np.empty(len(listed), dtype=object)
    column[:] = listed
    return column


def digits(numbers: Ints, width: int) -> Texts:
    """Whole numbers as text, with leading zeros up to ``width``."""
    padded = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, padding="0")
    return np.asarray(padded.to_numpy(zero_copy_only=False), dtype=object)


def change(column: Texts, where: Ints, rewrite: Callable[[str, Random], str | None], seed: int) -> None:
    """Rewrite in place the cells at ``where`` that hold text."""
    random = Random(seed)
    column[where] = texts(None if cell is None else rewrite(cell, random) for cell in column[where])


def keep(column: Texts, where: Flags) -> Texts:
    """The column with nothing in the cells outside ``where``."""
    kept = column.copy()
    kept[~where] = None
    return kept


def pick(rng: np.random.Generator, weights: Mapping[Any, float], size: int) -> Ints:
    """Positions in ``weights``, drawn by weight."""
    share = np.array(list(weights.values()), dtype=float)
    return draw(rng, share, size)


def draw(rng: np.random.Generator, share: np.ndarray[Any, np.dtype[np.float64]], size: int) -> Ints:
    """Positions in ``share``, drawn by share."""
    edges = np.cumsum(share / share.sum())
    edges[-1] = 1.0
    return np.searchsorted(edges, rng.random(size), side="right").astype(np.int64)


def fold(text: str) -> str:
    """Lower case without diacritics."""
    bare = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))
    return bare.replace("đ", "d")


def days(dates: Ints) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    """Days since 1970 as dates."""
    return dates.astype("datetime64[D]")


def years(dates: Ints) -> Ints:
    """The year of days since 1970."""
    return days(dates).astype("datetime64[Y]").astype(np.int64) + 1970
