"""Strangers who share name, birth date and sex, as frequent as in a nation of 98 million."""

import numpy as np

from evaluation.population.arrays import Flags, Ints

# share of persons in a cluster of strangers with the same name, birth date and sex: {size: share}
ABROAD = {2: 0.28, 3: 0.11, 4: 0.03}
SAME_PROVINCE = 0.021
FOUR_YEARS = 1_461

Columns = tuple[Ints, Ints, Ints, Ints, Ints]  # born, sex, surname, middle, given


def share_names(
    columns: Columns,
    able: Flags,
    commune: Ints,
    home: Ints,
    rng: np.random.Generator,
) -> Columns:
    """Let able strangers, alike in sex, surname and age, take over one another's name and birth date."""
    born, sex, surname, middle, given = (column.copy() for column in columns)
    free = able.copy()
    count = len(born)
    everywhere = np.zeros_like(home)
    wishes = [(size, share, home, everywhere) for size, share in ABROAD.items()]
    for size, share, apart, within in [*wishes, (2, SAME_PROVINCE, commune, home)]:
        wanted = round(share * count / size)
        for _ in range(12):
            if wanted <= 0:
                break
            clusters = _alike(np.flatnonzero(free), size, (born, sex, surname), (apart, within), rng)[:wanted]
            donor, takers = clusters[:, 0], clusters[:, 1:]
            for column in (born, middle, given):
                column[takers] = column[donor][:, None]
            free[clusters.ravel()] = False
            wanted -= len(clusters)
    return born, sex, surname, middle, given


def _alike(
    free: Ints,
    size: int,
    columns: tuple[Ints, Ints, Ints],
    sides: tuple[Ints, Ints],
    rng: np.random.Generator,
) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Clusters of free people alike in sex, surname and age; ``sides[0]`` all differ, ``sides[1]`` is one."""
    apart, within = sides
    born, sex, surname = columns
    band = (born[free] + rng.integers(0, FOUR_YEARS)) // FOUR_YEARS
    order = free[np.lexsort((rng.random(len(free)), band, within[free], surname[free], sex[free]))]
    rows = order[: len(order) // size * size].reshape(-1, size)
    fits = np.ones(len(rows), dtype=bool)
    for column in (sex, surname, within):
        fits &= (column[rows] == column[rows[:, :1]]).all(axis=1)
    span = born[rows]
    fits &= span.max(axis=1) - span.min(axis=1) < FOUR_YEARS
    places = np.sort(apart[rows], axis=1)
    fits &= (places[:, 1:] != places[:, :-1]).all(axis=1)
    rows = rows[fits]
    return rows[rng.permutation(len(rows))]
