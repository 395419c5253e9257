"""The test endpoint's faults: each goes wrong as often as it says, and leaves behind what it says."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
from endpoint import Endpoint, Fault, Make, answers, closes, delays, dies_at, login_page, truncates

pytest_plugins = ["endpoint.plugin"]


def create(endpoint: Endpoint, name: str = "x") -> requests.Response:
    body = {"display_name": name}
    return requests.post(f"{endpoint.url}/apis/v2beta1/experiments", json=body, timeout=10)


def made(endpoint: Endpoint) -> list[str]:
    """The experiments beside the server's own."""
    return [one["display_name"] for one in endpoint.state.experiments.values()][1:]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
@pytest.mark.parametrize("performed", [False, True], ids=["before the work", "after the work"])
def test_a_status_comes_as_often_as_asked_for(make_endpoint: Make, status: int, performed: bool) -> None:
    headers = (("Retry-After", "1"),)
    endpoint = make_endpoint(faults=[answers(status, "/experiments", times=2, performed=performed, headers=headers)])
    found = [create(endpoint, "a"), create(endpoint, "b"), create(endpoint, "c")]
    assert [one.status_code for one in found] == [status, status, 200]
    assert found[0].headers["Retry-After"] == "1"
    assert made(endpoint) == (["a", "b", "c"] if performed else ["c"])


def test_a_status_can_have_the_apis_own_words(make_endpoint: Make) -> None:
    body = '{"code":14,"message":"database is locked","details":[]}'
    found = create(make_endpoint(faults=[answers(503, body=body)]))
    assert (found.status_code, found.json()["message"]) == (503, "database is locked")


@pytest.mark.parametrize("performed", [False, True], ids=["before the work", "after the work"])
def test_a_connection_ends_without_an_answer(make_endpoint: Make, performed: bool) -> None:
    endpoint = make_endpoint(faults=[closes("/experiments", performed=performed)])
    with pytest.raises(requests.exceptions.ConnectionError):
        create(endpoint)
    assert made(endpoint) == (["x"] if performed else [])
    assert endpoint.requests == ["POST /apis/v2beta1/experiments -"]
    assert create(endpoint, "y").status_code == 200


def test_half_an_answer_can_look_whole(make_endpoint: Make) -> None:
    endpoint = make_endpoint(faults=[truncates("/experiments")])
    found = create(endpoint)
    assert found.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        found.json()
    assert made(endpoint) == ["x"]


def test_half_an_answer_can_break_off(make_endpoint: Make) -> None:
    endpoint = make_endpoint(faults=[truncates("/experiments", close=True)])
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        create(endpoint)
    assert made(endpoint) == ["x"]


def test_a_login_page_comes_instead_of_json(make_endpoint: Make) -> None:
    found = create(make_endpoint(faults=[login_page()]))
    assert (found.status_code, found.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_an_answer_can_take_its_time(make_endpoint: Make) -> None:
    endpoint = make_endpoint(faults=[delays(0.3)])
    started = time.monotonic()
    assert create(endpoint).status_code == 200
    assert time.monotonic() - started >= 0.3


def test_who_does_not_wait_leaves_the_work_done(make_endpoint: Make) -> None:
    endpoint = make_endpoint(faults=[delays(0.5)])
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(f"{endpoint.url}/apis/v2beta1/experiments", json={"display_name": "x"}, timeout=0.1)
    endpoint.wait(lambda: made(endpoint) == ["x"])


@pytest.mark.parametrize("performed", [False, True], ids=["before the work", "after the work"])
def test_a_server_dies_at_a_request_and_comes_back_with_what_it_kept(make_endpoint: Make, performed: bool) -> None:
    endpoint = make_endpoint(faults=[dies_at(2, performed=performed)])
    assert create(endpoint, "a").status_code == 200
    with pytest.raises(requests.exceptions.ConnectionError):
        create(endpoint, "b")
    with pytest.raises(requests.exceptions.ConnectionError):
        create(endpoint, "c")
    assert endpoint.requests == ["POST /apis/v2beta1/experiments 200", "POST /apis/v2beta1/experiments -"]
    address = endpoint.url
    endpoint.revive()
    assert endpoint.url == address
    assert create(endpoint, "d").status_code == 200
    assert made(endpoint) == (["a", "b", "d"] if performed else ["a", "d"])


def test_connections_that_are_kept_open_end_with_the_server(make_endpoint: Make) -> None:
    endpoint = make_endpoint()
    session = requests.Session()
    address = f"{endpoint.url}/apis/v2beta1/healthz"
    assert session.get(address, timeout=10).status_code == 200
    endpoint.kill()
    with pytest.raises(requests.exceptions.ConnectionError):
        session.get(address, timeout=10)


def test_a_fault_can_do_anything_with_the_requests_that_fit(make_endpoint: Make) -> None:
    seen: list[Any] = []
    endpoint = make_endpoint(faults=[Fault("POST", "/experiments", times=1, skip=1, act=seen.append, performed=True)])
    requests.get(f"{endpoint.url}/apis/v2beta1/experiments", timeout=10)
    answers_given = [create(endpoint, name).status_code for name in "abc"]
    assert answers_given == [200, 200, 200]
    assert [request.json() for request in seen] == [{"display_name": "b"}]
