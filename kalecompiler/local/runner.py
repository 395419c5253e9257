"""Runs a package's tasks, each as soon as those above it succeeded and a process is free.

One thread decides: it waits for messages, that a process ended or that the run is to stop, and for nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kalecompiler.diagnostics import UsageError
from kalecompiler.local import executor, failures, provided, tracestart
from kalecompiler.local.executor import Produced
from kalecompiler.local.failures import Carried
from kalecompiler.local.keeping import TRACES, Keeper
from kalecompiler.local.masking import mask
from kalecompiler.local.processes import Processes, processes, stop_signals
from kalecompiler.local.provided import Provided
from kalecompiler.local.results import (
    Event,
    Failure,
    RunStopping,
    Status,
    StepEnded,
    StepResult,
    StepRetrying,
    StepStarted,
)
from kalecompiler.local.taken import Taken
from kalecompiler.local.tasks import Task, levels
from kalecompiler.local.timers import Timers

GRACE_SECONDS = 3.0
LOG = "log.txt"
DISPLAY = "display.json"
# Dots keep these from being the names of ports.
WORK = "work.d"

_DONE = frozenset({Status.SUCCEEDED, Status.REUSED})
_STOPPED = Failure("the run was interrupted")
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: the tasks by key in order, the pipeline's arguments, where, and how many at once.

    `provided` stands for the cluster's volumes and secrets; `timeout` is the limit of the whole run in seconds;
    `keeper` keeps the snapshots; `taken` has the tasks that need not run.
    """

    tasks: Mapping[str, Task]
    arguments: Mapping[str, Any]
    folder: Path
    workdir: Path
    jobs: int
    isolate: bool = False
    provided: Provided = field(default_factory=Provided)
    timeout: float | None = None
    keeper: Keeper = field(default_factory=Keeper)
    taken: Mapping[str, Taken] = field(default_factory=dict)


@dataclass(slots=True)
class _Attempt:
    """A task under way; `late` says what time limit it went over."""

    task: Task
    given: Mapping[str, Any]
    carried: Carried
    started: float
    late: str = ""


