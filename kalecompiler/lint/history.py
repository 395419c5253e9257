"""KC610: cells that were last run in another order than they stand in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kalecompiler.diagnostics import OUT_OF_ORDER, Diagnostic
from kalecompiler.lint.subject import Subject


def find(subject: Subject) -> Iterator[Diagnostic]:
    """A finding for the first cell that ran before one above it: the rest is the same story."""
    above = None
    for part in subject.reading.parts:
        cell = part.annotation.cell
        if cell.execution_count is None:
            continue
        if above is not None and above.execution_count is not None and cell.execution_count < above.execution_count:
            counts = f"[{cell.execution_count}] and [{above.execution_count}]"
            message = f"cell {cell.number} was last run before cell {above.number} above it ({counts})"
            hint = "a pipeline runs them from top to bottom: restart the kernel, run all cells and save"
            where = replace(subject.book.at(cell), key=("execution_count",))
            yield Diagnostic(OUT_OF_ORDER, message, where, hint)
            return
        above = cell
