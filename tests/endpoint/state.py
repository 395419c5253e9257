"""What the server remembers: the API's resources as the JSON that it answers with, and the packages behind them."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from endpoint.messages import DENIED, INVALID, NOT_FOUND, UNAUTHENTICATED, ApiError, Request
from endpoint.specs import Package

NEVER = "1970-01-01T00:00:00Z"
POD_NAMESPACE = "kubeflow"

Resource = dict[str, Any]


def now() -> str:
    """The time as the server writes it: whole seconds."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def random_id() -> str:
    return str(uuid.uuid4())


@dataclass
class State:
    """All that a server has, under one lock. `namespaces` are those that an identity may use in multi-user mode.

    With `behind_ui` requests come by the UI's server, which has its own words for its health.
    """

    multi_user: bool = False
    namespaces: tuple[str, ...] = ("team",)
    behind_ui: bool = False
    clock: Callable[[], str] = now
    new_id: Callable[[], str] = random_id
    experiments: dict[str, Resource] = field(default_factory=dict)
    pipelines: dict[str, Resource] = field(default_factory=dict)
    versions: dict[str, Resource] = field(default_factory=dict)
    runs: dict[str, Resource] = field(default_factory=dict)
    recurring: dict[str, Resource] = field(default_factory=dict)
    packages: dict[str, Package] = field(default_factory=dict)
    """By the id of a version or run."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    on_created: Callable[[str], None] = lambda run_id: None
    on_terminated: Callable[[str], None] = lambda run_id: None

    def __post_init__(self) -> None:
        # The server makes it when it starts, and puts runs without an experiment there; in multi-user mode, no.
        if not self.multi_user:
            description = "All runs created without specifying an experiment will be grouped here."
            self.add_experiment(random_id(), "Default", "", description)

    def add_experiment(self, identity: str, name: str, namespace: str, description: str | None) -> Resource:
        made = {
            "experiment_id": identity,
            "display_name": name,
            "description": description,
            "created_at": self.clock(),
            "namespace": namespace,
            "storage_state": "AVAILABLE",
            "last_run_created_at": NEVER,
        }
        self.experiments[identity] = without_empty(made)
        return self.experiments[identity]

    def namespace_of(self, given: str | None) -> str:
        """The namespace that counts: single-user servers know none."""
        return (given or "") if self.multi_user else ""

    def authorize(self, request: Request, namespace: str, what: str, outside: str) -> None:
        """Refuse who may not use the namespace; `what` names the resource, `outside` begins the message."""
        if not self.multi_user:
            return
        if not namespace:
            detail = f"{what} cannot have an empty namespace in multi-user mode"
            raise ApiError(INVALID, f"{outside}: Invalid input error: {detail}", detail)
        self.identify(request, outside)
        if namespace not in self.namespaces:
            detail = f"User '{request.identity}' is not authorized with reason:  (request: {namespace})"
            raise ApiError(DENIED, f"{outside}: PermissionDenied: {detail}: Unauthorized access", detail)

    def identify(self, request: Request, outside: str) -> None:
        if self.multi_user and not request.identity:
            detail = "Request header error: there is no user identity header."
            raise ApiError(UNAUTHENTICATED, f"{outside}: Unauthenticated: {detail}: {detail}", detail)


def find(resources: Mapping[str, Resource], identity: str, kind: str, outside: str) -> Resource:
    """The resource with that id; raises ApiError, not found."""
    if identity not in resources:
        detail = f"{kind} {identity} not found"
        raise ApiError(NOT_FOUND, f"{outside}: ResourceNotFoundError: {detail}", detail)
    return resources[identity]


def without_empty(resource: Resource) -> Resource:
    """What is at its default is not sent."""
    return {name: value for name, value in resource.items() if value not in (None, "", [], {}, 0, False)}


def invalid(outside: str, detail: str) -> ApiError:
    return ApiError(INVALID, f"{outside}: Invalid input error: {detail}", detail)
