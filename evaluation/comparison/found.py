"""What a comparison of two models holds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from evaluation.comparison.changes import Example, Flow, Unit
from evaluation.comparison.paired import Paired

Sentence = tuple[str, Mapping[str, Any]]
"""The key of a message, and its facts."""


@dataclass(frozen=True, slots=True)
class Side:
    """One model: its name, digest, accept threshold of each stratum, and the decisions of its run."""

    name: str
    digest: str
    accept: Mapping[str, float]
    decisions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Model ``b`` against model ``a``.

    Attributes:
        verdict: ``better``, ``worse`` or ``not_enough_data``; the rule stands in `evaluation.comparison.paired`.
        reasons: what it rests on.
        doses: dose rows read; ``changed`` of them are in ``changes.parquet``.
        paired: None without a labelled dose.
        unlabelled_a, unlabelled_b: accepts of labelled doses whose citizen no label names: taken as false links.
        left_out: labelled doses that contradict themselves, or are no usable dose.
        inputs: table → SHA-256 of the digests of its files.
        notices: what reading the inputs had to say.
    """

    a: Side
    b: Side
    verdict: str
    reasons: tuple[Sentence, ...]
    doses: int
    changed: int
    flows: tuple[Flow, ...]
    units: tuple[Unit, ...]
    paired: Paired | None
    unlabelled_a: int
    unlabelled_b: int
    left_out: int
    examples: tuple[Example, ...]
    inputs: Mapping[str, str]
    notices: tuple[Sentence, ...]

    def as_dict(self) -> dict[str, Any]:
        """Everything as what JSON can hold."""
        return asdict(self)
