"""Simulated clerks, what their answers are worth, and a small queue read to its end."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from evaluation.benchmarks.review import Settings, reviewed, settings_of
from evaluation.population import synthesise
from evaluation.review import Cleared, Clerk, curves, right_answer
from evaluation.review.page import LINES, Round, as_markdown, render
from linkage.messages import LANGUAGES
from linkage.reports.reading import connect
from linkage.review.cases import Answer, Candidate, Case, Dose
from linkage.review.labels import labels
from linkage.store import open_store
from linkage.tables import LABELS, read_table

A, B, C = "003000000001", "003000000002", "003000000003"


def case(*candidates: str, doses: tuple[str, ...] = ("D1",)) -> Case:
    shown = tuple(Candidate(one, 0.5, 9.0, {}, {}, {}) for one in candidates)
    return Case("S", {}, tuple(Dose(one, True, "review") for one in doses), shown, {})


def test_the_right_answer() -> None:
    assert right_answer(case(A, B), {"D1": B}) == Answer("citizen", B)
    assert right_answer(case(A, B), {"D1": C}) == right_answer(case(A), {"D1": None}) == Answer("none")
    assert right_answer(case(A, B, doses=("D1", "D2")), {"D1": A, "D2": B}) == Answer("mixed_up")


def test_a_clerk_errs_as_often_as_asked_and_in_every_way() -> None:
    clerk = Clerk("an", 1, error=0.2, undecided=0.1)
    said = Counter(clerk.answer(f"case {number}", case(A, B, C), {"D1": B}).said for number in range(8_000))
    assert said["cannot_tell", None] == pytest.approx(800, rel=0.15)
    assert said["citizen", B] == pytest.approx(5_600, rel=0.05)
    for wrong in (("citizen", A), ("citizen", C), ("none", None)):
        assert said[wrong] == pytest.approx(533, rel=0.2)


def test_clerks_err_apart_and_each_of_them_alike_again() -> None:
    shown, truth = case(A, B), {"D1": A}
    names = [f"case {number}" for number in range(3_000)]
    one, other = ([Clerk(name, 1, 0.3).answer(each, shown, truth) for each in names] for name in ("an", "ba"))
    assert one == [Clerk("an", 1, 0.3).answer(each, shown, truth) for each in names]
    wrong = np.array([[each != Answer("citizen", A) for each in said] for said in (one, other)])
    assert abs(np.corrcoef(wrong)[0, 1]) < 0.06


def cleared(place: int, doses: int, probability: float, *, right: bool = True, reads: int = 1) -> Cleared:
    names = tuple(f"{place}-{number}" for number in range(doses))
    citizen = A if right else B
    return Cleared(str(place), place, names, probability, (probability,), reads, "citizen", citizen)


def test_curves_count_decisions_and_doses_rightly_linked() -> None:
    cases = [cleared(2, 1, 0.99), cleared(1, 3, 0.6, reads=3), cleared(3, 5, 0.5, right=False)]
    truth = {dose: A for each in cases for dose in each.doses}
    found = curves(cases, truth, seed=1)
    assert (found["worth"].decisions.tolist(), found["worth"].freed.tolist()) == ([3, 4, 5], [3, 4, 4])
    assert (found["probability"].decisions.tolist(), found["probability"].freed.tolist()) == ([1, 4, 5], [1, 4, 4])
    assert found["uncertainty"].freed.tolist() == [0, 3, 4]
    assert [found["worth"].needed(share) for share in (0.5, 0.75, 1)] == [3, 3, 4]
    # 3 decisions at half of 3, one at 3.5, one at 4, of 4 doses and 5 decisions
    assert found["worth"].mean_share == pytest.approx((3 * 1.5 + 3.5 + 4) / (4 * 5))
    assert {name: curve.freed[-1] for name, curve in found.items()} == dict.fromkeys(LINES, 4)


@pytest.fixture(scope="module")
def small_review(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Round]:
    """The folder, the first run and the figures of 8,000 citizens whose queue was read to its end."""
    out = tmp_path_factory.mktemp("review")
    synthesise(8_000, 16_000, 12, out / "data")
    with open_store(f"sqlite:///{out / 'store.db'}") as store:
        return out, *reviewed(out / "data", out, 12, Settings(8_000, 16_000, 0.03, 0.05, 2, "2GB"), store)


def test_review_finds_who_can_be_found_and_stays_right(small_review: tuple[Path, Path, Round]) -> None:
    _, _, found = small_review
    assert found.queue.doses == found.before.review > 100
    assert found.before.recall.value
    assert found.before.recall.value < 0.99
    assert found.after.right / found.after.linkable >= 0.995
    # of 15,600 accepts eight may be wrong: a few of the run's own, and three in a hundred of what its queue decides
    assert found.after.right / found.after.accepted >= 0.9995
    assert found.after.review < 0.2 * found.before.review


def test_the_queue_frees_most_doses_first(small_review: tuple[Path, Path, Round]) -> None:
    curve = {name: each.mean_share for name, each in small_review[2].queue.curves.items()}
    assert max(curve, key=lambda name: curve[name]) == "worth"
    assert curve["worth"] > curve["random"] + 0.05


def test_its_labels_stand_for_the_whole_run_and_training_can_read_them(
    small_review: tuple[Path, Path, Round], tmp_path: Path
) -> None:
    out, run, found = small_review
    with open_store(f"sqlite:///{out / 'store.db'}") as store:
        gained = labels(store, run, base=str(out / "data" / "labels.csv"), out=tmp_path / "labels.csv")
    assert gained.weight == pytest.approx(found.before.doses)
    assert 0.8 * found.before.review < gained.gained <= found.before.review
    with connect() as connection:
        assert read_table(connection, LABELS, str(tmp_path / "labels.csv")).rows_usable == gained.rows


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_whole(small_review: tuple[Path, Path, Round], language: str) -> None:
    found = small_review[2].with_models(small_review[2].before, small_review[2].after)
    settings = settings_of(Settings(8_000, 16_000, 0.03, 0.05, 2, "2GB"))
    page = render([found], settings, language)
    assert page.count("<svg") == 1
    assert page.count("<table") == 4
    assert "http" not in page.replace("http://www.w3.org/", "")
    assert as_markdown([found], language).count("|") > 60
