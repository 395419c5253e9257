"""Folders that a notebook adds to the places where Python looks for modules: `sys.path.append("../src")`, `%cd repo`.

Modules found there are the notebook's own, whatever an index has under their names.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from kalecompiler.dotted import dotted_path

_ADDS = frozenset({"sys.path.append", "sys.path.insert", "sys.path.extend", "site.addsitedir", "sys.path.__iadd__"})
_SAME = frozenset(
    "os.path.abspath os.path.realpath os.path.normpath os.fspath str pathlib.Path pathlib.PurePath".split()
)
_STAY = frozenset("resolve absolute as_posix __str__ strip".split())
_HERE = frozenset({"os.getcwd", "pathlib.Path.cwd", "os.path.curdir", "os.curdir"})


@dataclass(frozen=True, slots=True)
class Added:
    """A folder that is added: `folder` is relative to the notebook's, `first` whether it comes before all others."""

    folder: str
    first: bool


@dataclass(frozen=True, slots=True)
class SearchPath:
    """`folders` are those added that are known; `changed` tells whether any was, `complete` whether all are known."""

    folders: tuple[Added, ...] = ()
    changed: bool = False
    complete: bool = True


def search_path(nodes: Sequence[ast.AST], paths: Mapping[str, str]) -> SearchPath:
    """What the cells of a notebook, of which these are all nodes, add to the places where Python looks for modules.

    `paths` tells what its imported names stand for.
    """
    reader = _Reader(paths, _bound_once(nodes))
    added = [place for node in nodes for place in _added(node, paths)]
    read = [(reader.folder(expr), first) for expr, first in added]
    found = dict.fromkeys(Added(folder, first) for folder, first in read if folder is not None)
    return SearchPath(tuple(found), bool(added), all(folder is not None for folder, _ in read))


def _added(node: ast.AST, paths: Mapping[str, str]) -> Iterator[tuple[ast.expr, bool]]:
    """The folders that a node adds, as they are written, each with whether it comes first."""
    if isinstance(node, ast.Call):
        path = dotted_path(node.func, paths)
        if path in _ADDS and node.args:
            yield from ((expr, path == "sys.path.insert") for expr in _listed(node.args[-1]))
        elif _magic(node):
            yield node.args[1], True
    elif isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            inner = target.value if isinstance(target, ast.Subscript) else target
            if isinstance(inner, ast.Attribute | ast.Name) and dotted_path(inner, paths) == "sys.path":
                yield from ((expr, isinstance(node, ast.Assign)) for expr in _listed(node.value))


def _listed(expr: ast.expr) -> list[ast.expr]:
    """The elements of a list; what stands for `sys.path` itself in it is left out."""
    if isinstance(expr, ast.BinOp) and isinstance(expr.op, ast.Add):
        sides = [s for s in (expr.left, expr.right) if isinstance(s, ast.List | ast.Tuple)]
        if sides:
            return [e for s in sides for e in _listed(s)]
    if isinstance(expr, ast.List | ast.Tuple):
        return [e for e in expr.elts if not isinstance(e, ast.Starred)]
    return [expr]


def _magic(node: ast.Call) -> bool:
    """`%cd FOLDER`, as it is translated."""
    function = node.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "run_line_magic"
        and len(node.args) > 1
        and isinstance(node.args[0], ast.Constant)
        and node.args[0].value == "cd"
    )


def _bound_once(nodes: Iterable[ast.AST]) -> dict[str, ast.expr]:
    """The values of the variables that one assignment binds."""
    found: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.value)
    return {name: values[0] for name, values in found.items() if len(values) == 1}


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads expressions that give a folder by literals alone."""

    paths: Mapping[str, str]
    variables: Mapping[str, ast.expr]

    def folder(self, expr: ast.expr) -> str | None:
        """The folder relative to the notebook's; None where it is none, elsewhere, or only running the code tells."""
        text = self._text(expr, 0)
        if text is None or PurePath(text).is_absolute() or text.startswith("~") or "\0" in text:
            return None
        return os.path.normpath(text)

    def _text(self, expr: ast.expr, depth: int) -> str | None:
        """The text of a path; an empty one is the notebook's folder."""
        if depth > 20:
            return None
        if isinstance(expr, ast.Constant):
            return expr.value if isinstance(expr.value, str) else None
        if isinstance(expr, ast.Name) and expr.id in self.variables:
            return self._text(self.variables[expr.id], depth + 1)
        if isinstance(expr, ast.BinOp) and isinstance(expr.op, ast.Div | ast.Add):
            return self._joined([expr.left, expr.right], depth, "/" if isinstance(expr.op, ast.Div) else "")
        if isinstance(expr, ast.Attribute):
            return self._attribute(expr, depth)
        return self._call(expr, depth) if isinstance(expr, ast.Call) else None

    def _joined(self, parts: Sequence[ast.expr], depth: int, between: str) -> str | None:
        texts = [self._text(part, depth + 1) for part in parts]
        known = [text for text in texts if text is not None]
        return between.join(t or "." if between else t for t in known) if len(known) == len(texts) else None

    def _attribute(self, expr: ast.Attribute, depth: int) -> str | None:
        path = dotted_path(expr, self.paths)
        if path in _HERE:
            return "."
        if path in ("os.pardir", "os.path.pardir"):
            return ".."
        text = self._text(expr.value, depth + 1) if expr.attr == "parent" else None
        return None if text is None else os.path.normpath(f"{text}/..")

    def _call(self, expr: ast.Call, depth: int) -> str | None:
        path = dotted_path(expr.func, self.paths) or getattr(expr.func, "id", None)
        if path in _HERE or (path == "pathlib.Path" and not expr.args):
            return "."
        if path in _SAME and expr.args:
            return self._joined(expr.args, depth, "/")
        if path == "os.path.join":
            return self._joined(expr.args, depth, "/")
        if path == "os.path.dirname" and expr.args:
            text = self._text(expr.args[0], depth + 1)
            return None if text is None else os.path.normpath(f"{text}/..")
        if isinstance(expr.func, ast.Attribute) and expr.func.attr in (*_STAY, "joinpath"):
            return self._joined([expr.func.value, *expr.args], depth, "/")
        return None
