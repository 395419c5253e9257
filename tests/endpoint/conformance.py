"""Whether JSON fits a model of kfp_server_api, and KFP's OpenAPI where that is at hand: strictly, field by field.

The generated client itself lets unknown fields, wrong types and unknown words of an enumeration pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import kfp_server_api

from endpoint.messages import Reply, Request
from endpoint.routing import Route

OPENAPI = "kfp/kfp_api_v2beta1.swagger.json"

_PLAIN: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}
# Protobuf's JSON takes a number for these too; the models know them as text.
_INT64 = {"max_concurrency", "interval_second"}
_ERROR, _UPLOAD_ERROR = {"code", "message", "details"}, {"error_message", "error_details"}


class Checker:
    """Looks at calls and gives what is wrong with them. `openapi` is the folder that has KFP's OpenAPI, or None."""

    def __init__(self, shared: Path | None) -> None:
        file = None if shared is None else shared / OPENAPI
        self._schema = read_schema(file) if file is not None and file.is_file() else None

    @property
    def knows_openapi(self) -> bool:
        return self._schema is not None

    def request(self, route: Route, request: Request) -> Iterator[str]:
        """What does not fit in a request for that call."""
        for name in sorted(set(request.query) - route.query):
            yield f"the query parameter {name!r} is unknown"
        if route.takes is not None:
            yield from self._body(request.body, route.takes, self._operation(route, "body"))
        elif request.body not in (b"", b"null") and "multipart" not in request.headers.get("content-type", ""):
            yield f"a body where none is expected: {request.body[:80]!r}"

    def reply(self, route: Route, reply: Reply) -> Iterator[str]:
        """What does not fit in an answer to that call."""
        if not reply.api:
            return
        if reply.status == 200 and route.gives is not None:
            known = {name: one for name, one in reply.json().items() if name not in route.beyond}
            yield from self._body(json.dumps(known).encode(), route.gives, self._operation(route, "200"))
        elif reply.status == 200 and not set(reply.json()) <= route.beyond:
            yield f"the answer has {sorted(set(reply.json()) - route.beyond)}"
        elif reply.status != 200:
            yield from _error(reply.json(), self._schema)

    def _body(self, body: bytes, model: str, schema: Any) -> Iterator[str]:
        try:
            value = json.loads(body, object_hook=_with_text_for_int64)
        except ValueError as error:
            yield f"no JSON: {error}"
            return
        yield from fit(value, model)
        if schema is not None:
            yield from (f"OpenAPI: {text}" for text in schema_errors(value, schema))

    def _operation(self, route: Route, what: str) -> Any:
        """The schema of a call's body or answer; None without OpenAPI."""
        if self._schema is None:
            return None
        operation = self._schema["paths"][route.template][route.method.lower()]
        if what == "body":
            found = next(one["schema"] for one in operation["parameters"] if one["in"] == "body")
        else:
            found = operation["responses"][what]["schema"]
        return {**found, "definitions": self._schema["definitions"]}


def read_schema(file: Path) -> Any:
    """A Swagger 2 document whose definitions are JSON schemas that let no unknown field pass."""
    document = json.loads(file.read_text())
    for name, definition in document["definitions"].items():
        if "properties" in definition and "additionalProperties" not in definition:
            definition["additionalProperties"] = False
        # A Struct of protobuf is any object.
        if name == "protobufAny":
            definition["additionalProperties"] = True
    return document


def schema_errors(value: Any, schema: Any) -> Iterator[str]:
    """What jsonschema finds; the place comes first."""
    for error in jsonschema.Draft4Validator(schema).iter_errors(value):
        yield f"{'.'.join(str(part) for part in error.absolute_path) or 'body'}: {error.message[:300]}"


def fit(value: Any, kind: str, place: str = "body") -> Iterator[str]:
    """How a value differs from a type of kfp_server_api: a plain one, `list[X]`, `dict(str, X)`, a model."""
    inner = re.fullmatch(r"(list|dict)(?:\[|\(str, )(.+)[\])]", kind)
    if kind == "object":
        return
    if kind == "datetime":
        yield from _date(value, place)
    elif kind in _PLAIN:
        if not isinstance(value, _PLAIN[kind]) or (isinstance(value, bool) and kind != "bool"):
            yield f"{place}: {value!r} is no {kind}"
    elif inner is not None:
        yield from _container(value, inner[1], inner[2], place)
    else:
        yield from _model(value, getattr(kfp_server_api, kind), place)


def _with_text_for_int64(value: dict[str, Any]) -> dict[str, Any]:
    return {name: str(one) if name in _INT64 and isinstance(one, int) else one for name, one in value.items()}


def _container(value: Any, container: str, kind: str, place: str) -> Iterator[str]:
    if container == "list" and isinstance(value, list):
        value = dict(enumerate(value))
    elif container == "list" or not isinstance(value, dict):
        yield f"{place}: {value!r} is no {container}"
        return
    for key, one in value.items():
        yield from fit(one, kind, f"{place}.{key}")


def _model(value: Any, model: Any, place: str) -> Iterator[str]:
    words = getattr(model, "allowable_values", None)
    if words is not None and not model.openapi_types:
        if value not in words:
            yield f"{place}: {value!r} is none of {', '.join(words)}"
        return
    if not isinstance(value, Mapping):
        yield f"{place}: {value!r} is no {model.__name__}"
        return
    types = {name: model.openapi_types[attribute] for attribute, name in model.attribute_map.items()}
    for name, one in value.items():
        if name in types:
            yield from fit(one, types[name], f"{place}.{name}")
        elif model is not kfp_server_api.ProtobufAny:
            yield f"{place}: {model.__name__} has no {name}"


def _date(value: Any, place: str) -> Iterator[str]:
    try:
        datetime.fromisoformat(value.replace("Z", "+00:00"))
    except (AttributeError, ValueError):
        yield f"{place}: {value!r} is no time"


def _error(value: Any, schema: Any) -> Iterator[str]:
    if not isinstance(value, dict) or set(value) not in (_ERROR, _UPLOAD_ERROR):
        yield f"an error of no known shape: {value!r}"
        return
    if set(value) == _ERROR:
        yield from fit(value, "GoogleRpcStatus")
        if schema is not None:
            status = {"$ref": "#/definitions/googleRpcStatus", "definitions": schema["definitions"]}
            yield from (f"OpenAPI: {text}" for text in schema_errors(value, status))
