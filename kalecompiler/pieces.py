"""The code of a step, as it is carried: whole cells, and single statements cut out of other cells."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from kalecompiler import names, trees
from kalecompiler.dataflow import Carried
from kalecompiler.facts import Definition
from kalecompiler.model import Code, CodeKind, Location
from kalecompiler.shapes import first_line

#: The text of each step's cells, by step and piece, and the place of the cell.
Texts = dict[tuple[str, int], tuple[str, Location]]


def statement_text(source: str, node: ast.stmt) -> str:
    """The text of a top-level statement, decorators included, without its neighbours on the same line."""
    decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
    first = first_line(node)
    lines = source.split("\n")
    end = (node.end_lineno or node.lineno) - 1
    last = lines[end].encode()[: node.end_col_offset].decode()
    if first - 1 == end:
        start = 0 if decorators else node.col_offset
        return last.encode()[start:].decode()
    head = lines[first - 1].encode()[0 if decorators else node.col_offset :].decode()
    return "\n".join([head, *lines[first:end], last])


def without_defaults(text: str, definition: Definition) -> str:
    """The text of a function's statement with None for each default."""
    node = ast.parse(text).body[0]
    function = next(n for n in trees.walk(node) if isinstance(n, names.FUNCTIONS))
    lines = text.split("\n")
    defaults = [*function.args.defaults, *(d for d in function.args.kw_defaults if d is not None)]
    for d in sorted(defaults, key=lambda d: (d.lineno, d.col_offset), reverse=True):
        assert d.end_lineno is not None
        head = lines[d.lineno - 1].encode()[: d.col_offset].decode()
        tail = lines[d.end_lineno - 1].encode()[d.end_col_offset :].decode()
        lines[d.lineno - 1 : d.end_lineno] = [f"{head}None{tail}"]
    return "\n".join(lines)


def without_decorators(text: str, idle: frozenset[int]) -> str:
    """The text of a definition's statement without some of its decorators."""
    node = ast.parse(text).body[0]
    lines = text.split("\n")
    for number, decorator in reversed(list(enumerate(getattr(node, "decorator_list", ())))):
        if number in idle:
            del lines[decorator.lineno - 1 : decorator.end_lineno]
    return "\n".join(lines)


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
            text = without_decorators(text, first.definition.idle) if first.definition.idle else text
            text = without_defaults(text, first.definition) if first.bare else text
        name = f"{notebook} {first.home}.{first.definition.name}"
        if first.first:
            codes.append(Code(f"{name} before", CodeKind.DEFINITION, "\n".join(first.first)))
        codes.append(Code(name, CodeKind.DEFINITION, text, None, at_line(where, node.lineno, source)))
        if first.then:
            codes.append(Code(f"{name} after", CodeKind.DEFINITION, "\n".join(first.then)))
    return codes


def at_line(where: Location, line: int, source: str) -> Location:
    """A location moved to a line of its cell."""
    text = source.split("\n")[line - 1]
    return Location(where.path, where.cell, where.cell_id, line, 1, None, text)
