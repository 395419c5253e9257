"""What the phases that look inside cells report: problems without a file, and what a piece of IPython becomes."""

from __future__ import annotations

from dataclasses import dataclass

from kalecompiler.diagnostics import Rule


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding on a line and column (both from 1) of a cell; plan.py knows the cell and makes a Diagnostic of it.

    `module` names the import that it is about, where it is about one: it then stands on that import's line.
    """

    rule: Rule
    line: int | None
    column: int | None
    message: str
    hint: str | None = None
    module: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a shell line or a magic becomes: `code` replaces it, None leaves the call to the step's `get_ipython()`.

    `inner` says that `code` is the user's own and may hold IPython syntax again. Problems have no line yet.
    """

    code: str | None = None
    inner: bool = False
    requirements: tuple[str, ...] = ()
    soft: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    writes: tuple[tuple[str, str], ...] = ()


def problem(rule: Rule, message: str, hint: str | None = None) -> Problem:
    """A problem whose place the caller fills in."""
    return Problem(rule, None, None, message, hint)


def refused(rule: Rule, message: str, hint: str | None = None) -> Outcome:
    """The outcome of something that a step cannot do: nothing runs in its place."""
    return Outcome("pass", problems=(problem(rule, message, hint),))
