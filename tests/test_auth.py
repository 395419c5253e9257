"""Logins: every method of the README's table, what is refused, TLS and proxies, and that no secret gets out."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from endpoint import Bearer, Cookie, Dex, Endpoint, Fault, ServiceAccount, answers, closes, login_page
from endpoint.proxy import Proxy
from endpoint.tls import make_authority
from submitting import FAILING, NOTEBOOK, Here, clean_surroundings

from kalecompiler.diagnostics import UsageError
from kalecompiler.submit import credentials
from kalecompiler.submit.endpoint import Given, resolve

pytest_plugins = ["endpoint.plugin"]

CANARY = "canary-7f3a9c-secret"
Make = Callable[..., Endpoint]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    clean_surroundings(tmp_path, monkeypatch)
    monkeypatch.setattr("kalecompiler.submit.transport.FIRST_PAUSE", 0.01)
    found = Here(tmp_path, capsys)
    found.write(NOTEBOOK)
    return found


def dex(**options: Any) -> Dex:
    return Dex(users={"local": {"ann": CANARY}, "ldap": {"ann": "other"}}, **options)


# situation -> the gate, the table of the endpoint (without its host), the environment, the method that is shown
METHODS: dict[str, tuple[Callable[[], Any], str, dict[str, str], str]] = {
    "no login": (lambda: None, 'auth = "none"', {}, "none"),
    "a token in the environment": (
        lambda: Bearer(CANARY),
        'token-env = "KFP_TOKEN"',
        {"KFP_TOKEN": CANARY},
        "bearer token of $KFP_TOKEN",
    ),
    "a token in a file": (lambda: Bearer(CANARY), 'token-file = "secret"', {}, "bearer token of {folder}/secret"),
    "a cookie of a browser": (
        lambda: Cookie(CANARY),
        'cookie-env = "KFP_COOKIE"',
        {"KFP_COOKIE": f"authservice_session={CANARY}"},
        "cookie of $KFP_COOKIE",
    ),
    "Dex, local users": (
        dex,
        'auth = "dex"\nusername-env = "KFP_USER"\npassword-env = "KFP_PASSWORD"',
        {"KFP_USER": "ann", "KFP_PASSWORD": CANARY},
        "Dex (local connector) as ann",
    ),
    "Dex, LDAP": (
        lambda: Dex(users={"local": {}, "ldap": {"ann": CANARY}}),
        'auth = "dex"\nusername = "ann"\npassword-file = "secret"\nconnector = "ldap"',
        {},
        "Dex (ldap connector) as ann",
    ),
    "Dex, with one connector": (
        lambda: Dex(users={"ldap": {"ann": CANARY}}),
        'auth = "dex"\nusername = "ann"\npassword-env = "KFP_PASSWORD"\nconnector = "ldap"',
        {"KFP_PASSWORD": CANARY},
        "Dex (ldap connector) as ann",
    ),
    "Dex behind a button, with approval, large cookies, redirects": (
        lambda: dex(button=True, approval=True, split=True, api="redirect"),
        'username = "ann"\npassword-env = "KFP_PASSWORD"',
        {"KFP_PASSWORD": CANARY},
        "Dex (local connector) as ann",
    ),
    "a service account's token file": (
        lambda: ServiceAccount(CANARY),
        'service-account-token-file = "secret"',
        {},
        "service account token of {folder}/secret",
    ),
    "a pod with a projected token": (
        lambda: ServiceAccount(CANARY),
        'auth = "service-account"',
        {"KF_PIPELINES_SA_TOKEN_PATH": "{folder}/secret"},
        "service account token of {folder}/secret",
    ),
    "kfp's context": (
        lambda: Cookie(CANARY),
        "context = true",
        {},
        "context of {folder}/.config/kfp/context.json",
    ),
}


def prepare(here: Here, endpoint: Endpoint, table: str, environment: dict[str, str], monkeypatch: Any) -> None:
    """What the method needs: the table, the environment, a file with the secret, kfp's context."""
    (here.folder / "secret").write_text(CANARY + "\n")
    context = here.folder / ".config" / "kfp" / "context.json"
    context.parent.mkdir(parents=True)
    context.write_text(
        json.dumps({"client_authentication_cookie": f"authservice_session={CANARY}", "namespace": "team"})
    )
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(folder=here.folder))
    namespace = "" if "context" in table else 'namespace = "team"\n'
    here.config(f'host = "{endpoint.url}"\n{namespace}{table}')


