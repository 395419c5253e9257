"""The imports in a piece of Python, wherever they stand in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from kalecompiler.diagnostics import RELATIVE_IMPORT
from kalecompiler.findings import Problem
from kalecompiler.shapes import catches
from kalecompiler.trees import walk

_ABSENT = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_DYNAMIC = {"__import__", "import_module", "importlib.import_module"}


class Import(NamedTuple):
    """A module that code imports: `from a import b` gives `a.b`, as `b` may be a module; `from a import *` gives `a`.

    It is `optional` where the code says what to do without it (`try: import a`, `except ImportError:`).
    """

    module: str
    line: int
    optional: bool = False


def imports_of(code: str | ast.AST, package: str = "") -> tuple[Import, ...]:
    """All imports in Python source or its tree, in order; relative ones count only in a module of `package`.

    Raises SyntaxError for source that is no Python.
    """
    tree = ast.parse(code) if isinstance(code, str) else code
    if not any(isinstance(node, ast.Import | ast.ImportFrom) or _names_import(node) for node in walk(tree)):
        return ()  # as most cells are
    return tuple(_walk(tree, package, optional=False))


def _names_import(node: ast.AST) -> bool:
    """Whether a node may be the function of a call that imports."""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name in ("__import__", "import_module")


def relative_imports(code: ast.AST) -> tuple[Problem, ...]:
    """A problem for each relative import of a cell: a notebook is in no package."""
    nodes = [node for node in walk(code) if isinstance(node, ast.ImportFrom) and node.level]
    return tuple(_relative(node) for node in nodes)


def _relative(node: ast.ImportFrom) -> Problem:
    shown = f"from {'.' * node.level}{node.module or ''} import {', '.join(alias.name for alias in node.names)}"
    cure = f"from {node.module} import ..." if node.module else f"import {node.names[0].name}"
    message = f"`{shown}`: a notebook is in no package, so Python cannot resolve a relative import"
    return Problem(RELATIVE_IMPORT, node.lineno, node.col_offset + 1, message, f"write `{cure}`")


def _walk(node: ast.AST, package: str, optional: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        yield from (Import(alias.name, node.lineno, optional) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from _from(node, package, optional)
    elif isinstance(node, ast.Call):
        yield from _call(node, optional)
    guarded = isinstance(node, ast.Try) and any(catches(handler, _ABSENT) for handler in node.handlers)
    for name, child in _children(node):
        yield from _walk(child, package, optional or (guarded and name in ("body", "handlers")))


def _children(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The nodes below a node, each with the name of the field that holds it."""
    for name, value in ast.iter_fields(node):
        yield from (
            (name, child) for child in (value if isinstance(value, list) else [value]) if isinstance(child, ast.AST)
        )


def _from(node: ast.ImportFrom, package: str, optional: bool) -> Iterator[Import]:
    base = node.module or ""
    if node.level:
        parts = package.split(".") if package else []
        if node.level > len(parts):
            return
        base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
    for alias in node.names:
        yield Import(base if alias.name == "*" else f"{base}.{alias.name}", node.lineno, optional)


def _call(node: ast.Call, optional: bool) -> Iterator[Import]:
    """`__import__("x")` and `importlib.import_module("x")`, with the name written out."""
    first = node.args[0] if node.args else None
    if not isinstance(node.func, ast.Name | ast.Attribute) or ast.unparse(node.func) not in _DYNAMIC:
        return
    if isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value.split(".")[0]:
        yield Import(first.value, node.lineno, optional)
