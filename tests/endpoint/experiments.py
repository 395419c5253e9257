"""Experiments, and how the server is (backend/src/apiserver/server/experiment_server.go)."""

from __future__ import annotations

from typing import Any

from endpoint.listing import page
from endpoint.messages import EXISTS, ApiError, Request
from endpoint.routing import LISTED, route
from endpoint.state import State, find, invalid

_FIELDS = frozenset(
    {"experiment_id", "name", "display_name", "created_at", "namespace", "storage_state", "description"}
)
_WHAT = "An experiment"
# Recorded; the OpenAPI does not know these.
_API_HEALTH = {"commit_sha": "unknown", "tag_name": "unknown"}
# Read in frontend/server/handlers/healthz.ts.
_UI_HEALTH = {
    "apiServerCommitHash": "unknown",
    "apiServerTagName": "2.15.0",
    "apiServerMultiUser": False,
    "apiServerReady": True,
    "buildDate": "",
    "frontendCommitHash": "",
    "frontendTagName": "2.15.0",
    "pipelineStore": "database",
}


@route("GET", "/healthz", gives="V2beta1GetHealthzResponse", beyond=(*_API_HEALTH, *_UI_HEALTH))
def health(state: State, request: Request) -> Any:
    """What the API server says of itself, or what the UI's server makes of it when requests come through that."""
    if state.behind_ui:
        return dict(_UI_HEALTH, apiServerMultiUser=state.multi_user, multi_user=state.multi_user)
    return dict(_API_HEALTH, multi_user=state.multi_user, pipeline_store="database")


@route("GET", "/healthz", beyond=(*_API_HEALTH, *_UI_HEALTH, "multi_user", "pipeline_store"), prefix="/apis/v1beta1")
def health_of_version_1(state: State, request: Request) -> Any:
    return health(state, request)


@route("POST", "/experiments", takes="V2beta1Experiment", gives="V2beta1Experiment")
def create(state: State, request: Request) -> Any:
    outside = "Failed to create a experiment"
    given = request.json()
    name, namespace = given.get("display_name", ""), state.namespace_of(given.get("namespace"))
    state.authorize(request, namespace, _WHAT, f"{outside}: Failed to authorize the request")
    if not name:
        raise invalid(outside, "Experiment name is empty. Please specify a valid experiment name")
    if len(name) > 128:
        raise invalid(outside, "Experiment.Name length cannot exceed 128")
    if any(_is(one, name, namespace) for one in state.experiments.values()):
        detail = f"Failed to create a new experiment. The name {name} already exists. Please specify a new name"
        raise ApiError(EXISTS, f"{outside}: Already exist error: {detail}", detail)
    return state.add_experiment(state.new_id(), name, namespace, given.get("description"))


@route("GET", "/experiments", gives="V2beta1ListExperimentsResponse", query=LISTED | {"namespace"})
def list_all(state: State, request: Request) -> Any:
    namespace = state.namespace_of(request.query.get("namespace"))
    state.authorize(request, namespace, _WHAT, "List experiments failed: Failed to authorize with API")
    mine = [one for one in state.experiments.values() if one.get("namespace", "") == namespace]
    return page(mine, "experiments", "experiment_id", _FIELDS, request.query)


@route("GET", "/experiments/{experiment_id}", gives="V2beta1Experiment")
def get(state: State, request: Request, experiment_id: str) -> Any:
    return _authorized(state, request, experiment_id, "Failed to fetch experiment")


@route("DELETE", "/experiments/{experiment_id}")
def delete(state: State, request: Request, experiment_id: str) -> Any:
    _authorized(state, request, experiment_id, "Failed to delete experiment")
    del state.experiments[experiment_id]
    return {}


@route("POST", "/experiments/{experiment_id}:archive")
def archive(state: State, request: Request, experiment_id: str) -> Any:
    """Its runs are archived with it, and its recurring runs disabled."""
    _authorized(state, request, experiment_id, "Failed to archive experiment")["storage_state"] = "ARCHIVED"
    for run in state.runs.values():
        if run["experiment_id"] == experiment_id:
            run["storage_state"] = "ARCHIVED"
    for job in state.recurring.values():
        if job["experiment_id"] == experiment_id:
            job.update(status="DISABLED", mode="DISABLE")
    return {}


@route("POST", "/experiments/{experiment_id}:unarchive")
def unarchive(state: State, request: Request, experiment_id: str) -> Any:
    _authorized(state, request, experiment_id, "Failed to unarchive experiment")["storage_state"] = "AVAILABLE"
    return {}


def _authorized(state: State, request: Request, experiment_id: str, outside: str) -> Any:
    found = find(state.experiments, experiment_id, "Experiment", outside)
    state.authorize(request, found.get("namespace", ""), _WHAT, f"{outside}: Failed to authorize the request")
    return found


def _is(experiment: dict[str, Any], name: str, namespace: str) -> bool:
    return bool(experiment["display_name"] == name) and experiment.get("namespace", "") == namespace
