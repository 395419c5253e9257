"""What a tracker is: four calls, and how they come. A step on KFP carries this module: it must run on Python 3.9."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Run:
    """The run that a call is about. `started` is in seconds since 1970; `provenance` as in the run's record.

    `teller` is empty where one process tells of the whole run. On KFP each step tells of itself, at its end and in its
    own container: `teller` then says which one it is, `parameters` has those that it uses, and `started` is its own.
    """

    id: str
    pipeline: str
    folder: Path
    started: float
    parameters: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    teller: str = ""


@dataclass(frozen=True)
class Step:
    """A step that ended; `failure` says why it failed."""

    name: str
    status: str
    seconds: float
    failure: str | None = None


@dataclass(frozen=True)
class Moment:
    """When a call was due: its number within the run, from 0, and the time in seconds since 1970."""

    number: int
    time: float


class Tracker:
    """Base of all trackers: overrides of what interests it; the rest does nothing.

    One is made for a delivery, with the options of its table in pyproject.toml. A run may be delivered in several
    goes, so each call says which run it is about, and `run_started` may have come in an earlier process. A call that
    raises is made again later, and so is one during which the process dies: a call that comes twice, with the same
    `moment.number`, should change nothing.

    On KFP every step says `run_started`, and `close` comes from each step that failed and each that is the last of its
    branch: both may come several times, from several machines at once.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options

    def run_started(self, run: Run, moment: Moment) -> None:
        """A run began."""

    def step_finished(self, run: Run, step: Step, moment: Moment) -> None:
        """A step ended, however it did."""

    def metrics(self, run: Run, step: str, values: Mapping[str, Any], moment: Moment) -> None:
        """What a step measured: numbers, bools and strings."""

    def artifacts(self, run: Run, step: str, files: Sequence[Path], moment: Moment) -> None:
        """Files that a step left, its log first; with an empty `step` those of the whole run, at its end."""

    def close(self, run: Run, status: str, moment: Moment) -> None:
        """The run ended: succeeded, failed or stopped. In a local run no call comes after this one."""


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Those of a step's metrics that are numbers."""
    return {name: float(v) for name, v in values.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}


def home(run: Run) -> Path:
    """Where files for all runs go if nothing is said: `.kalec`, else the folder that holds the runs."""
    above = run.folder.parent
    return above.parent if above.parent.name == ".kalec" else above
