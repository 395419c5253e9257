"""Runs a package's tasks, each as soon as those above it succeeded and a process is free.

One thread decides: it waits for messages, that a process ended or that the run is to stop, and for nothing else.
"""

from __future__ import annotations

import errno
import graphlib
import heapq
import os
import queue
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kalecompiler.local import executor, failures
from kalecompiler.local.executor import Produced
from kalecompiler.local.failures import Carried
from kalecompiler.local.processes import Processes, processes, stop_signals
from kalecompiler.local.results import (
    Event,
    Failure,
    RunStopping,
    Status,
    StepEnded,
    StepResult,
    StepStarted,
)
from kalecompiler.local.tasks import Task, levels

GRACE_SECONDS = 3.0
LOG = "log.txt"
INPUT_FILE = "executor_input.json"
# Dots keep these from being the names of ports.
WORK = "work.d"

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
    """What to run: the tasks by key in order, the pipeline's arguments, where, and how many at once."""

    tasks: Mapping[str, Task]
    arguments: Mapping[str, Any]
    folder: Path
    workdir: Path
    jobs: int
    isolate: bool = False


@dataclass(slots=True)
class _Attempt:
    """A task under way."""

    task: Task
    given: Mapping[str, Any]
    carried: Carried
    started: float


@dataclass(slots=True)
class Runner:
    """One run of a plan. `run()` gives each task's result by key, those that never started left out."""

    plan: Plan
    on_event: Callable[[Event], None]
    stopping: bool = False
    results: dict[str, StepResult] = field(default_factory=dict)
    _produced: dict[str, Produced] = field(default_factory=dict)
    _attempts: dict[str, _Attempt] = field(default_factory=dict)
    _ready: list[tuple[int, str]] = field(default_factory=list)
    _deadline: float | None = None
    # A key: that task's process ended; None: stop. A signal handler may put into it while this thread is in `get`:
    # only SimpleQueue allows that.
    _messages: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue)

    def run(self) -> Mapping[str, StepResult]:
        """Run all tasks; at the end no process is left. What `on_event` raises ends the run, and comes through."""
        tasks = self.plan.tasks
        sorter = graphlib.TopologicalSorter({key: task.after for key, task in tasks.items()})
        sorter.prepare()
        environment = step_environment(tasks, self.plan.jobs)
        with stop_signals(lambda: self._messages.put(None)), processes(self.plan.folder.name) as running:
            while True:
                self._start_ready(sorter, running, environment)
                if not running:
                    return self.results
                message = self._next_message()
                if message is None:
                    self._stop(running)
                else:
                    self._end(message, running.collect(message), sorter)

    def _start_ready(
        self, sorter: graphlib.TopologicalSorter[str], running: Processes, environment: Mapping[str, str]
    ) -> None:
        """Start the tasks that can run, in order; one that cannot be started fails, which may skip others."""
        position = {key: index for index, key in enumerate(self.plan.tasks)}
        while not self.stopping:
            for key in sorter.get_ready():
                heapq.heappush(self._ready, (position[key], key))
            if not self._ready or len(running) >= self.plan.jobs:
                return
            self._start(self.plan.tasks[heapq.heappop(self._ready)[1]], running, environment)

    def _start(self, task: Task, running: Processes, environment: Mapping[str, str]) -> None:
        self.on_event(StepStarted(task.name))
        folder = self.plan.folder / task.key
        started = time.perf_counter()
        try:
            cwd = folder / WORK if self.plan.isolate else self.plan.workdir
            (cwd if self.plan.isolate else folder).mkdir(parents=True)
            given = executor.executor_input(task, self.plan.arguments, self._produced, folder)
            # No fsync: it is a record, and what is read back is what the step writes.
            (folder / INPUT_FILE).write_text(executor.to_text(given), encoding="utf-8")
            command = executor.substitute(task.command, given)
            self._attempts[task.key] = _Attempt(task, given, failures.read_carried(command), started)
            running.start(
                task.key,
                [sys.executable if command[0] == "python3" else command[0], *command[1:]],
                log=folder / LOG,
                cwd=cwd,
                env={**environment, **task.env},
                ended=self._messages.put,
            )
        except (OSError, ValueError) as error:
            self._attempts.pop(task.key, None)
            self._fail(task, Failure(f"cannot be started: {_reason(error)}"), 0.0, folder / LOG)

    def _end(self, key: str, status: int, sorter: graphlib.TopologicalSorter[str]) -> None:
        """Take in a process that ended."""
        attempt = self._attempts.pop(key)
        task, seconds = attempt.task, time.perf_counter() - attempt.started
        log = self.plan.folder / key / LOG
        if status != 0 and self.stopping:
            self._record(key, StepResult(task.name, Status.STOPPED, seconds, log))
        elif status != 0:
            self._fail(task, failures.failure(status, log, attempt.carried.pieces), seconds, log)
        else:
            try:
                produced = executor.read_output(attempt.given)
            except executor.ContractError as error:
                tail = failures.failure(status, log, frozenset()).tail
                self._fail(task, Failure(str(error), None, tail), seconds, log)
            else:
                self._produced[key] = produced
                self._record(key, _succeeded(task, produced, attempt.carried, seconds, log))
                sorter.done(key)

    def _fail(self, task: Task, failure: Failure, seconds: float, log: Path) -> None:
        """Record a failed task, and that all tasks below it are skipped."""
        existing = log if log.exists() else None
        self._record(task.key, StepResult(task.name, Status.FAILED, seconds, existing, failure=failure))
        lost = {task.key}
        for level in levels(self.plan.tasks):
            for key in level:
                if key not in self.results and self.plan.tasks[key].after & lost:
                    lost.add(key)
                    self._record(key, StepResult(self.plan.tasks[key].name, Status.SKIPPED))

    def _record(self, key: str, result: StepResult) -> None:
        self.results[key] = result
        self.on_event(StepEnded(result))

    def _stop(self, running: Processes) -> None:
        """Ask the processes to end; the second time, and when the grace is over, end them."""
        if self.stopping:
            running.send(signal.SIGKILL)
            self._deadline = None
        else:
            self.stopping = True
            self._deadline = time.monotonic() + GRACE_SECONDS
            running.send(signal.SIGTERM)
            self.on_event(RunStopping())

    def _next_message(self) -> str | None:
        if self._deadline is None:
            return self._messages.get()
        try:
            return self._messages.get(timeout=max(0.0, self._deadline - time.monotonic()))
        except queue.Empty:
            return None


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
        if not artifact["metadata"].get("absent")
    }
    metrics: dict[str, Any] = {}
    for port in produced.artifacts.keys() - files.keys():
        metrics |= produced.artifacts[port]["metadata"]
    return StepResult(task.name, Status.SUCCEEDED, seconds, log, outputs, metrics)


def _reason(error: Exception) -> str:
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    if error.errno == errno.E2BIG:
        return "an argument is longer than the system allows (128 KiB on Linux)"
    return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
