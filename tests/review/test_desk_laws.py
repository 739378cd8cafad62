"""Whatever people do at the desk, one after the other or all at once: nothing is lost, nothing twice, nothing leaks."""

import threading
from collections.abc import Callable
from itertools import count
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from linkage.errors import UserError
from linkage.review.accounts import Account
from linkage.review.cases import Answer
from linkage.review.desk import Changed, answer_case, answer_many, disputes, next_case, open_case, undo
from linkage.store import Store, open_store

PEOPLE = (
    Account("an", "reviewer", ("00001",)),
    Account("binh", "reviewer", ("001", "00004")),
    Account("chi", "reviewer", ("*",)),
    Account("dung", "supervisor", ("*",)),
)
COMMUNES = ("00001", "00004", "00007")
SAID = st.sampled_from([Answer("none"), Answer("citizen", "003184000123"), Answer("send_back", field="phone")])
WHO = st.sampled_from(PEOPLE)
WHICH = st.integers(0, 5)


def _stopped(call: Callable[[], object]) -> UserError | Changed | None:
    """What kept somebody from doing something."""
    try:
        call()
    except (UserError, Changed) as reason:
        return reason
    return None


class Machine(RuleBasedStateMachine):
    """Four people and six cases of three communes: what they said, in memory, and the desk beside it."""

    def __init__(self, store: Store, ask: Callable[..., str], names: Any) -> None:
        super().__init__()
        self.store = store
        with store.writing() as writer:
            writer.connection.exec_driver_sql("UPDATE review_case SET state = 'withdrawn' WHERE state <> 'settled'")
        self.readings = [1 + number % 2 for number in range(6)]
        self.communes = [COMMUNES[number % 3] for number in range(6)]
        self.cases = [
            ask(store, f"S{next(names)}", place=number, readings=self.readings[number], commune=commune, district=None)
            for number, commune in enumerate(self.communes)
        ]
        self.said: list[dict[str, Answer]] = [{} for _ in self.cases]
        self.judged: list[tuple[str, Answer] | None] = [None for _ in self.cases]

    def state_of(self, number: int) -> str:
        said = [answer.said for answer in self.said[number].values()]
        if self.judged[number] or (said and self.readings[number] == 1):
            return "settled"
        if len(said) < 2:
            return "open"
        return "settled" if said[0] == said[1] else "disputed"

    def may(self, who: Account, number: int) -> bool:
        return "*" in who.units or self.communes[number] in who.units

    def take(self, who: Account, number: int, answer: Answer) -> bool:
        """Whether an answer counts; if so, it is remembered."""
        if who.name in self.said[number] or (self.judged[number] or ("",))[0] == who.name:
            return False
        if self.state_of(number) == "open":
            self.said[number][who.name] = answer
        elif self.state_of(number) == "disputed" and who.supervises:
            self.judged[number] = (who.name, answer)
        else:
            return False
        return True

    @rule(who=WHO, answer=SAID)
    def work(self, who: Account, answer: Answer) -> None:
        """The next case is one that may be read, and is answered."""
        view = next_case(self.store, who)
        free = [
            number
            for number in range(6)
            if self.state_of(number) == "open" and self.may(who, number) and who.name not in self.said[number]
        ]
        if view is None:
            held = {holder for (holder,) in self.rows("SELECT holder FROM review_case WHERE state = 'open'")}
            assert not free or held - {None, who.name}
            return
        number = self.cases.index(view.case_id)
        assert number in free
        assert (view.answers, view.mine) == ((), None)
        assert answer_case(self.store, who, view.case_id, view.version, answer).entry
        assert self.take(who, number, answer)

    @rule(who=WHO)
    def look(self, who: Account) -> None:
        """A case is looked at, and left lying."""
        next_case(self.store, who)

    @rule(who=WHO, number=WHICH, answer=SAID, version=st.integers(1, 3))
    def say(self, who: Account, number: int, answer: Answer, version: int) -> None:
        """An answer from whoever, on whatever version."""
        before = self.version(number)
        mine = self.said[number].get(who.name) or dict([self.judged[number] or ("", answer)]).get(who.name)
        stopped = _stopped(lambda: answer_case(self.store, who, self.cases[number], version, answer))
        if isinstance(stopped, UserError):
            assert stopped.key == "review.not_yours"
            assert not self.may(who, number)
        elif stopped:
            assert stopped.view.version == before
            assert version != before or self.state_of(number) != "open" or mine
        else:
            assert mine == answer or (version == before and self.take(who, number, answer))

    @rule(who=WHO, rows=st.lists(st.tuples(WHICH, SAID), max_size=4))
    def import_sheet(self, who: Account, rows: list[tuple[int, Answer]]) -> None:
        """A spreadsheet of answers; read again, it changes nothing."""
        sheet = [(self.cases[number], answer) for number, answer in rows]
        done = answer_many(self.store, who, sheet, {})
        assert len(done.applied) + len(done.unchanged) + len(done.refused) == len(dict(sheet))
        for case in done.applied:
            assert self.may(who, self.cases.index(case))
            assert self.take(who, self.cases.index(case), dict(sheet)[case])
        again = answer_many(self.store, who, sheet, {})
        assert (again.applied, again.entry) == ((), None)

    @rule(who=WHO, number=WHICH)
    def think_again(self, who: Account, number: int) -> None:
        """What somebody said is taken back, unless others have decided over it."""
        judged = self.judged[number]
        stopped = _stopped(lambda: undo(self.store, who, self.cases[number]))
        if isinstance(stopped, UserError):
            reasons = {"review.not_yours": not self.may(who, number)}
            reasons["review.adjudicated"] = judged is not None and judged[0] != who.name
            reasons["review.nothing_said"] = who.name not in self.said[number]
            assert reasons[stopped.key]
        elif judged and judged[0] == who.name:
            self.judged[number] = None
        else:
            del self.said[number][who.name]

    @rule()
    def judge(self) -> None:
        """Disputes are those of others."""
        boss = PEOPLE[-1]
        found = {self.cases.index(view.case_id) for view in disputes(self.store, boss)}
        wanted = {n for n in range(6) if self.state_of(n) == "disputed" and boss.name not in self.said[n]}
        assert found == wanted

    def rows(self, query: str) -> list[Any]:
        with self.store.reading() as reader:
            return list(reader.connection.exec_driver_sql(query))

    def version(self, number: int) -> int:
        return int(self.rows(f"SELECT version FROM review_case WHERE case_id = '{self.cases[number]}'")[0][0])

    @invariant()
    def the_store_knows_what_was_said(self) -> None:
        found = dict(tuple(row) for row in self.rows("SELECT case_id, state FROM review_case"))
        assert [found[case] for case in self.cases] == [self.state_of(number) for number in range(6)]

    def teardown(self) -> None:
        assert self.store.verify() == []
        for number, case in enumerate(self.cases):
            mine = [open_case(self.store, who, case).mine for who in PEOPLE if self.may(who, number)]
            said = {given.reader: given.answer for given in mine if given}
            judged = self.judged[number]
            assert said == self.said[number] | (dict([judged]) if judged else {})


