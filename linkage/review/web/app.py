"""The application: its pages, and what is shown where there is none."""

from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from linkage.errors import UserError
from linkage.messages import catalogue, say
from linkage.review.desk import progress
from linkage.review.web.administrator import ADMINISTRATOR
from linkage.review.web.entrance import ENTRANCE
from linkage.review.web.guarding import LOG, Attempts, Guard
from linkage.review.web.pages import Pages
from linkage.review.web.reader import READER
from linkage.review.web.supervisor import SUPERVISOR
from linkage.review.web.tally import Recent
from linkage.review.web.visitors import SignedOutError, Site, forget_cookie, language_of, site_of
from linkage.store import Store
from linkage.vietnamese.units import all_units

__all__ = ["create_app"]

STATUS = {
    "review.no_case": 404,
    "review.not_yours": 404,
    "review.locked": 429,
}
WITHOUT_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def create_app(store: Store, *, language: str = "vi", https: bool = False) -> FastAPI:
    """The web application over a store that is open.

    Args:
        store: with accounts and a queue.
        language: of who has chosen none.
        https: served over https, by itself or behind a proxy: cookies go over nothing else.
    """
    # what traces a request would send what it holds
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, telemetry=WITHOUT_TELEMETRY)
    app.state.site = Site(store, Pages(), language, https, Attempts(), Recent(lambda: progress(store)))
    for router in (ENTRANCE, READER, SUPERVISOR, ADMINISTRATOR):
        app.include_router(router)
    app.mount("/static", _Kept(directory=Path(__file__).with_name("static")))
    app.add_exception_handler(SignedOutError, _signed_out)
    app.add_exception_handler(UserError, _user_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(
        Guard,
        https=https,
        too_large=lambda scope: _of_scope(app, scope, 413),
        fault=lambda scope: _of_scope(app, scope, 500),
    )
    all_units()
    return app


class _Kept(StaticFiles):
    """Files whose address holds their digest."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def _signed_out(request: Request, _: Exception) -> Response:
    had_one = site_of(request).cookie("session") in request.cookies
    response = RedirectResponse("/login?ended=1" if had_one else "/login", 303)
    forget_cookie(site_of(request), response, "session")
    return response


def _user_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, UserError)  # noqa: S101  it is registered for nothing else
    if error.key.startswith("store."):
        # where the database is concerns nobody who reads cases
        LOG.error("%s", error)
        return _message(request, 503)
    status = STATUS.get(error.key, 400)
    # whether a case of other units exists is not told
    text = None if status == HTTPStatus.NOT_FOUND else error.in_language(language_of(request))
    return _message(request, status, text)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    return _message(request, error.status_code)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    in_the_address = any(problem["loc"][0] in {"path", "query"} for problem in error.errors())
    return _message(request, 404 if in_the_address else 400)


def _of_scope(app: FastAPI, scope: Scope, status: int) -> Response:
    return _message(Request({**scope, "app": app}), status)


def _message(request: Request, status: int, text: str | None = None) -> Response:
    language = language_of(request)
    key = f"web.error.{status}" if f"web.error.{status}" in catalogue() else "web.error.400"
    title = say(f"{key}.title", language) if f"{key}.title" in catalogue() else HTTPStatus(status).phrase
    return site_of(request).pages.render(
        "message", language, status, title=title, text=text or say(key, language), account=None, csrf=None, path="/"
    )
