"""Plan: a notebook's path -> its pipeline, or every reason why there is none. Runs read, annotate, analyse, connect."""

from __future__ import annotations

import ast
import contextlib
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kalecompiler import (
    assemble,
    dataflow,
    draws,
    hidden,
    ipython,
    metricsteps,
    names,
    naming,
    notebook,
    ordering,
    parameters,
    preamble,
    results,
    settings,
    tags,
)
from kalecompiler import diagnostics as rules
from kalecompiler.assemble import Part, Reading
from kalecompiler.dataflow import Dataflow
from kalecompiler.diagnostics import Diagnostic, has_errors
from kalecompiler.limits import check_expressible
from kalecompiler.model import Annotation, Cell, Location, Notebook, Parameter, Pipeline, Role, StepSettings
from kalecompiler.namespace import Whole
from kalecompiler.preamble import Preamble
from kalecompiler.settings import Settings
from kalecompiler.trees import walk
from kalecompiler.versions import Unit

DEEPEST = 1000
"""How deep a syntax tree may be: the analysis takes a few Python frames a level."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What planning a notebook gives: `pipeline` is None where an error was found, `draft` is it as far as known."""

    notebook: Notebook
    draft: Pipeline
    diagnostics: tuple[Diagnostic, ...]
    settings: Settings

    @property
    def pipeline(self) -> Pipeline | None:
        return None if has_errors(self.diagnostics) else self.draft


@dataclass(frozen=True, slots=True)
class Analysis:
    """A notebook read, analysed and connected: what the pipeline is then put together from."""

    reading: Reading
    annotations: tuple[Annotation, ...]
    shared: Preamble
    flow: Dataflow
    diagnostics: tuple[Diagnostic, ...]


