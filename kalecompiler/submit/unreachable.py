"""Why a request got no answer: what urllib3 and requests raise, as one line with its cure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from kalecompiler.submit.faults import ServerError

_KINDS = (
    "ProxyError",
    "NameResolutionError",
    "SSLError",
    "NewConnectionError",  # a ConnectTimeoutError to urllib3
    "ConnectTimeoutError",
    "ReadTimeoutError",
)


def unreachable(host: str, error: BaseException, timeout: float) -> ServerError:
    """The error for a request to `host` that ended without a whole answer; `timeout` is how long it may take."""
    chain = list(_chain(error))
    kinds = {name for found in chain for name in _names(found)}
    text = " ".join(str(found) for found in chain)
    kind = next((kind for kind in _KINDS if kind in kinds), None)
    if kind == "ProxyError":
        return ServerError(f"the proxy on the way to {host} fails: check HTTPS_PROXY, or put the host into NO_PROXY")
    if kind == "NameResolutionError":
        return ServerError(
            f"the name {urlsplit(host).hostname} is not known here: check --host, and the VPN if there is one"
        )
    if kind == "SSLError" or "certificate" in text.lower():
        return _tls(host, text)
    if kind == "ConnectTimeoutError":
        return ServerError(f"{host} cannot be reached in time: check --host, a firewall or HTTPS_PROXY", passing=True)
    if kind == "ReadTimeoutError":
        return ServerError(f"{host} did not answer within {timeout:g} s: try again later", passing=True)
    if kind == "NewConnectionError" and "refused" in text.lower():
        return ServerError(
            f"{host} refuses the connection: is it up, and the port right (or a port-forward ended)?", passing=True
        )
    if kind == "NewConnectionError":
        return ServerError(f"{host} cannot be reached: check --host and the network", passing=True)
    return ServerError(f"{host} closed the connection before it had answered: try again", passing=True)


def _tls(host: str, text: str) -> ServerError:
    if "WRONG_VERSION_NUMBER" in text or "record layer" in text.lower():
        return ServerError(f"{host} does not speak TLS: its address may begin with http://")
    found = re.search(r"certificate verify failed: ([^()\[\]]+)", text)
    why = f" ({found[1].strip().lower().rstrip('.')})" if found else ""
    return ServerError(
        f"the certificate of {host} is not trusted{why}: name its CA with `ca-file` in "
        "[tool.kalecompiler.endpoint.NAME], or skip the check with --insecure"
    )


def _chain(error: BaseException | None) -> list[BaseException]:
    """An error, and those that it was made of."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [one.__cause__, getattr(one, "reason", None), getattr(one, "original_error", None), *one.args]
    return found


def _names(error: BaseException) -> set[str]:
    """The names of an error's class and of its bases; an SSL error of the client's own has it in its text only."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return names | ({"SSLError"} if str(getattr(error, "reason", "")).startswith("SSLError") else set())
