"""The test endpoint runs what it is given: states, steps, logs, artifacts and metrics, and how a run is stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from endpoint import Endpoint, Make
from kfp.client import Client
from packages import alive, package, task, until

pytest_plugins = ["endpoint.plugin"]
pytestmark = pytest.mark.usefixtures("kfp_home")

NUMBER = {"n": {"parameterType": "NUMBER_INTEGER", "defaultValue": 3}}
FROM_PIPELINE = {"n": {"componentInputParameter": "n"}}


@pytest.fixture
def endpoint(make_endpoint: Make) -> Endpoint:
    return make_endpoint(execute=True)


def submit(endpoint: Endpoint, folder: Path, spec: dict[str, Any], **parameters: Any) -> str:
    """The id of a run of that package."""
    file = folder / "package.yaml"
    file.write_text(json.dumps(spec))
    kfp = Client(host=endpoint.url)
    return str(kfp.create_run_from_pipeline_package(str(file), arguments=parameters, run_name="r").run_id)


def ended(endpoint: Endpoint, run_id: str) -> Any:
    """The run as the API has it, when it is over."""
    kfp = Client(host=endpoint.url)
    endpoint.wait(lambda: endpoint.state.runs[run_id]["state"] in ("SUCCEEDED", "FAILED", "CANCELED"))
    return kfp.get_run(run_id)


def details(run: Any) -> dict[str, Any]:
    """The details of a run's steps by name, drivers and executors left out."""
    return {one.display_name: one for one in run.run_details.task_details if one.display_name in ("load", "train")}


def pod(step: Any) -> str:
    """The pod that a step's container ran in."""
    workflow, _, number = step.child_tasks[0].pod_name.rpartition("-")
    return f"{workflow}-system-container-impl-{number}"


def get(endpoint: Endpoint, path: str, **query: str) -> requests.Response:
    return requests.get(endpoint.url + path, params=query, timeout=10)


def test_a_run_succeeds_with_its_steps_logs_artifacts_and_metrics(endpoint: Endpoint, tmp_path: Path) -> None:
    spec = package(
        NUMBER,
        load=task("print('n is', parameters['n']); write('df', 'rows')", outputs=["df"], parameters=FROM_PIPELINE),
        train=task("metadata['m'] = {'accuracy': 0.5}; print(read('df'))", inputs=["load.df"], metrics=["m"]),
    )
    spec["components"]["comp-load"]["inputDefinitions"]["parameters"] = {"n": {"parameterType": "NUMBER_INTEGER"}}
    run_id = submit(endpoint, tmp_path, spec, n=7)
    run = ended(endpoint, run_id)
    assert run.state == "SUCCEEDED"
    assert [one.state for one in run.state_history] == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert run.finished_at >= run.created_at
    steps = details(run)
    assert {name: one.state for name, one in steps.items()} == {"load": "SUCCEEDED", "train": "SUCCEEDED"}
    assert [one.state for one in steps["load"].state_history] == ["RUNNING", "SUCCEEDED"]
    assert (steps["load"].execution_id, steps["train"].execution_id) == ("1", "2")
    assert get(endpoint, "/k8s/pod/logs", podname=pod(steps["load"])).text == "n is 7\n"
    assert get(endpoint, "/pipeline/k8s/pod/logs", podname=pod(steps["train"])).text == "rows\n"
    key = f"v2/artifacts/sample/{run_id}/load/1/df"
    assert get(endpoint, f"/artifacts/minio/mlpipeline/{key}").text == "rows"
    assert get(endpoint, "/artifacts/get", source="minio", bucket="mlpipeline", key=key, peek="2").text == "ro"
    assert endpoint.metrics(run_id) == {"accuracy": 0.5}


def test_a_failed_step_fails_the_run_and_skips_what_follows(endpoint: Endpoint, tmp_path: Path) -> None:
    spec = package(load=task("sys.exit('no such file')", outputs=["df"]), train=task(inputs=["load.df"]))
    run = ended(endpoint, submit(endpoint, tmp_path, spec))
    steps = details(run)
    assert (run.state, steps["load"].state, steps["train"].state) == ("FAILED", "FAILED", "SKIPPED")
    assert steps["load"].error.message == "exited with status 1"
    assert get(endpoint, "/k8s/pod/logs", podname=pod(steps["load"])).text == "no such file\n"


