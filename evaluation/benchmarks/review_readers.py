"""Readers at their browsers, one thread each: the next case, a thought, the answer; over HTTP that stays open.

``python -m evaluation.benchmarks.review_readers``, a process of its own: settings as JSON on standard input, latencies
and every answer that was acknowledged as JSON on standard output.
"""

import html
import http.client
import json
import random
import re
import sys
import threading
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from time import perf_counter, process_time, sleep
from typing import Any
from urllib.parse import urlencode

__all__ = ["Browser", "main"]

TOKEN = re.compile(r'name="csrf" value="([^"]*)"')
VERSION = re.compile(r'name="version" value="(\d+)"')
CASE = re.compile(r'<form id="answer"[^>]* action="/case/([0-9a-f-]{36})"')
CITIZEN = re.compile(r'value="(citizen:[^"]+)"')
FIRST, NONE = 0.75, 0.9
"""Of the answers three in four are the first candidate, some none of them, the rest that nobody can tell."""

OK, SEE_OTHER, CONFLICT = 200, 303, 409


class Browser:
    """One connection that is kept, and its cookies."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, form: dict[str, str] | None = None) -> tuple[int, str, float]:
        """Status, page, and seconds from the request to the last byte of the answer."""
        headers = {"cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if form is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
        begun = perf_counter()
        self._connection.request(method, path, urlencode(form) if form else None, headers)
        response = self._connection.getresponse()
        body = response.read()
        seconds = perf_counter() - begun
        for line in response.headers.get_all("set-cookie", []):
            self._cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        return response.status, body.decode(), seconds

    def log_in(self, name: str, password: str) -> None:
        """Log in as people do, by the form.

        Raises:
            RuntimeError: it does not work.
        """
        _, page, _ = self.ask("GET", "/login")
        status, _, _ = self.ask("POST", "/login", {"csrf": _token(page), "name": name, "password": password})
        if status != SEE_OTHER:
            raise RuntimeError(f"log-in: {status}")
        # until all are there, the server would end a connection that waits; it is opened anew
        self._connection.close()


@dataclass(slots=True)
class Done:
    """What one reader did: seconds of each request, the answers acknowledged, and what went otherwise."""

    next_case: list[float] = field(default_factory=list)
    answer: list[float] = field(default_factory=list)
    acknowledged: list[tuple[str, str, str]] = field(default_factory=list)
    conflicts: int = 0
    wrong: list[str] = field(default_factory=list)


def _token(page: str) -> str:
    found = TOKEN.search(page)
    if found is None:
        raise RuntimeError("a page without a form")
    return html.unescape(found[1])


def _at_work(browser: Browser, name: str, settings: dict[str, Any], done: Done) -> None:
    try:
        _read(browser, name, settings, done)
    except (OSError, http.client.HTTPException) as error:
        done.wrong.append(type(error).__name__)


def _read(browser: Browser, name: str, settings: dict[str, Any], done: Done) -> None:
    """Cases until the time is over; the first one comes at a random moment of a think time."""
    chance = random.Random(name)
    ends = perf_counter() + settings["seconds"]
    sleep(chance.uniform(0, settings["think"]))
    while perf_counter() < ends:
        status, page, seconds = browser.ask("GET", "/next")
        found = CASE.search(page)
        version = VERSION.search(page)
        if status != OK or found is None or version is None:
            done.wrong.append(f"next {status}")
            return
        done.next_case.append(seconds)
        sleep(chance.uniform(0.5, 1.5) * settings["think"])
        choice = _choice(page, chance)
        form = {"csrf": _token(page), "version": version[1], "back": "next", "seconds": "9.5", "choice": choice}
        status, _, seconds = browser.ask("POST", f"/case/{found[1]}", form)
        done.answer.append(seconds)
        if status == SEE_OTHER:
            done.acknowledged.append((found[1], name, choice))
        elif status == CONFLICT:
            done.conflicts += 1
        else:
            done.wrong.append(f"answer {status}")


def _choice(page: str, chance: random.Random) -> str:
    citizen, drawn = CITIZEN.search(page), chance.random()
    if citizen and drawn < FIRST:
        return html.unescape(citizen[1])
    return "none" if drawn < NONE else "cannot_tell"


def main() -> None:
    """Log everybody in, one after another, and let them read."""
    settings = json.load(sys.stdin)
    browsers = {name: Browser(settings["port"]) for name in settings["readers"]}
    for name, browser in browsers.items():
        browser.log_in(name, settings["password"])
    done = {name: Done() for name in browsers}
    threads = [
        threading.Thread(target=_at_work, args=(browser, name, settings, done[name]))
        for name, browser in browsers.items()
    ]
    begun, used = perf_counter(), process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result = {
        "seconds": perf_counter() - begun,
        "processor_seconds": process_time() - used,
        "next_case": [each for one in done.values() for each in one.next_case],
        "answer": [each for one in done.values() for each in one.answer],
        "acknowledged": [each for one in done.values() for each in one.acknowledged],
        "conflicts": sum(one.conflicts for one in done.values()),
        "wrong": [each for one in done.values() for each in one.wrong],
    }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
