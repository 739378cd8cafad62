"""Khớp beside plain Splink and two classifiers: the same candidate pairs, labels, folds, proofs and judges."""

from evaluation.benchmarks.rivals.chart import draw
from evaluation.benchmarks.rivals.comparing import compare
from evaluation.benchmarks.rivals.table import as_markdown

__all__ = ["as_markdown", "compare", "draw"]
