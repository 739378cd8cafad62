"""The list of a unit on paper."""

import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from linkage.messages import LANGUAGES, say
from linkage.review.cases import Answer, Case
from linkage.review.signing import signing_page
from linkage.review.views import Given, View

Example = Callable[..., Case]


def view(case: Case, answer: Answer | None = None) -> View:
    case_id = str(uuid.uuid5(uuid.NAMESPACE_OID, case.subject))
    mine = Given("lan", "2026-01-01T00:00:00Z", answer, 1, 1) if answer else None
    return View(case_id, 1, case, "00001", "open", 1, "ab" * 32, "vietnam@0123", mine=mine)


class Text(HTMLParser):
    """The text of each row of the table."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        if tag == "tr":
            self.rows.append("")

    def handle_data(self, data: str) -> None:
        if self.rows:
            self.rows[-1] += data


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_record_stands_with_its_citizens_and_boxes_to_tick(example: Example, language: str) -> None:
    page = signing_page([view(example()), view(example("S2", candidates=()))], language, unit="Phúc Xá")
    _, record, first, second, otherwise, alone, nobody = Text(page).rows
    assert "NGUYEN THI HOA" in record
    assert "003184000123" in first
    assert "003184000124" in second
    for row in (first, second):
        assert f"☐{say('review.outcome.citizen', language)}" in row
    assert otherwise.count("☐") == nobody.count("☐") == 4
    assert "3184000123" in alone
    assert "☒" not in page
    for name in ("made", "police", "station"):
        assert say(f"signing.sign.{name}", language) in page
    assert "counter(page)" in page
    assert "A4 landscape" in page


@pytest.mark.parametrize(
    ("answer", "ticked"),
    [
        (Answer("citizen", "003184000124", None, "gặp gia đình"), 3),
        (Answer("none"), 4),
        (Answer("send_back", None, "birth_date"), 4),
        (Answer("citizen", "003184000999"), None),
    ],
)
def test_what_was_answered_is_ticked(example: Example, answer: Answer, ticked: int | None) -> None:
    rows = Text(signing_page([view(example(), answer)], "vi", unit="x")).rows
    assert [place for place, row in enumerate(rows) if "☒" in row] == ([] if ticked is None else [ticked])
    assert answer.comment in rows[1]
    if answer.field:
        assert re.search(r"☒trả lại cơ sở tiêm: ngày sinh", rows[4])


def test_the_last_answer_counts(example: Example) -> None:
    given = [Given(reader, "x", Answer(outcome), 1, 1) for reader, outcome in (("a", "none"), ("b", "cannot_tell"))]  # type: ignore[arg-type]
    page = signing_page([replace(view(example()), answers=tuple(given))], "en", unit="x")
    assert "☒</span>cannot tell" in page


@pytest.mark.parametrize("text", ['<script>alert("x")</script>', "{{ unit }}", "</style><b>", "\x00\x1b[2J\u202e"])
def test_nothing_that_was_typed_is_obeyed(example: Example, text: str) -> None:
    record = {"full_name": text, "address": text}
    page = signing_page([view(example(record=record), Answer("none", comment=text))], "vi", unit=text)
    assert "<script" not in page
    assert page.count("</style>") == 1
    assert "\x1b" not in page


def test_the_same_cases_give_the_same_page(example: Example) -> None:
    assert signing_page([view(example())], "vi", unit="x") == signing_page([view(example())], "vi", unit="x")
