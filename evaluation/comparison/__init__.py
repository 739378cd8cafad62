"""Two models on the same records: what changes, where, why, and which is better."""

from evaluation.comparison.found import Comparison, Side
from evaluation.comparison.job import CompareJob, compare
from evaluation.comparison.page import render, summary

__all__ = ["CompareJob", "Comparison", "Side", "compare", "render", "summary"]
