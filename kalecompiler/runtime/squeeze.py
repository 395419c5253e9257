"""Makes Python source short: no comments, docstrings, annotations, nor white space and code that nothing needs.

By position in the source and by tokens, not printed from the syntax tree, so that every Python gives the same text.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from typing import TypeGuard

Place = tuple[int, int]
Cut = tuple[Place, Place, str]
Line = tuple[int, str]  # how deep it is indented, and its text
_SILENT = (tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER)
_WORD_END = re.compile(r"\w\Z")
_WORD_START = re.compile(r"\w")
_IMPORTS = re.compile(r"(?m)^import \w+(;import \w+(?=[;\n]))+")
_COMPOUND = re.compile(r"@|(async|class|def|elif|else|except|finally|for|if|try|while|with)\b")


def squeeze(source: str) -> str:
    """The same program in fewer characters; tracebacks and `__doc__` are all that differ."""
    lines = source.split("\n")
    for (row, column), (end_row, end_column), text in sorted(_superfluous(ast.parse(source)), reverse=True):
        lines[row - 1 : end_row] = [lines[row - 1][:column] + text + lines[end_row - 1][end_column:]]
    short = "".join(" " * depth + text + "\n" for depth, text in _joined(_lines("\n".join(lines))))
    return _IMPORTS.sub(lambda match: match[0].replace(";import ", ","), short)


def _superfluous(node: ast.AST) -> Iterator[Cut]:
    """(start, end, replacement) of what a node holds that does nothing when it runs."""
    if _is_for_checkers(node):
        yield (*_span(node), "")
        return
    if (
        isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and ast.get_docstring(node) is not None
    ):
        yield (*_span(node.body[0]), "pass" if len(node.body) == 1 else "")
    if isinstance(node, ast.arg) and node.annotation:
        yield (node.lineno, node.col_offset + len(node.arg)), _span(node.annotation)[1], ""
    fields = [item for item in node.body if isinstance(item, ast.AnnAssign)] if _is_dataclass(node) else []
    for field in fields:
        yield (*_span(field.annotation), "0")  # there must be one
    if isinstance(node, ast.AnnAssign):
        yield _span(node.target)[1], _span(node.annotation)[1], ""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.returns:
        (row, column), end = _span(node.returns)
        yield (row, column - len(" -> ")), end, ""
    for child in ast.iter_child_nodes(node):
        if child not in fields:
            yield from _superfluous(child)


def _is_for_checkers(node: ast.AST) -> bool:
    """`if TYPE_CHECKING:`, the line that makes it False, and the future import that annotations need."""
    if isinstance(node, ast.ImportFrom):
        return node.module == "__future__"
    subject = node.test if isinstance(node, ast.If) else node.targets[0] if isinstance(node, ast.Assign) else None
    return isinstance(subject, ast.Name) and subject.id == "TYPE_CHECKING"


def _is_dataclass(node: ast.AST) -> TypeGuard[ast.ClassDef]:
    return isinstance(node, ast.ClassDef) and any("dataclass" in ast.dump(item) for item in node.decorator_list)


def _span(node: ast.AST) -> tuple[Place, Place]:
    assert isinstance(node, (ast.expr, ast.stmt))
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _lines(source: str) -> Iterator[Line]:
    """Each logical line, with the white space that Python needs within it."""
    depth, text = 0, ""
    for kind, token in _tokens(source):
        if kind in (tokenize.INDENT, tokenize.DEDENT):
            depth += 1 if kind == tokenize.INDENT else -1
        elif kind == tokenize.NEWLINE:
            yield depth, text
            text = ""
        elif kind not in _SILENT:
            text += " " * bool(_WORD_END.search(text) and _WORD_START.match(token)) + token


def _joined(lines: Iterable[Line]) -> list[Line]:
    """The same statements on fewer lines: simple ones side by side, and behind the colon if a block has no others."""
    runs: list[Line] = []
    for depth, text in lines:
        if runs and runs[-1][0] == depth and not _COMPOUND.match(runs[-1][1]) and not _COMPOUND.match(text):
            text = f"{runs.pop()[1]};{text}"
        runs.append((depth, text))
    short: list[Line] = []
    for (depth, text), (after, _) in zip(runs, [*runs[1:], (0, "")]):
        if short and short[-1][0] < depth and after < depth and not _COMPOUND.match(text):
            depth, text = short[-1][0], short.pop()[1] + text
        short.append((depth, text))
    return short


def _tokens(source: str) -> Iterator[tuple[int, str]]:
    """(type, text) of each token; an f-string is one, as it was before Python 3.12."""
    lines = source.splitlines(keepends=True)
    nested: list[Place] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        name = tokenize.tok_name[token.type]
        if name == "FSTRING_START":
            nested.append(token.start)
        elif name == "FSTRING_END":
            start = nested.pop()
            if not nested:
                yield tokenize.STRING, _between(lines, start, token.end)
        elif not nested:
            yield token.type, token.string


def _between(lines: list[str], start: Place, end: Place) -> str:
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    middle = lines[start[0] : end[0] - 1]
    return "".join([lines[start[0] - 1][start[1] :], *middle, lines[end[0] - 1][: end[1]]])
