"""Where a pipeline's order differs from the notebook's: steps run whole, and shared cells before them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kalecompiler import diagnostics as rules
from kalecompiler import names, trees
from kalecompiler.diagnostics import Diagnostic
from kalecompiler.model import Role

if TYPE_CHECKING:
    from kalecompiler.assemble import Part, Reading
    from kalecompiler.dataflow import Connected, Dataflow


def check(reading: Reading, flow: Dataflow) -> list[Diagnostic]:
    """Errors where running the steps whole, or the shared cells first, would change what a step reads."""
    return [*_scattered(reading, flow), *_redefined(reading)]


def _scattered(reading: Reading, flow: Dataflow) -> Iterator[Diagnostic]:
    """A step that is written on after another has read from it: the reader would see its end, not its middle."""
    connected = {c.name: c for c in flow.steps}
    for reader in flow.steps:
        for link in reader.inputs:
            read = reader.summary.reads.get(link.variable)
            if read is None:
                continue
            seen = reading.locate(reader.name, read.site)
            written = _last_write(reading, connected[link.producer], link.variable)
            first = reading.steps[link.producer][0].annotation.cell.number
            if seen.cell is not None and first < seen.cell < written:
                message = (
                    f"step `{reader.name}` reads `{link.variable}` here, before step `{link.producer}` writes it "
                    f"again in cell {written}; the pipeline runs all of `{link.producer}` first"
                )
                hint = f"give the cells of `{link.producer}` from there on a step of their own"
                yield Diagnostic(rules.SCATTERED_STEP, message, seen, hint)


def _last_write(reading: Reading, step: Connected, variable: str) -> int:
    """The number of the last cell in which a step binds or changes a variable."""
    binding, touched = step.summary.binds.get(variable), step.summary.touched.get(variable)
    sites = [binding.site if binding is not None else None, touched]
    return max((reading.locate(step.name, s).cell or 0 for s in sites if s is not None), default=0)


def _redefined(reading: Reading) -> Iterator[Diagnostic]:
    """A name that shared cells bind again within a step that uses it: the step would always get the second value."""
    for roles in ((Role.PARAMETERS,), (Role.IMPORTS, Role.FUNCTIONS, Role.HANDLER)):
        cells: dict[str, list[tuple[Part, ast.stmt]]] = {}
        for part in reading.parts:
            for statement in part.tree.body if part.annotation.role in roles else ():
                for name in names.bound_names([statement]):
                    cells.setdefault(name, []).append((part, statement))
        for name, places in cells.items():
            (one, first), (other, last) = places[0], places[-1]
            low, high = one.annotation.cell.number, other.annotation.cell.number
            user = _user_between(reading, name, low, high, whole=roles != (Role.PARAMETERS,))
            if user is not None and ast.dump(first) != ast.dump(last):
                where = reading.book.at(other.annotation.cell, last.lineno, last.col_offset + 1)
                role = other.annotation.role.value
                message = f"`{name}` is bound again here, in a cell tagged `{role}`, after step `{user}` has used it"
                hint = f"such cells run before a step, not within it: use two names, or bind `{name}` in a step"
                yield Diagnostic(rules.REDEFINED_SHARED, message, where, hint)


def _user_between(reading: Reading, name: str, low: int, high: int, *, whole: bool) -> str | None:
    """A step with a cell between two cells whose text mentions a name; with `whole`, one that goes on behind them."""
    for step, parts in reading.steps.items():
        if whole and parts[-1].annotation.cell.number < high:
            continue  # it gets the first value
        for part in parts:
            between = low < part.annotation.cell.number < high
            if between and any(isinstance(n, ast.Name) and n.id == name for n in trees.walk(part.tree)):
                return step
    return None
