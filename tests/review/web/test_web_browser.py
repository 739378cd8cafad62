"""The page in a real Chromium: by keyboard, on a telephone, in two languages, with two people at once."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy import text

from linkage.store import Store

CHROMIUM = Path("/usr/bin/chromium")
PASSWORD = "mật khẩu đủ dài"  # noqa: S105  of synthetic people
HERS = "003184000123"
SETTLED = 400
"""Milliseconds after which a page takes keys."""

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists() and not os.environ.get("CI"), reason="there is no Chromium on this machine"
)
Add = Callable[..., str]
Pages = Callable[..., Page]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Pages]:
    """``page("an", width=390)``: somebody's browser, logged in; whatever it complains of fails the test."""
    contexts, complaints = [], []

    def opened(name: str, width: int = 1280, height: int = 800, **options: Any) -> Page:
        context = chromium.new_context(viewport={"width": width, "height": height}, base_url=address, **options)
        contexts.append(context)
        found = context.new_page()
        found.set_default_timeout(8000)
        found.on("pageerror", lambda error: complaints.append(str(error)))
        found.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        found.goto("/login")
        found.fill("[name=name]", name)
        found.fill("[name=password]", PASSWORD)
        found.press("[name=password]", "Enter")
        found.wait_for_url(f"{address}/")
        return found

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def press(page: Page, key: str) -> None:
    """A key, after the time in which a page takes none."""
    page.wait_for_timeout(SETTLED)
    page.keyboard.press(key)


def outcomes(store: Store) -> dict[str, str]:
    """The outcome of every settled case."""
    with store.reading() as reader:
        query = text("SELECT case_id, outcome FROM review_case WHERE state = 'settled'")
        return {row.case_id: row.outcome for row in reader.connection.execute(query)}


def test_a_morning_by_keyboard_alone(store: Store, add: Add, page: Pages) -> None:
    first, second, third, fourth = (add(f"S{number}") for number in range(4))
    an = page("an")
    press(an, "n")
    an.wait_for_url("**/next")
    press(an, "1")
    expect(an.locator(".last")).to_contain_text("công dân này")
    expect(an.locator(f'#answer[action="/case/{second}"]')).to_be_attached()
    press(an, "t")
    an.keyboard.insert_text("0 1 c u: không phải phím tắt")
    an.keyboard.press("Enter")
    press(an, "s")
    expect(an.locator(".choices")).to_be_visible()
    press(an, "2")
    expect(an.locator(".last")).to_contain_text("trả lại cơ sở")
    press(an, "0")
    expect(an.locator(f'#answer[action="/case/{fourth}"]')).to_be_attached()
    press(an, "c")
    expect(an.locator("h1")).to_contain_text("Đã hết hồ sơ")
    assert outcomes(store) == {first: "citizen", second: "send_back", third: "none", fourth: "cannot_tell"}
    with store.reading() as reader:
        said = reader.connection.execute(text("SELECT citizen_id, field, comment, seconds FROM answer ORDER BY entry"))
        rows = said.all()
    assert [row[:3] for row in rows[:2]] == [(HERS, None, ""), (None, "birth_date", "0 1 c u: không phải phím tắt")]
    assert all(row[3] is not None for row in rows)


def test_u_takes_the_answer_back(store: Store, add: Add, page: Pages) -> None:
    first, _ = add("S1"), add("S2")
    an = page("an")
    an.goto("/next")
    press(an, "m")
    expect(an.locator(".last")).to_contain_text("lẫn hai người")
    press(an, "u")
    an.wait_for_url(f"**/case/{first}")
    assert outcomes(store) == {}
    press(an, "2")
    expect(an.locator(".last")).to_be_visible()
    assert outcomes(store) == {first: "citizen"}


def test_a_key_held_down_decides_one_case(store: Store, add: Add, page: Pages) -> None:
    for number in range(3):
        add(f"S{number}")
    an = page("an")
    an.goto("/next")
    an.keyboard.press("1")
    an.wait_for_timeout(SETTLED)
    for _ in range(6):
        an.keyboard.down("1")
    expect(an.locator(".last")).to_be_visible()
    for _ in range(6):
        an.keyboard.down("1")
    an.wait_for_timeout(SETTLED)
    assert len(outcomes(store)) == 1


def test_enter_in_the_comment_decides_nothing(store: Store, add: Add, page: Pages) -> None:
    add("S1")
    an = page("an", java_script_enabled=False)
    an.goto("/next")
    an.fill("[name=comment]", "ghi chú")
    an.press("[name=comment]", "Enter")
    an.wait_for_timeout(200)
    assert outcomes(store) == {}
    an.click("text=Không ai trong số này")
    an.wait_for_url("**/next")
    assert list(outcomes(store).values()) == ["none"]


def test_two_people_one_case(store: Store, add: Add, page: Pages) -> None:
    case = add("S1")
    an, binh = page("an"), page("binh")
    an.goto("/next")
    binh.goto(f"/case/{case}")
    expect(binh.locator(".alert")).to_contain_text("an đang xem")
    press(binh, "0")
    binh.wait_for_url("**/next")
    press(an, "1")
    expect(an.locator(".alert")).to_contain_text("binh đã trả lời")
    expect(an.locator("#answer")).to_have_count(0)
    assert outcomes(store) == {case: "none"}


def test_help_and_language(add: Add, page: Pages) -> None:
    add("S1")
    an = page("an")
    an.goto("/next")
    press(an, "?")
    expect(an.locator("#help")).to_be_visible()
    press(an, "0")
    an.keyboard.press("Escape")
    expect(an.locator("#help")).to_be_hidden()
    an.click("text=English")
    expect(an.locator("html")).to_have_attribute("lang", "en")
    expect(an.locator("#answer")).to_contain_text("None of them")


def test_on_a_telephone(store: Store, add: Add, page: Pages) -> None:
    case = add("S1", record={"full_name": "Nguyễn" * 30, "address": "x" * 300})
    an = page("an", width=390, height=844, has_touch=True, is_mobile=True)
    an.goto("/next")
    expect(an.locator(".wide")).to_be_hidden()
    expect(an.locator(".candidate")).to_have_count(2)
    assert an.evaluate("document.documentElement.scrollWidth") <= 390
    for button in an.locator(".actions button:visible, .choose:visible").all():
        assert (button.bounding_box() or {"height": 0})["height"] >= 40
    an.locator(".candidate .choose").nth(1).tap()
    expect(an.locator(".last")).to_be_visible()
    assert outcomes(store) == {case: "citizen"}


def test_no_page_is_wider_than_the_screen(add: Add, page: Pages) -> None:
    add("S1", readings=2)
    admin = page("quan.tri", width=390, height=844)
    for path in ("/", "/next", "/disputes", "/progress", "/accounts"):
        admin.goto(path)
        assert admin.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_hostile_names_run_nothing(add: Add, page: Pages) -> None:
    hostile = '"><img src=x onerror=document.title="taken"><script>document.title="taken"</script>'
    add("S1", record={"full_name": hostile, "address": hostile})
    an = page("an")
    an.goto("/next")
    expect(an.locator(".wide .record").nth(1)).to_contain_text("<script>")
    assert "taken" not in an.title()
