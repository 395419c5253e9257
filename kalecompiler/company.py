"""`together:a,b`: names of one object stay in company, so that a change of one is a change of all.

The step with the tag hands all of them on. A later step that deals with one gets the others too, from the same step,
and so from one artifact, under one memo: the objects that they share stay shared. If it changes one in place, it
hands all of them on. A name leaves the company where a step binds it to something else.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from kalecompiler.facts import Grade, Known, Site, Status
from kalecompiler.flow import Flow
from kalecompiler.versions import Place, Problem, Versions, bits

Group = frozenset[str]

_START = Site(0, 1, 1)


def standing(versions: Versions, visible: int, *own: Iterable[str]) -> list[Group]:
    """The companies of the visible steps, without the names that left, and `own`; those with a common name are one."""
    found: list[Group] = []
    for position in bits(visible & versions.gathering):
        later = visible >> (position + 1) << (position + 1)
        for group in versions.places[position].unit.together:
            found = _with(found, frozenset(n for n in group if not versions.anew.get(n, 0) & later))
    for names in own:
        found = _with(found, frozenset(names))
    return found


def keep(flow: Flow, own: Sequence[Iterable[str]], groups: Iterable[Group]) -> frozenset[str]:
    """Have a step that was run in the abstract deal with whole companies: `own` of its tags, and `groups` from above.

    Returns the names that it reads or changes for that reason alone.
    """
    brought: set[str] = set()
    for name in sorted(n for group in own for n in group if n not in flow.state):
        _deal(flow, name, Grade.DEFINITE, _START, brought)
    for group in groups:
        binds = {n: flow.state[n] for n in group if n in flow.state}
        changes = [flow.run.changes[n] for n in sorted(group) if n in flow.run.changes]
        kept = [n for n, binding in binds.items() if not binding.given_anew(n)]
        if not (changes or kept or any(n in flow.run.reads for n in group)):
            continue
        grades = [change.grade for change in changes] + [Grade.DEFINITE for _ in kept]
        sites = [c.site for c in changes] + [binds[n].site for n in kept]
        sites += [flow.run.reads[n].site for n in sorted(group) if n in flow.run.reads]
        taint = frozenset(d for n in group for d in (flow.known(n) or Known()).taint | flow.tainted.get(n, frozenset()))
        for name in sorted(group - binds.keys()):
            _deal(flow, name, max(grades, default=None), sites[0], brought)
            if taint and grades:
                flow.tainted[name] = taint
        for name in sorted(kept):
            _deal(flow, name, None, sites[0], brought)
    return frozenset(brought)


def of(versions: Versions, position: int, name: str) -> Group:
    """The company of a name when the step at that position is done, itself among it."""
    seen = versions.places[position].above | 1 << position
    groups = standing(versions, seen) if versions.gathering else []
    return next((group for group in groups if name in group), frozenset({name}))


def check(versions: Versions) -> Iterator[Problem]:
    """A problem for each name of the tags `together:` and `changes:` that is no variable of its step, and for each
    `together:` of which no later step takes anything."""
    for position, place in enumerate(versions.places):
        unit = place.unit
        named = [("together:" + ",".join(group), name) for group in unit.together for name in group]
        for tag, name in dict.fromkeys([*named, *((f"changes:{name}", name) for name in unit.changes)]):
            fault = _fault(versions, position, name)
            if fault:
                yield Problem("no-variable", name, unit.name, _START, (fault,), tag)
        for group in unit.together:
            faulty = any(_fault(versions, position, name) for name in group)
            if not faulty and not any(n in p.summary.reads for p in _after(versions, position) for n in group):
                yield Problem("no-taker", group[0], unit.name, _START, group, "together:" + ",".join(group))


def _after(versions: Versions, position: int) -> Iterator[Place]:
    return (p for p in versions.places if p.above >> position & 1)


def _fault(versions: Versions, position: int, name: str) -> str:
    """What is wrong with a name that should be a variable at the end of a step; nothing if it is one."""
    place = versions.places[position]
    binding = place.summary.binds.get(name)
    if binding is not None and binding.status is Status.DELETED:
        return "the step deletes it"
    known = versions.holder(place, name)
    if known is not None and (known.definition is not None or known.path is not None):
        return "it is a function, a class or an import"
    if binding is None and name not in place.providers and name not in place.parameters and known is None:
        return "the step neither binds it nor gets it"
    return ""


def _deal(flow: Flow, name: str, grade: Grade | None, site: Site, brought: set[str]) -> None:
    """Have the step read a name, and change it with that grade, at the end."""
    marker = ast.Pass(lineno=site.line, col_offset=site.column - 1, end_col_offset=site.end)
    flow.piece = site.piece
    new = name not in flow.run.reads
    flow.load(name, marker, hard=False)
    if new and name in flow.run.reads:
        brought.add(name)
    if grade is not None:
        flow.change(name, grade, marker, "a tag `together:` says so")


def _with(groups: list[Group], new: Group) -> list[Group]:
    """The groups and one more, those that have a name in common made one."""
    if len(new) < 2:
        return groups
    near = [group for group in groups if group & new]
    return [*(group for group in groups if not group & new), new.union(*near)]