@dataclass(slots=True)
class Runner:
    """One run of a plan. `run()` gives each task's result by key, those that never started left out."""

    plan: Plan
    on_event: Callable[[Event], None]
    stopping: bool = False
    results: dict[str, StepResult] = field(default_factory=dict)
    _over: bool = False
    _produced: dict[str, Produced] = field(default_factory=dict)
    _attempts: dict[str, _Attempt] = field(default_factory=dict)
    _secrets: list[str] = field(default_factory=list)
    _failed: dict[str, int] = field(default_factory=dict)
    _paused: set[str] = field(default_factory=set)
    _timers: Timers = field(default_factory=Timers)
    # A key: that task's process ended; None: stop. A signal handler may put into it while this thread is in `get`:
    # only SimpleQueue allows that.
    _messages: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue)

    def run(self) -> Mapping[str, StepResult]:
        """Run all tasks; at the end no process is left. What `on_event` raises ends the run, and comes through."""
        environment = step_environment(self.plan.tasks, self.plan.jobs)
        own = [task for key, task in self.plan.tasks.items() if key not in self.plan.taken]
        self._secrets = provided.secrets_of(self.plan.provided, own)
        for key, taken in self.plan.taken.items():
            self._take_over(self.plan.tasks[key], taken)
        with (
            stop_signals(lambda: self._messages.put(None)),
            self._secrets_hidden(),
            processes(self.plan.folder.name) as running,
        ):
            if self.plan.timeout is not None:
                self._timers.after(self.plan.timeout, lambda: self._end_run(running))
            while True:
                self._start_ready(running, environment)
                if not running and not self._paused:
                    return self.results
                self._take_message(running)

    @contextlib.contextmanager
    def _secrets_hidden(self) -> Iterator[None]:
        """Where the run is given up, what the steps under way wrote holds no secret either."""
        try:
            yield
        finally:
            for attempt in self._attempts.values():
                self._hide_secrets(attempt)

    def _hide_secrets(self, attempt: _Attempt) -> None:
        """Take the secrets out of what a step wrote about itself."""
        folder = self.plan.folder / attempt.task.key
        shown = [folder / port for port in sorted(attempt.carried.shown)]
        mask([folder / LOG, folder / DISPLAY, folder / TRACES, *shown], self._secrets)

    def _start_ready(self, running: Processes, environment: Mapping[str, str]) -> None:
        """Start the tasks that can run, in order; one that cannot be started fails, which may skip others."""
        started = True
        while started and not self.stopping and len(running) < self.plan.jobs:
            ready = next((task for task in self.plan.tasks.values() if self._is_ready(task)), None)
            started = ready is not None
            if ready is not None:
                self._start(ready, running, environment)

    def _take_over(self, task: Task, taken: Taken) -> None:
        """Record a task that need not run, with what another run's put out."""
        produced = self._produced[task.key] = taken.outputs(self.plan.folder / task.key)
        self.plan.keeper.after(task, produced, 0.0, taken.source)
        paths = {str(item["metadata"].get("variable")): executor.path_of(item) for item in produced.artifacts.values()}
        outputs = {name: path for name, path in paths.items() if path.exists()}
        result = StepResult(task.name, Status.REUSED, outputs=outputs, metrics=taken.metrics, source=taken.source)
        self._record(task.key, result)

    def _is_ready(self, task: Task) -> bool:
        if task.key in self.results or task.key in self._attempts or task.key in self._paused:
            return False
        ends = [self.results.get(key) for key in task.after if key in self.plan.tasks]
        return all(end is not None and (task.always or end.status in _DONE) for end in ends)

    def _start(self, task: Task, running: Processes, environment: Mapping[str, str]) -> None:
        if task.key not in self._failed:
            self.on_event(StepStarted(task.name))
        folder = self.plan.folder / task.key
        started = time.perf_counter()
        try:
            cwd = folder / WORK if self.plan.isolate else self.plan.workdir
            (cwd if self.plan.isolate else folder).mkdir(parents=True, exist_ok=task.key in self._failed)
            final = self._final_status() if task.always else None
            given = executor.executor_input(task, self.plan.arguments, self._produced, folder, final)
            # No fsync: it is a record, and what is read back is what the step writes.
            (folder / executor.INPUT_FILE).write_text(executor.to_text(given), encoding="utf-8")
            command = executor.substitute(task.command, given)
            carried = failures.read_carried(command)
            attempt = self._attempts[task.key] = _Attempt(task, given, carried, started)
            self.plan.keeper.before(task, carried.step, given, self._failed.get(task.key, 0) + 1)
            running.start(
                task.key,
                self._command(command, carried, folder),
                log=folder / LOG,
                cwd=cwd,
                env={**environment, **task.env, **provided.environment(self.plan.provided, task, self.plan.folder)},
                ended=self._messages.put,
            )
            if task.pod.timeout is not None:
                limit = f"took longer than its time limit of {task.pod.timeout} s"
                self._timers.after(task.pod.timeout, lambda: self._too_late(attempt, limit, running))
        except (OSError, ValueError, UsageError) as error:
            self._attempts.pop(task.key, None)
            self._fail(task, Failure(f"cannot be started: {_reason(error)}"), 0.0, folder / LOG)

    def _command(self, command: Sequence[str], carried: Carried, folder: Path) -> list[str]:
        """The command as it runs here; that of a step whose snapshots are kept leaves its traces as well."""
        words = [sys.executable if command[0] == "python3" else command[0], *command[1:]]
        if carried.step.get("snapshot") and words[1:3] == ["-u", "-c"]:
            words[3] = tracestart.prefix(str(folder / TRACES), [str(self.plan.folder)]) + words[3]
        return words

    def _end(self, key: str, status: int) -> None:
        """Take in a process that ended."""
        attempt = self._attempts.pop(key)
        task, seconds = attempt.task, time.perf_counter() - attempt.started
        log = self.plan.folder / key / LOG
        self._hide_secrets(attempt)
        if status != 0 or attempt.late:
            failure = failures.failure(status, log, attempt.carried.pieces)
            self._retry_or_fail(task, replace(failure, message=attempt.late or failure.message), seconds)
        else:
            try:
                produced = executor.read_output(attempt.given)
            except executor.ContractError as error:
                tail = failures.failure(status, log, frozenset()).tail
                self._retry_or_fail(task, Failure(str(error), None, tail), seconds)
            else:
                self._produced[key] = produced
                self.plan.keeper.after(task, produced, seconds)
                self._record(key, _succeeded(task, produced, attempt.carried, seconds, log))

    def _retry_or_fail(self, task: Task, failure: Failure, seconds: float) -> None:
        folder = self.plan.folder / task.key
        if self.stopping:  # it was told to end, and whatever it left is no failure of its own
            self.plan.keeper.failed(task, _STOPPED, self._failed.get(task.key, 0) + 1, False)
            self._record(task.key, StepResult(task.name, Status.STOPPED, seconds, folder / LOG))
            return
        failed = self._failed[task.key] = self._failed.get(task.key, 0) + 1
        last = failed > task.retry.count or self._over
        self.plan.keeper.failed(task, failure, failed, not last)
        if last:
            self._fail(task, failure, seconds, folder / LOG)
            return
        try:
            keep_attempt(folder, failed)
        except OSError as error:
            message = f"{failure.message}; what it left cannot be removed to try again: {_reason(error)}"
            self._fail(task, replace(failure, message=message), seconds, folder / LOG)
            return
        delay = task.retry.delay(failed)
        self.on_event(StepRetrying(task.name, failure, failed + 1, task.retry.count + 1, delay))
        self._paused.add(task.key)
        self._timers.after(delay, lambda: self._paused.discard(task.key))

    def _fail(self, task: Task, failure: Failure, seconds: float, log: Path) -> None:
        """Record a failed task, and that all tasks below it are skipped, but for those that run always."""
        existing = log if log.exists() else None
        self._record(task.key, StepResult(task.name, Status.FAILED, seconds, existing, failure=failure))
        lost = {task.key}
        for level in levels(self.plan.tasks):
            for key in level:
                below = self.plan.tasks[key]
                if key not in self.results and not below.always and below.after & lost:
                    lost.add(key)
                    self._record(key, StepResult(below.name, Status.SKIPPED))

    def _record(self, key: str, result: StepResult) -> None:
        self.results[key] = result
        self.on_event(StepEnded(result))

    def _final_status(self) -> dict[str, Any]:
        """How the tasks that ended did so, in the form in which KFP tells it."""
        failed = [(result.name, result.failure.message) for result in self.results.values() if result.failure]
        error = {"message": f"step {failed[0][0]}: {failed[0][1]}"} if failed else {}
        return {
            "state": "FAILED" if failed else "SUCCEEDED",
            "pipelineTaskName": self.plan.folder.name,
            "pipelineJobResourceName": self.plan.folder.name,
            "error": error,
        }

    def _too_late(self, attempt: _Attempt, limit: str, running: Processes) -> None:
        """End a task that goes over a time limit, gently at first."""
        key = attempt.task.key
        if self._attempts.get(key) is attempt and not self.stopping:
            attempt.late = limit
            running.send(signal.SIGTERM, key)
            self._timers.after(GRACE_SECONDS, lambda: self._kill(attempt, running))

    def _kill(self, attempt: _Attempt, running: Processes) -> None:
        if self._attempts.get(attempt.task.key) is attempt:
            running.send(signal.SIGKILL, attempt.task.key)

    def _end_run(self, running: Processes) -> None:
        """The whole run goes over its time limit: all that runs or waits fails, an exit step still runs."""
        self._over = True
        limit = f"the run took longer than its time limit of {self.plan.timeout:g} s"
        for attempt in list(self._attempts.values()):
            if not attempt.task.always:
                self._too_late(attempt, limit, running)
        for task in self.plan.tasks.values():
            if task.key not in self.results and task.key not in self._attempts and not task.always:
                self._paused.discard(task.key)
                self._fail(task, Failure(limit), 0.0, self.plan.folder / task.key / LOG)

    def _take_message(self, running: Processes) -> None:
        """Wait for a process that ended, a request to stop, or the next time limit, and act on it."""
        with contextlib.suppress(queue.Empty):
            message = self._messages.get(timeout=self._timers.pause())
            if message is None:
                self._stop(running)
            else:
                self._end(message, running.collect(message))
        self._timers.run_due()

    def _stop(self, running: Processes) -> None:
        """Ask the processes to end; the second time, and when the grace is over, end them."""
        self._timers.clear()
        self._paused.clear()
        if self.stopping:
            running.send(signal.SIGKILL)
        else:
            self.stopping = True
            self._timers.after(GRACE_SECONDS, lambda: running.send(signal.SIGKILL))
            running.send(signal.SIGTERM)
            self.on_event(RunStopping())


