"""What the queue and the progress page count: units, days, readers."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from threading import Lock
from time import monotonic

from linkage.review.accounts import EVERYWHERE, Account
from linkage.review.desk import Throughput, UnitProgress
from linkage.review.quality import Accuracy, Agreement, Kappa
from linkage.vietnamese.units import all_units

__all__ = [
    "LISTED",
    "Forecast",
    "Reading",
    "Recent",
    "Total",
    "answers_of",
    "by_day",
    "forecast",
    "of_account",
    "readings",
    "total",
]

LISTED = 200
"""Units that a page lists, those with most open cases first."""

WEEK = 7

QUICK = 0.2
"""Seconds of a count that every page can wait for."""


@dataclass(frozen=True, slots=True)
class Total:
    """All units together; ``oldest``: ISO day of the dose that waits longest, None where none waits."""

    open: int
    disputed: int
    settled: int
    doses_open: int
    oldest: str | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """Cases a day in the last week, and the days that the open ones take at that rate; None where it is nought."""

    per_day: float
    days: int | None


@dataclass(frozen=True, slots=True)
class Reading:
    """One reader: cases answered in the last week, agreement with others, accuracy on hidden cases."""

    name: str
    cases: int
    kappa: Kappa | None
    accuracy: Accuracy | None


class Recent:
    """What was counted not long ago, where counting takes long: over a million cases a page could not wait for it."""

    def __init__(self, count: Callable[[], list[UnitProgress]], clock: Callable[[], float] = monotonic) -> None:
        self._count = count
        self._clock = clock
        self._lock = Lock()
        self._until = 0.0
        self._counted: list[UnitProgress] = []

    def __call__(self, *, anew: bool = False) -> list[UnitProgress]:
        """The units as they are, or as they were at most twenty times as long ago as counting took."""
        with self._lock:
            begun = self._clock()
            if anew or begun >= self._until:
                self._counted = self._count()
                took = self._clock() - begun
                self._until = begun + (20 * took if took > QUICK else 0)
            return self._counted


def of_account(counted: Sequence[UnitProgress], account: Account) -> list[UnitProgress]:
    """The units of an account, each once, those with most open cases first."""
    units: dict[str, UnitProgress] = {}
    for each in counted:
        if _inside(each.unit, account):
            units[each.unit] = _together(units[each.unit], each) if each.unit in units else each
    return sorted(units.values(), key=lambda each: (-each.open, each.unit))


def _together(one: UnitProgress, other: UnitProgress) -> UnitProgress:
    names = ("open", "held", "disputed", "settled", "withdrawn", "doses_open")
    sums = {name: getattr(one, name) + getattr(other, name) for name in names}
    return replace(one, reviewer=None, oldest=_oldest((one, other)), **sums)


def _oldest(units: Iterable[UnitProgress]) -> str | None:
    return min((each.oldest for each in units if each.oldest), default=None)


def _inside(unit: str, account: Account) -> bool:
    above = all_units().parent
    around = {EVERYWHERE, unit, above.get(unit), above.get(above.get(unit, ""))}
    return not around.isdisjoint(account.units)


def total(units: Sequence[UnitProgress]) -> Total:
    """The sums over units."""
    return Total(
        open=sum(each.open for each in units),
        disputed=sum(each.disputed for each in units),
        settled=sum(each.settled for each in units),
        doses_open=sum(each.doses_open for each in units),
        oldest=_oldest(units),
    )


def forecast(open_cases: int, days: Sequence[tuple[date, int]]) -> Forecast:
    """How long the open cases take.

    Args:
        open_cases: that wait.
        days: each with the cases answered on it, the latest last; seven of them count.
    """
    answered = sum(cases for _, cases in days[-WEEK:])
    return Forecast(answered / WEEK, -(-open_cases * WEEK // answered) if answered else None)


def by_day(rows: Sequence[Throughput], today: date, days: int) -> list[tuple[date, int]]:
    """Answers of all readers on each of the last days, those without any among them, the latest last."""
    counts = Counter[str]()
    for row in rows:
        counts[row.day] += row.answers
    every = (today - timedelta(days=back) for back in reversed(range(days)))
    return [(day, max(0, counts[day.isoformat()])) for day in every]


def answers_of(rows: Sequence[Throughput], reader: str, since: date) -> int:
    """Answers of one reader since a day."""
    return sum(row.answers for row in rows if row.reader == reader and row.day >= since.isoformat())


def readings(
    rows: Sequence[Throughput], today: date, agreed: Agreement, right: Mapping[str, Accuracy]
) -> list[Reading]:
    """Every reader of whom anything is known, by name."""
    names = sorted({row.reader for row in rows} | set(agreed.by_reader) | set(right))
    since = today - timedelta(days=WEEK - 1)
    return [Reading(name, answers_of(rows, name, since), agreed.by_reader.get(name), right.get(name)) for name in names]
