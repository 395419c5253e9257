"""Which step a metric of a `pipeline-metrics` cell is shown on: the one that has the notebook's value of it.

That is the last step that binds or changes what the metric is made of. What the text binds is known at once, what the
steps change in place only when they are connected: so metrics are placed twice, by the text and then by the data.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kalecompiler import results, topology, trees
from kalecompiler.assemble import Part, Reading
from kalecompiler.dataflow import Dataflow
from kalecompiler.diagnostics import METRIC_OF_TWO_STEPS, Diagnostic
from kalecompiler.facts import Grade
from kalecompiler.preamble import Preamble
from kalecompiler.results import Result
from kalecompiler.versions import Unit

Change = tuple[str, int]
"""A variable, and the number of the cell that changes it."""


@dataclass(frozen=True, slots=True)
class _Changes:
    """What each step changes in place, for certain and perhaps, and the steps that it runs after.

    A step that is `free` has no `prev:` edges, and gets every variable from the steps before it.
    """

    certain: Mapping[str, Sequence[Change]] = field(default_factory=dict)
    possible: Mapping[str, Sequence[Change]] = field(default_factory=dict)
    above: Mapping[str, frozenset[str]] = field(default_factory=dict)
    free: frozenset[str] = frozenset()


def by_text(reading: Reading) -> Reading:
    """The reading with a step for each metric, as far as the text of the cells tells."""
    return _placed(reading, _Changes())


def by_data(reading: Reading, units: Sequence[Unit], flow: Dataflow, shared: Preamble) -> Reading:
    """The same with what the connected steps change in place."""
    if all(result.step for result in reading.metrics):
        return _placed(reading, _Changes())
    return _placed(reading, _changes(reading, units, flow, shared))


def check(reading: Reading) -> list[Diagnostic]:
    """Metrics of one name that cells put on two steps: the last one is shown, and the other is not."""
    last = {r.name: r for r in reading.metrics if not _is_tagged(r) and not r.hidden}
    found = []
    for result in reading.metrics:
        shown = last.get(result.name, result)
        if result.hidden and shown.step != result.step:
            place = reading.book.at(shown.cell, shown.node.lineno)
            message = (
                f"the metric `{result.name}` of step `{result.step}` is not shown: cell {place.cell}, "
                f"line {place.line}, names another one of step `{shown.step}`, which is the value "
                "that the notebook ends with"
            )
            where = reading.book.at(result.cell, result.node.lineno, result.node.col_offset + 1)
            hint = f"give one of them another name, or tag both steps `metrics:{result.name}`"
            found.append(Diagnostic(METRIC_OF_TWO_STEPS, message, where, hint))
    return found


def _placed(reading: Reading, changes: _Changes) -> Reading:
    if not reading.metrics or not reading.steps:
        return reading
    order = list(reading.steps)
    binds = [reading.bound(parts) for parts in reading.steps.values()]
    mentions = [_mentioned(parts) for parts in reading.steps.values()]
    computed: dict[str, set[str]] = {step: set() for step in order}
    found: list[Result] = []
    for result in reading.metrics:
        step = result.step
        if not step:
            number = result.cell.number
            above = [_above(reading, name, number) | _before(changes.certain, name, number) for name in order]
            anywhere = [own | _before(changes.certain, name) for name, own in zip(order, binds, strict=True)]
            above = [own | computed[name] for name, own in zip(order, above, strict=True)]
            sure = results.home(result.reads, [above, anywhere, mentions])
            step = order[_perhaps_later(sure, order, result, changes)]
            if result.expression is not None:
                computed[step].add(result.name)
        found.append(replace(result, step=step))
    return replace(reading, metrics=tuple(_with_hidden(found)))


def _perhaps_later(sure: int, order: Sequence[str], result: Result, changes: _Changes) -> int:
    """The last step after that one which perhaps changes what the metric is made of, and has all that it has."""
    later = [
        i
        for i, step in enumerate(order)
        if i > sure
        and _before(changes.possible, step, result.cell.number) & result.reads
        and (step in changes.free or order[sure] in changes.above[step])
    ]
    return later[-1] if later else sure


def _with_hidden(found: Sequence[Result]) -> Iterator[Result]:
    """Of several metrics of one name in cells, the last is the notebook's; the others are hidden."""
    last = {result.name: number for number, result in enumerate(found) if not _is_tagged(result)}
    for number, result in enumerate(found):
        yield result if _is_tagged(result) or last[result.name] == number else replace(result, hidden=True)


def _is_tagged(result: Result) -> bool:
    return isinstance(result.node, ast.Pass)


def _above(reading: Reading, step: str, number: int) -> frozenset[str]:
    """What the cells of a step above that cell bind."""
    return reading.bound([p for p in reading.steps[step] if p.annotation.cell.number < number])


def _before(changes: Mapping[str, Sequence[Change]], step: str, number: int | None = None) -> frozenset[str]:
    """What a step changes above that cell, or at all."""
    return frozenset(name for name, cell in changes.get(step, ()) if number is None or cell < number)


def _mentioned(parts: Sequence[Part]) -> frozenset[str]:
    return frozenset(n.id for p in parts for n in trees.walk(p.tree) if isinstance(n, ast.Name))


def _changes(reading: Reading, units: Sequence[Unit], flow: Dataflow, shared: Preamble) -> _Changes:
    tagged = {unit.name: unit.changes for unit in units}
    found: dict[Grade, dict[str, list[Change]]] = {grade: {} for grade in Grade}
    defined = {
        name for c in flow.steps for name, binding in c.summary.binds.items() if binding.known.definition is not None
    }
    for c in flow.steps:
        for name, change in c.summary.changes.items():
            known = shared.known(name)
            if name in defined or (known is not None and (known.definition is not None or known.path is not None)):
                continue  # a function, class or module: it is not handed on as a value
            cells = [part.annotation.cell.number for part in reading.steps[c.name]]
            if name in tagged[c.name]:
                found[Grade.DEFINITE].setdefault(c.name, []).append((name, cells[0]))
            elif change.site.piece < len(cells):  # else it is a metric that changes it
                found[change.grade].setdefault(c.name, []).append((name, cells[change.site.piece]))
    edges = {c.name: c.after for c in flow.steps}
    above = {name: frozenset(topology.above(name, lambda other: edges.get(other, ()))) for name in edges}
    free = frozenset(unit.name for unit in units if unit.previous is None)
    return _Changes(found[Grade.DEFINITE], found[Grade.POSSIBLE], above, free)
