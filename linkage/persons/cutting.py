"""Which subjects leave whom when a human parts a person."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from linkage.errors import UserError
from linkage.persons.bonds import chosen_citizens, components, resolve
from linkage.store import Bond, Change, Kind, Place, Reader, Standing


@dataclass(frozen=True, slots=True)
class Persons:
    """Some persons of today, whole.

    Args:
        places: their subjects.
        bonds: every bond that ever named one of these.
    """

    places: tuple[Place, ...]
    bonds: tuple[Bond, ...]

    @classmethod
    def read(cls, reader: Reader, person_ids: Iterable[str]) -> "Persons":
        """The persons that hold these ids today."""
        places = tuple(place for one in person_ids for place in reader.subjects_of(one))
        return cls(places, tuple(reader.bonds_of(place.subject for place in places)))

    @property
    def base_of(self) -> dict[str, str]:
        """The base of each subject."""
        return {place.subject: place.base for place in self.places}

    def in_base(self, base: str) -> frozenset[str]:
        """The subjects of a base."""
        return frozenset(place.subject for place in self.places if place.base == base)

    def live(self, kind: Kind) -> list[Bond]:
        """The bonds of a kind that hold, and still name one of these."""
        everybody = self.base_of.keys()
        return [bond for bond in self.bonds if bond.kind == kind and bond.is_live and bond.subjects & everybody]

    def citizens(self) -> dict[str, set[str]]:
        """The citizens of each person: the one a human named, else those its bases are tied to."""
        base_of = self.base_of
        persons = {place.base: place.person_id for place in self.places}
        named = chosen_citizens(base_of, self.live("together"), persons)
        found: dict[str, set[str]] = {}
        for place in self.places:
            citizen = named.get(place.person_id, place.citizen_id)
            found.setdefault(place.person_id, set()).update([citizen] if citizen else [])
        return found

    def changes(
        self,
        base_of: Mapping[str, str],
        bonds: Iterable[Bond],
        minted: Mapping[str, int],
        citizens: Mapping[str, str | None],
    ) -> list[Change]:
        """What changes when the subjects have these bases and citizens, and these bonds hold; by subject."""
        persons = resolve(base_of, bonds, minted)
        changes = []
        for place in sorted(self.places):
            base = base_of[place.subject]
            person, citizen = persons.get(base, base), citizens.get(place.subject, place.citizen_id)
            if (base, person, citizen) != (place.base, place.person_id, place.citizen_id):
                pairs = (place.base, base, place.person_id, person, place.citizen_id, citizen)
                changes.append(Change(place.subject, *pairs))
        return changes


@dataclass(frozen=True, slots=True)
class Cut:
    """Who leaves whom.

    Args:
        leaving: the subjects that leave; whoever is merged with them, and not with those that stay, goes along.
        staying: subjects that they must not be one person with afterwards.
        citizens: the citizen that subjects had before a machine took them into the base that they leave.
    """

    leaving: frozenset[str]
    staying: frozenset[str]
    citizens: Mapping[str, str | None] = field(default_factory=dict)


def cut_of_subjects(reader: Reader, persons: Persons, standing: Standing, wanted: frozenset[str]) -> Cut:
    """Some subjects of a base leave it.

    Raises:
        UserError: they are not of this person, or are all of it, or are of several bases.
    """
    base_of = persons.base_of
    if not wanted <= base_of.keys():
        strangers = ", ".join(sorted(wanted - base_of.keys()))
        raise UserError("by_hand.not_theirs", person=standing.asked, subjects=strangers)
    if wanted == base_of.keys():
        raise UserError("by_hand.all_subjects", person=standing.asked)
    bases = {base_of[subject] for subject in wanted}
    if len(bases) > 1:
        raise UserError("by_hand.several_bases", person=standing.asked, bases=", ".join(sorted(bases)))
    [base] = bases
    if wanted == persons.in_base(base):
        return cut_of_id(reader, persons, standing._replace(asked=base, base=base))
    return Cut(wanted, persons.in_base(base) - wanted)


def cut_of_id(reader: Reader, persons: Persons, standing: Standing) -> Cut:
    """An id that leads to another one leaves; of an id that lives, whoever was merged with it.

    Raises:
        UserError: nobody was merged with it, or several were.
    """
    base = persons.in_base(standing.base)
    if standing.asked != standing.base:
        # a machine took the founder of this id, and who was with it, into another base
        held = {change.subject: change.citizen_before for change in reader.taken_from(standing.asked)}
        leaving = base & held.keys()
        return Cut(leaving, base - leaving, {subject: held[subject] for subject in leaving})
    if standing.base != standing.person_id:
        return Cut(base, persons.in_base(standing.person_id))
    bonds = [bond for bond in persons.live("together") if bond.subjects & base]
    if not bonds:
        raise UserError("by_hand.nothing", person=standing.asked)
    if len(bonds) > 1:
        entries = ", ".join(str(bond.entry) for bond in bonds)
        raise UserError("by_hand.ambiguous", person=standing.asked, entries=entries)
    return cut_of_bond(persons, standing, bonds[0])


def cut_of_entry(persons: Persons, standing: Standing, entry: int) -> Cut:
    """One side of the bond that an entry made leaves the other.

    Raises:
        UserError: the entry is no merge of this person that still holds.
    """
    bonds = persons.live("together")
    for bond in bonds:
        if bond.entry == entry:
            return cut_of_bond(persons, standing, bond)
    entries = ", ".join(str(bond.entry) for bond in bonds) or "–"
    raise UserError("by_hand.entry", entry=entry, person=standing.asked, entries=entries)


def cut_of_bond(persons: Persons, standing: Standing, bond: Bond) -> Cut:
    """One side of a bond leaves the other: its bases, or, of a base that holds subjects of both, its subjects."""
    base_of = persons.base_of
    leaving, staying = _sides(persons, standing, bond)
    both = {base_of[subject] for subject in leaving} & {base_of[subject] for subject in staying}
    whole = {base_of[subject] for subject in leaving} - both
    with_base = {subject for subject, base in base_of.items() if base in whole}
    return Cut(frozenset(with_base | leaving), staying)


def _sides(persons: Persons, standing: Standing, bond: Bond) -> tuple[frozenset[str], frozenset[str]]:
    """The side of a bond that leaves and the one that stays.

    The id that lives on stays, and an id that is asked for and leads there leaves; where neither tells the sides apart,
    the right one leaves.
    """
    base_of = persons.base_of
    root = components(base_of, [other for other in persons.live("together") if other is not bond])
    eldest = standing.person_id
    reached = {one for one, base in base_of.items() if root.get(base, base) == root.get(eldest, eldest)}
    anchors = [(persons.in_base(eldest), False), (reached, False)]
    if standing.base != eldest:
        anchors.insert(0, (persons.in_base(standing.base), True))
    if standing.asked != eldest:
        anchors.insert(0, ({standing.founder}, True))
    for anchor, leaves in anchors:
        is_left, is_right = bool(bond.left & anchor), bool(bond.right & anchor)
        if is_left != is_right:
            return (bond.left, bond.right) if is_left == leaves else (bond.right, bond.left)
    return bond.right, bond.left
