"""Recurring runs (backend/src/apiserver/server/job_server.go). Nothing is ever due here: they are only kept."""

from __future__ import annotations

import re
from typing import Any

from endpoint.listing import page
from endpoint.messages import Request
from endpoint.routing import LISTED, route
from endpoint.runs import experiment_of, package_of
from endpoint.specs import check_parameters
from endpoint.state import POD_NAMESPACE, Resource, State, find, invalid, without_empty

_FIELDS = frozenset(
    {"recurring_run_id", "id", "display_name", "name", "created_at", "updated_at", "description", "namespace", "status"}
    | {"experiment_id"}
)
_CRON_FIELDS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_CRON_WORDS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_JOB = "/recurringruns/{recurring_run_id}"


@route("POST", "/recurringruns", takes="V2beta1RecurringRun", gives="V2beta1RecurringRun")
def create(state: State, request: Request) -> Any:
    outside = "Failed to create a recurring run"
    given = request.json()
    if not given.get("display_name"):
        raise invalid(outside, "Recurring run name is empty. Please specify a valid name")
    experiment = experiment_of(state, request, given, outside)
    package, source = package_of(state, given, outside)
    check_parameters(package, given.get("runtime_config", {}).get("parameters", {}))
    _check_trigger(given, outside)
    enabled = given.get("mode") != "DISABLE"
    created = state.clock()
    parameters = given.get("runtime_config", {})
    made = {
        "recurring_run_id": state.new_id(),
        "display_name": given["display_name"],
        "description": given.get("description"),
        "pipeline_version_reference": source,
        "pipeline_spec": None if source else package.api,
        # An empty one is left out, unlike a run's.
        "runtime_config": {name: value for name, value in parameters.items() if value},
        "service_account": given.get("service_account") or "pipeline-runner",
        "max_concurrency": str(given.get("max_concurrency", 1)),
        "trigger": given["trigger"],
        "mode": "ENABLE" if enabled else "DISABLE",
        "created_at": created,
        "updated_at": created,
        "status": "ENABLED" if enabled else "DISABLED",
        "no_catchup": given.get("no_catchup"),
        "namespace": experiment.get("namespace") or POD_NAMESPACE,
        "experiment_id": experiment["experiment_id"],
    }
    state.packages[made["recurring_run_id"]] = package
    return state.recurring.setdefault(made["recurring_run_id"], without_empty(made))


def cron_error(text: str) -> str | None:
    """What robfig/cron 1 says of an expression. Its first field is seconds, and the last one, weekdays, may be missing:
    the usual five fields are taken for something else."""
    fields = text.split()
    if text.startswith("@"):
        return None if text in _CRON_WORDS or text.startswith("@every ") else f"Unrecognized descriptor: {text}"
    if len(fields) not in (5, 6):
        return f"Expected 5 to 6 fields, found {len(fields)}: {text}"
    for field, (low, high) in zip(fields, _CRON_FIELDS, strict=False):
        for number in re.findall(r"(?<![/\d])\d+", field):
            if not low <= int(number) <= high:
                return f"{number} in {field} is out of the range {low} to {high}"
    return None


def _check_trigger(given: Resource, outside: str) -> None:
    trigger = given.get("trigger", {})
    cron, period = trigger.get("cron_schedule", {}).get("cron"), trigger.get("periodic_schedule")
    if cron is not None and (wrong := cron_error(cron)):
        unsupported = "Schedule cron is not a supported format(https://godoc.org/github.com/robfig/cron)"
        raise invalid(outside, f"{unsupported}. Error: {wrong}")
    if cron is None and not period:
        raise invalid(outside, "The recurring run needs a trigger")
    if not 1 <= int(given.get("max_concurrency", 1)) <= 10:
        raise invalid(outside, "The max concurrency of the recurring run must be at least 1 and at most 10")


@route("GET", "/recurringruns", gives="V2beta1ListRecurringRunsResponse", query=LISTED | {"namespace", "experiment_id"})
def list_all(state: State, request: Request) -> Any:
    outside = "Failed to list jobs"
    experiment_id = request.query.get("experiment_id")
    chosen = list(state.recurring.values())
    if experiment_id:
        experiment = find(state.experiments, experiment_id, "Experiment", outside)
        state.authorize(request, experiment.get("namespace", ""), "A recurring run", outside)
        chosen = [job for job in chosen if job["experiment_id"] == experiment_id]
    else:
        namespace = state.namespace_of(request.query.get("namespace"))
        state.authorize(request, namespace, "A recurring run", outside)
        chosen = [job for job in chosen if not state.multi_user or job["namespace"] == namespace]
    return page(chosen, "recurringRuns", "recurring_run_id", _FIELDS, request.query)


@route("GET", _JOB, gives="V2beta1RecurringRun")
def get(state: State, request: Request, recurring_run_id: str) -> Any:
    return _authorized(state, request, recurring_run_id, "Failed to fetch a recurring run")


@route("DELETE", _JOB, query={"propagation_policy"})
def delete(state: State, request: Request, recurring_run_id: str) -> Any:
    _authorized(state, request, recurring_run_id, "Failed to delete a recurring run")
    del state.recurring[recurring_run_id]
    return {}


@route("POST", _JOB + ":enable")
def enable(state: State, request: Request, recurring_run_id: str) -> Any:
    _authorized(state, request, recurring_run_id, "Failed to enable a recurring run").update(
        status="ENABLED", mode="ENABLE", updated_at=state.clock()
    )
    return {}


@route("POST", _JOB + ":disable")
def disable(state: State, request: Request, recurring_run_id: str) -> Any:
    _authorized(state, request, recurring_run_id, "Failed to disable a recurring run").update(
        status="DISABLED", mode="DISABLE", updated_at=state.clock()
    )
    return {}


def _authorized(state: State, request: Request, identity: str, outside: str) -> Resource:
    found = find(state.recurring, identity, "Job", outside)
    state.authorize(request, found.get("namespace", ""), "A recurring run", outside)
    return found
