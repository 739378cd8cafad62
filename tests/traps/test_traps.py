"""Decisions that hold under traps: the cases of ``cases.yaml``, run as one batch among a synthetic population.

How a case is written is told, in English and Vietnamese, at the head of ``cases.yaml``.
"""

import csv
import fcntl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from linkage.cli import main
from linkage.tables import CITIZENS, DOSES

DECISIONS = {"accept", "review", "no_match", "quarantine"}
CASE_KEYS = {"name", "why", "all_citizens", "citizens", "all_doses", "doses"}
EXPECTATIONS = {"like", "must", "never", "kinds"}
SAME_AS = "same as "
Record = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Dose:
    """A record as typed, and what must become of it. The decision ``accept A`` names a citizen of the case."""

    dose_id: str
    record: Record
    must: tuple[str, ...]
    never: tuple[str, ...]
    kinds: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    why: str
    citizens: Mapping[str, Record]
    doses: tuple[Dose, ...]


@dataclass(frozen=True, slots=True)
class Found:
    decision: str
    citizen_id: str | None
    probability: float | None
    kinds: Mapping[str, str]


class _Text(yaml.BaseLoader):
    """Every value is the text that stands there: no number loses a zero; no key stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise ValueError(f"line {node.start_mark.line + 1}: {', '.join(sorted(twice))} stands twice")
        return super().construct_mapping(node, deep)


def read_cases(text: str) -> list[Case]:
    """The cases of a file.

    Raises:
        ValueError: a name or key that is unknown or stands twice; the message names the case.
    """
    table = yaml.load(text, Loader=_Text)  # noqa: S506 - it makes nothing but texts
    _known("the file", table, {"every_citizen", "every_dose", "cases"})
    cases = [_case(number, given, table) for number, given in enumerate(table["cases"])]
    for each in ([case.name for case in cases], [c["citizen_id"] for case in cases for c in case.citizens.values()]):
        if twice := {name for name in each if each.count(name) > 1}:
            raise ValueError(f"{', '.join(sorted(twice))}: each case has a name, each citizen a number of its own")
    return cases


def _case(number: int, given: Mapping[str, Any], table: Mapping[str, Any]) -> Case:
    where = f"case {given.get('name', number + 1)!r}"
    _known(where, given, CASE_KEYS, {"name", "why", "doses"})
    common = {**table["every_citizen"], **given.get("all_citizens", {})}
    citizens: dict[str, Record] = {}
    for label, record in given.get("citizens", {}).items():
        _known(f"{where}, citizen {label}", {**record, **common}, {*CITIZENS.columns, "like"})
        like = _named(where, citizens, record["like"]) if "like" in record else common
        citizens[label] = _filled(where, {**like, **_without(record, {"like"})}, citizens)
    lines = [line for dose in given["doses"] for line in _one_for_each(dose)]
    common = {**table["every_dose"], **given.get("all_doses", {})}
    doses = tuple(
        _dose(f"{where}, dose {place}", f"trap{number}-{place}", line, common, citizens)
        for place, line in enumerate(lines, start=1)
    )
    return Case(given["name"], given["why"], citizens, doses)


def _one_for_each(dose: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A field with a list of values stands for a dose with each of them."""
    several = [field for field, value in dose.items() if isinstance(value, list) and field in DOSES.columns]
    if several:
        for value in dose[several[0]]:
            yield from _one_for_each({**dose, several[0]: value})
    else:
        yield dose


def _dose(where: str, dose_id: str, line: Mapping[str, Any], common: Record, citizens: Mapping[str, Record]) -> Dose:
    _known(where, {**line, **common}, {*DOSES.columns} - {"dose_id"} | EXPECTATIONS)
    like = _as_dose(_named(where, citizens, line["like"])) if "like" in line else {}
    record = _filled(
        where, {**like, **common, **_without(line, EXPECTATIONS)}, {k: _as_dose(c) for k, c in citizens.items()}
    )
    must, never = _decisions(where, line.get("must", []), citizens), _decisions(where, line.get("never", []), citizens)
    if not must and not never:
        raise ValueError(f"{where}: says neither what must nor what never may be decided")
    kinds = line.get("kinds", {})
    _known(where, kinds, DOSES.columns)
    return Dose(dose_id, {"dose_id": dose_id, **record}, must, never, _filled(where, kinds, {}))


