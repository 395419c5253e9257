"""What a local run gives: frozen results, and the events that tell of it while it goes on."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Status(enum.Enum):
    """How a step or a run ended. A run is succeeded, failed or stopped."""

    SUCCEEDED = "succeeded"
    REUSED = "reused"  # not run: another run has what it would compute
    FAILED = "failed"
    SKIPPED = "skipped"  # a step above it failed
    STOPPED = "stopped"  # it was running when the run was interrupted
    NOT_RUN = "not-run"  # left out by --until, or the run was interrupted before its turn


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step's code failed: the piece's name as in tracebacks (`churn.ipynb train[2]`), its line from 1."""

    piece: str
    line: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step failed: one line of text, the place in its code where there is one, and the log's last lines."""

    message: str
    place: Place | None = None
    tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step's end. Without a process of its own (skipped, not-run) it has no log.

    `outputs` are the values on disk by variable (without those that the step left unbound), `metrics` what its
    system.Metrics artifact holds; `failure` is set where the status is FAILED, `source` (`RUN/TASK`) where it is
    REUSED.
    """

    name: str
    status: Status
    seconds: float = 0.0
    log: Path | None = None
    outputs: Mapping[str, Path] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    failure: Failure | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class RunResult:
    """A whole run: its id, how it ended, its folder, its package's steps in order, how many were to run."""

    run: str
    status: Status
    folder: Path
    steps: tuple[StepResult, ...]
    wanted: int = 0


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The first event: the run's id and folder, and the steps that will run, in order."""

    run: str
    folder: Path
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step's process is about to start."""

    name: str


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step ended, or will never start because one above it failed."""

    result: StepResult


@dataclass(frozen=True, slots=True)
class StepRetrying:
    """A step failed, and will run again: which attempt that is (from 2), of how many, and in how many seconds."""

    name: str
    failure: Failure
    attempt: int
    attempts: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RunStopping:
    """The run was interrupted: its steps were told to end."""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The last event."""

    result: RunResult


Event = RunStarted | StepStarted | StepRetrying | StepEnded | RunStopping | RunEnded


def to_json(result: RunResult) -> dict[str, Any]:
    """The run as `kalec run --format json` prints it; every path is absolute."""
    return {
        "run": result.run,
        "status": result.status.value,
        "folder": str(result.folder),
        "steps": [_step_to_json(step) for step in result.steps],
    }


def _step_to_json(step: StepResult) -> dict[str, Any]:
    return {
        "name": step.name,
        "status": step.status.value,
        "seconds": round(step.seconds, 3),
        "log": None if step.log is None else str(step.log),
        "outputs": {variable: str(path) for variable, path in step.outputs.items()},
    }
