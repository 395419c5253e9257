"""Runs a compiled pipeline package on this machine, each step in a process of its own.

What runs is the package, as KFP would run it: the runner is the launcher's part of KFP's executor contract.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kalecompiler.arguments import unknown_name
from kalecompiler.diagnostics import UsageError
from kalecompiler.local import pods, provided
from kalecompiler.local.folders import create_run, default_root
from kalecompiler.local.keeping import Keeper
from kalecompiler.local.provided import Provided
from kalecompiler.local.records import Record
from kalecompiler.local.results import (
    Event,
    Failure,
    Place,
    RunEnded,
    RunResult,
    RunStarted,
    RunStopping,
    Status,
    StepEnded,
    StepResult,
    StepRetrying,
    StepStarted,
    to_json,
)
from kalecompiler.local.runner import Plan, Runner, available_cores
from kalecompiler.local.taken import Taken
from kalecompiler.local.tasks import Package, ancestors, in_order, read_package
from kalecompiler.model import Location, Pipeline

__all__ = [
    "Event",
    "Failure",
    "Place",
    "RunEnded",
    "RunResult",
    "RunStarted",
    "RunStopping",
    "Status",
    "StepEnded",
    "StepResult",
    "StepRetrying",
    "StepStarted",
    "available_cores",
    "default_root",
    "locate",
    "run",
    "to_json",
]


def run(
    package: Mapping[str, Any],
    *,
    arguments: Mapping[str, object],
    folder: Path,
    workdir: Path,
    jobs: int | None = None,
    isolate: bool = False,
    until: str | None = None,
    order: Sequence[str] = (),
    on_event: Callable[[Event], None] = lambda event: None,
    platform: Mapping[str, Any] | None = None,
    given: Provided | None = None,
    note: Callable[[str], None] = lambda text: None,
    about: Mapping[str, Any] | None = None,
    keeper: Keeper | None = None,
    taken: Mapping[str, Taken] | None = None,
) -> RunResult:
    """Run a package (a PipelineSpec as parsed YAML) and give the result of every step.

    `arguments` override the pipeline's parameters (see `kalecompiler.arguments`); `folder` is where the run gets its
    own folder; `workdir` the steps' working directory, unless `isolate` gives each an empty one; `jobs` how many run
    at once (None: as many as there are cores); with `until` only that step and those above it run; `order` is the
    steps' order by name. `on_event` is called from this thread. `platform` is the package's second document, `given`
    stands for the cluster's volumes, secrets and config maps; `note` is told in one line what is not honoured here.
    `about` is what the run's record, run.json, is to tell beside what happened.
    `keeper` keeps the snapshots; it is told of the end whatever happened. `taken` has, by key, tasks that need not run.

    Ctrl-C, SIGTERM and SIGHUP end every step and everything that it started; the result's status is then STOPPED.
    Raises UsageError, before anything runs, for a package, an argument, a step or a folder that will not do; what
    `on_event` raises ends the run.
    """
    read = read_package(package, platform)
    values = _arguments(read, arguments)
    keys = in_order(read.tasks, order)
    wanted = ancestors(read.tasks, _key(read, until)) if until is not None else set(keys)
    if not workdir.is_dir():
        raise UsageError(f"the working directory {workdir} does not exist")
    jobs = available_cores() if jobs is None else jobs
    if jobs < 1:
        raise UsageError(f"{jobs} steps at once is too few: at least one must run")
    tasks = {key: read.tasks[key] for key in keys if key in wanted}
    given = given or Provided()
    provided.check(given, read.tasks.values(), [task for key, task in tasks.items() if key not in (taken or {})])
    if words := provided.left_out(given, tasks.values()):
        note(words)
    place = create_run(folder, read.name)
    record = Record(values, about, on_event)
    record.take(RunStarted(place.name, place, tuple(task.name for task in tasks.values())))
    timeout = pods.run_timeout(platform)
    keeper = keeper or Keeper()
    reused = {key: item for key, item in (taken or {}).items() if key in tasks}
    keeper.begin(place.name, place, read, tasks, values)
    run_plan = Plan(tasks, values, place, workdir.absolute(), jobs, isolate, given, timeout, keeper, reused)
    runner = Runner(run_plan, record.take)
    try:
        results = runner.run()
    finally:
        keeper.end(_result(read, keys, place, runner.results, len(tasks)))
    result = _result(read, keys, place, results, len(tasks))
    record.finish(result, {task.name: key for key, task in read.tasks.items()})
    on_event(RunEnded(result))
    return result


def locate(pipeline: Pipeline, place: Place) -> Location | None:
    """Where in the notebook a piece's line is, if the pipeline has that piece and it comes from a cell."""
    for step in pipeline.steps:
        for code in step.code:
            if code.name == place.piece and code.origin is not None:
                first = code.origin.line or 1
                return replace(code.origin, line=first + place.line - 1, column=None, end_column=None, source=None)
    return None


def _arguments(package: Package, given: Mapping[str, object]) -> dict[str, object]:
    for name in given:
        if name not in package.parameters:
            raise unknown_name("parameter", name, package.parameters)
    values = {**package.defaults, **{name: value for name, value in given.items() if value is not None}}
    if missing := sorted(package.required - set(values)):
        raise UsageError(f"the parameter {missing[0]} has no default, so it needs a value: -p {missing[0]}=...")
    return values


def _key(package: Package, name: str) -> str:
    """The key of the task that shows under that name, or has it in the package."""
    names = {key: key for key in package.tasks} | {task.name: task.key for task in package.tasks.values()}
    if name not in names:
        raise unknown_name("step", name, names)
    return names[name]


def _result(
    package: Package, keys: Sequence[str], place: Path, ends: Mapping[str, StepResult], count: int
) -> RunResult:
    """A run of `count` tasks, by how those that were started ended."""
    steps = tuple(ends.get(key) or StepResult(package.tasks[key].name, Status.NOT_RUN) for key in keys)
    return RunResult(place.name, _status(ends, count), place, steps, count)


def _status(results: Mapping[str, StepResult], count: int) -> Status:
    found = {result.status for result in results.values()}
    if Status.STOPPED in found or len(results) < count:
        return Status.STOPPED
    return Status.FAILED if Status.FAILED in found else Status.SUCCEEDED
