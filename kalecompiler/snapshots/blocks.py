"""What `show`, `runs` and `diff` say, as blocks: headings, lines, tables, code; and these as plain text or for rich.

Plain text is what goes into a pipe: every table has the same columns in every line, and no colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import RenderableType

STYLES = {
    "succeeded": "green", "reused": "green", "cached": "green", "failed": "red", "stopped": "yellow",
    "stopped?": "yellow",
    "skipped": "yellow", "running": "cyan", "best": "bold green", "differs": "yellow", "faint": "dim",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """A text of a table, and the name of its style."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    text: str


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of text, as they are."""

    lines: tuple[str, ...]
    style: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under the names of columns (none: a list of facts); `right` are the columns of numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    right: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Patch:
    """A unified diff."""

    text: str


@dataclass(frozen=True, slots=True)
class Hint:
    """What to do next, for those who sit at a terminal: it goes into no pipe."""

    text: str


Block = Heading | Lines | Table | Patch | Hint


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Cell]], right: Iterable[int] = ()) -> Table:
    """A table of texts and cells."""
    made = tuple(tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row) for row in rows)
    return Table(tuple(columns), made, frozenset(right))


def facts(found: Mapping[str, str]) -> Table:
    """Names and what there is to say of them; what is empty is left out."""
    return table((), [(name, text) for name, text in found.items() if text])


def plain(blocks: Sequence[Block]) -> str:
    """Blocks as text; a blank line stands before each heading but the first."""
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, Heading) and lines:
            lines.append("")
        lines += _plain(block)
    return "\n".join(printable(line) for line in lines)


def printable(text: str) -> str:
    """Text whose control characters cannot move a terminal's cursor or change its colours."""
    return "".join(char if char.isprintable() or char == "\t" else repr(char)[1:-1] for char in text)


def show(blocks: Sequence[Block], stream: TextIO, *, color: bool) -> None:
    """Write blocks to a terminal."""
    from rich.console import Console

    Console(file=stream, highlight=False, no_color=not color).print(rich(blocks))


def rich(blocks: Sequence[Block]) -> RenderableType:
    """Blocks for a terminal."""
    from rich.console import Group

    parts: list[RenderableType] = []
    for block in blocks:
        if isinstance(block, (Heading, Hint)) and parts:
            parts.append("")
        parts.append(_rich(block))
    return Group(*parts)


def _plain(block: Block) -> list[str]:
    if isinstance(block, Hint):
        return []
    if isinstance(block, Heading):
        return [block.text]
    if isinstance(block, Lines):
        return list(block.lines)
    if isinstance(block, Patch):
        return block.text.rstrip("\n").split("\n")
    rows = [[cell.text for cell in row] for row in block.rows]
    every = [[name.upper() for name in block.columns], *rows] if block.columns else rows
    if not every:
        return []
    widths = [max(len(row[at]) for row in every) for at in range(len(every[0]))]
    return [
        "  ".join(_padded(text, widths[at], at in block.right) for at, text in enumerate(r)).rstrip() for r in every
    ]


def _padded(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)


def _rich(block: Block) -> RenderableType:
    from rich.table import Table as RichTable
    from rich.text import Text

    if isinstance(block, (Heading, Hint)):
        return Text(printable(block.text), "bold" if isinstance(block, Heading) else "dim")
    if isinstance(block, Lines):
        return Text("\n".join(map(printable, block.lines)), STYLES.get(block.style, block.style))
    if isinstance(block, Patch):
        return _colored_patch(block.text)
    made = RichTable(box=None, show_header=bool(block.columns), header_style="dim", padding=(0, 2, 0, 0))
    for at in range(len(block.columns or (block.rows[0] if block.rows else ()))):
        name = block.columns[at] if block.columns else ""
        made.add_column(name, justify="right" if at in block.right else "left", overflow="fold")
    for row in block.rows:
        made.add_row(*(Text(printable(cell.text), STYLES.get(cell.style, cell.style)) for cell in row))
    return made


def _colored_patch(text: str) -> RenderableType:
    from rich.text import Text

    made = Text()
    for line in text.rstrip("\n").split("\n"):
        styles = {"+": "green", "-": "red", "@": "cyan"}
        style = "bold" if line.startswith(("+++", "---")) else styles.get(line[:1], "")
        made.append(printable(line) + "\n", style)
    made.right_crop(1)
    return made
