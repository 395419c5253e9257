"""What one can ask about going back: check out a moment of a run, resume a run, reuse what runs have.

Every function takes what the command line parsed; nothing here prints.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kalecompiler import commands
from kalecompiler.commands import Package, RunRequest
from kalecompiler.diagnostics import UsageError
from kalecompiler.local.folders import STORE, folder_of_run, home_of
from kalecompiler.snapshots import find, moment, place, recover, reuse, shown
from kalecompiler.snapshots.checkout import CheckedOut, Request, checkout, lab, require_lab
from kalecompiler.snapshots.objects import StoreProblem
from kalecompiler.snapshots.reuse import Decision
from kalecompiler.snapshots.store import Store

if TYPE_CHECKING:
    from kalecompiler.submit.connection import Connection

__all__ = [
    "CheckedOut",
    "Request",
    "Resumption",
    "cached",
    "check_out",
    "check_out_remote",
    "describe",
    "lab",
    "plan",
    "plan_text",
    "require_lab",
]


@dataclass(frozen=True, slots=True)
class Resumption:
    """A run that is to be gone on with: its notebook as it is now, compiled; which steps run, by task."""

    notebook: Path
    package: Package
    request: RunRequest
    decisions: Mapping[str, Decision]


def check_out(run: str, folder: Path, request: Request) -> CheckedOut:
    """Write a notebook in the state before or after a step of a run. Raises UsageError."""
    found = find.find(run, folder)
    return checkout(replace(found, record=recover.recover(found.store, found.record)), request)


def check_out_remote(
    connection: Connection, run: str, root: str | None, folder: Path, request: Request, given: Path | None
) -> CheckedOut:
    """The same of a run of an endpoint: what it takes of it is kept in `folder`. Raises ServerError, UsageError."""
    from kalecompiler import local
    from kalecompiler.snapshots import adopt, packagecode
    from kalecompiler.submit import keptruns, runs

    run = runs.resolve(connection, run)  # once: `latest` may be another run a moment later
    kept = keptruns.kept(connection, run, root)
    spec = runs.spec_of(connection, connection.run(run))
    store = Store.open(home_of(local.default_root(folder)) / STORE, create=True)
    at = (request.step, request.when, request.scope)
    record = adopt.adopt(kept, packagecode.steps(spec), store, folder, at, given)
    return checkout(find.Found(store, record), request)


def describe(done: CheckedOut) -> str:
    """What a checkout has, and what it has not."""
    return shown.plan(done.state)


def plan(
    run: str,
    folder: Path,
    request: RunRequest,
    start: str | None,
    *,
    trust: bool,
    options: commands.Options,
    given: Path | None = None,
) -> Resumption:
    """What resuming a run means, with its notebook as it is now, or with the `given` one.

    Raises UsageError, NotebookError.
    """
    found = find.find(run, folder)
    record = recover.recover(found.store, found.record)
    notebook = given or place.notebook(found.store, record)
    if record.package is None:
        raise UsageError(
            f"{record.run} ran at an endpoint: its states can be opened here, but it is not gone on with here; `kalec "
            "submit` runs the notebook there again, where KFP's cache takes over the steps that are as they were"
        )
    if not notebook.is_file():
        raise UsageError(f"the notebook of {record.run} is not there: {notebook}; name it with --notebook")
    package = commands.compile_(notebook, options)
    old = reuse.past(found.store, record, _folder(notebook))
    known = {parameter.name for parameter in package.pipeline.parameters}
    defaults = old.package.defaults
    arguments = {
        name: value
        for name, value in record.parameters.items()
        if name in known and (name not in defaults or defaults[name] != value)
    }
    again = frozenset({moment.find_step(package.pipeline, start).task} if start else ())
    request = replace(request, arguments=arguments, folder=folder_of_run(found.store.path.parent, record.run).parent)
    wanted = _wanted(notebook, package, request, again, trust)
    decisions = reuse.decide(wanted, found.store, [old])
    return Resumption(notebook, package, replace(request, reuse=reuse.of(decisions, found.store)), decisions)


def cached(notebook: Path, package: Package, request: RunRequest) -> tuple[RunRequest, Mapping[str, Decision]]:
    """The request for a run that reuses what the kept runs of its pipeline have, and what becomes of each step."""
    from kalecompiler import local

    runs = request.folder or local.default_root(notebook.parent)
    try:
        store = Store.open(home_of(runs) / STORE)
    except StoreProblem:
        return request, {}
    wanted = _wanted(notebook, package, request, frozenset(), trust=False)
    decisions = reuse.decide(wanted, store, reuse.Lately(store, package.pipeline.name, wanted.folder))
    return replace(request, reuse=reuse.of(decisions, store)), decisions


def _folder(notebook: Path) -> str:
    """The working folder of a run of the notebook, as its steps see it."""
    return os.path.realpath(notebook.parent)


def _wanted(notebook: Path, package: Package, request: RunRequest, again: frozenset[str], trust: bool) -> reuse.Wanted:
    """What is to run, and with which arguments."""
    from kalecompiler.arguments import parse_arguments
    from kalecompiler.local.tasks import read_package

    read = read_package(package.compiled.spec, package.compiled.platform)
    given = parse_arguments(request.parameters, request.file, package.pipeline.parameters)
    values = {**read.defaults, **{n: v for n, v in {**request.arguments, **given}.items() if v is not None}}
    cache = {step.task: step.settings.cache for step in package.pipeline.steps if step.settings.cache is not None}
    told = commands.told(notebook, request)
    return reuse.Wanted(read, values, _folder(notebook), told, again, trust, cache)


def plan_text(decisions: Mapping[str, Decision], format_: str) -> str:
    """What becomes of each step, and why."""
    rows = [(d.task.name, reuse.REUSED if d.reused else reuse.RUNS, d.why, d.source) for d in decisions.values()]
    if format_ == "json":
        fields = ("step", "outcome", "why", "source")
        return json.dumps([dict(zip(fields, row, strict=True)) for row in rows], indent=1, ensure_ascii=False)
    widths = [max(len(row[at]) for row in rows) for at in (0, 1)] if rows else [0, 0]
    return "\n".join(f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}" for row in rows)
