"""Merge what a human says is one, part what a human says is two, and take either back.

A merge moves no base: it adds a bond between two of them. Taking it back takes the bond away, and what is left of the
bases and bonds is what there was before, whatever was built on top. A base is only split when a subject is taken out of
it, or one base out of what a machine made of several.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from linkage.errors import UserError
from linkage.persons.bonds import components, resolve
from linkage.persons.cutting import Cut, Persons, cut_of_entry, cut_of_id, cut_of_subjects
from linkage.store import Bond, Draft, Standing, Store, Writer, native_id


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did.

    Args:
        entry: its number in the ledger.
        person_id: the id that lives on, the elder.
        redirected: the ids that lead there from now on.
        subjects: the subjects that moved.
        lifted: the entries that had said that these are not one, and no longer count.
    """

    entry: int
    person_id: str
    redirected: tuple[str, ...]
    subjects: tuple[str, ...]
    lifted: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unmerged:
    """What an unmerge did.

    Args:
        entry: its number in the ledger.
        person_id: the id of who stayed.
        living: the ids that live again, or that are new.
        minted: of those, the new ones.
        subjects: the subjects whose person changed.
        lifted: the entries of merges that it takes back, or of which it takes these subjects out.
        along: the entries of merges with those that leave: whoever was merged with them goes along.
    """

    entry: int
    person_id: str
    living: tuple[str, ...]
    minted: tuple[str, ...]
    subjects: tuple[str, ...]
    lifted: tuple[int, ...]
    along: tuple[int, ...]


def merge(store: Store, a: str, b: str, *, because: str, actor: str, citizen: str | None = None) -> Merged:
    """Make two persons one: the bases of the founders of two ids are from now on one person.

    Args:
        store: the operational database.
        a: an id, of today or one that leads to another.
        b: likewise.
        because: why; it must not be empty.
        actor: who says so.
        citizen: whose citizen the person is, where the two belong to different ones.

    Raises:
        UserError: an id is unknown, both are one person already, they belong to different citizens and ``citizen``
            names none of them, ``because`` is empty, or the store cannot be written.
    """
    _check_reason(because)
    with store.writing() as writer:
        first, second = _standing(writer, a), _standing(writer, b)
        if first.person_id == second.person_id:
            raise UserError("by_hand.already_one", a=a, b=b, person=first.person_id)
        before = Persons.read(writer, (first.person_id, second.person_id))
        _check_citizens(before, a, b, citizen)
        everybody = before.base_of.keys()
        met = [bond for bond in before.live("apart") if bond.left & everybody and bond.right & everybody]
        members = [(bond.entry, one, "left", False) for bond in met for one in bond.left & everybody]
        bond = Bond(
            writer.head().number + 1, "together", before.in_base(first.base), before.in_base(second.base), citizen
        )
        changes = before.changes(
            before.base_of, [*before.live("together"), bond], writer.minted(before.base_of.values()), {}
        )
        evidence = {"a": a, "b": b} | ({"citizen": citizen} if citizen is not None else {})
        entry = writer.append(
            Draft("merge", actor, because.strip(), evidence), changes=changes, bond=bond, members=sorted(members)
        )
        [redirected] = {change.person_before for change in changes}
        return Merged(
            entry,
            changes[0].person_after,
            (str(redirected),),
            tuple(change.subject for change in changes),
            tuple(bond.entry for bond in met),
        )


def unmerge(
    store: Store, person_id: str, *, subjects: Iterable[str] = (), because: str, actor: str, entry: int | None = None
) -> Unmerged:
    """Part what is not one person, and see to it that no machine makes it one again.

    Without ``subjects`` and ``entry``, an id that leads to another one lives again: the merge that made it lead there
    is taken back, or, where a machine did it, what it then held leaves the base it went to; whoever was merged with
    what leaves goes along. Of an id that lives, its one merge is taken back.

    Args:
        store: the operational database.
        person_id: an id, of today or one that leads to another.
        subjects: those that are not that person, of one base.
        because: why; it must not be empty.
        actor: who says so.
        entry: the merge to take back.

    Raises:
        UserError: the id is unknown, there is nothing to part, several merges could be meant, the subjects are not of
            that person, or all of it, or of several bases, ``entry`` is no merge of that person that still holds,
            ``because`` is empty, or the store cannot be written.
    """
    _check_reason(because)
    wanted = frozenset(subjects)
    if wanted and entry is not None:
        raise UserError("by_hand.subjects_or_entry")
    with store.writing() as writer:
        standing = _standing(writer, person_id)
        before = Persons.read(writer, (standing.person_id,))
        if wanted:
            cut = cut_of_subjects(writer, before, standing, wanted)
        elif entry is not None:
            cut = cut_of_entry(before, standing, entry)
        else:
            cut = cut_of_id(writer, before, standing)
        evidence: dict[str, Any] = {"person": person_id} | ({"subjects": sorted(wanted)} if wanted else {})
        evidence |= {"entry": entry} if entry is not None else {}
        return _part(writer, before, cut, Draft("unmerge", actor, because.strip(), evidence))


