"""Dotted paths: what the imported names of a notebook stand for, and what expressions that start at them name."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from kalecompiler.names import imported_names
from kalecompiler.trees import walk


def import_paths(trees: Iterable[ast.AST]) -> dict[str, str]:
    """What each imported name stands for, in dotted form, over the whole notebook."""
    return paths_of(node for tree in trees for node in walk(tree))


def paths_of(nodes: Iterable[ast.AST]) -> dict[str, str]:
    """What the names stand for that these nodes import themselves."""
    paths: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                paths[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            names = list(imported_names(node))
            plain = [a for a in node.names if a.name != "*"]
            paths |= {n: f"{node.module}.{a.name}" for n, a in zip(names, plain, strict=True)}
    return paths


def dotted_path(expr: ast.AST, paths: Mapping[str, str]) -> str | None:
    """The dotted path of an expression that starts at an imported name."""
    parts: list[str] = []
    while isinstance(expr, ast.Attribute | ast.Call | ast.Subscript):
        if isinstance(expr, ast.Call) and expr.args:
            return None  # what a call makes of its arguments is no state of the module
        if isinstance(expr, ast.Attribute):
            parts.append(expr.attr)
        expr = expr.func if isinstance(expr, ast.Call) else expr.value
    if not isinstance(expr, ast.Name):
        return None
    base = paths.get(expr.id, expr.id if expr.id == "open" else None)
    return None if base is None else ".".join([base, *reversed(parts)])
