"""What a run tells whoever keeps its snapshots. Nothing of that may stop a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kalecompiler.local.executor import Produced
from kalecompiler.local.results import Failure, RunResult
from kalecompiler.local.tasks import Package, Task

TRACES = "traces.json"
"""Where a step's process leaves, in the task's folder, what it opened and reached (`traces` tells its form)."""


class Keeper:
    """Keeps nothing: whoever keeps something overrides all of it.

    Is called from the runner's thread, and returns at once, but for `failed` with `again`, and `end`.
    """

    def begin(
        self, run: str, folder: Path, package: Package, tasks: Mapping[str, Task], values: Mapping[str, Any]
    ) -> None:
        """A run starts, of these tasks, with these arguments."""

    def before(self, task: Task, step: Mapping[str, Any], given: Mapping[str, Any], attempt: int) -> None:
        """A task is about to start; `step` is the STEP JSON that it carries, `given` its executor input."""

    def after(self, task: Task, produced: Produced, seconds: float, source: str | None = None) -> None:
        """A task succeeded; `source` says of one whose outputs were taken over from another run: `RUN/TASK`."""

    def failed(self, task: Task, failure: Failure, attempt: int, again: bool) -> None:
        """An attempt failed; if it is made `again`, its folder is emptied once this returns."""

    def end(self, result: RunResult) -> None:
        """The run is over: all is written when this returns. Raises KalecError where somebody requires what failed."""
