"""Credentials: what each request carries so that the endpoint knows who asks, by every method that there is.

A secret is read where it is used, at each request where it is in a file, and every one that was read can be struck
out of a text that is shown.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kalecompiler.diagnostics import UsageError
from kalecompiler.submit.endpoint import SERVICE_ACCOUNT, Endpoint
from kalecompiler.wording import cause

TOKEN_VARIABLE = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105 - a variable's name, kfp's
TOKEN_FILE = "/var/run/secrets/kubeflow/pipelines/token"  # noqa: S105 - kfp's default place of it
CONTEXT_FILE = "~/.config/kfp/context.json"
_VISIBLE = re.compile(r"[\x20-\x7e]+")
_CLUSTER_HOST = re.compile(r"[^.]+|.*\.svc(\.cluster\.local)?")


class Credentials:
    """How requests are authenticated: `method` in words, and the headers of the next request.

    `read` gives the headers and may raise UsageError; `renew`, where there is one, makes new ones after a refusal.
    """

    def __init__(
        self,
        method: str,
        read: Callable[[], Mapping[str, str]],
        *,
        identity: str | None = None,
        renew: Callable[[], None] | None = None,
        namespace: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.method = method
        self.renew = renew
        self._read, self._identity, self._namespace = read, identity, namespace
        self._secrets: set[str] = set()

    def headers(self) -> dict[str, str]:
        """The headers that say who asks. Raises UsageError where the secret cannot be had."""
        headers = dict(self._read())
        for value in headers.values():
            self.keep(value, value.removeprefix("Bearer "), *(part.partition("=")[2] for part in value.split("; ")))
        return headers

    def keep(self, *secrets: str) -> None:
        """Note texts that must never be shown."""
        self._secrets |= {secret for secret in secrets if len(secret) > 3}

    def struck(self, text: str) -> str:
        """The text without any secret that was read so far."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    @property
    def namespace(self) -> str | None:
        """The namespace that comes with the credentials."""
        return self._namespace()

    @property
    def identity(self) -> str | None:
        """Who asks, as the credentials themselves tell; the server is not asked."""
        token = self.headers().get("Authorization", "").removeprefix("Bearer ")
        return self._identity or _claimed(token)


def make(endpoint: Endpoint) -> Credentials:
    """The credentials that the endpoint's configuration asks for, or that this place has for it.

    Raises UsageError where what is needed is not there.
    """
    table = endpoint.login or {}
    if "token-env" in table:
        return _bearer(f"bearer token of ${table['token-env']}", lambda: _variable(table["token-env"]))
    if "token-file" in table:
        return _bearer(f"bearer token of {table['token-file']}", lambda: _file(table["token-file"]))
    if "cookie-env" in table:
        return Credentials(f"cookie of ${table['cookie-env']}", lambda: {"Cookie": _cookie(table["cookie-env"])})
    if table.get("auth") == "dex" or "password-env" in table or "password-file" in table:
        return _dex(endpoint, table)
    if table.get("auth") == "service-account" or "service-account-token-file" in table:
        return _service_account(table.get("service-account-token-file"))
    if table.get("auth") == "context" or table.get("context"):
        return _context(table.get("context"))
    if table.get("auth") in {"token", "cookie"}:
        raise UsageError(f'endpoint.{endpoint.name}: `auth = "{table["auth"]}"` needs `{table["auth"]}-env`')
    return Credentials("none", dict) if table.get("auth") == "none" else _found(endpoint)


def _found(endpoint: Endpoint) -> Credentials:
    """What this place has, where nothing is configured: a pod's token for a host of its cluster, kfp's context."""
    named = os.environ.get(TOKEN_VARIABLE)
    inside = _CLUSTER_HOST.fullmatch(urlsplit(endpoint.host).hostname or "")
    if named or (inside and Path(TOKEN_FILE).is_file()):
        return _service_account(named)
    return Credentials("none", dict)


def _bearer(method: str, read: Callable[[], str]) -> Credentials:
    return Credentials(method, lambda: {"Authorization": f"Bearer {_one_word(read(), method)}"})


