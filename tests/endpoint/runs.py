"""Runs (backend/src/apiserver/server/run_server.go, storage/run_store.go)."""

from __future__ import annotations

from typing import Any

from endpoint.listing import page
from endpoint.messages import Request
from endpoint.routing import LISTED, route
from endpoint.specs import NotAPackage, Package, check_parameters, read_api
from endpoint.state import NEVER, Resource, State, find, invalid, without_empty

_FIELDS = frozenset(
    {
        "run_id",
        "id",
        "display_name",
        "name",
        "created_at",
        "finished_at",
        "description",
        "scheduled_at",
        "storage_state",
    }
    | {"status", "namespace", "experiment_id", "state", "recurring_run_id"}
)
_RUN = "/runs/{run_id}"
_EXPERIMENT = {"experiment_id"}
STOPPABLE = ("RUNTIME_STATE_UNSPECIFIED", "PENDING", "RUNNING", "PAUSED")
FINAL = ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELED")


@route("POST", "/runs", takes="V2beta1Run", gives="V2beta1Run", query=_EXPERIMENT)
def create(state: State, request: Request) -> Any:
    outside = "Failed to create a new run"
    given = request.json()
    if not given.get("display_name"):
        raise invalid(outside, "The run name is empty. Please specify a valid name")
    experiment = experiment_of(state, request, given, f"{outside}: Failed to create a run due to invalid experimentId")
    package, source = package_of(state, given, outside)
    check_parameters(package, given.get("runtime_config", {}).get("parameters", {}))
    made = _pending(state, given, experiment, package, source)
    state.runs[made["run_id"]] = made
    state.packages[made["run_id"]] = package
    experiment["last_run_created_at"] = made["created_at"]
    answer = dict(made)
    state.on_created(made["run_id"])
    return answer


def _pending(
    state: State, given: Resource, experiment: Resource, package: Package, source: Resource | None
) -> Resource:
    created = state.clock()
    return without_empty(
        {
            "experiment_id": experiment["experiment_id"],
            "run_id": state.new_id(),
            "display_name": given["display_name"],
            "storage_state": "AVAILABLE",
            "description": given.get("description"),
            "pipeline_version_reference": source,
            "pipeline_spec": None if source else package.api,
            "runtime_config": given.get("runtime_config"),
            "service_account": given.get("service_account") or "pipeline-runner",
            "created_at": created,
            "scheduled_at": created,
            "finished_at": NEVER,
            "state": "PENDING",
            "state_history": [{"update_time": created, "state": "PENDING"}],
            "recurring_run_id": given.get("recurring_run_id"),
        }
    )


def experiment_of(state: State, request: Request, given: Resource, outside: str) -> Resource:
    """The experiment that a run or recurring run goes to."""
    identity = given.get("experiment_id")
    if identity:
        found = find(state.experiments, identity, "Experiment", outside)
    elif state.multi_user:
        raise invalid(outside, "Experiment id cannot be empty in multi-user mode")
    else:
        found = next(one for one in state.experiments.values() if one["display_name"] == "Default")
    state.authorize(request, found.get("namespace", ""), "A run", outside)
    if found["storage_state"] == "ARCHIVED":
        raise invalid(outside, f"Experiment {found['experiment_id']} is archived")
    return found


def package_of(state: State, given: Resource, outside: str) -> tuple[Package, Resource | None]:
    """The package to run, and the reference to its version: the pipeline's latest one where only that is named."""
    reference = given.get("pipeline_version_reference")
    if not reference:
        try:
            return read_api(given.get("pipeline_spec") or {}), None
        except NotAPackage as error:
            raise invalid(f"{outside}: Failed to fetch a template", str(error)) from None
    version_id = reference.get("pipeline_version_id")
    if not version_id:
        pipeline = find(state.pipelines, reference.get("pipeline_id", ""), "Pipeline", outside)
        mine = [one for one in state.versions.values() if one["pipeline_id"] == pipeline["pipeline_id"]]
        if not mine:
            raise invalid(outside, f"Pipeline {pipeline['pipeline_id']} has no versions")
        version_id = mine[-1]["pipeline_version_id"]
    version = find(state.versions, version_id, "PipelineVersion", f"{outside}: Failed to fetch a pipeline version")
    return state.packages[version_id], {name: version[name] for name in ("pipeline_id", "pipeline_version_id")}


@route("GET", "/runs", gives="V2beta1ListRunsResponse", query=LISTED | _EXPERIMENT | {"namespace"})
def list_all(state: State, request: Request) -> Any:
    outside = "Failed to list runs"
    experiment_id = request.query.get("experiment_id")
    if experiment_id:
        experiment = find(state.experiments, experiment_id, "Experiment", outside)
        namespace = experiment.get("namespace", "")
    else:
        namespace = state.namespace_of(request.query.get("namespace"))
    state.authorize(request, namespace, "A run", outside)
    mine = [run for run in state.runs.values() if _namespace(state, run) == namespace]
    chosen = [run for run in mine if not experiment_id or run["experiment_id"] == experiment_id]
    return page(chosen, "runs", "run_id", _FIELDS, request.query)


@route("GET", _RUN, gives="V2beta1Run", query=_EXPERIMENT)
def get(state: State, request: Request, run_id: str) -> Any:
    return _authorized(state, request, run_id, f"Failed to get a run: Failed to fetch run {run_id}")


@route("DELETE", _RUN, query=_EXPERIMENT)
def delete(state: State, request: Request, run_id: str) -> Any:
    run = _authorized(state, request, run_id, "Failed to delete a run")
    if run["state"] not in FINAL:
        state.on_terminated(run_id)
    del state.runs[run_id]
    return {}


@route("POST", _RUN + ":terminate", query=_EXPERIMENT)
def terminate(state: State, request: Request, run_id: str) -> Any:
    """The state changes at once, its history does not."""
    outside = "Failed to terminate a run"
    run = _authorized(state, request, run_id, outside)
    if run["state"] not in STOPPABLE:
        raise invalid(outside, f"Failed to terminate a run {run_id}. Row not found")
    run["state"] = "CANCELING"
    state.on_terminated(run_id)
    return {}


@route("POST", _RUN + ":archive", query=_EXPERIMENT)
def archive(state: State, request: Request, run_id: str) -> Any:
    _authorized(state, request, run_id, "Failed to archive a run")["storage_state"] = "ARCHIVED"
    return {}


@route("POST", _RUN + ":unarchive", query=_EXPERIMENT)
def unarchive(state: State, request: Request, run_id: str) -> Any:
    _authorized(state, request, run_id, "Failed to unarchive a run")["storage_state"] = "AVAILABLE"
    return {}


def _namespace(state: State, run: Resource) -> str:
    return str(state.experiments.get(run["experiment_id"], {}).get("namespace", ""))


def _authorized(state: State, request: Request, run_id: str, outside: str) -> Resource:
    found = find(state.runs, run_id, "Run", outside)
    state.authorize(request, _namespace(state, found), "A run", outside)
    return found
