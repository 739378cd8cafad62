"""Differences between a dose and its citizen, as a table a clerk could extend: ``cases.yaml``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import yaml

from linkage.corrections import KINDS, compile_corrections, compile_kinds, compile_outcome
from linkage.messages import LANGUAGES, catalogue, say
from linkage.persons.golden_rules import FIELDS
from linkage.standardise import standardise
from linkage.tables import CITIZENS, DOSES

TABLE = yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text(encoding="utf-8"))
NAMES = [case["name"] for case in TABLE["cases"]]
ALL_KINDS = {kind for rules in KINDS.values() for kind, _ in rules if kind}
Row = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Found:
    kinds: dict[str, str]
    values: dict[str, tuple[str | None, str | None]]
    outcome: str


def typed(side: str, case: Mapping[str, Row]) -> dict[str, str | None]:
    values = TABLE["same"][side] | case.get(side, {})
    return {column: None if value is None else str(value) for column, value in values.items()}


def run(pairs: Sequence[tuple[Row, Row]]) -> list[Found]:
    """Every dose accepted with the citizen beside it; the registry has others too."""
    doses, citizens = zip(*pairs, strict=True)
    with duckdb.connect() as connection:
        for schema, given in ((DOSES, doses), (CITIZENS, [*citizens, *TABLE["others"]])):
            columns = {column: pa.array([row.get(column) for row in given], pa.string()) for column in schema.columns}
            connection.register("given", pa.table({"key": pa.array(range(len(given)), pa.int64()), **columns}))
            connection.execute(f"CREATE TABLE {schema.name} AS FROM given")
        standardise(connection, {"doses": "doses_standardised", "citizens": "citizens_standardised"})
        accepted = "(SELECT key AS dose_key, key AS citizen_key FROM doses)"
        connection.execute(f"CREATE TABLE kinds AS {compile_kinds(accepted)}")
        rows = connection.execute(
            f"SELECT dose_id, field, kind, recorded, registry FROM ({compile_corrections('kinds')})"
        ).fetchall()
        outcomes = connection.execute(f"SELECT {compile_outcome()} FROM kinds ORDER BY dose_key").fetchall()
    found = [Found({}, {}, outcome) for (outcome,) in outcomes]
    for dose, field, kind, recorded, registry in rows:
        assert field not in found[int(dose)].kinds
        found[int(dose)].kinds[field] = kind
        found[int(dose)].values[field] = recorded, registry
    return found


@pytest.fixture(scope="module")
def results() -> dict[str, Found]:
    pairs = [
        (typed("dose", case) | {"dose_id": str(number)}, typed("citizen", case))
        for number, case in enumerate(TABLE["cases"])
    ]
    return dict(zip(NAMES, run(pairs), strict=True))


def test_every_case_has_a_name_of_its_own() -> None:
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("case", TABLE["cases"], ids=NAMES)
def test_case(results: dict[str, Found], case: Mapping[str, Any]) -> None:
    found = results[str(case["name"])]
    assert (found.kinds, found.outcome) == (case["kinds"], case["outcome"])


@pytest.mark.parametrize("case", TABLE["cases"], ids=NAMES)
def test_both_values_are_given_as_typed(results: dict[str, Found], case: Mapping[str, Any]) -> None:
    dose, citizen = typed("dose", case), typed("citizen", case)
    for field, values in results[str(case["name"])].values.items():
        assert values == (dose[field], citizen["citizen_id" if field == "national_id" else field])


def test_the_cases_cover_every_kind_of_every_field(results: dict[str, Found]) -> None:
    covered = {(field, kind) for found in results.values() for field, kind in found.kinds.items()}
    assert covered == {(field, kind) for field, rules in KINDS.items() for kind, _ in rules if kind}
    assert {found.outcome for found in results.values()} == {
        *("verified", "details_corrected", "id_corrected", "id_supplied")
    }


def test_kinds_that_other_programs_know_keep_their_names() -> None:
    known = {
        *("diacritics", "spelling", "word_order", "middle_name", "day_month_swap", "year_only", "month_only"),
        *("one_digit", "lost_zero", "lookalike", "extracted", "former_number", "second_number", "missing"),
        *("malformed", "other"),
    }
    assert known <= ALL_KINDS
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", kind) for kind in ALL_KINDS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_field_and_kind_has_words(language: str) -> None:
    told = [key for key in catalogue() if key.startswith(("field.", "kind."))]
    # the golden record of a person has fields that are never corrected
    fields = {f"field.{field}" for field in (*KINDS, *FIELDS)}
    assert sorted(told) == sorted([*fields, *(f"kind.{kind}" for kind in ALL_KINDS)])
    texts = [say(key, language) for key in told]
    assert len(set(texts)) == len(texts)
    assert all(text.strip() for text in texts)


def test_a_dose_with_nothing_but_a_name_lacks_the_rest() -> None:
    [found] = run([({"dose_id": "0", "full_name": "Nguyễn Văn An"}, typed("citizen", {}))])
    assert found.kinds == dict.fromkeys(set(KINDS) - {"full_name"}, "missing")
    assert found.outcome == "id_supplied"
