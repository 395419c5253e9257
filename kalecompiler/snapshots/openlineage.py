"""A hook that tells a lineage server of each step: OpenLineage's run events, by HTTP, where OPENLINEAGE_URL says so.

https://openlineage.io/spec/2-0-2/OpenLineage.json: inputs and outputs are datasets named after variables and digests.
"""

from __future__ import annotations

import json
import os
import urllib.request
import uuid
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from kalecompiler.snapshots.manifest import Manifest
from kalecompiler.version import VERSION

ADDRESS, KEY, NAMESPACE = "OPENLINEAGE_URL", "OPENLINEAGE_API_KEY", "OPENLINEAGE_NAMESPACE"
_PRODUCER = f"pkg:pypi/kalecompiler@{VERSION}"  # the standard wants a URI
_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = "https://openlineage.io/spec/facets/1-0-0"
_SECONDS = 5.0


class Hook:
    """Sends START, COMPLETE and FAIL; does nothing without an address."""

    timeout = 2 * _SECONDS

    def before(self, ctx: Manifest) -> None:
        """A step is about to run."""
        self._send("START", ctx, ctx.started)

    def after(self, ctx: Manifest) -> None:
        """A step succeeded."""
        self._send("COMPLETE", ctx, ctx.ended)

    def failed(self, ctx: Manifest, error: str | None) -> None:
        """A step failed."""
        told = {"message": error or "", "programmingLanguage": "python"}
        self._send("FAIL", ctx, ctx.ended, {"errorMessage": {**_facet("ErrorMessageRunFacet"), **told}})

    def _send(self, kind: str, ctx: Manifest, moment: float | None, facets: dict[str, Any] | None = None) -> None:
        address = os.environ.get(ADDRESS)
        if not address:
            return
        data = json.dumps(event(kind, ctx, moment, facets or {})).encode()
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(KEY):
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(f"{address.rstrip('/')}/api/v1/lineage", data, headers)  # noqa: S310 - the user's
        with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310
            pass


def event(kind: str, ctx: Manifest, moment: float | None, facets: dict[str, Any]) -> dict[str, Any]:
    """A run event of a manifest."""
    namespace = os.environ.get(NAMESPACE, "kalecompiler")
    when = datetime.fromtimestamp(moment or 0.0, timezone.utc)
    outputs = [name for name, about in ctx.variables.items() if about.port and ctx.when != "before"]
    return {
        "eventType": kind,
        "eventTime": when.isoformat(),
        "producer": _PRODUCER,
        "schemaURL": _SCHEMA,
        "run": {
            "runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"kalec:{ctx.run}/{ctx.task}/{ctx.attempt}")),
            "facets": facets,
        },
        "job": {"namespace": namespace, "name": f"{ctx.pipeline}.{ctx.step}"},
        "inputs": _datasets(namespace, ctx, ((name, about.get("digest")) for name, about in ctx.inputs.items())),
        "outputs": _datasets(namespace, ctx, ((name, ctx.variables[name].digest) for name in outputs)),
    }


def _datasets(namespace: str, ctx: Manifest, named: Iterable[tuple[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "namespace": namespace,
            "name": f"{ctx.pipeline}.{name}",
            "facets": {"version": {**_facet("DatasetVersionDatasetFacet"), "datasetVersion": str(digest)}}
            if digest
            else {},
        }
        for name, digest in named
    ]


def _facet(name: str) -> dict[str, str]:
    """What each facet says of itself."""
    return {"_producer": _PRODUCER, "_schemaURL": f"{_FACETS}/{name}.json#/$defs/{name}"}
