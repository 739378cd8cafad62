"""Synthetic population, metrics with intervals, benchmarks against other tools, charts."""

from evaluation.figures import Evaluation, Figures, Stratum
from evaluation.page import evaluate, notices

__all__ = ["Evaluation", "Figures", "Stratum", "evaluate", "notices"]
