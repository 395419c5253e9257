"""The code of a step, as it is carried: whole cells, and single statements cut out of other cells."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from kalecompiler.dataflow import Carried
from kalecompiler.model import Code, CodeKind, Location

#: The text of each step's cells, by step and piece, and the place of the cell.
Texts = dict[tuple[str, int], tuple[str, Location]]


def statement_text(source: str, node: ast.stmt) -> str:
    """The text of a top-level statement, decorators included, without its neighbours on the same line."""
    decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
    first = min([node.lineno, *(d.lineno for d in decorators)])
    lines = source.split("\n")
    end = (node.end_lineno or node.lineno) - 1
    last = lines[end].encode()[: node.end_col_offset].decode()
    if first - 1 == end:
        start = 0 if decorators else node.col_offset
        return last.encode()[start:].decode()
    head = lines[first - 1].encode()[0 if decorators else node.col_offset :].decode()
    return "\n".join([head, *lines[first:end], last])


def import_text(node: ast.Import | ast.ImportFrom, wanted: Iterable[str]) -> str:
    """An import reduced to the names that are wanted of it."""
    keep = set(wanted)
    aliases = [
        a
        for a in node.names
        if (a.asname or a.name.split(".")[0] if isinstance(node, ast.Import) else a.asname or a.name) in keep
    ]
    if isinstance(node, ast.Import):
        return ast.unparse(ast.Import(aliases))
    return ast.unparse(ast.ImportFrom(node.module, aliases, node.level))


def carried_code(notebook: str, carried: Sequence[Carried], sources: Texts) -> list[Code]:
    """Definitions of other steps as code, in their order; `sources` has text and place of (step, piece)."""
    groups: dict[int, list[Carried]] = {}
    for item in carried:
        groups.setdefault(id(item.definition.statement), []).append(item)
    codes: list[Code] = []
    for group in groups.values():
        first = group[0]
        node = first.definition.statement
        source, where = sources[first.home, first.definition.site.piece]
        if isinstance(node, ast.Import | ast.ImportFrom):
            text = import_text(node, (c.definition.name for c in group))
        else:
            text = statement_text(source, node)
        name = f"{notebook} {first.home}.{first.definition.name}"
        codes.append(Code(name, CodeKind.DEFINITION, text, None, at_line(where, node.lineno, source)))
    return codes


def at_line(where: Location, line: int, source: str) -> Location:
    """A location moved to a line of its cell."""
    text = source.split("\n")[line - 1]
    return Location(where.path, where.cell, where.cell_id, line, 1, None, text)