def test_what_the_local_runner_has_not_is_a_failed_run(endpoint: Endpoint, tmp_path: Path) -> None:
    spec = package(load=task())
    spec["root"]["dag"]["tasks"]["load"]["parameterIterator"] = {"items": {"raw": "[1]"}, "itemInput": "i"}
    run = ended(endpoint, submit(endpoint, tmp_path, spec))
    assert run.state == "FAILED"
    assert "the local runner does not have" in run.error.message


def test_terminate_stops_a_run_and_its_processes(endpoint: Endpoint, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = f"pathlib.Path({str(file)!r}).write_text(str(os.getpid())); time.sleep(60)"
    run_id = submit(endpoint, tmp_path, package(load=task(code), train=task(after=["load"])))
    until(lambda: file.exists() and file.read_text() != "")
    kfp = Client(host=endpoint.url)
    assert kfp.get_run(run_id).state == "RUNNING"
    assert {one.display_name for one in kfp.get_run(run_id).run_details.task_details} == {
        "load-driver",
        "load",
        "executor",
    }
    kfp.terminate_run(run_id)
    assert kfp.get_run(run_id).state in ("CANCELING", "CANCELED")
    run = ended(endpoint, run_id)
    assert run.state == "CANCELED"
    assert details(run)["load"].state == "FAILED"
    until(lambda: not alive(int(file.read_text())))


def test_runs_end_with_the_endpoint(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = f"pathlib.Path({str(file)!r}).write_text(str(os.getpid())); time.sleep(60)"
    with Endpoint(execute=True) as endpoint:
        submit(endpoint, tmp_path, package(load=task(code)))
        until(lambda: file.exists() and file.read_text() != "")
    until(lambda: not alive(int(file.read_text())))


def test_a_deleted_run_stops(endpoint: Endpoint, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = f"pathlib.Path({str(file)!r}).write_text(str(os.getpid())); time.sleep(60)"
    run_id = submit(endpoint, tmp_path, package(load=task(code)))
    until(lambda: file.exists() and file.read_text() != "")
    Client(host=endpoint.url).delete_run(run_id)
    until(lambda: not alive(int(file.read_text())))
    assert run_id not in endpoint.state.runs


@pytest.mark.parametrize(
    ("path", "query", "status", "text"),
    [
        ("/k8s/pod/logs", {}, 400, "podname argument is required"),
        ("/k8s/pod/logs", {"podname": "nope"}, 500, "Could not get main container logs"),
        ("/artifacts/minio/mlpipeline/nope", {}, 500, "NoSuchKey"),
        ("/artifacts/floppy/mlpipeline/nope", {}, 400, "Unknown storage source"),
    ],
    ids=["no pod named", "no such pod", "no such artifact", "no such store"],
)
def test_what_the_ui_does_not_have(
    endpoint: Endpoint, path: str, query: dict[str, str], status: int, text: str
) -> None:
    found = get(endpoint, path, **query)
    assert (found.status_code, text in found.text) == (status, True), found.text


def test_a_key_does_not_lead_out_of_a_runs_folder(endpoint: Endpoint, tmp_path: Path) -> None:
    run_id = submit(endpoint, tmp_path, package(load=task("write('df', 'rows')", outputs=["df"])))
    ended(endpoint, run_id)
    folder = endpoint.folder_of(run_id)
    (folder.parent / "secret").write_text("canary")
    for key, status in ((f"v2/artifacts/p/{run_id}/load/1/df", 200), (f"v2/artifacts/p/{run_id}/../1/secret", 500)):
        found = get(endpoint, "/artifacts/get", source="minio", bucket="mlpipeline", key=key)
        assert (found.status_code, "canary" in found.text) == (status, False)


def test_in_multi_user_mode_logs_and_artifacts_need_a_namespace(make_endpoint: Make) -> None:
    endpoint = make_endpoint(multi_user=True)
    assert get(endpoint, "/k8s/pod/logs", podname="p").status_code == 422
    assert get(endpoint, "/k8s/pod/logs", podname="p", podnamespace="theirs").status_code == 403
    assert get(endpoint, "/artifacts/minio/mlpipeline/k").status_code == 401
