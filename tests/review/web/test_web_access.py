"""Who may see and do what: sessions, roles, tokens of forms, headers, and what is never told."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from markupsafe import escape
from sqlalchemy import text

from linkage.errors import UserError
from linkage.messages import LANGUAGES
from linkage.review.accounts import Account, account, set_account
from linkage.review.web.app import create_app
from linkage.review.web.guarding import LARGEST_BODY, Attempts
from linkage.store import Store

Browsers = Callable[..., Any]
Add = Callable[..., str]
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{70*70}}", "' onfocus=alert(1) '")
CASE = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"


def pages(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path of every page."""
    groups = [group.original_router for group in app.routes if hasattr(group, "original_router")]
    routes = [route for group in groups for route in group.routes if isinstance(route, APIRoute)]
    return [(method, route.path.format(case_id=CASE)) for route in routes for method in route.methods or ()]


def test_every_page_is_behind_log_in(app: FastAPI, browser: Browsers) -> None:
    nobody = browser()
    found = [page for page in pages(app) if page[1] != "/login"]
    assert len(found) >= 10
    for method, path in found:
        answer = nobody.send(method, path, data={"csrf": "x", "language": "en"} if method == "POST" else None)
        if path == "/language":
            assert answer.status_code == 403
        else:
            assert (answer.status_code, answer.headers["location"]) == (303, "/login"), (method, path)


def test_every_form_needs_the_token_of_its_session(app: FastAPI, browser: Browsers, add: Add) -> None:
    add("S1")
    admin, other = browser("quan.tri"), browser("an")
    foreign = other.token(other.get("/").text)
    forms = [path for method, path in pages(app) if method == "POST"]
    assert len(forms) >= 8
    for path in forms:
        for token in ({}, {"csrf": ""}, {"csrf": "ư"}, {"csrf": foreign}):
            assert admin.send("POST", path, data={"language": "en"} | token).status_code == 403, path
    assert admin.get("/").status_code == 200


def test_a_token_from_another_browser_does_not_log_in(browser: Browsers) -> None:
    mine, theirs = browser(), browser()
    token = theirs.token(theirs.get("/login").text)
    mine.get("/login")
    form = {"name": "an", "password": "mật khẩu đủ dài", "csrf": token}
    assert mine.send("POST", "/login", data=form).status_code == 403


def test_a_reviewer_cannot_see_a_case_of_another_commune(store: Store, browser: Browsers, add: Add) -> None:
    theirs = add("T1", commune="26734")
    an = browser("an")
    missing = an.get(f"/case/{CASE}")
    for refused in (an.get(f"/case/{theirs}"), an.answer(theirs, "none"), an.post(f"/case/{theirs}/undo")):
        assert refused.status_code == 404
        assert refused.text == missing.text
    assert theirs not in an.get("/next").text
    with store.reading() as reader:
        assert reader.connection.execute(text("SELECT count(*) FROM answer")).scalar_one() == 0


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("an", {"/": 200, "/next": 200, "/disputes": 403, "/progress": 403, "/accounts": 403}),
        ("giam.sat", {"/": 200, "/next": 200, "/disputes": 200, "/progress": 200, "/accounts": 403}),
        ("quan.tri", {"/": 200, "/next": 200, "/disputes": 200, "/progress": 200, "/accounts": 200}),
    ],
)
def test_roles(browser: Browsers, name: str, allowed: dict[str, int]) -> None:
    person = browser(name)
    assert {path: person.get(path).status_code for path in allowed} == allowed
    shown = person.get("/").text
    assert {path for path in allowed if f'href="{path}"' in shown} - {"/", "/next"} == {
        path for path, status in allowed.items() if status == 200
    } - {"/", "/next"}


def test_a_reviewer_makes_no_account(store: Store, browser: Browsers) -> None:
    form = {"new": 1, "active": 1, "name": "x", "role": "administrator", "capacity": 9, "language": "vi", "units": "*"}
    assert browser("giam.sat").post("/accounts", **form).status_code == 403
    assert account(store, "x") is None


