"""Pipeline parameters: assignments of literals in the cells tagged so become typed parameters with exact defaults."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kalecompiler.diagnostics import (
    NOT_A_LITERAL,
    NOT_AN_ASSIGNMENT,
    UNSUPPORTED_DEFAULT,
    Diagnostic,
    Rule,
)
from kalecompiler.limits import why_not_carried
from kalecompiler.model import Cell, Notebook, Parameter

_TYPES = {bool: "bool", int: "int", float: "float", str: "str", list: "list", dict: "dict"}
_OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitOr: operator.or_,
    ast.LShift: operator.lshift,
}
_LONGEST = 100_000  # of a text, list or exponent's result: a constant that someone meant to write


class NotALiteral(ValueError):
    """An expression that is no constant."""


def constant(node: ast.expr) -> Any:
    """The value of a constant expression: literals, signs, arithmetic of literals. Raises NotALiteral."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List):
        return [constant(e) for e in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(constant(e) for e in node.elts)
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {constant(k): constant(v) for k, v in zip(node.keys, node.values, strict=True) if k is not None}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = constant(node.operand)
        if isinstance(value, int | float):
            return -value if isinstance(node.op, ast.USub) else +value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return not constant(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        return _operation(node)
    raise NotALiteral(ast.unparse(node))


def _operation(node: ast.BinOp) -> Any:
    left, right = constant(node.left), constant(node.right)
    small = all(isinstance(v, int | float) and abs(v) < 2**64 for v in (left, right))
    if isinstance(node.op, ast.Pow | ast.LShift) and not (small and abs(right) <= 64):
        raise NotALiteral(ast.unparse(node))
    if isinstance(node.op, ast.Mult) and not small and not _short(left, right):
        raise NotALiteral(ast.unparse(node))
    try:
        return _OPERATIONS[type(node.op)](left, right)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise NotALiteral(ast.unparse(node)) from error


def _short(left: Any, right: Any) -> bool:
    """Whether a repetition (`"=" * 80`) stays within what a person would write."""
    sizes = [len(v) if isinstance(v, str | bytes | list | tuple) else v for v in (left, right)]
    return all(isinstance(s, int) and s < _LONGEST for s in sizes) and sizes[0] * sizes[1] < _LONGEST


def read(
    notebook: Notebook, cells: Sequence[tuple[Cell, ast.Module]]
) -> tuple[tuple[Parameter, ...], list[Diagnostic]]:
    """The parameters of the cells in order; a name assigned twice keeps the last value, as in the notebook."""
    found: dict[str, Parameter] = {}
    problems: list[Diagnostic] = []
    for cell, tree in cells:
        for statement in tree.body:
            try:
                for name, value, annotation in _assignments(statement):
                    where = notebook.at(cell, statement.lineno, statement.col_offset + 1, _end(statement))
                    found[name] = _parameter(name, value, annotation, where)
            except _Refused as refused:
                where = notebook.at(cell, statement.lineno, statement.col_offset + 1, _end(statement))
                problems.append(Diagnostic(refused.rule, str(refused), where, refused.hint))
    return tuple(found.values()), problems


class _Refused(ValueError):
    def __init__(self, rule: Rule, message: str, hint: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.hint = hint


def _assignments(statement: ast.stmt) -> Iterator[tuple[str, Any, str | None]]:
    """(name, value, annotation) of each assignment of a statement; docstrings and `pass` are none."""
    if isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    ):
        return
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        if statement.value is not None:
            yield statement.target.id, _value(statement.value), ast.unparse(statement.annotation)
        return
    if not isinstance(statement, ast.Assign):
        raise _Refused(
            NOT_AN_ASSIGNMENT,
            "a pipeline-parameters cell holds only assignments of literals",
            "move this line into a step, or into a cell tagged `functions`",
        )
    value = _value(statement.value)
    for target in statement.targets:
        if isinstance(target, ast.Name):
            yield target.id, value, None
        elif isinstance(target, ast.Tuple | ast.List) and all(isinstance(e, ast.Name) for e in target.elts):
            if not isinstance(value, tuple | list) or len(value) != len(target.elts):
                raise _Refused(NOT_A_LITERAL, "the two sides of this assignment differ in length", "assign one by one")
            yield from ((e.id, v, None) for e, v in zip(target.elts, value, strict=True) if isinstance(e, ast.Name))
        else:
            raise _Refused(NOT_AN_ASSIGNMENT, f"`{ast.unparse(target)}` is not a name", "assign to a plain name")


def _value(node: ast.expr) -> Any:
    try:
        return constant(node)
    except NotALiteral as error:
        raise _Refused(
            NOT_A_LITERAL,
            f"the default `{ast.unparse(node)}` is not a literal",
            "write the value itself, or compute it in a step or in a cell tagged `functions`",
        ) from error


def _parameter(name: str, value: Any, annotation: str | None, where: Any) -> Parameter:
    base, optional = _declared(annotation)
    kind = base or _TYPES.get(type(value))
    if value is None:
        return Parameter(name, kind or "str", None, True, where)
    if isinstance(value, float) and not math.isfinite(value):
        raise _Refused(UNSUPPORTED_DEFAULT, f"the default of `{name}` is not a finite number", "use a finite number")
    if type(value) not in _TYPES:
        hint = "write it as a list" if isinstance(value, tuple) else "use a number, text, list or dict"
        message = f"a pipeline parameter cannot be a {type(value).__name__}, as the default of `{name}` is"
        raise _Refused(UNSUPPORTED_DEFAULT, message, hint)
    actual = _TYPES[type(value)]
    if actual != kind and not (kind == "float" and actual == "int"):
        message = f"`{name}` is annotated as {kind}, but its default is of type {actual}"
        raise _Refused(UNSUPPORTED_DEFAULT, message, "make the annotation and the default agree")
    reason = why_not_carried(value)
    if reason is not None:
        message = f"the default of `{name}` holds {reason}, which KFP cannot carry"
        raise _Refused(UNSUPPORTED_DEFAULT, message, "pass it as text, or compute it in a step")
    return Parameter(name, str(kind), value, optional, where)


def _declared(annotation: str | None) -> tuple[str | None, bool]:
    """The type that an annotation names and whether it allows None; `(None, False)` for others."""
    if annotation is None:
        return None, False
    text = annotation.strip("'\"").replace("typing.", "").replace(" ", "")
    optional = False
    if text.startswith("Optional[") and text.endswith("]"):
        text, optional = text[len("Optional[") : -1], True
    if text.endswith("|None"):
        text, optional = text.removesuffix("|None"), True
    base = text.split("[")[0].lower()
    return (base if base in _TYPES.values() else None), optional


def _end(node: ast.stmt) -> int | None:
    return node.end_col_offset + 1 if node.end_lineno == node.lineno and node.end_col_offset is not None else None
