"""Record and candidates beside each other, units, bars and forecasts."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.messages import LANGUAGES
from linkage.review.accounts import Account
from linkage.review.cases import PAIRED, Candidate, Case, Dose
from linkage.review.desk import Throughput, UnitProgress
from linkage.review.web.drawing import bars
from linkage.review.web.facing import Line, lines
from linkage.review.web.tally import Recent, answers_of, by_day, forecast, of_account, total
from linkage.review.words import unit_name

TEXTS = st.none() | st.text(max_size=40)
RECORD = [column for column, _ in PAIRED.values() if column]
REGISTRY = [column for _, columns in PAIRED.values() for column in columns if column != "citizen_id"]


def case_of(record: dict[str, Any], *registries: dict[str, Any]) -> Case:
    candidates = tuple(
        Candidate(f"00318400012{number}", 0.5, 3.0, dict.fromkeys(REGISTRY) | registry, {}, {})
        for number, registry in enumerate(registries)
    )
    return Case("S", dict.fromkeys(RECORD) | record, (Dose("d", True, "review"),), candidates, {})


def line(name: str, recorded: str, registry: str) -> Line:
    column, (of_registry, *_) = PAIRED[name]
    found = lines(case_of({str(column): recorded}, {of_registry: registry}), "vi")
    return next(each for each in found if each.name == name)


@settings(deadline=None)  # the first place read reads the tables of units
@given(
    st.fixed_dictionaries(dict.fromkeys(RECORD, TEXTS)),
    st.lists(st.fixed_dictionaries(dict.fromkeys(REGISTRY, TEXTS)), max_size=3),
    st.sampled_from(LANGUAGES),
)
def test_whatever_is_typed_is_shown_whole(record: dict[str, Any], registries: list[Any], language: str) -> None:
    for each in lines(case_of(record, *registries), language):
        column, _ = PAIRED[each.name]
        said = (record[column] if column else None) or ""
        assert "".join(piece.text for piece in each.recorded) == said
        assert len(each.cells) == len(registries)
        for cell in each.cells:
            assert "".join(piece.text for piece in cell.recorded) in {"", said}


@pytest.mark.parametrize(
    ("name", "recorded", "registry", "agreement"),
    [
        ("name", "NGUYỄN THỊ HOÀ", "Nguyễn Thị Hòa", "same"),
        ("name", "Nguyen Thi Hoa", "Nguyễn Thị Hòa", "near"),
        ("name", "Vũ Văn An", "Võ Văn An", "near"),
        ("name", "Nguyễn Văn An", "Nguyễn Văn Anh", "differs"),
        ("birth_date", "14/7/1956", "1956-07-14", "same"),
        ("birth_date", "05/12/1984", "1984-12-05", "same"),
        ("birth_date", "12/05/1984", "1984-12-05", "near"),
        ("birth_date", "1956", "1956-07-14", "near"),
        ("birth_date", "15/07/1956", "1956-07-14", "differs"),
        ("sex", "Nu", "F", "same"),
        ("sex", "Nam", "F", "differs"),
        ("phone", "+84912345678", "0912345678", "same"),
        ("phone", "0912345679", "0912345678", "differs"),
        ("insurance_no", "GD4 01 0138472956", "0138472956", "same"),
        ("address", "12  Phố Huế", "12 phố huế", "same"),
        ("address", "12 pho hue", "12 Phố Huế", "near"),
    ],
)
def test_what_a_line_means(name: str, recorded: str, registry: str, agreement: str) -> None:
    assert line(name, recorded, registry).cells[0].agreement == agreement


def test_a_number_stands_beside_the_former_one_it_equals() -> None:
    found = lines(case_of({"national_id": "017 283 945"}, {"previous_ids": "026374851;017283945"}), "vi")
    cell = next(each for each in found if each.name == "number").cells[0]
    assert cell.agreement == "same"
    assert "".join(piece.text for piece in cell.registry) == "017283945"
    assert cell.others == ("003184000120", "026374851")


def test_a_typed_place_is_the_unit_of_a_code() -> None:
    typed = {"province": "Hà Nội", "district": "Ba Đình", "commune": "Phúc Xá"}
    codes = {"province": "01", "district": "001", "commune": "00001"}
    found = {each.name: each.cells[0] for each in lines(case_of(typed, codes), "vi")}
    assert {found[level].agreement for level in codes} == {"same"}
    assert found["commune"].registry[0].text == "Phường Phúc Xá"
    elsewhere = lines(case_of(typed, codes | {"commune": "00004"}), "vi")
    assert next(each for each in elsewhere if each.name == "commune").cells[0].agreement == "differs"


def test_dates_of_the_registry_are_written_as_the_record_writes_them() -> None:
    assert line("birth_date", "12/05/1984", "1984-12-05").cells[0].registry[-1].text.endswith("/1984")
    assert (
        "".join(piece.text for piece in line("birth_date", "1984-05-12", "1984-12-05").cells[0].registry)
        == "1984-12-05"
    )


def test_names_of_units() -> None:
    named = [unit_name(code) for code in ("00001", "001", "01", "facility:F01", "")]
    assert named == ["Phường Phúc Xá", "Quận Ba Đình", "Thành phố Hà Nội", "F01", ""]


UNITS = [
    UnitProgress("00001", None, open=3, settled=1, doses_open=5, oldest="2021-09-01"),
    UnitProgress("00001", "an", open=2, held=1, doses_open=2, oldest="2021-08-01"),
    UnitProgress("00004", None, open=9, disputed=1),
    UnitProgress("26734", None, open=7),
]


@pytest.mark.parametrize(
    ("units", "seen"),
    [
        (("00001",), ["00001"]),
        (("001",), ["00004", "00001"]),
        (("01",), ["00004", "00001"]),
        (("*",), ["00004", "26734", "00001"]),
        (("02",), []),
        ((), []),
    ],
)
def test_units_of_an_account(units: tuple[str, ...], seen: list[str]) -> None:
    assert [each.unit for each in of_account(UNITS, Account("a", "supervisor", units))] == seen


def test_a_unit_is_counted_once_whoever_its_cases_were_dealt_to() -> None:
    (commune,) = of_account(UNITS, Account("a", "reviewer", ("00001",)))
    assert (commune.open, commune.held, commune.doses_open, commune.oldest) == (5, 1, 7, "2021-08-01")
    summed = total(of_account(UNITS, Account("a", "reviewer", ("*",))))
    assert (summed.open, summed.disputed, summed.settled, summed.oldest) == (21, 1, 1, "2021-08-01")


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=30))
def test_bars_stay_in_their_box(cases: list[int]) -> None:
    chart = bars([(date(2026, 1, 1) + timedelta(days=number), each) for number, each in enumerate(cases)])
    for bar, each in zip(chart.bars, cases, strict=True):
        assert 0 <= bar.x <= bar.x + bar.width <= chart.width
        assert bar.y >= 0
        assert bar.y + bar.height == pytest.approx(chart.floor, abs=0.11)
        assert (bar.height == 0) == (each == 0) or each * 100 < max(cases)


@given(st.integers(0, 10**7), st.lists(st.integers(0, 10**5), min_size=7, max_size=14))
def test_a_forecast_is_the_fewest_days_that_suffice(open_cases: int, answered: list[int]) -> None:
    days = [(date(2026, 1, 1) + timedelta(days=number), each) for number, each in enumerate(answered)]
    found = forecast(open_cases, days)
    week = sum(answered[-7:])
    if not week:
        assert found.days is None
    else:
        assert found.days is not None
        assert found.days * week >= open_cases * 7 > (found.days - 1) * week


def test_days_without_answers_are_days_too() -> None:
    rows = [Throughput("2026-01-02", "an", 3, 0, 0), Throughput("2026-01-02", "binh", 2, 0, 0)]
    rows += [Throughput("2026-01-04", "an", 1, 0, 0), Throughput("2026-01-03", "an", -1, 0, 0)]
    assert [cases for _, cases in by_day(rows, date(2026, 1, 5), 5)] == [0, 5, 0, 1, 0]
    assert answers_of(rows, "an", date(2026, 1, 3)) == 0


def test_a_count_that_takes_long_is_remembered_for_a_while() -> None:
    now, counted = [0.0], []

    def slow() -> list[UnitProgress]:
        counted.append(now[0])
        now[0] += 1
        return UNITS

    recent = Recent(slow, clock=lambda: now[0])
    recent()
    now[0] = 10
    recent()
    assert len(counted) == 1
    recent(anew=True)
    assert len(counted) == 2
    now[0] = 40
    recent()
    assert len(counted) == 3


def test_the_example_has_a_line_for_all_that_is_said(example: Callable[..., Case]) -> None:
    names = [each.name for each in lines(example(), "vi")]
    assert names == ["name", "birth_date", "sex", "number", "phone", "commune", "district", "province", "address"]
