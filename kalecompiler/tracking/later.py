"""Sends what trackers missed: `kalec track`."""

from __future__ import annotations

from pathlib import Path

from kalecompiler.reporting import find
from kalecompiler.tracking.backlog import Backlog, unsent
from kalecompiler.tracking.calls import be_impatient, words
from kalecompiler.tracking.sender import send


def send_all(folder: Path | None) -> tuple[list[str], int]:
    """A line for each queue that still held calls, and how many of them still do.

    `folder` is where the runs are, else every `.kalec/runs` here and below.
    """
    be_impatient()
    queues = [queue for root in find.roots(folder) for queue in unsent(root)]
    lines = [_line(queue) for queue in queues]
    return lines or ["nothing waits"], sum(queue.path.exists() for queue in queues)


def _line(queue: Backlog) -> str:
    name = f"{queue.path.parent.parent.name}: {queue.tracker}"
    try:
        problem = send(queue)
    except (OSError, ValueError) as error:  # of this queue's own files: the others are sent
        problem = words(error)
    if problem:
        return f"{name} was not told: {problem}"
    return f"{name} is being told by a run under way" if queue.path.exists() else f"{name} was told"