@contextlib.contextmanager
def deep_recursion() -> Iterator[None]:
    """Let the analysis follow trees of DEEPEST levels, and leave the parser's warnings to the run."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 10 * DEEPEST))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            yield
    finally:
        sys.setrecursionlimit(before)


def plan(path: Path, options: Mapping[str, Any], data: bytes | None = None) -> Planned:
    """Plan the notebook at `path`, or `data` in its place; `options` are settings given on the command line.

    Raises NotebookError where the file is no notebook, UsageError where it or the configuration cannot be read.
    """
    return complete(analyse(path, options, data))


@deep_recursion()
def complete(analysis: Analysis) -> Planned:
    """Put the pipeline together from what was found out about the notebook."""
    reading = analysis.reading
    settings_ = tags.step_settings(analysis.annotations, reading.settings)
    draft, findings = assemble.pipeline(reading, analysis.shared, analysis.flow, settings_)
    diagnostics = [*analysis.diagnostics, *findings, *hidden.module_state(reading.book, draft.steps)]
    if not has_errors(diagnostics):
        diagnostics += check_expressible(draft)
    return Planned(reading.book, draft, tuple(_in_order(diagnostics)), reading.settings)


@deep_recursion()
def analyse(path: Path, options: Mapping[str, Any], data: bytes | None = None) -> Analysis:
    """Run read, annotate, analyse and connect on the notebook at `path`, or on `data` in its place.

    Raises as `plan` does.
    """
    book, found = notebook.read(path, data)
    config, more = settings.load(book, options)
    annotations, problems = tags.annotate(book, config)
    diagnostics = [*found, *more, *problems]
    parts = [_part(book, annotation, diagnostics) for annotation in annotations if annotation.role is not Role.SKIP]
    parameters_, metrics = _parameters_and_metrics(book, parts, diagnostics)
    parameters_ = tags.with_final_status(annotations, config, parameters_)
    settings_ = tags.step_settings(annotations, config)
    unplaced = assemble.with_tagged_metrics(
        Reading(book, config, parts, _steps(parts), parameters_, metrics), settings_
    )
    reading = metricsteps.by_text(unplaced)
    live = [part.tree for part in parts]
    whole = Whole(
        names.method_names(s for tree in live for s in tree.body),
        draws.seeded(live),
        frozenset(config.pure),
        any(isinstance(s, ast.ImportFrom) and s.module == "__future__" for tree in live for s in tree.body),
        any(isinstance(n, ast.Attribute) and n.attr == "__subclasses__" for tree in live for n in walk(tree)),
    )
    types = {p.name: p.type for p in parameters_}
    shared = preamble.build(reading.shared_statements(), types, whole)
    unresolvable = {rules.UNKNOWN_STEP, rules.PREV_CYCLE, rules.PREV_TO_ITSELF}
    loose = any(d.rule in unresolvable for d in diagnostics)

    def connected(reading: Reading) -> tuple[list[Unit], Dataflow]:
        units = _units(reading, settings_, loose=loose)
        if shared.repeated:
            units = [replace(u, preamble=_as_found(reading, u.name, types, whole)) for u in units]
        return units, dataflow.connect(units, shared, reading.parameter_names, whole)

    units, flow = connected(reading)
    moved = metricsteps.by_data(unplaced, units, flow, shared)
    if moved.metrics != reading.metrics:  # a later step changes what a metric is made of
        reading = moved
        _, flow = connected(reading)
    diagnostics += metricsteps.check(moved)
    diagnostics += _shared_findings(reading, shared) + _rebound(reading, shared)
    diagnostics += _name_findings(reading, settings_, flow, shared, diagnostics)
    diagnostics += hidden.find(reading) + ordering.check(reading, flow)
    return Analysis(reading, annotations, shared, flow, tuple(diagnostics))


def _part(book: Notebook, annotation: Annotation, diagnostics: list[Diagnostic]) -> Part:
    """A live cell as Python; what could not be translated is reported, and the cell is then empty."""
    cell = annotation.cell
    translation = ipython.translate(cell.source)
    problems = translation.problems
    for problem in problems:
        where = book.at(cell, problem.line, problem.column)
        diagnostics.append(Diagnostic(problem.rule, problem.message, where, problem.hint))
    try:
        tree = names.mangled(translation.tree or ast.parse(translation.source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = ast.Module([], [])
    if names.depth(tree) > DEEPEST:
        tree, translation = ast.Module([], []), replace(translation, source="")
        if not any(p.rule is rules.SYNTAX_ERROR for p in problems):
            message = f"the code is nested more than {DEEPEST} levels deep, too deep to be read"
            diagnostics.append(Diagnostic(rules.SYNTAX_ERROR, message, book.at(cell), "split the expression"))
    if annotation.role is Role.STEP:
        diagnostics += _star_imports(book, cell, tree)
    return Part(annotation, translation, tree)


def _star_imports(book: Notebook, cell: Cell, tree: ast.Module) -> list[Diagnostic]:
    return [
        Diagnostic(
            rules.STAR_IMPORT,
            f"`from {node.module} import *` in a step: which names it binds cannot be known",
            book.at(cell, node.lineno, node.col_offset + 1, node.end_col_offset),
            "import the names that you use, or move the line into a cell tagged `imports`",
        )
        for node in walk(tree)
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
    ]


def _parameters_and_metrics(
    book: Notebook, parts: Sequence[Part], diagnostics: list[Diagnostic]
) -> tuple[tuple[Parameter, ...], tuple[results.Result, ...]]:
    def cells(role: Role) -> list[tuple[Cell, ast.Module]]:
        return [(p.annotation.cell, p.tree) for p in parts if p.annotation.role is role]

    found, problems = parameters.read(book, cells(Role.PARAMETERS))
    metrics, more = results.read(book, cells(Role.METRICS))
    diagnostics += problems + more
    return found, metrics


def _steps(parts: Sequence[Part]) -> dict[str, list[Part]]:
    """The cells of each step; steps stand in the order of their first cells."""
    steps: dict[str, list[Part]] = {}
    for part in parts:
        if part.annotation.step is not None:
            steps.setdefault(part.annotation.step, []).append(part)
    return steps


def _units(reading: Reading, settings_: Mapping[str, StepSettings], *, loose: bool) -> list[Unit]:
    """What connect needs of each step; with `loose` the `prev:` tags are broken and left aside.

    A step that takes part in the `prev:` graph, by a tag of its own or named in another's, has those edges and no
    others; the edges of one that stands outside it come from the data.
    """
    shown = reading.shown_metrics()
    joined = {p.name for parts in reading.steps.values() for part in parts for p in part.annotation.previous}
    units = []
    for name, parts in reading.steps.items():
        named = [p.name for part in parts for p in part.annotation.previous]
        previous = tuple(dict.fromkeys(n for n in named if n in reading.steps and n != name))
        pieces = [p.piece() for p in parts] + reading.metric_pieces(shown.get(name, ()))
        written = settings_[name].written
        changes = tuple(names.normal(s.value) for s in written if s.kind == "changes")
        together = tuple(tuple(map(names.normal, s.value.split(","))) for s in written if s.kind == "together")
        tagged = bool(named) or name in joined
        units.append(Unit(name, previous if tagged and not loose else None, tuple(pieces), changes, together))
    return units


def _as_found(reading: Reading, step: str, types: Mapping[str, str], whole: Whole) -> preamble.Preamble:
    """The shared cells as a step finds them, where a name is bound above it and again below it."""
    numbers = [part.annotation.cell.number for part in reading.steps[step]]
    cells = [part.annotation.cell.number for part in reading.shared]
    return preamble.build(preamble.above(reading.shared_statements(), cells, numbers[0], numbers[-1]), types, whole)


def _shared_findings(reading: Reading, shared: preamble.Preamble) -> list[Diagnostic]:
    """Names that the imports and functions cells read as they run, and that only a step makes, or nothing."""
    found = []
    for item, read in shared.unresolved(reading.parameter_names):
        makers = [name for name, parts in reading.steps.items() if read.name in reading.bound(parts)]
        part = reading.shared[item.piece]
        where = reading.book.at(part.annotation.cell, read.site.line, read.site.column, read.site.end)
        if makers:
            message = (
                f"a cell tagged `{part.annotation.role.value}` reads `{read.name}`, which step `{makers[0]}` makes"
            )
            hint = f"it runs before every step: give the cell the tag `step:{makers[0]}`, or one of its own"
            if part.annotation.role is Role.HANDLER:
                hint = f"it runs before every step: define `{read.name}` in a cell tagged `functions`"
            found.append(Diagnostic(rules.SHARED_CELL_READS_STEP, message, where, hint))
        else:
            message = f"`{read.name}` is read here, and nothing in the notebook defines it"
            found.append(Diagnostic(rules.UNDEFINED_NAME, message, where))
    return found


def _rebound(reading: Reading, shared: preamble.Preamble) -> list[Diagnostic]:
    """A parameter that an imports or functions cell binds too could never be set."""
    return [
        Diagnostic(
            rules.PARAMETER_REBOUND,
            f"the parameter `{p.name}` is bound again in a cell tagged `imports` or `functions`",
            p.origin or Location(str(reading.book.path)),
            "rename one of the two",
        )
        for p in reading.parameters
        if p.name in shared.binds
    ]


def _name_findings(
    reading: Reading,
    settings_: Mapping[str, StepSettings],
    flow: Dataflow,
    shared: preamble.Preamble,
    before: Sequence[Diagnostic],
) -> list[Diagnostic]:
    """The problems of the dataflow in words; where cells could not be read, missing names may be in those."""
    blind = any(d.rule in (rules.SYNTAX_ERROR, rules.STAR_IMPORT) for d in before)
    known = {*shared.binds, *(p.name for p in reading.parameters)}
    known |= {name for parts in reading.steps.values() for name in reading.bound(parts)}
    found: dict[tuple[str, str, str, Location], Diagnostic] = {}
    for problem in flow.problems:
        if blind and problem.kind in ("undefined", "no-variable"):
            continue
        where = reading.locate(problem.unit, problem.site)
        if problem.kind in ("no-variable", "no-taker"):
            kind, _, value = problem.owner.partition(":")
            where = settings_[problem.unit].origin(kind, key=value) or where
        found.setdefault((problem.kind, problem.name, problem.unit, where), naming.describe(problem, where, known))
    return list(found.values())


def _in_order(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Findings in the order of the notebook, each once."""
    unique = list(dict.fromkeys(diagnostics))
    return sorted(
        unique, key=lambda d: (d.location.cell or 0, d.location.line or 0, d.location.column or 0, d.rule.code)
    )
