"""Settings that others' code adds to steps: the method `compile(task)` of the entry points of snapshot hooks.

What it returns is a table as in `[tool.kalecompiler.steps.NAME]`, checked like one, and weighs less than all that the
user wrote. Here a hook that fails is an error, required or not: without it the package would silently be another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint
from typing import Any

from kalecompiler import registered
from kalecompiler.diagnostics import UsageError
from kalecompiler.model import Location, Setting, StepSettings
from kalecompiler.settingtable import TableError, read_table

GROUP = "kalecompiler.snapshot_hooks"


@dataclass(frozen=True, slots=True)
class Task:
    """What a hook is told of a step that is compiled: `settings` are the user's own for it."""

    pipeline: str
    step: str
    settings: StepSettings


def added(task: Task) -> tuple[Setting, ...]:
    """The settings that hooks add to a step. Raises UsageError for a hook that fails, or returns what is no table."""
    return tuple(setting for name, hook in _hooks() for setting in _of(name, hook, task))


def _hooks() -> Iterator[tuple[str, Any]]:
    for point in registered.points(GROUP):
        if not point.value.startswith("kalecompiler."):  # those have no such method, and are not imported to see it
            hook = _loaded(point)
            if hasattr(hook, "compile"):
                yield point.name, hook


@cache
def _loaded(point: EntryPoint) -> Any:
    """The hook; None for one that cannot be loaded, of which every run warns."""
    try:
        hook = point.load()
        return hook() if isinstance(hook, type) else hook
    except Exception:  # noqa: BLE001 - others' code
        return None


def _of(name: str, hook: Any, task: Task) -> tuple[Setting, ...]:
    about = f"the hook {name}, asked for settings of step {task.step}"
    try:
        answer = hook.compile(task)
    except Exception as error:
        raise UsageError(f"{about}, failed: {type(error).__name__}: {error}") from error
    if answer is None:
        return ()
    try:
        table, problems = read_table({"steps": {task.step: answer}}, Location(f"the hook {name}"))
    except TableError as error:
        raise UsageError(f"{about}: {error}" + (f"; {error.hint}" if error.hint else "")) from None
    for problem in problems:
        raise UsageError(f"{about}: {problem.message}" + (f"; {problem.hint}" if problem.hint else ""))
    return table.steps.get(task.step, ())