def _part(writer: Writer, before: Persons, cut: Cut, draft: Draft) -> Unmerged:
    """Carry out a cut: split bases, lift bonds, say that those that left are not those that stayed."""
    entry = writer.head().number + 1
    rests = {base: before.in_base(base) - cut.leaving for base in {before.base_of[one] for one in cut.leaving}}
    split = {base for base, rest in rests.items() if rest}
    base_of, minted, new = _split(writer, before, cut.leaving, split, entry)
    lifted = _lifted(before, base_of, cut)
    kept = [_among(bond, bond.subjects - cut.leaving) if bond in lifted else bond for bond in before.live("together")]
    # what a lifted merge said of those that leave together is said again
    said = {bond.entry: _among(bond, cut.leaving) for bond in lifted if _among(bond, cut.leaving).is_live}
    again = [replace(bond, entry=number) for number, bond in enumerate(said.values(), entry + 1)]
    bonds = [bond for bond in (*kept, *again) if bond.is_live]
    ended = {bond.entry for bond in lifted} - {bond.entry for bond in bonds}
    persons = resolve(base_of, bonds, minted)
    person_of = {one: persons.get(base, base) for one, base in base_of.items()}
    left = {person_of[one] for one in cut.leaving}
    others = frozenset().union(*rests.values(), *(bond.subjects - cut.leaving for bond in lifted))
    # each subject has its own citizen; where those that stay have the same one, it is theirs
    own = {place.subject: place.citizen_id for place in before.places}
    shared = [one for one in cut.leaving if own[one] in {own[other] for other in rests[before.base_of[one]]}]
    citizens = dict.fromkeys(shared) | dict(cut.citizens)
    changes = before.changes(base_of, bonds, minted, citizens)
    writer.append(
        replace(draft, undoes=min(ended) if len(ended) == 1 else None),
        changes=changes,
        minted=sorted(new.items()),
        bond=Bond(entry, "apart", cut.leaving, frozenset(one for one in others if person_of[one] not in left)),
        members=sorted([*_out(lifted, cut.leaving), *_back(before, person_of)]),
    )
    for earlier, bond in zip(said, again, strict=True):
        evidence = {"restates": earlier} | ({"citizen": bond.citizen} if bond.citizen else {})
        writer.append(replace(draft, kind="merge", evidence=evidence), bond=bond)
    return Unmerged(
        entry,
        min({person_of[one] for one in cut.staying}, key=lambda one: (minted[one], one)),
        tuple(sorted(set(person_of.values()) - {place.person_id for place in before.places})),
        tuple(sorted(new)),
        tuple(change.subject for change in changes if change.person_before != change.person_after),
        tuple(bond.entry for bond in lifted),
        tuple(bond.entry for bond in bonds if bond.subjects & cut.leaving),
    )


def _among(bond: Bond, subjects: frozenset[str]) -> Bond:
    """A bond as far as it is about some subjects."""
    return replace(bond, left=bond.left & subjects, right=bond.right & subjects)


def _out(lifted: Iterable[Bond], leaving: frozenset[str]) -> Iterator[tuple[int, str, str, bool]]:
    """Those that leave no longer count in the bonds that are lifted."""
    for bond in lifted:
        for side, members in (("left", bond.left), ("right", bond.right)):
            yield from ((bond.entry, one, side, False) for one in members & leaving)


def _back(before: Persons, person_of: dict[str, str]) -> Iterator[tuple[int, str, str, bool]]:
    """Whom a merge had taken out of an ``apart`` bond counts there again, where nothing says otherwise any more."""
    for bond in before.bonds:
        if bond.kind == "apart":
            there = {person_of[one] for one in bond.right & person_of.keys()}
            for one in bond.away & person_of.keys():
                if person_of[one] not in there:
                    yield (bond.entry, one, "left", True)


def _split(
    writer: Writer, before: Persons, leaving: frozenset[str], split: set[str], entry: int
) -> tuple[dict[str, str], dict[str, int], dict[str, str]]:
    """The bases when some subjects leave theirs, the entry that minted each id, and the new ids with their founders."""
    base_of = before.base_of
    minted = writer.minted(base_of.values())
    new: dict[str, str] = {}
    for base in sorted(split):
        for part in (before.in_base(base) & leaving, before.in_base(base) - leaving):
            known = writer.ids_of(part)
            if not known:
                founder = min(part, key=native_id)
                new[native_id(founder)] = founder
                known = {native_id(founder): entry}
            name = min(known, key=lambda one: (known[one], one))
            minted[name] = known[name]
            base_of.update(dict.fromkeys(part, name))
    return base_of, minted, new


def _lifted(before: Persons, base_of: dict[str, str], cut: Cut) -> list[Bond]:
    """The bonds by which those that leave would still be one person with those that stay."""
    elsewhere = {one: base for one, base in base_of.items() if one not in cut.leaving}
    root = components(elsewhere, before.live("together"))
    stays = {root.get(elsewhere[one], elsewhere[one]) for one in cut.staying}

    def leads_back(bond: Bond) -> bool:
        return any(root.get(elsewhere[one], elsewhere[one]) in stays for one in bond.subjects & elsewhere.keys())

    return [bond for bond in before.live("together") if bond.subjects & cut.leaving and leads_back(bond)]


def _check_reason(because: str) -> None:
    if not because.strip():
        raise UserError("by_hand.because")


def _standing(writer: Writer, person_id: str) -> Standing:
    standing = writer.follow(person_id)
    if standing is None:
        raise UserError("by_hand.unknown", person=person_id)
    return standing


def _check_citizens(before: Persons, a: str, b: str, citizen: str | None) -> None:
    citizens = set().union(*before.citizens().values())
    if citizen is None and len(citizens) > 1:
        raise UserError("by_hand.two_citizens", a=a, b=b)
    if citizen is not None and citizen not in citizens:
        raise UserError("by_hand.other_citizen", a=a, b=b)
