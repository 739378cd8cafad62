"""Runs that respect what humans answered: who wins, what is listed, and what must change nothing."""

import csv
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from linkage import run as job_module
from linkage.cli import main
from linkage.cli.models import read_model
from linkage.deciding.answers import ANSWERS, record_digest
from linkage.errors import UserError
from linkage.messages import LANGUAGES, say
from linkage.run import ScoreJob, score

GONE = "099000000000"
BEST, SECOND, STRANGER = "best", "second", "stranger"


@dataclass(frozen=True)
class Plan:
    """A dose that the machine decides so, what a human says of it, and what becomes of it.

    ``named`` and ``shown``: the best or the second candidate, or a citizen who is none.
    """

    machine: str
    outcome: str
    decision: str
    reasons: frozenset[str] = frozenset()
    named: str | None = None
    shown: tuple[str, ...] = (BEST, SECOND)
    changed: bool = False
    respected: bool = True


PLANS = (
    Plan("review", "citizen", "accept", named=SECOND),
    Plan("review", "citizen", "accept", named=STRANGER),
    Plan("review", "citizen", "review", frozenset({"citizen_gone"}), named=GONE),
    Plan("review", "none", "no_match"),
    Plan("review", "none", "review", shown=(), respected=False),
    Plan("review", "cannot_tell", "review"),
    Plan("review", "cannot_tell", "review", changed=True, respected=False),
    Plan("accept", "citizen", "accept", named=BEST),
    Plan("accept", "citizen", "accept", frozenset({"accepts_another"}), named=STRANGER),
    Plan("accept", "citizen", "accept", frozenset({"accepts_another", "record_changed"}), named=STRANGER, changed=True),
    Plan("accept", "none", "no_match", frozenset({"accepts_rejected"})),
    Plan("accept", "none", "accept", shown=(STRANGER,), respected=False),
    Plan("accept", "none", "no_match", frozenset({"accepts_rejected", "record_changed"}), changed=True),
    Plan("accept", "send_back", "review", frozenset({"accepts_undecided"})),
    Plan("accept", "mixed_up", "review", frozenset({"accepts_undecided"})),
    Plan("accept", "mixed_up", "accept", changed=True, respected=False),
    Plan("no_match", "citizen", "accept", frozenset({"no_match"}), named=STRANGER),
    Plan("no_match", "cannot_tell", "review", frozenset({"no_match"})),
    Plan("no_match", "none", "no_match"),
    Plan("foreigner", "citizen", "accept", frozenset({"no_match"}), named=STRANGER),
)


@pytest.fixture(scope="module")
def job(small_population: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ScoreJob]:
    """``job(out, answers=…)``."""
    folder = tmp_path_factory.mktemp("standing")
    doses, citizens = (str(small_population / f"{name}.csv") for name in ("doses", "citizens"))

    def make(out: str, **changed: Any) -> ScoreJob:
        model = read_model("dose_citizen")
        usual = ScoreJob(doses=doses, citizens=citizens, model=model, out=folder / out, threads=2, memory="2GB")
        return replace(usual, **changed)

    return make


@pytest.fixture(scope="module")
def before(job: Callable[..., ScoreJob]) -> Path:
    """The run without answers."""
    score(job("before"))
    return job("before").out


def read(run: Path, query: str) -> list[dict[str, Any]]:
    """Rows of a query over the files of a run."""
    with duckdb.connect() as connection:
        for file in run.glob("*.parquet"):
            connection.execute(f"CREATE VIEW {file.stem} AS FROM '{file}'")
        found = connection.execute(query)
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def by_dose(run: Path) -> dict[str, dict[str, Any]]:
    return {row["dose_id"]: row for row in read(run, "FROM decisions")}


@pytest.fixture(scope="module")
def planned(before: Path) -> dict[str, tuple[Plan, dict[str, Any]]]:
    """Dose → its plan, and its answer with the plain values of ``ANSWERS``."""
    rows = read(
        before,
        f"""SELECT dose_id, decision, outcome, citizen_id AS best, runner_up_citizen_id AS second,
          {record_digest("d")} AS record
        FROM decisions JOIN doses AS d USING (dose_id) ORDER BY dose_id""",
    )
    strangers = iter(read(before, "SELECT DISTINCT citizen_id FROM candidates ORDER BY md5(citizen_id)"))
    free = {kind: iter(kept) for kind, kept in _by_kind(rows).items()}
    made = {}
    for entry, plan in enumerate(PLANS, start=1):
        row = next(free[plan.machine])
        of = {BEST: row["best"], SECOND: row["second"], STRANGER: next(strangers)["citizen_id"], GONE: GONE, None: None}
        assert of[STRANGER] not in (row["best"], row["second"])
        shown = [of[who] for who in plan.shown if of[who]]
        record = "another" if plan.changed else row["record"]
        answer = (row["dose_id"], entry, plan.outcome, of[plan.named], shown, record)
        made[row["dose_id"]] = plan, dict(zip(ANSWERS.names, answer, strict=True))
    return made