def keep_attempt(folder: Path, number: int) -> None:
    """Take away what a failed attempt left, and put its log aside, so that the next begins anew. Raises OSError."""
    for item in sorted(folder.iterdir()):
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        elif not item.name.startswith("log."):
            item.unlink()
    if (folder / LOG).exists():
        (folder / LOG).rename(folder / f"log.{number}.txt")


def step_environment(tasks: Mapping[str, Task], jobs: int) -> dict[str, str]:
    """The environment of the steps: ours, and numeric libraries told to share the cores where steps run at once.

    What the user has set stays. A pipeline in which only one step can run at a time gives it all cores.
    """
    at_once = min(jobs, max(len(level) for level in levels(tasks)))
    if at_once <= 1:
        return dict(os.environ)
    threads = str(max(1, available_cores() // at_once))
    return {**dict.fromkeys(_THREADS, threads), **os.environ}


def available_cores() -> int:
    """The number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _succeeded(task: Task, produced: Produced, carried: Carried, seconds: float, log: Path) -> StepResult:
    files = {port: artifact for port, artifact in produced.artifacts.items() if not executor.is_metrics(artifact)}
    outputs = {
        carried.variables.get(port, port): executor.path_of(artifact)
        for port, artifact in files.items()
        if port not in carried.shown and not artifact["metadata"].get("absent")
    }
    metrics: dict[str, Any] = {}
    for port in produced.artifacts.keys() - files.keys() - carried.shown:
        metrics |= produced.artifacts[port]["metadata"]
    return StepResult(task.name, Status.SUCCEEDED, seconds, log, outputs, metrics)


def _reason(error: Exception) -> str:
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    if error.errno == errno.E2BIG:
        return "an argument is longer than the system allows (128 KiB on Linux)"
    return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
