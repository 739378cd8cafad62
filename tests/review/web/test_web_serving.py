"""The server as it is started: a process that says nothing of who asked for what."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from linkage.errors import UserError
from linkage.review.web.serving import _Config, serve
from linkage.store import open_store

SERVE = "import sys; from linkage.review.web.serving import serve; serve(sys.argv[1], port=int(sys.argv[2]))"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_the_server_logs_nothing_of_requests(tmp_path: Path) -> None:
    url, port = f"sqlite:///{tmp_path}/review.db", free_port()
    open_store(url).close()
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, url, str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as server:
        try:
            address = f"http://127.0.0.1:{port}"
            until = time.monotonic() + 60
            while True:
                try:
                    answers = [httpx.get(f"{address}{path}") for path in ("/login", "/Nguyen-Thi-Hoa?so=003184000123")]
                    break
                except httpx.TransportError:
                    assert time.monotonic() < until
                    time.sleep(0.1)
        finally:
            server.terminate()
            said, _ = server.communicate(timeout=30)
    assert [answer.status_code for answer in answers] == [200, 404]
    assert "server" not in answers[0].headers
    for told in ("Nguyen", "003184000123", "/login", "GET"):
        assert told not in said


def test_a_store_that_is_not_there_is_said_before_anything_is_served(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        serve(f"sqlite:///{tmp_path}/none.db", port=free_port())
    assert refused.value.key == "store.missing"


def test_the_end_of_a_page_is_not_held_back() -> None:
    with _Config("", port=0).bind_socket() as bound:
        bound.listen()
        with socket.create_connection(bound.getsockname()), bound.accept()[0] as connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
