"""What the decisions of humans make of the groups of the machine: who is one person, and who must not be."""

from collections.abc import Iterable, Mapping

from linkage.store import Bond


def resolve(base_of: Mapping[str, str], bonds: Iterable[Bond], minted: Mapping[str, int]) -> dict[str, str]:
    """The person of each base that a live ``together`` bond touches; every other base is a person of its own.

    A person is a connected component of the bases, where a bond connects all bases that hold one of its subjects; its
    id is the base id minted first.

    Args:
        base_of: the base of each subject; members of bonds that it lacks count for nothing.
        bonds: decisions, in any order.
        minted: the entry that minted each base id; one it lacks is newer than all others.

    Returns:
        Base id → person id.
    """
    root = components(base_of, bonds)

    def age(base: str) -> tuple[bool, int, str]:
        return (base not in minted, minted.get(base, 0), base)

    eldest: dict[str, str] = {}
    for base in sorted(root, key=age):
        eldest.setdefault(root[base], base)
    return {base: eldest[found] for base, found in root.items()}


def chosen_citizens(base_of: Mapping[str, str], bonds: Iterable[Bond], persons: Mapping[str, str]) -> dict[str, str]:
    """The citizen that a human named for a person; of several the one named last.

    Args:
        base_of: the base of each subject.
        bonds: decisions.
        persons: the person of each base, as :func:`resolve` gives it.

    Returns:
        Person id → citizen id, for the persons for whom a live ``together`` bond names one.
    """
    named: dict[str, str] = {}
    for bond in sorted(bonds, key=lambda bond: bond.entry):
        if bond.kind == "together" and bond.is_live and bond.citizen is not None:
            for subject in bond.subjects & base_of.keys():
                named[persons[base_of[subject]]] = bond.citizen
    return named


def violated(base_of: Mapping[str, str], bonds: Iterable[Bond]) -> list[Bond]:
    """The ``apart`` bonds whose two sides meet in one person; by entry. None do in the store.

    Args:
        base_of: the base of each subject.
        bonds: decisions.
    """
    bonds = list(bonds)
    root = components(base_of, bonds)

    def persons(side: frozenset[str]) -> set[str]:
        return {root.get(base_of[subject], base_of[subject]) for subject in side & base_of.keys()}

    found = [bond for bond in bonds if bond.kind == "apart" and persons(bond.left) & persons(bond.right)]
    return sorted(found, key=lambda bond: bond.entry)


def keep_apart(
    groups: Mapping[str, str], base_of: Mapping[str, str], bonds: Iterable[Bond], minted: Mapping[str, int]
) -> dict[str, int]:
    """The subjects that must leave the group a machine proposes, so that no decision of a human is overruled.

    Subjects that the store has in one base are never torn by this. The bases that a group brings together enter it one
    by one, the eldest first, those that a human took out of something last; a base that may not enter, because its
    person holds one side of an ``apart`` bond and the persons of those before it the other, begins the next part.
    Subjects new to the store stay in the first part.

    Args:
        groups: the proposed group of every subject of the groups that hold a member of a bond.
        base_of: the base of each of these subjects in the store; a new subject has none.
        bonds: decisions, in any order.
        minted: the entry that minted each base id.

    Returns:
        Subject → number of its part of the group, from 1; who stays in the first part is not named.
    """
    bonds = [bond for bond in bonds if bond.is_live]
    if not violated(groups, bonds):
        return {}
    pieces: dict[str, set[tuple[str, str]]] = {}
    piece_of: dict[str, str] = {}
    names: dict[tuple[str, str], str] = {}
    for subject, group in groups.items():
        if subject in base_of:
            piece = (group, base_of[subject])
            pieces.setdefault(group, set()).add(piece)
            piece_of[subject] = names.setdefault(piece, str(len(names)))
    taken_out = {base_of[subject] for bond in bonds if bond.kind == "apart" for subject in bond.left & base_of.keys()}

    def turn(piece: tuple[str, str]) -> tuple[bool, int, str]:
        return (piece[1] in taken_out, minted[piece[1]], piece[1])

    persons = _Persons(names.values(), components(piece_of, bonds), piece_of, bonds)
    part_of: dict[tuple[str, str], int] = {}
    for group in sorted(pieces, key=lambda group: min(map(turn, pieces[group]))):
        parts: list[str] = []
        for piece in sorted(pieces[group], key=turn):
            name = names[piece]
            place = next((number for number, part in enumerate(parts) if persons.join(part, name)), len(parts))
            if place == len(parts):
                parts.append(name)
            part_of[piece] = place
    places = {subject: part_of[groups[subject], base_of[subject]] for subject in piece_of}
    return {subject: place for subject, place in places.items() if place}


def components(base_of: Mapping[str, str], bonds: Iterable[Bond]) -> dict[str, str]:
    """Base → one base of its component, for the bases that live ``together`` bonds touch.

    Args:
        base_of: the base of each subject; members of bonds that it lacks count for nothing.
        bonds: decisions, in any order.
    """
    root: dict[str, str] = {}
    for bond in bonds:
        if bond.kind == "together" and bond.is_live:
            bases = sorted({base_of[subject] for subject in bond.subjects & base_of.keys()})
            for base in bases:
                root.setdefault(base, base)
                root[_find(root, base)] = _find(root, bases[0])
    return {base: _find(root, base) for base in list(root)}


class _Persons:
    """Persons that grow as far as ``apart`` bonds allow.

    Each knows the sides it holds: the number of a bond for its left, minus that number for its right.
    """

    def __init__(
        self, names: Iterable[str], root: Mapping[str, str], piece_of: Mapping[str, str], bonds: Iterable[Bond]
    ) -> None:
        self._root = {name: root.get(name, name) for name in names}
        self._sides: dict[str, set[int]] = {name: set() for name in self._root}
        for bond in bonds:
            if bond.kind == "apart":
                for side, members in ((bond.entry, bond.left), (-bond.entry, bond.right)):
                    for subject in members & piece_of.keys():
                        self._sides[_find(self._root, piece_of[subject])].add(side)

    def join(self, one: str, other: str) -> bool:
        """Make two one person, if no human said that they are not."""
        first, second = _find(self._root, one), _find(self._root, other)
        if any(-side in self._sides[first] for side in self._sides[second]):
            return False
        self._root[second] = first
        self._sides[first] |= self._sides[second]
        return True


def _find(root: dict[str, str], name: str) -> str:
    while root[name] != name:
        root[name] = root[root[name]]
        name = root[name]
    return name
