"""Requirements: the packages and the modules beside the notebook that each step needs, and what is doubtful in them."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from kalecompiler import reach
from kalecompiler.diagnostics import Diagnostic
from kalecompiler.dotted import paths_of
from kalecompiler.findings import Problem
from kalecompiler.imports import Import, imports_of, relative_imports
from kalecompiler.localmodules import Surroundings, local_modules
from kalecompiler.model import Code, Location, Package, Role
from kalecompiler.packages import doubts, is_installed, is_known, is_named, resolve
from kalecompiler.requirementfile import is_reference, read_reference, read_requirements
from kalecompiler.searchpath import search_path

if TYPE_CHECKING:
    from kalecompiler.assemble import Part, Reading
    from kalecompiler.dataflow import Dataflow

Files = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Requirements:
    """For each step its packages, the files it carries, and the top names of the modules that it and the steps import
    whose data it loads; and the findings of the whole notebook."""

    packages: Mapping[str, tuple[Package, ...]]
    files: Mapping[str, Files]
    modules: Mapping[str, frozenset[str]]
    findings: list[Diagnostic]


@dataclass
class _Written:
    """What the notebook and its settings say of packages: `shared` is installed for all steps, `own` for one."""

    shared: list[str] = field(default_factory=list)
    own: dict[str, list[str]] = field(default_factory=dict)
    pinned: list[str] = field(default_factory=list)

    @property
    def everything(self) -> list[str]:
        return [*self.shared, *(line for lines in self.own.values() for line in lines)]


def of_steps(reading: Reading, flow: Dataflow, code: Mapping[str, Sequence[Code]]) -> Requirements:
    """What the steps need: for what they import, and for what the steps import whose data they load."""
    files = {path: text for part in reading.parts for path, text in part.translation.writes}
    findings: list[Diagnostic] = []
    written = _written(reading, findings, files)
    around = _around(reading, written)
    every = _check_cells(reading, written, findings, files, around)
    local = {name: local_modules(around, _imports(pieces), files) for name, pieces in code.items()}
    producers = {c.name: {link.producer for link in c.inputs} for c in flow.steps}
    above: dict[str, dict[str, Import]] = {}
    for name in TopologicalSorter(producers).static_order():
        inherited = {module: item for producer in producers[name] for module, item in above[producer].items()}
        above[name] = inherited | {item.module: item for item in local[name].imports}
    known: dict[object, tuple[Package, ...]] = {}
    packages = {}
    imported = [line for line in written.everything if not _loose(line, every)]
    for name in producers:
        own = written.own.get(name, [])
        others = [line for line in imported if line not in own and line not in written.shared]
        lines = [*written.shared, *others, *own]  # the last line for a package counts
        key = (frozenset((i.module, i.optional) for i in above[name].values()), tuple(lines))
        if key not in known:
            imports = [above[name][module] for module in sorted(above[name])]
            known[key] = resolve(
                imports, everywhere=every, pip=lines, extra=reading.settings.packages, pinned=written.pinned
            )
        packages[name] = known[key]
    files_ = {name: found.files for name, found in local.items()}
    modules = {name: frozenset(module.partition(".")[0] for module in found) for name, found in above.items()}
    return Requirements(packages, files_, modules, findings)


def _around(reading: Reading, written: _Written) -> Surroundings:
    """The folders with modules of the notebook's own; with some added, not every other module is one of an index."""
    nodes = list(reach.every(part.tree for part in reading.parts))
    folder, path = reading.book.path.parent, search_path(nodes, paths_of(nodes))
    if not path.changed:
        return Surroundings(folder)
    lines = [*written.everything, *written.pinned, *reading.settings.packages]
    return Surroundings(
        folder, path.folders, lambda module: is_known(module) or is_named(module, lines) or is_installed(module)
    )


def _imports(pieces: Iterable[Code]) -> list[Import]:
    return [item for piece in pieces for item in _parsed(piece.source)]


@functools.lru_cache(maxsize=512)
def _parsed(source: str) -> Sequence[Import]:
    """The imports of a piece of code; carried ones stand in many steps."""
    if "import" not in source:
        return ()
    try:
        return imports_of(ast.parse(source))
    except (SyntaxError, ValueError):
        return ()


def _loose(line: str, every: Sequence[Import]) -> bool:
    """Whether no import of the notebook is answered by a requirement."""
    return bool(resolve((), everywhere=every, pip=[line]))


def _written(reading: Reading, findings: list[Diagnostic], files: Mapping[str, str]) -> _Written:
    """The requirements that cells and settings write down; the files that they refer to are read."""
    found = _Written()
    if reading.settings.requirements is not None:
        lines = read_requirements(reading.settings.requirements)
        found.pinned += [*lines.lines, *lines.pinned]
        findings += [_diagnostic(p, Location(str(reading.book.path))) for p in lines.problems]
    for part in reading.parts:
        step = part.annotation.step if part.annotation.role is Role.STEP else None
        goal = found.shared if step is None else found.own.setdefault(step, [])
        for text, line in part.translation.requirements:
            if not is_reference(text):
                goal.append(text)
                continue
            lines = read_reference(text, reading.book.path.parent, files)
            goal += lines.lines
            found.pinned += lines.pinned
            findings += [_diagnostic(replace(p, line=line), _at(reading, part, line)) for p in lines.problems]
    return found


def _check_cells(
    reading: Reading,
    written: _Written,
    findings: list[Diagnostic],
    files: Mapping[str, str],
    around: Surroundings,
) -> list[Import]:
    """All imports of the notebook that are not beside it; what is wrong or doubtful goes to the findings."""
    every: list[Import] = []
    places: dict[str, tuple[Part, int]] = {}
    for part in reading.parts:
        local = local_modules(around, imports_of(part.tree), files)
        problems = (*relative_imports(part.tree), *local.problems)
        findings += [_diagnostic(problem, _at(reading, part, problem.line)) for problem in problems]
        for item in local.imports:
            places.setdefault(item.module, (part, item.line))
        every += local.imports
    settings = reading.settings
    for problem in doubts(every, pip=written.everything, extra=settings.packages, pinned=written.pinned):
        place = places.get(problem.module)
        where = _at(reading, *place) if place else Location(str(reading.book.path))
        findings.append(_diagnostic(problem, where))
    return every


def _at(reading: Reading, part: Part, line: int | None) -> Location:
    return reading.book.at(part.annotation.cell, line, 1 if line else None)


def _diagnostic(problem: Problem, where: Location) -> Diagnostic:
    return Diagnostic(problem.rule, problem.message, where, problem.hint)
