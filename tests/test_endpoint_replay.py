"""The test endpoint against what a real KFP API server answered: 28 exchanges, in their order, word for word.

Ids and times are handed to the endpoint as they were recorded, so that paths, bodies and the order of lists can be
compared as they are. Apart stand only Go's stack in `error_details`, and what is inside a page token.
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from endpoint import Endpoint, State
from endpoint.conformance import Checker
from endpoint.messages import Request, as_json
from endpoint.routing import find_route

RECORDED = json.loads((Path(__file__).parent / "endpoint" / "http_exchanges.json").read_text(encoding="utf-8"))

_TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def test_the_recording_is_the_one_that_is_shared(shared: Path) -> None:
    """What is kept here is a copy."""
    assert json.loads((shared / "kfp" / "http_exchanges.json").read_text(encoding="utf-8")) == RECORDED


def test_every_recorded_exchange_is_answered_as_the_real_server_did() -> None:
    ids, times = created_ids(), recorded_times()
    at = 0
    state = State(clock=lambda: times[at], new_id=lambda: next(ids))
    with Endpoint(state=state) as endpoint:
        for at, exchange in enumerate(RECORDED):
            status, content_type, body = send(endpoint.port, exchange)
            told = f"exchange {at}: {exchange['step']}"
            assert (status, content_type) == (exchange["status"], exchange["content_type"]), told
            assert comparable(body) == comparable(exchange["response"]), told
    assert len(RECORDED) == 28
    assert next(ids, None) is None


def test_the_recording_fits_the_models_that_calls_are_checked_against() -> None:
    """The endpoint's checks are no stricter than kfp's client and a real server."""
    assert list(complaints(Checker(None))) == []


def test_the_recording_fits_the_openapi_document(shared: Path) -> None:
    checker = Checker(shared)
    assert checker.knows_openapi
    assert list(complaints(checker)) == []


def test_an_answer_that_does_not_fit_is_told_by_both(shared: Path) -> None:
    found = find_route(Request("GET", "/apis/v2beta1/runs/x", {}))
    assert found is not None
    answer = as_json({"run_id": "x", "colour": "red"})
    assert list(Checker(shared).reply(found[0], answer)) == [
        "body: V2beta1Run has no colour",
        "OpenAPI: body: Additional properties are not allowed ('colour' was unexpected)",
    ]


def complaints(checker: Checker) -> Iterator[str]:
    """All that is wrong with what was recorded."""
    for exchange in RECORDED:
        content = exchange["request"]
        body = b"" if content is None else (content if isinstance(content, str) else json.dumps(content)).encode()
        headers = {"content-type": exchange["request_content_type"]}
        request = Request(exchange["method"], exchange["path"], headers, body)
        found = find_route(request)
        assert found is not None, exchange["path"]
        yield from checker.request(found[0], request)
        yield from checker.reply(found[0], as_json(exchange["response"], exchange["status"]))


def created_ids() -> Iterator[str]:
    """The ids that the real server gave, in the order in which it made the things."""
    found: list[str] = []
    versions = next(one for one in RECORDED if one["step"] == "list_pipeline_versions")["response"]["pipeline_versions"]
    for exchange in RECORDED:
        if exchange["method"] == "POST" and exchange["status"] == 200 and exchange["response"]:
            name = {"runs": "run_id", "experiments": "experiment_id", "recurringruns": "recurring_run_id"}.get(
                exchange["path"].split("/")[3],
                "pipeline_version_id" if "upload_version" in exchange["path"] else "pipeline_id",
            )
            found.append(exchange["response"][name])
            # An upload makes the first version too.
            if name == "pipeline_id":
                found.append(versions[0]["pipeline_version_id"])
    return iter(found)


def recorded_times() -> list[str]:
    """When each exchange happened, as far as its answer tells: what it made last, else as the one before."""
    found: list[str] = []
    for exchange in RECORDED:
        times = _TIME.findall(json.dumps(exchange["response"])) if exchange["method"] == "POST" else []
        found.append(max(times, default=found[-1] if found else "2026-11-21T09:00:31Z"))
    return found


def send(port: int, exchange: dict[str, Any]) -> tuple[int, str, Any]:
    """Send a recorded request."""
    request, content_type = exchange["request"], exchange["request_content_type"]
    body = request if isinstance(request, str) else None if request is None else json.dumps(request)
    if "upload" in exchange["path"]:
        body = whole_upload(exchange)
    connection = http.client.HTTPConnection("localhost", port, timeout=10)
    connection.request(exchange["method"], exchange["path"], body and body.encode(), {"Content-Type": content_type})
    response = connection.getresponse()
    return response.status, response.headers["Content-Type"], json.loads(response.read())


def whole_upload(exchange: dict[str, Any]) -> str:
    """The body of an upload. The recording has the first 2,000 characters of each: the package is put in whole, as the
    server gave it back."""
    boundary = exchange["request_content_type"].partition("boundary=")[2]
    body: str = exchange["request"]
    if body.rstrip().endswith(f"--{boundary}--"):
        return body
    spec = next(one for one in RECORDED if one["step"] == "upload_version")["response"]["pipeline_spec"]
    head = body[: body.index("\r\n\r\n") + 4]
    return f"{head}{yaml.safe_dump(spec)}\r\n--{boundary}--\r\n"


def comparable(body: Any) -> Any:
    """An answer without what cannot be the same."""
    if "error_details" in body:
        assert body["error_details"].startswith(body["error_message"] + "\n")
        body = {**body, "error_details": "..."}
    if "next_page_token" in body:
        body = {**body, "next_page_token": "..."}
    return body


@pytest.mark.parametrize("path", ["/apis/v2beta1/nothing", "/apis/v2beta1/artifacts", "/apis/v1beta1/nothing"])
def test_an_unknown_path_is_not_found_in_the_gateways_words(path: str) -> None:
    with Endpoint() as endpoint:
        connection = http.client.HTTPConnection("localhost", endpoint.port, timeout=10)
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == 404
        assert json.loads(response.read()) == {"code": 5, "message": "Not Found", "details": []}
