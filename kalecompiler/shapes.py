"""Shapes of expressions and statements: small questions about syntax trees that the analysis asks."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence

from kalecompiler import names, trees


def base(expr: ast.expr) -> ast.expr:
    """The innermost object of a chain: `df.loc[i]` is about `df`."""
    while isinstance(expr, ast.Attribute | ast.Subscript):
        expr = expr.value
    return expr


def handed_out(expr: ast.expr) -> Iterator[ast.expr]:
    """The variables, and parts of variables, that a value is made up of: not what calls and operators make of them."""
    if isinstance(expr, ast.Name | ast.Attribute | ast.Subscript):
        yield expr
    elif isinstance(expr, ast.Tuple | ast.List | ast.Set | ast.Dict | ast.IfExp | ast.BoolOp | ast.Starred):
        parts = [expr.body, expr.orelse] if isinstance(expr, ast.IfExp) else trees.children(expr)
        yield from (inner for part in parts if isinstance(part, ast.expr) for inner in handed_out(part))


def first_line(statement: ast.stmt) -> int:
    """The line on which a statement starts, its decorators included."""
    decorators: Sequence[ast.expr] = getattr(statement, "decorator_list", ())
    return min([statement.lineno, *(d.lineno for d in decorators)])


def only_keeps(definition: ast.AST | None, name: str) -> bool:
    """Whether all that a class body does with a variable, where it stands, is to make it an attribute."""
    if not isinstance(definition, ast.ClassDef):
        return False
    parts: list[ast.expr] = names.outer_parts(definition)
    for statement in definition.body:
        if isinstance(statement, names.FUNCTIONS):
            parts += names.outer_parts(statement)
        elif not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Name):
            parts += [n for n in trees.walk(statement) if isinstance(n, ast.expr)]
    return name not in names.loaded(parts)


def stirs(code: ast.AST | None, name: str) -> bool:
    """Whether code looks as if it changed a variable: binds it, sets or deletes a part of it, calls a method of it."""
    for node in trees.walk(code) if code is not None else ():
        if isinstance(node, ast.Global) and name in node.names:
            return True
        part = node.func if isinstance(node, ast.Call) else node
        if isinstance(part, ast.Attribute | ast.Subscript) and not (part is node and isinstance(part.ctx, ast.Load)):
            root = base(part)
            if isinstance(root, ast.Name) and root.id == name:
                return True
    return False


def last_name(expr: ast.expr) -> str:
    """The last name of what is called or named: `cache` of `functools.cache` and of `cache()`; else nothing."""
    if isinstance(expr, ast.Call):
        expr = expr.func
    return expr.attr if isinstance(expr, ast.Attribute) else getattr(expr, "id", "")


def catches(handler: ast.ExceptHandler, errors: Collection[str]) -> bool:
    """Whether a handler catches everything, or one of these errors by its plain name."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in errors) for kind in kinds)


def asks_for_names(test: ast.expr) -> bool:
    """Whether a condition looks into the namespace: `if "x" in globals()`."""
    calls = (n.func for n in trees.walk(test) if isinstance(n, ast.Call))
    return any(isinstance(f, ast.Name) and f.id in {"globals", "locals", "vars", "dir"} for f in calls)


def suppresses(context: ast.expr) -> bool:
    """Whether a context manager is made by `suppress(...)`."""
    return isinstance(context, ast.Call) and last_name(context) == "suppress"


def runs_at_least_once(iterable: ast.expr) -> bool:
    """A literal with elements, or `range` with a positive literal."""
    if isinstance(iterable, ast.List | ast.Tuple | ast.Set):
        return any(not isinstance(e, ast.Starred) for e in iterable.elts)
    if isinstance(iterable, ast.Dict):
        return any(k is not None for k in iterable.keys)
    if isinstance(iterable, ast.Constant):
        return isinstance(iterable.value, str | bytes) and bool(iterable.value)
    if isinstance(iterable, ast.Call) and isinstance(iterable.func, ast.Name) and not iterable.keywords:
        if iterable.func.id == "enumerate" and iterable.args:
            return runs_at_least_once(iterable.args[0])
        if iterable.func.id == "range" and all(isinstance(a, ast.Constant) for a in iterable.args):
            try:
                return bool(range(*(a.value for a in iterable.args)))  # type: ignore[attr-defined]
            except (TypeError, ValueError):
                return False
    return False


def irrefutable(pattern: ast.pattern) -> bool:
    if isinstance(pattern, ast.MatchAs):
        return pattern.pattern is None or irrefutable(pattern.pattern)
    return isinstance(pattern, ast.MatchOr) and any(irrefutable(p) for p in pattern.patterns)


def is_definable(node: ast.AST) -> bool:
    return isinstance(node, names.FUNCTIONS + (ast.ClassDef,))


def is_definitional(node: ast.stmt) -> bool:
    """Whether a statement does nothing but define: imports, functions, classes, flags, and choices between them."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Pass):
        return True
    if isinstance(node, ast.Assign):
        return isinstance(node.value, ast.Constant | ast.Lambda) and all(isinstance(t, ast.Name) for t in node.targets)
    if isinstance(node, ast.If):
        return all(map(is_definitional, [*node.body, *node.orelse])) and any(map(_is_definition, trees.walk(node)))
    if isinstance(node, ast.Try) and not node.finalbody:
        bodies = [*node.body, *node.orelse, *(s for h in node.handlers for s in h.body)]
        return all(map(is_definitional, bodies)) and any(map(_is_definition, trees.walk(node)))
    return False


def _is_definition(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