def test_the_desk_remembers_what_everybody_said(store_url: str, ask: Callable[..., str]) -> None:
    names = count()
    with open_store(store_url) as store:

        class Here(Machine):
            def __init__(self) -> None:
                super().__init__(store, ask, names)

        few = settings(max_examples=20, stateful_step_count=16, deadline=None, suppress_health_check=list(HealthCheck))
        run_state_machine_as_test(Here, settings=few)


def test_eight_who_answer_at_once_lose_nothing_and_double_nothing(store_url: str, ask: Callable[..., str]) -> None:
    said: dict[str, list[str]] = {}
    failed: list[BaseException] = []

    def work(store: Store, name: str) -> None:
        account = Account(name, "reviewer", ("*",))
        mine = said.setdefault(name, [])
        try:
            while view := next_case(store, account):
                answer_case(store, account, view.case_id, view.version, Answer("none"))
                mine.append(view.case_id)
        except BaseException as error:  # noqa: BLE001 # a thread has nobody to raise to
            failed.append(error)

    # two processes have a pool each
    with open_store(store_url) as store, open_store(store_url) as other:
        cases = [ask(store, f"S{number}", place=number, readings=1 + number % 2) for number in range(40)]
        threads = [threading.Thread(target=work, args=((store, other)[n % 2], f"reader{n}")) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # what the last one read first, all others had left before
        for name in list(said):
            work(store, name)
        assert failed == []
        answers = [case for one in said.values() for case in one]
        assert sorted(answers) == sorted(case for n, case in enumerate(cases) for _ in range(1 + n % 2))
        assert all(len(one) == len(set(one)) for one in said.values())
        with store.reading() as reader:
            states = reader.connection.exec_driver_sql("SELECT DISTINCT state FROM review_case").scalars().all()
            written = reader.connection.exec_driver_sql("SELECT count(*) FROM answer").scalar()
            kinds = [entry.kind for entry in reader.entries()]
        assert (states, written) == (["settled"], len(answers))
        assert kinds.count("answer") == kinds.count("view") == len(answers)
        assert store.verify() == []


def test_of_eight_who_answer_the_same_case_one_is_heard(store_url: str, ask: Callable[..., str]) -> None:
    heard: list[str] = []
    told: list[tuple[str, ...]] = []
    with open_store(store_url) as store:
        case = ask(store)
        together = threading.Barrier(8)

        def work(name: str) -> None:
            account = Account(name, "reviewer", ("*",))
            version = open_case(store, account, case).version
            together.wait()
            try:
                answer_case(store, account, case, version, Answer("none"))
                heard.append(name)
            except Changed as changed:
                told.append(tuple(given.reader for given in changed.given))

        threads = [threading.Thread(target=work, args=(f"reader{number}",)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(heard) == 1
        assert told == [(heard[0],)] * 7


def test_forty_threads_find_room(store_url: str, ask: Callable[..., str]) -> None:
    views = []
    with open_store(store_url) as store:
        case = ask(store)
        together = threading.Barrier(40)

        def work() -> None:
            with store.reading():
                together.wait()
            views.append(open_case(store, PEOPLE[0], case))

        threads = [threading.Thread(target=work) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(views) == 40
