"""Khớp beside plain Splink and gradient boosting: the same candidate pairs, labels, thresholds' rule and judges."""

from evaluation.benchmarks.rivals.comparing import compare
from evaluation.benchmarks.rivals.table import as_markdown

__all__ = ["as_markdown", "compare"]