def _decisions(where: str, given: str | Sequence[str], citizens: Mapping[str, Record]) -> tuple[str, ...]:
    decisions = (given,) if isinstance(given, str) else tuple(given)
    for each in decisions:
        decision, _, label = each.partition(" ")
        _known(where, {decision: ""}, DECISIONS)
        if label:
            _named(where, citizens, label)
    return decisions


def _as_dose(citizen: Record) -> Record:
    """What a clerk types of a citizen: the same fields, the date as day/month/year."""
    typed = {column: value for column, value in citizen.items() if column in DOSES.columns}
    born = "/".join(reversed(citizen.get("date_of_birth", "").split("-")))
    return {**typed, "national_id": citizen["citizen_id"], "date_of_birth": born}


def _filled(where: str, record: Record, citizens: Mapping[str, Record]) -> Record:
    def value(column: str, text: str) -> str:
        if text.startswith(SAME_AS):
            return _named(where, citizens, text.removeprefix(SAME_AS)).get(column, "")
        return "" if text == "~" else text

    return {column: value(column, text) for column, text in record.items()}


def _without(record: Mapping[str, Any], keys: set[str]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in keys}


def _named(where: str, citizens: Mapping[str, Record], label: str) -> Record:
    _known(where, {label: ""}, citizens)
    return citizens[label]


def _known(where: str, given: Mapping[str, Any], known: Any, needed: Any = ()) -> None:
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(f"{where}: {', '.join(unknown)} is unknown; known: {', '.join(sorted(known))}")
    if lacking := sorted(set(needed) - set(given)):
        raise ValueError(f"{where}: {', '.join(lacking)} is missing")


