"""Tags written into the text of a notebook's file, and nothing else of it changed.

The file is never dumped anew: a tag is put in, replaced or taken out where it stands, in the file's own indentation,
line ends and spelling of characters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kalecompiler.diagnostics import UsageError
from kalecompiler.jsonspans import elements, members, skip, value_at

_NAMED = re.compile(r'([ \t]*)(?:"(?:[^"\\]|\\.)*"\s*:\s*)?')


@dataclass(frozen=True, slots=True)
class TagEdit:
    """A tag of a cell to change: `old` becomes `new`; without `old` it is added, without `new` removed."""

    cell: int
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class _Style:
    """How a file is written: `unit` is one level of indentation, None where it is all in one line."""

    newline: str
    unit: str | None
    colon: str
    comma: str
    ascii: bool

    def quoted(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=self.ascii)

    def array(self, item: str, indent: str | None) -> str:
        """A list of one text, on a line of its own where `indent`, that of the list's own line, is given."""
        if indent is None or self.unit is None:
            return f"[{self.quoted(item)}]"
        return f"[{self.newline}{indent}{self.unit}{self.quoted(item)}{self.newline}{indent}]"


def decode(path: Path, data: bytes) -> tuple[str, str]:
    """The text of a notebook's file, and its encoding. Raises UsageError for a file that could not be given back."""
    encoding = json.detect_encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise UsageError(f"{path} cannot be changed: it is not text in {encoding.upper()}") from None
    if text.encode(encoding) != data:
        raise UsageError(f"{path} cannot be changed: its encoding {encoding.upper()} would not stay as it is")
    return text, encoding


def edit(path: Path, data: bytes, edits: Iterable[TagEdit]) -> bytes:
    """The file `data` with its tags edited, cell by cell in the order given.

    A tag that is there already is not added, one that is not there neither replaced nor removed.

    Raises UsageError for a file in an old format, or with tags that are no list.
    """
    by_cell: dict[int, list[TagEdit]] = {}
    for change in edits:
        by_cell.setdefault(change.cell, []).append(change)
    if not by_cell:
        return data
    text, encoding = decode(path, data)
    top = members(text, skip(text, 0))
    if "cells" not in top or "nbformat" not in top or text[top["nbformat"].start : top["nbformat"].end] != "4":
        raise UsageError(f"{path} is in an old format: open and save it in Jupyter first")
    style = _style(text)
    cells = list(elements(text, top["cells"].start))
    for number in sorted(by_cell, reverse=True):  # from the end, so that the places above stay
        for change in by_cell[number]:
            text = _edited(path, text, cells[number - 1][0], change, style)
    return text.encode(encoding)


def _style(text: str) -> _Style:
    start = skip(text, 0)
    first, second = list(members(text, start).values())[:2]  # a notebook has its cells and its format
    lead, gap = text[start + 1 : first.key], text[first.end : second.key]
    return _Style(
        newline="\r\n" if "\r\n" in text else "\n",
        unit=lead.rpartition("\n")[2] if "\n" in lead else None,
        colon=text[value_at(text, first.key)[1] : first.start],
        comma=", " if "\n" in gap else gap,
        ascii=text.isascii(),
    )


def _edited(path: Path, text: str, cell: int, change: TagEdit, style: _Style) -> str:
    """The text with one change to the cell that begins at `cell`."""
    metadata = members(text, cell).get("metadata")
    tags = members(text, metadata.start).get("tags") if metadata is not None else None
    if tags is not None and text[tags.start] not in "[n":  # a list or null
        raise UsageError(f'{path}: the tags of cell {change.cell} are not a list: write `"tags": ["step:train"]`')
    if change.old is not None:
        return _replaced(text, tags.start, change.old, change.new, style) if tags is not None else text
    if change.new is None:
        return text
    if tags is not None:
        return _added(text, tags.start, tags.end, change.new, style)
    if metadata is None:
        return _with_member(text, cell, "metadata", change.new, style)
    if members(text, metadata.start):
        return _with_member(text, metadata.start, "tags", change.new, style)
    new = _metadata(change.new, _indent(text, metadata.start), style)  # in place of an empty object, or of null
    return text[: metadata.start] + new + text[metadata.end :]


def _tags(text: str, start: int) -> list[tuple[str, int, int]]:
    """The tags in the list that starts there, each with where it starts and ends."""
    return [(value_at(text, first)[0], first, end) for first, end in elements(text, start)]


def _replaced(text: str, start: int, old: str, new: str | None, style: _Style) -> str:
    """A tag replaced in the list that starts there, or removed; a list holds the new tag once."""
    while True:
        tags = _tags(text, start)
        texts = [tag for tag, _, _ in tags]
        if old not in texts:
            return text
        index = texts.index(old)
        _, first, end = tags[index]
        if new is not None and new not in texts:
            text = text[:first] + style.quoted(new) + text[end:]
        elif len(tags) == 1:
            text = text[: start + 1] + text[skip(text, end) :]
        elif index:
            text = text[: tags[index - 1][2]] + text[end:]
        else:
            text = text[:first] + text[tags[1][1] :]


def _added(text: str, start: int, stop: int, tag: str, style: _Style) -> str:
    """A tag added to the list, or null, that starts and stops there."""
    tags = _tags(text, start)
    if tag in [known for known, _, _ in tags]:
        return text
    if not tags:
        return text[:start] + style.array(tag, _indent(text, start)) + text[stop:]
    end = tags[-1][2]
    return text[:end] + _gap(text[start + 1 : tags[0][1]], style) + style.quoted(tag) + text[end:]


def _gap(lead: str, style: _Style) -> str:
    """What stands between two items, where `lead` stands before the first."""
    return "," + lead if "\n" in lead else style.comma


def _with_member(text: str, start: int, name: str, tag: str, style: _Style) -> str:
    """An object with one more member, which holds the tag: at its place in an order of names, else at the end."""
    parts = members(text, start)
    names = list(parts)
    lead = text[start + 1 : parts[names[0]].key]
    indent = lead.rpartition("\n")[2] if "\n" in lead else None
    value = style.array(tag, indent) if name == "tags" else _metadata(tag, indent, style)
    member, gap = f"{style.quoted(name)}{style.colon}{value}", _gap(lead, style)
    after = next((other for other in names if other > name), None) if names == sorted(names) else None
    if after is not None:
        at = parts[after].key
        return text[:at] + member + gap + text[at:]
    end = parts[names[-1]].end
    return text[:end] + gap + member + text[end:]


def _metadata(tag: str, indent: str | None, style: _Style) -> str:
    """The object `metadata` with one tag; `indent` is that of the line on which it begins."""
    if indent is None or style.unit is None:
        return f"{{{style.quoted('tags')}{style.colon}{style.array(tag, None)}}}"
    inner = indent + style.unit
    member = f"{style.quoted('tags')}{style.colon}{style.array(tag, inner)}"
    return f"{{{style.newline}{inner}{member}{style.newline}{indent}}}"


def _indent(text: str, at: int) -> str | None:
    """The indentation of the line on which a value begins, None where the line holds more than its name."""
    match = _NAMED.fullmatch(text[text.rfind("\n", 0, at) + 1 : at])
    return match[1] if match else None
