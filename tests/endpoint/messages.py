"""What goes over the wire, as values: a request as it came, a reply, and the errors in the shapes that KFP has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

# gRPC's codes, as the error's `code`, and the HTTP status that grpc-gateway makes of each.
INVALID, NOT_FOUND, EXISTS, DENIED, INTERNAL, UNAUTHENTICATED = 3, 5, 6, 7, 13, 16
_STATUS = {INVALID: 400, NOT_FOUND: 404, EXISTS: 409, DENIED: 403, INTERNAL: 500, UNAUTHENTICATED: 401}
_STACK = (
    "github.com/kubeflow/pipelines/backend/src/apiserver/server.(*PipelineUploadServer)\n\tpipeline_upload_server.go"
)


@dataclass(frozen=True)
class Request:
    """One request: `path` without the query, `query` decoded, header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    identity: str | None = None

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def text(self) -> str:
        """The whole request as text, for finding a secret in it."""
        lines = [f"{self.method} {self.target}", *(f"{name}: {value}" for name, value in self.headers.items()), ""]
        return "\n".join(lines) + self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON; raises ApiError where it is none."""
        try:
            return json.loads(self.body or b"{}")
        except ValueError as error:
            raise ApiError(INVALID, f"proto: syntax error: {error}") from None


@dataclass(frozen=True)
class Reply:
    """One answer. `api` says that it is the API's own, whose shape is checked."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    api: bool = field(default=False, compare=False)

    @property
    def reason(self) -> str:
        return HTTPStatus(self.status).phrase

    def json(self) -> Any:
        return json.loads(self.body)


def as_json(value: Any, status: int = 200) -> Reply:
    """An answer of the API."""
    return Reply(status, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), api=True)


def plain(text: str, status: int) -> Reply:
    """What Go's `http.Error` and the UI's server send."""
    return Reply(status, text.encode(), content_type="text/plain; charset=utf-8")


def html(text: str, status: int = 200) -> Reply:
    return Reply(
        status, f"<!DOCTYPE html>\n<html><body>{text}</body></html>\n".encode(), (), "text/html; charset=utf-8"
    )


def redirect(location: str, status: int = 302, cookies: tuple[str, ...] = ()) -> Reply:
    headers = (("Location", location), *(("Set-Cookie", cookie) for cookie in cookies))
    return Reply(status, b"", headers, "text/html; charset=utf-8")


class Refusal(Exception):
    """A request that is answered with an error; `reply` is the answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.status} {reply.body.decode()}")
        self.reply = reply


class ApiError(Refusal):
    """An error of the API proper: `message` has all that went wrong from the outside in, `detail` the innermost."""

    def __init__(self, code: int, message: str, detail: str | None = None) -> None:
        details = [{"@type": "type.googleapis.com/google.rpc.Status", "code": code, "message": detail or message}]
        super().__init__(as_json({"code": code, "message": message, "details": details}, _STATUS[code]))


class UploadError(Refusal):
    """An error of the two upload calls, which have a shape of their own."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(as_json({"error_message": message, "error_details": f"{message}\n{_STACK}"}, status))


class PlainError(Refusal):
    """An error as text, which the upload calls and the UI's server have too."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(plain(f"{message}\n", status))