def _service_account(path: str | None) -> Credentials:
    chosen = path or os.environ.get(TOKEN_VARIABLE) or TOKEN_FILE
    return _bearer(f"service account token of {chosen}", lambda: _file(chosen))


def _dex(endpoint: Endpoint, table: Mapping[str, Any]) -> Credentials:
    """A session of Dex, begun at the first request, and again where the endpoint has forgotten it."""
    from kalecompiler.submit import dex

    user = table.get("username") or (_variable(table["username-env"]) if "username-env" in table else None)
    if not user or not ("password-env" in table or "password-file" in table):
        raise UsageError(
            f'endpoint.{endpoint.name}: `auth = "dex"` needs `username-env` (or `username`) and `password-env` or '
            "`password-file`"
        )
    connector = table.get("connector", "local")
    session: list[str] = []

    def read() -> Mapping[str, str]:
        if not session:
            password = _variable(table["password-env"]) if "password-env" in table else _file(table["password-file"])
            credentials.keep(password)
            session.append(dex.login(endpoint, user, password, connector, credentials.struck))
        return {"Cookie": session[0]}

    method = f"Dex ({connector} connector) as {user}"
    credentials = Credentials(method, read, identity=user, renew=session.clear)
    return credentials


def _context(path: str | bool | None) -> Credentials:
    """The cookie or header of kfp's context.json, which is read at each request."""
    file = Path(path if isinstance(path, str) else CONTEXT_FILE).expanduser()

    def read() -> Mapping[str, str]:
        content = read_context(file)
        name, value = (
            content.get("client_authentication_header_name"),
            content.get("client_authentication_header_value"),
        )
        headers = {str(name): str(value)} if name and value else {}
        cookie = content.get("client_authentication_cookie")
        headers |= {"Cookie": str(cookie)} if cookie else {}
        if not headers:
            raise UsageError(
                f"{file} has neither `client_authentication_cookie` nor `client_authentication_header_name`"
            )
        return {name: _printable(value, str(file)) for name, value in headers.items()}

    return Credentials(f"context of {file}", read, namespace=lambda: read_context(file).get("namespace") or None)


def read_context(file: Path) -> dict[str, Any]:
    """What kfp's context.json says. Raises UsageError."""
    try:
        content = json.loads(_file(str(file)))
    except ValueError:
        raise UsageError(f"{file} is not valid JSON") from None
    if not isinstance(content, dict):
        raise UsageError(f"{file} must hold a JSON object")
    return content


def pod_namespace() -> str | None:
    """The namespace of the pod that this runs in; None outside a cluster."""
    file = SERVICE_ACCOUNT / "namespace"
    return file.read_text(encoding="utf-8").strip() or None if file.is_file() else None


def _variable(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise UsageError(f"the variable {name} of the environment, which the endpoint's table names, is not set")
    return value


def _file(path: str) -> str:
    try:
        value = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {cause(error)}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not text") from None
    if not value:
        raise UsageError(f"{path} is empty")
    return value


def _cookie(variable: str) -> str:
    value = _printable(_variable(variable), f"${variable}")
    if "=" not in value:
        raise UsageError(f"${variable} is no cookie: it must be NAME=VALUE, as in a request's Cookie header")
    return value


def _one_word(token: str, method: str) -> str:
    token = token.removeprefix("Bearer ").strip()
    if " " in _printable(token, method):
        raise UsageError(f"the {method} has blanks in it, which no token has")
    return token


def _printable(value: str, what: str) -> str:
    """The value, if a header can hold it: what could not must not reach a library that would show it."""
    if not _VISIBLE.fullmatch(value):
        raise UsageError(f"{what} has characters that a header cannot hold, such as a line break")
    return value


def _claimed(token: str) -> str | None:
    """Who a JSON web token says that its bearer is."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return str(claims.get("email") or claims.get("preferred_username") or claims["sub"])
    except (IndexError, ValueError, KeyError, AttributeError, TypeError, binascii.Error):
        return None
