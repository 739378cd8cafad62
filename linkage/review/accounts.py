"""Who may look at cases and answer: accounts, their units and roles, passwords and sessions."""

import hashlib
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Literal, NamedTuple, get_args

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, insert, select, update

from linkage.errors import UserError
from linkage.store import Draft, Reader, Store, Writer, stamp
from linkage.store.schema import ACCOUNT, FAILED_LOGIN, SESSION

__all__ = [
    "EVERYWHERE",
    "ROLES",
    "Account",
    "Role",
    "Session",
    "account",
    "accounts",
    "check_password",
    "close_session",
    "open_session",
    "session",
    "set_account",
    "unit_column",
]

Role = Literal["reviewer", "supervisor", "administrator"]
ROLES: tuple[Role, ...] = get_args(Role)

EVERYWHERE = "*"
"""The unit that has every case in it."""

FACILITY = "facility:"
"""Before the id of a facility that is a unit: such an id may have the digits of a commune."""

CAPACITY = 200
"""Cases a day, of an account that says nothing of it."""

TRIES, WINDOW = 5, timedelta(minutes=15)
"""So many wrong passwords of a name within this time, and the name must wait."""

LONGEST, IDLE = timedelta(hours=8), timedelta(minutes=30)
"""A session ends this long after it began, or after it was last used."""

_RENEWED = timedelta(minutes=1)
"""The end of a session is not put off again for this long: most pages write nothing."""

