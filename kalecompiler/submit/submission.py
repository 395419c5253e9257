"""Submit: package -> pipeline and version on the server -> a run of it, begun once for each intent."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalecompiler.diagnostics import UsageError
from kalecompiler.submit import versions
from kalecompiler.submit.connection import Connection, find, made_once
from kalecompiler.submit.faults import ServerError
from kalecompiler.submit.intents import LONGEST_NAME, Intent, intent
from kalecompiler.submit.versions import Version

if TYPE_CHECKING:
    from kalecompiler.compile import Compiled

EXPERIMENT = "Default"
"""KFP's own name for it."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to submit, and how to run it. `run_name` is without the token that is put behind it."""

    notebook: Path
    pipeline: str
    compiled: Compiled
    parameters: Mapping[str, object] = field(default_factory=dict)
    experiment: str = EXPERIMENT
    run_name: str | None = None
    cached: bool = True
    service_account: str | None = None
    pipeline_root: str | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A run on the server. `resumed`: an earlier submit that was cut off had begun it."""

    id: str
    name: str
    resumed: bool


def check(request: Request) -> None:
    """Raise UsageError for names that every server refuses."""
    longest = LONGEST_NAME - 9  # the token goes behind it
    for what, name, most in (("run", request.run_name, longest), ("experiment", request.experiment, LONGEST_NAME)):
        if name is not None and not name.strip():
            raise UsageError(f"the {what}'s name is empty")
        if name is not None and len(name.encode()) > most:
            raise UsageError(f"the {what}'s name has {len(name.encode())} bytes: there is room for {most}")


def base_name(request: Request) -> str:
    """The run's name without its token."""
    return request.run_name or f"{request.pipeline[:90]}-{datetime.now(timezone.utc):%Y%m%d-%H%M%S}"


def run_fields(request: Request) -> dict[str, Any]:
    """What a run is begun with besides package, experiment and name; nothing that was not asked for."""
    fields = {
        "params": dict(request.parameters),
        "pipeline_root": request.pipeline_root,
        "service_account": request.service_account,
    }
    return {name: value for name, value in fields.items() if value}


def ensure_experiment(connection: Connection, name: str) -> str:
    """The id of the experiment of that name, which is made if need be."""
    client, namespace = connection.client, connection.namespace
    body = client.api_models.V2beta1Experiment(display_name=name, namespace=namespace)
    found, _ = made_once(
        lambda: find(connection, client.list_experiments, "experiments", name, namespace=namespace),
        lambda: connection.call(client.experiments.experiment_service_create_experiment, experiment=body),
    )
    return str(found.experiment_id)


def begin(connection: Connection, request: Request, version: Version) -> Begun:
    """Begin a run of the version, or take up the one that an earlier submit of the same was cut off from."""
    experiment = ensure_experiment(connection, request.experiment)
    endpoint = connection.endpoint
    identity = {
        "host": endpoint.host,
        "namespace": connection.namespace,
        "experiment": request.experiment,
        "version": version.id,
        "name": request.run_name,
        "cached": request.cached,
        **run_fields(request),
    }
    with intent(request.notebook.parent, identity, base_name(request)) as wanted:
        run_id = _already(connection, wanted) if wanted.resumed else None
        taken_up = run_id is not None
        if run_id is None:
            run_id = _create(connection, request, version, experiment, wanted)
            run_id = _only(connection, wanted, run_id) if wanted.resumed else run_id
        wanted.close()
    return Begun(run_id, wanted.run_name, taken_up)


def _already(connection: Connection, wanted: Intent) -> str | None:
    """The id of the run that an earlier submit began for this intent."""
    client = connection.client
    found = find(connection, client.list_runs, "runs", wanted.run_name, namespace=connection.namespace)
    return str(found.run_id) if found else None


def _only(connection: Connection, wanted: Intent, made: str) -> str:
    """The one run of a resumed intent: should the lost request have made one late after all, the new one is stopped."""
    client = connection.client
    there = connection.named(client.list_runs, "runs", wanted.run_name, namespace=connection.namespace)
    others = [run.run_id for run in there if run.run_id != made]
    if not others:
        return made
    connection.call(client.terminate_run, run_id=made)
    return str(others[0])


def _create(connection: Connection, request: Request, version: Version, experiment: str, wanted: Intent) -> str:
    """Begin a run. The intent stays open, unless the server says clearly that there is no run."""
    fields = {"experiment_id": experiment, "job_name": wanted.run_name, **run_fields(request)}
    try:
        if request.cached:
            ids = {"pipeline_id": version.pipeline_id, "version_id": version.id}
            run = connection.call(connection.client.run_pipeline, **fields, **ids)
        else:
            run = _uncached(connection, request.compiled.text, fields)
    except ServerError as error:
        if error.refused:
            wanted.close()
        raise
    if not run.run_id:
        raise connection.strange()
    return str(run.run_id)


def _uncached(connection: Connection, text: str, fields: Mapping[str, Any]) -> Any:
    """A run of a copy of the package in which no task is cached: kfp ignores the wish for a run of a version."""
    with tempfile.TemporaryDirectory(prefix="kalec-") as folder:
        package = Path(folder) / "package.yaml"
        package.write_text(text, encoding="utf-8")
        return connection.call(
            connection.client.run_pipeline, pipeline_package_path=str(package), enable_caching=False, **fields
        )


def upload(connection: Connection, request: Request) -> Version:
    """The version on the server that holds the package."""
    description = versions.describe(request.notebook, request.compiled)
    return versions.ensure(connection, request.pipeline, request.compiled, description)


def plan(request: Request) -> dict[str, Any]:
    """What would be sent, without sending it."""
    return {
        "pipeline": request.pipeline,
        "version": versions.name_of(request.compiled),
        "description": versions.describe(request.notebook, request.compiled),
        "package_bytes": len(request.compiled.text.encode()),
        "experiment": request.experiment,
        "run": f"{base_name(request)}-TOKEN",
        "cached": request.cached,
        **run_fields(request),
    }
