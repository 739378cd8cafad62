"""The application as a server."""

import os
import socket
from contextlib import suppress

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from linkage.review.web.app import create_app
from linkage.store import open_store

__all__ = ["serve"]

KEPT = 75
"""Seconds that the connection of a browser waits for its next request: whoever reads a case is not gone."""

URL, LANGUAGE, HTTPS = "LINKAGE_REVIEW_STORE", "LINKAGE_REVIEW_LANGUAGE", "LINKAGE_REVIEW_HTTPS"


def serve(
    url: str, host: str = "127.0.0.1", port: int = 8000, workers: int = 1, *, language: str = "vi", https: bool = False
) -> None:
    """Serve until interrupted; of each request nothing is logged.

    Args:
        url: of a store that exists; each worker opens it by itself.
        host: address to listen on.
        port: to listen on.
        workers: processes.
        language: of who has chosen none.
        https: a proxy on this machine speaks https with browsers.

    Raises:
        UserError: the store cannot be opened.
    """
    open_store(url, create=False).close()
    # a worker is a process of its own, and gets what it needs by the environment: an address may hold a password
    os.environ |= {URL: url, LANGUAGE: language, HTTPS: "1" if https else ""}
    config = _Config(
        f"{__name__}:from_environment",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEPT,
        log_level="warning",
        timeout_graceful_shutdown=10,
    )
    bound = config.bind_socket()
    with suppress(KeyboardInterrupt):
        if workers > 1:
            Multiprocess(config, sockets=[bound]).run()
        else:
            uvicorn.Server(config).run(sockets=[bound])


class _Config(uvicorn.Config):
    def bind_socket(self) -> socket.socket:
        """As it is bound, but without Nagle's algorithm, which holds back the end of each page for 40 ms.

        The event loop sees to that by itself, but not for a socket that several processes share.
        """
        bound = super().bind_socket()
        # connections inherit it
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return bound


def from_environment() -> FastAPI:
    """The application of one worker."""
    store = open_store(os.environ[URL], create=False)
    return create_app(store, language=os.environ[LANGUAGE], https=bool(os.environ[HTTPS]))
