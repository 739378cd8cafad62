"""The queue of a run: nothing lost, nothing twice, the same whatever the order of rows, and kept from run to run."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from linkage.cli import main
from linkage.errors import UserError
from linkage.review.accounts import Account, set_account
from linkage.review.cases import Answer, Case, from_json
from linkage.review.desk import answer_case, next_case, progress
from linkage.review.queue import QueueSettings, queue_run
from linkage.review.queueing import bringing
from linkage.review.queueing.inputs import database
from linkage.store import Store, open_store

ALL = Account("an", "reviewer", ("*",))
NONE = Answer("none")
Remade = Callable[..., Path]


@pytest.fixture(scope="session")
def queued_run(small_population: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RUN of the small population, of the shipped model."""
    out = tmp_path_factory.mktemp("queued") / "run"
    inputs = ["--doses", f"{small_population}/doses.csv", "--citizens", f"{small_population}/citizens.csv"]
    assert main(["score", *inputs, "--model", "dose_citizen", "--out", str(out), "--memory", "2GB"]) == 0
    return out


@pytest.fixture
def remade(queued_run: Path, tmp_path: Path) -> Remade:
    """``remade(doses="SELECT … FROM doses", …)``: the run with other rows in some of its Parquet files."""
    folders = iter(range(100))

    def make(**queries: str) -> Path:
        out = tmp_path / f"run_{next(folders)}"
        shutil.copytree(queued_run, out)
        with duckdb.connect() as connection:
            for file in queued_run.glob("*.parquet"):
                connection.execute(f"CREATE VIEW {file.stem} AS FROM '{file}'")
            for table, query in queries.items():
                connection.execute(f"COPY ({query}) TO '{out}/{table}.parquet' (FORMAT parquet)")
        return out

    return make


@pytest.fixture
def store(new_database: Callable[[str], str]) -> Iterator[Store]:
    """An empty store."""
    with open_store(new_database("sqlite")) as opened:
        yield opened


def _rows(store: Store, query: str) -> list[tuple[Any, ...]]:
    with store.reading() as reader:
        return [tuple(row) for row in reader.connection.exec_driver_sql(query)]


def _cases(store: Store) -> dict[str, Case]:
    return {case_id: from_json(content) for case_id, content in _rows(store, "SELECT * FROM case_content")}