def _by_kind(rows: list[dict[str, Any]]) -> Mapping[str, list[dict[str, Any]]]:
    kinds: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["decision"] != "review" or row["second"]:
            kinds.setdefault("foreigner" if row["outcome"] == "foreigner" else row["decision"], []).append(row)
    return kinds


@pytest.fixture(scope="module")
def answers(planned: Mapping[str, tuple[Plan, dict[str, Any]]]) -> pa.Table:
    return pa.Table.from_pylist([answer for _, answer in planned.values()], schema=ANSWERS)


@pytest.fixture(scope="module")
def after(job: Callable[..., ScoreJob], answers: pa.Table) -> Path:
    """The run with answers."""
    score(job("after", answers=answers))
    return job("after").out


def test_humans_win_and_nothing_else_changes(
    before: Path, after: Path, planned: Mapping[str, tuple[Plan, dict[str, Any]]]
) -> None:
    was, now = by_dose(before), by_dose(after)
    assert was.keys() == now.keys()
    for dose, row in now.items():
        plan, answer = planned.get(dose, (None, {}))
        if plan is None or not plan.respected:
            assert row == was[dose]
            continue
        assert row["decision"] == plan.decision
        assert (row["answered"], row["answer"]) == (answer["entry"], plan.outcome)
        if plan.decision == "accept":
            assert row["citizen_id"] == answer["citizen_id"]
            assert row["outcome"] in ("verified", "details_corrected", "id_corrected", "id_supplied")
            assert (row["probability"] is None) == (plan.named == STRANGER)
        else:
            assert row["citizen_id"] == was[dose]["citizen_id"]


def test_what_follows_from_the_citizen_that_a_human_chose(after: Path) -> None:
    odd = read(after, "SELECT * FROM corrections ANTI JOIN decisions USING (dose_id, citizen_id)")
    assert not odd
    corrected = read(
        after,
        "SELECT DISTINCT dose_id FROM corrections SEMI JOIN decisions USING (dose_id)"
        " WHERE dose_id IN (SELECT dose_id FROM decisions WHERE answer = 'citizen' AND probability IS NULL)",
    )
    assert len(corrected) >= 3
    assert not read(
        after,
        "SELECT citizen_id FROM decisions WHERE decision = 'accept' AND citizen_id NOT IN"
        " (SELECT citizen_id FROM citizens)",
    )
    reviewed = read(
        after,
        "SELECT count(*) AS rows FROM decisions WHERE decision <> 'review' AND dose_id IN (SELECT dose_id FROM review)",
    )
    assert reviewed == [{"rows": 0}]


def test_what_the_machine_would_contradict_is_listed_whole(
    after: Path, before: Path, planned: Mapping[str, tuple[Plan, dict[str, Any]]]
) -> None:
    was = by_dose(before)
    expected = []
    for dose, (plan, answer) in planned.items():
        machine = {f"machine_{name}": was[dose][name] for name in ("decision", "citizen_id", "probability")}
        said = {name: answer[name] for name in ("dose_id", "entry", "outcome", "citizen_id")}
        expected += [{**said, **machine, "reason": reason} for reason in plan.reasons]
    found = read(after, "FROM contradictions ORDER BY dose_id, reason")
    assert found == sorted(expected, key=lambda row: (row["dose_id"], row["reason"]))
    assert not read(before, "FROM contradictions")


@pytest.mark.usefixtures("after")
def test_the_manifest_counts_answers(job: Callable[..., ScoreJob], answers: pa.Table) -> None:
    manifest = score(job("after", answers=answers, resume=True))
    counts = manifest["answers"]
    respected = [plan for plan in PLANS if plan.respected]
    assert counts["known"] == len(PLANS)
    assert counts["respected"] == {
        outcome: sum(plan.outcome == outcome for plan in respected)
        for outcome in sorted({p.outcome for p in respected})
    }
    assert sum(counts["contradictions"].values()) == sum(len(plan.reasons) for plan in PLANS)
    assert manifest["rows_in"] == manifest["rows_out"] == sum(manifest["decisions"].values())