MOST_PASSWORD = 1000
_NAME = re.compile(r"[\w.@-]{1,100}")
_COLUMNS = {5: "commune", 3: "district", 2: "province"}


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may answer.

    Args:
        name: by which the ledger names who did it; letters, digits and ``. _ @ -``.
        role: a ``supervisor`` also settles disputes; an ``administrator`` also has accounts made.
        units: codes of 2021 of provinces (2 digits), districts (3) or communes (5), ``facility:`` and the id of a
            facility, or ``*``.
        capacity: cases a day.
        language: of the pages, ``vi`` or ``en``.
        active: whether the account may be used.
    """

    name: str
    role: Role
    units: tuple[str, ...] = ()
    capacity: int = CAPACITY
    language: str = "vi"
    active: bool = True

    def covers(self, province: str | None, district: str | None, commune: str | None, facility: str | None) -> bool:
        """Whether a case that belongs there may be seen."""
        of_facility = None if facility is None else FACILITY + facility
        return bool({EVERYWHERE, province, district, commune, of_facility}.intersection(self.units))

    @property
    def supervises(self) -> bool:
        """Whether disputes are theirs to settle."""
        return self.role != "reviewer"


class Session(NamedTuple):
    """Who a token belongs to, and what forms must bring along."""

    account: Account
    csrf: str


def unit_column(unit: str) -> tuple[str, str]:
    """The column of ``review_case`` that a unit speaks of, and the value there.

    Raises:
        ValueError: it is no unit, or all of them.
    """
    if unit.startswith(FACILITY) and len(unit) > len(FACILITY):
        return "facility", unit.removeprefix(FACILITY)
    if re.fullmatch(r"[0-9]{2}|[0-9]{3}|[0-9]{5}", unit, re.ASCII):
        return _COLUMNS[len(unit)], unit
    raise ValueError("no unit")


def set_account(store: Store, account: Account, password: str | None = None, *, actor: str) -> None:
    """Make an account or change it; its sessions end. Without ``password`` the one it has stays.

    Raises:
        UserError: the name, a unit, the capacity, the language or the password cannot be.
    """
    _check(account, password)
    hashed = None if password is None else _hasher().hash(password)
    units = sorted(set(account.units))
    row = {
        "role": account.role,
        "units": json.dumps(units, ensure_ascii=False),
        "capacity": account.capacity,
        "language": account.language,
        "active": int(account.active),
    }
    said = {"account": account.name, "units": units, "password": password is not None}
    said |= {name: row[name] for name in ("role", "capacity", "active")}
    with store.writing() as writer:
        run = writer.connection.execute
        if hashed is not None:
            row["password"] = hashed
        if not run(update(ACCOUNT).where(ACCOUNT.c.name == account.name).values(row)).rowcount:
            run(insert(ACCOUNT).values(row | {"name": account.name}))
        run(delete(SESSION).where(SESSION.c.account == account.name))
        writer.append(Draft("account", actor, evidence=said))


def _check(account: Account, password: str | None) -> None:
    if not _NAME.fullmatch(account.name):
        raise UserError("review.bad_name")
    if account.role not in ROLES:
        raise UserError("review.bad_role", role=account.role, roles=", ".join(ROLES))
    for unit in account.units:
        try:
            _ = unit == EVERYWHERE or unit_column(unit)
        except ValueError as error:
            raise UserError("review.bad_unit", unit=unit) from error
    if account.capacity < 1 or account.capacity > 100_000:
        raise UserError("review.bad_capacity", found=account.capacity)
    if account.language not in ("vi", "en"):
        raise UserError("review.bad_language", found=account.language)
    if password is not None and not 8 <= len(password) <= MOST_PASSWORD:
        raise UserError("review.bad_password", most=MOST_PASSWORD)


def accounts(store: Store) -> list[Account]:
    """Every account, by name."""
    with store.reading() as reader:
        return _accounts(reader)


def account(store: Store, name: str) -> Account | None:
    """The account of a name; None if there is none."""
    with store.reading() as reader:
        return next(iter(_accounts(reader, (name,))), None)


def _accounts(reader: Reader, names: Iterable[str] | None = None) -> list[Account]:
    columns = [column for column in ACCOUNT.columns if column.name != "password"]
    query = select(*columns).order_by(ACCOUNT.c.name)
    if names is not None:
        query = query.where(ACCOUNT.c.name.in_(list(names)))
    return [
        Account(name, role, tuple(json.loads(units)), capacity, language, bool(active))
        for name, role, units, capacity, language, active in reader.connection.execute(query)
    ]


def check_password(store: Store, name: str, password: str) -> Account | None:
    """The account of a name and its password; None if they do not fit, as slowly for a name that nobody has.

    Every failure is an entry of the ledger, which never holds a name that is no account's: it may be a password.

    Raises:
        UserError: ``review.locked``: too many failures of this name, whether it is somebody's or not.
    """
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
    with store.reading() as reader:
        _check_tries(reader, digest, store.now())
        query = select(ACCOUNT.c.password).where(ACCOUNT.c.name == name, ACCOUNT.c.active == 1)
        hashed = reader.connection.execute(query).scalar_one_or_none() if _NAME.fullmatch(name) else None
        found = _accounts(reader, [name]) if hashed else []
    if _fits(hashed, password) and found:
        return found[0]
    with store.writing() as writer:
        # those who tried at the same time are counted too
        _check_tries(writer, digest, store.now())
        writer.connection.execute(insert(FAILED_LOGIN).values(name=digest, at=stamp(store.now())))
        long_ago = stamp(store.now() - WINDOW)
        writer.connection.execute(delete(FAILED_LOGIN).where(FAILED_LOGIN.c.at < long_ago))
        writer.append(Draft("login_failed", found[0].name if found else "", evidence={"known": bool(found)}))
    return None


def _check_tries(reader: Reader, digest: str, now: datetime) -> None:
    tries = select(func.count()).where(FAILED_LOGIN.c.name == digest, FAILED_LOGIN.c.at >= stamp(now - WINDOW))
    if reader.connection.execute(tries).scalar_one() >= TRIES:
        raise UserError("review.locked", minutes=WINDOW.seconds // 60)


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobodys() -> str:
    """What the password of nobody is compared with."""
    return _hasher().hash(secrets.token_urlsafe())


def _fits(hashed: str | None, password: str) -> bool:
    try:
        return _hasher().verify(hashed or _nobodys(), password[: MOST_PASSWORD + 1]) and hashed is not None
    except (InvalidHashError, VerificationError, UnicodeEncodeError):
        return False


def open_session(store: Store, account: Account) -> tuple[str, str]:
    """Log in who has shown a password: the token for a cookie, and what forms must bring along."""
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    now = store.now()
    with store.writing() as writer:
        writer.connection.execute(delete(SESSION).where(SESSION.c.expires < stamp(now)))
        row = {"token": _digest(token), "account": account.name, "csrf": csrf}
        row |= {"created": stamp(now), "expires": stamp(now + IDLE)}
        writer.connection.execute(insert(SESSION).values(row))
        writer.append(Draft("login", account.name))
    return token, csrf


def session(store: Store, token: str) -> Session | None:
    """Whose session a token is; None if it has ended. Looking puts off its end."""
    digest, now = _digest(token), store.now()
    query = select(SESSION).where(SESSION.c.token == digest, SESSION.c.expires >= stamp(now))
    with store.reading() as reader:
        row = reader.connection.execute(query).one_or_none()
        found = _accounts(reader, [row.account]) if row else []
    if row is None or not found or not found[0].active:
        return None
    expires = min(datetime.fromisoformat(row.created) + LONGEST, now + IDLE)
    if expires - datetime.fromisoformat(row.expires) >= _RENEWED:
        with store.writing() as writer:
            _put_off(writer, digest, expires)
    return Session(found[0], row.csrf)


def _put_off(writer: Writer, digest: str, expires: datetime) -> None:
    writer.connection.execute(update(SESSION).where(SESSION.c.token == digest).values(expires=stamp(expires)))


def close_session(store: Store, token: str) -> None:
    """Log out; a session that has ended stays ended."""
    with store.writing() as writer:
        query = delete(SESSION).where(SESSION.c.token == _digest(token)).returning(SESSION.c.account)
        for (name,) in writer.connection.execute(query).all():
            writer.append(Draft("logout", name))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
