"""How a call reaches a function of the notebook: its parameters beside the argument expressions."""

from __future__ import annotations

import ast

from kalecompiler import names, trees
from kalecompiler.decorators import returned
from kalecompiler.shapes import base, handed_out


def method(owner: ast.ClassDef, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """A method that a class of the notebook defines itself."""
    for statement in owner.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name == name:
            return statement
    return None


def accessors(owner: ast.ClassDef, name: str, kind: str) -> list[ast.FunctionDef]:
    """The functions that a class decorates with `@name.setter` or `@name.deleter`."""
    own = [statement for statement in owner.body if isinstance(statement, ast.FunctionDef)]
    return [f for f in own if any(ast.unparse(d) == f"{name}.{kind}" for d in f.decorator_list)]


def arguments(node: ast.Call) -> list[ast.expr]:
    """All argument expressions of a call, positional first."""
    return [a.value if isinstance(a, ast.Starred) else a for a in node.args] + [k.value for k in node.keywords]


def bind_arguments(
    function: names.Function, call: ast.Call, receiver: ast.expr | None = None, *, bound: bool = False
) -> dict[str, list[ast.expr]]:
    """Which argument expressions each parameter of a function gets; from `*` on they may reach any of them."""
    a = function.args
    plain = [p.arg for p in (*a.posonlyargs, *a.args)]
    given: dict[str, list[ast.expr]] = {}
    if _is_static(function):
        receiver, bound = None, False
    if receiver is not None and plain:
        given[plain[0]] = [receiver]
    if receiver is not None or bound:
        plain = plain[1:]
    rest = a.vararg.arg if a.vararg else None
    unpacked = next((i for i, argument in enumerate(call.args) if isinstance(argument, ast.Starred)), len(call.args))
    for index, argument in enumerate(call.args):
        if index >= unpacked:
            value = argument.value if isinstance(argument, ast.Starred) else argument
            for name in plain[unpacked:] + ([rest] if rest else []):
                given.setdefault(name, []).append(value)
        else:
            target = plain[index] if index < len(plain) else rest
            if target is not None:
                given.setdefault(target, []).append(argument)
    every = {*plain, *(p.arg for p in a.kwonlyargs)}
    for keyword in call.keywords:
        reached = keyword.arg if keyword.arg in every else (a.kwarg.arg if a.kwarg else None)
        if reached is not None:
            given.setdefault(reached, []).append(keyword.value)
    return given


def _is_static(function: names.Function) -> bool:
    """Whether a method gets no object."""
    decorators = getattr(function, "decorator_list", ())
    return any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in decorators)


def default_of(function: names.Function, parameter: str) -> ast.expr | None:
    """The expression of a parameter's default, None where it has none."""
    a = function.args
    plain = [*a.posonlyargs, *a.args]
    pairs = [*zip(plain[len(plain) - len(a.defaults) :], a.defaults, strict=True)]
    pairs += [(p, d) for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True) if d is not None]
    return next((default for p, default in pairs if p.arg == parameter), None)


def returned_parameters(function: names.Function) -> frozenset[str]:
    """The parameters that a function may return as they are."""
    known = frozenset(names.parameters(function))
    if isinstance(function, ast.Lambda):
        values: list[ast.expr | None] = [function.body]
    else:
        values = [n.value for n in trees.walk(function) if isinstance(n, ast.Return)]
    return frozenset(v.id for v in values if isinstance(v, ast.Name)) & known


def returned_from_outside(function: names.Function) -> list[ast.expr]:
    """The variables around a function that it may return, parts of them, and calls without an argument."""
    own = names.local_names(function)
    results = [function.body] if isinstance(function, ast.Lambda) else [r for r in returned(function) if r is not None]
    values = [part for result in results for part in handed_out(result)]
    values += [v for v in results if isinstance(v, ast.Call) and not v.args and not v.keywords]
    starts = [(v, base(v.func if isinstance(v, ast.Call) else v)) for v in values]
    return [v for v, start in starts if isinstance(start, ast.Name) and start.id not in own]


def stored_parameters(init: names.Function) -> frozenset[str]:
    """The parameters that a constructor keeps in an attribute as they are."""
    known = frozenset(names.parameters(init))
    stores = (n for n in trees.walk(init) if isinstance(n, ast.Assign | ast.AnnAssign))
    return frozenset(n.value.id for n in stores if isinstance(n.value, ast.Name)) & known


def reuses(node: ast.Call) -> bool:
    """Whether a call is told that it may work in its argument: `copy=False`, `overwrite_a=True`."""
    return any(
        ((k.arg or "").lower() in ("copy", "copy_x") and is_false(k.value)) or (k.arg or "").startswith("overwrite_")
        for k in node.keywords
    )


def is_false(expr: ast.expr) -> bool:
    return isinstance(expr, ast.Constant) and not expr.value
