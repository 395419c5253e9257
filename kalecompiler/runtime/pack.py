"""`python -m kalecompiler.runtime.pack`: makes packed.py, the compressed text of the runtime, from its modules.

The text is made the same by every Python; its compression differs with the zlib that is installed, which is why the
result is kept, and a test compares what it unpacks to.
"""

from __future__ import annotations

import ast
import base64
import io
import tokenize
import zlib
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
BOOT = "boot"
PARTS: dict[str, tuple[str, ...]] = {
    "core": (
        "step",
        "cells",
        "contract",
        "failure",
        "parameters",
        "values",
        "bundle",
        "byvalue",
        "blame",
        "report",
        "metrics",
        "guards",
        "install",
    ),
    "display": ("display", "rich", "tee"),
    "shell": ("shell",),
}
HEADER = '"""Made by `python -m kalecompiler.runtime.pack`; not to be edited."""\n\n# fmt: off\n'


def main() -> None:
    """Write packed.py."""
    lines = [HEADER + f"BOOT = {_literal(pack(boot_text()), '')}\n", "PARTS = {\n"]
    lines += [f'    "{name}": {_literal(pack(part_text(name)), "    ")},\n' for name in PARTS]
    (HERE / "packed.py").write_text("".join([*lines, "}\n"]), encoding="utf-8")


def boot_text() -> str:
    """The stripped source of the program's first code."""
    return strip((HERE / f"{BOOT}.py").read_text(encoding="utf-8"))


def part_text(name: str) -> str:
    """The stripped modules of a part, each after a NUL and its name; a module that is not there yet is left out."""
    files = [HERE / f"{module}.py" for module in PARTS[name]]
    return "".join(f"\0{file.stem}\n{strip(file.read_text(encoding='utf-8'))}" for file in files if file.exists())


def pack(text: str) -> str:
    """Compressed, in base64."""
    return base64.b64encode(zlib.compress(text.encode("ascii"), 9)).decode()


def unpack(constant: str) -> str:
    """The text of a constant."""
    return zlib.decompress(base64.b64decode(constant)).decode()


def strip(source: str) -> str:
    """The source without comments, docstrings, annotations, blank lines and what only type checkers read.

    Cut by position, and not printed from the syntax tree, so that each version of Python gives the same text.
    """
    bare = _cut(source, _comments(source))
    shorter = _cut(bare, _superfluous(ast.parse(bare)))
    return "\n".join(line.rstrip() for line in shorter.split("\n") if line.strip()) + "\n"


Place = tuple[int, int]
Cut = tuple[Place, Place, str]


def _cut(source: str, cuts: Iterator[Cut]) -> str:
    """The source with each (start, end, replacement) done; lines count from 1, columns from 0."""
    lines = source.split("\n")
    for (row, column), (end_row, end_column), text in sorted(cuts, reverse=True):
        lines[row - 1 : end_row] = [lines[row - 1][:column] + text + lines[end_row - 1][end_column:]]
    return "\n".join(lines)


def _comments(source: str) -> Iterator[Cut]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start, token.end, ""


def _superfluous(node: ast.AST) -> Iterator[Cut]:
    """What a node holds that does nothing when it runs."""
    if _is_for_checkers(node):
        yield (*_span(node), "")
        return
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
        yield (*_span(node.body[0]), "pass" if len(node.body) == 1 else "")
    if isinstance(node, ast.arg) and node.annotation:
        start = (node.lineno, node.col_offset + len(node.arg))
        yield start, _span(node.annotation)[1], ""
    if isinstance(node, ast.AnnAssign):
        yield _span(node.target)[1], _span(node.annotation)[1], ""
    if isinstance(node, ast.FunctionDef) and node.returns:
        start, end = _span(node.returns)
        yield (start[0], start[1] - len(" -> ")), end, ""
    for child in ast.iter_child_nodes(node):
        yield from _superfluous(child)


def _is_for_checkers(node: ast.AST) -> bool:
    """`if TYPE_CHECKING:`, the line that makes it False, and the future import that annotations need."""
    if isinstance(node, ast.ImportFrom):
        return node.module == "__future__"
    subject = node.test if isinstance(node, ast.If) else node.targets[0] if isinstance(node, ast.Assign) else None
    return isinstance(subject, ast.Name) and subject.id == "TYPE_CHECKING"


def _span(node: ast.AST) -> tuple[Place, Place]:
    assert isinstance(node, (ast.expr, ast.stmt)) and node.end_lineno is not None and node.end_col_offset is not None
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _literal(text: str, indent: str) -> str:
    """A string constant over lines of 100 characters."""
    rows = [f'{indent}    "{text[start : start + 100]}"\n' for start in range(0, len(text), 100)]
    return "(\n" + "".join(rows) + indent + ")"


if __name__ == "__main__":
    main()
