"""Two names for one object: a bond that is lost where the two travel to another step as two values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kalecompiler import company, library
from kalecompiler.facts import Binding, Bond, Status
from kalecompiler.versions import Place, Problem, Versions


def lost_bonds(versions: Versions) -> Iterator[Problem]:
    """A problem for each pair of names bonded in a step of which a later step changes one and somebody reads the other.

    The places of `versions` stand in order, with their providers known.
    """
    places = versions.places
    for position, place in enumerate(places):
        for name, binding in place.summary.binds.items():
            bonded = dict.fromkeys(_bonded(versions, place, name, binding))
            sure = [other for other in bonded if binding.known.roots[other] > Bond.PERHAPS]
            bonded |= dict.fromkeys(n for other in sure for n in _from_above(versions, position, other) if n != name)
            for other in _apart(versions, position, name, bonded):
                changer = _changer(places[position + 1 :], name, other)
                if changer is not None:
                    yield Problem("bond", name, place.unit.name, binding.site, (other, changer.unit.name))
                    break


def _apart(versions: Versions, position: int, name: str, others: Iterable[str]) -> Iterator[str]:
    """Other names of one object that no tag keeps together with the name; what is together with one is another."""
    for other in others:
        group = company.of(versions, position, other)
        if name not in group:
            yield from (other, *sorted(group - {other}))


def _bonded(versions: Versions, place: Place, name: str, binding: Binding) -> Iterator[str]:
    """The other names of variables whose objects a binding shares at the end of its step."""
    if binding.known.type in (library.SCALAR, library.TUPLE, library.FIGURE) or binding.known.definition is not None:
        return
    for other, bond in binding.known.roots.items():
        if other == name or other.startswith("<"):
            continue
        if bond <= Bond.PERHAPS and not any(other in p.summary.deep or name in p.summary.deep for p in versions.places):
            continue  # a shallow copy, if anything
        there = place.summary.binds.get(other)
        known = versions.holder(place, other)
        if there is None and known is not None and (known.definition is not None or known.type == library.SCALAR):
            continue
        if there is None or (_is_object(there) and there.status is not Status.DELETED):
            yield other


def _from_above(versions: Versions, position: int, name: str) -> Iterator[str]:
    """The names that shared the object of a step's input in the step that it comes from, and still stand for it."""
    place = versions.places[position]
    provider = place.providers.get(name)
    if provider is None or name in place.summary.binds:
        return
    above, between = versions.places[provider], versions.places[provider + 1 : position + 1]
    for other, binding in above.summary.binds.items():
        found: Iterable[str] = ()
        if other == name:
            found = _bonded(versions, above, name, binding)
        elif name in binding.known.roots and name in _bonded(versions, above, other, binding):
            found = (other,)
        yield from (one for one in found if not any(_binds_anew(p, one) for p in between))


def _is_object(binding: Binding) -> bool:
    """Whether a name is bound to a value that may be changed in place."""
    return binding.known.definition is None and binding.known.type != library.SCALAR


def _changer(later: Sequence[Place], name: str, other: str) -> Place | None:
    """The first later step that changes one of the names in place, where the other is read in it or after it."""
    for index, place in enumerate(later):
        changed = {n for n in (name, other) if n in place.summary.changes}
        for one in changed:
            partner = other if one == name else name
            if any(partner in p.summary.reads for p in later[index:]):
                return place
        if _binds_anew(place, name) or _binds_anew(place, other):
            return None
    return None


def _binds_anew(place: Place, name: str) -> bool:
    """Whether a step gives a name to another object."""
    binding = place.summary.binds.get(name)
    return binding is not None and binding.given_anew(name)
