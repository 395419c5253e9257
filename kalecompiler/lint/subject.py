"""What the rules of this package look at: an analysed notebook, its syntax trees walked once."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kalecompiler import trees
from kalecompiler.dotted import dotted_path, import_paths
from kalecompiler.model import Location, Notebook, Pipeline

if TYPE_CHECKING:
    from kalecompiler.assemble import Part, Reading
    from kalecompiler.dataflow import Dataflow
    from kalecompiler.plan import Analysis, Planned

_VOLUMES = ("volume", "empty-dir", "ephemeral-volume")


class Node(NamedTuple):
    """A syntax node of a live cell."""

    part: Part
    node: ast.AST


@dataclass(frozen=True, slots=True)
class Call:
    """A call in a live cell; `path` is the dotted name of what is called where an import tells it, else empty."""

    part: Part
    node: ast.Call
    path: str

    @property
    def last(self) -> str:
        """The last name of what is called."""
        function = self.node.func
        return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")

    def keyword(self, name: str) -> ast.expr | None:
        """The value of a keyword argument."""
        return next((k.value for k in self.node.keywords if k.arg == name), None)

    @property
    def open_ended(self) -> bool:
        """Whether `*` or `**` hands over arguments that cannot be seen."""
        return any(isinstance(a, ast.Starred) for a in self.node.args) or any(not k.arg for k in self.node.keywords)


@dataclass(frozen=True, slots=True)
class Subject:
    """A notebook, its live cells in order, with all nodes and all calls in them.

    `draft` is the pipeline as known; it is `sound` where no error was found.
    """

    reading: Reading
    flow: Dataflow
    draft: Pipeline
    sound: bool
    paths: Mapping[str, str]
    nodes: tuple[Node, ...]
    calls: tuple[Call, ...]

    @property
    def book(self) -> Notebook:
        return self.reading.book

    def path(self, expr: ast.expr) -> str:
        """The dotted name of an expression that starts at an imported name, else nothing."""
        return dotted_path(expr, self.paths) or ""

    def mounts(self, step: str | None) -> list[str]:
        """The folders that volumes give to a step, by its tags or by settings."""
        config = self.reading.settings
        tags = [s for part in self.reading.parts if part.annotation.step == step for s in part.annotation.settings]
        own = config.steps.get(step, ()) if step is not None else ()
        volumes = [s for s in (*config.defaults, *own, *tags) if s.kind.removeprefix("new-") in _VOLUMES]
        return [setting.value.partition(":")[0] for setting in volumes]

    def at(self, part: Part, node: ast.expr | ast.stmt | ast.alias) -> Location:
        """The place of a node in the notebook; columns only where the line is as the user wrote it."""
        cell, line = part.annotation.cell, node.lineno
        text = part.translation.source.split("\n")[line - 1]
        if cell.source.split("\n")[line - 1 : line] != [text]:
            return self.book.at(cell, line)
        end = _characters(text, node.end_col_offset) if node.end_lineno == line else len(text)
        return self.book.at(cell, line, _characters(text, node.col_offset) + 1, end + 1)


def of(analysis: Analysis, planned: Planned) -> Subject:
    """The subject that an analysis and the plan made of it are."""
    reading = analysis.reading
    paths = import_paths(part.tree for part in reading.parts)
    nodes = tuple(Node(part, node) for part in reading.parts for node in trees.walk(part.tree))
    calls = tuple(_calls(nodes, paths))
    return Subject(reading, analysis.flow, planned.draft, planned.pipeline is not None, paths, nodes, calls)


def _calls(nodes: tuple[Node, ...], paths: dict[str, str]) -> Iterator[Call]:
    for item in nodes:
        if isinstance(item.node, ast.Call):
            yield Call(item.part, item.node, dotted_path(item.node.func, paths) or "")


def _characters(text: str, offset: int | None) -> int:
    """A place in a line counted in characters, where ast counts bytes."""
    return len(text.encode()[:offset].decode(errors="ignore"))
