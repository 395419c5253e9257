"""The table of calls: which function answers which method and path, and the models that its two bodies fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from endpoint.messages import Reply, Request, as_json
from endpoint.state import State

PREFIX = "/apis/v2beta1"
# Under Kubeflow all of it stands below the UI's path.
_MOUNT = "/pipeline"

Handler = Callable[..., Any]


@dataclass(frozen=True)
class Route:
    """One call. `template` is its path in the OpenAPI; `takes` and `gives` are models of kfp_server_api, if any.

    `beyond` are fields that the real server sends, as recorded, and its OpenAPI does not know.
    """

    method: str
    template: str
    handler: Handler
    takes: str | None = None
    gives: str | None = None
    query: frozenset[str] = frozenset()
    beyond: frozenset[str] = frozenset()

    def match(self, request: Request) -> dict[str, str] | None:
        """The path's arguments, if the request is for this call."""
        if request.method != self.method:
            return None
        path = request.path.removeprefix(_MOUNT) if request.path.startswith(f"{_MOUNT}/apis/") else request.path
        found = re.fullmatch(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/:]+)", re.escape(self.template)), path)
        return None if found is None else {name: unquote(value) for name, value in found.groupdict().items()}


ROUTES: list[Route] = []

LISTED = frozenset({"page_token", "page_size", "sort_by", "filter"})


def route(
    method: str,
    path: str,
    *,
    takes: str | None = None,
    gives: str | None = None,
    query: Iterable[str] = (),
    beyond: Iterable[str] = (),
    prefix: str = PREFIX,
) -> Callable[[Handler], Handler]:
    """Register a function `(state, request, **path arguments) -> JSON` for a call of the API."""

    def register(handler: Handler) -> Handler:
        ROUTES.append(Route(method, prefix + path, handler, takes, gives, frozenset(query), frozenset(beyond)))
        return handler

    return register


def find_route(request: Request) -> tuple[Route, dict[str, str]] | None:
    """The call that a request is for, with the path's arguments; fixed paths go before those with arguments."""
    for candidate in sorted(ROUTES, key=lambda one: one.template.count("{")):
        arguments = candidate.match(request)
        if arguments is not None:
            return candidate, arguments
    return None


def call(state: State, request: Request, found: tuple[Route, dict[str, str]]) -> Reply:
    """Perform a call, and write its answer down before a run that goes on can change it."""
    with state.lock:
        return as_json(found[0].handler(state, request, **found[1]))
