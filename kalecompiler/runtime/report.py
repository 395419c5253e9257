"""Shows an error as the notebook would: its cells, their lines and source, and nothing of the runtime."""

from __future__ import annotations

import traceback

from . import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from . import cells

HIDDEN = "<kalec_runtime."


class Report:
    """The exit code, the traceback's lines, the lines that sum it up, and the failing line of the current cell."""

    def __init__(self, status: int, summary: list[str], trace: list[str], line: int | None = None) -> None:
        self.status, self.summary, self.trace, self.line = status, summary, trace, line


def explain(error: BaseException, step: str, kernel: cells.Kernel) -> Report:
    """What to say of the error that ended a step."""
    where = f" in {kernel.current}" if kernel.current else ""
    if isinstance(error, KeyboardInterrupt):
        return Report(130, [f"kalec: step {step} was interrupted{where}"], [])
    if isinstance(error, failure.Terminated):
        return Report(143, [f"kalec: step {step} was terminated{where}"], [])
    if isinstance(error, (failure.StepFailed, failure.ValueProblem)):
        return Report(1, [f"kalec: step {step} failed: {error}"], [])
    trace, cell, line = describe(error, kernel.names)
    if cell:
        where = f" in {cell}, line {line}"
    if isinstance(error, SystemExit):
        code = error.code
        reason = f"kalec: step {step} failed{where}: sys.exit({'' if code is None else repr(code)}) was called"
        cure = "  help: this stops a notebook before the cells below; let the cell end in another way"
        return Report(code if isinstance(code, int) and 0 < code < 256 else 1, [reason, cure], [], line)
    return Report(1, [f"kalec: step {step} failed{where}"], trace, line)


def describe(error: BaseException, names: Collection[str]) -> tuple[list[str], str | None, int | None]:
    """(lines of the traceback, cell, line in it) of an error; no cell where none of `names` was involved."""
    report = traceback.TracebackException(type(error), error, error.__traceback__)
    _clean(report, names, set())
    cell = line = None
    if isinstance(error, SyntaxError) and error.filename in names:
        cell, line = error.filename, error.lineno
    for frame in report.stack:
        if frame.filename in names:
            cell, line = frame.filename, frame.lineno
    return "".join(report.format()).splitlines(), cell, line


def _clean(report: Any, names: Collection[str], seen: set[int]) -> None:
    """Take the runtime's frames, and all that lead from it to a cell, out of a report and its causes.

    An error that touched no cell is the runtime's own, and keeps its frames.
    """
    if report is None or id(report) in seen:
        return
    seen.add(id(report))
    frames = list(report.stack)
    cells = [index for index, frame in enumerate(frames) if frame.filename in names]
    if cells or hasattr(report, "offset"):  # a SyntaxError says its place by itself
        start = cells[0] if cells and frames[0].filename not in names else 0
        kept = [frame for frame in frames[start:] if cells and not frame.filename.startswith(HIDDEN)]
        report.stack = traceback.StackSummary.from_list(kept)
    for other in (report.__cause__, report.__context__, *(getattr(report, "exceptions", None) or ())):
        _clean(other, names, seen)
