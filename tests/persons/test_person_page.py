"""The page and the text of one person: everything is there, in both languages, and nothing typed is obeyed."""

import re
from dataclasses import replace
from datetime import date
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.messages import LANGUAGES, catalogue, say
from linkage.persons.facts import (
    CitizenFacts,
    Comparison,
    Conflict,
    DoseFacts,
    GoldenValue,
    HistoryEntry,
    Link,
    LosingValue,
    Move,
    Near,
    PersonFacts,
    SubjectFacts,
)
from linkage.persons.golden import FIELDS, RULES
from linkage.persons.page import history_text, person_page, person_text

BUILT = HistoryEntry(
    3, "2026-11-20T08:00:00Z", "build", "an.nguyen", "dose_citizen@4f1d2c3b4a59", "", '{"run":"9c1e"}',
    moves=(Move("S000000011", None, "Pabcdefghijklmnop"), Move("S000000012", None, "Pqrstuvwxyz234567")),
)  # fmt: skip
MERGED = HistoryEntry(
    8, "2026-11-23T09:30:00Z", "merge", "binh.tran", None, "Same person: both profiles show the card 003190000017",
    '{"citizen":"003190000017"}', moves=(Move("S000000012", "Pqrstuvwxyz234567", "Pabcdefghijklmnop"),),
)  # fmt: skip
PERSON = PersonFacts(
    person_id="Pabcdefghijklmnop",
    former_ids=("Pqrstuvwxyz234567",),
    citizen=CitizenFacts("003190000017", ("003900017",)),
    golden=(
        GoldenValue(
            "full_name", "Nguyễn Thị Hồng Ánh", "registry", "registry",
            (LosingValue("NGUYEN THI HONG ANH", 2, date(2021, 10, 4), "D000000002"),
             LosingValue("Nguyễn Thị Anh", 1, None, "D000000003")),
        ),
        GoldenValue("date_of_birth", "1990-05-02", "registry", "registry"),
        GoldenValue("sex", "Nữ", "registry", "registry", (LosingValue("F", 1, date(2021, 8, 2), "D000000001"),)),
        GoldenValue("national_id", "003190000017", "registry", "registry"),
        GoldenValue("phone", "0912 345 678", "D000000003", "most_recent",
                    (LosingValue("0987654321", 1, date(2021, 8, 2), "D000000001"),)),
        GoldenValue("province", "Thành phố Hồ Chí Minh", "D000000002", "most_recent"),
        GoldenValue("address", "12/3 hẻm 45 Lê Lợi", "D000000002", "most_recent"),
        GoldenValue("nationality", None, None, None),
    ),
    subjects=(
        SubjectFacts("S000000011", "Pabcdefghijklmnop", "003190000017", 2),
        SubjectFacts("S000000012", "Pqrstuvwxyz234567", None, 2),
    ),
    doses=(
        DoseFacts("D000000003", "S000000012", date(2021, 10, 5), None, "79011", "review", "in_review", 0.71,
                  "D000000002", "days_apart:1;other_facility;vaccine_blank;lot_blank;number_unknown"),
        DoseFacts("D000000001", "S000000011", date(2021, 8, 2), "astrazeneca", "79001", "accept", "verified", 0.999991),
        DoseFacts("D000000002", "S000000011", date(2021, 10, 4), "astrazeneca", "79001", "accept",
                  "details_corrected", 0.9998),
        DoseFacts("D000000004", "S000000012", None, "Vắc-xin lạ", None, "no_match", "not_found", None,
                  too_close=(Near("D000000002", 9),)),
    ),
    links=(
        Link("S000000011", "S000000012", "by_hand", 9.4, 0.97,
             (Comparison("name", "middle_dropped", 6.2), Comparison("birth_date", "same_day", 8.9),
              Comparison("phone", "different", -1.4), Comparison("insurance_no", "missing", 0.0),
              Comparison("own_comparison", "own_level", 0.3)), entry=8),
    ),
    conflicts=(Conflict("two_birth_dates", ("S000000011", "S000000012")), Conflict("unheard_of", ("D000000004",))),
    history=(MERGED, BUILT),
)  # fmt: skip

HOSTILE = (
    "<script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "</style></title><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "\x1b[2J\x1b]0;owned\x07",
    "a\nb\r\nD000000099  accepted",
    "\u202eevil\u2066",
    '=HYPERLINK("http://x")',
)  # fmt: skip


