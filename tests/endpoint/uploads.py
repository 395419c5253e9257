"""The two upload calls, which are no gRPC and have errors of their own shape.

backend/src/apiserver/server/pipeline_upload_server.go; names that are too long and a namespace that is missing are
refused there with `http.Error`: as text.
"""

from __future__ import annotations

from email.parser import BytesParser
from typing import Any

from endpoint.messages import ApiError, PlainError, Request, UploadError
from endpoint.pipelines import add_pipeline, add_version
from endpoint.routing import route
from endpoint.specs import NotAPackage, Package, read_file
from endpoint.state import POD_NAMESPACE, State

# Bytes, as the server counts them.
LONGEST_PIPELINE_NAME, LONGEST_VERSION_NAME = 128, 127
_TOLD = {"name", "display_name", "description", "tags", "code_source_url"}
_NOT_AUTHENTICATED = "Pipeline upload authentication failed. Authenticate the client and retry"


@route("POST", "/pipelines/upload", gives="V2beta1Pipeline", query=_TOLD | {"namespace"})
def upload(state: State, request: Request) -> Any:
    filename, data = _file(request, "Failed to read pipeline from file")
    query = request.query
    namespace = state.namespace_of(query.get("namespace"))
    _authorize(state, request, namespace)
    name = query.get("name") or query.get("display_name") or filename
    _check_length("Pipeline", name, LONGEST_PIPELINE_NAME)
    package = _package(filename, data)
    made = add_pipeline(state, name, query.get("display_name", ""), query.get("description"), namespace)
    if made is None:
        raise UploadError(409, "Failed to create a pipeline and a pipeline version")
    add_version(state, made["pipeline_id"], name, query.get("display_name", ""), query.get("description"), package)
    return made


@route("POST", "/pipelines/upload_version", gives="V2beta1PipelineVersion", query=_TOLD | {"pipelineid"})
def upload_version(state: State, request: Request) -> Any:
    failed = "Failed to create a pipeline version"
    filename, data = _file(request, failed)
    query = request.query
    name = query.get("name") or query.get("display_name") or filename
    _check_length("PipelineVersion", name, LONGEST_VERSION_NAME)
    pipeline = state.pipelines.get(query.get("pipelineid", ""))
    if pipeline is None:
        raise UploadError(400, failed)
    _authorize(state, request, pipeline.get("namespace", ""))
    package = _package(filename, data)
    made = add_version(
        state, pipeline["pipeline_id"], name, query.get("display_name", ""), query.get("description"), package
    )
    if made is None:
        raise UploadError(409, failed)
    return made


def _file(request: Request, failed: str) -> tuple[str, bytes]:
    """The name and bytes of the form's one file."""
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
    form = BytesParser().parsebytes(head + request.body)
    for part in form.walk():
        if part.get_param("name", header="content-disposition") == "uploadfile":
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            return str(part.get_filename()), content
    raise UploadError(400, failed)


def _package(filename: str, data: bytes) -> Package:
    try:
        return read_file(filename, data)
    except NotAPackage as error:
        raise UploadError(400, str(error)) from None


def _check_length(kind: str, name: str, longest: int) -> None:
    if len(name.encode()) > longest:
        raise PlainError(400, f"Invalid input error: {kind}.Name length cannot exceed {longest}")


def _authorize(state: State, request: Request, namespace: str) -> None:
    """400 in the uploads' shape, where the other calls have 401 and 403; shared pipelines need rights in KFP's own
    namespace."""
    namespace = namespace or POD_NAMESPACE
    try:
        state.authorize(request, namespace, "A pipeline", "")
    except ApiError as error:
        if error.reply.status == 401:
            raise UploadError(400, _NOT_AUTHENTICATED) from None
        denied = (
            f'pipeline upload denied: permission to create pipelines.pipelines.kubeflow.org in namespace "{namespace}"'
        )
        raise UploadError(400, f"{denied} is required") from None
