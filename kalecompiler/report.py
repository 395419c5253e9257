"""Findings -> text for people, or JSON for programs."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable

from kalecompiler.diagnostics import Diagnostic, Severity
from kalecompiler.model import Location

_TAB = 4
_WIDEST = 160
_LONGEST = 600
_COLORS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "bold": "\x1b[1m", "frame": "\x1b[1;34m", "none": ""}
_RESET = "\x1b[0m"


def render(diagnostics: Iterable[Diagnostic], format: str = "text", color: bool = False) -> str:
    """Findings in the order of the notebook.

    Args:
        diagnostics: the findings, in any order.
        format: a key of `FORMATS`; KeyError for another.
        color: whether text carries ANSI colours.

    Returns: the report, ending in a newline; as text it is empty where there is nothing to report.
    """
    return FORMATS[format](sorted(diagnostics, key=_order), color)


def _order(diagnostic: Diagnostic) -> tuple[str, int, int, int, str, str]:
    at = diagnostic.location
    return (at.path, at.cell or 0, at.line or 0, at.column or 0, diagnostic.rule.code, diagnostic.message)


def _text(diagnostics: list[Diagnostic], color: bool) -> str:
    if not diagnostics:
        return ""
    return "\n".join([*(_finding(d, color) for d in diagnostics), summary(diagnostics) + "\n"])


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """How many there are of each severity: `1 error, 2 warnings`."""
    severities = [d.severity for d in diagnostics]
    counts = [(severities.count(severity), severity.value) for severity in Severity]
    return ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in counts if n) or "no findings"


def _finding(diagnostic: Diagnostic, color: bool) -> str:
    """One finding as rustc shows it: what, where, the line with a caret, the cure."""
    at, severity = diagnostic.location, diagnostic.severity.value
    gutter = " " * len(str(at.line or 1))
    bar = _paint("|", "frame", color)
    lines = [
        _paint(f"{severity}[{diagnostic.rule.code}]", severity, color)
        + _paint(f": {printable(diagnostic.message)}", "bold", color),
        f"{gutter}{_paint('-->', 'frame', color)} {printable(place(at))}",
    ]
    if at.line is not None and at.source is not None:
        text, caret = _excerpt(at.source, at.column, at.end_column)
        number = _paint(str(at.line), "frame", color)
        lines += [f"{gutter} {bar}", f"{number} {bar} {text}".rstrip()]
        lines += [f"{gutter} {bar} {_paint(caret, severity, color)}"] if caret else []
    if diagnostic.hint:
        lines.append(f"{gutter} {_paint('=', 'frame', color)} help: {printable(diagnostic.hint)}")
    return "\n".join(lines) + "\n"


def place(at: Location) -> str:
    """A location in words, as ruff writes it: `churn.ipynb:cell 5:2:7`."""
    parts = [at.path]
    if at.cell is not None:
        parts.append(f"cell {at.cell}")
    if at.line is not None:
        parts += [str(at.line)] + ([str(at.column)] if at.column is not None else [])
    return ":".join(parts) + (f" (tag `{at.tag}`)" if at.tag is not None else "")


def _excerpt(source: str, column: int | None, end: int | None) -> tuple[str, str]:
    """A source line as it is shown, and the caret line below it; columns count characters, and `end` is exclusive."""
    shown = [_shown(char) for char in source]
    if column is None or column > len(shown) + 1:
        return "".join(shown)[:_WIDEST], ""
    start, stop = column - 1, min(max(end or 0, column + 1) - 1, max(len(shown), column))
    first = max(0, start - _WIDEST // 2) if len(shown) > _WIDEST else 0
    text = "".join(shown[first : first + _WIDEST])
    lead = sum(_width(char) for char in shown[first:start])
    marked = sum(_width(char) for char in shown[start : min(stop, first + _WIDEST)])
    return text, " " * lead + "^" * max(marked, 1)


def _shown(char: str) -> str:
    """A character as it can stand on a terminal: tabs as spaces, control characters as a replacement."""
    if char == "\t":
        return " " * _TAB
    return char if char.isprintable() or unicodedata.combining(char) else "\ufffd"


def _width(text: str) -> int:
    """The columns that a text takes on a terminal."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def printable(text: str) -> str:
    """Text of a notebook made safe for a terminal: one line of bearable length, no control characters."""
    cut = text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"
    return "".join(_shown(char) if char != "\n" else " " for char in cut)


def _paint(text: str, name: str, color: bool) -> str:
    return f"{_COLORS[name]}{text}{_RESET}" if color else text


def _json(diagnostics: list[Diagnostic], color: bool) -> str:
    return json.dumps([as_json(d) for d in diagnostics], indent=2, ensure_ascii=False) + "\n"


def as_json(diagnostic: Diagnostic) -> dict[str, str | int | None]:
    """A finding as plain data: the public contract of `--format json`."""
    at = diagnostic.location
    return {
        "code": diagnostic.rule.code,
        "name": diagnostic.rule.name,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
        "path": at.path,
        "cell": at.cell,
        "cell_id": at.cell_id,
        "line": at.line,
        "column": at.column,
    }


FORMATS: dict[str, Callable[[list[Diagnostic], bool], str]] = {"text": _text, "json": _json}
