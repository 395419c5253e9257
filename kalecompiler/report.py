"""Findings -> text for people, or one of the formats that programs read."""

from __future__ import annotations

import importlib
import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from kalecompiler.diagnostics import RULES, Diagnostic, Severity
from kalecompiler.fingerprints import fingerprints
from kalecompiler.formats.context import Context
from kalecompiler.formats.wording import concise, place, printable, shown
from kalecompiler.model import Location

__all__ = ["FORMATS", "as_json", "place", "printable", "render", "statistics", "summary"]

_WIDEST = 160
_COLORS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "bold": "\x1b[1m", "frame": "\x1b[1;34m", "none": ""}
_RESET = "\x1b[0m"


def render(
    diagnostics: Iterable[Diagnostic], format: str = "text", color: bool = False, context: Context | None = None
) -> str:
    """Findings in the order of the notebook.

    Args:
        diagnostics: the findings, in any order.
        format: a key of `FORMATS`; KeyError for another.
        color: whether text carries ANSI colours.
        context: what the report is about beside them.

    Returns: the report, ending in a newline; as text it is empty where there is nothing to report.
    """
    return FORMATS[format](sorted(diagnostics, key=_order), color, context or Context())


def _order(diagnostic: Diagnostic) -> tuple[str, int, int, int, str, str]:
    at = diagnostic.location
    return (at.path, at.cell or 0, at.line or 0, at.column or 0, diagnostic.rule.code, diagnostic.message)


def _text(diagnostics: list[Diagnostic], color: bool, _: Context) -> str:
    if not diagnostics:
        return ""
    return "\n".join([*(_finding(d, color) for d in diagnostics), summary(diagnostics) + "\n"])


def _concise(diagnostics: list[Diagnostic], color: bool, _: Context) -> str:
    """One line a finding, with the place in the file, and the place in the notebook at its end."""
    lines = []
    for diagnostic in diagnostics:
        word = f"{diagnostic.severity.value}[{diagnostic.rule.code}]"
        painted = _paint(word, diagnostic.severity.value, color)
        lines.append(concise(diagnostic).replace(word, painted, 1) + "\n")
    return "".join(lines)


def statistics(diagnostics: Iterable[Diagnostic], format: str = "text") -> str:
    """How often each rule was broken, the most frequent first; in JSON where the format is that."""
    counts = sorted(Counter(d.rule.code for d in diagnostics).items(), key=lambda pair: (-pair[1], pair[0]))
    rules = [(RULES[code], count) for code, count in counts]
    if format == "json":
        rows = [
            {"code": rule.code, "name": rule.name, "severity": rule.severity.value, "count": count}
            for rule, count in rules
        ]
        return json.dumps(rows, indent=2) + "\n"
    width = max((len(str(count)) for _, count in rules), default=0)
    return "".join(f"{count:>{width}}  {rule.code}  {rule.severity.value:<7}  {rule.name}\n" for rule, count in rules)


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
        f"{gutter}{_paint('-->', 'frame', color)} {printable(_places(at))}",
    ]
    if at.line is not None and at.source is not None:
        text, caret = _excerpt(at.source, at.column, at.end_column)
        number = _paint(str(at.line), "frame", color)
        lines += [f"{gutter} {bar}", f"{number} {bar} {text}".rstrip()]
        lines += [f"{gutter} {bar} {_paint(caret, severity, color)}"] if caret else []
    if diagnostic.hint:
        lines.append(f"{gutter} {_paint('=', 'frame', color)} help: {printable(diagnostic.hint)}")
    return "\n".join(lines) + "\n"


def _places(at: Location) -> str:
    """Where a finding is, in the notebook and, where that is known, in the file."""
    return place(at) + ("" if at.file_line is None else f", line {at.file_line} of the file")


def _excerpt(source: str, column: int | None, end: int | None) -> tuple[str, str]:
    """A source line as it is shown, and the caret line below it; columns count characters, and `end` is exclusive."""
    chars = [shown(char) for char in source]
    if column is None or column > len(chars) + 1:
        return "".join(chars)[:_WIDEST], ""
    start, stop = column - 1, min(max(end or 0, column + 1) - 1, max(len(chars), column))
    first = max(0, start - _WIDEST // 2) if len(chars) > _WIDEST else 0
    text = "".join(chars[first : first + _WIDEST])
    lead = sum(_width(char) for char in chars[first:start])
    marked = sum(_width(char) for char in chars[start : min(stop, first + _WIDEST)])
    return text, " " * lead + "^" * max(marked, 1)


def _width(text: str) -> int:
    """The columns that a text takes on a terminal."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _paint(text: str, name: str, color: bool) -> str:
    return f"{_COLORS[name]}{text}{_RESET}" if color else text


def _json(diagnostics: list[Diagnostic], color: bool, context: Context) -> str:
    marks = fingerprints(diagnostics, [context.path(d.location.path) for d in diagnostics])
    rows = [as_json(d) | {"fingerprint": mark} for d, mark in zip(diagnostics, marks, strict=True)]
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def as_json(diagnostic: Diagnostic) -> dict[str, str | int | None]:
    """A finding as plain data: the public contract of `--format json`.

    `line` and `column` count within the cell, `file_line` and those after it in the .ipynb file.
    """
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
        "tag": at.tag,
        "file_line": at.file_line,
        "file_column": at.file_column,
        "file_end_line": at.file_end_line,
        "file_end_column": at.file_end_column,
    }


def _of_module(name: str) -> Callable[[list[Diagnostic], bool, Context], str]:
    """A format with a module of its own, which is imported where it is asked for."""

    def rendered(diagnostics: Sequence[Diagnostic], color: bool, context: Context) -> str:
        text: str = importlib.import_module(f"kalecompiler.formats.{name}").render(diagnostics, context)
        return text

    return rendered


FORMATS: dict[str, Callable[[list[Diagnostic], bool, Context], str]] = {
    "full": _text,
    "concise": _concise,
    "json": _json,
    **{name: _of_module(name) for name in ("github", "gitlab", "sarif", "junit")},
    "text": _text,  # what `full` was called first
}
