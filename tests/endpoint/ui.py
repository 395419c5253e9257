"""What the UI's server has beside the API: artifacts and logs of pods.

Read in frontend/server/handlers (artifacts.ts, pod-logs.ts) of kubeflow/pipelines; not recorded.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from endpoint.execution import BUCKET, Executions
from endpoint.messages import Reply, Request, html, plain

_ARTIFACT = re.compile(r"(?:/pipeline)?/artifacts/(?P<source>[^/]+)/(?P<bucket>[^/]+)/(?P<key>.+)")
_SOURCES = ("minio", "s3", "gcs", "http", "https", "volume")


def serve(executions: Executions, request: Request) -> Reply | None:
    """An answer to what is not the API's; None where this is not the UI's either."""
    if request.method != "GET":
        return None
    if request.path in ("/k8s/pod/logs", "/pipeline/k8s/pod/logs"):
        return _log(executions, request)
    if request.path in ("/artifacts/get", "/pipeline/artifacts/get"):
        query = request.query
        return _artifact(executions, request, query.get("source", ""), query.get("bucket", ""), query.get("key", ""))
    found = _ARTIFACT.fullmatch(request.path)
    if found is not None:
        return _artifact(executions, request, found["source"], found["bucket"], unquote(found["key"]))
    # Under Kubeflow `/` is the dashboard, and `/pipeline/` the UI: a page that a browser fills.
    return html("<title>Kubeflow Pipelines</title>") if request.path in ("/", "/pipeline", "/pipeline/") else None


def _log(executions: Executions, request: Request) -> Reply:
    pod, namespace = request.query.get("podname"), request.query.get("podnamespace")
    if not pod:
        return plain("podname argument is required", 400)
    if executions.multi_user and not namespace:
        return plain("podnamespace argument is required", 422)
    if executions.multi_user and namespace not in executions.namespaces:
        return plain("Access denied to namespace", 403)
    text = executions.log_of(pod)
    if text is None:
        return plain(f"Could not get main container logs: Error: Unable to retrieve workflow status: {pod}", 500)
    return Reply(200, text.encode(), content_type="text/plain")


def _artifact(executions: Executions, request: Request, source: str, bucket: str, key: str) -> Reply:
    if source not in _SOURCES:
        return plain(f"Unknown storage source: {source}", 400)
    if executions.multi_user and not request.identity:
        return plain("Authentication required for artifact access", 401)
    if executions.multi_user and request.query.get("namespace") not in executions.namespaces:
        missing = "Namespace parameter is required when authentication is enabled"
        return plain(*((missing, 400) if not request.query.get("namespace") else ("Access denied to namespace", 403)))
    file = executions.object(key) if bucket == BUCKET else None
    if file is None:
        return plain(f"Failed to get object in bucket: {bucket}: NoSuchKey", 500)
    content = file.read_bytes()
    peek = int(request.query.get("peek", "0") or 0)
    return Reply(200, content[:peek] if peek else content, content_type="application/octet-stream")
