"""Turns the events of a local run into calls, puts them into the queues, and has them sent."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kalecompiler import alive
from kalecompiler.diagnostics import UsageError
from kalecompiler.local.results import Event, RunEnded, RunStarted, StepEnded, StepResult
from kalecompiler.reporting import record, writing
from kalecompiler.reporting.find import RECORD
from kalecompiler.tracking import backlog
from kalecompiler.tracking.backlog import Backlog, Call
from kalecompiler.tracking.calls import LAST, words
from kalecompiler.tracking.registry import Wanted

# Modules that lie beside the notebook must not be taken for those of the same names elsewhere.
_SENDER = (
    "import sys; sys.path[:1] = []; sys.path.append(sys.argv[2]); "
    "from kalecompiler.tracking import sender; sys.exit(sender.main(sys.argv[1]))"
)
_ROOT = Path(__file__).parent.parent.parent
_READABLE = ("system.HTML", "system.Markdown")


@dataclass(slots=True)
class Teller:
    """Takes a run's events. Whatever goes wrong with a tracker is told to `note`, and never reaches the run."""

    wanted: Sequence[Wanted]
    note: Callable[[str], None]
    _queues: dict[str, Backlog] = field(default_factory=dict)
    _senders: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _count: int = 0

    def take(self, event: Event) -> None:
        """Put what there is to tell of an event into the queues."""
        try:
            self._take(event)
        except Exception as error:  # noqa: BLE001 - steps wrote what is told, and it may be anything
            self.note(f"warning: trackers are not told all of the run: {words(error)}")

    def _take(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._begin(event)
        elif isinstance(event, StepEnded):
            self._step(event.result)
        elif isinstance(event, RunEnded):
            if self._queues:
                self._tell("artifacts", step="", files=self._files_of_run(event.result.folder))
            self._tell(LAST, status=event.result.status.value)
            self._wait()

    def _begin(self, event: RunStarted) -> None:
        known = json.loads((event.folder / RECORD).read_text(encoding="utf-8"))
        run = {
            "id": event.run,
            "pipeline": known["graph"]["pipeline"],
            "started": time.time(),
            "parameters": known["parameters"],
            "provenance": known["provenance"],
        }
        for one in self.wanted:
            queue = Backlog(event.folder / backlog.FOLDER / f"{one.name}{backlog.QUEUE}")
            with self._harmless(one.name):
                queue.begin({"options": dict(one.options), "run": run, **alive.own()})
                self._queues[one.name] = queue
                self._senders[one.name] = _start(queue)
        self._tell("run_started")

    def _step(self, result: StepResult) -> None:
        failure = result.failure.message if result.failure else None
        seconds = round(result.seconds, 3)
        self._tell("step_finished", name=result.name, status=result.status.value, seconds=seconds, failure=failure)
        if result.metrics:
            self._tell("metrics", step=result.name, values=dict(result.metrics))
        if result.log is not None:
            names = [f"{result.log.parent.name}/{name}" for name in [result.log.name, *_readable(result.log.parent)]]
            self._tell("artifacts", step=result.name, files=names)

    def _tell(self, method: str, **arguments: Any) -> None:
        call = Call(self._count, time.time(), method, arguments)
        self._count += 1
        for name, queue in [*self._queues.items()]:  # one that cannot be written is dropped
            with self._harmless(name):
                queue.add(call)

    def _wait(self) -> None:
        """Give the senders time to end; what they did not send by then stays in the queue."""
        started = time.monotonic()
        for one in self.wanted:
            sender, queue = self._senders.get(one.name), self._queues.get(one.name)
            if sender is None or queue is None:
                continue
            ended: int | None = None
            try:
                ended = sender.wait(max(0.0, started + one.wait - time.monotonic()))
            except subprocess.TimeoutExpired:
                sender.kill()
                sender.wait()
            if queue.path.exists():
                why = queue.problem() or _ending(ended, one.wait)
                rest = f"the rest waits in {queue.path.parent}, and goes with the next run, or by `kalec track`"
                self.note(f"warning: the tracker {one.name} was not told all of the run: {why}; {rest}")

    @contextlib.contextmanager
    def _harmless(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - as in `take`
            self.note(f"warning: the tracker {name} is not told of the run: {words(error)}")
            self._queues.pop(name, None)

    def _files_of_run(self, folder: Path) -> list[str]:
        """The files that tell of the whole run."""
        try:
            writing.write(folder, None, "ipynb")
        except UsageError:
            pass
        except Exception as error:  # noqa: BLE001 - as in `take`
            self.note(f"warning: trackers do not get the executed notebook: {words(error)}")
        return [writing.FILES["ipynb"], RECORD]


def _ending(status: int | None, wait: float) -> str:
    """Why calls wait though their sender is gone; it ended with `status`, or (None) took too long."""
    return f"it did not take all within {wait:g} s" if status is None else f"it ended the sender (status {status})"


def _start(queue: Backlog) -> subprocess.Popen[bytes]:
    """The process that sends, in a session of its own: Ctrl-C is for the run, and the tracker is told of it."""
    return subprocess.Popen(
        [sys.executable, "-c", _SENDER, str(queue.path.absolute()), str(_ROOT)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _readable(folder: Path) -> list[str]:
    """The files of a step that a person can read: what KFP's page would draw."""
    return [made.path.name for made in record.made_by(folder) if made.type in _READABLE]
