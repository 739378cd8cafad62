"""Pages of supervisors and administrators: disputes, progress, acceptance, accounts."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from linkage.review.accounts import Account, account, set_account
from linkage.store import Store

HERS, SISTER = "003184000123", "003184000124"
Browsers = Callable[..., Any]
Add = Callable[..., str]


def disputed(add: Add, browser: Browsers) -> str:
    """A case of which an and binh say different things."""
    case = add("S1", readings=2)
    browser("an").answer(case, f"citizen:{HERS}", comment="cùng số thẻ")
    assert browser("binh").answer(case, "none", version=2, comment="là chị gái").status_code == 303
    return case


def test_a_dispute_shows_both_answers_and_is_settled(store: Store, add: Add, browser: Browsers) -> None:
    case = disputed(add, browser)
    supervisor = browser("giam.sat")
    listed, shown = supervisor.get("/disputes").text, supervisor.get(f"/case/{case}?back=disputes").text
    for page in (listed, shown):
        for words in ("binh", "cùng số thẻ", "là chị gái", "Ứng viên 1"):
            assert words in page
    assert 'name="back" value="disputes"' in shown
    settled = supervisor.answer(case, f"citizen:{SISTER}", version=3, back="disputes")
    assert (settled.status_code, settled.headers["location"]) == (303, "/disputes")
    assert "Không có hồ sơ nào" in supervisor.get("/disputes").text
    with store.reading() as reader:
        query = text("SELECT state, citizen_id FROM review_case")
        assert tuple(reader.connection.execute(query).one()) == ("settled", SISTER)


def test_a_reader_does_not_see_the_other_answer_of_a_dispute(add: Add, browser: Browsers) -> None:
    case = disputed(add, browser)
    shown = browser("an").get(f"/case/{case}").text
    assert "cùng số thẻ" in shown
    assert "là chị gái" not in shown
    assert browser("an").answer(case, "mixed_up", version=3).status_code == 409


def test_a_supervisor_of_elsewhere_sees_no_dispute(store: Store, add: Add, browser: Browsers) -> None:
    case = disputed(add, browser)
    set_account(store, Account("sai.gon", "supervisor", ("79",)), "mật khẩu đủ dài", actor="root")
    elsewhere = browser("sai.gon")
    assert "Không có hồ sơ nào" in elsewhere.get("/disputes").text
    assert elsewhere.get(f"/case/{case}").status_code == 404
    assert "Phường Phúc Xá" not in elsewhere.get("/progress").text


def test_progress_counts_and_draws(add: Add, browser: Browsers) -> None:
    disputed(add, browser)
    add("S2")
    done = add("S3", commune="00004")
    supervisor = browser("giam.sat")
    supervisor.answer(done, "none")
    shown = supervisor.get("/progress").text
    assert "<svg" in shown
    assert "<title>" in shown.partition("<svg")[2]
    for words in ("Phường Phúc Xá", "Phường Trúc Bạch", "<bdi>an</bdi>", "<bdi>binh</bdi>", 'value="00004"'):
        assert words in shown
    assert 'value="00001"' not in shown


def test_a_finished_unit_is_sampled_and_read_again_by_another(add: Add, browser: Browsers) -> None:
    case = add("S1", commune="00004")
    supervisor, admin = browser("giam.sat"), browser("quan.tri")
    supervisor.answer(case, "none")
    assert "Chưa lấy mẫu" in supervisor.post("/progress/unit", unit="00004").text
    drawn = supervisor.post("/progress/sample", unit="00004").text
    assert "đang xem lại mẫu" in drawn
    assert "0 / 1" in drawn
    shown = admin.get("/next").text
    again = shown.partition('id="answer"')[2].partition("/case/")[2].partition('"')[0]
    assert again not in {"", case}
    assert admin.answer(again, "none").status_code == 303
    assert "1 / 1" in supervisor.post("/progress/unit", unit="00004").text
    assert "badge large good" in supervisor.post("/progress/unit", unit="00004").text


@pytest.mark.parametrize("path", ["/progress/unit", "/progress/sample"])
@pytest.mark.parametrize("unit", ["26734", "*", "", "00001'--"])
def test_a_unit_of_others_is_not_sampled(add: Add, browser: Browsers, path: str, unit: str) -> None:
    add("T1", commune="26734")
    assert browser("giam.sat").post(path, unit=unit).status_code in {400, 404}


FORM: dict[str, Any] = {"role": "reviewer", "capacity": 50, "language": "en", "units": "00001, 79;facility:F01"}


def test_an_account_is_made_changed_and_disabled(store: Store, browser: Browsers) -> None:
    admin = browser("quan.tri")
    made = admin.post("/accounts", name="em", new=1, active=1, **FORM)
    password = made.text.partition('class="secret">')[2].partition("<")[0]
    assert account(store, "em") == Account("em", "reviewer", ("00001", "79", "facility:F01"), 50, "en")
    em = browser()
    assert em.log_in("em", password).status_code == 303
    assert 'lang="en"' in em.get("/").text
    assert 'value="00001 79 facility:F01"' in admin.post("/accounts/edit", name="em").text
    changed = admin.post("/accounts", name="em", active=1, password=1, **(FORM | {"role": "supervisor"}))
    renewed = changed.text.partition('class="secret">')[2].partition("<")[0]
    assert renewed not in {"", password}
    assert em.get("/").status_code == 303
    assert browser().log_in("em", password).status_code == 401
    assert browser().log_in("em", renewed).status_code == 303
    kept = admin.post("/accounts", name="em", **FORM)
    assert "secret" not in kept.text
    assert browser().log_in("em", renewed).status_code == 401
    with store.reading() as reader:
        ledger = " ".join(row[0] for row in reader.connection.execute(text("SELECT evidence FROM entry")))
    assert password not in ledger
    assert renewed not in ledger


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "an"},
        {"name": ""},
        {"name": "<b>"},
        {"role": "root"},
        {"capacity": 0},
        {"capacity": "x"},
        {"language": "fr"},
        {"units": "0000"},
        {"units": "facility:"},
    ],
)
def test_an_account_that_cannot_be_is_refused(store: Store, browser: Browsers, wrong: dict[str, Any]) -> None:
    admin = browser("quan.tri")
    refused = admin.post("/accounts", **({"name": "em", "new": 1, "active": 1} | FORM | wrong))
    assert refused.status_code == 400
    assert (account(store, "em"), account(store, "an")) == (None, Account("an", "reviewer", ("00001",), 40))


def test_nobody_takes_away_the_own_access(store: Store, browser: Browsers) -> None:
    admin = browser("quan.tri")
    for change in ({"active": 1} | FORM, FORM | {"role": "administrator"}):
        assert admin.post("/accounts", name="quan.tri", **change).status_code == 400
    assert account(store, "quan.tri") == Account("quan.tri", "administrator", ("*",), 40)
    assert admin.post("/accounts/edit", name="khong.co").status_code == 404
    assert admin.post("/accounts", name="khong.co", **FORM).status_code == 404
