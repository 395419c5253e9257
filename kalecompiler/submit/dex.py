"""A login at Dex behind oauth2-proxy, as a browser does it: redirects, the connector, the form, maybe an approval."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from kalecompiler.submit.endpoint import Endpoint
from kalecompiler.submit.faults import API, ServerError
from kalecompiler.submit.unreachable import unreachable

_CHOICE = re.compile(r"(.*/auth)(?:/[^/]+)?")
_FORM = re.compile(r".*/auth/[^/]+(?:/login)?")


def login(endpoint: Endpoint, user: str, password: str, connector: str, struck: Callable[[str], str]) -> str:
    """The Cookie header of a new session. `struck` takes secrets out of a text.

    Raises ServerError where the user or password is wrong, and for all else that fails.
    """
    import requests

    with requests.Session() as session:
        try:
            return _Login(endpoint, session).run(user, password, connector)
        except requests.RequestException as error:
            fault = unreachable(endpoint.host, error, endpoint.timeout)
            raise ServerError(struck(str(fault))) from None


class _Login:
    def __init__(self, endpoint: Endpoint, session: Any) -> None:
        self._endpoint, self._session = endpoint, session

    def run(self, user: str, password: str, connector: str) -> str:
        form = self._form(connector)
        answer = self._send("POST", _action(form), data={"login": user, "password": password})
        if not answer.history:
            raise ServerError(  # no AuthenticationError: it must not be tried again
                f"{self._endpoint.host} does not take the user and password of the {connector} connector: check both, "
                "and `connector`"
            )
        if urlsplit(answer.url).path.endswith("/approval"):
            answer = self._send("POST", answer.url, data={"approval": "approve"})
        if cookie := self._cookie():
            return cookie
        raise ServerError(f"{self._endpoint.host} let {user} in and gave no session cookie ({answer.status_code})")

    def _form(self, connector: str) -> Any:
        """The page with Dex's form for user and password."""
        answer = self._send("GET", self._endpoint.host)
        if answer.status_code in {401, 403}:  # oauth2-proxy's own page, with a button
            parts = urlsplit(self._endpoint.host)
            start = urlunsplit(parts._replace(path="/oauth2/start", query=f"rd={quote(parts.path or '/')}"))
            answer = self._send("GET", start)
        path = urlsplit(answer.url).path
        if choice := _CHOICE.fullmatch(path):
            page = urlsplit(answer.url)._replace(path=f"{choice[1]}/{connector}")
            answer = self._send("GET", urlunsplit(page))
        if not answer.ok or not _FORM.fullmatch(urlsplit(answer.url).path):
            raise ServerError(
                f"{self._endpoint.host} leads to no login of Dex by the {connector} connector ({answer.status_code}): "
                'check `connector`, or leave `auth = "dex"` out'
            )
        return answer

    def _send(self, method: str, url: str, **content: Any) -> Any:
        # said at each request: what a session says gives way to variables of the environment
        verify = False if self._endpoint.insecure else str(self._endpoint.ca_file or "") or True
        return self._session.request(method, url, timeout=self._endpoint.timeout, verify=verify, **content)

    def _cookie(self) -> str:
        """The cookies that a request to the API would carry."""
        import requests

        request = requests.Request("GET", self._endpoint.host + API).prepare()
        return str(requests.cookies.get_cookie_header(self._session.cookies, request) or "")


class _Forms(HTMLParser):
    """Finds where a page's first form goes."""

    action: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "form" and self.action is None:
            self.action = dict(attrs).get("action") or ""


def _action(page: Any) -> str:
    """The address that a page's form is sent to: on the same host as the page, else the page's own."""
    parser = _Forms()
    parser.feed(page.text)
    own = str(page.url)
    target = urljoin(own, parser.action or own)
    return target if urlsplit(target)[:2] == urlsplit(own)[:2] else own
