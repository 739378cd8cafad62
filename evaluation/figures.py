"""What an evaluation holds."""

from dataclasses import asdict, dataclass
from typing import Any

from evaluation.drift import Drift
from evaluation.intervals import Share


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a set of doses.

    A dose is linkable when truth names its citizen. ``precision`` is right accepts of accepts,
    ``false_links`` the rest of them (an accept of somebody absent from the registry is one). ``recall`` is
    right accepts of linkable doses: what needs no human. ``missed_links`` is linkable doses of ``no_match``.
    ``review_share`` is reviews of all doses, ``shown_in_review`` the reviews of linkable doses whose citizen
    is among the candidates shown.
    """

    doses: int
    linkable: int
    accept: int
    review: int
    no_match: int
    quarantine: int
    precision: Share
    false_links: Share
    recall: Share
    missed_links: Share
    review_share: Share
    shown_in_review: Share

    def __post_init__(self) -> None:
        if self.doses != self.accept + self.review + self.no_match + self.quarantine:
            raise ValueError(f"the decisions do not sum to the doses: {self}")


@dataclass(frozen=True, slots=True)
class Stratum:
    """The figures of one part of a dimension; the parts neither overlap nor leave anything out.

    ``expected_calibration_error`` is that of `Evaluation`, of the part's doses alone.
    """

    dimension: str
    name: str
    figures: Figures
    expected_calibration_error: float | None = None


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Best candidates whose probability is in a bin: the mean predicted, and the share that is right."""

    predicted: float
    realised: Share


@dataclass(frozen=True, slots=True)
class WeightBin:
    """Best candidates with a match weight in [weight, weight + 1) bits."""

    weight: int
    right: int
    wrong: int


@dataclass(frozen=True, slots=True)
class ThresholdPoint:
    """What accepting every best candidate of at least ``probability`` would give."""

    probability: float
    accepts: int
    right: int


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Dose ids on one side only: how many, and the first few in order."""

    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A run measured against truth.

    ``labelled_excluded`` doses belong to persons whose labels trained the model; no figure holds them.
    ``run_only`` and ``truth_only`` are rows without a partner: in no figure either. ``unidentified`` rows of
    the run are quarantined rows without a dose id or with one that occurred before. ``truth_notices`` came
    from reading the truth table: the keys of messages with their facts.
    ``expected_calibration_error`` is the mean of |predicted - realised| over the reliability bins, weighted
    by their doses (Naeini, Cooper and Hauskrecht 2015, AAAI 29, 2901-2907); None without a candidate.
    ``drift`` compares the whole run with the training reference; None without one.
    """

    run: str
    model: str
    overall: Figures
    strata: tuple[Stratum, ...]
    expected_calibration_error: float | None
    reliability: tuple[ReliabilityBin, ...]
    weights: tuple[WeightBin, ...]
    thresholds: tuple[ThresholdPoint, ...]
    labelled_excluded: int
    unidentified: int
    unusable_truth_rows: int
    truth_notices: tuple[tuple[str, dict[str, str]], ...]
    run_only: Unmatched
    truth_only: Unmatched
    drift: Drift | None = None

    def as_dict(self) -> dict[str, Any]:
        """Everything as what JSON can hold."""
        return asdict(self)
