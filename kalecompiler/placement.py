"""Where a cell belongs that has no tag of its own: text of the cell, place of the cell above -> place.

An untagged cell joins the tagged cell above it. Three cases are not that plain: above the first tagged cell there is
none to join; below pipeline-parameters and pipeline-metrics only what can be part of them joins them.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from kalecompiler.model import Role

_LITERAL = (ast.Constant, ast.UnaryOp, ast.BinOp, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.operator, ast.unaryop)


@dataclass(frozen=True, slots=True)
class Place:
    """What a cell is; `unasked` where it came to run in every step without a tag that says so."""

    role: Role
    step: str | None = None
    unasked: bool = False


@dataclass(frozen=True, slots=True)
class Above:
    """What stands above a cell: the place that an untagged cell joins, and the last step, if there are any."""

    place: Place | None = None
    step: Place | None = None


START = Above()


def place(source: str, tagged: Place | None, above: Above) -> tuple[Place, Above]:
    """The place of a cell whose tags say `tagged` (None: nothing), and what then stands above the next cell."""
    if tagged is not None and tagged.role is Role.SKIP:
        return tagged, above
    found = tagged or _join(source, above)
    if tagged is None and (is_empty(source) or above.place is None):
        return found, above
    return found, Above(found, found if found.role is Role.STEP else above.step)


def _join(source: str, above: Above) -> Place:
    if is_empty(source):
        return above.place or Place(Role.IMPORTS)
    if above.place is None:
        return Place(Role.IMPORTS) if _only_imports(source) else Place(Role.FUNCTIONS, unasked=True)
    if above.place.role is Role.PARAMETERS and not _only_literals(source):
        return above.step or Place(Role.FUNCTIONS, unasked=True)
    if above.place.role is Role.METRICS and not _only_metrics(source):
        return above.step or Place(Role.FUNCTIONS, unasked=True)
    return Place(above.place.role, above.place.step)


def is_empty(source: str) -> bool:
    """Whether a cell has no code: nothing but blank lines and comments."""
    return all(not line.strip() or line.lstrip().startswith("#") for line in source.split("\n"))


def _statements(source: str) -> list[ast.stmt] | None:
    """The statements of a cell; None where it is not plain Python."""
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _only_imports(source: str) -> bool:
    """Whether a cell only imports and sets up: imports, `!pip`, `%pip` and other magics of one line."""
    python = re.sub(r"^[!%](?!%).*", "pass", source, flags=re.MULTILINE)
    statements = _statements(python)
    return statements is not None and all(
        isinstance(s, ast.Import | ast.ImportFrom | ast.Pass) or _is_docstring(s) for s in statements
    )


def _only_literals(source: str) -> bool:
    """Whether a cell only assigns literals to names, as a pipeline-parameters cell does."""
    statements = _statements(source)
    return statements is not None and all(_assigns_literal(s) or _is_docstring(s) for s in statements)


def _assigns_literal(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign):
        targets, value = statement.targets, statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets, value = [statement.target], statement.value
    else:
        return False
    return all(isinstance(t, ast.Name) for t in targets) and all(
        isinstance(node, (*_LITERAL, ast.expr_context)) for node in ast.walk(value)
    )


def _only_metrics(source: str) -> bool:
    """Whether a cell only names results: `accuracy`, `print(accuracy)`, `name = expression`."""
    statements = _statements(source)
    return statements is not None and all(_is_metric(s) or _is_docstring(s) for s in statements)


def _is_metric(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign):
        return all(isinstance(target, ast.Name) for target in statement.targets)
    if not isinstance(statement, ast.Expr):
        return False
    value = statement.value
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "print":
        return len(value.args) == 1 and isinstance(value.args[0], ast.Name)
    return isinstance(value, ast.Name)


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
