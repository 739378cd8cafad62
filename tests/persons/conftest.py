"""A machine that groups subjects as it is told, as far as humans let it; and a small run to build persons of."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import pytest

from linkage.cli import main
from linkage.persons.bonds import keep_apart, resolve
from linkage.store import Draft, Store, native_id

Build = Callable[..., int]


@pytest.fixture(scope="session")
def machine() -> Build:
    """``machine(store, {subject: group}, {group: citizen})``: one build over all subjects; the number of its entry."""
    return _build


def _build(store: Store, groups: Mapping[str, str], citizens: Mapping[str, str] | None = None) -> int:
    with store.writing() as writer:
        entry = writer.head().number + 1
        places = writer.places(groups)
        before = {subject: place.base for subject, place in places.items()}
        bonds = writer.bonds()
        minted = writer.minted(before.values())
        parts: dict[tuple[str, int], set[str]] = {}
        out = keep_apart(groups, before, bonds, minted)
        for subject, group in groups.items():
            parts.setdefault((group, out.get(subject, 0)), set()).add(subject)
        base_of, new = {}, {}
        for part in parts.values():
            known = writer.ids_of(part)
            if not known:
                founder = min(part, key=native_id)
                new[native_id(founder)] = founder
                known = {native_id(founder): entry}
            _, base = min((minting, one) for one, minting in known.items())
            minted[base] = known[base]
            base_of.update(dict.fromkeys(part, base))
        persons = resolve(base_of, bonds, minted)
        changes = []
        for subject in sorted(groups):
            was = places[subject][1:4] if subject in places else (None, None, None)
            base = base_of[subject]
            citizen = (citizens or {}).get(groups[subject]) if subject not in out else was[2]
            now = (base, persons.get(base, base), citizen)
            if was != now:
                changes.append((subject, *(value for pair in zip(was, now, strict=True) for value in pair)))
        return writer.append(Draft("build", "machine"), changes=changes, minted=sorted(new.items()))


@pytest.fixture(scope="session")
def scored_run(small_population: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small RUN of the shipped model: everybody with several subjects, and some others."""
    folder = tmp_path_factory.mktemp("scored")
    doses, truth = (f"read_csv('{small_population}/{name}.csv', all_varchar = true)" for name in ("doses", "truth"))
    chosen = f"""
    SELECT person_id FROM {doses} JOIN {truth} USING (dose_id) GROUP BY 1
    HAVING count(DISTINCT subject_id) > 1 OR person_id LIKE '%7'
    """
    duckdb.execute(f"""
    COPY (FROM {doses} WHERE dose_id IN (SELECT dose_id FROM {truth} WHERE person_id IN ({chosen})) ORDER BY dose_id)
    TO '{folder}/doses.csv'
    """)
    citizens = str(small_population / "citizens.csv")
    arguments = ["--doses", f"{folder}/doses.csv", "--citizens", citizens, "--model", "dose_citizen"]
    assert main(["score", *arguments, "--out", str(folder / "run"), "--memory", "2GB"]) == 0
    return folder / "run"


@pytest.fixture
def remade(scored_run: Path, tmp_path: Path) -> Callable[..., Path]:
    """``remade(name, doses="SELECT … FROM doses", …)``: the run with other rows in some of its Parquet files."""

    def make(name: str, **queries: str) -> Path:
        out = tmp_path / name
        shutil.copytree(scored_run, out)
        with duckdb.connect() as connection:
            for file in scored_run.glob("*.parquet"):
                connection.execute(f"CREATE VIEW {file.stem} AS FROM '{file}'")
            for table, query in queries.items():
                connection.execute(f"COPY ({query}) TO '{out}/{table}.parquet' (FORMAT parquet)")
        return out

    return make


@pytest.fixture
def build(scored_run: Path, tmp_path: Path) -> Callable[..., int]:
    """``build(out, run, "--threads", "1")``: persons of a run, in the store of this test; the exit status."""

    def run(out: str, run: Path = scored_run, *more: str, store: str = "store.db") -> int:
        where = ["--out", str(tmp_path / out), "--store", f"sqlite:///{tmp_path / store}"]
        return main(["persons", "build", "--run", str(run), *where, "--memory", "2GB", "--threads", "2", *more])

    return run


@pytest.fixture(scope="session")
def first_build(scored_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with store.db and ``before``: the persons of the run in a store of their own."""
    folder = tmp_path_factory.mktemp("first_build")
    where = ["--out", str(folder / "before"), "--store", f"sqlite:///{folder}/store.db"]
    assert main(["persons", "build", "--run", str(scored_run), *where, "--memory", "2GB", "--threads", "2"]) == 0
    return folder


@pytest.fixture
def before(first_build: Path, tmp_path: Path) -> Path:
    """Persons already built, in the store of this test."""
    shutil.copytree(first_build, tmp_path, dirs_exist_ok=True)
    return tmp_path / "before"
