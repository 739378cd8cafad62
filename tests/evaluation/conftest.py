"""Runs made by hand: as many rows as a test needs, without scoring anything."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linkage.reports.profile import Profile

COMPARISONS = ("name", "phone")
DECISIONS = ("dose_id", "decision", "outcome", "citizen_id", "rule", "model", "caution", "id_kind", "id_repair")
TYPES = {"probability": pa.float64(), "match_weight": pa.float64(), "rank": pa.int64()}


@pytest.fixture(scope="session")
def write_run() -> Callable[..., Path]:
    """``write_run(folder, rows, reference)``: a run of these doses, as dictionaries of what differs from an accept."""

    def write(folder: Path, rows: Sequence[dict[str, Any]], reference: Profile | None = None) -> Path:
        folder.mkdir(parents=True)
        doses = [_dose(number, row) for number, row in enumerate(rows)]
        scored = [dose for dose in doses if dose["match_weight"] is not None]
        decided = (*DECISIONS, "probability", "match_weight", "facility_id", "stratum")
        _write(folder / "decisions.parquet", doses, decided)
        best = [dose | {"rank": 1} for dose in scored]
        _write(folder / "candidates.parquet", best, ("dose_id", "citizen_id", "rank", "match_weight", *COMPARISONS))
        _write(folder / "review.parquet", [], ("dose_id", "citizen_id"))
        _write(folder / "doses.parquet", doses, ("dose_id", "subject_id", "injected_on", "recorded_at"))
        evidence: dict[str, Any] = {"registry": {"citizens": 1000}, "inputs": {"labels": "none"}}
        if reference:
            evidence["reference"] = reference.as_dict()
        (folder / "model.json").write_text(json.dumps({"evidence": evidence}))
        (folder / "manifest.json").write_text(json.dumps({"inputs": {"citizens": {"rows_usable": 5000}}}))
        return folder

    return write


def _dose(number: int, row: dict[str, Any]) -> dict[str, Any]:
    dose: dict[str, Any] = {
        "dose_id": f"D{number:06}",
        "decision": "accept",
        "citizen_id": "003090000001",
        "probability": 0.9999,
        "match_weight": 30.0,
        "facility_id": f"F{number % 5}",
        "subject_id": None,
        "injected_on": "05/07/2021",
        "recorded_at": None,
        "model": "m@0",
        "rule": "id",
        "stratum": "other",
        **dict.fromkeys(("caution", "id_kind", "id_repair")),
        "name": "exact",
        "phone": "same",
        **row,
    }
    return dose | {"outcome": "verified" if dose["decision"] == "accept" else "not_found"}


def _write(file: Path, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    arrays = {name: pa.array([row[name] for row in rows], TYPES.get(name, pa.string())) for name in columns}
    pq.write_table(pa.table(arrays), file)