@pytest.mark.parametrize(("gate", "table", "environment", "method"), METHODS.values(), ids=METHODS)
def test_every_method_gets_in_and_leaks_nothing(
    here: Here,
    make_endpoint: Make,
    monkeypatch: pytest.MonkeyPatch,
    gate: Callable[[], Any],
    table: str,
    environment: dict[str, str],
    method: str,
) -> None:
    endpoint = make_endpoint(multi_user=gate() is not None, auth=gate())
    prepare(here, endpoint, table, environment, monkeypatch)
    checked = here.kalec("auth", "check", "--endpoint", "e", "--format", "json")
    assert (checked.status, checked.err) == (0, "")
    found = json.loads(checked.out)
    assert (found["method"], found["namespace"]) == (method.format(folder=here.folder), "team")
    results = [
        checked,
        here.kalec("auth", "check", "--endpoint", "e"),
        here.kalec("submit", "n.ipynb"),
        here.kalec("submit", "n.ipynb", "--dry-run"),
        here.kalec("runs"),
        here.kalec("show", "latest"),
    ]
    assert [result.status for result in results] == [0] * len(results)
    assert not [result for result in results if CANARY in result.out + result.err]
    assert not any(CANARY in exchange.request.body.decode("utf-8", "replace") for exchange in _not_logins(endpoint))


def _not_logins(endpoint: Endpoint) -> list[Any]:
    return [exchange for exchange in endpoint.log if "/dex/" not in exchange.request.path]


