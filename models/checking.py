"""What a specification as plain data must be like; what is wrong with one is named, with the place of its entry."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

CAUTION, OTHER = "caution", "other"
"""The strata of doses that no machine accepts, and of those that are in no stratum declared."""

Place = tuple[str | int, ...]
"""The keys and numbers (from 0) that lead to an entry of the plain data."""

_Problem = tuple[str, Place, dict[str, str]]
_Entry = Mapping[str, Any]
_WORD = re.compile(r"[a-z][a-z_0-9]*")

# of each kind of entry: its keys, what each holds, and "?" where it may be left out
_KEYS: Mapping[str, Mapping[str, str]] = {
    "specification": {
        "name": "text",
        "columns": "texts?",
        "blocking": "entries",
        "comparison": "entries",
        "caution": "entries?",
        "stratum": "entries?",
    },
    "blocking": {"name": "text", "on": "names", "split": "names?", "any": "truth?"},
    "comparison": {"name": "text", "missing": "text", "expressions": "texts?", "level": "entries"},
    "level": {
        "name": "text",
        **dict.fromkeys(("when", "frequency", "apart", "beside", "mistaken"), "text?"),
        **dict.fromkeys(("unique", "absent"), "truth?"),
        **dict.fromkeys(("together", "slip"), "names?"),
    },
    "caution": {"name": "text", "best": "pattern", "another": "pattern?"},
    "stratum": {"name": "text", "best": "pattern"},
}


class SpecificationError(ValueError):
    """A specification that cannot be used.

    Attributes:
        problem: what is wrong: words joined by underscores.
        place: where it is wrong.
        where: the same in words, with the names of the entries.
        facts: what the problem was found with.
    """

    def __init__(self, problem: str, data: object, place: Place, **facts: str) -> None:
        self.problem = problem
        self.place = place
        self.where = _where(data, place)
        self.facts = facts
        found = "".join(f", {name}: {fact}" for name, fact in facts.items())
        super().__init__(f"{self.where}: {problem.replace('_', ' ')}{found}")


def check_data(data: _Entry) -> None:
    """Check a specification as plain data: what ``Specification.from_dict`` reads.

    Raises:
        SpecificationError: a key is unknown, missing or of another kind, a name is declared twice, or a part
            contradicts another. The first that is wrong is named, kinds and keys before contradictions.
    """
    for problem, place, facts in _misshapen_entry(data, "specification", ()):
        raise SpecificationError(problem, data, place, **facts)
    for problem, place, facts in _contradictions(data):
        raise SpecificationError(problem, data, place, **facts)


def _misshapen(value: object, kind: str, place: Place) -> Iterator[_Problem]:
    if kind == "entries" and isinstance(value, list | tuple):
        # cautions and strata may be left out: an empty list of them is no mistake
        if not value and place[-1] not in {"caution", "stratum"}:
            yield "nothing_declared", place, {}
        for number, each in enumerate(value):
            yield from _misshapen_entry(each, str(place[-1]), (*place, number))
    elif kind in {"texts", "pattern"} and isinstance(value, Mapping):
        for key, each in value.items():
            yield from _misshapen(each, {"texts": "text", "pattern": "names"}[kind], (*place, key))
    elif not (
        (kind == "text" and isinstance(value, str))
        or (kind == "truth" and isinstance(value, bool))
        or (kind == "names" and isinstance(value, list | tuple) and all(isinstance(each, str) for each in value))
    ):
        yield f"needs_{kind}", place, {}


def _misshapen_entry(value: object, kind: str, place: Place) -> Iterator[_Problem]:
    if not isinstance(value, Mapping):
        yield "needs_entry", place, {}
        return
    keys = _KEYS[kind]
    for key, each in value.items():
        if key not in keys:
            yield "unknown_key", (*place, key), {"found": str(key), "keys": ", ".join(keys)}
        else:
            yield from _misshapen(each, keys[key].rstrip("?"), (*place, key))
    for key, holds in keys.items():
        if key not in value and not holds.endswith("?"):
            yield "missing_key", place, {"lacks": key}


def _contradictions(data: _Entry) -> Iterator[_Problem]:
    for entries in ("blocking", "comparison", "caution", "stratum"):
        yield from _misnamed([(each["name"], (entries, i, "name")) for i, each in enumerate(data.get(entries, ()))])
    yield from _misnamed([(name, ("columns", name)) for name in data.get("columns", {})])
    for i, rule in enumerate(data["blocking"]):
        if not rule["on"]:
            yield "names_no_column", ("blocking", i, "on"), {}
        elif rule.get("any") and (len(rule["on"]) > 1 or rule.get("split")):
            yield "any_is_of_one_column", ("blocking", i, "any"), {}
    yield from _wrong_comparisons(data["comparison"])
    yield from _wrong_patterns(data)


def _wrong_comparisons(comparisons: Sequence[_Entry]) -> Iterator[_Problem]:
    expressions = [
        (name, ("comparison", i, "expressions", name))
        for i, comparison in enumerate(comparisons)
        for name in comparison.get("expressions", {})
    ]
    yield from _misnamed(expressions)
    for name, place in expressions:
        if name.endswith(("_l", "_r")):
            yield "named_like_a_column", place, {"found": name}
    plain = [comparison for comparison in comparisons if not _is_interaction(comparison)]
    learned = {f"{comparison['name']}.{level['name']}": level for comparison in plain for level in comparison["level"]}
    for i, comparison in enumerate(comparisons):
        levels: Place = ("comparison", i, "level")
        *before, last = comparison["level"]
        yield from _misnamed([(level["name"], (*levels, j, "name")) for j, level in enumerate(comparison["level"])])
        for j, level in enumerate(before):
            if "when" not in level:
                yield "only_the_last_level_takes_the_rest", (*levels, j), {}
            if _is_interaction(comparison) and not level.get("together"):
                yield "lacks_together", (*levels, j), {}
        if "when" in last:
            yield "last_level_takes_the_rest", (*levels, len(before), "when"), {}
        for j, level in enumerate(comparison["level"]):
            yield from _wrong_level(level, (*levels, j), learned)


def _wrong_level(level: _Entry, place: Place, learned: Mapping[str, _Entry]) -> Iterator[_Problem]:
    together = level.get("together", ())
    for key in ("apart", "beside", "mistaken", "slip"):
        if level.get(key) and not together:
            yield "needs_together", (*place, key), {"found": key}
    if "apart" in level and "beside" in level:
        yield "apart_or_beside", (*place, "beside"), {}
    kinds = [key for key in ("frequency", "unique", "absent", "together") if level.get(key)]
    if len(kinds) > 1:
        yield "one_of_several", (*place, kinds[1]), {"found": ", ".join(kinds)}
    if mistaken := level.get("mistaken"):
        disagreement = mistaken in learned and not learned[mistaken].get("frequency")
        if len(together) == 1 or not disagreement:
            yield "mistaken_names_a_level", (*place, "mistaken"), {"found": mistaken}
    if (slip := level.get("slip")) and (len(slip) != 2 or not set(slip) <= set(learned)):
        yield "slip_names_two_levels", (*place, "slip"), {"found": ", ".join(slip)}


def _wrong_patterns(data: _Entry) -> Iterator[_Problem]:
    levels = {f"{c['name']}.{name}" for c in data["comparison"] for name in ("missing", *_names(c["level"]))}
    for i, stratum in enumerate(data.get("stratum", ())):
        if stratum["name"] in {CAUTION, OTHER}:
            yield "name_is_reserved", ("stratum", i, "name"), {"found": stratum["name"]}
    for entries in ("caution", "stratum"):
        for i, each in enumerate(data.get(entries, ())):
            if not each["best"]:
                yield "names_no_level", (entries, i, "best"), {}
            for key in ("best", "another"):
                yield from _unknown_levels(each.get(key, {}), (entries, i, key), levels)


def _unknown_levels(pattern: Mapping[str, Sequence[str]], place: Place, levels: set[str]) -> Iterator[_Problem]:
    for comparison, names in pattern.items():
        if not names:
            yield "names_no_level", (*place, comparison), {}
        for name in names:
            if f"{comparison}.{name}" not in levels:
                yield "no_such_level", (*place, comparison), {"found": f"{comparison}.{name}"}


def _misnamed(names: Sequence[tuple[str, Place]]) -> Iterator[_Problem]:
    seen: set[str] = set()
    for name, place in names:
        if not _WORD.fullmatch(name):
            yield "not_a_name", place, {"found": name}
        if name in seen:
            yield "declared_twice", place, {"found": name}
        seen.add(name)


def _is_interaction(comparison: _Entry) -> bool:
    return any(level.get("together") for level in comparison["level"])


def _names(entries: Sequence[_Entry]) -> list[str]:
    return [entry["name"] for entry in entries]


def _where(data: object, place: Place) -> str:
    words: list[str] = []
    for step in place:
        if isinstance(step, int):
            data = data[step] if isinstance(data, list | tuple) else None
            name = data.get("name") if isinstance(data, Mapping) else None
            words[-1] += f" {name if isinstance(name, str) else step + 1}"
        else:
            data = data.get(step) if isinstance(data, Mapping) else None
            words.append(step)
    return ", ".join(words) or "specification"
