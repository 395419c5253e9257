"""Which handlers each step carries: decided from the text, because nothing is imported to compile a notebook.

A handler of a package goes to the steps that import its package, and to those that load their data. One of the
notebook's own goes to the steps that have its type in the same way; where none has, to all that load or save anything.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from kalecompiler.dataflow import Connected, Dataflow, Shared
from kalecompiler.diagnostics import INVALID_HANDLER, Diagnostic
from kalecompiler.handlercells import OwnHandler
from kalecompiler.imports import imports_of
from kalecompiler.model import Handler
from kalecompiler.packages import is_standard
from kalecompiler.preamble import Preamble
from kalecompiler.registered import registered

if TYPE_CHECKING:
    from kalecompiler.requirements import Requirements

Own = Mapping[str, Sequence[OwnHandler]]
"""The notebook's own handlers that each step carries, by step."""


def place(own: Sequence[OwnHandler], shared: Preamble, flow: Dataflow, wanted: Requirements) -> Own:
    """The notebook's own handlers of each step; `wanted` is what the steps need without them."""
    if not own:
        return {}
    marks = _with_data(flow, {c.name: _marks(c, wanted) for c in flow.steps})
    moving = [c.name for c in flow.steps if c.inputs or c.outputs]
    placed: dict[str, list[OwnHandler]] = {name: [] for name in moving}
    for handler in own:
        homes = _homes(handler.root, shared)
        having = [name for name in moving if homes & marks[name]]
        for name in having or moving:
            placed[name].append(handler)
    return placed


def carry(own: Own, shared: Preamble, flow: Dataflow, parameters: frozenset[str]) -> Dataflow:
    """The dataflow, with what the handlers need of the shared cells and parameters in the steps that carry them."""
    return replace(flow, steps=tuple(_carry(c, own.get(c.name, ()), shared, parameters) for c in flow.steps))


def _carry(c: Connected, own: Sequence[OwnHandler], shared: Preamble, parameters: frozenset[str]) -> Connected:
    if not own:
        return c
    needed = reach(shared, {name for handler in own for name in handler.names})
    there = {id(s.item.statement) for s in c.shared}
    items = (shared.items[index] for index in shared.select(needed)[0])
    added = [Shared(item) for item in items if id(item.statement) not in there]
    whole = tuple(sorted([*c.shared, *added], key=_order))
    return replace(c, shared=whole, parameters=c.parameters | needed & parameters)


def _order(shared: Shared) -> tuple[int, int, int]:
    statement = shared.item.statement
    return shared.item.piece, statement.lineno, statement.col_offset


def of_steps(own: Own, flow: Dataflow, wanted: Requirements) -> dict[str, tuple[Handler, ...]]:
    """All handlers of each step, in the order in which they are asked; none for a step that hands on nothing.

    Raises UsageError for a registered handler that is wrong.
    """
    moving = [c.name for c in flow.steps if c.inputs or c.outputs]
    taken = {handler.handler.name for handlers in own.values() for handler in handlers}
    imported = frozenset().union(*(wanted.modules[name] for name in moving))
    packaged = registered() if not all(map(is_standard, imported)) else ()
    return {
        name: (
            *(handler.handler for handler in own.get(name, ())),
            *(h for h in packaged if h.modules & wanted.modules[name] and h.name not in taken),
        )
        for name in moving
    }


def check(own: Iterable[OwnHandler], shared: Preamble, parameters: frozenset[str]) -> list[Diagnostic]:
    """A finding for each handler that reads what no cell binds that runs before every step."""
    known = parameters | {read.name for _, read in shared.unresolved(parameters)}  # these have a finding already
    found = []
    for handler in own:
        needed = reach(shared, handler.names)
        missing = sorted(n for n in needed - known if n not in shared.binds and not shared.may_provide(n))
        if missing:
            what = "type" if missing[0] == handler.root else "name"
            message = (
                f"the handler `{handler.handler.name}` needs the {what} `{missing[0]}`, which only a step can have"
            )
            hint = "import or define it in a cell tagged `imports`, `functions` or `handler`"
            found.append(Diagnostic(INVALID_HANDLER, message, handler.origin, hint))
    return found


def reach(shared: Preamble, names: Iterable[str]) -> frozenset[str]:
    """The names, and all that the shared cells' functions and classes among them read when they are called."""
    needed: set[str] = set()
    work = list(names)
    while work:
        name = work.pop()
        if name not in needed:
            needed.add(name)
            known = shared.known(name)
            definitions = known.all_definitions() if known is not None else ()
            work += [n for d in definitions for n in (*d.lazy, *d.eager)]
    return frozenset(needed)


def _homes(root: str, shared: Preamble) -> frozenset[str | int]:
    """What tells that a step can have objects of the type: modules it imports, or the statements that define it."""
    homes: set[str | int] = set()
    for item in shared.items:
        if root in item.summary.binds:
            modules = {i.module.partition(".")[0] for i in imports_of(item.statement)}
            homes |= modules if isinstance(item.statement, ast.Import | ast.ImportFrom) else {id(item.statement)}
    return frozenset(homes)


def _marks(c: Connected, wanted: Requirements) -> frozenset[str | int]:
    """The modules that a step imports, by top name, those beside the notebook too, and the ids of its statements."""
    beside = {path.partition("/")[0].removesuffix(".py") for path, _ in wanted.files[c.name]}
    return wanted.modules[c.name] | beside | {id(s.item.statement) for s in c.shared}


def _with_data(flow: Dataflow, marks: Mapping[str, frozenset[str | int]]) -> dict[str, frozenset[str | int]]:
    """The marks of each step with those of all steps that its data comes from."""
    producers = {c.name: {link.producer for link in c.inputs} for c in flow.steps}
    found: dict[str, frozenset[str | int]] = {}
    for name in TopologicalSorter(producers).static_order():
        found[name] = marks[name].union(*(found[producer] for producer in producers[name]))
    return found
