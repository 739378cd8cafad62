"""Review sheets through a real LibreOffice: nothing changes but the decision."""

import os
from pathlib import Path
from shutil import which

import pytest

from evaluation.benchmarks.review_sheet import cases, round_trip

# in continuous integration a missing office is a failure
pytestmark = pytest.mark.skipif(which("soffice") is None and "CI" not in os.environ, reason="there is no LibreOffice")


@pytest.mark.parametrize(("kind", "number"), [("xlsx", 600), ("ods", 40)])
def test_a_round_trip_changes_nothing_but_the_decision(tmp_path: Path, kind: str, number: int) -> None:
    trip = round_trip(list(cases(number)), tmp_path, kind)
    assert trip.changed == ()
    assert (trip.staged.unusable, trip.staged.missing, trip.staged.notices) == ((), (), ())
    assert {row.case_id: row.answer for row in trip.staged.rows} == trip.expected
    assert trip.rows == 3 * number
    assert trip.whole
