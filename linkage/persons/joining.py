"""Links become groups, the surest first, unless something speaks against one of them being one person."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from jellyfish import damerau_levenshtein_distance

from linkage.vietnamese import parse_birth_date, parse_identity_number

__all__ = ["JOIN_BITS", "Fact", "days_in", "join", "numbers_in"]

JOIN_BITS = 6.63
"""Log2 odds of 0.99, from which two subjects are one person. Most pairs are far above: what is just above is rare, and
so the mean of the probabilities of those joined is what precision is asked of."""

CONFLICTS = ("two_citizens", "two_numbers", "two_birth_dates")
"""Why a link is refused, the weightiest first."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What must not differ within one person: citizen, well-formed numbers, birth dates of a day (ISO)."""

    citizen: str | None
    numbers: frozenset[str] = frozenset()
    days: frozenset[str] = frozenset()

    def against(self, other: "Fact") -> str | None:
        """Why both cannot be of one person; None when nothing says so."""
        if self.citizen and other.citizen and self.citizen != other.citizen:
            return "two_citizens"
        if not _near(self.known_numbers(), other.known_numbers()):
            return "two_numbers"
        return None if _near(self.days, other.days) or _swapped(self.days) & other.days else "two_birth_dates"

    def with_(self, other: "Fact") -> "Fact":
        """Of both together."""
        return Fact(self.citizen or other.citizen, self.numbers | other.numbers, self.days | other.days)

    def known_numbers(self) -> frozenset[str]:
        """The citizen's number, else those typed."""
        # who has a citizen has that number, whatever was typed
        return frozenset({self.citizen}) if self.citizen else self.numbers


def numbers_in(typed: Iterable[str | None]) -> frozenset[str]:
    """The personal numbers of 12 digits that cells hold as they should be."""
    read = (parse_identity_number(text) for text in typed if text)
    return frozenset(n.value for n in read if n.value and n.kind == "cccd" and n.repair in {"none", "separators"})


def days_in(typed: Iterable[str | None]) -> frozenset[str]:
    """The birth dates in cells that are known to the day; 1 January often stands for an unknown one."""
    read = (parse_birth_date(text) for text in typed if text)
    return frozenset(b.value for b in read if b and b.precision == "day" and not b.value.endswith("-01-01"))


def _swapped(days: frozenset[str]) -> frozenset[str]:
    return frozenset(f"{day[:5]}{day[8:]}-{day[5:7]}" for day in days)


def _near(some: frozenset[str], others: frozenset[str]) -> bool:
    """Whether one of some is one of the others, or a slip of the pen away; or nothing is known of a side."""
    return not some or not others or any(damerau_levenshtein_distance(x, y) <= 1 for x in some for y in others)


def join(
    edges: Iterable[tuple[str, str, float, bool]],
    facts: Mapping[str, Fact],
    sides: Mapping[str, frozenset[str]] | None = None,
) -> tuple[list[tuple[str, str]], list[tuple[str, str, str]]]:
    """Join the ends of edges, from the surest on, unless something speaks against one of their groups being one person.

    How sure an edge is depends on the others that either end fits: one that fits two who do not fit each other is one
    of them at most, and its odds are those against "the other one or nobody" (Bayes' rule over exclusive hypotheses).

    Args:
        edges: subject, other, log2 odds that they are one person, as if nobody else were there, and whether their
            histories speak against it; each pair once.
        facts: of every subject on an edge. Those of one citizen are one group from the start.
        sides: subject → sides of what humans keep apart: a number with the sign of the side.

    Returns:
        (subject, the first subject of its group) of every subject on an edge, and (subject, other, reason) of the edges
        refused.
    """
    groups: dict[str, _Group] = {}
    of: dict[str, str] = {}
    for subject in sorted(facts):
        fact = facts[subject]
        key = f"c{fact.citizen}" if fact.citizen else f"s{subject}"
        of[subject] = key
        group = groups.setdefault(key, _Group([], {Fact(fact.citizen)}, set()))
        [of_citizen] = group.facts
        group.facts = {of_citizen.with_(fact)}
        group.subjects.append(subject)
        group.sides |= (sides or {}).get(subject, frozenset())
    refused = []
    for sure, bits, subject, other, clash in _by_certainty(list(edges), of):
        left, right = of[subject], of[other]
        if left == right:
            continue
        reason = groups[left].against(groups[right])
        if sure < JOIN_BITS:
            reason = "histories_clash" if clash else "ambiguous" if bits >= JOIN_BITS else "unsure"
        if reason:
            refused.append((subject, other, reason))
            continue
        small, large = sorted((left, right), key=lambda key: (len(groups[key].subjects), key))
        gone = groups.pop(small)
        of.update(dict.fromkeys(gone.subjects, large))
        groups[large].take(gone)
    joined = [(subject, min(group.subjects)) for group in groups.values() for subject in group.subjects]
    return joined, refused


def _by_certainty(
    edges: Sequence[tuple[str, str, float, bool]], of: Mapping[str, str]
) -> list[tuple[float, float, str, str, bool]]:
    """(log2 odds among the others, log2 odds alone, subject, other, clash), the surest first."""
    fits: dict[str, dict[str, float]] = {}
    for subject, other, bits, _ in edges:
        fits.setdefault(subject, {})[other] = bits
        fits.setdefault(other, {})[subject] = bits

    def among(subject: str, other: str, bits: float) -> float:
        rivals = (
            against
            for rival, against in fits[subject].items()
            if rival != other and rival not in fits[other] and of[rival] != of[other]
        )
        return bits - math.log2(1 + math.fsum(2**against for against in rivals))

    found = [
        (min(among(subject, other, bits), among(other, subject, bits)), bits, subject, other, clash)
        for subject, other, bits, clash in edges
    ]
    return sorted(found, key=lambda edge: (-edge[0], -edge[1], edge[2:]))


@dataclass(slots=True)
class _Group:
    subjects: list[str]
    facts: set[Fact]
    sides: set[str]

    def against(self, other: "_Group") -> str | None:
        if any(f"{'-' if side[0] == '+' else '+'}{side[1:]}" in other.sides for side in self.sides):
            return "kept_apart"
        # every member against every other: of a chain the ends may be far apart
        reasons = {mine.against(theirs) for mine in self.facts for theirs in other.facts} - {None}
        return next((reason for reason in CONFLICTS if reason in reasons), None)

    def take(self, other: "_Group") -> None:
        self.subjects += other.subjects
        self.facts |= other.facts
        self.sides |= other.sides
