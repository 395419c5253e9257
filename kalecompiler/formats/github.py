"""Findings as GitHub's workflow commands, which it shows on the changed lines, and as a summary of the job."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from kalecompiler.diagnostics import Diagnostic, Severity
from kalecompiler.formats.context import Context, line_of
from kalecompiler.formats.wording import concise, in_notebook

SHOWN = 10
"""GitHub shows so many errors, and so many warnings, of a step; what is more it drops."""
_ROWS = 500  # a summary may have 1 MiB


def render(diagnostics: Sequence[Diagnostic], context: Context) -> str:
    """Errors first; those beyond what GitHub shows are plain lines of the log."""
    shown, rest = parted(diagnostics)
    lines = [_command(d, context) for d in shown] + [concise(d) for d in rest]
    return "".join(f"{line}\n" for line in lines)


def parted(diagnostics: Sequence[Diagnostic]) -> tuple[list[Diagnostic], list[Diagnostic]]:
    """What GitHub shows as annotations, errors first, and the rest."""
    shown, rest = list[Diagnostic](), list[Diagnostic]()
    for severity in Severity:
        own = [d for d in diagnostics if d.severity is severity]
        shown += own[:SHOWN]
        rest += own[SHOWN:]
    return shown, rest


def summary(diagnostics: Sequence[Diagnostic], context: Context) -> str:
    """What GitHub does not show as annotations, in Markdown; empty where there is no such thing."""
    rest = parted(diagnostics)[1]
    if not rest:
        return ""
    title = f"### kalec check: {len(rest)} more of {len(diagnostics)} findings\n\n"
    head = "| where | rule | what |\n| --- | --- | --- |\n"
    rows = "".join(_row(d, context) for d in rest[:_ROWS])
    more = f"\nand {len(rest) - _ROWS} more\n" if len(rest) > _ROWS else ""
    by_rule = [(code, len(list(own))) for code, own in groupby(sorted(d.rule.code for d in rest))]
    counts = ", ".join(f"{code}: {count}" for code, count in by_rule)
    return f"{title}{counts}\n\n{head}{rows}{more}"


def _command(diagnostic: Diagnostic, context: Context) -> str:
    at, rule = diagnostic.location, diagnostic.rule
    properties = {
        "title": f"{rule.code} {rule.name}",
        "file": context.path(at.path),
        "line": line_of(at),
        "endLine": at.file_end_line,
        "col": at.file_column,
        "endColumn": at.file_end_column if at.file_end_line in (None, at.file_line) else None,
    }
    given = ",".join(f"{name}={_escaped(str(value), ':,')}" for name, value in properties.items() if value is not None)
    inside = in_notebook(at)
    text = diagnostic.message + (f" ({inside})" if inside else "")
    text += f"\nhelp: {diagnostic.hint}" if diagnostic.hint else ""
    return f"::{diagnostic.severity.value} {given}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    return "".join(f"%{ord(char):02X}" if char in "%\r\n" + more else char for char in text)


def _row(diagnostic: Diagnostic, context: Context) -> str:
    at = diagnostic.location
    where = f"{context.path(at.path)}:{line_of(at)}" + (f" ({in_notebook(at)})" if in_notebook(at) else "")
    rule = f"{diagnostic.severity.value} {diagnostic.rule.code}"
    return f"| {_cell(where)} | {rule} | {_cell(diagnostic.message)} |\n"


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|").replace("<", "&lt;")
