"""Waiting for a run, end to end: the endpoint executes what was submitted, with the local runner."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from endpoint import Endpoint, answers, closes
from submitting import FAILING, NOTEBOOK, SLOW, Here, clean_surroundings

from kalecompiler.submit import display, following, runs
from kalecompiler.submit.faults import ServerError
from kalecompiler.submit.views import RunView, StepView

pytest_plugins = ["endpoint.plugin"]

EXAMPLES = Path(__file__).parent.parent / "notebooks"
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    clean_surroundings(tmp_path, monkeypatch)
    monkeypatch.setattr(following, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr("kalecompiler.submit.transport.FIRST_PAUSE", 0.01)
    found = Here(tmp_path, capsys)
    found.write(NOTEBOOK)
    return found


@pytest.fixture
def executing(make_endpoint: Any) -> Endpoint:
    endpoint: Endpoint = make_endpoint(execute=True)
    return endpoint


# an example, and parameters for it
EXAMPLE_RUNS: dict[str, dict[str, int]] = {"first.ipynb": {}, "churn.ipynb": {"customers": 400}, "words.ipynb": {}}


@pytest.mark.parametrize("name", EXAMPLE_RUNS)
def test_an_example_from_notebook_to_metrics(here: Here, executing: Endpoint, name: str) -> None:
    pytest.importorskip("sklearn")
    shutil.copytree(EXAMPLES, here.folder / "notebooks", ignore=shutil.ignore_patterns(".kalec"))
    parameters = EXAMPLE_RUNS[name]
    given = [f"-p{key}={value}" for key, value in parameters.items()]
    call = ["submit", f"notebooks/{name}", "--host", executing.url, "--wait", "--timeout", "2m", "--format", "json"]
    result = here.kalec(*call, *given)
    found = json.loads(result.out)["run"]
    assert (result.status, found["state"]) == (0, "succeeded")
    assert {step["state"] for step in found["steps"]} == {"succeeded"}
    assert executing.state.runs[found["id"]]["runtime_config"].get("parameters", {}) == parameters
    metrics = executing.metrics(found["id"])
    assert sorted(metrics) == (["accuracy", "auc"] if name == "churn.ipynb" else [])
    assert all(0.5 < value <= 1 for value in metrics.values())


def test_each_change_is_a_line_where_there_is_no_terminal(here: Here, executing: Endpoint) -> None:
    result = here.kalec("submit", "n.ipynb", "--host", executing.url, "-p", "n=5", "--wait")
    assert result.status == 0
    assert re.fullmatch(r"run n-\S+ succeeded: 2 of 2 steps done", result.out.splitlines()[-1])
    assert {line.partition(" in ")[0] for line in result.err.splitlines()} >= {"make  succeeded", "total  succeeded"}
    (run,) = executing.state.runs
    assert executing.metrics(run) == {"total": 10}


def test_a_failed_run_names_the_step_and_shows_its_log(here: Here, executing: Endpoint) -> None:
    here.write(FAILING)
    result = here.kalec("submit", "n.ipynb", "--host", executing.url, "--wait")
    assert result.status == 1
    assert re.search(r"run n-\S+ failed: 1 of 3 steps done; failed: train$", result.out)
    assert "step train failed" in result.err
    assert re.search(r"^  \| nearly there 1$", result.err, re.MULTILINE)
    assert re.search(r"^  \| ValueError: no luck today$", result.err, re.MULTILINE)
    as_json = here.kalec("submit", "n.ipynb", "--host", executing.url, "--wait", "--format", "json")
    steps = {step["name"]: step for step in json.loads(as_json.out)["run"]["steps"]}
    assert (as_json.status, steps["train"]["state"], steps["make"]["state"]) == (1, "failed", "succeeded")
    assert "ValueError: no luck today" in steps["train"]["log"]
    assert here.kalec("show", "latest~0", "--host", executing.url, "--wait").status == 1


def test_logs_of_all_steps_and_of_one(here: Here, executing: Endpoint) -> None:
    here.write(FAILING)
    run = json.loads(here.kalec("submit", "n.ipynb", "--host", executing.url, "--wait", "--format", "json").out)["run"]
    every = here.kalec("logs", run["id"], "--host", executing.url)
    one = here.kalec("logs", run["id"], "train", "--host", executing.url)
    assert (every.status, one.status) == (0, 0)
    assert every.out.startswith("== make\n")
    assert "== train\nnearly there 1\n" in every.out
    assert one.out.startswith("nearly there 1\n")
    lost = here.kalec("logs", run["id"], "trian", "--host", executing.url)
    assert (lost.status, "there is no step `trian`: did you mean `train`?" in lost.err) == (2, True)
    not_begun = here.kalec("logs", run["id"], "report", "--host", executing.url)
    assert (not_begun.status, "the server names no pod of step report: see" in not_begun.err) == (3, True)
    executing.faults.append(answers(404, "/k8s/pod/logs", times=2))  # by either name of the pod
    some = here.kalec("logs", run["id"], "--host", executing.url)
    assert (some.status, some.out.startswith("== make\n== train\nnearly there 1\n")) == (3, True)
    assert "does not give the log of step make (404)" in some.err


def test_where_the_server_gives_no_log_it_says_where_to_look(here: Here, executing: Endpoint) -> None:
    here.write(FAILING)
    executing.faults.append(answers(500, "/k8s/pod/logs", times=9))
    begun = time.monotonic()
    result = here.kalec("submit", "n.ipynb", "--host", executing.url, "--wait")
    assert (result.status, time.monotonic() - begun < 5) == (1, True)
    (run,) = executing.state.runs
    assert f"does not give the log of step train (500): see {executing.url}/#/runs/details/{run}" in result.err
    assert "or `kubectl logs " in result.err


def test_a_time_out_leaves_the_run_alone(here: Here, executing: Endpoint) -> None:
    here.write(SLOW)
    result = here.kalec("submit", "n.ipynb", "--host", executing.url, "--wait", "--timeout", "0.4s")
    (run,) = executing.state.runs.values()
    assert (result.status, run["state"] in {"PENDING", "RUNNING"}) == (124, True)
    called = f"{run['run_id']} --host {executing.url}"
    assert f"did not end within 0.4 s: it goes on; follow it with `kalec show {called} --wait`" in result.err
    assert f"stop it with `kalec stop {called}`" in result.err
    assert here.kalec("show", run["run_id"], "--host", executing.url, "--wait", "--timeout", "0").status == 124
    as_json = here.kalec("submit", "n.ipynb", "--host", executing.url, "--wait", "--timeout", "0", "--format", "json")
    assert (as_json.status, json.loads(as_json.out)["run"]["id"] in executing.state.runs) == (124, True)


def test_an_interrupt_leaves_the_run_alone_and_says_how_to_go_on(here: Here, executing: Endpoint) -> None:
    here.write(SLOW)
    with here.start("submit", "n.ipynb", "--host", executing.url, "--wait") as client:
        executing.wait(lambda: any(line.startswith("GET /apis/v2beta1/runs/") for line in executing.requests))
        client.send_signal(signal.SIGINT)
        _, said = client.communicate(timeout=20)
    (run,) = executing.state.runs.values()
    assert (client.returncode, run["state"] in {"PENDING", "RUNNING"}) == (130, True)
    assert "error: interrupted: it goes on; follow it with `kalec show" in said
    assert "Traceback" not in said
    stopped = here.kalec("stop", run["run_id"], "--host", executing.url)
    assert "asked to stop" in stopped.out
    executing.wait(lambda: executing.state.runs[run["run_id"]]["state"] == "CANCELED")


def test_a_canceled_run_ends_the_waiting(here: Here, endpoint: Endpoint) -> None:
    with here.start("submit", "n.ipynb", "--host", endpoint.url, "--wait") as client:
        endpoint.wait(lambda: any(line.startswith("GET /apis/v2beta1/runs/") for line in endpoint.requests))
        (run,) = endpoint.state.runs
        endpoint.finish(run, "CANCELED")
        out, _ = client.communicate(timeout=20)
    assert (client.returncode, " canceled" in out) == (1, True)


def test_a_server_that_is_away_for_a_while_does_not_end_the_waiting(here: Here, executing: Endpoint) -> None:
    executing.faults += [answers(503, "/runs/", times=3), closes("/runs/", times=2)]
    assert here.kalec("submit", "n.ipynb", "--host", executing.url, "--wait").status == 0
    assert len([line for line in executing.requests if line.endswith((" 503", " -"))]) == 5


def test_a_server_that_stays_away_ends_it(here: Here, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PATIENCE", 0.2)
    endpoint.faults.append(answers(503, "/runs/", times=99))
    result = here.kalec("submit", "n.ipynb", "--host", endpoint.url, "--wait")
    assert (result.status, "fails (503" in result.err) == (3, True)


def test_a_server_that_asks_for_patience_is_given_it(
    here: Here, executing: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(following, "time", SimpleNamespace(monotonic=time.monotonic, sleep=slept.append))
    asked = ServerError("busy", 429, passing=True, wait=40.0)
    looks = iter([asked, asked, RunView("1", "n", "SUCCEEDED")])

    def look(*_: object) -> RunView:
        one = next(looks)
        if isinstance(one, ServerError):
            raise one
        return one

    monkeypatch.setattr(runs, "look", look)
    following.follow(SimpleNamespace(), "1", (), lambda _: None)  # type: ignore[arg-type]
    assert slept == [40.0, 40.0]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with display.show(stream) as take:
        take(_run("RUNNING", StepView("make", "SUCCEEDED", NOW, NOW + timedelta(seconds=3)), StepView("train")))
    shown = stream.getvalue()
    assert re.search(r"✓\S*\s+make\s+\S*succeeded\S*\s+3 s", shown)
    assert re.search(r"train\s+\S*waiting", shown)
    assert re.search(r"run nightly\s+running", shown)


def test_a_small_terminal_shows_what_matters_most() -> None:
    table = display.LiveTable(height=6)
    steps = [StepView(f"done{n}", "SUCCEEDED") for n in range(5)] + [
        StepView("bad", "FAILED"),
        StepView("on", "RUNNING"),
    ]
    table.take(_run("RUNNING", *steps))
    rendered = table.render()
    names = [str(cell) for cell in rendered.columns[1].cells]
    assert names == ["done0", "bad", "on", "and 4 more", "run nightly"]


def test_lines_say_each_change_once() -> None:
    stream = io.StringIO()
    plain = display.Plain(stream)
    running = StepView("a", "RUNNING", NOW)
    failed = StepView("a", "FAILED", NOW, NOW + timedelta(seconds=2), error="no luck")
    for run in (_run("PENDING"), _run("RUNNING", running), _run("RUNNING", running), _run("FAILED", failed)):
        plain.take(run)
    assert stream.getvalue().splitlines() == [
        "run nightly  pending",
        "a  running",
        "run nightly  running",
        "a  failed in 2 s: no luck",
        "run nightly  failed",
    ]


def _run(state: str, *steps: StepView) -> RunView:
    return RunView("id", "nightly", state, NOW, steps=steps)
