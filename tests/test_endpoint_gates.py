"""The test endpoint's gates: who passes, what is answered to the others, and Dex's login, page after page."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from endpoint import Bearer, Cookie, Dex, Endpoint, Gate, Make, ServiceAccount
from endpoint.proxy import Proxy
from endpoint.tls import make_authority
from kfp.client import Client, ServiceAccountTokenVolumeCredentials
from kfp_server_api import ApiException

pytest_plugins = ["endpoint.plugin"]
pytestmark = pytest.mark.usefixtures("kfp_home")

PASSWORD = "correct-horse"
BOTH = {"local": {"me": PASSWORD}, "ldap": {"me@corp": PASSWORD}}


def health(endpoint: Endpoint, **headers: str) -> requests.Response:
    """An API call with these headers; `_` stands for `-`. Redirects are not followed."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(f"{endpoint.url}/apis/v2beta1/healthz", headers=named, allow_redirects=False, timeout=10)


@pytest.mark.parametrize(
    ("gate", "status", "content_type", "text"),
    [
        (Bearer("t", refuses="401"), 401, "text/plain", "Jwt is missing"),
        (Bearer("t", refuses="403"), 403, "text/plain", "RBAC: access denied"),
        (Bearer("t", refuses="page"), 200, "text/html", "Log in"),
        (Cookie("c", refuses="redirect"), 302, "text/html", ""),
        (Cookie("c", refuses="page"), 200, "text/html", "Log in"),
        (Dex(), 401, "application/json", "{}"),
        (Dex(api="redirect"), 302, "text/html", ""),
        (Dex(api="redirect", button=True), 403, "text/html", "Sign in with OpenID Connect"),
    ],
    ids=["401", "403", "page", "redirect", "cookie page", "dex for an api", "older dex", "oauth2-proxy's button"],
)
def test_a_gate_refuses_in_its_own_way(
    make_endpoint: Make, gate: Gate, status: int, content_type: str, text: str
) -> None:
    answer = health(make_endpoint(auth=gate))
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (status, content_type)
    assert text in answer.text


def test_a_bearer_token_passes_until_it_is_changed(make_endpoint: Make) -> None:
    gate = Bearer("old")
    endpoint = make_endpoint(auth=gate)
    assert health(endpoint, Authorization="Bearer old").status_code == 200
    gate.token = "new"
    assert health(endpoint, Authorization="Bearer old").status_code == 401
    assert health(endpoint, Authorization="Bearer new").status_code == 200


def test_a_cookie_passes(make_endpoint: Make) -> None:
    endpoint = make_endpoint(auth=Cookie("c"))
    assert health(endpoint, Cookie="other=1; authservice_session=c").status_code == 200
    assert health(endpoint, Cookie="authservice_session=d").status_code == 302
    assert requests.get(f"{endpoint.url}/apis/v2beta1/healthz", timeout=10).text.count("Log in") == 1


def test_a_service_accounts_token_is_read_anew_for_each_call(make_endpoint: Make, tmp_path: Path) -> None:
    gate = ServiceAccount("first")
    endpoint = make_endpoint(auth=gate, multi_user=True)
    file = tmp_path / "token"
    file.write_text("first")
    kfp = Client(host=endpoint.url, namespace="team", credentials=ServiceAccountTokenVolumeCredentials(str(file)))
    assert kfp.list_experiments(namespace="team").experiments is None
    gate.token = "second"
    with pytest.raises(ApiException) as caught:
        kfp.list_experiments(namespace="team")
    assert caught.value.status == 401
    file.write_text("second")
    assert kfp.list_experiments(namespace="team").experiments is None
    assert gate.reviewed == ["Bearer first", "Bearer first", "Bearer second"]


@pytest.mark.parametrize("button", [False, True], ids=["straight to dex", "by a button"])
@pytest.mark.parametrize("approval", [False, True], ids=["no approval", "approval"])
@pytest.mark.parametrize("split", [False, True], ids=["one cookie", "two cookies"])
@pytest.mark.parametrize("connector", ["local", "ldap"])
@pytest.mark.parametrize("count", [1, 2], ids=["one connector", "two connectors"])
def test_a_login_gives_a_cookie_that_passes(
    make_endpoint: Make, button: bool, approval: bool, split: bool, connector: str, count: int
) -> None:
    users = BOTH if count == 2 else {connector: BOTH[connector]}
    endpoint = make_endpoint(auth=Dex(users, button=button, approval=approval, split=split), multi_user=True)
    (name,) = BOTH[connector]
    cookie = log_in(endpoint, connector, name, PASSWORD)
    assert health(endpoint, Cookie=cookie).status_code == 200
    assert {urlsplit(exchange.request.target).netloc for exchange in endpoint.log} == {""}
    sent = endpoint.sent(PASSWORD)
    assert [(one.method, one.path) for one in sent] == [("POST", f"/dex/auth/{connector}/login")]
    kfp = Client(host=endpoint.url, namespace="team", cookies=cookie)
    assert kfp.create_experiment("mine", namespace="team").namespace == "team"