def test_no_secret_stays_in_a_file(here: Here, make_endpoint: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages, run folders, local runs with their logs and values, intents: whatever is left behind."""
    endpoint = make_endpoint(auth=Bearer(CANARY), execute=True)
    monkeypatch.setenv("KFP_TOKEN", CANARY)
    here.config(f'host = "{endpoint.url}"\ntoken-env = "KFP_TOKEN"')
    here.write(FAILING)
    results = [here.kalec(*call.split()) for call in ("compile n.ipynb", "run n.ipynb", "submit n.ipynb --wait")]
    endpoint.faults.append(closes("/runs", performed=True, method="POST"))
    results.append(here.kalec("submit", "n.ipynb"))
    assert [result.status for result in results] == [0, 1, 1, 3]
    assert not [result for result in results if CANARY in result.out + result.err]
    files = [path for path in here.folder.rglob("*") if path.is_file()]
    assert len(here.intents) == 1
    assert {"n.yaml", "log.txt", here.intents[0].name} <= {path.name for path in files}
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]
    assert CANARY not in json.dumps([endpoint.state.runs, endpoint.state.versions, endpoint.state.pipelines])


# what a server that sends everything back answers
ECHOES = {
    "an error": '{"code": 3, "message": "bad header Bearer %s", "details": []}',
    "text": "denied: %s",
    "a page": "<html>%s</html>",
}


@pytest.mark.parametrize("body", ECHOES.values(), ids=ECHOES)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 409, 429, 500])
def test_a_server_that_sends_a_secret_back_does_not_get_it_shown(
    here: Here, make_endpoint: Make, monkeypatch: pytest.MonkeyPatch, body: str, status: int
) -> None:
    endpoint = make_endpoint()
    endpoint.faults.append(answers(status, times=99, body=body % CANARY))
    monkeypatch.setenv("KFP_TOKEN", CANARY)
    here.config(f'host = "{endpoint.url}"\ntoken-env = "KFP_TOKEN"')
    result = here.kalec("runs", "--endpoint", "e")
    assert CANARY not in result.out + result.err
    assert result.status == 3 or (status, body[0]) == (200, "{")


def test_a_token_file_is_read_again_at_each_request(here: Here, make_endpoint: Make) -> None:
    gate = Bearer("first")
    endpoint = make_endpoint(auth=gate)
    (here.folder / "token").write_text("first\n")

    def rotate(_: object) -> None:
        gate.token = "second"
        (here.folder / "token").write_text("second\n")

    endpoint.faults.append(Fault(path="/experiments", performed=True, act=rotate))
    here.config(f'host = "{endpoint.url}"\ntoken-file = "token"')
    assert here.kalec("submit", "n.ipynb").status == 0
    assert {len(endpoint.sent("Bearer first")) > 0, len(endpoint.sent("Bearer second")) > 0} == {True}


def test_a_session_that_ends_is_begun_anew(here: Here, make_endpoint: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = dex()
    endpoint = make_endpoint(auth=gate)
    monkeypatch.setenv("KFP_PASSWORD", CANARY)
    here.config(f'host = "{endpoint.url}"\nusername = "ann"\npassword-env = "KFP_PASSWORD"')
    endpoint.faults.append(Fault(path="/experiments", performed=True, act=lambda _: gate.expire()))
    assert here.kalec("submit", "n.ipynb").status == 0
    assert len(endpoint.state.runs) == 1
    assert len([line for line in endpoint.requests if line.startswith("POST /dex/auth/local/login")]) == 2


def test_a_page_instead_of_an_answer_begins_no_second_run(
    here: Here, make_endpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not say that the run was not begun: a new login must not send the request again."""
    endpoint = make_endpoint(auth=dex())
    monkeypatch.setenv("KFP_PASSWORD", CANARY)
    here.config(f'host = "{endpoint.url}"\nusername = "ann"\npassword-env = "KFP_PASSWORD"')
    endpoint.faults.append(login_page("/apis/v2beta1/runs", times=1, method="POST", performed=True))
    assert (here.kalec("submit", "n.ipynb").status, len(endpoint.state.runs)) == (3, 1)
    endpoint.faults.append(Fault(method="POST", path="/apis/v2beta1/runs", status=401))
    assert (here.kalec("submit", "n.ipynb", "-p", "n=9").status, len(endpoint.state.runs)) == (0, 2)
    assert (here.kalec("submit", "n.ipynb").status, len(endpoint.state.runs)) == (0, 2)


def test_who_a_token_says_one_is(here: Here, make_endpoint: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    claims = (
        base64.urlsafe_b64encode(json.dumps({"sub": "1", "email": "ann@example.com"}).encode()).decode().rstrip("=")
    )
    token = f"e30.{claims}.c2ln"
    endpoint = make_endpoint(auth=Bearer(token))
    monkeypatch.setenv("KFP_TOKEN", token)
    here.config(f'host = "{endpoint.url}"\ntoken-env = "KFP_TOKEN"')
    checked = here.kalec("auth", "check", "--endpoint", "e")
    assert "identity   ann@example.com" in checked.out
    assert token not in checked.out


# the gate, the table, the environment, the exit status and what is said
REFUSED: dict[str, tuple[Callable[[], Any], str, dict[str, str], int, str]] = {
    "a wrong token": (lambda: Bearer("right"), 'token-env = "T"', {"T": "wrong"}, 3, "needs authentication (401"),
    "no token, a page": (lambda: Bearer("right", refuses="page"), 'auth = "none"', {}, 3, "probably a login"),
    "no token, a redirect": (lambda: Bearer("x", refuses="redirect"), 'auth = "none"', {}, 3, "to a login page"),
    "a variable that is not set": (lambda: None, 'token-env = "T"', {}, 2, "the variable T of the environment"),
    "a file that is not there": (lambda: None, 'token-file = "lost"', {}, 2, "/lost cannot be read: no such file"),
    "a token of two lines": (
        lambda: None,
        'token-env = "T"',
        {"T": f"{CANARY}\nb"},
        2,
        "characters that a header cannot",
    ),
    "a token of two words": (lambda: None, 'token-env = "T"', {"T": f"{CANARY} b"}, 2, "has blanks in it"),
    "a cookie without a name": (lambda: None, 'cookie-env = "C"', {"C": CANARY}, 2, "$C is no cookie"),
    "a wrong password": (
        dex,
        'username = "ann"\npassword-env = "P"',
        {"P": "no"},
        3,
        "does not take the user and password",
    ),
    "a wrong password, an old Dex": (
        lambda: dex(wrong=200),
        'username = "ann"\npassword-env = "P"',
        {"P": "no"},
        3,
        "does not take the user and password of the local connector",
    ),
    "another connector": (
        dex,
        'username = "ann"\npassword-env = "P"\nconnector = "google"',
        {"P": CANARY},
        3,
        "leads to no login of Dex by the google connector",
    ),
    "a login where there is none": (
        lambda: None,
        'username = "ann"\npassword-env = "P"',
        {"P": CANARY},
        3,
        "leads to no login of Dex",
    ),
    "Dex without a password": (
        lambda: None,
        'auth = "dex"\nusername = "a"',
        {},
        2,
        "needs `username-env` (or `username`)",
    ),
    "a token without its place": (lambda: None, 'auth = "token"', {}, 2, 'auth = "token"` needs `token-env`'),
    "a context that is not there": (lambda: None, 'context = "lost.json"', {}, 2, "lost.json cannot be read"),
}


@pytest.mark.parametrize(("gate", "table", "environment", "status", "message"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_get_in(
    here: Here,
    make_endpoint: Make,
    monkeypatch: pytest.MonkeyPatch,
    gate: Callable[[], Any],
    table: str,
    environment: dict[str, str],
    status: int,
    message: str,
) -> None:
    endpoint = make_endpoint(auth=gate())
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    here.config(f'host = "{endpoint.url}"\n{table}')
    for command in (["auth", "check", "--endpoint", "e"], ["submit", "n.ipynb"]):
        result = here.kalec(*command)
        assert (result.status, result.out, result.err.count("\n")) == (status, "", 1)
        assert message in result.err
        assert CANARY not in result.err
    assert endpoint.state.runs == {}


# a table, and what is said of it; status 2, and nothing secret is shown
TABLES = {
    "a token": (f'host = "h"\ntoken = "{CANARY}"', "has a `token` in plain text, which others could read"),
    "a password": (f'host = "h"\npassword = "{CANARY}"', '`password-env = "KFP_PASSWORD"`'),
    "a cookie": (f'host = "h"\ncookie = "{CANARY}"', '`cookie-env = "KFP_COOKIE"`'),
    "a value for a name": (f'host = "h"\ntoken-env = "{CANARY}"', "must be the name of a variable of the environment"),
    "a password in the address": (f'host = "https://a:{CANARY}@h"', "the host has a user or password in it"),
    "an unknown key": ('host = "h"\nname_space = "a"', "has the unknown key `name-space`: did you mean `namespace`?"),
    "two methods": (
        'host = "h"\ntoken-env = "A"\ncookie-env = "B"',
        "has several ways to log in (token, cookie): keep one",
    ),
    "two places": ('host = "h"\ntoken-env = "A"\ntoken-file = "B"', "has both `token-env` and `token-file`"),
    "an unknown method": ('host = "h"\nauth = "kerberos"', "`auth` must be one of"),
    "no connector": ('host = "h"\nauth = "dex"\nconnector = "a/b"', "`connector` must be the id of a connector of Dex"),
    "a lost authority": ('host = "h"\nca-file = "lost.pem"', "lost.pem does not exist"),
    "a number": ("host = 1", "`host` must be a text"),
    "an address that is none": ('host = "ftp://h"', "the host `ftp://h` is no address"),
    "no truth": ('host = "h"\ninsecure = "yes"', "`insecure` must be true or false"),
    "no time": ('host = "h"\ntimeout = -1', "`timeout` must be a number of seconds"),
    "for ever": ('host = "h"\ntimeout = inf', "`timeout` must be a number of seconds, at most a day's"),
}


@pytest.mark.parametrize(("table", "message"), TABLES.values(), ids=TABLES)
def test_a_wrong_table(here: Here, table: str, message: str) -> None:
    here.config(table)
    result = here.kalec("submit", "n.ipynb")
    assert (result.status, result.out) == (2, "")
    assert message in result.err
    assert CANARY not in result.err


# how the endpoint is named: options, environment, table -> the host
CHOICES = {
    "an option": (Given(host="http://option"), {"KF_PIPELINES_ENDPOINT": "http://variable"}, "http://option"),
    "a variable": (Given(), {"KF_PIPELINES_ENDPOINT": "http://variable/"}, "http://variable"),
    "the only table": (Given(), {}, "https://table.example.com/pipeline"),
    "a table by name": (
        Given(endpoint="e"),
        {"KF_PIPELINES_ENDPOINT": "http://v"},
        "https://table.example.com/pipeline",
    ),
    "a table by variable": (Given(), {"KALEC_ENDPOINT": "e"}, "https://table.example.com/pipeline"),
    "a table with another host": (Given(host="option", endpoint="e"), {}, "https://option"),
}


@pytest.mark.parametrize(("given", "environment", "host"), CHOICES.values(), ids=CHOICES)
def test_which_endpoint_is_meant(
    here: Here, monkeypatch: pytest.MonkeyPatch, given: Given, environment: dict[str, str], host: str
) -> None:
    here.config('host = "https://table.example.com/pipeline/"')
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert resolve(given, here.folder).host == host


def test_no_endpoint_and_several(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no endpoint is named: give --host URL, or set KF_PIPELINES_ENDPOINT"):
        resolve(Given(), here.folder)
    text = '[tool.kalecompiler.endpoint.dev]\nhost = "d"\n[tool.kalecompiler.endpoint.prod]\nhost = "p"\n'
    (here.folder / "pyproject.toml").write_text(text)
    with pytest.raises(UsageError, match=r"give --host URL, or --endpoint \(dev, prod\)"):
        resolve(Given(), here.folder)
    monkeypatch.setenv("KF_PIPELINES_UI_ENDPOINT", "https://ui.example.com/")
    found = resolve(Given(endpoint="prod"), here.folder)
    assert found.run_url("1") == "https://ui.example.com/#/runs/details/1"
    (here.folder / "pyproject.toml").write_text(f'{text}ui = "https://p-ui.example.com"\n')
    assert resolve(Given(endpoint="prod"), here.folder).ui == "https://p-ui.example.com"  # its token goes nowhere else


def test_a_notebook_cannot_name_an_endpoint(here: Here) -> None:
    """Else a notebook from elsewhere could have one's token sent to its author."""
    here.write(NOTEBOOK, kalecompiler={"endpoint": {"e": {"host": "http://evil.example.com"}}})
    result = here.kalec("submit", "n.ipynb", "--dry-run")
    assert (result.status, "no endpoint is named" in result.err) == (2, True)


def test_a_pods_token_goes_to_its_own_cluster_only(here: Here, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(CANARY)
    monkeypatch.setattr(credentials, "TOKEN_FILE", str(tmp_path / "token"))
    for host, sent in (
        ("http://ml-pipeline.kubeflow.svc.cluster.local:8888", True),
        ("http://ml-pipeline:8888", True),
        ("https://kubeflow.example.com/pipeline", False),
    ):
        found = credentials.make(resolve(Given(host=host), here.folder))
        assert (found.headers() == {"Authorization": f"Bearer {CANARY}"}) is sent
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "token"))
    found = credentials.make(resolve(Given(host="https://kubeflow.example.com/pipeline"), here.folder))
    assert found.headers() == {"Authorization": f"Bearer {CANARY}"}


def test_kfps_context_is_not_used_unless_it_is_asked_for(here: Here, endpoint: Endpoint) -> None:
    context = here.folder / ".config" / "kfp" / "context.json"
    context.parent.mkdir(parents=True)
    content = {"client_authentication_cookie": CANARY, "namespace": "elsewhere"}
    headers = {"client_authentication_header_name": "X-Secret", "client_authentication_header_value": CANARY}
    context.write_text(json.dumps(content | headers))
    assert here.kalec("submit", "n.ipynb", "--host", endpoint.url).status == 0
    assert (endpoint.sent(CANARY), endpoint.sent("elsewhere")) == ([], [])
    assert json.loads(context.read_text()) == content | headers
    here.config(f'host = "{endpoint.url}"\ncontext = true')
    assert here.kalec("runs", "--endpoint", "e").status == 0
    assert {request.headers.get("x-secret") for request in endpoint.sent(CANARY)} == {CANARY}


def test_a_login_page_says_what_to_try(here: Here, endpoint: Endpoint) -> None:
    endpoint.faults.append(login_page())
    result = here.kalec("submit", "n.ipynb", "--host", endpoint.url)
    assert result.status == 3
    assert "it needs authentication, say how to log in with token-env, token-file, cookie-env or auth" in result.err


def test_a_certificate_of_an_unknown_authority(
    here: Here, make_endpoint: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = make_authority(tmp_path)
    endpoint = make_endpoint(tls=authority.server)
    refused = here.kalec("runs", "--host", endpoint.url)
    assert (refused.status, refused.err.count("\n")) == (3, 1)
    assert "is not trusted" in refused.err
    assert "name its CA with `ca-file`" in refused.err
    unsafe = here.kalec("runs", "--host", endpoint.url, "--insecure")
    assert (unsafe.status, unsafe.err.splitlines()) == (
        0,
        [f"warning: the certificate of {endpoint.url} is not checked: anyone between can read along"],
    )
    here.config(f'host = "{endpoint.url}"\nca-file = "{os.path.relpath(authority.file, here.folder)}"')
    trusted = here.kalec("runs", "--endpoint", "e")
    assert (trusted.status, trusted.err) == (0, "")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    assert here.kalec("runs", "--host", endpoint.url).status == 0


def test_dex_over_tls(here: Here, make_endpoint: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = make_authority(tmp_path)
    endpoint = make_endpoint(tls=authority.server, auth=dex())
    monkeypatch.setenv("P", CANARY)
    login = 'username = "ann"\npassword-env = "P"'
    here.config(f'host = "{endpoint.url}"\n{login}')
    refused = here.kalec("runs", "--endpoint", "e")
    assert (refused.status, "is not trusted" in refused.err) == (3, True)
    here.config(f'host = "{endpoint.url}"\nca-file = "ca.pem"\n{login}')
    assert here.kalec("runs", "--endpoint", "e").status == 0
    here.config(f'host = "{endpoint.url}"\ninsecure = true\n{login}')
    assert here.kalec("runs", "--endpoint", "e").status == 0


def test_tls_where_there_is_none(here: Here, endpoint: Endpoint) -> None:
    result = here.kalec("runs", "--host", endpoint.url.replace("http:", "https:"))
    assert (result.status, "does not speak TLS: its address may begin with http://" in result.err) == (3, True)


def test_a_proxy_is_used_and_left_out(here: Here, make_endpoint: Make, tmp_path: Path, monkeypatch: Any) -> None:
    authority = make_authority(tmp_path)
    endpoint = make_endpoint(tls=authority.server)
    here.config(f'host = "{endpoint.url}"\nca-file = "ca.pem"')
    with Proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert here.kalec("runs", "--endpoint", "e").status == 0
        assert set(proxy.asked) == {f"CONNECT localhost:{endpoint.port}"}
        asked = len(proxy.asked)
        monkeypatch.setenv("NO_PROXY", "localhost")
        assert here.kalec("runs", "--endpoint", "e").status == 0
        assert len(proxy.asked) == asked


def test_a_proxy_for_plain_http_and_one_that_is_gone(here: Here, endpoint: Endpoint, monkeypatch: Any) -> None:
    with Proxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("http://", f"http://user:{CANARY}@"))
        host = f"http://kfp.example.test:{endpoint.port}"
        assert here.kalec("runs", "--host", host).status == 0
        assert proxy.asked[0].startswith(f"GET {host}/apis/v2beta1/")
    gone = here.kalec("runs", "--host", host)
    assert (gone.status, "the proxy on the way to" in gone.err) == (3, True)
    assert CANARY not in gone.err


def test_a_proxy_of_another_kind(here: Here, endpoint: Endpoint, monkeypatch: Any) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks5://user:{CANARY}@127.0.0.1:1")
    result = here.kalec("runs", "--host", f"http://kfp.example.test:{endpoint.port}")
    assert (result.status, "is behind a proxy that is none for HTTP" in result.err) == (2, True)
    assert CANARY not in result.err


def test_a_wrong_password_is_tried_once(here: Here, make_endpoint: Make, monkeypatch: Any) -> None:
    """Else three calls would lock an account."""
    endpoint = make_endpoint(auth=dex())
    monkeypatch.setenv("P", "wrong")
    here.config(f'host = "{endpoint.url}"\nusername = "ann"\npassword-env = "P"')
    assert here.kalec("submit", "n.ipynb").status == 3
    assert len([line for line in endpoint.requests if line.startswith("POST")]) == 1


def test_a_token_in_the_clear_is_warned_of(here: Here, endpoint: Endpoint, monkeypatch: Any) -> None:
    monkeypatch.setenv("T", CANARY)
    with Proxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        here.config(f'host = "http://kfp.example.test:{endpoint.port}"\ntoken-env = "T"')
        result = here.kalec("runs", "--endpoint", "e")
    assert (result.status, "without encryption" in result.err) == (0, True)
