"""The pages of who supervises: progress, agreement, disputes, acceptance of a finished unit."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from starlette.responses import Response

from linkage.errors import UserError
from linkage.review.desk import disputes, throughput
from linkage.review.quality import accuracy, agreement
from linkage.review.sampling import Verdict, draw_sample, verdict
from linkage.review.web.drawing import bars
from linkage.review.web.reader import last_answer, show
from linkage.review.web.tally import LISTED, by_day, forecast, of_account, readings, total
from linkage.review.web.visitors import SUPERVISING, Checked, SignedIn, Visitor, only
from linkage.store import Store

__all__ = ["SUPERVISOR"]

SUPERVISOR = APIRouter(dependencies=[Depends(only(*SUPERVISING))])
DAYS = 14


@SUPERVISOR.get("/disputes")
def disputes_page(visitor: SignedIn) -> Response:
    """Cases that two readers answered differently, both answers beside each other."""
    found = [show(view, visitor.language) for view in disputes(visitor.site.store, visitor.account)]
    return visitor.page("disputes", disputes=found, last=last_answer(visitor))


@SUPERVISOR.get("/progress")
def progress_page(visitor: SignedIn) -> Response:
    """How far the units are, how fast, and how good the answers."""
    store = visitor.site.store
    units = of_account(visitor.site.units(anew=True), visitor.account)
    summed, rows, agreed, today = total(units), throughput(store, DAYS), agreement(store), store.now().date()
    days = by_day(rows, today, DAYS)
    return visitor.page(
        "progress",
        units=units[:LISTED],
        more=max(0, len(units) - LISTED),
        total=summed,
        chart=bars(days),
        forecast=forecast(summed.open, days),
        readers=readings(rows, today, agreed, accuracy(store)),
        overall=agreed.overall,
    )


@SUPERVISOR.post("/progress/unit")
def unit_page(visitor: Checked, unit: Annotated[str, Form(max_length=200)]) -> Response:
    """What the sample of a finished unit says, if one was drawn."""
    _check_unit(visitor, unit)
    return visitor.page("batch", unit=unit, verdict=_verdict(visitor.site.store, unit))


@SUPERVISOR.post("/progress/sample")
def sample(visitor: Checked, unit: Annotated[str, Form(max_length=200)]) -> Response:
    """A sample of the unit is put in front of other readers."""
    _check_unit(visitor, unit)
    drawn = draw_sample(visitor.site.store, unit, visitor.account.name)
    return visitor.page("batch", unit=unit, verdict=drawn)


def _check_unit(visitor: Visitor, unit: str) -> None:
    if not any(each.unit == unit for each in of_account(visitor.site.units(anew=True), visitor.account)):
        raise UserError("review.no_case")


def _verdict(store: Store, unit: str) -> Verdict | None:
    try:
        return verdict(store, unit)
    except UserError as none_drawn:
        if none_drawn.key == "review.sample_none":
            return None
        raise
