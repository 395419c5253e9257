"""Runs of an endpoint: list them, find the one that is meant, look at it, stop it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

from kalecompiler.diagnostics import UsageError
from kalecompiler.submit.connection import Connection, find
from kalecompiler.submit.faults import ServerError
from kalecompiler.submit.views import RunView, view

_ID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
_LATEST = re.compile(r"latest(?:~(\d{1,4}))?")
_SEARCHED = 1000


def listed(connection: Connection, limit: int, experiment: str | None = None) -> list[RunView]:
    """The newest runs. Raises UsageError for an experiment that is not there."""
    chosen = {"namespace": connection.namespace}
    if experiment is not None:
        client = connection.client
        found = find(connection, client.list_experiments, "experiments", experiment, namespace=connection.namespace)
        if found is None:
            raise UsageError(f"there is no experiment `{experiment}` at {connection.endpoint.host}")
        chosen = {"experiment_id": found.experiment_id}
    return [view(run) for run in islice(_newest(connection, **chosen), limit)]


def resolve(connection: Connection, word: str) -> str:
    """The id of the run that is meant: an id, the beginning of one, a name, `latest` or `latest~1`.

    Raises UsageError where there is none, or more than one.
    """
    if not word:  # `kalec stop "$RUN"` without RUN: else it begins every id
        raise UsageError("the run is empty: name one by its id, the beginning of it, its name or `latest`")
    if _ID.fullmatch(word):
        return word
    if match := _LATEST.fullmatch(word):
        runs = list(islice(_newest(connection, namespace=connection.namespace), int(match[1] or 0) + 1))
        if len(runs) <= int(match[1] or 0):
            raise UsageError(f"there is no run `{word}` at {connection.endpoint.host}: it has {len(runs)}")
        return str(runs[-1].run_id)
    alike = [
        run
        for run in islice(_newest(connection, namespace=connection.namespace), _SEARCHED)
        if run.run_id.startswith(word) or run.display_name == word
    ]
    if len(alike) == 1:
        return str(alike[0].run_id)
    if alike:
        raise UsageError(f"`{word}` is the beginning of {len(alike)} runs: {', '.join(r.run_id for r in alike[:4])}")
    raise UsageError(f"there is no run `{word}` at {connection.endpoint.host}: `kalec runs` lists them")


def look(connection: Connection, run_id: str, order: tuple[str, ...] = ()) -> RunView:
    """A run as it is now."""
    return view(connection.run(run_id), order)


def steps_of(connection: Connection, run_id: str) -> tuple[str, ...]:
    """The names of a run's steps by its pipeline, each after those that it waits for; none where it is not known."""
    return ordered(tasks_of(spec_of(connection, connection.run(run_id))))


def spec_of(connection: Connection, run: Any) -> Mapping[str, Any]:
    """The specification of a run's pipeline; empty where it is not known any more."""
    spec, reference = run.pipeline_spec, run.pipeline_version_reference
    if not spec and reference and reference.pipeline_version_id:
        try:
            spec = connection.call(
                connection.client.get_pipeline_version,
                pipeline_id=reference.pipeline_id,
                pipeline_version_id=reference.pipeline_version_id,
            ).pipeline_spec
        except ServerError as error:
            if error.code != 404:  # the version was deleted
                raise
    found: Mapping[str, Any] = (spec or {}).get("pipeline_spec", spec) or {}
    return found


def tasks_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The tasks of a specification by name; an exit handler's group stands for those that are in it."""
    found: dict[str, Any] = {}
    groups: dict[str, list[str]] = {}
    for name, task in spec.get("root", {}).get("dag", {}).get("tasks", {}).items():
        component = spec.get("components", {}).get(task.get("componentRef", {}).get("name"), {})
        own = component.get("dag", {}).get("tasks", {})
        groups[name] = [*own] or [name]
        found |= own or {name: task}
    for name, task in found.items():
        waits = [key for other in task.get("dependentTasks", ()) for key in groups.get(other, [other])]
        found[name] = {**task, "dependentTasks": waits}
    return found


def ordered(tasks: dict[str, Any]) -> tuple[str, ...]:
    """The names of a specification's tasks, each after those that it depends on."""
    from graphlib import CycleError, TopologicalSorter

    try:
        return tuple(
            TopologicalSorter({n: sorted(t.get("dependentTasks", ())) for n, t in tasks.items()}).static_order()
        )
    except CycleError:
        return tuple(tasks)


def stop(connection: Connection, run_id: str) -> bool:
    """Ask the server to stop a run; False where it was over already."""
    if look(connection, run_id).over:
        return False
    connection.call(connection.client.terminate_run, run_id=run_id)
    return True


def _newest(connection: Connection, **chosen: Any) -> Any:
    return connection.pages(connection.client.list_runs, "runs", sort_by="created_at desc", **chosen)
