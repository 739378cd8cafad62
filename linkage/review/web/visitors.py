"""Who asks: the session behind a cookie, the language, the role, and the token that every form carries."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from secrets import compare_digest
from typing import Annotated

from fastapi import Depends, Form, HTTPException, Request
from starlette.responses import HTMLResponse, Response

from linkage.messages import LANGUAGES
from linkage.review.accounts import Account, session
from linkage.review.web.guarding import Attempts
from linkage.review.web.pages import Pages
from linkage.review.web.tally import Recent
from linkage.store import Store

__all__ = [
    "SUPERVISING",
    "Checked",
    "SignedIn",
    "SignedOutError",
    "Site",
    "Visitor",
    "check_token",
    "forget_cookie",
    "language_of",
    "only",
    "set_cookie",
    "signed_in",
    "site_of",
]

SUPERVISING = ("supervisor", "administrator")


@dataclass(frozen=True, slots=True)
class Site:
    """What all requests share: the store, the pages, the language of who has chosen none, what is remembered."""

    store: Store
    pages: Pages
    language: str
    https: bool
    attempts: Attempts
    units: Recent

    def cookie(self, name: str) -> str:
        """The name of a cookie; over https one that no other host can set."""
        return f"__Host-{name}" if self.https else name


class SignedOutError(Exception):
    """There is no session, or it has ended."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who has logged in."""

    site: Site
    request: Request
    account: Account
    csrf: str
    language: str

    def page(self, name: str, status: int = 200, **facts: object) -> HTMLResponse:
        """A page with the frame of somebody who has logged in."""
        path = self.request.url.path if self.request.method == "GET" else "/"
        return self.site.pages.render(
            name, self.language, status, account=self.account, csrf=self.csrf, path=path, **facts
        )


def site_of(request: Request) -> Site:
    """The site that a request came to."""
    site: Site = request.app.state.site
    return site


def language_of(request: Request, otherwise: str | None = None) -> str:
    """The language chosen in this browser, else that of the account, else that of the site."""
    site = site_of(request)
    chosen = request.cookies.get(site.cookie("language"), otherwise)
    return chosen if chosen in LANGUAGES else site.language


def set_cookie(site: Site, response: Response, name: str, value: str, seconds: int | None = None) -> None:
    """A cookie that no script reads and no other site sends.

    Args:
        site: says whether it is only for https.
        response: what carries it.
        name: without the prefix.
        value: what the browser sends back.
        seconds: how long it lives; without it as long as the browser is open.
    """
    response.set_cookie(
        site.cookie(name), value, max_age=seconds, httponly=True, samesite="strict", secure=site.https, path="/"
    )


def forget_cookie(site: Site, response: Response, name: str) -> None:
    """The browser drops a cookie of ours."""
    response.delete_cookie(site.cookie(name), path="/", secure=site.https, httponly=True, samesite="strict")


def signed_in(request: Request) -> Visitor:
    """Who asks.

    Raises:
        SignedOutError: nobody who has logged in.
    """
    site = site_of(request)
    token = request.cookies.get(site.cookie("session"))
    found = session(site.store, token) if token else None
    if found is None:
        raise SignedOutError
    return Visitor(site, request, found.account, found.csrf, language_of(request, found.account.language))


SignedIn = Annotated[Visitor, Depends(signed_in)]


def check_token(visitor: Visitor, csrf: str) -> None:
    """Nothing, if a form is one that this session was given.

    Raises:
        HTTPException: 403, it is not.
    """
    if not compare_digest(csrf.encode(errors="replace"), visitor.csrf.encode()):
        raise HTTPException(403)


async def checked(visitor: SignedIn, csrf: Annotated[str, Form()] = "") -> Visitor:
    """Who sends a form that this session was given.

    Raises:
        HTTPException: 403, it was not.
    """
    check_token(visitor, csrf)
    return visitor


Checked = Annotated[Visitor, Depends(checked)]


def only(*roles: str) -> Callable[[Visitor], Awaitable[Visitor]]:
    """A dependency that lets nobody else pass.

    Args:
        roles: who may.
    """

    async def allowed(visitor: SignedIn) -> Visitor:
        if visitor.account.role not in roles:
            raise HTTPException(403)
        return visitor

    return allowed
