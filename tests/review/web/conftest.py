"""A small queue behind the page: two communes, a reader of each, a supervisor, an administrator."""

import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from argon2 import PasswordHasher
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from linkage.review import accounts
from linkage.review.accounts import Account, set_account
from linkage.review.cases import Case
from linkage.review.web.app import create_app
from linkage.store import Store, open_store
from linkage.store.schema import CASE_CONTENT, REVIEW_CASE

PASSWORD = "mật khẩu đủ dài"  # noqa: S105  of synthetic people
UNITS = {"00001": ("01", "001"), "00004": ("01", "001"), "26734": ("79", "760")}
PEOPLE = (
    Account("an", "reviewer", ("00001",), 40),
    Account("binh", "reviewer", ("00001",), 40),
    Account("chi", "reviewer", ("26734",), 40),
    Account("giam.sat", "supervisor", ("01",), 40),
    Account("quan.tri", "administrator", ("*",), 40),
)


class Clock:
    """Time that only moves when told to."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session", autouse=True)
def quick_hashes() -> Iterator[None]:
    # the cost of a hash is argon2's business, and would be most of the time of these tests
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(accounts, "_hasher", lambda: quick)
        accounts._nobodys.cache_clear()
        yield
    accounts._nobodys.cache_clear()


@pytest.fixture(scope="session")
def with_accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("web") / "accounts.db"
    with open_store(f"sqlite:///{path}") as opened:
        for person in PEOPLE:
            set_account(opened, person, PASSWORD, actor="root")
    return path


@pytest.fixture
def store(tmp_path: Path, clock: Clock, with_accounts: Path) -> Iterator[Store]:
    copy = shutil.copy(with_accounts, tmp_path / "review.db")
    with open_store(f"sqlite:///{copy}", clock=clock) as opened:
        yield opened


@pytest.fixture
def app(store: Store) -> FastAPI:
    return create_app(store)


@pytest.fixture
def add(store: Store, example: Callable[..., Case]) -> Callable[..., str]:
    """``add("S1", commune="00004", readings=2, record={...})``: a case of the queue; its id."""
    row: dict[str, Any] = dict.fromkeys(column.name for column in REVIEW_CASE.columns)
    row |= {"kind": "queue", "run": "r", "model": "m@0", "facility": "F01", "worth": 1.0, "doses": 2}
    row |= {"probability": 0.93, "waiting_since": "2021-09-01", "queued_at": "2022-05-01T00:00:00+00:00"}
    row |= {"readings": 1, "state": "open", "version": 1}
    places = iter(range(1, 1_000_000))

    def insert(subject: str, commune: str = "00001", readings: int = 1, **changed: Any) -> str:
        case_id = str(uuid.uuid5(uuid.NAMESPACE_OID, subject))
        province, district = UNITS[commune]
        values = row | {"case_id": case_id, "subject": subject, "place": next(places), "readings": readings}
        values |= {"unit": commune, "province": province, "district": district, "commune": commune}
        with store.writing() as writer:
            writer.insert(REVIEW_CASE, [tuple(values[column.name] for column in REVIEW_CASE.columns)])
            writer.insert(CASE_CONTENT, [(case_id, json.dumps(asdict(example(subject, **changed))))])
        return case_id

    return insert


class Browser:
    """A client that logs in and sends forms with the token of its session."""

    def __init__(self, portal: BlockingPortal, app: FastAPI, base_url: str = "http://testserver") -> None:
        self.client = AsyncClient(transport=ASGITransport(app, raise_app_exceptions=False), base_url=base_url)
        self._portal = portal

    def send(self, method: str, path: str, **parts: Any) -> Response:
        return self._portal.call(partial(self.client.request, method, path, **parts))

    def token(self, text: str) -> str:
        _, _, rest = text.partition('name="csrf" value="')
        return rest.partition('"')[0]

    def log_in(self, name: str, password: str = PASSWORD) -> Response:
        token = self.token(self.get("/login").text)
        return self.send("POST", "/login", data={"name": name, "password": password, "csrf": token})

    def get(self, path: str) -> Response:
        return self.send("GET", path)

    def post(self, path: str, **form: Any) -> Response:
        return self.send("POST", path, data={"csrf": self.token(self.get("/").text), **form})

    def answer(self, case_id: str, choice: str, version: int = 1, **form: Any) -> Response:
        return self.post(f"/case/{case_id}", choice=choice, version=version, **form)


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """An event loop beside the tests."""
    with start_blocking_portal() as opened:
        yield opened


@pytest.fixture
def browser(app: FastAPI, portal: BlockingPortal) -> Callable[..., Browser]:
    """``browser("an")``: somebody who has logged in; ``browser()``: somebody who has not."""

    def opened(name: str | None = None, **options: Any) -> Browser:
        found = Browser(portal, options.pop("app", app), **options)
        if name:
            assert found.log_in(name).status_code == 303
        return found

    return opened
