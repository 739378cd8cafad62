"""Clerical review on synthetic people: clerks who err as often as asked, and what their answers make of a run."""

from evaluation.review.clearing import Cleared, clear
from evaluation.review.clerk import Clerk, right_answer
from evaluation.review.figures import Accepts, measure_accepts, read_truth
from evaluation.review.worth import Curve, curves

__all__ = ["Accepts", "Cleared", "Clerk", "Curve", "clear", "curves", "measure_accepts", "read_truth", "right_answer"]
