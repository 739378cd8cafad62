"""Whether the doses of a run still look like those its model was trained on, and which facilities and weeks do not."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from evaluation.stability import (
    CHANGED,
    DIFFERENT,
    ODDS_CHANGED,
    ODDS_DIFFERENT,
    Index,
    index,
    noise,
    odds_ratio,
)
from evaluation.units import Moved, Units, measure_units
from linkage.errors import UserError
from linkage.reports.profile import Profile, count_doses, profile_of
from linkage.reports.reading import connect, open_file, open_run
from linkage.tables.sql import quoted

STATES = ("as_trained", "changed", "different")
VERDICTS = (*STATES, "too_few", "no_reference")

TAIL = 0.05
"""Probability, over all aspects together, that a bound is above the truth."""

SCORE_BINS = 10
COLUMNS = ("dose_id", "decision", "match_weight", "facility_id")
DAYS = ("injected_on", "recorded_at")
DATES = ("%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y", "%d.%m.%Y", "%Y/%m/%d")
UNITS = {
    "facility": "nullif(trim(facility_id), '')",
    "week": "strftime(date_trunc('week', injected), '%Y-%m-%d')",
}


@dataclass(frozen=True, slots=True)
class Shift:
    """One aspect of the doses against the reference.

    ``aspect`` is ``decision``, ``match_weight`` or a comparison. ``index`` is the population stability index and
    ``sure`` what it surely exceeds; ``state`` is ``as_trained``, ``changed`` or ``different``; ``moved`` are the
    values, those whose share changed most first (of ``match_weight`` the least whole bits of a bin, or none).
    """

    aspect: str
    index: float
    sure: float
    state: str
    moved: tuple[Moved, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """The doses of a run against the training reference of its model.

    Attributes:
        run: its name.
        model: its model and digest.
        verdict: one of ``VERDICTS``.
        doses: of the run, without quarantined rows.
        reference_doses: in the reference; 0 without one.
        doses_each: doses of one subject in the run: so many count as one.
        citizens: of the run's registry, None where the manifest does not say.
        reference_citizens: of the training registry, None where the model does not say.
        shifts: every aspect, the largest index first.
        bits, reference_bits: doses by whole bits of match weight.
        units: facilities and weeks that stand out.
        undated: doses whose day of injection or of recording cannot be read.
    """

    run: str
    model: str
    verdict: str
    doses: int
    reference_doses: int
    doses_each: float
    citizens: int | None
    reference_citizens: int | None
    shifts: tuple[Shift, ...]
    bits: Mapping[int, int]
    reference_bits: Mapping[int, int]
    units: Units
    undated: int

    def as_dict(self) -> dict[str, Any]:
        """Everything as what JSON can hold."""
        return asdict(self)


def measure_drift(run: Path) -> Drift:
    """Compare a run with the reference in its model, and its facilities and weeks with the rest of it.

    A significance test is no use here: at 200 million doses any difference is significant, and no two years of
    vaccination are the same. So the size of a change decides (population stability index 0.1 and 0.25, for the
    decisions also an odds ratio of 1.68 and 3.47; see ``evaluation.stability``), and chance only keeps small samples
    from raising an alarm: an aspect has changed when the lower bound of its change passes the limit.

    A unit stands out when some aspect of it differs from the rest of the run by an index of more than 0.25, with at
    most one in twenty of those named being chance (Benjamini and Hochberg 1995).

    Raises:
        UserError: no finished run, a file of it cannot be read or lacks a column.
    """
    reference, citizens = _reference(run)
    with connect() as connection:
        open_run(connection, run, COLUMNS)
        [(model,)] = connection.execute("SELECT min(model) FROM decisions").fetchall()
        if reference is None:
            [(doses,)] = connection.execute("SELECT count(*) FROM decisions WHERE decision <> 'quarantine'").fetchall()
            return _without(run.name, model or "", doses, citizens)
        _open_best(connection, run, list(reference.levels))
        counts = count_doses(list(reference.levels), "best", UNITS)
        connection.execute(f"CREATE TEMP TABLE counts AS {counts}")
        [(doses, subjects)] = connection.execute(
            "SELECT count(*), approx_count_distinct(coalesce(subject_id, dose_id)) FROM best"
        ).fetchall()
        profile = profile_of(connection, list(reference.levels), "counts")
        doses_each = max(doses / max(subjects, 1), 1.0)
        shifts = compare(profile, reference, doses_each)
        units = measure_units(connection, list(reference.levels), score_bins(reference), doses_each, tuple(UNITS))
        [(undated,)] = connection.execute(
            "SELECT coalesce(sum(doses), 0)::BIGINT FROM counts"
            " WHERE kind = 'week' AND unit IS NULL AND aspect = 'decision'"
        ).fetchall()
    return Drift(
        run=run.name,
        model=model or "",
        verdict=_verdict(shifts, profile.doses, reference.doses, doses_each),
        doses=doses,
        reference_doses=reference.doses,
        doses_each=round(doses_each, 3),
        citizens=citizens[0],
        reference_citizens=citizens[1],
        shifts=shifts,
        bits=profile.bits,
        reference_bits=reference.bits,
        units=units,
        undated=undated,
    )


def _without(run: str, model: str, doses: int, citizens: tuple[int | None, int | None]) -> Drift:
    return Drift(
        *(run, model, "no_reference", doses, 0, 1.0, *citizens),
        shifts=(),
        bits={},
        reference_bits={},
        units=Units({}, {}, ()),
        undated=0,
    )


def _reference(run: Path) -> tuple[Profile | None, tuple[int | None, int | None]]:
    """The reference of the run's model, and how many citizens the run and the training had."""
    texts = {}
    for name in ("model.json", "manifest.json"):
        try:
            texts[name] = (run / name).read_text(encoding="utf-8")
        except OSError as error:
            raise UserError("report_run_unfinished", run=run, file=name) from error
    try:
        evidence = json.loads(texts["model.json"]).get("evidence", {})
        stored = evidence.get("reference")
        reference = Profile.from_dict(stored) if stored else None
        trained = evidence.get("registry", {}).get("citizens")
    except (RecursionError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError("report_run_unreadable", file=run / "model.json") from error
    try:
        scored = json.loads(texts["manifest.json"])["inputs"]["citizens"]["rows_usable"]
    except (RecursionError, ValueError, TypeError, KeyError):
        scored = None
    return reference, (scored, trained)


def _open_best(connection: duckdb.DuckDBPyConnection, run: Path, comparisons: Sequence[str]) -> None:
    """The view ``best``: a row for each dose that was decided, with the levels of its best candidate."""
    open_file(connection, run, "candidates", ("dose_id", "rank", *comparisons))
    open_file(connection, run, "doses", ("dose_id", "subject_id", *DAYS))
    formats = ", ".join(f"'{pattern}'" for pattern in DATES)
    days = ", ".join(f"try_strptime(left(trim(o.{day}), 10), [{formats}])" for day in DAYS)
    levels = "".join(f", c.{quoted(name)}" for name in comparisons)
    connection.execute(f"""
    CREATE VIEW best AS
    SELECT d.dose_id, d.decision, CASE WHEN isfinite(d.match_weight) THEN d.match_weight END AS match_weight,
      d.facility_id, nullif(trim(o.subject_id), '') AS subject_id, coalesce({days}) AS injected{levels}
    FROM decisions AS d LEFT JOIN (FROM candidates WHERE rank = 1) AS c USING (dose_id)
      LEFT JOIN doses AS o USING (dose_id)
    WHERE d.decision <> 'quarantine'
    """)


def compare(run: Profile, reference: Profile, doses_each: float) -> tuple[Shift, ...]:
    """Every aspect of a run against the reference, the largest index first.

    Args:
        run: what was scored.
        reference: what the model was trained on.
        doses_each: doses of one person: so many count as one.
    """
    starts = score_bins(reference)
    pairs = {
        "decision": (dict(run.decisions), dict(reference.decisions)),
        "match_weight": (binned(run, starts), binned(reference, starts)),
        **{name: (dict(run.levels[name]), dict(levels)) for name, levels in reference.levels.items()},
    }
    # the decisions have a second test for each of them
    tail = TAIL / (len(pairs) + len(run.decisions))
    shifts = [_shift(aspect, now, before, doses_each, tail) for aspect, (now, before) in pairs.items()]
    return tuple(sorted(shifts, key=lambda shift: (-STATES.index(shift.state), -shift.index)))


def _shift(aspect: str, now: dict[str, int], before: dict[str, int], doses_each: float, tail: float) -> Shift:
    values = sorted({*now, *before})
    counts, reference = ([part.get(value, 0) for value in values] for part in (now, before))
    total, size = sum(counts), sum(reference)
    found = index(counts, reference, doses_each, tail)
    state = _state(found, CHANGED, DIFFERENT)
    if aspect == "decision":
        odds = [odds_ratio((n, total), (r, size), doses_each, tail) for n, r in zip(counts, reference, strict=True)]
        state = max([state, *(_state(ratio, ODDS_CHANGED, ODDS_DIFFERENT) for ratio in odds)], key=STATES.index)
    shares = [
        Moved(value, r / max(size, 1), n / max(total, 1)) for value, n, r in zip(values, counts, reference, strict=True)
    ]
    moved = sorted(shares, key=lambda part: (-abs(part.run - part.reference), part.value))
    return Shift(aspect, found.value, found.sure, state, tuple(moved))


def _state(found: Index, changed: float, different: float) -> str:
    return "different" if found.sure >= different else "changed" if found.sure >= changed else "as_trained"


def _verdict(shifts: Sequence[Shift], doses: int, reference: int, doses_each: float) -> str:
    if noise(doses, reference, SCORE_BINS + 1, doses_each, TAIL) >= CHANGED:
        return "too_few"
    return max((shift.state for shift in shifts), key=STATES.index)


def score_bins(reference: Profile) -> tuple[int, ...]:
    """The least whole bits of each bin of match weights: tenths of the reference's doses, as far as ties allow."""
    scored = sum(reference.bits.values())
    starts: list[int] = []
    before = 0
    for bits in sorted(reference.bits):
        if before >= len(starts) * scored / SCORE_BINS:
            starts.append(bits)
        before += reference.bits[bits]
    return tuple(starts)


def binned(profile: Profile, starts: Sequence[int]) -> dict[str, int]:
    """Doses by bin, named by its least whole bits; what lies under the first is in it; ``none``: no candidate."""
    bins = {str(start): 0 for start in starts} | {"none": profile.without_candidate}
    for bits, doses in profile.bits.items():
        bins[str(max((start for start in starts if start <= bits), default=min(starts, default=bits)))] += doses
    return bins
