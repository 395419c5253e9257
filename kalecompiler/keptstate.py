"""State in functions and classes: a step that changes it, or several steps whose calls do, could not be told apart."""

from __future__ import annotations

from kalecompiler import names
from kalecompiler.facts import Definition, Grade, Read, Site
from kalecompiler.internal import defaults_variable
from kalecompiler.stateful import is_cached, keeps_in_decorator, kept_state, may_keep_state
from kalecompiler.versions import Place, Versions, statements


def check(versions: Versions) -> None:
    """State kept in a function or class would be lost where its source runs again."""
    for position, place in enumerate(versions.places):
        for name, change in place.summary.changes.items():
            if change.grade is not Grade.DEFINITE:
                continue
            known = versions.holder(place, name)
            definition = known.definition if known is not None else None
            if definition is None or definition.kind == "import":
                continue
            users = [p.unit.name for p in versions.places if p is not place and _uses(p, definition)]
            if users:
                read = Read(name, change.site, True)
                versions.problem("state", position, read, tuple(users))
    _check_kept_state(versions)


def _check_kept_state(versions: Versions) -> None:
    """Functions and classes whose own code changes what they keep, used by more than one step."""
    found = {key: d for p in versions.places for key, d in p.summary.needs.items() if d.kind != "value"}
    known = {d.name: d for d in found.values()}
    known |= {n: b.known.definition for n, b in versions.preamble.binds.items() if b.known.definition is not None}
    for definition in found.values():
        users = [q for q, p in enumerate(versions.places) if definition.key in p.summary.needs]
        if len(users) > 1 and may_keep_state(definition):
            for place in (versions.places[q] for q in users):
                replaced = defaults_variable(definition.name) in place.providers
                if definition.name not in place.summary.binds and not replaced:
                    place.guards.add(definition.name)
        keeps = kept_state(definition) or keeps_in_decorator(definition, known) or _caches_state(versions, definition)
        if len(users) > 1 and keeps:
            user = versions.places[users[1]]
            site = user.summary.reads[definition.name].site if definition.name in user.summary.reads else None
            read = Read(definition.name, site or Site(0, 1, 1), True)
            others = tuple(versions.places[q].unit.name for q in users if q != users[1])
            versions.problem("kept", users[1], read, others)


def _caches_state(versions: Versions, definition: Definition) -> bool:
    """Whether a function answers from a cache although it reads variables, or the cache itself is looked at."""
    if not is_cached(definition):
        return False
    variables = definition.lazy & versions.assigned.keys()
    looked_at = any(definition.name in names.cache_users(statements(p.unit)) for p in versions.places)
    return looked_at or any(not versions.is_definition_everywhere(name) for name in variables)


def _uses(place: Place, definition: Definition) -> bool:
    carried = any(d.statement is definition.statement for d, _ in place.carried.values())
    return carried or definition.key in place.summary.needs