def _of(run: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        for file in run.glob("*.parquet"):
            connection.execute(f"CREATE VIEW {file.stem} AS FROM '{file}'")
        return connection.execute(query).fetchall()


def _everything(store: Store) -> list[list[tuple[Any, ...]]]:
    but_time = (
        "case_id, kind, subject, unit, reviewer, place, worth, doses, probability, waiting_since, readings, state"
    )
    return [
        _rows(store, f"SELECT {but_time} FROM review_case ORDER BY 1"),
        _rows(store, "SELECT * FROM case_content ORDER BY 1"),
        _rows(store, "SELECT * FROM case_dose ORDER BY 1, 2"),
    ]


def _queue(store: Store, run: Path, **settings: Any) -> dict[str, Any]:
    return queue_run(store, run, QueueSettings(**settings), "root")


def test_every_dose_in_review_is_in_one_case_with_every_candidate(store_url: str, queued_run: Path) -> None:
    with open_store(store_url) as store:
        done = _queue(store, queued_run)
        cases = _cases(store).values()
        doses = [dose for case in cases for dose in case.dose_ids]
        assert sorted(doses) == [
            dose for (dose,) in _of(queued_run, "SELECT dose_id FROM review GROUP BY 1 ORDER BY 1")
        ]
        assert (done["cases"], done["doses"], done["added"]) == (len(cases), len(doses), len(cases))
        assert len(cases) > 10
        shown = {(dose, one.citizen_id) for case in cases for dose in case.dose_ids for one in case.candidates}
        assert shown >= set(_of(queued_run, "SELECT dose_id, citizen_id FROM review"))
        assert sorted(_rows(store, "SELECT dose_id FROM case_dose")) == sorted((dose,) for dose in doses)
        typed = {row[0]: row[1:] for row in _of(queued_run, "SELECT dose_id, full_name, phone, address FROM doses")}
        for case in cases:
            one_of_them = [typed[dose] for dose in case.dose_ids]
            assert tuple(case.record[name] for name in ("full_name", "phone", "address")) in one_of_them
            probabilities = [one.probability for one in case.candidates]
            assert probabilities == sorted(probabilities, reverse=True)
            assert case.decision["probability"] == probabilities[0]
            assert [dose.in_case for dose in case.doses] == sorted((d.in_case for d in case.doses), reverse=True)
        assert store.verify() == []


def test_the_order_of_rows_and_the_threads_do_not_matter(
    store: Store, queued_run: Path, remade: Remade, new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _queue(store, queued_run, hidden=0)
    tables = ("doses", "decisions", "candidates", "citizens")
    shuffled = remade(**{name: f"FROM {name} ORDER BY hash({name}::VARCHAR)" for name in tables})

    @contextmanager
    def slow(memory: str) -> Iterator[duckdb.DuckDBPyConnection]:
        with database(memory) as connection:
            connection.execute("SET threads = 1")
            yield connection

    monkeypatch.setattr("linkage.review.queue.database", slow)
    monkeypatch.setattr("linkage.review.queue.ROWS_AT_ONCE", 40)
    monkeypatch.setattr(bringing, "BATCH", 7)
    with open_store(new_database("sqlite")) as other:
        _queue(other, shuffled, hidden=0)
        assert _everything(other) == _everything(store)
    assert _queue(store, shuffled, hidden=0)["entry"] is None


def test_places_go_by_what_a_decision_frees(store: Store, queued_run: Path) -> None:
    _queue(store, queued_run)
    likely = dict(
        _of(
            queued_run,
            """
    SELECT subject_id, max(p) FROM (SELECT dose_id, sum(probability) AS p FROM review GROUP BY 1)
    JOIN doses USING (dose_id) GROUP BY 1""",
        )
    )
    rows = _rows(store, "SELECT subject, doses, worth, waiting_since FROM review_case ORDER BY place")
    for subject, doses, worth, _ in rows:
        assert worth == pytest.approx((doses + 1) * likely[subject])
    assert rows == sorted(rows, key=lambda row: (-row[2], row[3]))
    assert [place for (place,) in _rows(store, "SELECT place FROM review_case ORDER BY 1")] == [
        *range(1, len(rows) + 1)
    ]


@pytest.mark.parametrize("order", ["probability", "random"])
def test_other_orders_are_there_to_compare(order: str, store: Store, queued_run: Path) -> None:
    _queue(store, queued_run)
    ids = "SELECT case_id FROM review_case ORDER BY place"
    by_worth = _rows(store, ids)
    _queue(store, queued_run, order=order)
    assert _rows(store, ids) != by_worth
    assert sorted(_rows(store, ids)) == sorted(by_worth)


def test_the_same_run_again_changes_nothing(store: Store, queued_run: Path) -> None:
    first = _queue(store, queued_run)
    before = _everything(store)
    again = _queue(store, queued_run)
    assert (again["added"], again["updated"], again["withdrawn"], again["entry"]) == (0, 0, 0, None)
    assert _everything(store) == before
    [entry] = _rows(store, "SELECT actor, kind, run, model, evidence FROM entry")
    assert entry[:3] == ("root", "queue", first["run"])
    assert entry[3].startswith("dose_citizen@")
    assert json.loads(entry[4])["cases"] == first["cases"]


def test_a_new_model_finds_the_same_cases_and_leaves_what_was_answered(
    store: Store, queued_run: Path, remade: Remade
) -> None:
    _queue(store, queued_run, double=0)
    view = next_case(store, ALL)
    assert view is not None
    answer_case(store, ALL, view.case_id, view.version, Answer("cannot_tell"))
    less = "SELECT * REPLACE (probability * 0.5 AS probability) FROM"
    done = _queue(store, remade(candidates=f"{less} candidates", decisions=f"{less} decisions"), double=0)
    assert (done["added"], done["withdrawn"], done["updated"]) == (0, 0, done["cases"] - 1)
    kept = _cases(store)
    assert kept.pop(view.case_id) == view.case
    assert all(case.candidates[0].probability <= 0.5 for case in kept.values() if case.candidates)
    assert _rows(store, f"SELECT state FROM review_case WHERE case_id = '{view.case_id}'") == [("settled",)]
    assert store.verify() == []


def test_another_record_is_another_case_and_the_old_one_comes_back_with_it(
    store: Store, queued_run: Path, remade: Remade
) -> None:
    _queue(store, queued_run, double=1)
    view = next_case(store, ALL)
    assert view is not None
    answer_case(store, ALL, view.case_id, view.version, NONE)
    dose = view.case.dose_ids[0]
    other = remade(
        doses=f"SELECT * REPLACE (CASE dose_id WHEN '{dose}' THEN 'Ai Đó' ELSE full_name END AS full_name) FROM doses"
    )
    done = _queue(store, other, double=1)
    assert (done["added"], done["withdrawn"]) == (1, 1)
    state = f"SELECT state, first_reader FROM review_case WHERE case_id = '{view.case_id}'"
    assert _rows(store, state) == [("withdrawn", "an")]
    done = _queue(store, queued_run, double=1)
    assert (done["added"], done["withdrawn"], done["reopened"]) == (0, 1, 1)
    # the first reading counts as before
    assert _rows(store, state) == [("open", "an")]
    assert store.verify() == []


def test_what_a_run_decides_is_no_longer_asked_and_what_it_does_not_hold_is(
    store: Store, queued_run: Path, remade: Remade
) -> None:
    cases = _queue(store, queued_run)["cases"]
    part = remade(
        doses="FROM doses WHERE hash(subject_id) % 2 = 0",
        decisions="FROM decisions WHERE dose_id IN (SELECT dose_id FROM doses WHERE hash(subject_id) % 2 = 0)",
    )
    assert _queue(store, part)["withdrawn"] == 0
    decided = remade(decisions="SELECT * REPLACE ('no_match' AS decision) FROM decisions")
    done = _queue(store, decided)
    assert (done["cases"], done["withdrawn"]) == (0, cases)
    assert sum(unit.withdrawn for unit in progress(store)) == cases


def test_a_share_is_read_twice_whatever_the_run(
    store: Store, queued_run: Path, new_database: Callable[[str], str]
) -> None:
    done = _queue(store, queued_run, double=0.5)
    assert 0.2 < done["double"] / done["cases"] < 0.8
    twice = "SELECT case_id FROM review_case WHERE readings = 2 ORDER BY 1"
    with open_store(new_database("sqlite")) as other:
        _queue(other, queued_run, double=0.5, order="random")
        assert _rows(other, twice) == _rows(store, twice)
        # a case that is there stays as it was dealt with
        _queue(other, queued_run, double=0.5, seed=7)
        assert _rows(other, twice) == _rows(store, twice)
    with open_store(new_database("sqlite")) as other:
        _queue(other, queued_run, double=0.5, seed=7)
        assert _rows(other, twice) != _rows(store, twice)


def test_hidden_cases_come_from_labels_and_look_like_the_others(
    store: Store, queued_run: Path, small_population: Path
) -> None:
    known = small_population / "labels.csv"
    done = _queue(store, queued_run, hidden=0.3, known=known)
    assert done["hidden"] == round(0.3 * done["cases"])
    hidden = _rows(store, "SELECT case_id, known_outcome, known_citizen, place FROM review_case WHERE kind = 'hidden'")
    assert len(hidden) == done["hidden"]
    cases = _cases(store)
    labels = _of(queued_run, f"SELECT dose_id, citizen_id, is_match FROM read_csv('{known}', all_varchar = true)")
    right = {dose: citizen for dose, citizen, match in labels if match.lower() in ("1", "true")}
    decided = dict(_of(queued_run, "SELECT dose_id, decision FROM decisions"))
    for case_id, outcome, citizen, place in hidden:
        case = cases[case_id]
        assert {decided[dose] for dose in case.dose_ids}.isdisjoint({"review"})
        assert {dose.decision for dose in case.doses if dose.in_case} == {"review"}
        assert {dose.citizen_id for dose in case.doses if dose.in_case} == {None}
        assert (case.decision["outcome"], case.decision["accept"] > case.decision["probability"]) == ("in_review", True)
        shown = {one.citizen_id for one in case.candidates}
        assert shown
        said = {right[dose] for dose in case.dose_ids if dose in right}
        assert (outcome, citizen) in {("citizen", one) for one in said & shown} or outcome == "none"
        assert 1 <= place <= done["cases"]
    assert {case_id for case_id, *_ in hidden}.isdisjoint(
        {case_id for (case_id,) in _rows(store, "SELECT case_id FROM case_dose")}
    )
    assert _queue(store, queued_run, hidden=0.3, known=known)["entry"] is None
    assert _queue(store, queued_run)["withdrawn"] == done["hidden"]


@pytest.mark.parametrize("damage", ["", "decisions", "doses", "candidates", "citizens", "model.json", "column", "cut"])
def test_a_damaged_run_is_one_message_and_changes_nothing(damage: str, store: Store, remade: Remade) -> None:
    if damage == "column":
        run = remade(decisions="SELECT * EXCLUDE (stratum) FROM decisions")
    else:
        run = remade()
        file = run / {"": "manifest.json", "cut": "candidates.parquet"}.get(
            damage, damage if "." in damage else f"{damage}.parquet"
        )
        text = file.read_bytes()
        # the middle of a file of many columns is read by nobody who only looks at its end
        half = len(text) // 2
        file.write_bytes(text[: half - 2000] + bytes(4000) + text[half + 2000 :] if damage == "cut" else b"nothing")
    with pytest.raises(UserError) as refused:
        _queue(store, run)
    assert refused.value.in_language("vi")
    assert _rows(store, "SELECT * FROM entry") == _rows(store, "SELECT * FROM review_case") == []


def test_whoever_is_killed_half_way_leaves_the_queue_as_it_was(
    store: Store, queued_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bringing, "_withdraw", killed)
        with pytest.raises(KeyboardInterrupt):
            _queue(store, queued_run)
    assert _rows(store, "SELECT case_id FROM review_case") == []
    assert _queue(store, queued_run)["entry"] == 1


@pytest.mark.parametrize(("by", "unit"), [("commune", "commune"), ("facility", "facility")])
def test_a_case_belongs_to_a_unit(by: str, unit: str, store: Store, queued_run: Path) -> None:
    _queue(store, queued_run, by=by)
    prefix = "facility:" if unit == "facility" else ""
    rows = _rows(store, f"SELECT unit, {unit} FROM review_case WHERE {unit} IS NOT NULL")
    assert rows
    assert all(found == prefix + of for found, of in rows)
    assert _rows(store, "SELECT DISTINCT reviewer FROM review_case") == [(None,)]


def test_cases_are_dealt_to_those_who_cover_them_by_their_capacity(store: Store, queued_run: Path) -> None:
    place = "SELECT case_id, reviewer FROM review_case ORDER BY 1"
    for name, role, capacity, active in (
        ("big", "reviewer", 300, True),
        ("small", "reviewer", 100, True),
        ("gone", "reviewer", 900, False),
        ("boss", "supervisor", 900, True),
    ):
        set_account(store, Account(name, role, ("*",), capacity, active=active), actor="root")  # type: ignore[arg-type]
    set_account(store, Account("nowhere", "reviewer", ("99999",), 900), actor="root")
    _queue(store, queued_run, by="reviewer")
    dealt: dict[str, str] = dict(_rows(store, place))
    counts = {name: list(dealt.values()).count(name) for name in dealt.values()}
    assert counts.keys() == {"big", "small"}
    assert counts["big"] > counts["small"]
    # whoever comes takes cases of others, and moves none between them
    set_account(store, Account("new", "reviewer", ("*",), 200), actor="root")
    _queue(store, queued_run, by="reviewer")
    moved = {case: name for case, name in _rows(store, place) if name != dealt[case]}
    assert set(moved.values()) == {"new"}
