"""Places and texts of findings as people read them."""

from __future__ import annotations

import unicodedata

from kalecompiler.diagnostics import Diagnostic
from kalecompiler.model import Location

_TAB = 4
_LONGEST = 600


def place(at: Location) -> str:
    """A location in words, as ruff writes it: `churn.ipynb:cell 5:2:7`."""
    inside = in_notebook(at)
    return f"{at.path}:{inside}" if inside and at.cell is not None else at.path + inside


def in_notebook(at: Location) -> str:
    """The place within the notebook: `cell 5:2:7`; empty for the notebook as a whole."""
    parts = [] if at.cell is None else [f"cell {at.cell}"]
    if at.line is not None:
        parts += [str(at.line)] + ([str(at.column)] if at.column is not None else [])
    return ":".join(parts) + (f" (tag `{at.tag}`)" if at.tag is not None else "")


def in_file(at: Location) -> str:
    """The place in the file: `churn.ipynb:57:12`, which editors and terminals can go to."""
    return ":".join([at.path, *(str(n) for n in (at.file_line or 1, at.file_column or 1))])


def concise(diagnostic: Diagnostic) -> str:
    """A finding on one line: where it is in the file, what it is, where it is in the notebook."""
    at = diagnostic.location
    inside = in_notebook(at)
    text = f"{in_file(at)}: {diagnostic.severity.value}[{diagnostic.rule.code}] {diagnostic.message}"
    return printable(text) + (f" ({printable(inside)})" if inside else "")


def printable(text: str) -> str:
    """Text of a notebook made safe for a terminal: one line of bearable length, no control characters."""
    cut = text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"
    return "".join(shown(char) if char != "\n" else " " for char in cut)


def shown(char: str) -> str:
    """A character as it can stand on a terminal: tabs as spaces, control characters as a replacement."""
    if char == "\t":
        return " " * _TAB
    return char if char.isprintable() or unicodedata.combining(char) else "\ufffd"
