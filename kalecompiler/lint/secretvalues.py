"""KC602: secrets written into a notebook. What is found is never shown: not in the message, nor in the excerpt."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

from kalecompiler.diagnostics import SECRET_IN_CODE, Diagnostic
from kalecompiler.lint.secretforms import KNOWN, SIGNS, Secret, named, said, spoken
from kalecompiler.lint.subject import Subject
from kalecompiler.model import Cell, Location, Role

_HINT = "withdraw it, as whoever reads the notebook has it, and read it from an environment variable or a secret store"
_MASK = "********"
_NAMING = (ast.Assign, ast.AnnAssign, ast.keyword, ast.Dict, ast.arguments)


def find(subject: Subject) -> Iterator[Diagnostic]:
    """A finding for each secret, in all cells, text and skipped ones too: the file is what gets around."""
    parameters = {p.annotation.cell.number for p in subject.reading.parts if p.annotation.role is Role.PARAMETERS}
    named_ones = _named(subject)
    for cell in subject.book.cells:
        lines: dict[int, list[Secret]] = {}
        for secret in sorted([*_known(cell), *named_ones.get(cell.number, ())], key=lambda s: s.certain, reverse=True):
            lines.setdefault(secret.line, []).append(secret)
        for secret, *others in lines.values():
            what = "a pipeline parameter's default" if cell.number in parameters else f"a {cell.kind.value} cell"
            message = f"{secret.kind} stands in {what}"
            yield Diagnostic(SECRET_IN_CODE, message, _masked(subject, cell, secret, others), _HINT)


def _known(cell: Cell) -> Iterator[Secret]:
    """Secrets that their form betrays, wherever they stand."""
    for number, line in enumerate(cell.source.split("\n") if SIGNS.search(cell.source) else (), 1):
        for kind, pattern in KNOWN.items():
            for match in pattern.finditer(line):
                if not said(match["secret"]):
                    yield Secret(kind, number, *match.span("secret"), certain=True)
        yield from spoken(line, number)


def _named(subject: Subject) -> dict[int, list[Secret]]:
    """Texts that the code itself calls a password, a key or a token; by cell."""
    found: dict[int, list[Secret]] = {}
    for item in subject.nodes:
        for name, value in _pairs(item.node) if isinstance(item.node, _NAMING) else ():
            kind = named(name, value.value) if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""
            if not kind:
                continue
            where = subject.at(item.part, value)
            start, end = (where.column or 1) - 1, (where.end_column or 1) - 1
            secret = Secret(kind, value.lineno, start, end, certain=False)
            found.setdefault(item.part.annotation.cell.number, []).append(secret)
    return found


def _pairs(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The values that a node gives to names: assigned, as keywords, as defaults, under keys."""
    if isinstance(node, ast.Assign):
        yield from ((_name(target), node.value) for target in node.targets)
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield _name(node.target), node.value
    elif isinstance(node, ast.keyword) and node.arg:
        yield node.arg, node.value
    elif isinstance(node, ast.Dict):
        yield from ((_name(key), value) for key, value in zip(node.keys, node.values, strict=True) if key is not None)
    elif isinstance(node, ast.arguments):
        plain = [*node.posonlyargs, *node.args]
        yield from ((p.arg, d) for p, d in zip(plain[len(plain) - len(node.defaults) :], node.defaults, strict=True))
        yield from ((p.arg, d) for p, d in zip(node.kwonlyargs, node.kw_defaults, strict=True) if d is not None)


def _name(target: ast.expr) -> str:
    if isinstance(target, ast.Subscript):
        target = target.slice
    if isinstance(target, ast.Constant):
        return target.value if isinstance(target.value, str) else ""
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def _masked(subject: Subject, cell: Cell, secret: Secret, others: Sequence[Secret]) -> Location:
    """The place of a secret, its line without it and without the others on it."""
    where = subject.book.at(cell, secret.line, secret.start + 1, secret.end + 1)
    text = where.source
    if text is None or any(s.end <= s.start for s in (secret, *others)):
        return replace(where, source=None)
    spans: list[tuple[int, int]] = []
    for one in sorted((secret, *others), key=lambda s: s.start):
        overlaps = bool(spans) and one.start <= spans[-1][1]
        start, end = spans.pop() if overlaps else (one.start, one.end)
        spans.append((start, max(end, one.end)))
    for start, end in reversed(spans):
        text = text[:start] + _MASK + text[end:]
    return replace(where, source=text)
