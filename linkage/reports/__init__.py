"""Counts by unit, reconciled."""

from linkage.reports.counting import Report, report

__all__ = ["Report", "report"]
