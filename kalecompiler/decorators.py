"""Decorators that only register what they decorate: once that is done, the statement means the same without them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kalecompiler import names, trees


def registers(maker: names.Function, parameter: str, *, made: bool) -> bool:
    """Whether a decorator gives back what it is given, and does nothing to it but put it somewhere.

    Args:
        maker: the decorator's function or, with `made`, the function that is called to make it.
        parameter: the name under which `maker` gets what it decorates; of no meaning with `made`.
        made: whether the decorator is what `maker` returns.
    """
    if made:
        inner = {f.name: f for f in names.body_of(maker) if isinstance(f, ast.FunctionDef)}
        given_back = [inner.get(r.id) if isinstance(r, ast.Name) else None for r in returned(maker)]
        found = [f for f in given_back if f is not None]
        return bool(found) and len(found) == len(given_back) and all(registers(f, _first(f), made=False) for f in found)
    results = list(returned(maker))
    same = bool(results) and all(isinstance(r, ast.Name) and r.id == parameter for r in results)
    return same and not _is_changed(maker, parameter)


def _first(function: names.Function) -> str:
    return (names.parameters(function) or ("",))[0]


def returned(function: names.Function) -> Iterator[ast.expr | None]:
    """What the return statements of a function give, those of functions inside it left out."""
    todo: list[ast.AST] = list(names.body_of(function))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Return):
            yield node.value
        elif not isinstance(node, (*names.FUNCTIONS, ast.ClassDef)):
            todo += trees.children(node)


def _is_changed(function: names.Function, parameter: str) -> bool:
    """Whether a function may change an object that it is given, or bind its name anew."""
    for node in (n for statement in names.body_of(function) for n in trees.walk(statement)):
        if isinstance(node, ast.Name) and node.id == parameter and not isinstance(node.ctx, ast.Load):
            return True
        stored = isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load)
        if stored and _mentions([node.value], parameter):  # type: ignore[attr-defined]
            return True
        if isinstance(node, ast.Call) and not isinstance(node.func, ast.Attribute) and _mentions(node.args, parameter):
            return True
    return False


def _mentions(arguments: list[ast.expr], name: str) -> bool:
    return any(isinstance(a, ast.Name) and a.id == name for a in arguments)
