"""Synthetic population, metrics with intervals, benchmarks against other tools, charts."""

from evaluation.clerical import Clerical
from evaluation.drift import Drift
from evaluation.figures import Evaluation, Figures, Stratum
from evaluation.page import check_drift, estimate, evaluate, notices

__all__ = ["Clerical", "Drift", "Evaluation", "Figures", "Stratum", "check_drift", "estimate", "evaluate", "notices"]
