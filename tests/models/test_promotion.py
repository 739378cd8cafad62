"""Promotion: nothing is lost, nothing half-done counts, and a worse model needs a reason."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import Model, ModelError
from models.promotion import (
    DEFAULT,
    RECORD,
    PromotionError,
    Verdict,
    copy_of,
    promote,
    read_history,
    read_verdict,
    shipped,
)

FEW = 4


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders of models that differ."""
    model = Model.read(shipped()[DEFAULT])
    folder = tmp_path_factory.mktemp("models")
    return [_write(replace(model, name=f"m{number}"), folder / f"m{number}") for number in range(FEW)]


def _write(model: Model, folder: Path) -> Path:
    (folder / "charts").mkdir(parents=True)
    (folder / "model.json").write_text(model.to_json(), encoding="utf-8")
    (folder / "card.md").write_text(f"# {model.name}\n", encoding="utf-8")
    (folder / "charts" / "weights.svg").write_text("<svg/>", encoding="utf-8")
    return folder


def _verdict(a: Path, b: Path, verdict: str) -> Verdict:
    return Verdict(Model.read(a).digest, Model.read(b).digest, verdict, "0" * 64)


@settings(max_examples=8, deadline=None)
@given(order=st.lists(st.integers(0, FEW - 1), max_size=6))
def test_the_last_promotion_counts_and_each_names_what_it_replaced(
    folders: list[Path], tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    store = tmp_path_factory.mktemp("store")
    done = [promote(store, folders[which], by="lan", because="a law") for which in order]
    changed = [which for place, which in enumerate(order) if place == 0 or order[place - 1] != which]
    history = read_history(store)
    assert list(history.promotions) == [each for each in done if each]
    digests = [Model.read(folders[which]).digest for which in changed]
    assert [each.digest for each in history.promotions] == digests
    assert [each.replaced for each in history.promotions] == [None, *digests][: len(digests)]
    for each in history.promotions:
        copy = copy_of(each, store)
        assert Model.read(copy).digest == each.digest
        assert {path.name for path in copy.iterdir()} == {"model.json", "card.md", "charts"}


def test_a_record_cut_anywhere_is_a_shorter_history_and_is_mended(folders: list[Path], tmp_path: Path) -> None:
    for folder in folders[:3]:
        promote(tmp_path, folder, by="lan", because="three")
    whole = (tmp_path / RECORD).read_bytes()
    promotions = read_history(tmp_path).promotions
    for end in random.Random(1).sample(range(len(whole) + 1), 60):
        (tmp_path / RECORD).write_bytes(whole[:end])
        history = read_history(tmp_path)
        lines = whole[:end].count(b"\n")
        assert history.promotions == promotions[:lines]
        assert history.cut_off == (None if whole[:end].endswith(b"\n") or end == 0 else lines + 1)
    (tmp_path / RECORD).write_bytes(whole[:-7])
    promote(tmp_path, folders[3], by="lan", because="after a crash")
    history = read_history(tmp_path)
    assert history.cut_off is None
    assert [each.because for each in history.promotions] == ["three", "three", "after a crash"]
    assert history.promotions[-1].replaced == promotions[1].digest


def test_promotions_at_once_lose_none(folders: list[Path], tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        done = list(
            pool.map(lambda n: promote(tmp_path, folders[n % FEW], by=f"clerk {n}", because="at once"), range(16))
        )
    history = read_history(tmp_path).promotions
    assert sorted(each.by for each in history) == sorted(each.by for each in done if each)
    assert [each.replaced for each in history] == [None, *(each.digest for each in history[:-1])]


def test_kill_leaves_a_record_that_can_be_read_and_copies_that_are_whole(folders: list[Path], tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from models.promotion import promote
store, *folders = map(Path, sys.argv[1:])
print("ready", flush=True)
while True:
    for folder in folders:
        promote(store, folder, by="killed", because="again and again")
        for copy in store.glob("*-*"):
            copy.joinpath("card.md").unlink(); copy.joinpath("model.json").unlink()
"""
    for jitter in (0.01, 0.05, 0.12, 0.2):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path), *map(str, folders)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(jitter)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        read_history(tmp_path)
        promote(tmp_path, folders[0], by="lan", because="mended")
        last = read_history(tmp_path).last
        assert last is not None
        assert last.digest == Model.read(folders[0]).digest == Model.read(copy_of(last, tmp_path)).digest
        assert not list(tmp_path.glob(".*.part"))


def test_the_first_needs_no_comparison_and_the_next_one_does(folders: list[Path], tmp_path: Path) -> None:
    a, b, c, _ = folders
    assert promote(tmp_path, a, by="lan") is not None
    for verdict, reason in (
        (None, "no_comparison"),
        (_verdict(a, b, "worse"), "worse"),
        (_verdict(a, b, "not_enough_data"), "not_enough_data"),
        (_verdict(c, b, "better"), "outdated"),
        (_verdict(b, a, "better"), "other_model"),
    ):
        with pytest.raises(PromotionError) as error:
            promote(tmp_path, b, by="lan", verdict=verdict)
        assert error.value.reason == reason
    assert len(read_history(tmp_path).promotions) == 1
    done = promote(tmp_path, b, by="lan", verdict=_verdict(a, b, "better"))
    assert done is not None
    assert (done.verdict, done.comparison, done.because) == ("better", "0" * 64, None)
    worse = promote(tmp_path, c, by="lan", verdict=_verdict(b, c, "worse"), because="the law\n\tsays\x1b so")
    assert worse is not None
    assert (worse.verdict, worse.because) == ("worse", "the law says so")


def test_a_first_promotion_that_is_refused_makes_no_folder(folders: list[Path], tmp_path: Path) -> None:
    store = tmp_path / "store"
    with pytest.raises(PromotionError):
        promote(store, folders[1], by="lan", verdict=_verdict(folders[0], folders[1], "worse"))
    with pytest.raises(PromotionError):
        promote(store, folders[1], by=" \n", because="x")
    with pytest.raises(PromotionError):
        promote(store, folders[1], by="lan", because=" ")
    (tmp_path / "no_model").mkdir()
    with pytest.raises(OSError, match=r"model\.json"):
        promote(store, tmp_path / "no_model", by="lan")
    (tmp_path / "no_model" / "model.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError):
        promote(store, tmp_path / "no_model", by="lan")
    assert not store.exists()


def test_only_what_a_model_folder_holds_is_copied(folders: list[Path], tmp_path: Path) -> None:
    source = _write(Model.read(folders[0]), tmp_path / "run")
    (source / "doses.parquet").write_text("personal", encoding="utf-8")
    done = promote(tmp_path / "store", source, by="lan")
    assert done is not None
    assert not (copy_of(done, tmp_path / "store") / "doses.parquet").exists()


def test_a_copy_that_was_changed_is_not_used_and_can_be_replaced(folders: list[Path], tmp_path: Path) -> None:
    done = promote(tmp_path, folders[0], by="lan")
    assert done is not None
    file = tmp_path / done.folder / "model.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"accept"', '"accept" '), encoding="utf-8")
    with pytest.raises(PromotionError, match="damaged"):
        copy_of(done, tmp_path)
    with pytest.raises(PromotionError, match="damaged"):
        promote(tmp_path, folders[0], by="lan")
    again = promote(tmp_path, folders[0], by="lan", because="restored")
    assert again is not None
    assert Model.read(copy_of(again, tmp_path)).digest == done.digest


@pytest.mark.parametrize("line", [b"{}", b"[]", b"\xff", b"null", b'{"name": 1}', b"[" * 100_000])
def test_a_damaged_line_is_named(folders: list[Path], tmp_path: Path, line: bytes) -> None:
    promote(tmp_path, folders[0], by="lan")
    with (tmp_path / RECORD).open("ab") as record:
        record.write(line + b"\n")
    with pytest.raises(PromotionError) as error:
        read_history(tmp_path)
    assert (error.value.reason, error.value.facts["line"]) == ("record", 2)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"a": {"digest": 1}, "b": {"digest": "x"}, "verdict": "better"}'])
def test_what_is_no_comparison_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "comparison.json"
    with pytest.raises(PromotionError):
        read_verdict(file)
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PromotionError):
        read_verdict(file)
    good = {"a": {"digest": "x"}, "b": {"digest": "y"}, "verdict": "better"}
    file.write_text(json.dumps(good), encoding="utf-8")
    assert read_verdict(file).verdict == "better"
    file.write_text(json.dumps(good | {"verdict": "splendid"}), encoding="utf-8")
    with pytest.raises(PromotionError):
        read_verdict(file)


@pytest.mark.parametrize("part", ["card.md", "charts", "charts/linked.svg", "charts/pipe.svg", "splink.json"])
def test_a_part_that_leads_elsewhere_is_refused(folders: list[Path], tmp_path: Path, part: str) -> None:
    source, store, secret = tmp_path / "model", tmp_path / "store", tmp_path / "secret"
    secret.write_text("not yours", encoding="utf-8")
    _write(replace(Model.read(folders[0]), name="linked"), source)
    if part == "charts":
        (source / "charts").rename(tmp_path / "elsewhere")
        (source / "charts").symlink_to(tmp_path / "elsewhere")
    elif part.endswith("pipe.svg"):
        os.mkfifo(source / part)
    else:
        (source / part).unlink(missing_ok=True)
        (source / part).symlink_to(secret)
    with pytest.raises(PromotionError) as raised:
        promote(store, source, by="lan", because="a law")
    assert raised.value.reason == "no_file"
    assert raised.value.facts == {"path": source / part, "source": source}
    assert not store.exists()


def test_a_model_that_is_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.json")
    with pytest.raises(ModelError, match="no regular file"):
        promote(tmp_path / "store", tmp_path, by="lan", because="a law")
