"""A KFP endpoint for tests: a server on loopback that keeps experiments, pipelines, versions and runs, and runs them.

    with Endpoint(execute=True) as endpoint:
        client = kfp.Client(host=endpoint.url)

What is checked of it: `test_endpoint_replay.py` replays what a real API server answered. All else was read in the
sources of https://github.com/kubeflow/pipelines, Dex and oauth2-proxy, and not seen on a cluster.
"""

from __future__ import annotations

import os
import ssl
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from endpoint import experiments, pipelines, recurring, runs, uploads
from endpoint.auth import Bearer, Cookie, Gate, ServiceAccount
from endpoint.conformance import Checker
from endpoint.dex import Dex
from endpoint.execution import Executions
from endpoint.faults import Fault, answers, closes, delays, dies_at, login_page, truncates
from endpoint.lineage import serve as serve_lineage
from endpoint.messages import INTERNAL, NOT_FOUND, ApiError, Refusal, Reply, Request, as_json
from endpoint.routing import call, find_route
from endpoint.server import Hangup, Server
from endpoint.state import Resource, State
from endpoint.ui import serve as serve_ui

__all__ = [
    "Bearer",
    "Cookie",
    "Dex",
    "Endpoint",
    "Exchange",
    "Fault",
    "Gate",
    "Make",
    "ServiceAccount",
    "State",
    "answers",
    "closes",
    "delays",
    "dies_at",
    "login_page",
    "truncates",
]

_CALLS = (experiments, pipelines, recurring, runs, uploads)
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Exchange:
    """A request, and what was answered; None where the connection was closed instead."""

    request: Request
    reply: Reply | None

    @property
    def line(self) -> str:
        """For asserting: `POST /apis/v2beta1/runs 200`."""
        status = "-" if self.reply is None else self.reply.status
        return f"{self.request.method} {self.request.path} {status}"


