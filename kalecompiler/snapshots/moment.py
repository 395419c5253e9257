"""What a notebook's names stand for just before or after a step, found by asking the compiler.

A step that reads every name is added to a copy of the notebook at that moment. What the compiler would hand to it, and
the code that it would carry, is the state: the version of each variable that the notebook has there, by the same
analysis that decides what the real steps get.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kalecompiler import draws, internal, notebook, payload
from kalecompiler import plan as planning
from kalecompiler.diagnostics import (
    DELETED_NAME,
    FILE_CHANNEL,
    RANDOM_BRANCHES,
    Diagnostic,
    NotebookError,
    Severity,
    UsageError,
)
from kalecompiler.model import Code, CodeKind, Pipeline, Role, Step
from kalecompiler.plan import Analysis
from kalecompiler.snapshots.manifest import AFTER, BEFORE
from kalecompiler.snapshots.sources import Source, source
from kalecompiler.steprules import FINAL_STATUS
from kalecompiler.suggest import did_you_mean

ANCESTORS, INPUTS = "ancestors", "inputs"

_NAME = "kalec_checkout"
_CELL = "kalec-checkout"
_DRAWS = {
    "_random_state": "import random as _kalec_r\n_kalec_r.random()",
    "_numpy_random_state": "import numpy as _kalec_n\n_kalec_n.random.rand()",
    "_torch_random_state": "import torch as _kalec_t\n_kalec_t.rand(1)",
}
_TRIES = 50


@dataclass(frozen=True, slots=True)
class Moment:
    """The state at a moment: what to execute (`content`, a step's JSON values, without cells), what to load.

    `above` are the steps that must have run by then, in the order of the notebook; `beside` stand above it, too.
    `unclear` has the names that the notebook has no one value for, with the reason, which is empty for a deleted one;
    `warnings` what may make a variable another than in the notebook; `cells` the pieces that bind each variable.
    """

    notebook: str
    step: Step
    when: str
    content: Mapping[str, Any]
    above: tuple[str, ...]
    sources: tuple[Source, ...]
    pipeline: Pipeline
    states: Mapping[str, str] = field(default_factory=dict)
    unclear: Mapping[str, str] = field(default_factory=dict)
    cells: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: Mapping[str, str] = field(default_factory=dict)
    beside: tuple[str, ...] = ()


def read(path: Path, data: bytes) -> Analysis:
    """The analysis of a notebook whose content is `data`. Raises UsageError where it does not compile any more."""
    try:
        return planning.analyse(path, {}, data)
    except NotebookError as error:
        raise UsageError(f"the run's notebook cannot be read: {error.diagnostics[0].message}") from None


def at(path: Path, data: bytes, step: str, when: str = BEFORE, scope: str = ANCESTORS) -> Moment:
    """The moment before or after a step (by its name, or its task's) of the notebook in `data`, which was at `path`.

    `scope` tells whether all that ran above it counts, or only what its process gets. Raises UsageError for an unknown
    step, and for a notebook that does not compile.
    """
    analysis = read(path, data)
    planned = planning.complete(analysis)
    if planned.pipeline is None:
        first = next(d for d in planned.diagnostics if d.severity is Severity.ERROR)
        raise UsageError(f"the run's notebook does not compile with this kalecompiler: {first.message}")
    pipeline = planned.pipeline
    chosen = find_step(pipeline, step)
    if scope == INPUTS:
        return _as_process(analysis, pipeline, chosen, when)
    above = _above(pipeline, chosen, when)
    names = _names(analysis, [name for name in above if not pipeline.step(name).exits])
    question = _Question(path, data, pipeline, chosen, when)
    asked, unclear = _ask_until_clear(question, names, _generators(analysis, above), ())
    found = _moment(analysis, pipeline, chosen, when, above, asked, unclear)
    beside = _beside(pipeline, chosen, when, above)
    more = sorted({*_names(analysis, beside)} - {*names})
    if not more:
        return replace(found, beside=beside)
    return _with_beside(analysis, found, beside, _ask_until_clear(question, more, (), beside)[0])


def find_step(pipeline: Pipeline, name: str) -> Step:
    """The step of that name, or whose task has it. Raises UsageError."""
    for step in pipeline.steps:
        if name in (step.name, step.task, step.settings.one("display-name")):
            return step
    known = [step.name for step in pipeline.steps]
    hint = did_you_mean(name, known) or f"it has {', '.join(known)}"
    raise UsageError(f"the run has no step `{name}`: {hint}")


@dataclass(frozen=True, slots=True)
class _Question:
    """A notebook, a step of it, and a moment."""

    path: Path
    data: bytes
    pipeline: Pipeline
    chosen: Step
    when: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """The step that reads everything; `problems` are by name, and so are the `warnings` about data."""

    step: Step
    pipeline: Pipeline
    problems: Mapping[str, str]
    warnings: Mapping[str, str]


def _above(pipeline: Pipeline, chosen: Step, when: str) -> tuple[str, ...]:
    """The steps that have run by then, in the order of the notebook."""
    below = {step.name: {*step.after, *(item.producer for item in step.inputs)} for step in pipeline.steps}
    if chosen.exits:
        below[chosen.name] = {step.name for step in pipeline.steps if not step.exits}
    found: set[str] = set()
    todo = {chosen.name} if when == AFTER else set(below[chosen.name])
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo |= below[name]
    return tuple(step.name for step in pipeline.steps if step.name in found)


def _names(analysis: Analysis, above: Sequence[str]) -> list[str]:
    """Every name that a cell has bound by then."""
    reading = analysis.reading
    found = {*analysis.shared.binds, *reading.parameter_names}
    for name in above:
        found |= reading.bound(reading.steps[name])
    found -= {FINAL_STATUS}
    return sorted(n for n in found if not internal.is_internal(n) and not (n.startswith("__") and n.endswith("__")))


def _generators(analysis: Analysis, above: Sequence[str]) -> list[str]:
    """The random states that the notebook keeps track of."""
    parts = [p for name in above for p in analysis.reading.steps[name]] + analysis.reading.shared
    return sorted(draws.seeded([p.tree for p in analysis.reading.parts]) if parts else ())


def _beside(pipeline: Pipeline, chosen: Step, when: str, above: Sequence[str]) -> tuple[str, ...]:
    """The steps that stand above the moment in the notebook, and neither run before the step nor wait for it."""
    first = chosen.cells[0] if when == BEFORE else chosen.cells[-1] + 1
    return tuple(
        step.name
        for step in pipeline.steps
        if step.cells[-1] < first
        and step.name not in (*above, chosen.name)
        and not step.exits
        and chosen.name not in _above(pipeline, step, BEFORE)
    )


def _with_beside(analysis: Analysis, found: Moment, beside: tuple[str, ...], asked: _Asked) -> Moment:
    """The moment with what the steps beside have made under names of their own, if they have run."""
    other = _moment(analysis, found.pipeline, found.step, found.when, found.above, asked, {})
    known = {source.variable for source in found.sources}
    sources = [replace(s, optional=True) for s in other.sources if s.variable not in known]
    code = list(found.content["code"])
    code += [piece for piece in other.content["code"] if piece not in code]
    files = {**other.content.get("files", {}), **found.content.get("files", {})}
    return replace(
        found,
        beside=beside,
        sources=(*found.sources, *sources),
        content={**found.content, "code": code, **({"files": files} if files else {})},
        cells={**_cells(analysis, found.pipeline, beside), **found.cells},
    )


def _ask_until_clear(
    question: _Question, names: Sequence[str], generators: Sequence[str], more: Sequence[str]
) -> tuple[_Asked, dict[str, str]]:
    """What a step that reads these names would get, and why some of them have no one value."""
    unclear: dict[str, str] = {}
    for _ in range(_TRIES):
        wanted = [name for name in names if name not in unclear]
        asked = _ask(question, wanted, generators, more)
        if not asked.problems:
            break
        unclear |= asked.problems
    return asked, unclear


def _ask(question: _Question, names: Sequence[str], generators: Sequence[str], more: Sequence[str]) -> _Asked:
    """Plan the notebook with one more step, which reads the names, one a line, and draws random numbers.

    It runs after the steps above the moment, and after `more`.
    """
    path, pipeline, chosen, when = question.path, question.pipeline, question.chosen, question.when
    document = json.loads(notebook.decode(path, question.data))
    lines = [*names, *(_DRAWS[name] for name in generators)]
    previous = [chosen.name] if when == AFTER else list(chosen.after)
    if chosen.exits:
        previous = [step.name for step in pipeline.steps if not step.exits]
    previous = list(dict.fromkeys([*previous, *more]))
    _write_edges(document, pipeline, {chosen.name: [_NAME]} if when == BEFORE and not chosen.exits else {})
    cell: dict[str, Any] = {
        "cell_type": "code",
        "id": _CELL,
        "metadata": {"tags": [f"step:{_NAME}", *(f"prev:{name}" for name in previous)]},
        "source": "\n".join(lines) or "pass",
        "outputs": [],
        "execution_count": None,
    }
    place = chosen.cells[0] - 1 if when == BEFORE else chosen.cells[-1]
    document["cells"].insert(place, cell)
    analysis = read(path, json.dumps(document).encode())
    planned = planning.complete(analysis)
    errors = [d for d in planned.diagnostics if d.severity is Severity.ERROR]
    problems = {
        names[d.location.line - 1]: _reason(d, names[d.location.line - 1])
        for d in errors
        if d.location.cell_id == _CELL and d.location.line is not None and d.location.line <= len(names)
    }
    if errors and not problems:
        mentioned = {name: d.message for d in errors for name in names if f"`{name}`" in d.message}
        if not mentioned:
            raise UsageError(f"the state cannot be worked out: {errors[0].message}")
        problems = mentioned
    data_warnings = (d for d in planned.diagnostics if d.severity is Severity.WARNING and d.rule.code.startswith("KC2"))
    not_asked = (RANDOM_BRANCHES, FILE_CHANNEL)  # the names of the one are those of steps; the other is about pods
    warned = {d.message for d in data_warnings if d.rule not in not_asked}
    warnings = {name: message for name in names for message in sorted(warned) if f"`{name}`" in message}
    asked = planned.draft.step(_NAME)
    for drawn in (d for d in planned.diagnostics if d.rule is RANDOM_BRANCHES):
        makers = {step.name for step in planned.draft.steps if drawn.location.cell in step.cells}
        warnings |= {
            item.variable: drawn.message for item in asked.inputs if item.producer in makers and item.variable in names
        }
    return _Asked(asked, planned.draft, problems, warnings)


def _reason(found: Diagnostic, name: str) -> str:
    """Why a name has no one value, without the name of the step that asks; empty where it is deleted by then."""
    return "" if found.rule is DELETED_NAME else found.message.removeprefix(f"step `{_NAME}` reads `{name}`, which ")


def _write_edges(document: Any, pipeline: Pipeline, more: Mapping[str, Sequence[str]]) -> None:
    """Write every step's edges as tags, so that one more step does not change how those of the others are found."""
    for step in pipeline.steps:
        for number in step.cells:
            tags = _tags(document["cells"][number - 1])
            kept = [tag for tag in tags if not str(tag).startswith("prev:")]
            if number == step.cells[0]:
                kept += [f"prev:{name}" for name in (*step.after, *more.get(step.name, ()))]
            document["cells"][number - 1].setdefault("metadata", {})["tags"] = kept
    ends = {number for step in pipeline.steps if step.exits for number in step.cells}
    for number, cell in enumerate(document["cells"], 1):
        if Role.METRICS.value in _tags(cell) or number in ends:
            cell["metadata"]["tags"] = [Role.SKIP.value]


def _tags(cell: Mapping[str, Any]) -> list[Any]:
    tags = (cell.get("metadata") or {}).get("tags")
    return list(tags) if isinstance(tags, list) else []


def _moment(
    analysis: Analysis,
    pipeline: Pipeline,
    chosen: Step,
    when: str,
    above: tuple[str, ...],
    asked: _Asked,
    unclear: Mapping[str, str],
) -> Moment:
    found = {item.variable: item for item in asked.step.inputs}
    bound = analysis.reading.bound(analysis.reading.steps[chosen.name]) if chosen.exits and when == AFTER else ()
    sources = tuple(
        source(analysis, pipeline, above, item)
        for item in asked.step.inputs
        if item.variable not in {*draws.VARIABLES, *bound}
    ) + tuple(Source(name, (chosen.name,)) for name in sorted(bound))
    content = payload.content(asked.step, asked.pipeline)
    pieces = zip(asked.step.code, content.get("code", ()), strict=True)
    content = {**content, "code": [piece for code, piece in pieces if _is_definition(code)]}
    return Moment(
        notebook=pipeline.notebook,
        step=chosen,
        when=when,
        content=content,
        above=above,
        sources=sources,
        pipeline=pipeline,
        states={v: item.producer for v, item in found.items() if v in draws.VARIABLES},
        unclear=unclear,
        warnings=asked.warnings,
        cells=_cells(analysis, pipeline, above),
    )


def _is_definition(code: Code) -> bool:
    """Whether a piece makes what variables need, and is neither a cell nor about random states, which come last."""
    if code.kind is CodeKind.METRICS or code.cell_id is not None:
        return False
    return code.source not in {generator.restore for generator in draws.VARIABLES.values()}


def _as_process(analysis: Analysis, pipeline: Pipeline, chosen: Step, when: str) -> Moment:
    """What the process of the step itself gets, and with `after` what it makes."""
    content = payload.content(chosen, pipeline)
    code = [piece for known, piece in zip(chosen.code, content.get("code", ()), strict=True) if _is_definition(known)]
    sources = [
        Source(i.variable, (i.producer,), (), i.early) for i in chosen.inputs if i.variable not in draws.VARIABLES
    ]
    states = {i.variable: i.producer for i in chosen.inputs if i.variable in draws.VARIABLES}
    if when == AFTER:
        own = [o.variable for o in chosen.outputs if not internal.is_internal(o.variable)]
        bound = analysis.reading.bound(analysis.reading.steps[chosen.name])
        names = sorted({*own, *(n for n in bound if n not in chosen.definitions)})
        sources = [s for s in sources if s.variable not in names] + [Source(name, (chosen.name,)) for name in names]
        states = {}
    above = (chosen.name,) if when == AFTER else ()
    return Moment(
        pipeline.notebook,
        chosen,
        when,
        {**content, "code": code},
        above,
        tuple(sources),
        pipeline,
        states,
        {},
        _cells(analysis, pipeline, [step.name for step in pipeline.steps]),
    )


def _cells(analysis: Analysis, pipeline: Pipeline, above: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The cells that bind each name, as `notebook step[n]`."""
    found: dict[str, tuple[str, ...]] = {}
    for name, step, number in _bindings(analysis, above):
        found[name] = (*found.get(name, ()), f"{pipeline.notebook} {step}[{number}]")
    return found


def _bindings(analysis: Analysis, above: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    for step in above:
        for number, part in enumerate(analysis.reading.steps[step], 1):
            for name in sorted(analysis.reading.bound([part])):
                yield name, step, number
