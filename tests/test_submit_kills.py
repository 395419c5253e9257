"""The client is killed (SIGKILL) at every point between its requests; a second submit makes good what was begun."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from endpoint import Endpoint, Fault
from submitting import NOTEBOOK, Here, clean_surroundings

from kalecompiler.submit.intents import intent

pytest_plugins = ["endpoint.plugin"]

# A first submit's requests in order: is it multi-user, pipeline, version, experiment, run.
REQUESTS = [
    "GET healthz",
    "GET pipelines",
    "POST pipelines",
    "GET versions",
    "POST upload",
    "GET experiments",
    "POST runs",
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    clean_surroundings(tmp_path, monkeypatch)
    found = Here(tmp_path, capsys)
    found.write(NOTEBOOK)
    return found


def counts(endpoint: Endpoint) -> list[int]:
    return [len(kind) for kind in (endpoint.state.pipelines, endpoint.state.versions, endpoint.state.runs)]


@pytest.mark.parametrize("performed", [False, True], ids=["before it is done", "after it is done"])
@pytest.mark.parametrize("number", range(len(REQUESTS)), ids=REQUESTS)
def test_killed_at_a_request(here: Here, endpoint: Endpoint, number: int, performed: bool) -> None:
    killed: list[int] = []

    def kill(_: object) -> None:
        client.kill()
        killed.append(client.wait())

    endpoint.faults.append(Fault(skip=number, performed=performed, close=True, act=kill))
    with here.start("submit", "n.ipynb", "--host", endpoint.url) as client:
        client.wait(60)
    assert (killed, len(endpoint.requests)) == ([-9], number + 1)

    again = here.kalec("submit", "n.ipynb", "--host", endpoint.url, "--format", "json")
    assert (again.status, counts(endpoint), here.intents) == (0, [1, 1, 1], [])
    begun_before = performed and REQUESTS[number] == "POST runs"
    assert json.loads(again.out)["run"]["resumed"] is begun_before
    wanted = here.kalec("submit", "n.ipynb", "--host", endpoint.url)
    assert (wanted.status, counts(endpoint)) == (0, [1, 1, 2])


def test_a_first_submit_sends_what_the_rows_above_say(here: Here, endpoint: Endpoint) -> None:
    assert here.kalec("submit", "n.ipynb", "--host", endpoint.url).status == 0
    sent = [(line.split()[0], line.split()[1]) for line in endpoint.requests]
    assert [method for method, _ in sent] == [row.split()[0] for row in REQUESTS]
    assert all(row.split()[1].removeprefix("upload") in path for row, (_, path) in zip(REQUESTS, sent, strict=True))


def test_a_killed_submit_of_something_else_is_left_alone(here: Here, endpoint: Endpoint) -> None:
    """An intent is of one request: with other parameters it is another run."""
    endpoint.faults.append(Fault(method="POST", path="/runs", performed=True, close=True))
    assert here.kalec("submit", "n.ipynb", "--host", endpoint.url, "-p", "n=1").status == 3
    other = here.kalec("submit", "n.ipynb", "--host", endpoint.url, "-p", "n=2", "--format", "json")
    assert (json.loads(other.out)["run"]["resumed"], counts(endpoint)) == (False, [1, 1, 2])
    assert len(here.intents) == 1
    same = here.kalec("submit", "n.ipynb", "--host", endpoint.url, "-p", "n=1")
    assert "begun by an earlier submit that was cut off" in same.out
    assert (counts(endpoint), here.intents) == ([1, 1, 2], [])


def test_an_intent_is_on_the_disk_before_its_request_and_names_no_value(here: Here, endpoint: Endpoint) -> None:
    seen: list[str] = []
    look = Fault(
        method="POST", path="/runs", performed=True, act=lambda _: seen.extend(p.read_text() for p in here.intents)
    )
    endpoint.faults.append(look)
    assert here.kalec("submit", "n.ipynb", "--host", endpoint.url, "-p", "word=canary").status == 0
    (run,) = endpoint.state.runs.values()
    assert [json.loads(text) for text in seen] == [{"format": 1, "run": run["display_name"]}]


def test_a_torn_intent_was_not_sent(tmp_path: Path) -> None:
    with intent(tmp_path, {"a": 1}, "base") as first:
        pass
    first.path.write_text('{"format": 1, "ru')
    with intent(tmp_path, {"a": 1}, "base") as second:
        assert (second.path, second.resumed) == (first.path, False)
        assert json.loads(first.path.read_text())["run"] == second.run_name != first.run_name


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def no_locks(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with intent(tmp_path, {"a": 1}, "base") as found:
        assert (found.resumed, found.path.name[-7:]) == (False, "-1.json")


def test_an_intent_that_another_process_holds_is_not_taken_from_it(tmp_path: Path) -> None:
    with intent(tmp_path, {"a": 1}, "base") as held, intent(tmp_path, {"a": 1}, "base") as other:
        assert (held.resumed, other.resumed) == (False, False)
        assert held.path != other.path
    with intent(tmp_path, {"a": 1}, "base") as left:
        assert (left.resumed, left.run_name) == (True, held.run_name)
        left.close()
    with intent(tmp_path, {"a": 2}, "base") as fresh:
        assert not fresh.resumed
