"""`kalec why VAR`: for each step that reads a variable, which version it gets, from where, and why that one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kalecompiler.diagnostics import UsageError
from kalecompiler.facts import Grade, Site, Status
from kalecompiler.model import Location
from kalecompiler.suggest import did_you_mean

if TYPE_CHECKING:
    from kalecompiler.dataflow import Connected
    from kalecompiler.plan import Analysis


def explain(analysis: Analysis, variable: str) -> str:
    """The whole story of a variable as text. Raises UsageError for a name that no step reads, binds or changes."""
    steps = analysis.flow.steps
    known = {n for c in steps for n in (*c.summary.reads, *c.summary.binds, *c.summary.changes)}
    if variable not in known:
        hint = did_you_mean(variable, known)
        raise UsageError(f"no step reads, binds or changes `{variable}`" + (f"; {hint}" if hint else ""))
    lines = [*_writers(analysis, variable)]
    for step in steps:
        if variable in step.summary.reads or any(k.variable == variable for k in step.inputs):
            lines += ["", *_reader(analysis, step, variable)]
    return "\n".join(lines) + "\n"


def _writers(analysis: Analysis, variable: str) -> Iterator[str]:
    """Every place that gives the variable a value or changes it, in notebook order."""
    yield f"`{variable}` is given its value"
    count = 0
    if variable in analysis.reading.parameter_names:
        count += 1
        yield "  by the pipeline's parameters"
    for item in analysis.shared.items:
        if variable in item.summary.binds:
            count += 1
            part = analysis.reading.shared[item.piece]
            where = analysis.reading.book.at(part.annotation.cell, item.statement.lineno)
            yield f"  by a cell tagged `{part.annotation.role.value}`, {_place(where)}"
    for step in analysis.flow.steps:
        for how, site in _writes(step, variable):
            count += 1
            yield f"  by step `{step.name}`, which {how}, {_place(analysis.reading.locate(step.name, site))}"
    if not count:
        yield "  by nothing in the notebook"


def _writes(step: Connected, variable: str) -> Iterator[tuple[str, Site]]:
    binding, change = step.summary.binds.get(variable), step.summary.changes.get(variable)
    if binding is not None:
        how = {Status.BOUND: "binds it", Status.MAYBE: "may bind it", Status.DELETED: "deletes it"}[binding.status]
        yield how, binding.site
    if change is not None and variable in step.summary.company:
        yield "hands it on, as it is kept together with what it changes", change.site
    elif change is not None:
        yield ("changes it in place" if change.grade is Grade.DEFINITE else "may change it in place"), change.site


def _reader(analysis: Analysis, step: Connected, variable: str) -> Iterator[str]:
    read = step.summary.reads.get(variable)
    where = f", {_place(analysis.reading.locate(step.name, read.site))}" if read is not None else ""
    through = f", in `{read.owner}`" if read is not None and read.owner else ""
    if variable in step.summary.company:
        yield f"step `{step.name}` takes it, as it is kept together with what it reads{where}"
    else:
        yield f"step `{step.name}` reads it{through}{where}"
    yield f"  gets {_source(analysis, step, variable)}"
    order = [c.name for c in analysis.flow.steps]
    earlier = analysis.flow.steps[: order.index(step.name)]
    for name in (c.name for c in earlier if variable in c.guards):
        yield f"  step `{name}` may change it, and is checked at run time to leave it as it was"


def _source(analysis: Analysis, step: Connected, variable: str) -> str:
    """Where a step's version comes from, and why from there."""
    for link in step.inputs:
        if link.variable == variable:
            origin = next(c for c in analysis.flow.steps if c.name == link.producer)
            how, site = list(_writes(origin, variable))[-1]
            where = _place(analysis.reading.locate(origin.name, site))
            reason = "the last step above it that binds or changes the variable"
            return f"the version of step `{origin.name}`, which {how} ({where}): {reason}"
    for carried in step.carried:
        if carried.definition.name == variable:
            return f"the source of the {carried.definition.kind} in step `{carried.home}`, run again here"
    if variable in analysis.shared.binds:
        return "the version of the imports and functions cells: no step above it binds or changes the variable"
    if variable in analysis.reading.parameter_names:
        return "the pipeline's parameter: no step above it binds or changes the variable"
    if variable in step.summary.binds:
        return "its own version: it is bound here before it is read, or perhaps not at all"
    return "nothing: no step above it binds the variable"


def _place(where: Location) -> str:
    return f"cell {where.cell} line {where.line}" if where.line is not None else f"cell {where.cell}"
