"""Who may log in, for how long, and what they may see."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.errors import UserError
from linkage.messages import LANGUAGES
from linkage.review.accounts import (
    EVERYWHERE,
    Account,
    account,
    accounts,
    check_password,
    close_session,
    open_session,
    session,
    set_account,
    unit_column,
)
from linkage.store import Store

AN = Account("an", "reviewer", ("00001", "facility:F01"), capacity=150, language="vi")
WORD = "mật khẩu của An"

CODES = st.sampled_from([None, "01", "001", "00001", "00004", "F01"])
UNITS = st.lists(st.sampled_from(["*", "01", "001", "00001", "00004", "facility:F01", "facility:00001"]), max_size=3)


@given(UNITS, CODES, CODES, CODES, CODES)
def test_an_account_covers_what_one_of_its_units_names(
    units: list[str], province: str | None, district: str | None, commune: str | None, facility: str | None
) -> None:
    place = {"province": province, "district": district, "commune": commune, "facility": facility}
    named = any(unit == EVERYWHERE or place[unit_column(unit)[0]] == unit_column(unit)[1] for unit in units)
    # a code is looked up among codes of its own length only
    sizes = {"province": 2, "district": 3, "commune": 5}
    fits = all(place[column] is None or len(place[column] or "") == size for column, size in sizes.items())
    assert not fits or Account("x", "reviewer", tuple(units)).covers(**place) == named


def test_a_facility_with_the_digits_of_a_commune_is_not_that_commune() -> None:
    assert not Account("x", "reviewer", ("00001",)).covers(None, None, None, "00001")
    assert not Account("x", "reviewer", ("facility:00001",)).covers(None, None, "00001", None)


def test_an_account_is_made_and_changed(desk: Store) -> None:
    set_account(desk, AN, WORD, actor="root")
    assert account(desk, "an") == AN
    # what is not given stays: the password
    set_account(desk, replace(AN, role="supervisor", active=True), actor="root")
    assert accounts(desk) == [replace(AN, role="supervisor")]
    assert check_password(desk, "an", WORD) == replace(AN, role="supervisor")
    assert account(desk, "nobody") is None


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"name": ""}, "bad_name"),
        ({"name": "a\nb"}, "bad_name"),
        ({"name": "a" * 101}, "bad_name"),
        ({"role": "king"}, "bad_role"),
        ({"units": ("1",)}, "bad_unit"),
        ({"units": ("٠١",)}, "bad_unit"),
        ({"units": ("facility:",)}, "bad_unit"),
        ({"capacity": 0}, "bad_capacity"),
        ({"language": "fr"}, "bad_language"),
    ],
)
def test_what_cannot_be_is_one_message(changed: dict[str, Any], key: str, desk: Store) -> None:
    with pytest.raises(UserError) as refused:
        set_account(desk, replace(AN, **changed), actor="root")
    assert refused.value.key == f"review.{key}"
    assert all(refused.value.in_language(language) for language in LANGUAGES)
    assert accounts(desk) == []


def test_a_password_is_hashed_and_fits_only_itself(desk: Store) -> None:
    set_account(desk, AN, WORD, actor="root")
    with desk.reading() as reader:
        [stored] = reader.connection.exec_driver_sql("SELECT password FROM account").scalars()
        said = " ".join(entry.evidence for entry in reader.entries())
    assert stored.startswith("$argon2id$")
    assert WORD not in said
    assert stored not in said
    assert check_password(desk, "an", WORD) == AN
    assert check_password(desk, "an", WORD + "x") is None
    assert check_password(desk, "An", WORD) is None
    assert check_password(desk, "an", "\ud800") is None


@pytest.mark.parametrize("word", ["short", "x" * 1001])
def test_a_password_that_cannot_be_is_refused(word: str, desk: Store) -> None:
    with pytest.raises(UserError, match="password"):
        set_account(desk, AN, word, actor="root")


def test_who_has_no_password_or_is_not_active_cannot_log_in(desk: Store) -> None:
    set_account(desk, AN, actor="root")
    assert check_password(desk, "an", "") is None
    set_account(desk, replace(AN, active=False), WORD, actor="root")
    assert check_password(desk, "an", WORD) is None


@pytest.mark.parametrize("name", ["an", "nobody", "mật khẩu gõ nhầm ô\n"])
def test_five_wrong_passwords_lock_a_name_whether_it_is_somebodys_or_not(
    name: str, desk: Store, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_account(desk, AN, WORD, actor="root")
    hashes = 0

    def fits(_: str | None, password: str) -> bool:
        nonlocal hashes
        hashes += 1
        return password == WORD

    monkeypatch.setattr("linkage.review.accounts._fits", fits)
    for _ in range(5):
        clock.pass_by(minutes=1)
        assert check_password(desk, name, "wrong") is None
    # a name that nobody has took as much work
    assert hashes == 5
    with pytest.raises(UserError) as locked:
        check_password(desk, name, WORD)
    assert locked.value.key == "review.locked"
    assert hashes == 5
    clock.pass_by(minutes=16)
    assert check_password(desk, name, WORD) == (AN if name == "an" else None)
    with desk.reading() as reader:
        failed = [entry for entry in reader.entries() if entry.kind == "login_failed"]
    assert {entry.actor for entry in failed} == {"an" if name == "an" else ""}
    # what nobody is called may be a password
    assert not any("nhầm" in entry.evidence for entry in failed)
    assert desk.verify() == []


def test_a_session_ends_when_idle_when_old_and_when_closed(desk: Store, clock: Any) -> None:
    set_account(desk, AN, actor="root")
    token, csrf = open_session(desk, AN)
    assert session(desk, token) == (AN, csrf)
    assert session(desk, token + "x") is None
    clock.pass_by(minutes=31)
    assert session(desk, token) is None
    token, _ = open_session(desk, AN)
    for _ in range(19):
        clock.pass_by(minutes=25)
        assert session(desk, token) is not None
    clock.pass_by(minutes=6)
    assert session(desk, token) is None
    token, _ = open_session(desk, AN)
    close_session(desk, token)
    close_session(desk, token)
    assert session(desk, token) is None
    with desk.reading() as reader:
        assert [entry.kind for entry in reader.entries()] == ["account", *["login"] * 3, "logout"]


def test_a_session_ends_when_the_account_changes(desk: Store) -> None:
    set_account(desk, AN, actor="root")
    token, _ = open_session(desk, AN)
    set_account(desk, replace(AN, units=("*",)), actor="root")
    assert session(desk, token) is None


def test_a_token_is_not_in_the_store(desk: Store, ask: Callable[..., str]) -> None:
    ask(desk)
    set_account(desk, AN, actor="root")
    token, _ = open_session(desk, AN)
    with desk.reading() as reader:
        [row] = reader.connection.exec_driver_sql("SELECT * FROM session").all()
    assert token not in row
