"""An endpoint as configured: options, environment and `[tool.kalecompiler.endpoint.NAME]` -> `Endpoint`.

Secrets stand in none of them: the table names the environment variable or the file that has one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kalecompiler import settings
from kalecompiler.diagnostics import UsageError
from kalecompiler.suggest import did_you_mean
from kalecompiler.wording import listed

HOST_VARIABLE, UI_VARIABLE, NAME_VARIABLE = "KF_PIPELINES_ENDPOINT", "KF_PIPELINES_UI_ENDPOINT", "KALEC_ENDPOINT"
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
IN_CLUSTER = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_TEXTS = {
    "host", "ui", "namespace", "experiment", "auth", "token-env", "token-file", "cookie-env", "username",
    "username-env", "password-env", "password-file", "connector", "service-account-token-file", "ca-file",
}  # fmt: skip
_KEYS = {*_TEXTS, "context", "insecure", "timeout"}
_FILES = ("token-file", "password-file", "service-account-token-file", "ca-file")
_SECRETS = {
    "token": 'token-env = "KFP_TOKEN"',
    "existing-token": 'token-env = "KFP_TOKEN"',
    "bearer": 'token-env = "KFP_TOKEN"',
    "cookie": 'cookie-env = "KFP_COOKIE"',
    "cookies": 'cookie-env = "KFP_COOKIE"',
    "password": 'password-env = "KFP_PASSWORD"',
}
_METHODS = ("none", "token", "cookie", "dex", "service-account", "context")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
TIMEOUT, DAY = 60.0, 86400.0


class NoEndpointError(UsageError):
    """Nothing says which endpoint is meant."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line said of the endpoint; None and False are not given."""

    host: str | None = None
    endpoint: str | None = None
    namespace: str | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the API is, and how to get in. `login` are the keys of the table that credentials are made of.

    `name` is the table's, None without one; `timeout` is how many seconds an answer may take.
    """

    host: str
    ui: str
    name: str | None = None
    namespace: str | None = None
    experiment: str | None = None
    ca_file: Path | None = None
    insecure: bool = False
    timeout: float = TIMEOUT
    login: Mapping[str, Any] | None = None

    @property
    def called(self) -> str:
        """The options that choose this endpoint in another command."""
        chosen = f"--endpoint {self.name}" if self.name else f"--host {self.host}"
        return f"{chosen} --namespace {self.namespace}" if self.namespace and not self.name else chosen

    def run_url(self, run: str) -> str:
        """A run's page in the UI."""
        return f"{self.ui}/#/runs/details/{run}"


def resolve(given: Given, folder: Path) -> Endpoint:
    """The endpoint that is meant; `folder` is where the search for pyproject.toml begins.

    Without --host and --endpoint: KALEC_ENDPOINT, KF_PIPELINES_ENDPOINT, the only table, the cluster this runs in.
    Raises UsageError where nothing says which, and for a table that is wrong.
    """
    source, tables = settings.endpoints(folder)
    name = given.endpoint or (None if given.host else os.environ.get(NAME_VARIABLE))
    address = given.host or (None if name else os.environ.get(HOST_VARIABLE))
    if name is None and not address and len(tables) == 1:
        (name,) = tables
    if name is not None and name not in tables:
        hint = did_you_mean(name, tables) or (f"there are {listed(tables)}" if tables else f"there is none in {source}")
        raise UsageError(f"there is no endpoint `{name}`: {hint}")
    table = _checked(tables[name], f"{source}: endpoint.{name}", source.parent) if name is not None else {}
    host = address or table.get("host") or _in_cluster()
    if not host:
        some = f", or --endpoint ({', '.join(sorted(tables))})" if tables else ""
        raise NoEndpointError(f"no endpoint is named: give --host URL{some}, or set {HOST_VARIABLE}")
    host = _address(host, "the host")
    return Endpoint(
        host,
        ui=_address(table.get("ui") or os.environ.get(UI_VARIABLE) or host, "the UI's address"),
        name=name,
        namespace=given.namespace or table.get("namespace"),
        experiment=table.get("experiment"),
        ca_file=_authorities(table),
        insecure=given.insecure or table.get("insecure", False),
        timeout=float(table.get("timeout", TIMEOUT)),
        login=table,
    )


