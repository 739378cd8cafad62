"""Log-in, log-out, the language, and the files that browsers may keep."""

from secrets import compare_digest, token_urlsafe
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from linkage.errors import UserError
from linkage.messages import LANGUAGES
from linkage.review.accounts import check_password, close_session, open_session
from linkage.review.web.visitors import Checked, check_token, forget_cookie, language_of, set_cookie, signed_in, site_of

__all__ = ["ENTRANCE"]

ENTRANCE = APIRouter()
A_YEAR = 31_536_000


@ENTRANCE.get("/login")
def log_in_page(request: Request, ended: bool = False) -> Response:
    """The form."""
    return _form(request, "ended" if ended else None)


@ENTRANCE.post("/login")
def log_in(
    request: Request,
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """A session for who knows the password; the form again, saying why not, for others."""
    site = site_of(request)
    _check_anonymous(request, csrf)
    address = request.client.host if request.client else ""
    if not site.attempts.allowed(address):
        return _form(request, "too_many", 429)
    try:
        account = check_password(site.store, name, password)
    except UserError:
        site.attempts.failed(address)
        return _form(request, "locked", 429)
    if account is None:
        site.attempts.failed(address)
        return _form(request, "wrong", 401)
    if previous := request.cookies.get(site.cookie("session")):
        close_session(site.store, previous)
    token, _ = open_session(site.store, account)
    response = RedirectResponse("/", 303)
    set_cookie(site, response, "session", token)
    forget_cookie(site, response, "entrance")
    return response


@ENTRANCE.post("/logout")
def log_out(visitor: Checked) -> Response:
    """The session ends in the store, not in the browser alone."""
    site = visitor.site
    close_session(site.store, visitor.request.cookies[site.cookie("session")])
    response = RedirectResponse("/login", 303)
    for name in ("session", "last", "done"):
        forget_cookie(site, response, name)
    return response


@ENTRANCE.post("/language")
def choose_language(
    request: Request,
    language: Annotated[str, Form()],
    back: Annotated[str, Form()] = "/",
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """The page again, in another language."""
    site = site_of(request)
    if site.cookie("session") in request.cookies:
        check_token(signed_in(request), csrf)
    else:
        _check_anonymous(request, csrf)
    if language not in LANGUAGES:
        raise HTTPException(400)
    local = back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable() and back.isascii()
    response = RedirectResponse(back if local else "/", 303)
    set_cookie(site, response, "language", language, A_YEAR)
    return response


def _check_anonymous(request: Request, csrf: str) -> None:
    """Somebody without a session has the token in a cookie."""
    expected = request.cookies.get(site_of(request).cookie("entrance"), "")
    if not expected or not compare_digest(csrf.encode(), expected.encode()):
        raise HTTPException(403)


def _form(request: Request, problem: str | None, status: int = 200) -> Response:
    site = site_of(request)
    token = request.cookies.get(site.cookie("entrance")) or token_urlsafe(32)
    response = site.pages.render(
        "login", language_of(request), status, problem=problem, csrf=token, account=None, path="/login"
    )
    set_cookie(site, response, "entrance", token)
    return response
