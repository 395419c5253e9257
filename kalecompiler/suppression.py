"""Findings that one decided to live with: `# noqa: KC302` on a line, the tags `noqa` and `noqa:KC302` on a cell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from kalecompiler.diagnostics import RULES, UNKNOWN_NOQA, Diagnostic
from kalecompiler.model import Cell, CellKind, Location, Notebook
from kalecompiler.ruleset import is_code
from kalecompiler.suggest import did_you_mean

_COMMENT = re.compile(r"#\s*noqa\b(?:\s*:\s*(?P<codes>[A-Za-z]+\d*(?:[,\s]+[A-Za-z]+\d+)*))?", re.IGNORECASE)
_QUOTES = ('"""', "'''")
_ALL = ("",)


@dataclass(frozen=True, slots=True)
class Suppressed:
    """The findings that are left, and those that a `noqa` takes away."""

    kept: tuple[Diagnostic, ...]
    hidden: tuple[Diagnostic, ...]


def apply(book: Notebook, diagnostics: Iterable[Diagnostic]) -> Suppressed:
    """Part the findings of a notebook by what its `noqa` comments and tags say."""
    cells = {cell.number: cell for cell in book.cells}
    kept, hidden = list[Diagnostic](), list[Diagnostic]()
    for diagnostic in diagnostics:
        cell = cells.get(diagnostic.location.cell or 0)
        codes = () if cell is None else _codes(cell, diagnostic.location.line)
        (hidden if diagnostic.rule.code.startswith(codes) else kept).append(diagnostic)
    return Suppressed(tuple(kept), tuple(hidden))


def unknown(book: Notebook) -> Iterator[Diagnostic]:
    """A finding for each code of ours that a `noqa` names, and that no rule has."""
    for cell in book.cells:
        for tag in _tags(cell):
            yield from _unknown(tag.partition(":")[2], replace(book.at(cell), tag=tag))
        if cell.kind is CellKind.CODE and "noqa" in cell.source.lower():
            for number, line in enumerate(cell.source.split("\n"), 1):
                if found := _COMMENT.search(line):
                    where = book.at(cell, number, found.start() + 1, found.end() + 1)
                    yield from _unknown(found["codes"] or "", where)


def _unknown(codes: str, where: Location) -> Iterator[Diagnostic]:
    for code in _listed(codes):
        if code.startswith("KC") and not is_code(code):
            message = f"`noqa` names `{code}`, which is no rule, so it hides nothing"
            yield Diagnostic(UNKNOWN_NOQA, message, where, did_you_mean(code, RULES))


def _codes(cell: Cell, line: int | None) -> tuple[str, ...]:
    """The beginnings of the codes that are hidden on a line of a cell; all begin with nothing."""
    found: tuple[str, ...] = ()
    for tag in _tags(cell):
        found += _ALL if tag == "noqa" else tuple(_listed(tag.partition(":")[2]))
    if line is not None and "noqa" in cell.source.lower():
        for text in _comments_for(cell.source.split("\n"), line):
            if comment := _COMMENT.search(text):
                found += tuple(_listed(comment["codes"])) if comment["codes"] else _ALL
    return found


def _comments_for(lines: Sequence[str], line: int) -> Iterator[str]:
    """The lines whose comment counts for a line: itself, and where it is within a long string, the one that ends it."""
    yield from lines[line - 1 : line]
    for quotes in _QUOTES:
        if sum(text.count(quotes) for text in lines[:line]) % 2:
            yield from [text for text in lines[line:] if quotes in text][:1]


def _tags(cell: Cell) -> list[str]:
    tags = cell.metadata.get("tags")
    texts = tags if isinstance(tags, list) else [tags]
    return [tag for tag in texts if isinstance(tag, str) and (tag == "noqa" or tag.startswith("noqa:"))]


def _listed(codes: str) -> list[str]:
    return [code.upper() for code in re.split(r"[,\s:]+", codes) if code]
