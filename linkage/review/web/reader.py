"""The pages of who reads cases: my queue, one case at a time, the answer, taking it back."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, HTTPException
from starlette.responses import RedirectResponse, Response

from linkage.messages import say
from linkage.review.accounts import Account
from linkage.review.cases import ASKED, OUTCOMES, Answer
from linkage.review.desk import Changed, Given, View, answer_case, next_case, open_case, throughput, undo
from linkage.review.web.facing import Line, lines
from linkage.review.web.tally import LISTED, answers_of, of_account, total
from linkage.review.web.visitors import Checked, SignedIn, Visitor, forget_cookie, set_cookie
from linkage.review.words import outcome, reasons

__all__ = ["READER", "last_answer", "show"]

READER = APIRouter()
BACK = {"next": "/next", "disputes": "/disputes"}
LONGEST = 500


@dataclass(frozen=True, slots=True)
class Shown:
    """A view with all that its page says.

    Args:
        view: of the desk.
        lines: record and candidates, field by field.
        reasons: why it is in review, and what speaks for the best candidate and against.
        numbers: citizen → the key that chooses it.
        accepted: citizen → doses of the subject outside the case that are already linked to it.
    """

    view: View
    lines: tuple[Line, ...]
    reasons: tuple[str, ...]
    numbers: Mapping[str, int]
    accepted: Mapping[str, int]

    @property
    def mine(self) -> Given | None:
        """What the reader said before."""
        return self.view.mine


@dataclass(frozen=True, slots=True)
class Last:
    """The answer before, which one key takes back."""

    case_id: str
    outcome: str


@READER.get("/")
def queue_page(visitor: SignedIn) -> Response:
    """What waits in the own units, and what was done today."""
    units, done = of_account(visitor.site.units(), visitor.account), _count_done(visitor)
    response = visitor.page(
        "queue",
        units=units[:LISTED],
        more=max(0, len(units) - LISTED),
        total=total(units),
        done=done,
        last=last_answer(visitor),
    )
    _remember_done(visitor, response, done)
    return response


@READER.get("/next")
def next_page(visitor: SignedIn) -> Response:
    """The case worth most of those that wait for this reader; it is theirs for a while."""
    view = next_case(visitor.site.store, visitor.account)
    if view is None:
        return visitor.page("done", last=last_answer(visitor))
    return _page(visitor, view)


@READER.get("/case/{case_id}")
def case_page(visitor: SignedIn, case_id: UUID, back: str = "next") -> Response:
    """One case, as it stands."""
    return _page(visitor, open_case(visitor.site.store, visitor.account, str(case_id)), back=back)


@READER.post("/case/{case_id}")
def answer(
    visitor: Checked,
    case_id: UUID,
    *,
    version: Annotated[int, Form()],
    choice: Annotated[str, Form(max_length=200)],
    comment: Annotated[str, Form(max_length=LONGEST)] = "",
    seconds: Annotated[str, Form(max_length=20)] = "",
    back: Annotated[str, Form(max_length=20)] = "next",
) -> Response:
    """The answer is recorded and the next case comes; or the case has changed, and is shown as it is now."""
    said = _answer(choice, comment)
    try:
        answer_case(visitor.site.store, visitor.account, str(case_id), version, said, seconds=_seconds(seconds))
    except Changed as changed:
        return _page(visitor, changed.view, changed=what_changed(changed, visitor.language), status=409)
    response = RedirectResponse(BACK.get(back, "/next"), 303)
    _remember_done(visitor, response, _done(visitor) + 1)
    set_cookie(visitor.site, response, "last", f"{case_id}.{said.outcome}")
    return response


@READER.post("/case/{case_id}/undo")
def take_back(visitor: Checked, case_id: UUID) -> Response:
    """The own last answer is taken back and its case open again."""
    undo(visitor.site.store, visitor.account, str(case_id))
    response = RedirectResponse(f"/case/{case_id}", 303)
    _remember_done(visitor, response, max(0, _done(visitor) - 1))
    forget_cookie(visitor.site, response, "last")
    return response


def _page(
    visitor: Visitor, view: View, *, back: str = "next", changed: str | None = None, status: int = 200
) -> Response:
    return visitor.page(
        "case",
        status,
        shown=show(view, visitor.language),
        decidable=_decidable(view, visitor.account),
        asked=ASKED,
        back=back if back in BACK else "next",
        changed=changed,
        last=None if changed else last_answer(visitor),
        done=_done(visitor),
    )


def show(view: View, language: str) -> Shown:
    """All that is said of a view, in ``en`` or ``vi``."""
    case = view.case
    numbers = {candidate.citizen_id: number for number, candidate in enumerate(case.candidates, start=1)}
    accepted = Counter(dose.citizen_id for dose in case.doses if dose.citizen_id and not dose.in_case)
    return Shown(view, lines(case, language), reasons(case, language), numbers, accepted)


def _decidable(view: View, account: Account) -> bool:
    if view.mine is not None:
        return False
    return view.state == "open" or (view.state == "disputed" and account.supervises)


def _answer(choice: str, comment: str) -> Answer:
    """What a button says: an outcome, with the citizen or the field after a colon where it has one."""
    said, _, chosen = choice.partition(":")
    citizen_id, field = (chosen or None if said == part else None for part in ("citizen", "send_back"))
    if chosen and chosen not in {citizen_id, field}:
        raise HTTPException(400)
    try:
        return Answer(said, citizen_id, field, comment.strip())  # type: ignore[arg-type]  # it checks by itself
    except ValueError:
        raise HTTPException(400) from None


def _seconds(typed: str) -> float | None:
    """How long the case was looked at, as the browser says; None of what cannot be."""
    try:
        seconds = float(typed)
    except ValueError:
        return None
    return seconds if 0 < seconds < 86_400 else None


def last_answer(visitor: Visitor) -> Last | None:
    """The answer that this browser sent last, unless it was taken back."""
    case_id, _, outcome = visitor.request.cookies.get(visitor.site.cookie("last"), "").partition(".")
    try:
        known = str(UUID(case_id)) == case_id and outcome in OUTCOMES
    except ValueError:
        known = False
    return Last(case_id, outcome) if known else None


def what_changed(changed: Changed, language: str) -> str:
    """Who did what to a case since it was shown, as far as this account may know."""
    view = changed.view
    said = changed.given or ((view.mine,) if view.mine else ())
    if said:
        return " ".join(
            say("web.changed.by", language, reader=given.reader, outcome=outcome(given.answer.outcome, language))
            for given in said
        )
    key = {"withdrawn": "web.changed.withdrawn", "open": "web.changed.open"}.get(view.state, "web.changed.read")
    return say(key, language)


def _count_done(visitor: Visitor) -> int:
    store = visitor.site.store
    return max(0, answers_of(throughput(store, 1), visitor.account.name, store.now().date()))


def _done(visitor: Visitor) -> int:
    """Cases done today, as the browser remembers since they were counted: no page waits for the count."""
    day, _, count = visitor.request.cookies.get(visitor.site.cookie("done"), "").partition(".")
    today = visitor.site.store.now().date().isoformat()
    return int(count) if day == today and count.isascii() and count.isdecimal() and len(count) < 7 else 0


def _remember_done(visitor: Visitor, response: Response, count: int) -> None:
    set_cookie(visitor.site, response, "done", f"{visitor.site.store.now().date().isoformat()}.{count}")
