"""Where two texts differ, character by character."""

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.review.differing import Pieces, compared, differing, in_none

TEXTS = st.text(st.sampled_from("aàAÀhoơở 0129/+=\u0301\u0303\r🙂"), max_size=12) | st.text(max_size=12)


def marked(pieces: Pieces) -> str:
    """A text with what differs in brackets."""
    return "".join(f"[{piece.text}]" if piece.differs else piece.text for piece in pieces)


@given(TEXTS, TEXTS)
def test_pieces_joined_are_the_text_as_it_is(recorded: str, registry: str) -> None:
    for pieces, text in zip(differing(recorded, registry), (recorded, registry), strict=True):
        assert "".join(piece.text for piece in pieces) == text
        assert all(piece.text for piece in pieces)
        assert all(one.differs != other.differs for one, other in itertools.pairwise(pieces))


@given(TEXTS, TEXTS)
def test_what_one_side_marks_the_other_would_mark(recorded: str, registry: str) -> None:
    plain = [
        unicodedata.normalize("NFC", "".join(piece.text for piece in side if not piece.differs))
        for side in differing(recorded, registry)
    ]
    if recorded.strip() and registry.strip():
        assert plain[0].upper() == plain[1].upper()


@given(TEXTS)
def test_a_text_does_not_differ_from_itself_nor_from_nothing(text: str) -> None:
    for other in (text, unicodedata.normalize("NFC", text), "", None):
        assert not any(piece.differs for side in differing(text, other) for piece in side)


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3))
def test_what_differs_in_the_record_differs_from_every_candidate(recorded: str, registry: list[str]) -> None:
    sides = [differing(recorded, other)[0] for other in registry]
    pieces = in_none(recorded, sides)
    assert "".join(piece.text for piece in pieces) == recorded
    assert len(registry) > 1 or pieces == sides[0]


@pytest.mark.parametrize(
    ("recorded", "registry", "one", "other"),
    [
        ("Nguyễn Thị Hoa", "Nguyễn Thị Hoà", "Nguyễn Thị Ho[a]", "Nguyễn Thị Ho[à]"),
        ("NGUYEN THI HOA", "Nguyễn Thị Hoa", "NGUY[E]N TH[I] HOA", "Nguy[ễ]n Th[ị] Hoa"),
        ("Nguyễn thị Hoa", "Nguyễn Thị Hoa", "Nguyễn [t]hị Hoa", "Nguyễn [T]hị Hoa"),
        ("Đặng Văn Hưng", "Đặng Hưng", "Đặng [Văn ]Hưng", "Đặng Hưng"),
        ("05/12/1984", "12/05/1984", "[05]/[12]/1984", "[12]/[05]/1984"),
        ("3184000123", "003184000123", "3184000123", "[00]3184000123"),
        ("003184000132", "003184000123", "0031840001[32]", "0031840001[23]"),
        ("1984", "12/05/1984", "1984", "[12/05/]1984"),
        ("Trần Văn An", "Lê Thị Bích Hoà", "[Trần Văn An]", "[Lê Thị Bích Hoà]"),
        ("H'Hen Niê", "H’Hen Niê", "H[']Hen Niê", "H[’]Hen Niê"),
    ],
)
def test_a_clerk_sees_the_characters_that_differ(recorded: str, registry: str, one: str, other: str) -> None:
    first, second = differing(recorded, registry)
    assert (marked(first), marked(second)) == (one, other)


@pytest.mark.parametrize(
    ("line", "recorded", "registry"),
    [
        ("commune", "Phúc Xá", "Phường phúc xá"),
        ("commune", "Phúc Xá", "00001"),
        ("insurance_no", "GD4790012345678", "0012345678"),
        ("sex", "Nữ", "F"),
        ("phone", "+84 912 345 678", "0912345678"),
        ("birth_date", "12/5/1984", "1984-05-12"),
    ],
)
def test_what_means_the_same_is_left_plain(line: str, recorded: str, registry: str) -> None:
    assert not any(piece.differs for side in compared(line, recorded, registry) for piece in side)
    assert any(piece.differs for side in compared("name", recorded, registry) for piece in side)


def test_another_sex_and_another_day_are_marked() -> None:
    assert marked(compared("sex", "Nam", "F")[0]) == "[Nam]"
    assert marked(compared("birth_date", "05/12/1984", "1985-12-05")[1]) != "1985-12-05"