def _in_cluster() -> str | None:
    return IN_CLUSTER if SERVICE_ACCOUNT.is_dir() else None


def _authorities(table: Mapping[str, Any]) -> Path | None:
    """The file of the certificate authorities to trust; None for those that all trust. Raises UsageError."""
    named = table.get("ca-file") or next(filter(None, map(os.environ.get, CA_VARIABLES)), None)
    if named and not Path(named).is_file():
        raise UsageError(f"the file of certificate authorities {named} does not exist")
    return Path(named) if named else None


def _address(text: str, what: str) -> str:
    """An address with its scheme, without a slash at the end. Raises UsageError; never shows a password in it."""
    full = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(full)
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        raise UsageError(f"{what} is no address: write it as in https://kubeflow.example.com/pipeline") from None
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"{what} has a user or password in it: leave it out, and see `kalec auth check -h` for logins")
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_ok or parts.query or parts.fragment:
        raise UsageError(f"{what} `{text}` is no address: write it as in https://kubeflow.example.com/pipeline")
    return full.rstrip("/")


def _checked(raw: Any, where: str, folder: Path) -> dict[str, Any]:
    """A table with every key known and of its type, and files found from `folder`."""
    if not isinstance(raw, Mapping):
        raise UsageError(f"{where} must be a table")
    table = {key.replace("_", "-"): value for key, value in raw.items()}
    for key, value in table.items():
        _check(key, value, where)
    _check_login(table, where)
    for key in _FILES:
        if key in table:
            table[key] = str(folder / Path(table[key]).expanduser())
    return table


def _check(key: str, value: Any, where: str) -> None:
    """Raise UsageError for a key that is unknown, a secret or of a wrong type; a secret's value is never shown."""
    if key in _SECRETS:
        raise UsageError(
            f"{where} has a `{key}` in plain text, which others could read: put it into a variable of the environment, "
            f"and name that, as in `{_SECRETS[key]}`, or into a file"
        )
    if key not in _KEYS:
        hint = did_you_mean(key, _KEYS)
        raise UsageError(f"{where} has the unknown key `{key}`" + (f": {hint}" if hint else ""))
    if key in _TEXTS and not (isinstance(value, str) and value):
        raise UsageError(f"{where}: `{key}` must be a text")
    if key == "insecure" and not isinstance(value, bool):
        raise UsageError(f"{where}: `insecure` must be true or false")
    if key == "timeout" and (isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= DAY):
        raise UsageError(f"{where}: `timeout` must be a number of seconds, at most a day's")
    if key == "context" and not isinstance(value, (bool, str)):
        raise UsageError(f"{where}: `context` must be true, or the path of a context.json")
    if key.endswith("-env") and not _VARIABLE.fullmatch(value):
        raise UsageError(f"{where}: `{key}` must be the name of a variable of the environment, not a value")


def _check_login(table: Mapping[str, Any], where: str) -> None:
    """Raise UsageError where the keys for logins do not go together."""
    auth = table.get("auth")
    if auth is not None and auth not in _METHODS:
        raise UsageError(f"{where}: `auth` must be one of {listed(_METHODS)}")
    if not re.fullmatch(r"[\w.-]+", table.get("connector", "local")):
        raise UsageError(f"{where}: `connector` must be the id of a connector of Dex, such as `local` or `ldap`")
    kinds = {
        "token": ("token-env", "token-file"),
        "cookie": ("cookie-env",),
        "dex": ("username", "username-env", "password-env", "password-file", "connector"),
        "service-account": ("service-account-token-file",),
        "context": ("context",),
    }
    used = [kind for kind, keys in kinds.items() if any(table.get(key) for key in keys)]
    if len({*used, *([auth] if auth else [])}) > 1:
        raise UsageError(
            f"{where} has several ways to log in ({', '.join([*([auth] if auth else []), *used])}): keep one"
        )
    for one, other in (("token-env", "token-file"), ("password-env", "password-file"), ("username", "username-env")):
        if one in table and other in table:
            raise UsageError(f"{where} has both `{one}` and `{other}`: keep one")
