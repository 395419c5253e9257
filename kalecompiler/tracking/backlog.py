"""A queue on disk for one run and one tracker: calls in their order, and how many of them have been made.

    <run folder>/tracking.d/mlflow.queue      a head, then a line a call (TELLER=mlflow.queue: of a step on KFP)
                            mlflow.progress   the number of calls made
                            mlflow.lock       held by the process that sends
                            mlflow.sent       the queue, once all of it has been sent

One process writes the queue, the runner's; one at a time sends.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from kalecompiler import encodable
from kalecompiler.files import write_atomic

# A dot keeps this from being the name of a step's folder.
FOLDER = "tracking.d"
QUEUE, PROGRESS, LOCK, SENT, PROBLEM = ".queue", ".progress", ".lock", ".sent", ".problem"


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the method's name, and its arguments as JSON."""

    number: int
    time: float
    method: str
    arguments: Mapping[str, Any]


class Backlog:
    """A queue, by the path of its `.queue` file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def tracker(self) -> str:
        return self.path.stem.rpartition("=")[2]

    def begin(self, head: Mapping[str, Any]) -> None:
        """Make the queue; `head` says what every delivery needs to know. Raises OSError."""
        self.path.parent.mkdir(exist_ok=True)
        self._append(head)

    def add(self, call: Call) -> None:
        """Add a call, which is on disk when this returns. Raises OSError."""
        self._append([call.number, call.time, call.method, call.arguments])

    def head(self) -> dict[str, Any]:
        """What `begin` was given. Raises OSError, ValueError."""
        with self.path.open(encoding="utf-8") as file:
            head: dict[str, Any] = encodable.loads(file.readline())
        return head

    def calls(self) -> list[Call]:
        """All calls, also those that were made. Raises OSError."""
        lines = self.path.read_text(encoding="utf-8").split("\n")[1:-1]  # an unfinished last line is not there yet
        return [Call(*encodable.loads(line)) for line in lines]

    def made(self) -> int:
        """How many calls have been made."""
        with contextlib.suppress(FileNotFoundError):
            return int(self._beside(PROGRESS).read_text(encoding="utf-8"))
        return 0

    def made_another(self) -> None:
        """Note that the next call was made."""
        write_atomic(self._beside(PROGRESS), str(self.made() + 1))

    def finish(self) -> None:
        """All was sent: the queue becomes a mere record."""
        self.path.replace(self._beside(SENT))
        for suffix in (PROGRESS, PROBLEM):
            self._beside(suffix).unlink(missing_ok=True)

    def report(self, problem: str) -> None:
        """Keep why a call could not be made."""
        write_atomic(self._beside(PROBLEM), encodable.plain(problem))

    def problem(self) -> str:
        """Why the last delivery stopped; empty if nothing is known."""
        try:
            return self._beside(PROBLEM).read_text(encoding="utf-8")
        except OSError:
            return ""

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """Keep other senders away; False where one is at it already, or the queue is gone."""
        with self._beside(LOCK).open("a") as file:
            yield _lock(file) and self.path.exists()

    def _append(self, line: Any) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _beside(self, suffix: str) -> Path:
        return self.path.with_suffix(suffix)


def unsent(root: Path, tracker: str = "*") -> list[Backlog]:
    """The queues of a folder of runs that still hold calls, oldest run first."""
    found: list[tuple[int, Path]] = []
    for path in root.glob(f"*/{FOLDER}/{tracker}{QUEUE}"):
        with contextlib.suppress(FileNotFoundError):  # another process has just sent it
            if not path.parent.parent.is_symlink():
                found.append((path.stat().st_mtime_ns, path))
    return [Backlog(path) for _, path in sorted(found)]


def _lock(file: IO[str]) -> bool:
    """Lock a file until it is closed; False where another process has it."""
    try:
        import fcntl
    except ImportError:  # Windows: two senders at once are not kept apart
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