CASES = read_cases(Path(__file__).with_name("cases.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder RUN of all cases among 20,000 citizens; made once, however many workers the tests have."""
    base = tmp_path_factory.getbasetemp()
    done = (base if worker_id == "master" else base.parent) / "traps_run"
    with done.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            _score_among_others(tmp_path_factory.mktemp("traps")).rename(done)
    return done


def _score_among_others(folder: Path) -> Path:
    others, ours, model, run = (folder / name for name in ("others", "ours", "model", "run"))
    ours.mkdir()
    assert main(["synth", "--citizens", "20000", "--doses", "40000", "--seed", "2022", "--out", str(others)]) == 0
    _write(ours / "citizens.csv", CITIZENS.columns, [c for case in CASES for c in case.citizens.values()])
    _write(ours / "doses.csv", DOSES.columns, [dose.record for case in CASES for dose in case.doses])
    background = ["--doses", str(others / "doses.csv"), "--citizens", str(others / "citizens.csv")]
    # what some 10,000 labelled doses can prove
    proven = ["--max-false-link-rate", "0.001"]
    assert main(["train", *background, "--labels", str(others / "labels.csv"), *proven, "--out", str(model)]) == 0
    both = ["--doses", str(folder / "*" / "doses.csv"), "--citizens", str(folder / "*" / "citizens.csv")]
    assert main(["score", *both, "--model", str(model), "--out", str(run)]) == 0
    return run


def _write(path: Path, columns: Sequence[str], records: Sequence[Record]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(records)


@pytest.fixture(scope="session")
def found(run: Path) -> Mapping[str, Found]:
    corrections: dict[str, dict[str, str]] = {}
    ours = "WHERE starts_with(dose_id, 'trap')"
    rows = f"SELECT dose_id, field, kind FROM '{run}/corrections.parquet' {ours}"
    for dose_id, field, kind in duckdb.execute(rows).fetchall():
        corrections.setdefault(dose_id, {})[field] = kind
    rows = f"SELECT dose_id, decision, citizen_id, probability FROM '{run}/decisions.parquet' {ours}"
    return {
        dose_id: Found(decision, citizen_id, probability, corrections.get(dose_id, {}))
        for dose_id, decision, citizen_id, probability in duckdb.execute(rows).fetchall()
    }


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case(found: Mapping[str, Found], case: Case) -> None:
    wrong = [complaint for dose in case.doses for complaint in _complaints(case, dose, found[dose.dose_id])]
    assert not wrong, "\n".join([case.why, *wrong])


def _complaints(case: Case, dose: Dose, found: Found) -> Iterator[str]:
    labels = {citizen["citizen_id"]: label for label, citizen in case.citizens.items()}
    decided = f"{found.decision} {labels.get(found.citizen_id or '', 'of somebody else')}"
    got = f"{dose.dose_id} ({dose.record.get('full_name', '')[:40]}): {decided} at {found.probability or 0:.4f}"
    either = {decided, found.decision}
    if dose.must and either.isdisjoint(dose.must):
        yield f"{got}, but must be {' or '.join(dose.must)}"
    if not either.isdisjoint(dose.never):
        yield f"{got}, but never may be {' or '.join(dose.never)}"
    for field, kind in dose.kinds.items():
        if found.decision == "accept" and found.kinds.get(field, "") != kind:
            yield f"{got}, {field} is {found.kinds.get(field, 'right')}, but must be {kind or 'right'}"


A_CASE = """
every_citizen: {sex: Nam}
every_dose: {}
cases:
- name: one
  why: because
  citizens:
    A: {citizen_id: 003056012345, full_name: Nguyễn Văn An, date_of_birth: 1956-07-14}
  doses:
  - {like: A, full_name: [Nguyễn An, nguyen an], sex: ~, must: accept A}
"""


def test_a_dose_like_a_citizen_is_typed_as_a_clerk_types_it() -> None:
    [case] = read_cases(A_CASE)
    first, second = (dose.record for dose in case.doses)
    assert first["national_id"] == "003056012345"
    assert first["date_of_birth"] == "14/07/1956"
    assert first["sex"] == ""
    assert [first["full_name"], second["full_name"]] == ["Nguyễn An", "nguyen an"]


@pytest.mark.parametrize(
    ("text", "changed", "message"),
    [
        ("why:", "whi:", "case 'one': whi is unknown"),
        ("  why: because\n", "", "case 'one': why is missing"),
        ("date_of_birth", "birthday", "case 'one', citizen A: birthday is unknown"),
        ("like: A", "like: B", "case 'one', dose 1: B is unknown; known: A"),
        ("must: accept A", "must: accept B", "dose 1: B is unknown; known: A"),
        ("must: accept A", "must: agree", "dose 1: agree is unknown; known: accept"),
        (", must: accept A", "", "dose 1: says neither"),
        ("sex: ~", "sex: ~, sex: Nam", "line 10: sex stands twice"),
        ("sex: ~", "phone: same as C", "dose 1: C is unknown; known: A"),
        ("doses:", "all_doses: {years: 3}\n  doses:", "dose 1: years is unknown"),
        ("doses:", "  B: {like: A}\n  doses:", "003056012345: each case has a name, each citizen a number of its own"),
    ],
)
def test_what_is_written_wrong_is_told(text: str, changed: str, message: str) -> None:
    assert text in A_CASE
    with pytest.raises(ValueError) as error:
        read_cases(A_CASE.replace(text, changed, 1))
    assert message in str(error.value)


def test_repeated_names_of_cases_are_told() -> None:
    again = A_CASE[A_CASE.index("- name") :].replace("003056012345", "003056054321")
    with pytest.raises(ValueError, match="one: each case has a name"):
        read_cases(A_CASE + again)