class Endpoint:
    """A KFP endpoint: the API server, what of the UI's server a client uses, and the gate before both.

    `auth` is the gate (none: all may pass), `faults` what goes wrong; both may be changed while it runs. `execute` runs
    what is submitted with the local runner; without, runs stay PENDING until `finish`. With `behind_ui` the
    health is told as the UI's server does. `lineage` is how it tells where artifacts lie: `api` (the artifacts API),
    `metadata` (ML Metadata behind the UI) or not at all. `state` may be given for its
    clock and ids. `tls` serves https with that context. Leaving it as a context manager fails for `violations`.
    """

    def __init__(
        self,
        *,
        multi_user: bool = False,
        namespaces: Iterable[str] = ("team",),
        auth: Gate | None = None,
        faults: Iterable[Fault] = (),
        execute: bool = False,
        behind_ui: bool = False,
        lineage: str | None = None,
        state: State | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.state = state or State(multi_user, tuple(namespaces), behind_ui)
        self.auth, self.faults = auth or Gate(), list(faults)
        self.log: list[Exchange] = []
        self.violations: list[str] = []
        self._folder = tempfile.TemporaryDirectory(prefix="kalec-endpoint-", ignore_cleanup_errors=True)
        self.executions = Executions(self.state, Path(self._folder.name), execute)
        self.lineage = lineage
        self._tls, self._checker = tls, Checker(_shared())
        self._server = Server(0, self._answer, tls)
        self.port = self._server.port

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}"

    @property
    def requests(self) -> list[str]:
        """All exchanges as lines: `POST /apis/v2beta1/runs 200`."""
        return [exchange.line for exchange in self.log]

    def sent(self, secret: str) -> list[Request]:
        """The requests that hold this text anywhere: path, headers or body."""
        return [exchange.request for exchange in self.log if secret in exchange.request.text]

    def finish(self, run_id: str, state: str = "SUCCEEDED", *, failed: str | None = None) -> None:
        """End a run that is not executed; `failed` names the step that is at fault."""
        self.executions.pretend(run_id, state, failed)

    def wait(self, condition: Callable[[], object], seconds: float = 30) -> None:
        """Wait until something holds; AssertionError when it does not come."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited {seconds} s in vain; the requests were {self.requests}"
            time.sleep(0.01)

    def run(self, name: str) -> Resource:
        """The one run of that name."""
        (found,) = (run for run in self.state.runs.values() if run["display_name"] == name)
        return found

    def metrics(self, run_id: str) -> dict[str, Any]:
        """What the run's steps put out as metrics, which KFP keeps in its metadata store and not behind this API."""
        return self.executions.metrics(run_id)

    def folder_of(self, run_id: str) -> Path:
        """Where an executed run left its files; each step has a folder of its own."""
        return self.executions.folder(run_id)

    def kill(self) -> None:
        """The server dies; what it kept stays kept."""
        self._server.kill()

    def revive(self) -> None:
        """It comes back under the same address, with all that it kept."""
        self._server = Server(self.port, self._answer, self._tls)

    def close(self) -> None:
        """Stop serving, and every run."""
        self._server.kill()
        self.executions.close()
        self._folder.cleanup()

    def __enter__(self) -> Endpoint:  # noqa: PYI034 - no Self before 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        if kind is None:
            assert not self.violations, "\n".join(["calls that do not fit KFP's API:", *self.violations])

    def _answer(self, request: Request) -> Reply:
        """Answer a request, or raise Hangup."""
        with self.state.lock:
            fault = next((fault for fault in self.faults if fault.applies(request)), None)
        try:
            reply = self._perform(request) if fault is None else self._go_wrong(request, fault)
        except Hangup as hangup:
            self.log.append(Exchange(request, hangup.reply))
            if fault is not None and fault.dies:
                self.kill()
            raise
        self.log.append(Exchange(request, reply))
        return reply

    def _go_wrong(self, request: Request, fault: Fault) -> Reply:
        time.sleep(fault.delay)
        true = self._perform(request) if fault.performed or not (fault.replaces or fault.close or fault.dies) else None
        if fault.act is not None:
            fault.act(request)
        if fault.close or fault.dies:
            raise Hangup(true if fault.truncated else None)
        if fault.truncated and true is not None:
            return Reply(true.status, true.body[: len(true.body) // 2], true.headers, true.content_type)
        return fault.reply() if fault.replaces or true is None else true

    def _perform(self, request: Request) -> Reply:
        """What the endpoint answers when all is well."""
        try:
            return self.auth.pages(request) or self._pass_gate(request)
        except Exception as error:
            # Our own mistake must fail the test by name, and not hang its client.
            self._complain(request, [f"the endpoint itself failed: {error!r}"])
            return ApiError(INTERNAL, "Internal Server Error").reply

    def _pass_gate(self, request: Request) -> Reply:
        try:
            request = replace(request, identity=self.auth.check(request))
        except Refusal as refusal:
            return refusal.reply
        found = find_route(request)
        if found is None:
            told = serve_lineage(self.executions, self.state, request, self.lineage)
            return told or serve_ui(self.executions, request) or _unknown(request)
        self._complain(request, self._checker.request(found[0], request))
        try:
            reply = call(self.state, request, found)
        except Refusal as refusal:
            reply = refusal.reply
        self._complain(request, self._checker.reply(found[0], reply))
        return reply

    def _complain(self, request: Request, found: Iterable[str]) -> None:
        self.violations.extend(f"{request.method} {request.target}: {text}" for text in found)


Make = Callable[..., Endpoint]
"""What the fixture `make_endpoint` gives: it takes the arguments of Endpoint."""


def _unknown(request: Request) -> Reply:
    """What grpc-gateway says of a path that it does not know; this server has no `/artifacts` call of the API."""
    return as_json({"code": NOT_FOUND, "message": "Not Found", "details": []}, 404)


def _shared() -> Path | None:
    folder = Path(os.environ.get("KALEC_SHARED") or ROOT / ".." / "shared")
    return folder if folder.is_dir() else None
