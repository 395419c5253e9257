"""Code and names in strings: `exec("x = 1")`, `globals()["x"]`, `df.query("a > @x")` where the text is a literal."""

from __future__ import annotations

import ast
import re

from kalecompiler import trees

_AT_NAME = re.compile(r"@([^\W\d]\w*)")
NAMESPACES = frozenset({"globals", "locals", "vars"})


def embedded(node: ast.Call, path: str | None) -> ast.Module | None:
    """The code that `exec` or `eval` of a literal runs, placed on the call's line; None for other calls."""
    if path not in ("exec", "eval") or len(node.args) != 1:
        return None
    text = node.args[0]
    if not isinstance(text, ast.Constant) or not isinstance(text.value, str):
        return None
    try:
        tree = ast.parse(text.value if path == "exec" else text.value.strip())
    except (SyntaxError, ValueError):
        return None
    for inner in trees.walk(tree):
        if hasattr(inner, "lineno"):
            ast.copy_location(inner, node)
    return tree


def entry(node: ast.expr) -> str | None:
    """The name that `globals()["name"]` is about, None for other expressions."""
    if not isinstance(node, ast.Subscript) or not is_namespace(node.value):
        return None
    key = node.slice
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None


def is_namespace(node: ast.expr) -> bool:
    """Whether an expression is the module's namespace: `globals()`, and at the top level `locals()` and `vars()`."""
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMESPACES and not node.args
    )


def updates(node: ast.Call) -> tuple[str, ...] | None:
    """The names that `globals().update(a=1)` or `.setdefault("a", 1)` binds; None for other calls."""
    if not isinstance(node.func, ast.Attribute) or not is_namespace(node.func.value):
        return None
    if node.func.attr == "update" and not node.args and all(k.arg for k in node.keywords):
        return tuple(k.arg for k in node.keywords if k.arg)
    if node.func.attr == "update" and len(node.args) == 1 and isinstance(node.args[0], ast.Dict):
        keys = [k.value for k in node.args[0].keys if isinstance(k, ast.Constant) and isinstance(k.value, str)]
        return tuple(keys) if len(keys) == len(node.args[0].keys) else None
    return None


def fetched(node: ast.Call) -> str | None:
    """The name that `globals().get("name")` reads, None for other calls."""
    if isinstance(node.func, ast.Attribute) and is_namespace(node.func.value) and node.func.attr == "get" and node.args:
        key = node.args[0]
        return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None
    return None


def query_names(node: ast.Call) -> tuple[str, ...]:
    """The variables that a literal in `df.query("a > @limit")` or `df.eval(...)` names."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in ("query", "eval") or not node.args:
        return ()
    text = node.args[0]
    if isinstance(text, ast.Constant) and isinstance(text.value, str):
        return tuple(dict.fromkeys(_AT_NAME.findall(text.value)))
    if isinstance(text, ast.JoinedStr):
        parts = [v.value for v in text.values if isinstance(v, ast.Constant)]
        return tuple(dict.fromkeys(name for part in parts for name in _AT_NAME.findall(str(part))))
    return ()