def same_files(one: Path, other: Path) -> bool:
    names = {file.name for file in one.glob("*.parquet")}
    assert names == {file.name for file in other.glob("*.parquet")}
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def test_no_answers_change_no_byte(before: Path, job: Callable[..., ScoreJob]) -> None:
    manifest = score(job("none", answers=ANSWERS.empty_table()))
    assert same_files(before, job("none").out)
    assert manifest["answers"] == {"known": 0, "respected": {}, "contradictions": {}}


def test_partitions_threads_and_the_order_of_answers_change_no_byte(
    after: Path, job: Callable[..., ScoreJob], answers: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "PARTITION", 700)
    reversed_answers = answers.take(list(reversed(range(len(answers)))))
    score(job("parted", answers=reversed_answers, threads=1))
    assert same_files(after, job("parted").out)


def test_the_order_of_rows_changes_no_answered_dose(
    after: Path, small_population: Path, tmp_path: Path, job: Callable[..., ScoreJob], answers: pa.Table
) -> None:
    with (small_population / "doses.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    random.Random(1).shuffle(rows)
    with (tmp_path / "doses.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    score(job("shuffled", doses=str(tmp_path / "doses.csv"), answers=answers))
    theirs = (
        "FROM decisions WHERE dose_id IN (SELECT dose_id FROM decisions WHERE answered IS NOT NULL) ORDER BY dose_id"
    )
    assert read(after, theirs) == read(job("shuffled").out, theirs)
    assert read(after, "FROM contradictions ORDER BY ALL") == read(
        job("shuffled").out, "FROM contradictions ORDER BY ALL"
    )


def test_a_killed_run_resumes_under_the_same_answers_only(
    after: Path, job: Callable[..., ScoreJob], answers: pa.Table
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    killed = job("killed", answers=answers)
    for place in ("_decide", "_write"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(job_module, place, die)
            with pytest.raises(KeyboardInterrupt):
                score(replace(killed, resume=True))
    for other in (None, answers.slice(1)):
        with pytest.raises(UserError) as refused:
            score(replace(killed, resume=True, answers=other))
        assert refused.value.key == "run.settings_differ"
    score(replace(killed, resume=True))
    assert same_files(after, killed.out)
    with pytest.raises(UserError, match="other answers"):
        score(replace(killed, resume=True, answers=None))


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_human_decided_is_explained_in_words(
    language: str, after: Path, planned: Mapping[str, tuple[Plan, dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    for dose, (plan, answer) in planned.items():
        assert main(["explain", "--run", str(after), dose, "--lang", language]) == 0
        told = capsys.readouterr().out
        key = "citizen_gone" if plan.named == GONE else plan.outcome
        human = say(f"explain.answered.{key}", language, entry=answer["entry"])
        assert (human in told) == plan.respected
        for reason in plan.reasons - {"accepts_another", "accepts_rejected", "accepts_undecided"}:
            assert say(f"explain.contradiction.{reason}", language, entry=answer["entry"]) in told
        assert (f"{answer['entry']}" in told) or not plan.respected


def test_persons_take_what_humans_decided_as_certain(
    after: Path, planned: Mapping[str, tuple[Plan, dict[str, Any]]], tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path}/store.db"
    out = tmp_path / "persons"
    assert main(["persons", "build", "--run", str(after), "--out", str(out), "--store", store, "--memory", "2GB"]) == 0
    rows = read(
        out,
        f"""
    SELECT d.dose_id, p.citizen_id FROM '{after}/doses.parquet' AS d
    JOIN subjects AS s ON s.subject_id = coalesce(nullif(trim(d.subject_id), ''), d.dose_id)
    JOIN persons AS p USING (person_id)
    -- no other dose of theirs speaks for somebody else
    WHERE s.subject_id NOT IN (SELECT subject_id FROM conflicts WHERE subject_id IS NOT NULL)
    """,
    )
    citizens = {row["dose_id"]: row["citizen_id"] for row in rows}
    accepted = {
        dose: answer for dose, (plan, answer) in planned.items() if plan.decision == "accept" and plan.respected
    }
    certain = [dose for dose in accepted if dose in citizens]
    assert len(certain) >= 2
    assert [citizens[dose] for dose in certain] == [accepted[dose]["citizen_id"] for dose in certain]


def test_evaluation_and_reports_read_such_a_run(after: Path, small_population: Path, tmp_path: Path) -> None:
    truth = ["--truth", str(small_population / "truth.csv"), "--out", str(tmp_path / "evaluation")]
    assert main(["evaluate", "--run", str(after), *truth]) == 0
    assert main(["report", "--run", str(after), "--by", "commune", "--out", str(tmp_path / "communes.html")]) == 0