def test_a_session_ends_when_idle_and_after_a_day_of_work(browser: Browsers, clock: Any) -> None:
    an = browser("an")
    clock.move(minutes=29)
    assert an.get("/").status_code == 200
    clock.move(minutes=31)
    ended = an.get("/")
    assert (ended.status_code, ended.headers["location"]) == (303, "/login?ended=1")
    assert "Phiên làm việc đã hết" in an.get("/login?ended=1").text
    an = browser("an")
    for _ in range(24):
        clock.move(minutes=19)
        assert an.get("/").status_code == 200
    clock.move(minutes=29)
    assert an.get("/").status_code == 303


def test_logging_out_ends_the_session_in_the_store(browser: Browsers) -> None:
    an, thief = browser("an"), browser()
    thief.client.cookies.set("session", an.client.cookies["session"], domain="testserver.local")
    assert thief.get("/").status_code == 200
    assert an.post("/logout").status_code == 303
    assert thief.get("/").status_code == 303


def test_a_disabled_account_is_out_at_once(store: Store, browser: Browsers) -> None:
    an = browser("an")
    set_account(store, Account("an", "reviewer", ("00001",), active=False), actor="quan.tri")
    assert an.get("/").status_code == 303
    assert an.log_in("an").status_code == 401


def test_five_failures_lock_an_account_whoever_tries(browser: Browsers, clock: Any) -> None:
    for _ in range(5):
        assert browser().log_in("an", "sai mật khẩu").status_code == 401
    locked = browser().log_in("an")
    assert locked.status_code == 429
    assert "15 phút" in locked.text
    assert browser().log_in("binh").status_code == 303
    clock.move(minutes=16)
    assert browser().log_in("an").status_code == 303


def test_unknown_names_and_wrong_passwords_look_the_same(browser: Browsers) -> None:
    def seen(name: str) -> tuple[int, str]:
        person = browser()
        answer = person.log_in(name, "sai mật khẩu")
        return answer.status_code, answer.text.replace(person.token(answer.text), "")

    assert seen("an") == seen("khong.co")


def test_one_address_cannot_try_many_names(browser: Browsers) -> None:
    tried = [browser().log_in(f"ten.{number}", "sai mật khẩu").status_code for number in range(31)]
    assert (set(tried[:30]), tried[30]) == ({401}, 429)
    assert browser().log_in("an").status_code == 429


def test_failures_of_an_address_are_forgotten_in_time() -> None:
    now = [0.0]
    attempts = Attempts(most=2, seconds=10, clock=lambda: now[0])
    attempts.failed("a")
    now[0] = 9
    attempts.failed("a")
    assert (attempts.allowed("a"), attempts.allowed("b")) == (False, True)
    now[0] = 10.5
    assert attempts.allowed("a")


@pytest.mark.parametrize("path", ["/login", "/", "/next", "/accounts", "/nowhere", "/static/app.css", "/case/x"])
def test_headers_stand_on_every_answer(browser: Browsers, path: str) -> None:
    headers = browser("quan.tri").get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == ("no-store" if "static" not in path else "public, max-age=31536000, immutable")


def test_pages_hold_nothing_the_policy_forbids(browser: Browsers, add: Add) -> None:
    add("S1")
    admin = browser("quan.tri")
    for path in ("/", "/next", "/disputes", "/progress", "/accounts", "/login"):
        shown = admin.get(path).text
        assert "style=" not in shown
        assert "<style" not in shown
        assert " onclick" not in shown
        assert "http" not in shown.replace("http-equiv", ""), path
        assert shown.count("<script") == shown.count('<script src="/static/keys.js')


def test_cookies_are_kept_from_scripts_and_other_sites(browser: Browsers, store: Store) -> None:
    plain = browser().log_in("an").headers.get_list("set-cookie")
    assert all("HttpOnly" in cookie and "SameSite=strict" in cookie and "Secure" not in cookie for cookie in plain)
    person = browser(app=create_app(store, https=True), base_url="https://testserver")
    answer = person.log_in("an")
    cookies = answer.headers.get_list("set-cookie")
    assert any(cookie.startswith("__Host-session=") for cookie in cookies)
    assert all("Secure" in cookie and "Path=/" in cookie and "Domain" not in cookie for cookie in cookies)
    assert "max-age" in answer.headers["strict-transport-security"]
    assert person.get("/").status_code == 200


