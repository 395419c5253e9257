"""Shows an error as the notebook would: its cells, their lines and source, and nothing of the runtime."""

from __future__ import annotations

import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

HIDDEN = "<kalec_runtime."


def describe(error: BaseException, cells: Collection[str]) -> tuple[list[str], str | None, int | None]:
    """(lines of the traceback, cell, line) of an error; no cell where none was involved."""
    report = traceback.TracebackException(type(error), error, error.__traceback__)
    _clean(report, cells, set())
    place: tuple[str | None, int | None] = (None, None)
    if isinstance(error, SyntaxError) and error.filename in cells:
        place = (error.filename, error.lineno)
    for frame in report.stack:
        if frame.filename in cells:
            place = (frame.filename, frame.lineno)
    return "".join(report.format()).splitlines(), *place


def _clean(report: Any, cells: Collection[str], seen: set[int]) -> None:
    """Take the runtime's frames, and all that lead from it to a cell, out of a report and its causes."""
    if report is None or id(report) in seen:
        return
    seen.add(id(report))
    frames = list(report.stack)
    runtime = [index for index, frame in enumerate(frames) if frame.filename.startswith(HIDDEN)]
    inside = [index for index, frame in enumerate(frames) if frame.filename in cells]
    if runtime and (inside or report.exc_type is SyntaxError):
        start = inside[0] if inside else len(frames)
        kept = [frame for frame in frames[start:] if not frame.filename.startswith(HIDDEN)]
        report.stack = traceback.StackSummary.from_list(kept)
    for other in (report.__cause__, report.__context__, *(getattr(report, "exceptions", None) or ())):
        _clean(other, cells, seen)
