"""What can go wrong between here and an endpoint: each fault becomes one line, with its cure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from kalecompiler.diagnostics import KalecError

API = "/apis/v2beta1"
RETRIED = frozenset({429, 500, 502, 503, 504})
"""Answers after which the same idempotent request may succeed."""
LOGIN_CURE = (
    'say how to log in with token-env, token-file, cookie-env or auth = "dex" in [tool.kalecompiler.endpoint.NAME]; '
    "`kalec auth check` shows what is used"
)
_LONGEST = 500
_STACK = re.compile(r"\n.*|\s+(?:github\.com|k8s\.io|google\.golang\.org)/\S+\.go:\d+.*", re.DOTALL)


class ServerError(KalecError):
    """The endpoint failed or refused. `code` is the HTTP status, None where there was no (whole) answer."""

    status = 3

    def __init__(
        self, message: str, code: int | None = None, *, passing: bool = False, wait: float | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.passing = passing
        """Whether the same request may succeed a little later."""
        self.wait = wait
        """How many seconds the server asks to wait before that."""

    @property
    def refused(self) -> bool:
        """Whether the server says clearly that it did nothing: 4xx, but a time-out of something before it."""
        return self.code is not None and 400 <= self.code < 500 and self.code != 408


class AuthenticationError(ServerError):
    """The endpoint does not know who asks. With a `code` it did nothing; a page with status 200 leaves that open."""


class TimedOutError(KalecError):
    """The run did not end within --timeout."""

    status = 124


class InterruptedWaitError(KalecError):
    """The user interrupted the waiting; the run goes on."""

    status = 130


def refusal(host: str, code: int, body: str, headers: Mapping[str, str], method: str, path: str) -> ServerError:
    """The error for an answer that is not 2xx."""
    message = server_message(body)
    if 300 <= code < 400:
        return _redirect(host, code, headers.get("location", ""))
    if code == 401 or (code == 403 and not _is_error_json(body)):  # of a gate before the server
        return AuthenticationError(f"{host} needs authentication ({code}{_colon(message)}): {LOGIN_CURE}", code)
    if code == 403:
        return ServerError(
            f"{host} does not allow it (403{_colon(message)}): check --namespace, and what you may do there", code
        )
    if code == 404 and not _is_error_json(body):
        return ServerError(
            f"{host} has no Pipelines API at {API} (404): the address of a Kubeflow platform's ends in /pipeline", code
        )
    if code in RETRIED:
        return _failing(host, code, message, headers)
    what = f"{method} {path.partition('?')[0]}"
    cure = "; name the namespace with --namespace" if code == 400 and "namespace" in message.lower() else ""
    return ServerError(f"{host} refused {what} ({code}): {message or 'it does not say why'}{cure}", code)


def no_json(host: str, body: str, kind: str) -> ServerError:
    """The error for a 2xx answer whose body is not JSON."""
    if "html" in kind or body.lstrip()[:1] == "<":
        return AuthenticationError(
            f"{host} answers with a web page, probably a login: it needs authentication, {LOGIN_CURE}"
        )
    return ServerError(
        f"{host} answered with broken JSON of {len(body)} characters: try again; a proxy on the way may have cut it",
        passing=True,
    )


def server_message(body: str) -> str:
    """What the server says of an error, in any of its shapes, on one line and without its stack."""
    try:
        value = json.loads(body)
    except ValueError:
        value = None if re.search(r"<\s*(?:!doctype|html|head|body)\b", body, re.IGNORECASE) else body
    if isinstance(value, dict):
        value = value.get("message") or value.get("error_message") or value.get("error") or ""
    text = " ".join(_STACK.sub("", str(value or "")).split()).rstrip(".")
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."


def _is_error_json(body: str) -> bool:
    try:
        value = json.loads(body)
    except ValueError:
        return False
    return isinstance(value, dict) and ("message" in value or "error_message" in value)


def _colon(message: str) -> str:
    return f": {message}" if message else ""


def _redirect(host: str, code: int, where: str) -> ServerError:
    target = where.partition("?")[0].partition("#")[0]
    if re.search(r"login|oauth|dex|sign_?in|auth|sso", target, re.IGNORECASE):
        return AuthenticationError(f"{host} sends one to a login page: it needs authentication, {LOGIN_CURE}", code)
    return ServerError(f"{host} sends one to {target or 'nowhere'}: use the address that it means as --host", code)


def _failing(host: str, code: int, message: str, headers: Mapping[str, str]) -> ServerError:
    asked = headers.get("retry-after", "")
    wait = float(asked) if asked.isdecimal() else None
    what = "has too many requests" if code == 429 else "fails"
    return ServerError(f"{host} {what} ({code}{_colon(message)}): try again later", code, passing=True, wait=wait)