@pytest.mark.parametrize("text_", HOSTILE)
def test_hostile_text_stays_text(browser: Browsers, add: Add, text_: str) -> None:
    record = {"full_name": text_, "address": text_, "national_id": text_, "date_of_birth": text_, "sex": text_}
    case = add("S1", readings=2, record=record, variants={"full_name": (text_ + "x",)})
    an, binh, supervisor = browser("an"), browser("binh"), browser("giam.sat")
    an.answer(case, "none", comment=text_)
    binh.answer(case, "cannot_tell", version=2, comment=text_)
    shown = [supervisor.get("/disputes").text, supervisor.get(f"/case/{case}").text, an.get(f"/case/{case}").text]
    for page in shown:
        assert "<img" not in page
        assert "<script>" not in page
        assert "4900" not in page
        assert escape(text_) in page.replace("<mark>", "").replace("</mark>", "")


def test_too_much_is_refused_before_it_is_read(browser: Browsers, add: Add) -> None:
    case = add("S1")
    an = browser("an")
    large = an.answer(case, "none", comment="x" * LARGEST_BODY)
    assert large.status_code == 413

    async def endless() -> Any:
        while True:
            yield b"x" * 10_000

    assert an.send("POST", "/login", content=endless()).status_code == 413


def test_a_fault_shows_a_page_and_logs_no_person(
    browser: Browsers, add: Add, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Nguyễn Thị Hoà 003184000123")

    add("S1")
    an = browser("an")
    monkeypatch.setattr("linkage.review.web.reader.next_case", fail)
    with caplog.at_level(logging.DEBUG):
        broken = an.get("/next")
    assert broken.status_code == 500
    assert "Lỗi của chương trình" in broken.text
    assert "RuntimeError" in caplog.text
    for told in (broken.text, caplog.text):
        assert "Traceback" not in told
        assert "003184000123" not in told
        assert "Nguyễn" not in told


def test_a_database_out_of_reach_is_not_named(browser: Browsers, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise UserError("store.busy", store="postgresql://host.example/review")

    an = browser("an")
    monkeypatch.setattr("linkage.review.web.reader.next_case", fail)
    busy = an.get("/next")
    assert busy.status_code == 503
    assert "host.example" not in busy.text


def test_nothing_of_persons_in_addresses_or_logs(browser: Browsers, add: Add, caplog: pytest.LogCaptureFixture) -> None:
    case = add("S1")
    with caplog.at_level(logging.DEBUG):
        an = browser("an")
        shown = an.get("/next").text
        moved = an.answer(case, "citizen:003184000123").headers["location"]
        an.get(f"/case/{case}")
    addresses = [part.partition('"')[0] for mark in ('href="', 'action="') for part in shown.split(mark)[1:]]
    for address in (*addresses, moved):
        assert "003184000123" not in address
    assert "003184000123" not in caplog.text
    assert "HOA" not in caplog.text


def test_what_is_shown_and_said_stands_in_the_ledger(store: Store, browser: Browsers, add: Add) -> None:
    case = add("S1")
    an = browser("an")
    an.get("/next")
    an.answer(case, "none")
    an.post(f"/case/{case}/undo")
    an.post("/logout")
    with store.reading() as reader:
        kinds = [kind for (kind,) in reader.connection.execute(text("SELECT kind FROM entry WHERE actor = 'an'"))]
    assert kinds == ["login", "view", "answer", "undo", "logout"]
    assert store.verify() == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", ["/nowhere", "/case/not-a-uuid", f"/case/{CASE}", "/login?ended=x"])
def test_errors_are_pages_in_the_language(browser: Browsers, language: str, path: str) -> None:
    an = browser("an")
    an.post("/language", language=language)
    page = an.get(path)
    assert page.status_code == 404
    assert f'<html lang="{language}">' in page.text
    assert {"en": "Not found", "vi": "Không tìm thấy"}[language] in page.text
