"""The one place that every request to an endpoint passes: time-outs, retries, proxies, TLS, logins, errors in words."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import urllib3
from kfp_server_api import Configuration
from kfp_server_api.exceptions import ApiException
from kfp_server_api.rest import RESTClientObject

from kalecompiler.diagnostics import UsageError
from kalecompiler.submit.credentials import Credentials
from kalecompiler.submit.endpoint import Endpoint
from kalecompiler.submit.faults import AuthenticationError, ServerError, no_json, refusal
from kalecompiler.submit.unreachable import unreachable

CONNECT_TIMEOUT = 10.0
ATTEMPTS = 4
"""How often an idempotent request is sent in all."""
FIRST_PAUSE = 0.4
LONGEST_PAUSE = 10.0
_IDEMPOTENT = frozenset({"GET", "HEAD"})


class Transport(RESTClientObject):  # type: ignore[misc]  # it ships without types
    """kfp's HTTP client, made strict: every answer is JSON, or an error that says what is wrong and how to cure it.

    Only requests that change nothing are sent again. No redirect is followed, so that no credentials go astray.
    """

    def __init__(self, endpoint: Endpoint, credentials: Credentials) -> None:
        super().__init__(_configuration(endpoint))
        self._endpoint, self._credentials = endpoint, credentials

    def request(self, method: str, url: str, **options: Any) -> Any:
        """Send a request, as the generated client asks for it. Raises ServerError, UsageError."""
        return self._patient(method, url, options, json=True)

    def text(self, url: str, query: Mapping[str, str]) -> str:
        """The body of a GET that gives plain text, asked for once. Raises ServerError, UsageError."""
        return self.data(url, query).decode("utf-8", "replace")

    def data(self, url: str, query: Mapping[str, str]) -> bytes:
        """The body of a GET that gives any bytes, asked for once. Raises ServerError, UsageError."""
        return bytes(self._patient("GET", url, {"query_params": list(query.items())}, json=False).data)

    def ask(self, url: str, body: bytes, kind: str) -> bytes:
        """The body of the answer to a POST that only asks something. Raises ServerError, UsageError."""
        headers = {"Content-Type": kind, "Accept": kind, "X-Grpc-Web": "1"}
        return bytes(self._patient("POST", url, {"body": body, "headers": headers}, json=False).data)

    def _patient(self, method: str, url: str, options: dict[str, Any], *, json: bool) -> Any:
        """Send a request, again after a pause while that may help; with a new login once, where the old one ended."""
        attempts = ATTEMPTS if json and method in _IDEMPOTENT else 1
        renewed, pause = False, FIRST_PAUSE
        while True:
            try:
                return self._once(method, url, options, json)
            except AuthenticationError as error:
                # a page with status 200 does not say that nothing was done
                safe = method in _IDEMPOTENT or error.code is not None
                if renewed or self._credentials.renew is None or not safe:
                    raise
                self._credentials.renew()
                renewed = True
            except ServerError as error:
                attempts -= 1
                if not error.passing or attempts == 0 or (error.wait or 0) > LONGEST_PAUSE:
                    raise
                time.sleep(error.wait or pause)
                pause *= 2

    def _once(self, method: str, url: str, options: dict[str, Any], json: bool) -> Any:
        host, timeout = self._endpoint.host, (CONNECT_TIMEOUT, self._endpoint.timeout)
        try:
            with _no_warnings():
                headers = {**(options.get("headers") or {}), **self._credentials.headers()}
                answer = super().request(method, url, **{**options, "headers": headers, "_request_timeout": timeout})
                body = answer.data  # all of it, though the caller may not want it read
        except ApiException as error:
            raise self._refused(error, method, url) from None
        except urllib3.exceptions.HTTPError as error:
            raise self._clean(unreachable(host, error, self._endpoint.timeout)) from None
        if json:
            self._check_json(body.decode("utf-8", "replace"), (answer.getheader("content-type") or "").lower())
        return answer

    def _refused(self, error: ApiException, method: str, url: str) -> ServerError:
        if not error.status:  # the client's way of telling of TLS
            return self._clean(unreachable(self._endpoint.host, error, self._endpoint.timeout))
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        body = (error.body or b"").decode("utf-8", "replace")
        path = url.removeprefix(self._endpoint.host)
        return self._clean(refusal(self._endpoint.host, error.status, body, headers, method, path))

    def _check_json(self, body: str, kind: str) -> None:
        import json

        try:
            value = json.loads(body or "{}")
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise self._clean(no_json(self._endpoint.host, body, kind))

    def _clean(self, error: ServerError) -> ServerError:
        """The error without a secret in it, should the server have sent one back."""
        error.args = (self._credentials.struck(str(error)),)
        return error


def _configuration(endpoint: Endpoint) -> Configuration:
    """The settings of kfp's HTTP client."""
    from requests.utils import get_environ_proxies, select_proxy

    configuration = Configuration(host=endpoint.host)
    configuration.retries = False  # they are our own
    configuration.verify_ssl = not endpoint.insecure
    configuration.ssl_ca_cert = str(endpoint.ca_file) if endpoint.ca_file else None
    proxy = select_proxy(endpoint.host, get_environ_proxies(endpoint.host))
    if proxy:
        configuration.proxy = proxy if "://" in proxy else f"http://{proxy}"
        if not configuration.proxy.startswith(("http://", "https://")):
            raise UsageError(
                f"{endpoint.host} is behind a proxy that is none for HTTP: change HTTPS_PROXY or ALL_PROXY"
            )
        user = urllib3.util.parse_url(configuration.proxy).auth
        configuration.proxy_headers = urllib3.make_headers(proxy_basic_auth=user) if user else None
    return configuration


@contextlib.contextmanager
def _no_warnings() -> Iterator[None]:
    """Nothing of urllib3's at each request that skips TLS's check: we say it once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
