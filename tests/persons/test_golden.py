"""Golden records against a plain rendering of the rules, and the file of rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import product
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.errors import UserError
from linkage.messages import LANGUAGES
from linkage.persons import golden
from linkage.persons.golden import FIELDS, RULES, GoldenRules, make_golden, read_golden_rules
from linkage.tables import CITIZENS, DOSES

Values = dict[str, str | None]
SHIPPED = read_golden_rules()
DAYS = (None, date(2021, 7, 1), date(2021, 7, 2), date(2022, 3, 4))
BLANK = ("", " ", "\u00a0\t", "\u3000", "\x1c\x85")


@dataclass(frozen=True)
class Dose:
    dose_id: str
    person: int
    typed: Values
    decision: str = "no_match"
    outcome: str = "not_found"
    recorded: date | None = None


@dataclass(frozen=True)
class World:
    """Citizen of each person (None: no citizen, {}: one the registry table lacks), and the doses."""

    citizens: tuple[Values | None, ...]
    doses: tuple[Dose, ...] = field(default=())


@st.composite
def worlds(draw: st.DrawFn) -> World:
    value = st.sampled_from((None, *BLANK, "a", "b", "bb", "Đặng", "'; DROP TABLE doses; --"))
    values = st.dictionaries(st.sampled_from(("full_name", "phone", "nationality", "national_id", "sex")), value)
    persons = draw(st.lists(st.none() | values, min_size=1, max_size=3))
    state = st.sampled_from((("accept", "verified"), ("accept", "id_corrected"), ("review", "in_review")))
    doses = draw(
        st.lists(st.tuples(st.integers(0, len(persons) - 1), values, state, st.sampled_from(DAYS)), max_size=8)
    )
    return World(
        tuple(persons),
        tuple(Dose(f"d{n}", person, typed, *of, day) for n, (person, typed, of, day) in enumerate(doses)),
    )


def rule_lists(at_first: str | None = None) -> st.SearchStrategy[tuple[str, ...]]:
    lists = st.permutations(RULES).flatmap(lambda order: st.integers(1, len(RULES)).map(lambda n: tuple(order[:n])))
    return lists.map(lambda rules: (at_first, *(r for r in rules if r != at_first)) if at_first else rules)


any_rules = st.fixed_dictionaries(
    {name: rule_lists("registry" if name == "national_id" else None) for name in FIELDS}
).map(GoldenRules)


@dataclass(frozen=True)
class Made:
    golden: dict[str, dict[str, str | None]]
    losing: list[tuple[str, str, str, int, date | None, str]]


def number(person: int) -> str:
    return f"00390000000{person}"


def make(world: World, rules: GoldenRules = SHIPPED, *, backwards: bool = False, at_once: int = 200_000) -> Made:
    step = -1 if backwards else 1
    doses = [{name: dose.typed.get(name) for name in DOSES.columns} | {"dose_id": dose.dose_id} for dose in world.doses]
    citizens = [
        {name: citizen.get(name) for name in CITIZENS.columns} | {"citizen_id": number(person)}
        for person, citizen in enumerate(world.citizens)
        if citizen
    ]
    tables: dict[str, tuple[Sequence[Mapping[str, object]], list[str]]] = {
        "doses": (doses[::step], [f"{name} VARCHAR" for name in DOSES.columns]),
        "citizens": (citizens[::step], [f"{name} VARCHAR" for name in CITIZENS.columns]),
        "decisions": (
            [{"dose_id": d.dose_id, "decision": d.decision, "outcome": d.outcome} for d in world.doses]
            + [{"dose_id": d.dose_id, "decision": "quarantine", "outcome": "quarantined"} for d in world.doses[:1]],
            ["dose_id VARCHAR", "decision VARCHAR", "outcome VARCHAR"],
        ),
        "injections": (
            [{"dose_id": d.dose_id, "day": None, "recorded": d.recorded} for d in world.doses][::step],
            ["dose_id VARCHAR", "day DATE", "recorded DATE"],
        ),
        "dose_persons": (
            [{"dose_id": d.dose_id, "person_id": f"P{d.person}"} for d in world.doses][::step],
            ["dose_id VARCHAR", "person_id VARCHAR"],
        ),
        "person_citizens": (
            [
                {"person_id": f"P{person}", "citizen_id": None if citizen is None else number(person)}
                for person, citizen in enumerate(world.citizens)
            ][::step],
            ["person_id VARCHAR", "citizen_id VARCHAR"],
        ),
    }
    with duckdb.connect() as connection, pytest.MonkeyPatch.context() as patch:
        patch.setattr(golden, "PERSONS_AT_ONCE", at_once)
        connection.execute("SET threads = 1")
        for name, (rows, columns) in tables.items():
            connection.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
            if rows:
                connection.register("rows", pa.Table.from_pylist(list(rows)))
                names = ", ".join(rows[0])
                connection.execute(f"INSERT INTO {name} ({names}) SELECT {names} FROM rows")
                connection.unregister("rows")
        make_golden(connection, rules)
        result = connection.execute("FROM golden ORDER BY person_id")
        names_of = [column[0] for column in result.description or ()]
        made = [dict(zip(names_of, row, strict=True)) for row in result.fetchall()]
        lost = connection.execute("FROM losing_values ORDER BY ALL").fetchall()
        left = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert left == {*tables, "golden", "losing_values"}
    assert [row["person_id"] for row in made] == [f"P{person}" for person in range(len(world.citizens))]
    return Made({str(row["person_id"]): row for row in made}, lost)


def typed(value: str | None) -> bool:
    return value is not None and bool(value.strip())


def registry_value(world: World, person: int, name: str) -> str | None:
    citizen = world.citizens[person]
    if citizen is None:
        return None
    if name == "national_id":
        return number(person)
    value = citizen.get(name) if name in CITIZENS.columns else None
    return value if typed(value) else None


def expected(world: World, rules: GoldenRules, person: int, name: str) -> tuple[str | None, str | None]:
    """Value and rule, by scoring every value by every rule."""
    doses = [dose for dose in world.doses if dose.person == person and typed(dose.typed.get(name))]
    known = registry_value(world, person, name)
    values = sorted({str(dose.typed[name]) for dose in doses} | ({known} if known else set()))

    def scores(value: str) -> tuple[int, ...]:
        own = [dose for dose in doses if dose.typed[name] == value]
        standing = {"verified": 2, "id_corrected": 1}
        score: Mapping[str, int] = {
            "registry": int(value == known),
            "verified": max((standing.get(dose.outcome, 0) for dose in own), default=0),
            "most_recent": max((dose.recorded.toordinal() if dose.recorded else 0 for dose in own), default=0),
            "most_complete": len(value),
            "majority": len(own),
        }
        return tuple(score[rule] for rule in rules.of[name])

    ranked = sorted(values, key=lambda value: [-score for score in scores(value)])
    if not ranked or not any(scores(ranked[0])):
        return None, None
    best = scores(ranked[0])
    if len(ranked) == 1:
        place = next(n for n, score in enumerate(best) if score)
    else:
        second = scores(ranked[1])
        places = [n for n in range(len(best)) if best[n] != second[n]]
        place = places[0] if places else max(n for n, score in enumerate(best) if score)
    return ranked[0], rules.of[name][place]


@settings(max_examples=25, deadline=None)
@given(worlds(), any_rules | st.just(SHIPPED))
def test_a_person_has_what_the_rules_choose_and_every_other_value_among_the_losing(
    world: World, rules: GoldenRules
) -> None:
    made = make(world, rules)
    for person, name in product(range(len(world.citizens)), FIELDS):
        row = made.golden[f"P{person}"]
        value, rule = expected(world, rules, person, name)
        known = registry_value(world, person, name)
        assert (row[name], row[f"{name}_rule"]) == (value, rule)

        doses = [dose for dose in world.doses if dose.person == person and typed(dose.typed.get(name))]
        values = {str(dose.typed[name]) for dose in doses} | ({known} if known else set())
        lost = [each for each in made.losing if each[:2] == (f"P{person}", name)]
        assert sorted([each[2] for each in lost] + ([value] if value is not None else [])) == sorted(values)
        for _, _, value_lost, count, latest, source in lost:
            own = [dose for dose in doses if dose.typed[name] == value_lost]
            assert count == len(own)
            assert latest == max((dose.recorded for dose in own if dose.recorded), default=None)
            assert source == "registry" if value_lost == known else source in {dose.dose_id for dose in own}
        sources = {dose.dose_id for dose in doses if dose.typed[name] == value}
        sources |= {"registry"} if value is not None and value == known else set()
        assert row[f"{name}_source"] in sources if value is not None else row[f"{name}_source"] is None


@settings(max_examples=8, deadline=None)
@given(worlds(), any_rules)
def test_neither_the_order_of_rows_nor_the_parts_matter(world: World, rules: GoldenRules) -> None:
    made = make(world, rules)
    assert make(world, rules, backwards=True) == made
    assert make(world, rules, at_once=1) == made


@settings(max_examples=8, deadline=None)
@given(worlds(), st.data())
def test_a_losing_dose_can_go_without_changing_what_the_registry_says(world: World, data: st.DataObject) -> None:
    made = make(world)
    if not world.doses:
        return
    gone = data.draw(st.sampled_from(world.doses))
    without = make(replace(world, doses=tuple(dose for dose in world.doses if dose != gone)))
    for person, row in made.golden.items():
        for name in FIELDS:
            if SHIPPED.of[name][0] == "registry" and row[f"{name}_source"] == "registry":
                columns = (name, f"{name}_source", f"{name}_rule")
                assert [without.golden[person][each] for each in columns] == [row[each] for each in columns]


# what the first rule of ``phone`` makes of these doses of one person, whose citizen has the phone 0900000000
DOSES_OF_ONE = (
    Dose("d1", 0, {"phone": "0911"}, "accept", "verified", date(2021, 1, 1)),
    Dose("d2", 0, {"phone": "0922"}, "accept", "id_corrected", date(2021, 6, 1)),
    Dose("d3", 0, {"phone": "0933 333 333 "}, "review", "in_review", date(2021, 3, 1)),
    Dose("d4", 0, {"phone": "0944"}, "review", "in_review", date(2021, 2, 1)),
    Dose("d5", 0, {"phone": "0944"}, "no_match", "not_found"),
    Dose("d6", 0, {"phone": " "}, "accept", "verified", date(2022, 1, 1)),
)


@pytest.mark.parametrize(
    ("rule", "value", "source"),
    [
        ("registry", "0900000000", "registry"),
        ("verified", "0911", "d1"),
        ("most_recent", "0922", "d2"),
        ("most_complete", "0933 333 333 ", "d3"),
        ("majority", "0944", "d4"),
    ],
)
def test_each_rule_by_itself(rule: str, value: str, source: str) -> None:
    rules = GoldenRules({**SHIPPED.of, "phone": (rule,)})
    row = make(World(({"phone": "0900000000"},), DOSES_OF_ONE), rules).golden["P0"]
    assert (row["phone"], row["phone_source"], row["phone_rule"]) == (value, source, rule)


def test_a_tie_goes_to_the_next_rule() -> None:
    later = DOSES_OF_ONE[0].recorded or date.max
    doses = (
        Dose("d1", 0, {"sex": "Nam"}, "accept", "verified", later),
        Dose("d2", 0, {"sex": "Nữ"}, "accept", "verified", later + timedelta(days=1)),
    )
    row = make(World((None,), doses)).golden["P0"]
    assert (row["sex"], row["sex_source"], row["sex_rule"]) == ("Nữ", "d2", "most_recent")


def test_a_former_number_of_a_citizen_loses_to_the_number_of_the_registry() -> None:
    dose = Dose("d1", 0, {"national_id": "003900007"}, "accept", "details_corrected")
    made = make(World(({},), (dose,)))
    row = made.golden["P0"]
    assert (row["national_id"], row["national_id_source"]) == (number(0), "registry")
    assert made.losing == [("P0", "national_id", "003900007", 1, None, "d1")]


def test_a_person_without_a_dose_keeps_what_the_registry_says() -> None:
    row = make(World(({"full_name": "Lê Văn An"},))).golden["P0"]
    assert (row["full_name"], row["full_name_rule"], row["phone"]) == ("Lê Văn An", "registry", None)


@pytest.fixture
def rules_file(tmp_path: Path) -> tuple[Path, list[str]]:
    lines = [f"{name} = {list(SHIPPED.of[name])!r}" for name in FIELDS]
    return tmp_path / "golden.toml", lines


def test_a_copy_of_the_rules_is_read(rules_file: tuple[Path, list[str]]) -> None:
    path, lines = rules_file
    path.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    assert read_golden_rules(path) == SHIPPED


@pytest.mark.parametrize(
    ("place", "line", "key", "said"),
    [
        (2, "gender = ['registry']", "golden.unknown_field", "line 3"),
        (2, "sex = ['registry', 'newest']", "golden.unknown_rule", "line 3"),
        (5, "phone = []", "golden.needs_rules", "line 6"),
        (5, "phone = 'registry'", "golden.needs_rules", "line 6"),
        (5, "phone = ['registry', 'registry']", "golden.rule_twice", "line 6"),
        (3, "national_id = ['majority', 'registry']", "golden.number_of_registry", "line 4"),
        (9, "# no address", "golden.missing_field", "address"),
        (4, "phone = [", "golden.syntax", "line"),
    ],
)
def test_a_mistake_is_named_with_its_line(
    rules_file: tuple[Path, list[str]], place: int, line: str, key: str, said: str
) -> None:
    path, lines = rules_file
    lines[place] = line
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_golden_rules(path)
    assert caught.value.key == key
    assert said in str(caught.value)
    assert all(str(path) in caught.value.in_language(language) for language in LANGUAGES)


@pytest.mark.parametrize("content", [b"sex = '\xff'", b"#" * 1_000_001, None])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "golden.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError):
        read_golden_rules(path)
