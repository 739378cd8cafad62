"""Synthetic population, metrics with intervals, benchmarks against other tools, charts."""

from evaluation.clerical import Clerical
from evaluation.drift import Drift
from evaluation.figures import Evaluation, Figures, Stratum
from evaluation.page import check_drift, estimate, evaluate, notices
from evaluation.persons import PersonsEvaluation
from evaluation.persons_page import as_markdown as persons_as_markdown
from evaluation.persons_page import evaluate_persons

__all__ = [
    "Clerical",
    "Drift",
    "Evaluation",
    "Figures",
    "PersonsEvaluation",
    "Stratum",
    "check_drift",
    "estimate",
    "evaluate",
    "evaluate_persons",
    "notices",
    "persons_as_markdown",
]
