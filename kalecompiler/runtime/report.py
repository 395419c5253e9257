"""Shows an error as the notebook would: its cells, their lines and source, and nothing of the runtime."""

from __future__ import annotations

import traceback

from . import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from . import cells


def explain(error: BaseException, kernel: cells.Kernel) -> tuple[int, list[str], int | None, str]:
    """(exit code, lines of the traceback, failing line of the current cell, what to say of the step) for an error."""
    where = f" in {kernel.current}" if kernel.current else ""
    if isinstance(error, KeyboardInterrupt):
        return 130, [], None, "was interrupted" + where
    if isinstance(error, failure.Terminated):
        return 143, [], None, "was terminated" + where
    if isinstance(error, (failure.StepFailed, failure.ValueProblem)):
        return 1, [], None, f"failed: {error}"
    trace, cell, line = describe(error, kernel.names)
    if cell:
        where = f" in {cell}, line {line}"
    if isinstance(error, SystemExit):
        code = error.code
        reason = f"failed{where}: sys.exit({'' if code is None else repr(code)}) was called"
        cure = "this stops a notebook before the cells below; let the cell end in another way"
        return code if isinstance(code, int) and 0 < code < 256 else 1, [], line, f"{reason}\n  help: {cure}"
    return 1, trace, line, "failed" + where


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
        frames = frames[[*cells, len(frames)][0] :]
        kept = [frame for frame in frames if not frame.filename.startswith("<kalec_runtime.")]
        report.stack = traceback.StackSummary.from_list(kept)
    for other in (report.__cause__, report.__context__, *(getattr(report, "exceptions", None) or ())):
        _clean(other, names, seen)
