"""Who may pass, and how: what stands before the API server in a real installation.

`check` gives the identity of who sent a request, or raises Refusal with what such a gate answers. A gate that has
pages of its own (a login) answers those in `pages`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Literal

from endpoint.messages import Refusal, Reply, Request, html, plain, redirect

IDENTITY_HEADER = "kubeflow-userid"

How = Literal["401", "403", "page", "redirect"]
"""How a gate refuses: Istio's 401 and 403 as text, a login page with status 200, a redirect to one."""


class Gate:
    """Nothing is asked; an identity comes in the header that Kubeflow's own proxies set."""

    def check(self, request: Request) -> str | None:
        return request.headers.get(IDENTITY_HEADER)

    def pages(self, request: Request) -> Reply | None:
        return None


@dataclass
class Bearer(Gate):
    """A token in the `Authorization` header. `token` may be changed while the server runs, as tokens expire.

    A token of a Kubernetes service account is the same to a client: `kalec` re-reads it from its file.
    """

    token: str
    identity: str = "user@example.com"
    refuses: How = "401"

    def check(self, request: Request) -> str | None:
        given = request.headers.get("authorization", "")
        if given != f"Bearer {self.token}":
            text = "Jwt verification fails" if given else "Jwt is missing"
            raise Refusal(refused(self.refuses, text))
        return self.identity

    def pages(self, request: Request) -> Reply | None:
        return _login_page(request)


@dataclass
class Cookie(Gate):
    """A cookie that someone copied out of a browser, as for `authservice_session`."""

    value: str
    name: str = "authservice_session"
    identity: str = "user@example.com"
    refuses: How = "redirect"

    def check(self, request: Request) -> str | None:
        if cookies(request).get(self.name) != self.value:
            raise Refusal(refused(self.refuses, "no session"))
        return self.identity

    def pages(self, request: Request) -> Reply | None:
        return _login_page(request)


@dataclass
class ServiceAccount(Bearer):
    """A projected token of a Kubernetes service account, which the API server itself reviews: 401 in its own shape."""

    identity: str = "system:serviceaccount:team:default-editor"
    reviewed: list[str] = field(default_factory=list)

    def check(self, request: Request) -> str | None:
        given = request.headers.get("authorization", "")
        self.reviewed.append(given)
        # Without a valid one there is no identity: the API server says so where one is needed.
        return self.identity if given == f"Bearer {self.token}" else None


def cookies(request: Request) -> dict[str, str]:
    """The cookies that came with a request."""
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(request.headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def refused(how: How, text: str) -> Reply:
    """A gate's refusal."""
    if how == "page":
        return html("<h1>Log in to Your Account</h1>")
    if how == "redirect":
        return redirect("/login")
    return plain(text if how == "401" else "RBAC: access denied", int(how))


def _login_page(request: Request) -> Reply | None:
    return html("<h1>Log in to Your Account</h1>") if request.path == "/login" else None
