"""Where a place of a notebook stands in the text of its .ipynb file: the line and column that an annotation needs.

Python's own JSON decoder says where a value ends, so the text is walked member by member, at C's speed over what is
not asked for. Whatever wrote the file is right: Jupyter, nbformat, tabs, a single line, CRLF, escapes or none.
Offsets count characters of the text; an end is exclusive.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from kalecompiler.diagnostics import Diagnostic
from kalecompiler.jsonspans import Member, elements, members, skip, value_at
from kalecompiler.model import Location

_BREAK = re.compile(r"\r\n|\n|\r")
# One character as a JSON string writes it; a pair of surrogates is one.
_CHARACTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL
)
# What the source of a cell is called, in format 4, 3 and before.
_SOURCES = ("source", "input", "code")


@dataclass(frozen=True, slots=True)
class Layout:
    """A notebook's text, and the objects in it: the document's members, and those of each cell."""

    text: str
    document: Mapping[str, Member]
    cells: Sequence[tuple[int, int]]

    def cell(self, number: int) -> Mapping[str, Member]:
        """The members of a cell; none where there is no such cell."""
        return members(self.text, self.cells[number - 1][0]) if 0 < number <= len(self.cells) else {}

    def member(self, number: int | None, keys: Iterable[str]) -> Member | None:
        """The member of a cell, or of the document, that a path of keys leads to, as far as the path exists."""
        inside = self.document if number is None else self.cell(number)
        found = None
        for key in keys:
            if key not in inside:
                break
            found = inside[key]
            inside = members(self.text, found.start)
        return found

    def tags(self, number: int) -> list[tuple[str, int, int]]:
        """The tags of a cell, each with where its JSON string, quotes included, starts and ends."""
        member = members(self.text, self._start(number, "metadata")).get("tags")
        return (
            [] if member is None else [(str(value_at(self.text, s)[0]), s, e) for s, e in _strings(self.text, member)]
        )

    def source(self, number: int, line: int = 1, column: int | None = None) -> int | None:
        """Where a character of a cell's source stands, by line and column from 1; None where there is no such line.

        A column past the end of its line is the end of the line.
        """
        inside = self.cell(number)
        member = next((inside[name] for name in _SOURCES if name in inside), None)
        if member is None:
            return None
        text, offsets = _source(self.text, member)
        breaks = list(_BREAK.finditer(text))
        if not 0 < line <= len(breaks) + 1 or not offsets:
            return None
        start = breaks[line - 2].end() if line > 1 else 0
        end = breaks[line - 1].start() if line <= len(breaks) else len(text)
        return offsets[min(start + (column or 1) - 1, end)]

    def _start(self, number: int, key: str) -> int:
        member = self.cell(number).get(key)
        return len(self.text) if member is None else member.start


class Lines:
    """Offsets into a text -> lines and columns, both from 1."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(found.end() for found in _BREAK.finditer(self._text))]

    def position(self, offset: int) -> tuple[int, int]:
        """The line and column of an offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def layout(text: str) -> Layout:
    """Find the cells of a notebook. Raises ValueError for what is no notebook."""
    start = skip(text, 0)
    value_at(text, start)
    document = members(text, start)
    holders = [document]
    if "cells" not in document and "worksheets" in document:
        holders = [members(text, at) for at, _ in elements(text, document["worksheets"].start)]
    cells = [cell for holder in holders if "cells" in holder for cell in elements(text, holder["cells"].start)]
    return Layout(text, document, cells)


def place(text: str, diagnostics: Iterable[Diagnostic], path: str) -> list[Diagnostic]:
    """The findings, those on the notebook at `path` with their place in its file, whose text is given."""
    try:
        found: Layout | None = layout(text)
    except (ValueError, RecursionError):
        found = None
    lines = Lines(text)
    return [
        d
        if d.location.path != path or d.location.file_line is not None
        else replace(d, location=_placed(d.location, found, lines))
        for d in diagnostics
    ]


def _placed(at: Location, layout: Layout | None, lines: Lines) -> Location:
    """A location with its place in the file: as near as can be told, and at least the first line."""
    start, end = _range(at, layout) if layout else (0, None)
    line, column = lines.position(start)
    end_line, end_column = lines.position(end) if end is not None and end > start else (None, None)
    return replace(at, file_line=line, file_column=column, file_end_line=end_line, file_end_column=end_column)


def _range(at: Location, layout: Layout) -> tuple[int, int | None]:
    """Where what a location means starts and ends in the text."""
    if at.cell is None:
        member = layout.member(None, at.key)
        return (0, None) if member is None else (member.key, member.end)
    if at.tag is not None:
        for tag, start, end in layout.tags(at.cell):
            if tag == at.tag:
                return start + 1, end - 1
    if at.key and (member := layout.member(at.cell, at.key)):
        return member.key, member.end
    if (found := layout.source(at.cell, at.line or 1, at.column)) is not None:
        return found, layout.source(at.cell, at.line or 1, at.end_column) if at.end_column else None
    return (layout.cells[at.cell - 1][0], None) if at.cell <= len(layout.cells) else (0, None)


def _strings(text: str, member: Member) -> list[tuple[int, int]]:
    """The strings that a member is: itself, or the elements of its list."""
    spans = [(member.start, member.end), *elements(text, member.start)]
    return [(start, end) for start, end in spans if text[start] == '"']


def _source(text: str, member: Member) -> tuple[str, list[int]]:
    """A source decoded, and where each of its characters stands, and its end."""
    decoded, offsets, end = "", list[int](), None
    for start, end in _strings(text, member):
        value: Any = value_at(text, start)[0]
        decoded += value
        offsets += [found.start() for found in _CHARACTER.finditer(text, start + 1, end - 1)]
    return decoded, offsets if end is None else [*offsets, end - 1]
