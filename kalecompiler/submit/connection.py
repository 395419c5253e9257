"""A connection to an endpoint: `kfp.Client`, kept from asking, printing, retrying and writing on its own."""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from kalecompiler.diagnostics import UsageError
from kalecompiler.submit import credentials as login
from kalecompiler.submit.credentials import Credentials
from kalecompiler.submit.endpoint import Endpoint
from kalecompiler.submit.faults import ServerError

_UNSET = "-"
"""Stands for a namespace or token while kfp.Client is made, which then neither asks a server nor reads kube's files."""
PAGE = 100


class Connection:
    """What this package asks of an endpoint; every answer is one of kfp_server_api's models.

    Each call may raise ServerError or UsageError. Nothing is sent before the first call.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.credentials = login.make(endpoint)
        self.client, self._transport = _client(endpoint, self.credentials)

    @cached_property
    def health(self) -> dict[str, Any]:
        """What the server tells of itself, as it stands: its version is in no model."""
        answer = self.client.healthzs.healthz_service_get_healthz(_preload_content=False)
        value: dict[str, Any] = json.loads(answer.data)
        return value

    @cached_property
    def namespace(self) -> str | None:
        """The namespace of all calls: as configured, else kfp's context's, else the pod's; None for a single user.

        Raises UsageError where the server needs one: without, it would take what is uploaded for everyone's.
        """
        found = self.endpoint.namespace or self.credentials.namespace
        if found or not self.health.get("multi_user"):
            return found
        if pod := login.pod_namespace():
            return pod
        raise UsageError(f"{self.endpoint.host} has many users: name your namespace with --namespace, or in its table")

    def call(self, function: Callable[..., Any], **arguments: Any) -> Any:
        """Call one of the client's functions in silence; arguments of None are left out."""
        try:
            with quiet():
                return function(**{name: value for name, value in arguments.items() if value is not None})
        except (AttributeError, TypeError, ValueError):  # what the generated client makes of an answer of another shape
            raise self.strange() from None

    def strange(self) -> ServerError:
        """The error for an answer that is JSON, and not what KFP would answer."""
        return ServerError(f"{self.endpoint.host} answers, but not as KFP does: is this the address of its API?")

    def named(self, function: Callable[..., Any], kind: str, name: str, **arguments: Any) -> list[Any]:
        """All objects of a kind (`runs`, `pipelines` ...) with this display name, in a namespace where that counts."""
        predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
        chosen = json.dumps({"predicates": [predicate]})
        return list(self.pages(function, kind, filter=chosen, **arguments))

    def pages(self, function: Callable[..., Any], kind: str, **arguments: Any) -> Iterator[Any]:
        """Every object of a list, page by page; an empty list has no key, and is None in the model."""
        token = ""
        while True:
            answer = self.call(function, page_token=token, page_size=PAGE, **arguments)
            yield from getattr(answer, kind) or ()
            token = answer.next_page_token
            if not token:
                return

    def run(self, run: str) -> Any:
        """A run by its id."""
        return self.call(self.client.get_run, run_id=run)

    def json(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        """An object of JSON of a call that kfp's client does not have."""
        answer = self._transport.request("GET", self.endpoint.host + path, query_params=list(query.items()))
        value: dict[str, Any] = json.loads(answer.data or "{}")
        return value

    def data(self, path: str, query: dict[str, str]) -> bytes:
        """Bytes of the UI's server."""
        return bytes(self._transport.data(self.endpoint.ui + path, query))

    def ask(self, path: str, body: bytes, kind: str) -> bytes:
        """What the UI's server answers to a body of that content type."""
        return bytes(self._transport.ask(self.endpoint.ui + path, body, kind))

    def text(self, path: str, query: dict[str, str]) -> str:
        """Plain text of the UI's server."""
        return str(self._transport.text(self.endpoint.ui + path, query))


def _client(endpoint: Endpoint, credentials: Credentials) -> tuple[Any, Any]:
    """A kfp.Client whose requests pass our transport, and that transport."""
    with quiet():
        from kfp.client import Client

        from kalecompiler.submit.transport import Transport

        transport = Transport(endpoint, credentials)
        try:
            client = Client(host=endpoint.host, namespace=_UNSET, existing_token=_UNSET, cookies="")
        except (ValueError, TypeError, AttributeError):
            raise UsageError(f"{login.CONTEXT_FILE}, which kfp reads, is not valid: mend or remove it") from None
    # kfp has no public way to these: its own namespace, time-outs, retries, and whose credentials it sends
    client._context_setting = {"namespace": endpoint.namespace or ""}  # noqa: SLF001
    api = client._run_api.api_client  # noqa: SLF001
    api.rest_client = transport
    api.configuration.api_key = {}
    api.default_headers = {"User-Agent": api.user_agent}
    return client, transport


def find(connection: Connection, function: Callable[..., Any], kind: str, name: str, **arguments: Any) -> Any | None:
    """The one object with a display name, or None."""
    found = connection.named(function, kind, name, **arguments)
    return found[0] if found else None


def made_once(find_it: Callable[[], Any | None], make_it: Callable[[], Any]) -> tuple[Any, bool]:
    """What `find_it` finds, else what `make_it` makes, and whether it did; another may make it at the same time."""
    if (found := find_it()) is not None:
        return found, False
    try:
        return make_it(), True
    except ServerError as error:
        if error.code != 409 or (found := find_it()) is None:
            raise
        return found, False


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what kfp prints, and its warnings, off our output."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
