"""A machine that groups subjects as it is told, as far as humans let it."""

from collections.abc import Callable, Mapping

import pytest

from linkage.persons.bonds import keep_apart, resolve
from linkage.store import Draft, Store, native_id

Build = Callable[..., int]


@pytest.fixture(scope="session")
def machine() -> Build:
    """``machine(store, {subject: group}, {group: citizen})``: one build over all subjects; the number of its entry."""
    return _build


def _build(store: Store, groups: Mapping[str, str], citizens: Mapping[str, str] | None = None) -> int:
    with store.writing() as writer:
        entry = writer.head().number + 1
        places = writer.places(groups)
        before = {subject: place.base for subject, place in places.items()}
        bonds = writer.bonds()
        minted = writer.minted(before.values())
        parts: dict[tuple[str, int], set[str]] = {}
        out = keep_apart(groups, before, bonds, minted)
        for subject, group in groups.items():
            parts.setdefault((group, out.get(subject, 0)), set()).add(subject)
        base_of, new = {}, {}
        for part in parts.values():
            known = writer.ids_of(part)
            if not known:
                founder = min(part, key=native_id)
                new[native_id(founder)] = founder
                known = {native_id(founder): entry}
            _, base = min((minting, one) for one, minting in known.items())
            minted[base] = known[base]
            base_of.update(dict.fromkeys(part, base))
        persons = resolve(base_of, bonds, minted)
        changes = []
        for subject in sorted(groups):
            was = places[subject][1:4] if subject in places else (None, None, None)
            base = base_of[subject]
            citizen = (citizens or {}).get(groups[subject]) if subject not in out else was[2]
            now = (base, persons.get(base, base), citizen)
            if was != now:
                changes.append((subject, *(value for pair in zip(was, now, strict=True) for value in pair)))
        return writer.append(Draft("build", "machine"), changes=changes, minted=sorted(new.items()))