@pytest.mark.parametrize("wrong", [200, 401], ids=["old dex", "dex"])
def test_a_wrong_password_shows_the_form_again(make_endpoint: Make, wrong: int) -> None:
    endpoint = make_endpoint(auth=Dex(wrong=wrong))
    with pytest.raises(WrongPassword, match="Invalid username and password") as caught:
        log_in(endpoint, "local", "user@example.com", "guess")
    assert caught.value.status == wrong


def test_a_session_ends(make_endpoint: Make) -> None:
    gate = Dex(tokens={"robot": "system:serviceaccount:team:robot"})
    endpoint = make_endpoint(auth=gate)
    cookie = log_in(endpoint, "local", "user@example.com", "12341234")
    assert health(endpoint, Cookie=cookie).status_code == 200
    gate.expire()
    assert health(endpoint, Cookie=cookie).status_code == 401
    assert health(endpoint, Authorization="Bearer robot").status_code == 200


def test_a_callback_without_the_cookie_of_its_start_is_refused(make_endpoint: Make) -> None:
    """A client must keep the cookies of the pages on its way."""
    endpoint = make_endpoint(auth=Dex())
    form = requests.get(endpoint.url, timeout=10)
    answer = requests.post(form.url, data={"login": "user@example.com", "password": "12341234"}, timeout=10)
    assert (answer.status_code, urlsplit(answer.url).path) == (403, "/oauth2/callback")


def test_https_needs_the_authority(make_endpoint: Make, tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    endpoint = make_endpoint(tls=authority.server)
    address = f"{endpoint.url}/apis/v2beta1/healthz"
    assert address.startswith("https://")
    assert requests.get(address, verify=str(authority.file), timeout=10).status_code == 200
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(address, timeout=10)
    kfp = Client(host=endpoint.url, namespace="team", ssl_ca_cert=str(authority.file))
    assert kfp.get_kfp_healthz().multi_user is False


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_proxy_passes_on_and_tells(make_endpoint: Make, tmp_path: Path, scheme: str) -> None:
    authority = make_authority(tmp_path) if scheme == "https" else None
    endpoint = make_endpoint(tls=authority and authority.server)
    address = f"{scheme}://kfp.test:{endpoint.port}/apis/v2beta1/healthz"
    with Proxy() as proxy:
        proxies = {"http": proxy.url, "https": proxy.url}
        verify = str(authority.file) if authority else None
        assert requests.get(address, proxies=proxies, verify=verify, timeout=10).status_code == 200
    assert proxy.asked == [f"GET {address}" if scheme == "http" else f"CONNECT kfp.test:{endpoint.port}"]


class WrongPassword(Exception):
    """The login did not lead on; the page is what came instead."""

    def __init__(self, answer: requests.Response) -> None:
        super().__init__(answer.text)
        self.status = answer.status_code


def log_in(endpoint: Endpoint, connector: str, name: str, password: str) -> str:
    """Go through the pages as Kubeflow's documentation has it; the cookies for the header."""
    session = requests.Session()
    page = session.get(endpoint.url, timeout=10)
    if page.status_code == 403:
        page = session.get(f"{endpoint.url}/oauth2/start?{urlencode({'rd': '/'})}", timeout=10)
    if urlsplit(page.url).path.endswith("/auth"):
        assert sorted(re.findall(r'href="/dex/auth/(\w+)\?', page.text)) == ["ldap", "local"]
        page = session.get(page.url.replace("/dex/auth?", f"/dex/auth/{connector}?"), timeout=10)
    assert urlsplit(page.url).path == f"/dex/auth/{connector}/login"
    page = session.post(page.url, data={"login": name, "password": password}, timeout=10)
    if not page.history:
        raise WrongPassword(page)
    if urlsplit(page.url).path.endswith("/approval"):
        hidden = dict(re.findall(r'name="(\w+)" value="(\w+)"', page.text))
        page = session.post(page.url, data=hidden, timeout=10)
    assert (page.status_code, urlsplit(page.url).path) == (200, "/")
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)
