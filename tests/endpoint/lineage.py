"""Where a run's artifacts lie, as servers tell it: the artifacts API of some, and ML Metadata behind the UI of others.

The API was read in backend/api/v2beta1/artifact.proto; ML Metadata in its metadata_store_service.proto, whose messages
are made here by protobuf itself. How KFP fills them: backend/src/v2/metadata/client.go. Not recorded.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from endpoint.execution import BUCKET, Executions
from endpoint.messages import NOT_FOUND, Reply, Request, as_json
from endpoint.state import State

_METADATA = "/ml_metadata.MetadataStoreService/"
_PREFIX = "/apis/v2beta1"


def uri(pipeline: str, run_id: str, step: str, number: int, port: str) -> str:
    """Where KFP puts an artifact; the execution's id is a UUID in newer versions."""
    return f"minio://{BUCKET}/v2/artifacts/{pipeline}/{run_id}/{step}/00000000-0000-4000-8000-{number:012}/{port}"


def artifacts(executions: Executions, state: State, run_id: str) -> Iterator[dict[str, Any]]:
    """What a run's steps left: of a cached step what another run's did."""
    spec = state.packages[run_id].spec
    name = spec["pipelineInfo"]["name"]
    for number, step in enumerate(spec["root"]["dag"]["tasks"]):
        owner = executions.cached.get((run_id, step), run_id)
        file = executions.folder(owner) / step / "executor_output.json"
        if not file.is_file():
            continue
        component = spec["components"][spec["root"]["dag"]["tasks"][step]["componentRef"]["name"]]
        declared = component.get("outputDefinitions", {}).get("artifacts", {})
        for port, entry in json.loads(file.read_text()).get("artifacts", {}).items():
            yield {
                "id": f"{owner}/{step}/{port}",
                "task": step,
                "port": port,
                "uri": uri(name, owner, step, number, port),
                "metadata": entry["artifacts"][0].get("metadata", {}),
                "type": declared[port]["artifactType"]["schemaTitle"],
            }


def serve(executions: Executions, state: State, request: Request, kind: str | None) -> Reply | None:
    """An answer where the server is of that kind (`api`, `metadata`); None where the request is for something else."""
    path = request.path.removeprefix("/pipeline")
    if kind == "api" and request.method == "GET" and path.startswith(_PREFIX):
        return _api(executions, state, request, path.removeprefix(_PREFIX))
    if kind == "metadata" and request.method == "POST" and path.startswith(_METADATA):
        return _metadata(executions, state, request, path.removeprefix(_METADATA))
    return None


def _api(executions: Executions, state: State, request: Request, path: str) -> Reply | None:
    if path == "/artifact_tasks":
        found = list(artifacts(executions, state, request.query["run_ids"]))
        first = int(request.query.get("page_token") or 0)
        links = [
            {"artifact_id": one["id"].replace("/", "."), "run_id": request.query["run_ids"], "type": "OUTPUT",
             "producer": {"task_name": one["task"]}, "key": one["port"]}
            for one in found
        ]  # fmt: skip
        answer: dict[str, Any] = {"artifact_tasks": links[first : first + 2], "total_size": len(links)}
        return as_json({**answer, **({"next_page_token": str(first + 2)} if first + 2 < len(links) else {})})
    if not path.startswith("/artifacts/"):
        return None
    for run_id in state.runs:
        for one in artifacts(executions, state, run_id):
            if one["id"].replace("/", ".") == path.removeprefix("/artifacts/"):
                plain = {name: one[name] for name in ("uri", "metadata")}
                return as_json(
                    {"artifact_id": path, "name": one["port"], "type": one["type"].partition(".")[2], **plain}
                )
    return as_json({"code": NOT_FOUND, "message": "Not Found", "details": []}, 404)


def _metadata(executions: Executions, state: State, request: Request, call: str) -> Reply:
    """ML Metadata, as the proxy before it frames its answers."""
    (length,) = struct.unpack(">I", request.body[1:5])
    asked = _message(f"{call}Request")
    asked.ParseFromString(request.body[5 : 5 + length])
    answer = _message(f"{call}Response")
    ids = list(state.runs)
    if call == "GetContextByTypeAndName":
        if asked.type_name == "system.PipelineRun" and asked.context_name in ids:
            answer.context.id = ids.index(asked.context_name) + 300
            answer.context.name = asked.context_name
    else:
        for number, one in enumerate(artifacts(executions, state, ids[asked.context_id - 300])):
            made = answer.artifacts.add(id=number + 1, uri=one["uri"], type=one["type"])
            for name, value in {**one["metadata"], "display_name": one["port"]}.items():
                _fill(made.custom_properties[name], value)
    data = answer.SerializeToString()
    trailers = b"grpc-status:0\r\ngrpc-message:OK\r\n"
    framed = b"\0" + struct.pack(">I", len(data)) + data + b"\x80" + struct.pack(">I", len(trailers)) + trailers
    return Reply(200, framed, content_type="application/grpc-web+proto")


def _fill(target: Any, value: Any) -> None:
    if isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int):
        target.int_value = value
    elif isinstance(value, float):
        target.double_value = value
    elif isinstance(value, str):
        target.string_value = value
    else:  # a Struct or a list, which nobody here asks for
        target.proto_value = json.dumps(value).encode()


_INT, _TEXT, _DOUBLE, _BOOL, _BYTES = 3, 9, 1, 8, 12
_FIELDS: Mapping[str, Mapping[str, tuple[int, Any]]] = {
    "Value": {"int_value": (1, _INT), "double_value": (2, _DOUBLE), "string_value": (3, _TEXT),
              "proto_value": (5, _BYTES), "bool_value": (6, _BOOL)},
    "Context": {"id": (1, _INT), "type_id": (2, _INT), "name": (3, _TEXT)},
    "Artifact": {"id": (1, _INT), "type_id": (2, _INT), "uri": (3, _TEXT), "name": (7, _TEXT), "type": (8, _TEXT)},
    "GetContextByTypeAndNameRequest": {"type_name": (1, _TEXT), "context_name": (2, _TEXT)},
    "GetContextByTypeAndNameResponse": {"context": (1, "Context")},
    "GetArtifactsByContextRequest": {"context_id": (1, _INT)},
    "GetArtifactsByContextResponse": {"artifacts": (1, ["Artifact"]), "next_page_token": (2, _TEXT)},
}  # fmt: skip


@cache
def _pool() -> Any:
    """The messages, as protobuf knows them."""
    file = descriptor_pb2.FileDescriptorProto(name="test_ml_metadata.proto", package="ml_metadata", syntax="proto2")
    for name, fields in _FIELDS.items():
        made = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            repeated, inner = isinstance(kind, list), kind[0] if isinstance(kind, list) else kind
            one = made.field.add(name=field, number=number, label=3 if repeated else 1)
            if isinstance(inner, str):
                one.type, one.type_name = 11, f".ml_metadata.{inner}"
            else:
                one.type = inner
        if name == "Artifact":
            entry = made.nested_type.add(name="CustomPropertiesEntry")
            entry.options.map_entry = True
            entry.field.add(name="key", number=1, label=1, type=_TEXT)
            entry.field.add(name="value", number=2, label=1, type=11, type_name=".ml_metadata.Value")
            place = ".ml_metadata.Artifact.CustomPropertiesEntry"
            made.field.add(name="custom_properties", number=5, label=3, type=11, type_name=place)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"ml_metadata.{name}"))()
