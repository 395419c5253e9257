"""Makes the calls of a queue; during a run that is what a process of its own does.

It follows the run to its end, or to that of the process which runs it; then it sends what earlier runs left. It
exits with 1, and leaves a line that says why, where the tracker did not take all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kalecompiler import alive
from kalecompiler.tracking.backlog import Backlog, Call, unsent
from kalecompiler.tracking.calls import LAST, be_impatient, tell, words
from kalecompiler.tracking.registry import make
from kalecompiler.tracking.tracker import Moment, Run, Tracker

POLL_SECONDS = 0.1
RETRY_SECONDS = 2.0


def deliver(backlog: Backlog, tracker: Tracker) -> bool:
    """Make the calls that wait, and note each; whether the run is complete with that.

    A run whose process died without a word is told to have stopped; a step of a run elsewhere, whose queue names no
    process, left all that it had to tell. Raises what the tracker raises; the calls before were made and noted.
    """
    head = backlog.head()
    run = Run(**{**head["run"], "folder": backlog.path.parent.parent})
    elsewhere = head["pid"] is None
    died = not (elsewhere or _runs(head))  # asked first: what it wrote is then all there
    calls = backlog.calls()
    for call in calls[backlog.made() :]:
        tell(tracker, run, Moment(call.number, call.time), call.method, call.arguments)
        backlog.made_another()
    if died and not _is_complete(calls):
        tracker.close(run, "stopped", Moment(backlog.made(), time.time()))
    return died or elsewhere or _is_complete(calls)


def send(backlog: Backlog, over: Callable[[], bool] = lambda: True) -> str:
    """Deliver a queue until its run is complete or `over`; empty, or why it could not be delivered.

    While the run goes on, a tracker that fails is tried again.
    """
    with backlog.locked() as ours:
        if not ours:
            return ""
        tracker: Tracker | None = None
        while True:
            ending = over()
            problem = ""
            try:
                tracker = tracker or make(backlog.tracker, backlog.head()["options"])
                if deliver(backlog, tracker):
                    backlog.finish()
                    return ""
            except (Exception, SystemExit) as error:  # noqa: BLE001 - any library's or network's: no call may be lost
                tracker, problem = None, words(error)
                backlog.report(problem)
            if ending:
                return problem
            time.sleep(RETRY_SECONDS if problem and not over() else POLL_SECONDS)


def main(queue: str) -> int:
    """Follow a run's queue, then send what earlier runs left to the same tracker; the process's exit status."""
    be_impatient()
    backlog = Backlog(Path(queue))
    if send(backlog, lambda: _is_over(backlog)):
        return 1
    for other in unsent(backlog.path.parents[2], backlog.tracker):
        if other.path != backlog.path:
            send(other)
    return 0


def _is_over(backlog: Backlog) -> bool:
    """Whether the run has said its last, or never will."""
    try:
        calls, head = backlog.calls(), backlog.head()
    except (OSError, ValueError):
        return True
    return _is_complete(calls) or head["pid"] is None or not _runs(head)


def _is_complete(calls: Sequence[Call]) -> bool:
    """Whether they are all calls of a run: also those that were made count."""
    return bool(calls) and calls[-1].method == LAST


def _runs(head: Mapping[str, Any]) -> bool:
    """Whether the process that a queue's head names still runs: its id may be another's by now."""
    return alive.is_alive(head["pid"], head.get("began"))
