"""Whether a cell is Python that compiles, and what to say where it is not."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

from kalecompiler.diagnostics import KEYBOARD_INPUT, SYNTAX_ERROR
from kalecompiler.findings import Problem
from kalecompiler.magics import bound_names, is_magic_name

_PYTHON_2 = re.compile(
    r"Missing parentheses in call to|multiple exception types must be parenthesized|leading zeros in decimal|`"
)
_UNCERTAIN = {
    "FunctionDef", "AsyncFunctionDef", "Lambda", "Try", "TryStar", "Match", "IfExp", "BoolOp", "ExceptHandler",
}  # fmt: skip


def parse(source: str) -> ast.Module | Exception:
    """The tree of a cell, or the error that says why there is none; warnings of the parser are left to the run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return error


def problems_of(source: str, tree: ast.Module) -> Iterator[Problem]:
    """What is wrong with a cell that parses: code that does not compile, and questions to a keyboard."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(tree, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        yield syntax_problem(source, error)
    if "input" in source or "getpass" in source:
        bound = bound_names(source)
        yield from (_keyboard(call, source) for call in _certain(tree) if _asks(call, bound))


def syntax_problem(source: str, error: Exception) -> Problem:
    """The problem that Python's own error describes."""
    if not isinstance(error, SyntaxError):
        message = "the cell is nested too deeply" if isinstance(error, RecursionError | MemoryError) else str(error)
        return Problem(SYNTAX_ERROR, 1, 1, message, "write the cell as plain Python text")
    line = min(max(error.lineno or 1, 1), source.count("\n") + 1)
    text, _, advice = error.msg.rstrip(".").partition(". ")
    hint = _hint(error.msg, source.split("\n")[line - 1]) or _lower(advice) or None
    return Problem(SYNTAX_ERROR, line, max(error.offset or 1, 1), _lower(text), hint)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _hint(message: str, text: str) -> str | None:
    if _PYTHON_2.search(message) or re.match(r"\s*(print|exec)\s+[^\s(=.]", text):
        return "this looks like Python 2, and a step runs Python 3: `print(x)`, `except E as e`"
    word = text.split(maxsplit=1)[0] if text.split() else ""
    if is_magic_name(word):
        return f"write `%{text.strip()}`: IPython takes it as a magic without `%` only alone in its cell"
    return None


def _certain(node: ast.AST) -> Iterator[ast.Call]:
    """The calls that a cell makes whatever its values are: not in functions, nor in branches that may not run."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If):
            yield from _certain(ast.Expr(child.test))
        elif type(child).__name__ not in _UNCERTAIN:
            if isinstance(child, ast.Call):
                yield child
            yield from _certain(child)


def _asks(call: ast.Call, bound: tuple[str, ...]) -> bool:
    name = ast.unparse(call.func)
    return (name == "input" and "input" not in bound) or name in ("getpass.getpass", "getpass")


def _keyboard(call: ast.Call, source: str) -> Problem:
    name = ast.unparse(call.func)
    before = source.split("\n")[call.lineno - 1].encode()[: call.col_offset]
    hint = "make it a pipeline parameter" if name == "input" else "hand it over as a `secret:NAME:KEY:ENV` tag"
    message = f"`{name}()` waits for a keyboard, which a step does not have"
    return Problem(KEYBOARD_INPUT, call.lineno, len(before.decode()) + 1, message, hint)
