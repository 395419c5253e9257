"""Versions of a pipeline: each is named after the content of its package, so that the same is uploaded once."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalecompiler.submit.connection import Connection, find, made_once
from kalecompiler.version import VERSION

if TYPE_CHECKING:
    from kalecompiler.compile import Compiled


@dataclass(frozen=True, slots=True)
class Version:
    """A version on the server. `created`: it was made just now; `pipeline_created` the same of its pipeline."""

    pipeline: str
    pipeline_id: str
    name: str
    id: str
    created: bool
    pipeline_created: bool


def digest(compiled: Compiled) -> str:
    """The SHA-256 of what a package says, in hexadecimal: its comments and the order of its keys do not count."""
    content = json.dumps([compiled.spec, compiled.platform], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


def name_of(compiled: Compiled) -> str:
    """The name of the version that holds this package."""
    return f"sha256-{digest(compiled)[:16]}"


def describe(notebook: Path, compiled: Compiled) -> str:
    """Where a version comes from: notebook, git commit where there is one, the whole digest."""
    commit = _commit(notebook)
    parts = [f"notebook {notebook.name}", *([f"git {commit}"] if commit else []), f"sha256 {digest(compiled)}"]
    return f"{', '.join(parts)}, compiled by kalecompiler {VERSION}"


def ensure(connection: Connection, pipeline: str, compiled: Compiled, description: str) -> Version:
    """The version of the pipeline that holds the package; pipeline and version are made where they are not there.

    Two that do so at the same time end with one of each. Raises ServerError.
    """
    client, namespace = connection.client, connection.namespace
    found, pipeline_created = made_once(
        lambda: find(connection, client.list_pipelines, "pipelines", pipeline, namespace=namespace),
        lambda: _create(connection, pipeline),
    )
    name = name_of(compiled)
    version, created = made_once(
        lambda: find(
            connection, client.list_pipeline_versions, "pipeline_versions", name, pipeline_id=found.pipeline_id
        ),
        lambda: _upload(connection, found.pipeline_id, name, compiled.text, description),
    )
    return Version(pipeline, found.pipeline_id, name, version.pipeline_version_id, created, pipeline_created)


def _create(connection: Connection, name: str) -> Any:
    """A pipeline without a version. (kfp's `upload_pipeline` would name the first version after the pipeline.)"""
    client = connection.client
    body = client.api_models.V2beta1Pipeline(display_name=name, namespace=connection.namespace)
    return connection.call(client.pipelines.pipeline_service_create_pipeline, pipeline=body)


def _upload(connection: Connection, pipeline_id: str, name: str, text: str, description: str) -> Any:
    with tempfile.TemporaryDirectory(prefix="kalec-") as folder:
        package = Path(folder) / "package.yaml"
        package.write_text(text, encoding="utf-8")
        return connection.call(
            connection.client.upload_pipeline_version,
            pipeline_package_path=str(package),
            pipeline_version_name=name,
            pipeline_id=pipeline_id,
            description=description,
        )


def _commit(notebook: Path) -> str | None:
    """The commit that is checked out, marked where the notebook is not as in it; None outside git."""

    def git(*arguments: str) -> str | None:
        command = ["git", "-C", str(notebook.absolute().parent), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    if not commit:
        return None
    return f"{commit} (changed since)" if git("status", "--porcelain", "--", notebook.name) else commit
