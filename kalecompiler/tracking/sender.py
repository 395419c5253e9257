"""Makes the calls of a queue; during a run that is what a process of its own does.

It follows the run to its end, or to that of the process which runs it; then it sends what earlier runs left. It
exits with 1, and leaves a line that says why, where the tracker did not take all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from kalecompiler.tracking.backlog import LAST, Backlog, Call, unsent
from kalecompiler.tracking.registry import make
from kalecompiler.tracking.tracker import Moment, Run, Step, Tracker

POLL_SECONDS = 0.1
RETRY_SECONDS = 2.0
# The queue is there for what a client's own patience is for; a client's variable that is set stays.
_IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "WANDB_SILENT": "true"}


def deliver(backlog: Backlog, tracker: Tracker) -> bool:
    """Make the calls that wait, and note each; whether the run is complete with that.

    A run whose process died without a word is told to have stopped. Raises what the tracker raises; the calls before
    were made and noted.
    """
    head = backlog.head()
    run = Run(**{**head["run"], "folder": backlog.path.parent.parent})
    died = not _alive(head["pid"])  # asked first: what it wrote is then all there
    last = ""
    for call in backlog.waiting():
        _make(tracker, run, call)
        backlog.made_another()
        last = call.method
    if died and last != LAST:
        tracker.close(run, "stopped", Moment(backlog.made(), time.time()))
    return died or last == LAST


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
            except Exception as error:  # noqa: BLE001 - any library's, any network's: nothing may be lost by it
                tracker, problem = None, _words(error)
                backlog.report(problem)
            if ending:
                return problem
            time.sleep(RETRY_SECONDS if problem and not over() else POLL_SECONDS)


def main(queue: str) -> int:
    """Follow a run's queue, then send what earlier runs left to the same tracker; the process's exit status."""
    be_impatient()
    backlog = Backlog(Path(queue))
    if send(backlog, lambda: _complete(backlog)):
        return 1
    for other in unsent(backlog.path.parents[2], backlog.tracker):
        if other.path != backlog.path:
            send(other)
    return 0


def be_impatient() -> None:
    """Have clients give up early."""
    for name, value in _IMPATIENT.items():
        os.environ.setdefault(name, value)


def _make(tracker: Tracker, run: Run, call: Call) -> None:
    """Make one call."""
    moment, given = Moment(call.number, call.time), call.arguments
    if call.method == "run_started":
        tracker.run_started(run, moment)
    elif call.method == "step_finished":
        tracker.step_finished(run, Step(**given), moment)
    elif call.method == "metrics":
        tracker.metrics(run, given["step"], given["values"], moment)
    elif call.method == "artifacts":
        files = [run.folder / name for name in given["files"]]
        tracker.artifacts(run, given["step"], [file for file in files if file.is_file()], moment)
    elif call.method == LAST:
        tracker.close(run, given["status"], moment)


def _complete(backlog: Backlog) -> bool:
    """Whether the run has said its last, or never will."""
    try:
        waiting, pid = backlog.waiting(), backlog.head()["pid"]
    except (OSError, ValueError):
        return True
    return bool(waiting and waiting[-1].method == LAST) or not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _words(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed"
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}{': ' + lines[0][:200] if lines else ''}"
