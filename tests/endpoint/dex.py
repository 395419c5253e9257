"""Dex behind oauth2-proxy, as Kubeflow installs them: the login that a browser goes through, page after page.

Read in the sources and manifests, not recorded: Dex (server/handlers.go), oauth2-proxy (oauthproxy.go), Kubeflow's
oauth2_proxy.cfg, whose `api_routes` make `/apis/` answer 401 in JSON where all else is sent to the login.

    / -> /dex/auth?... (or by a page with a button, to /oauth2/start) -> the choice of a connector, where there are two
      -> /dex/auth/local?... -> /dex/auth/local/login?state=... (a form) -> perhaps /dex/approval?req=...
      -> /oauth2/callback?code=...&state=... -> / with the cookie
"""

from __future__ import annotations

import html as escaping
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from endpoint.auth import Gate, cookies
from endpoint.messages import Refusal, Reply, Request, as_json, html, redirect

SESSION, CSRF = "oauth2_proxy_kubeflow", "oauth2_proxy_kubeflow_csrf"
_JSON_ROUTES = re.compile("/apis/|^/ml_metadata|^/api/")

Api = Literal["json", "redirect"]


@dataclass
class Dex(Gate):
    """`users` has for each connector (`local`, `ldap`) its users and their passwords.

    `button` puts oauth2-proxy's own page, with status 403, before the login; `approval` asks for consent; `api` says
    how an API call without a session is refused (older installations redirect it too); `split` cuts the session's
    cookie in two, as oauth2-proxy does with large ones; `wrong` is Dex's status for a wrong password (200 in old
    versions). `tokens` are bearer tokens that pass without a login, by identity (Kubernetes service accounts).
    """

    users: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: {"local": {"user@example.com": "12341234"}})
    button: bool = False
    approval: bool = False
    api: Api = "json"
    split: bool = False
    wrong: int = 401
    tokens: Mapping[str, str] = field(default_factory=dict)
    _sessions: dict[str, str] = field(default_factory=dict)
    _started: dict[str, str] = field(default_factory=dict)
    """OAuth's state, by the nonce in the CSRF cookie."""
    _asked: dict[str, dict[str, str]] = field(default_factory=dict)
    """Dex's authorization requests: the query that they came with."""
    _codes: dict[str, str] = field(default_factory=dict)
    """Who logged in, by the code that is handed to oauth2-proxy."""

    def expire(self) -> None:
        """All sessions end."""
        self._sessions.clear()

    def check(self, request: Request) -> str | None:
        given = cookies(request)
        session = given.get(SESSION) or given.get(f"{SESSION}_0", "") + given.get(f"{SESSION}_1", "")
        identity = self._sessions.get(session) or self.tokens.get(
            request.headers.get("authorization", "").removeprefix("Bearer ")
        )
        if identity is None:
            raise Refusal(self._refuse(request))
        return identity

    def pages(self, request: Request) -> Reply | None:
        path = urlsplit(request.target).path
        if path == "/oauth2/start":
            return self._start(request.query.get("rd", "/"))
        if path == "/oauth2/callback":
            return self._callback(request)
        if path == "/dex/auth":
            return self._choose(request)
        if path == "/dex/approval":
            return self._approve(request)
        connector, _, page = path.removeprefix("/dex/auth/").partition("/")
        if not path.startswith("/dex/auth/") or connector not in self.users:
            return None
        return self._login(request, connector) if page == "login" else self._ask(request, connector)

    def _refuse(self, request: Request) -> Reply:
        if self.api == "json" and _JSON_ROUTES.search(request.path):
            refused = as_json({}, 401)
            return Reply(refused.status, refused.body)
        if self.button:
            return html(
                '<form method="GET" action="/oauth2/start"><button>Sign in with OpenID Connect</button></form>', 403
            )
        return self._start(request.target)

    def _start(self, back: str) -> Reply:
        nonce = secrets.token_urlsafe(12)
        self._started[nonce] = f"{secrets.token_urlsafe(8)}:{back}"
        query = {
            "approval_prompt": "force",
            "client_id": "kubeflow-oidc-authservice",
            "redirect_uri": "/oauth2/callback",
            "response_type": "code",
            "scope": "profile email groups openid",
            "state": self._started[nonce],
        }
        return redirect(f"/dex/auth?{urlencode(query)}", cookies=(f"{CSRF}={nonce}; Path=/; HttpOnly; SameSite=Lax",))

    def _choose(self, request: Request) -> Reply:
        """The connectors to log in with; where there is one, nobody is asked."""
        query = urlsplit(request.target).query
        if len(self.users) == 1:
            return redirect(f"/dex/auth/{next(iter(self.users))}?{query}")
        links = (f'<a href="/dex/auth/{name}?{escaping.escape(query)}">Log in with {name}</a>' for name in self.users)
        return html(f"<h2>Log in to dex</h2>{''.join(links)}")

    def _ask(self, request: Request, connector: str) -> Reply:
        if "state" not in request.query:
            return html("<h2>Bad Request</h2><p>Invalid client_id.</p>", 400)
        asked = secrets.token_hex(12)
        self._asked[asked] = request.query
        return redirect(f"/dex/auth/{connector}/login?back=&state={asked}")

    def _login(self, request: Request, connector: str) -> Reply:
        asked = request.query.get("state", "")
        if asked not in self._asked:
            return html("<h2>Bad Request</h2><p>User session error.</p>", 400)
        if request.method != "POST":
            return self._form(connector, asked, "", 200)
        form = dict(parse_qsl(request.body.decode()))
        name = form.get("login", "")
        if self.users[connector].get(name) != form.get("password"):
            return self._form(connector, asked, "<p>Invalid username and password.</p>", self.wrong)
        self._asked[asked]["user"] = name
        if self.approval:
            return redirect(f"/dex/approval?req={asked}&hmac={secrets.token_urlsafe(16)}", 303)
        return self._to_callback(asked)

    def _form(self, connector: str, asked: str, complaint: str, status: int) -> Reply:
        action = f"/dex/auth/{connector}/login?back=&amp;state={asked}"
        fields = '<input name="login" type="text"><input name="password" type="password">'
        return html(
            f'<h2>Log in to Your Account</h2>{complaint}<form method="post" action="{action}">{fields}</form>', status
        )

    def _approve(self, request: Request) -> Reply:
        form = dict(parse_qsl(request.body.decode()))
        asked = form.get("req") or request.query.get("req", "")
        if "user" not in self._asked.get(asked, {}):
            return html("<h2>Bad Request</h2><p>User session error.</p>", 400)
        if request.method != "POST":
            hidden = (
                f'<input type="hidden" name="req" value="{asked}"><input type="hidden" name="approval" value="approve">'
            )
            return html(f'<h2>Grant Access</h2><form method="post">{hidden}<button>Grant Access</button></form>')
        if form.get("approval") != "approve":
            return html("<h2>Internal Server Error</h2><p>Approval rejected.</p>", 500)
        return self._to_callback(asked)

    def _to_callback(self, asked: str) -> Reply:
        query = self._asked.pop(asked)
        code = secrets.token_urlsafe(12)
        self._codes[code] = query["user"]
        return redirect(f"{query['redirect_uri']}?code={code}&state={quote(query['state'])}", 303)

    def _callback(self, request: Request) -> Reply:
        nonce, state = cookies(request).get(CSRF, ""), request.query.get("state", "")
        user = self._codes.pop(request.query.get("code", ""), None)
        if user is None or self._started.pop(nonce, None) != state:
            return html("<h2>403 Forbidden</h2><p>Unable to find a valid CSRF token. Please try again.</p>", 403)
        session = secrets.token_urlsafe(24)
        self._sessions[session] = user
        parts = {SESSION: session}
        if self.split:
            parts = {f"{SESSION}_0": session[:16], f"{SESSION}_1": session[16:]}
        made = [f"{name}={value}; Path=/; HttpOnly; SameSite=Lax" for name, value in parts.items()]
        return redirect(state.partition(":")[2] or "/", 302, (*made, f"{CSRF}=; Path=/; Max-Age=0"))
