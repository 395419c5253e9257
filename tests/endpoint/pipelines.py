"""Pipelines and their versions (backend/src/apiserver/server/pipeline_server.go)."""

from __future__ import annotations

from typing import Any

from endpoint.listing import page
from endpoint.messages import EXISTS, NOT_FOUND, ApiError, Request
from endpoint.routing import LISTED, route
from endpoint.specs import Package
from endpoint.state import Resource, State, find, invalid, without_empty

_FIELDS = frozenset({"pipeline_id", "display_name", "name", "created_at", "description", "namespace"})
_VERSION_FIELDS = frozenset({"pipeline_version_id", "display_name", "name", "created_at", "description", "status"})
_PIPELINES, _VERSIONS = "/pipelines", "/pipelines/{pipeline_id}/versions"
_VERSION = _VERSIONS + "/{pipeline_version_id}"


def add_pipeline(
    state: State, name: str, display_name: str, description: str | None, namespace: str
) -> Resource | None:
    """A new pipeline; None where there is one of that name in the namespace."""
    if _named(state, name, namespace) is not None:
        return None
    made: Resource = {
        "pipeline_id": state.new_id(),
        "display_name": display_name or name,
        "name": name,
        "description": description,
        "created_at": state.clock(),
        "namespace": namespace,
    }
    return state.pipelines.setdefault(made["pipeline_id"], without_empty(made))


def add_version(
    state: State, pipeline_id: str, name: str, display_name: str, description: str | None, package: Package
) -> Resource | None:
    """A new version; None where the pipeline has one of that name."""
    if any(version["name"] == name for version in versions_of(state, pipeline_id)):
        return None
    made: Resource = {
        "pipeline_id": pipeline_id,
        "pipeline_version_id": state.new_id(),
        "display_name": display_name or name,
        "name": name,
        "description": description,
        "created_at": state.clock(),
        "pipeline_spec": package.api,
    }
    state.packages[made["pipeline_version_id"]] = package
    return state.versions.setdefault(made["pipeline_version_id"], without_empty(made))


def versions_of(state: State, pipeline_id: str) -> list[Resource]:
    return [version for version in state.versions.values() if version["pipeline_id"] == pipeline_id]


@route("GET", _PIPELINES, gives="V2beta1ListPipelinesResponse", query=LISTED | {"namespace"})
def list_all(state: State, request: Request) -> Any:
    """Without a namespace those that all users share, which `kfp.Client.get_pipeline_id` does not say."""
    namespace = state.namespace_of(request.query.get("namespace"))
    outside = f"Failed to list pipelines in namespace {namespace}. Check error stack"
    _authorize(state, request, namespace, outside)
    mine = [one for one in state.pipelines.values() if one.get("namespace", "") == namespace]
    return page(mine, "pipelines", "pipeline_id", _FIELDS, request.query)


@route("POST", _PIPELINES, takes="V2beta1Pipeline", gives="V2beta1Pipeline")
def create(state: State, request: Request) -> Any:
    outside = "Failed to create a pipeline due to server error"
    given = request.json()
    name, namespace = given.get("name") or given.get("display_name", ""), state.namespace_of(given.get("namespace"))
    _authorize(state, request, namespace, outside)
    if not name:
        raise invalid(outside, "name is required")
    if len(name) > 128:
        raise invalid(outside, "Pipeline.Name length cannot exceed 128")
    made = add_pipeline(state, name, given.get("display_name", ""), given.get("description"), namespace)
    if made is None:
        detail = f"Failed to create a new pipeline. The name {name} already exist. Please specify a new name"
        raise ApiError(EXISTS, f"{outside}: Already exist error: {detail}", detail)
    return made


@route("GET", _PIPELINES + "/names/{name}", gives="V2beta1Pipeline", query={"namespace"})
def get_by_name(state: State, request: Request, name: str) -> Any:
    namespace = state.namespace_of(request.query.get("namespace"))
    outside = f"Failed to get a pipeline with name {name} and namespace {namespace}. Check error stack."
    _authorize(state, request, namespace, outside)
    found = _named(state, name, namespace)
    if found is None:
        detail = f"Pipeline {name} not found"
        raise ApiError(NOT_FOUND, f"{outside}: ResourceNotFoundError: {detail}", detail)
    return found


@route("GET", _PIPELINES + "/{pipeline_id}", gives="V2beta1Pipeline")
def get(state: State, request: Request, pipeline_id: str) -> Any:
    return _authorized(state, request, pipeline_id, f"Failed to get a pipeline {pipeline_id}. Check error stack")


@route("DELETE", _PIPELINES + "/{pipeline_id}", query={"cascade"})
def delete(state: State, request: Request, pipeline_id: str) -> Any:
    outside = f"Failed to delete pipeline {pipeline_id}. Check error stack"
    _authorized(state, request, pipeline_id, outside)
    versions = versions_of(state, pipeline_id)
    if versions and request.query.get("cascade", "").lower() != "true":
        raise invalid(
            outside,
            f"Failed to delete pipeline with id {pipeline_id} as it has existing pipeline versions "
            f"(e.g. {versions[-1]['pipeline_version_id']}). Set cascade=true to delete all versions",
        )
    for version in versions:
        del state.versions[version["pipeline_version_id"]]
    del state.pipelines[pipeline_id]
    return {}


@route("GET", _VERSIONS, gives="V2beta1ListPipelineVersionsResponse", query=LISTED)
def list_versions(state: State, request: Request, pipeline_id: str) -> Any:
    _authorized(state, request, pipeline_id, f"Failed to list pipeline versions for pipeline {pipeline_id}")
    found = versions_of(state, pipeline_id)
    return page(found, "pipeline_versions", "pipeline_version_id", _VERSION_FIELDS, request.query)


@route("GET", _VERSION, gives="V2beta1PipelineVersion")
def get_version(state: State, request: Request, pipeline_id: str, pipeline_version_id: str) -> Any:
    return _find_version(state, request, pipeline_id, pipeline_version_id, "Failed to get a pipeline version")


@route("DELETE", _VERSION)
def delete_version(state: State, request: Request, pipeline_id: str, pipeline_version_id: str) -> Any:
    _find_version(state, request, pipeline_id, pipeline_version_id, "Failed to delete a pipeline version")
    del state.versions[pipeline_version_id]
    return {}


def _find_version(state: State, request: Request, pipeline_id: str, version_id: str, outside: str) -> Any:
    _authorized(state, request, pipeline_id, outside)
    return find(state.versions, version_id, "PipelineVersion", f"{outside} {version_id}")


def _named(state: State, name: str, namespace: str) -> Resource | None:
    mine = (one for one in state.pipelines.values() if one.get("namespace", "") == namespace)
    return next((one for one in mine if one["name"] == name), None)


def _authorize(state: State, request: Request, namespace: str, outside: str) -> None:
    """Shared pipelines are open to whoever is somebody."""
    if namespace:
        state.authorize(request, namespace, "A pipeline", outside)
    else:
        state.identify(request, outside)


def _authorized(state: State, request: Request, pipeline_id: str, outside: str) -> Resource:
    found = find(state.pipelines, pipeline_id, "Pipeline", outside)
    _authorize(state, request, found.get("namespace", ""), outside)
    return found
