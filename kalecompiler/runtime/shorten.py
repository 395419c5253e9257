"""Gives the variables of functions names of one letter, which deflate likes better.

A variable keeps its name where anything but its function may know it: a name of the module or a builtin, one that is
imported, that a call uses as a keyword, or that an f-string uses in more than `{name}`.
"""

from __future__ import annotations

import ast
import builtins
import io
import re
import string
import tokenize
from collections.abc import Collection, Iterator

Place = tuple[int, int]


def shorten(source: str, keywords: Collection[str]) -> str:
    """The same program, whose callers use no other `keywords` than these; names of one letter are left alone."""
    tree = ast.parse(source)
    kept = {"self", *vars(builtins), *_of_module(tree)}
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    rows = source.splitlines(keepends=True)
    for function in reversed(list(_functions(tree))):
        names = _variables(function) - kept - _kept(function, keywords)
        start, end = (function.lineno, function.col_offset), (function.end_lineno or 0, function.end_col_offset or 0)
        taken = {getattr(node, "id", getattr(node, "arg", None)) for node in ast.walk(function)}
        short = _letters(sorted(name for name in names if len(name) > 1), taken)
        _replace(rows, [token for token in tokens if start <= token.start < end], short)
    return "".join(rows)


def _functions(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions that are in no other one."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield child
        else:
            yield from _functions(child)


def _of_module(tree: ast.Module) -> Iterator[str]:
    """The names that the module's functions see around them, and those in imports."""
    inner = {node for function in _functions(tree) for child in function.body for node in ast.walk(child)}
    for node in ast.walk(tree):
        if node not in inner and isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.alias):
            yield from (*node.name.split("."), node.asname or "")
        elif isinstance(node, ast.ImportFrom):
            yield from (node.module or "").split(".")


def _variables(function: ast.AST) -> set[str]:
    """What a function, and those in it, bind: parameters that can be given by position, and what they assign."""
    found: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.arguments):
            found.update(item.arg for item in (*node.posonlyargs, *node.args, node.vararg, node.kwarg) if item)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
    return found


def _kept(function: ast.AST, keywords: Collection[str]) -> set[str]:
    """The names that cannot be replaced: of parameters that are given by name, here or there, and in f-strings."""
    found: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.arguments):
            found.update(item.arg for item in ast.walk(node) if isinstance(item, ast.arg) and item.arg in keywords)
            found.update(item.arg for item in node.kwonlyargs)
        elif isinstance(node, ast.keyword) and node.arg:
            found.add(node.arg)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            found.update(node.names)
        elif isinstance(node, ast.FormattedValue) and not isinstance(node.value, ast.Name):
            found.update(name.id for name in ast.walk(node.value) if isinstance(name, ast.Name))
    return found


def _letters(names: list[str], taken: Collection[str | None]) -> dict[str, str]:
    """Name -> letter, one of its own if possible."""
    found: dict[str, str] = {}
    for name in names:
        free = (letter for letter in name + string.ascii_letters if letter not in {*taken, *found.values(), "_"})
        found[name] = next(free, name)
    return found


def _replace(rows: list[str], tokens: list[tokenize.TokenInfo], short: dict[str, str]) -> None:
    """Put the short names into the rows, from the end of the tokens on."""
    for token, before in reversed(list(zip(tokens, [None, *tokens], strict=False))):
        if token.type == tokenize.NAME and not (before and before.string == "."):
            text = short.get(token.string, token.string)
        elif token.type == tokenize.STRING and re.match(r"\w*[fF]", token.string):
            text = re.sub(r"(?<!\{)\{(\w+)(?=[}!:])", lambda match: "{" + short.get(match[1], match[1]), token.string)
        else:
            continue
        (row, column), (end_row, end_column) = token.start, token.end
        rows[row - 1 : end_row] = [rows[row - 1][:column] + text + rows[end_row - 1][end_column:]]
