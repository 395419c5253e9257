"""Faults on demand: what goes wrong with which request, how often, and whether the server did its work before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from endpoint.messages import Reply, Request, html, plain


@dataclass
class Fault:
    """One thing that goes wrong with the next `times` requests whose method and path fit (`path` is a part of it).

    After `skip` of them. `performed` says whether the server does what it is asked before it goes wrong. `status`
    answers with that status; `body` is its text (else KFP's gateway's); `truncated` cuts the true answer in the middle;
    `page` answers with HTML; `delay` waits that many seconds first; `close` closes the connection without a word, in
    the middle of the answer with `truncated`; `dies` stops the server for good (`Endpoint.revive` brings it back).
    `act` is called before the answer goes out, and can do anything: kill the client, say.
    """

    method: str = ""
    path: str = ""
    times: int = 1
    skip: int = 0
    performed: bool = False
    status: int | None = None
    body: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    truncated: bool = False
    page: bool = False
    delay: float = 0.0
    close: bool = False
    dies: bool = False
    act: Callable[[Request], object] | None = None
    hit: int = field(default=0, init=False)

    def applies(self, request: Request) -> bool:
        """Whether this request is one of those; counts it."""
        if self.method not in ("", request.method) or self.path not in request.path or self.times <= 0:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        self.hit += 1
        return True

    @property
    def replaces(self) -> bool:
        """Whether the client gets another answer than the true one."""
        return self.status is not None or self.page

    def reply(self) -> Reply:
        """The answer instead of the true one."""
        if self.page:
            return html("<h1>Sign in</h1><form method='post'><input name='login'></form>", self.status or 200)
        status = self.status or 500
        if self.body is None:
            found = plain("upstream connect error or disconnect/reset before headers", status)
        else:
            kind = "application/json" if self.body.startswith("{") else "text/plain"
            found = Reply(status, self.body.encode(), content_type=kind)
        return Reply(found.status, found.body, self.headers, found.content_type)


def answers(status: int, path: str = "", *, times: int = 1, performed: bool = False, **more: Any) -> Fault:
    """`times` requests are answered with this status; after that all is well."""
    return Fault(path=path, status=status, times=times, performed=performed, **more)


def closes(path: str = "", *, times: int = 1, performed: bool = False, **more: Any) -> Fault:
    """The connection is closed without an answer; with `performed` the work was done."""
    return Fault(path=path, close=True, times=times, performed=performed, **more)


def truncates(path: str = "", *, times: int = 1, close: bool = False, **more: Any) -> Fault:
    """The work is done, half of the answer comes: as if it were whole, or with `close` with the length of the whole."""
    return Fault(path=path, truncated=True, performed=True, times=times, close=close, **more)


def login_page(path: str = "", *, times: int = 10**9, **more: Any) -> Fault:
    """HTML instead of JSON."""
    return Fault(path=path, page=True, times=times, **more)


def delays(seconds: float, path: str = "", *, times: int = 1, performed: bool = True, **more: Any) -> Fault:
    """The answer takes its time."""
    return Fault(path=path, delay=seconds, times=times, performed=performed, **more)


def dies_at(number: int, *, performed: bool = False, path: str = "", method: str = "") -> Fault:
    """The server dies at the `number`-th request (from 1) that fits, before or after it did what was asked."""
    return Fault(method=method, path=path, skip=number - 1, dies=True, performed=performed)
