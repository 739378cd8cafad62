"""A specification read from a file: shipped ones are sound, and every mistake is named with its line."""

import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage import specification
from linkage.errors import UserError
from linkage.messages import LANGUAGES, catalogue
from linkage.specification import line_of, read_specification
from models import load

SHIPPED = ("dose_citizen", "person")


def shipped(name: str) -> str:
    return files("models").joinpath(f"{name}.toml").read_text(encoding="utf-8")


def places(entry: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The place of every table, every key with a value, and every table in a list."""
    if not isinstance(entry, dict):
        yield place
        return
    for key, each in entry.items():
        if isinstance(each, list) and isinstance(each[0], dict):
            for number, one in enumerate(each):
                yield (*place, key, number)
                yield from places(one, (*place, key, number))
        else:
            yield from places(each, (*place, key))


def refused(path: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        read_specification(str(path))
    return caught.value


@pytest.mark.parametrize("name", SHIPPED)
def test_a_copy_of_a_shipped_specification_is_the_same(name: str, tmp_path: Path) -> None:
    copied = tmp_path / "copy.toml"
    copied.write_bytes(b"\xef\xbb\xbf" + shipped(name).replace("\n", "\r\n").encode())
    assert read_specification(str(copied)) == read_specification(name) == load(name)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_entry_of_a_file_is_found_at_its_line(name: str) -> None:
    text = shipped(name)
    lines = text.split("\n")
    for place in places(tomllib.loads(text)):
        line = lines[line_of(text, place) - 1]
        keys = [step for step in place if isinstance(step, str)]
        if isinstance(place[-1], int):
            assert line == f"[[{'.'.join(keys)}]]"
        else:
            assert line.startswith((f"{keys[-1]} =", f"{'.'.join(keys[-2:])} =", f"{keys[-2:][0]} = {{ "))
    numbered = [line_of(text, ("comparison", i)) for i in range(len(load(name).comparisons))]
    assert numbered == [number for number, line in enumerate(lines, start=1) if line == "[[comparison]]"]


VALUES = ("1", '"""two\nlines"""', "'''\n[[a]]\nb = 1\n'''", "[\n 1,\n 2, # ]\n]", '{ d = "[" }', '"# = ["')


@given(st.lists(st.tuples(st.sampled_from("abc"), st.lists(st.sampled_from(VALUES), max_size=3)), max_size=6))
@settings(max_examples=80, deadline=None)
def test_lines_are_found_behind_values_of_many_lines(entries: list[tuple[str, list[str]]]) -> None:
    text = "# head\n\n"
    expected: dict[tuple[str | int, ...], int] = {}
    counts: dict[str, int] = {}
    for name, values in entries:
        number = counts[name] = counts.get(name, -1) + 1
        expected[name, number] = text.count("\n") + 1
        text += f"[[{name}]] # list\n"
        for key, value in enumerate(values):
            expected[name, number, f"key_{key}"] = text.count("\n") + 1
            text += f"key_{key} = {value}\n\n"
    tomllib.loads(text)
    assert {place: line_of(text, place) for place in expected} == expected


IDENTICAL = 'when = "name_l = name_r"'


@pytest.mark.parametrize(
    ("line", "changed", "says", "key"),
    [
        (IDENTICAL, "when = name_l", "this is not TOML", "syntax"),
        ('frequency = "name"', 'frequncy = "name"', "comparison name, level identical, frequncy", "unknown_key"),
        ('frequency = "name"', 'frequency = "naem"', "no column 'naem'", "no_such_column"),
        ('frequency = "name"', "frequency = 1", "text in quotes", "needs_text"),
        ("unique = true", 'unique = "true"', "true or false", "needs_truth"),
        ('on = ["insurance_no"]', 'on = "insurance_no"', "a list of names", "needs_names"),
        ('on = ["all_ids"]', 'on = ["id"]', "single values", "no_list"),
        ('on = ["insurance_no"]', 'on = ["nummer"]', "no column 'nummer'", "no_such_column"),
        ('split = ["district"]', 'split = ["county"]', "no column 'county'", "no_such_column"),
        ('name = "insurance_no"', 'name = "id"', "'id' is declared twice", "declared_twice"),
        ('name = "without_diacritics"', 'name = "identical"', "level identical, name", "declared_twice"),
        ('mistaken = "place.different"', 'mistaken = "place.elsewhere"', "'place.elsewhere'", "mistaken_names_a_level"),
        ('best.name = ["surname_only", "different"]', 'best.nom = ["different"]', "'nom.different'", "no_such_level"),
        ('best.name = ["surname_only", "different"]', 'best.name = ["odd"]', "'name.odd'", "no_such_level"),
        (IDENTICAL, 'when = "name_l = "', "(comparison name, level identical, when)", "sql"),
        (IDENTICAL, 'when = "naem_l = name_r"', 'column "naem_l" not found', "sql"),
        (IDENTICAL, 'when = "name_l"', "of type varchar", "no_condition"),
        (IDENTICAL, 'when = "name_l = name_r -- same"', "refuses", "sql"),
        ('missing = "sex_l IS NULL OR sex_r IS NULL"', 'missing = "sex_l = 1 +"', "comparison sex, missing", "sql"),
        ("days_apart = ", "born_l = ", "ends in _l", "named_like_a_column"),
        ("given_agrees = ", "name_distance = ", "not TOML", "syntax"),
        ('name_short = "', 'name = "', "already", "name_is_taken"),
        ('name_short = "', 'select = "', "no word of SQL", "not_a_name"),
        ('name_short = "surname_ascii', 'name_short = "surname_asci', "columns, name_short", "sql"),
        ('beside = "name_distance = 1"', 'beside = "name_distanc = 1"', "name_distanc", "sql"),
        ('apart = "name_ascii"', 'apart = "name_asci"', "name_asci", "no_such_column"),
        ('name = "id_prefix"', 'name = "rank"', "reserved", "name_is_reserved"),
    ],
)
def test_a_mistake_is_named_with_its_line(line: str, changed: str, says: str, key: str, tmp_path: Path) -> None:
    text = shipped("dose_citizen")
    number = text[: text.index(f"\n{line}")].count("\n") + 2
    file = tmp_path / "mine.toml"
    file.write_text(text.replace(f"\n{line}", f"\n{changed}", 1), encoding="utf-8")
    error = refused(file)
    assert error.key == f"specification.{key}"
    assert f"{file}, line {number}" in str(error)
    assert says in str(error)
    assert f"{file}, dòng {number}" in error.in_language("vi")


@pytest.mark.parametrize(
    ("line", "entry", "lacks"),
    [
        ('missing = "sex_l IS NULL OR sex_r IS NULL"', "[[comparison]]", "missing"),
        ('on = ["insurance_no"]', "[[blocking]]", "on"),
        (IDENTICAL, "[[comparison.level]]", "when"),
    ],
)
def test_a_missing_key_is_named_with_the_line_of_its_entry(line: str, entry: str, lacks: str, tmp_path: Path) -> None:
    text = shipped("dose_citizen")
    before = text[: text.index(line)]
    file = tmp_path / "mine.toml"
    file.write_text(text.replace(line + "\n", "", 1), encoding="utf-8")
    error = str(refused(file))
    assert f", line {before[: before.rindex(entry)].count(chr(10)) + 1} " in error
    assert lacks in error


HOSTILE = (
    "true; DROP TABLE doses",
    "true; COPY doses TO '{file}'",
    "true) FROM doses_standardised WHERE (true",
    "true FROM doses_standardised",
    "EXISTS (FROM '{file}')",
    "EXISTS (FROM read_csv('{file}'))",
    "EXISTS (FROM read_text('{file}'))",
    "EXISTS (FROM read_blob('{file}'))",
    "EXISTS (FROM glob('{folder}/*'))",
    "EXISTS (FROM query('FROM read_csv(''{file}'')'))",
    "EXISTS (FROM secrets)",
    "$1",
    "*",
    "",
    "true, true",
)


SMALL = """
name = "small"
[columns]
seen = "{seen}"
[[blocking]]
name = "id"
on = ["id"]
[[comparison]]
name = "name"
missing = "name_l IS NULL"
[[comparison.level]]
name = "same"
when = "{when}"
[[comparison.level]]
name = "other"
"""
SOUND = {"seen": "true", "when": "name_l = name_r"}


def test_a_small_specification_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(SMALL.format(**SOUND), encoding="utf-8")
    assert read_specification(str(file)).name == "small"


@pytest.mark.parametrize("sql", HOSTILE)
@pytest.mark.parametrize("key", ["seen", "when"])
def test_sql_is_one_expression_that_reads_no_file(sql: str, key: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n", encoding="utf-8")
    written = sql.format(file=secret, folder=tmp_path)
    file = tmp_path / "mine.toml"
    file.write_text(SMALL.format(**(SOUND | {key: written})), encoding="utf-8")
    assert refused(file).key in {"specification.sql", "specification.several_columns"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.toml", "secret.csv"]


@pytest.mark.parametrize(
    "call",
    [
        *("random()", "RANDOM()", "uuid()", "now()", "current_date", "Current_User", "getvariable('a')"),
        *("current_setting('threads')", "(SELECT random())", "list_transform([1], lambda x: x + random())"),
        *("range(100000000000)", "generate_series(1, 2)", "repeat('a', 1000000000)", "nextval('a')", "localtime"),
    ],
)
@pytest.mark.parametrize("key", ["seen", "when"])
def test_functions_whose_value_is_not_the_records_are_refused(call: str, key: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(SMALL.format(**(SOUND | {key: f"({call}) IS NULL"})), encoding="utf-8")
    assert refused(file).key == "specification.no_such_function"


@pytest.mark.parametrize(
    ("key", "sql", "says"),
    [
        ("seen", "unnest([1, 2])", "specification.sql"),
        ("seen", "'random()' = id", None),
        ("seen", "id IN (SELECT unnest(former_ids) FROM citizens_standardised)", None),
        ("when", "unnest([true, false])", "specification.no_such_function"),
        ("when", "id_l IN (SELECT unnest(former_ids_r))", "specification.no_such_function"),
    ],
)
def test_rows_of_a_list_are_taken_from_all_records_only(key: str, sql: str, says: str | None, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(SMALL.format(**(SOUND | {key: sql})), encoding="utf-8")
    if says is None:
        assert read_specification(str(file)).name == "small"
    else:
        assert refused(file).key == says


@pytest.mark.parametrize("key", ["seen", "when"])
def test_sql_that_does_not_end_is_interrupted(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(specification, "TRIAL_SECONDS", 1.0)
    endless = "(WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) > 0 FROM t)"
    file = tmp_path / "mine.toml"
    file.write_text(SMALL.format(**(SOUND | {key: endless})), encoding="utf-8")
    assert refused(file).key == "specification.takes_too_long"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "specification.missing_key"),
        (b"name = 7", "specification.needs_text"),
        (b'name = "\xff"', "specification.encoding"),
        (b"a = " + b"[" * 50_000, "specification.syntax"),
        (b"a = " + b"[" * 100_000, "specification.long_line"),
        (b".".join([b"a"] * 40_000) + b" = 1", "specification.many_points"),
        (b"# much\n" * 200_000, "specification.too_large"),
        (b"name = " + b"7" * 10_000, "specification.long_number"),
        (b"\x00", "specification.syntax"),
        (b'name = "a"\nblocking = [{}]\ncomparison = [{name = "b"}]', "specification.missing_key"),
        (b'name = "a"\ncomparison = []\nblocking = []', "specification.nothing_declared"),
        (b'"" = 1', "specification.unknown_key"),
    ],
)
def test_any_file_is_refused_with_one_message(content: bytes, says: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(content)
    assert refused(file).key == says


def test_a_mistake_behind_a_very_long_value_is_found(tmp_path: Path) -> None:
    text = "name = [\n" + '"x",\n' * 20_000 + "]\nblocking = 7\n"
    assert line_of(text, ("blocking",)) == 20_003
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    assert ", line 1 (name)" in str(refused(file))


def test_neither_a_file_nor_shipped(tmp_path: Path) -> None:
    for name in (str(tmp_path), str(tmp_path / "none.toml"), "persons", ""):
        error = refused(Path(name)) if name else refused(Path("persons"))
        assert error.key == "specification.none"
        assert "dose_citizen, person" in str(error)


def test_every_problem_has_its_words() -> None:
    source = "".join(Path(str(files(package)), file).read_text(encoding="utf-8") for package, file in SOURCES)
    problems = set(re.findall(r'(?:yield|SpecificationError\()\s*"([a-z_]+)"', source))
    kinds = set(re.findall(r'"(text|truth|names|texts|pattern|entries)\??"', source))
    assert len(problems) > 20
    for problem in problems | {f"needs_{kind}" for kind in kinds}:
        assert set(catalogue()[f"specification.{problem}"]) == set(LANGUAGES)


SOURCES = (("models", "checking.py"), ("linkage", "specification.py"))
