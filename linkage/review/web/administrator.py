"""Accounts: who may log in, as what, for which units."""

import re
from secrets import token_urlsafe
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException
from starlette.responses import Response

from linkage.errors import UserError
from linkage.review.accounts import ROLES, Account, Role, account, accounts, set_account
from linkage.review.web.visitors import Checked, SignedIn, Visitor, only

__all__ = ["ADMINISTRATOR"]

ADMINISTRATOR = APIRouter(prefix="/accounts", dependencies=[Depends(only("administrator"))])
PASSWORD_BYTES = 12


@ADMINISTRATOR.get("")
def list_page(visitor: SignedIn) -> Response:
    """All accounts, and the form for a new one."""
    return _listed(visitor)


@ADMINISTRATOR.post("/edit")
def edit_page(visitor: Checked, name: Annotated[str, Form(max_length=200)]) -> Response:
    """The form of one account."""
    return visitor.page("account", edited=_known(visitor, name), roles=ROLES)


@ADMINISTRATOR.post("")
def save(
    visitor: Checked,
    *,
    name: Annotated[str, Form(max_length=200)],
    role: Annotated[Role, Form()],
    capacity: Annotated[int, Form()],
    language: Annotated[str, Form()],
    units: Annotated[str, Form(max_length=20_000)] = "",
    new: Annotated[bool, Form()] = False,
    active: Annotated[bool, Form()] = False,
    password: Annotated[bool, Form()] = False,
) -> Response:
    """An account added or changed; a password is made by the machine and shown once."""
    store, name = visitor.site.store, name.strip()
    if not new:
        _known(visitor, name)
    elif account(store, name) is not None:
        raise UserError("web.account_taken", name=name)
    if name == visitor.account.name and (role != "administrator" or not active):
        raise UserError("web.own_account")
    named = tuple(dict.fromkeys(re.split(r"[\s,;]+", units.strip()))) if units.strip() else ()
    secret = token_urlsafe(PASSWORD_BYTES) if new or password else None
    changed = Account(name, role, named, capacity, language, active)
    set_account(store, changed, secret, actor=visitor.account.name)
    return _listed(visitor, saved=name, secret=secret)


def _listed(visitor: Visitor, saved: str | None = None, secret: str | None = None) -> Response:
    return visitor.page("accounts", accounts=accounts(visitor.site.store), roles=ROLES, saved=saved, secret=secret)


def _known(visitor: Visitor, name: str) -> Account:
    found = account(visitor.site.store, name)
    if found is None:
        raise HTTPException(404)
    return found
