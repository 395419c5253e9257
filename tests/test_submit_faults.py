"""Faults: each is one line with its cure and the right exit status, and a second submit repairs what is half done."""

from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from endpoint import Endpoint, Fault, answers, closes, delays, dies_at, login_page, truncates
from submitting import NOTEBOOK, Here, clean_surroundings

from kalecompiler.submit import faults, transport

pytest_plugins = ["endpoint.plugin"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    clean_surroundings(tmp_path, monkeypatch)
    monkeypatch.setattr(transport, "FIRST_PAUSE", 0.01)
    found = Here(tmp_path, capsys)
    found.write(NOTEBOOK)
    return found


def one_line(text: str) -> str:
    """The one line that is an error."""
    (line,) = text.splitlines()
    assert line.startswith("error: ")
    return line


def counts(endpoint: Endpoint) -> list[int]:
    return [len(kind) for kind in (endpoint.state.pipelines, endpoint.state.versions, endpoint.state.runs)]


# what the endpoint does, and what the one line says; the exit status is 3
FAULTS = {
    "401": (answers(401, times=99), "needs authentication (401"),
    "403 of a gate": (answers(403, times=99), "needs authentication (403"),
    "403 of the server": (
        answers(403, times=99, body='{"code": 7, "message": "User x is not authorized", "details": []}'),
        "does not allow it (403: User x is not authorized): check --namespace",
    ),
    "404 of another server": (
        answers(404, times=99, body="404 page not found"),
        "has no Pipelines API at /apis/v2beta1",
    ),
    "429": (answers(429, times=99), "has too many requests (429"),
    "500": (answers(500, times=99), "fails (500"),
    "503": (answers(503, times=99), "fails (503: upstream connect error or disconnect/reset before headers)"),
    "a web page": (login_page(), "answers with a web page, probably a login: it needs authentication"),
    "a redirect to a login": (
        answers(302, times=99, headers=(("Location", "https://sso.example.com/login?rd=x"),)),
        "sends one to a login page: it needs authentication",
    ),
    "a redirect elsewhere": (
        answers(301, times=99, headers=(("Location", "https://there.example.com/apis"),)),
        "sends one to https://there.example.com/apis: use the address that it means as --host",
    ),
    "half of the JSON": (truncates(times=99), "answered with broken JSON"),
    "half of the answer": (truncates(times=99, close=True), "closed the connection before it had answered"),
    "no answer": (closes(times=99), "closed the connection before it had answered"),
    "other JSON": (Fault(times=99, status=200, body="{}"), "answers, but not as KFP does"),
    "JSON of another shape": (
        Fault(times=99, status=200, body='{"pipelines": 5, "runs": 5, "experiments": 5}'),
        "answers, but not as KFP does",
    ),
    "JSON that is no object": (Fault(times=99, status=200, body="{"), "answered with broken JSON of 1 characters"),
}


@pytest.mark.parametrize(("fault", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_line(here: Here, endpoint: Endpoint, fault: Fault, message: str) -> None:
    endpoint.faults.append(fault)
    result = here.kalec("submit", "n.ipynb", "--host", endpoint.url)
    assert (result.status, result.out) == (3, "")
    assert message in one_line(result.err)
    if isinstance(fault.body, str) and fault.body.startswith("{") and fault.status == 200:
        return  # that there is nothing is a fine answer to those who only read
    for reading in (["runs"], ["auth", "check"], ["show", "latest"], ["stop", "latest"]):
        other = here.kalec(*reading, "--host", endpoint.url)
        assert other.status == 3
        one_line(other.err)
    endpoint.faults.clear()
    assert here.kalec("submit", "n.ipynb", "--host", endpoint.url).status == 0
    assert counts(endpoint) == [1, 1, 1]


_JSON = {"Content-Type": "application/json"}


def unused_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


UNREACHABLE = {
    "nobody listens": ("http://127.0.0.1:{port}", "refuses the connection: is it up"),
    "a name that is none": ("http://kfp.invalid", "the name kfp.invalid is not known here"),
}


@pytest.mark.parametrize(("host", "message"), UNREACHABLE.values(), ids=UNREACHABLE)
def test_an_endpoint_that_is_not_there(here: Here, host: str, message: str) -> None:
    result = here.kalec("submit", "n.ipynb", "--host", host.format(port=unused_port()))
    assert (result.status, result.out) == (3, "")
    assert message in one_line(result.err)


def test_a_slow_server(here: Here, endpoint: Endpoint) -> None:
    here.config(f'host = "{endpoint.url}"\ntimeout = 0.1')
    endpoint.faults.append(delays(0.4, "/pipelines", times=99))
    result = here.kalec("submit", "n.ipynb")
    assert result.status == 3
    assert "did not answer within 0.1 s" in one_line(result.err)


def test_only_requests_that_change_nothing_are_sent_again(here: Here, endpoint: Endpoint) -> None:
    endpoint.faults += [Fault(method=method, status=503, times=99) for method in ("GET", "POST")]
    assert here.kalec("submit", "n.ipynb", "--host", endpoint.url).status == 3
    assert len(endpoint.requests) == transport.ATTEMPTS
    endpoint.faults.pop(0)
    assert here.kalec("submit", "n.ipynb", "--host", endpoint.url).status == 3
    assert [line for line in endpoint.requests if line.startswith("POST")] == ["POST /apis/v2beta1/pipelines 503"]


def test_a_server_that_recovers_is_not_noticed(here: Here, endpoint: Endpoint) -> None:
    endpoint.faults += [
        answers(503, "/pipelines", times=2),
        answers(429, "/experiments", headers=(("Retry-After", "0"),)),
    ]
    result = here.kalec("submit", "n.ipynb", "--host", endpoint.url)
    assert (result.status, result.err, counts(endpoint)) == (0, "", [1, 1, 1])


def test_a_long_retry_after_is_not_waited_for(here: Here, endpoint: Endpoint) -> None:
    endpoint.faults.append(answers(429, times=99, headers=(("Retry-After", "3600"),)))
    assert here.kalec("submit", "n.ipynb", "--host", endpoint.url).status == 3
    assert len(endpoint.requests) == 1


# the requests of a first submit that change something
WRITES = {"the pipeline": "/pipelines", "the version": "/upload_version", "the run": "/runs"}
ENDS = {
    "fails": lambda path: Fault(method="POST", path=path, status=500, performed=True),
    "times out on the way": lambda path: Fault(method="POST", path=path, status=408, performed=True),
    "is lost": lambda path: closes(path, performed=True, method="POST"),
    "is cut": lambda path: truncates(path, method="POST"),
    "turns out a login page": lambda path: login_page(path, times=1, method="POST", performed=True),
}


@pytest.mark.parametrize("path", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_an_answer_that_does_not_arrive_is_made_up_for(here: Here, endpoint: Endpoint, path: str, end: Any) -> None:
    endpoint.faults.append(end(path))
    first = here.kalec("submit", "n.ipynb", "--host", endpoint.url)
    assert first.status == 3
    second = here.kalec("submit", "n.ipynb", "--host", endpoint.url, "--format", "json")
    assert (second.status, counts(endpoint), here.intents) == (0, [1, 1, 1], [])
    assert json.loads(second.out)["run"]["resumed"] is (path == "/runs")
    assert here.kalec("submit", "n.ipynb", "--host", endpoint.url).status == 0
    assert counts(endpoint) == [1, 1, 2]


def test_a_lost_request_that_makes_its_run_late(here: Here, endpoint: Endpoint) -> None:
    """It is carried out after the next submit has looked for its run, and before that one's own request."""
    lost: list[bytes] = []
    keep = Fault(method="POST", path="/apis/v2beta1/runs", close=True, act=lambda request: lost.append(request.body))
    endpoint.faults.append(keep)
    assert here.kalec("submit", "n.ipynb", "--host", endpoint.url).status == 3

    def carry_out(_: Any) -> None:
        urllib.request.urlopen(urllib.request.Request(f"{endpoint.url}/apis/v2beta1/runs", lost[0], _JSON)).close()

    endpoint.faults.append(Fault(method="POST", path="/apis/v2beta1/runs", act=carry_out, performed=True))
    second = here.kalec("submit", "n.ipynb", "--host", endpoint.url, "--format", "json")
    states = {run["run_id"]: run["state"] for run in endpoint.state.runs.values()}
    kept = json.loads(second.out)["run"]["id"]
    assert (second.status, here.intents) == (0, [])
    assert states.pop(kept) == "PENDING"
    assert list(states.values()) == ["CANCELING"]


def test_a_refused_run_is_no_run_and_leaves_no_intent(here: Here, endpoint: Endpoint) -> None:
    refusal = '{"code": 3, "message": "Failed to create a new run: no quota", "details": []}'
    endpoint.faults.append(Fault(method="POST", path="/runs", status=400, body=refusal))
    result = here.kalec("submit", "n.ipynb", "--host", endpoint.url)
    assert (result.status, here.intents) == (3, [])
    assert "refused POST /apis/v2beta1/runs (400): Failed to create a new run: no quota" in one_line(result.err)


def test_a_server_that_dies_between_upload_and_run(here: Here, endpoint: Endpoint) -> None:
    endpoint.faults.append(dies_at(1, path="/runs", method="POST"))
    assert here.kalec("submit", "n.ipynb", "--host", endpoint.url).status == 3
    assert counts(endpoint) == [1, 1, 0]
    assert here.kalec("submit", "n.ipynb", "--host", endpoint.url).status == 3
    endpoint.revive()
    result = here.kalec("submit", "n.ipynb", "--host", endpoint.url)
    assert (result.status, counts(endpoint)) == (0, [1, 1, 1])


def test_another_who_uploads_the_same_at_the_same_time(here: Here, endpoint: Endpoint) -> None:
    """A race for the pipeline, the version and the experiment: someone is quicker between our look and our request."""
    other = Here(here.folder / "other", here._capsys)
    other.folder.mkdir()
    other.write(NOTEBOOK)
    busy: list[object] = []

    def be_quicker(request: Any) -> None:
        if not busy:
            busy.append(request)
            with other.start("submit", "n.ipynb", "--host", endpoint.url, "--experiment", "shared") as one:
                assert one.wait() == 0, one.communicate()

    endpoint.faults += [Fault(method="GET", path="/apis/v2beta1/pipelines", performed=True, act=be_quicker)]
    result = here.kalec("submit", "n.ipynb", "--host", endpoint.url, "--experiment", "shared")
    assert (result.status, counts(endpoint)) == (0, [1, 1, 2])
    assert "POST /apis/v2beta1/pipelines 409" in endpoint.requests


# the body of an answer, and what is said of it
BODIES = {
    "KFP's gateway": ('{"code": 5, "message": "Run nope not found", "details": []}', "Run nope not found"),
    "an upload": (
        '{"error_message": "unknown template", "error_details": "unknown template\\ngo.go:1"}',
        "unknown template",
    ),
    "plain text": ("pipeline name too long\n", "pipeline name too long"),
    "a page": ("<!DOCTYPE html><html><body>no</body></html>", ""),
    "nothing": ("", ""),
    "a stack": ('{"message": "bad thing\\ngithub.com/kubeflow/x.go:192\\n\\tmore"}', "bad thing"),
    "a long one": ('{"message": "' + "x" * 900 + '"}', "x" * 500 + " ..."),
}


@pytest.mark.parametrize(("body", "expected"), BODIES.values(), ids=BODIES)
def test_what_the_server_says(body: str, expected: str) -> None:
    assert faults.server_message(body) == expected