def spoilt(text: str) -> PersonFacts:
    """The person with one text in every place that somebody may have typed."""
    dose = replace(PERSON.doses[0], dose_id=text, subject=text, vaccine=text, facility=text, primary_dose_id=text,
                   evidence=text, too_close=(Near(text, 1),))  # fmt: skip
    return replace(
        PERSON,
        former_ids=(text,),
        citizen=CitizenFacts(text, (text,), text),
        golden=(GoldenValue("full_name", text, text, "majority", (LosingValue(text, 1, None, text),)),),
        subjects=(SubjectFacts(text, text, text, 1),),
        doses=(dose, PERSON.doses[1]),
        links=(Link(text, text, text, comparisons=(Comparison(text, text, 1.0),)),),
        conflicts=(Conflict(text, (text,)),),
        history=(HistoryEntry(1, text, text, text, text, text, text, moves=(Move(text, text, text),)),),
    )


class Elements(HTMLParser):
    """The tags and attribute names of a page, and every text that is no style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        self.ids |= {value or "" for name, value in attrs if name == "id"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_page_and_text_show_every_fact(language: str) -> None:
    page, text = unescape(person_page(PERSON, language)), person_text(PERSON, language)
    facts = [PERSON.person_id, *PERSON.former_ids, "003190000017", "003900017", "79011", "Vắc-xin lạ", MERGED.because]
    facts += [dose.dose_id for dose in PERSON.doses] + [subject.subject for subject in PERSON.subjects]
    facts += [golden.value for golden in PERSON.golden if golden.value]
    facts += [losing.value for golden in PERSON.golden for losing in golden.losing]
    facts += [BUILT.model or "", BUILT.actor, MERGED.actor, MERGED.evidence, BUILT.at]
    facts += [say(f"person.{key}", language) for key in ("kind.merge", "reason.by_hand", "conflict.two_birth_dates")]
    facts += [say("person.duplicate_of", language), say("person.evidence.days_apart", language, days=1)]
    facts += [say("person.too_close", language, dose_id="D000000002", days=9), "own level", "unheard of"]
    facts += [
        say("level.name.middle_dropped", language),
        say("outcome.in_review", language),
        "+6.2" if language == "en" else "+6,2",
    ]
    facts += ["2021-10-04" if language == "en" else "04/10/2021"]
    for shown in (page, text):
        assert [fact for fact in facts if fact not in shown] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_doses_are_in_order_of_day_and_the_history_in_order_of_number(language: str) -> None:
    page, text = person_page(PERSON, language), person_text(PERSON, language)
    rows = re.findall(r'<tr id="dose-\d+".*?(D\d{9})', page, re.DOTALL)
    section = text.split(f"{say('person.doses', language)}\n")[1].split("\n\n")[0]
    lines = re.findall(r"^  \S+  (D\d{9})", section, re.MULTILINE)
    assert rows == lines == ["D000000001", "D000000002", "D000000003", "D000000004"]
    for shown in (page, text):
        assert shown.index(BUILT.at) < shown.index(MERGED.at)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_needs_nothing_beside_itself(language: str) -> None:
    page = person_page(PERSON, language)
    elements = Elements(page)
    assert not {tag for tag, _ in elements.tags} & {"script", "link", "img", "iframe", "object"}
    assert elements.links
    assert all(link.startswith("#") and link[1:] in elements.ids for link in elements.links)
    assert "url(" not in page
    assert "@import" not in page
    assert f'<html lang="{language}">' in page


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_text_is_shown_and_not_obeyed(text: str, language: str) -> None:
    harmless = Elements(person_page(spoilt("harmless"), language))
    page = person_page(spoilt(text), language)
    assert Elements(page).tags == harmless.tags
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)
    lines = person_text(spoilt("harmless"), language).splitlines()
    assert len(person_text(spoilt(text), language).splitlines()) == len(lines)


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=30), st.sampled_from(LANGUAGES))
def test_no_text_adds_a_line_or_a_control(text: str, language: str) -> None:
    facts = spoilt(text or "-")
    for shown in (person_text(facts, language), history_text(facts.history, language)):
        assert all(letter.isprintable() or letter in "\n\u00a0" or letter.isspace() for letter in shown)
        assert not re.search("[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", shown)


def test_a_person_of_whom_little_is_known() -> None:
    bare = replace(PERSON, former_ids=(), citizen=None, golden=(), links=(), conflicts=(), history=())
    for language in LANGUAGES:
        assert say("person.no_citizen", language) in person_page(bare, language)
        assert say("person.links", language) not in person_page(bare, language) + person_text(bare, language)


def test_every_word_is_there_in_both_languages() -> None:
    needed = {f"field.{name}" for name in FIELDS} | {f"person.rule.{rule}" for rule in RULES}
    needed |= {f"person.kind.{kind}" for kind in ("build", "merge", "unmerge")}
    assert needed <= set(catalogue())
    ours = {key: texts for key, texts in catalogue().items() if key.startswith(("person.", "golden."))}
    for key, texts in ours.items():
        assert set(texts) == set(LANGUAGES), key
        slots = [set(re.findall(r"\{(\w+)\}", texts[language])) for language in LANGUAGES]
        assert slots[0] == slots[1], key
