"""A finished local run in words: what the steps printed, their metrics, how it ended."""

from __future__ import annotations

from collections.abc import Iterator

from kalecompiler.local import RunResult, Status, StepResult

TAIL = 8


def describe(result: RunResult) -> str:
    """What each step that succeeded printed last and measured, then one line on the run as a whole.

    How a step failed is told while the run goes on (see `progress`).
    """
    lines = [line for step in result.steps for line in _results(step)]
    done = sum(step.status in (Status.SUCCEEDED, Status.REUSED) for step in result.steps)
    reused = sum(step.status is Status.REUSED for step in result.steps)
    ending = f"run {result.run} {result.status.value}: {done} of {result.wanted} steps done"
    ending += f", {reused} of them reused" if reused else ""
    return "\n".join([*lines, ending, f"logs and values: {result.folder}"])


def _results(step: StepResult) -> Iterator[str]:
    if step.status not in (Status.SUCCEEDED, Status.REUSED):
        return
    printed = _tail(step)
    if not printed and not step.metrics:
        return
    yield f"{step.name}:"
    yield from (f"  | {line}" for line in printed)
    yield from (f"  {name} = {value}" for name, value in sorted(step.metrics.items()))


def _tail(step: StepResult) -> list[str]:
    """The last lines of a step's log."""
    if step.log is None:
        return []
    try:
        lines = step.log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return ["...", *lines[-TAIL:]] if len(lines) > TAIL else lines
