"""The names that `{expression}` and `$name` in a shell line or a magic's arguments may read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from string import Formatter

_DOLLAR = re.compile(r"\$(\$?[\w.]+)")


def names_in(text: str) -> tuple[str, ...]:
    """Every name that IPython would look up to expand `text`, sorted; text that is no template has none."""
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        return ()
    expressions = [part for literal, field, spec, _ in parts for part in _expressions(literal, field, spec)]
    return tuple(sorted({name for expression in expressions for name in _names(expression)}))


def _expressions(literal: str, field: str | None, spec: str | None) -> Iterator[str]:
    yield from (name for name in _DOLLAR.findall(literal) if not name.startswith("$"))
    if field:
        yield f"{field}:{spec}" if spec else field


def _names(expression: str) -> Iterator[str]:
    """The names that an expression reads; none where it is no Python (`awk '{print $1}'`)."""
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
