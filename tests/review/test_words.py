"""A case in the words of a clerk."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from linkage.messages import LANGUAGES, say
from linkage.review import words
from linkage.review.cases import ASKED, OUTCOMES, PAIRED, Case, Dose

Example = Callable[..., Case]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("decision", "key"),
    [
        ({"margin": 0.01}, "review.because.tie"),
        ({"margin": 5.1}, "review.because.close"),
        ({"margin": None}, "review.because.not_enough"),
        ({"margin": None, "accept": 1.0000000000000002}, "review.because.unproven"),
    ],
)
def test_the_reason_is_told_without_figures(
    example: Example, language: str, decision: dict[str, object], key: str
) -> None:
    case = example()
    told = words.in_review_because(replace(case, decision={**case.decision, **decision}), language)
    assert told == (say(key, language),)
    assert not any(letter.isdigit() for letter in "".join(told))


def test_a_caution_is_told_as_a_reason_and_beside_another_one(example: Example) -> None:
    case = example()
    caution = {**case.decision, "caution": "another_given_name"}
    assert words.in_review_because(replace(case, decision={**caution, "probability": 0.9}), "vi") == (
        "Có công dân khác khớp gần bằng.",
        "Tên khác hẳn. Số định danh, điện thoại hoặc địa chỉ có thể là của người thân.",
    )
    alone = replace(case, decision={**caution, "lowest_accept": 0.5})
    assert words.in_review_because(alone, "en")[0].startswith("The given name is another.")


def test_a_case_without_candidates_says_so(example: Example) -> None:
    assert words.reasons(example(candidates=()), "en") == (
        "Too many citizens share its name, birth date and place to be compared, so none was.",
    )


def test_what_speaks_for_a_candidate_comes_with_the_heaviest_first(example: Example) -> None:
    told = words.for_and_against(example().candidates[0], "en")
    assert told[0].startswith("For it: the name is the same;")
    assert "coincidence" not in told[0]


def test_what_weighs_nothing_is_not_told_and_an_interaction_neither(example: Example) -> None:
    weights = {"name": 9.0, "life": 0.001, "sex": -0.09, "coincidence": -12.0}
    levels = {"name": "identical", "life": "alive", "sex": "different", "coincidence": "namesake"}
    candidate = replace(example().candidates[0], bits=weights, levels=levels)
    assert words.for_and_against(candidate, "en") == ("For it: the name is the same.",)


def test_the_best_candidate_is_told_wherever_it_stands(example: Example) -> None:
    case = example()
    turned = replace(case, candidates=case.candidates[::-1])
    assert words.reasons(turned, "vi") == words.reasons(case, "vi")


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_may_be_answered_has_words_of_its_own(language: str) -> None:
    said = [words.outcome(name, language) for name in OUTCOMES if name != "send_back"]
    said += [words.outcome("send_back", language, field=field) for field in ASKED]
    assert len(set(said)) == len(OUTCOMES) - 1 + len(ASKED)
    assert words.outcome("citizen", language, number=2).startswith("2: ")
    assert all(words.line(name, language) for name in PAIRED)


def test_doses_household_and_variants_are_told(example: Example) -> None:
    case = example()
    doses = words.doses(case, "vi")
    assert doses[0] == "01/09/2021, AZ, cơ sở F01"
    assert doses[2] == "01/02/2022, Pfizer (đã gắn với công dân thứ 1)"
    elsewhere = replace(case, doses=(Dose("x", False, "accept", "003184000999"), Dose("y", False, "no_match")))
    assert "003184000999" in words.doses(elsewhere, "en")[0]
    assert words.doses(elsewhere, "en")[1].endswith("(not part of this decision)")
    assert words.household(case, "vi") == ("cùng số điện thoại: Trần Văn Nam, 01/01/1980, Nam, 003080000321",)
    assert words.variants(case, "en") == ("other doses say, full name: Nguyễn T. Hòa",)


@pytest.mark.parametrize(
    ("units", "names"),
    [
        (("01", "001", "00001"), ("Thành phố Hà Nội", "Quận Ba Đình", "Phường Phúc Xá")),
        (("01", None, "00004"), ("Thành phố Hà Nội", None, "Phường Ba Đình")),
        (("01", "001", "99999"), ("Thành phố Hà Nội", "Quận Ba Đình", "99999")),
        (("79", "001", "00001"), ("79", "001", "00001")),
        (("Hà Nội", "Ba Đình", None), ("Hà Nội", "Ba Đình", None)),
    ],
)
def test_codes_of_units_become_names_where_they_are_certain(
    units: tuple[str | None, ...], names: tuple[str | None, ...]
) -> None:
    levels = ("province", "district", "commune")
    told = words.registry_words(dict(zip(levels, units, strict=True)), {}, "vi")
    assert tuple(told[level] for level in levels) == names
    assert words.recorded_words(dict(zip(levels, units, strict=True))) == told


@pytest.mark.parametrize(
    ("recorded", "day"), [("05/12/1984", "12/05/1984"), (None, "12/05/1984"), ("1984-12-05", "1984-05-12")]
)
def test_a_registry_date_is_written_as_the_record_writes_its_own(recorded: str | None, day: str) -> None:
    registry = {"date_of_birth": "1984-05-12", "sex": "F"}
    told = words.registry_words(registry, {"date_of_birth": recorded}, "vi")
    assert (told["date_of_birth"], told["sex"]) == (day, "Nữ")
    assert words.registry_words({"date_of_birth": "1956"}, {}, "vi")["date_of_birth"] == "1956"
