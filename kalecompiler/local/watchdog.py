"""A process that outlives the runner by a moment: when the runner dies, even by `kill -9`, it kills what it started.

It runs as a script of its own (standard library only) and reads from the runner `+PID` and `-PID` lines, each the
leader of a process group; the end of that stream is the runner's end. Processes that left their group are found by
the mark that every step carries in its environment, where the system shows environments (/proc).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

# Holds the ids of the runs that a process belongs to: a step may itself call `kalec run`.
MARK = "KALEC_RUNS"


def kill_group(leader: int, signum: int) -> None:
    """Send a signal to every process of a group; a group that is gone already is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signum)


def strays(run: str) -> Iterator[int]:
    """The processes that carry the mark of this run, whatever their group; none where there is no /proc."""
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            variables = entry.read_bytes().split(b"\0")
            if any(v.startswith(f"{MARK}=".encode()) and run.encode() in v for v in variables):
                yield int(entry.parent.name)


def kill_strays(run: str) -> None:
    """Kill what is left of a run, until nothing is (a process may fork while it is looked for)."""
    for _ in range(10):
        found = list(strays(run))
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def watch(run: str, lines: Iterable[str]) -> None:
    """Follow the runner's lines to their end, then kill the groups that it has not taken back, and the strays."""
    groups: set[int] = set()
    for line in lines:
        change = groups.add if line.startswith("+") else groups.discard
        change(int(line[1:]))
    for leader in groups:
        kill_group(leader, signal.SIGKILL)
    kill_strays(run)


if __name__ == "__main__":
    watch(sys.argv[1], sys.stdin)
