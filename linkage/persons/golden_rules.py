"""Which rules choose the golden value of each field: a TOML file, checked when it is read."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

from linkage.errors import UserError
from linkage.specification import line_of

__all__ = ["FIELDS", "RULES", "GoldenRules", "read_golden_rules"]

FIELDS: Final = (
    "full_name",
    "date_of_birth",
    "sex",
    "national_id",
    "health_insurance_no",
    "phone",
    "province",
    "district",
    "commune",
    "address",
    "nationality",
)
RULES: Final = ("registry", "verified", "most_recent", "most_complete", "majority")

MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class GoldenRules:
    """Field → the rules that choose its value, in the order they are asked; every field has an entry."""

    of: Mapping[str, tuple[str, ...]]

    def newest_first(self, field: str) -> bool:
        """Whether, of the doses with the golden value, the last is named as its source, or the best verified."""
        asked = [rule for rule in self.of[field] if rule in {"verified", "most_recent"}]
        return asked[:1] == ["most_recent"]


def read_golden_rules(path: Path | None = None) -> GoldenRules:
    """The rules of a TOML file such as ``golden.toml``, which is read when none is given.

    Raises:
        UserError: the file cannot be read, or names an unknown field or rule, one rule twice, or no rule; a field is
            missing; or ``national_id`` does not ask the registry first.
    """
    if path is None:
        with as_file(files("linkage.persons") / "golden.toml") as shipped:
            return read_golden_rules(shipped)
    text = _text(path)
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UserError("golden.syntax", file=path, reason=str(error)) from error
    _check(path, text, data)
    return GoldenRules({field: tuple(data[field]) for field in FIELDS})


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UserError("specification.unreadable", file=path, reason=error.strerror) from error
    if len(content) > MOST_BYTES:
        raise UserError("golden.too_large", file=path, most=f"{MOST_BYTES:,}")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UserError("specification.encoding", file=path, line=content.count(b"\n", 0, error.start) + 1) from error


def _check(path: Path, text: str, data: Mapping[str, Any]) -> None:
    for field, rules in data.items():
        place: dict[str, object] = {"file": path, "line": line_of(text, (field,)), "field": field[:100]}
        if field not in FIELDS:
            raise UserError("golden.unknown_field", **place, fields=", ".join(FIELDS))
        if not isinstance(rules, list) or not rules or not all(isinstance(rule, str) for rule in rules):
            raise UserError("golden.needs_rules", **place)
        for rule in rules:
            if rule not in RULES:
                raise UserError("golden.unknown_rule", **place, found=rule[:100], rules=", ".join(RULES))
        if len(set(rules)) < len(rules):
            raise UserError("golden.rule_twice", **place)
        if field == "national_id" and rules[0] != "registry":
            raise UserError("golden.number_of_registry", **place)
    missing = [field for field in FIELDS if field not in data]
    if missing:
        raise UserError("golden.missing_field", file=path, fields=", ".join(missing))
