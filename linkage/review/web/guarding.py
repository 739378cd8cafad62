"""What stands before every page: headers, a limit on what is sent, faults that say nothing of persons."""

import logging
import traceback
from collections import OrderedDict, deque
from collections.abc import Callable
from threading import Lock
from time import monotonic

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["LOG", "Attempts", "Guard"]

HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
OVER_HTTPS = {"strict-transport-security": "max-age=31536000"}
LARGEST_BODY = 65_536
LOG = logging.getLogger("linkage.review")


class Guard:
    """Headers on every answer, a body of at most ``LARGEST_BODY`` bytes, and a page instead of a traceback.

    A fault is logged by its type and places in the code alone: its text may hold what a record says.

    Args:
        app: what is guarded.
        https: whether browsers are told to come back by https only.
        too_large: the page for a body that is too large.
        fault: the page for a fault of ours.
    """

    def __init__(
        self, app: ASGIApp, https: bool, too_large: Callable[[Scope], Response], fault: Callable[[Scope], Response]
    ) -> None:
        self._app = app
        self._headers = HEADERS | (OVER_HTTPS if https else {})
        self._too_large = too_large
        self._fault = fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        body = await _body(scope, receive)
        if body is None:
            await self._too_large(scope)(scope, receive, guarded)
            return
        try:
            await self._app(scope, _replayed(body, receive), guarded)
        except Exception as error:  # noqa: BLE001  whatever it is, the clerk sees a page and the log no person
            LOG.error("%s %s", type(error).__name__, _places(error))  # noqa: TRY400  the traceback quotes values
            if not begun:
                await self._fault(scope)(scope, receive, guarded)


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """All that was sent; None when it is too much."""
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if not declared.isdigit() or int(declared) > LARGEST_BODY:
        return None
    body, more = b"", scope["method"] not in {"GET", "HEAD"}
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LARGEST_BODY:
            return None
    return body


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body at once, then whatever the client says next."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again


def _places(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))


class Attempts:
    """Failed log-ins per address: after ``most`` within ``seconds``, no more are looked at."""

    def __init__(self, most: int = 30, seconds: float = 900, clock: Callable[[], float] = monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = Lock()

    def allowed(self, address: str) -> bool:
        """Whether this address may try."""
        with self._lock:
            failures = self._failures.get(address, deque())
            while failures and failures[0] < self._clock() - self._seconds:
                failures.popleft()
            return len(failures) < self._most

    def failed(self, address: str) -> None:
        """Remember a failure; of more than ten thousand addresses the oldest are forgotten."""
        with self._lock:
            self._failures.setdefault(address, deque()).append(self._clock())
            self._failures.move_to_end(address)
            if len(self._failures) > 10_000:
                self._failures.popitem(last=False)
