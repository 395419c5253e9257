"""The test endpoint, by kfp's own client: what it keeps, lists and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kfp_server_api
import pytest
import requests
import yaml
from endpoint import Endpoint, Make
from endpoint.recurring import cron_error
from kfp.client import Client
from kfp_server_api import ApiException
from packages import package, task

pytest_plugins = ["endpoint.plugin"]
pytestmark = pytest.mark.usefixtures("kfp_home")

NUMBER = {"n": {"parameterType": "NUMBER_INTEGER", "defaultValue": 3}}
PLATFORM = {
    "platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-load": {"imagePullPolicy": "Always"}}}}}
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A package of one document."""
    return write(tmp_path, package(NUMBER, load=task(outputs=["df"]), train=task(inputs=["load.df"])))


def write(folder: Path, *documents: Any, name: str = "package.yaml") -> Path:
    file = folder / name
    file.write_text(yaml.safe_dump_all(documents))
    return file


def client(endpoint: Endpoint, namespace: str = "kubeflow", user: str | None = None) -> Client:
    made = Client(host=endpoint.url, namespace=namespace)
    if user is not None:
        for api in (made._run_api, made._pipelines_api, made._experiment_api, made._upload_api):
            api.api_client.default_headers["kubeflow-userid"] = user
    return made


def names(found: list[Any] | None) -> list[str]:
    return [one.display_name for one in found or []]


def upload(endpoint: Endpoint, file: Path, versions: int = 0) -> tuple[Client, str, str]:
    """A client, the id of a pipeline `pipe` and of its last version: `v1` ... after the upload's own."""
    kfp = client(endpoint)
    pipeline = kfp.upload_pipeline(str(file), "pipe")
    for number in range(versions):
        kfp.upload_pipeline_version(str(file), f"v{number + 1}", pipeline.pipeline_id)
    return kfp, pipeline.pipeline_id, list(endpoint.state.versions)[-1]


def refused(call: Callable[[], Any]) -> tuple[int, str]:
    """The status and the text of a call that fails."""
    with pytest.raises(ApiException) as caught:
        call()
    body = caught.value.body
    text = body if isinstance(body, str) else body.decode()
    if not text.startswith("{"):
        return int(caught.value.status), text
    found = json.loads(text)
    return int(caught.value.status), found.get("message") or found["error_message"]


def test_a_package_of_two_documents_comes_back_with_both(endpoint: Endpoint, tmp_path: Path) -> None:
    spec = package(NUMBER, load=task())
    kfp, pipeline_id, version_id = upload(endpoint, write(tmp_path, spec, PLATFORM))
    found = kfp.get_pipeline_version(pipeline_id, version_id).pipeline_spec
    assert found["platform_spec"] == PLATFORM
    assert found["pipeline_spec"]["pipelineInfo"] == {"name": "sample"}


def test_a_version_runs_by_reference_and_a_package_inline(endpoint: Endpoint, tmp_path: Path) -> None:
    file = write(tmp_path, package(NUMBER, load=task()), PLATFORM)
    kfp, pipeline_id, version_id = upload(endpoint, file)
    experiment = kfp.create_experiment("trials")
    by_reference = kfp.run_pipeline(
        experiment.experiment_id, "first", pipeline_id=pipeline_id, version_id=version_id, params={"n": 7}
    )
    inline = kfp.create_run_from_pipeline_package(str(file), run_name="second", enable_caching=False)
    assert by_reference.pipeline_version_reference.pipeline_version_id == version_id
    assert by_reference.pipeline_spec is None
    assert by_reference.runtime_config.parameters == {"n": 7}
    found = kfp.get_run(inline.run_id)
    assert found.pipeline_spec["pipeline_spec"]["root"]["dag"]["tasks"]["load"]["cachingOptions"] == {}
    # A run without an experiment goes to the one that the server made for such.
    assert kfp.get_experiment(experiment_id=found.experiment_id).display_name == "Default"


def test_without_a_version_the_latest_one_runs(endpoint: Endpoint, file: Path) -> None:
    kfp, pipeline_id, version_id = upload(endpoint, file, versions=2)
    reference = kfp_server_api.V2beta1PipelineVersionReference(pipeline_id=pipeline_id)
    made = kfp._run_api.run_service_create_run(
        run=kfp_server_api.V2beta1Run(display_name="latest", pipeline_version_reference=reference)
    )
    assert made.pipeline_version_reference.pipeline_version_id == version_id


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n": "a"}, "input parameter n requires type double or integer, but the parameter value is not of number"),
        ({"n": True}, "input parameter n requires type double or integer, but the parameter value is not of number"),
        ({"m": 1}, "parameter(s) provided are not required by pipeline: m"),
    ],
    ids=["text for a number", "a truth value for a number", "unknown"],
)
def test_wrong_parameters_are_refused_and_make_no_run(
    endpoint: Endpoint, file: Path, parameters: dict[str, Any], message: str
) -> None:
    kfp, pipeline_id, version_id = upload(endpoint, file)
    experiment = kfp.create_experiment("trials").experiment_id
    status, text = refused(
        lambda: kfp.run_pipeline(experiment, "x", pipeline_id=pipeline_id, version_id=version_id, params=parameters)
    )
    assert status == 400
    assert message in text
    assert not endpoint.state.runs


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("foo: bar", "unknown template format"),
        ("{", "unknown template format"),
        ("", "unknown template format"),
        (json.dumps({**package(load=task()), "surprise": 1}), "invalid v2 pipeline spec"),
        (json.dumps({**package(load=task()), "root": {}}), "invalid v2 pipeline spec"),
    ],
    ids=["another document", "no YAML", "empty", "an unknown field", "no tasks"],
)
def test_what_is_no_package_is_refused(endpoint: Endpoint, tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(content)
    status, text = refused(lambda: client(endpoint).upload_pipeline(str(file), "bad"))
    assert (status, text.startswith(message)) == (400, True), text
    assert not endpoint.state.pipelines


def test_names_are_taken_once_and_the_conflict_has_two_shapes(endpoint: Endpoint, file: Path) -> None:
    kfp, pipeline_id, _ = upload(endpoint, file, versions=1)
    assert refused(lambda: kfp.upload_pipeline(str(file), "pipe")) == (
        409,
        "Failed to create a pipeline and a pipeline version",
    )
    assert refused(lambda: kfp.upload_pipeline_version(str(file), "v1", pipeline_id)) == (
        409,
        "Failed to create a pipeline version",
    )
    experiment = kfp_server_api.V2beta1Experiment(display_name="Default")
    status, text = refused(lambda: kfp._experiment_api.experiment_service_create_experiment(experiment=experiment))
    assert (status, "The name Default already exists" in text) == (409, True)
    pipeline = kfp_server_api.V2beta1Pipeline(display_name="pipe")
    status, text = refused(lambda: kfp._pipelines_api.pipeline_service_create_pipeline(pipeline=pipeline))
    assert (status, "The name pipe already exist" in text) == (409, True)


def test_long_names_are_refused_as_text(endpoint: Endpoint, file: Path) -> None:
    kfp, pipeline_id, _ = upload(endpoint, file)
    kfp.upload_pipeline(str(file), "p" * 128)
    kfp.upload_pipeline_version(str(file), "v" * 127, pipeline_id)
    assert refused(lambda: kfp.upload_pipeline(str(file), "p" * 129)) == (
        400,
        "Invalid input error: Pipeline.Name length cannot exceed 128\n",
    )
    assert refused(lambda: kfp.upload_pipeline_version(str(file), "v" * 128, pipeline_id)) == (
        400,
        "Invalid input error: PipelineVersion.Name length cannot exceed 127\n",
    )
    # Bytes are counted.
    assert refused(lambda: kfp.upload_pipeline(str(file), "é" * 65))[0] == 400


def test_a_version_of_no_pipeline_is_refused(endpoint: Endpoint, file: Path) -> None:
    status = refused(lambda: client(endpoint).upload_pipeline_version(str(file), "v", pipeline_id="nope"))
    assert status == (400, "Failed to create a pipeline version")


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("display_name desc", ["v4", "v3", "v2", "v1", "pipe"]),
        ("display_name", ["pipe", "v1", "v2", "v3", "v4"]),
        ("display_name ASC", ["pipe", "v1", "v2", "v3", "v4"]),
    ],
)
def test_a_list_comes_page_after_page_in_the_order_asked_for(
    endpoint: Endpoint, file: Path, order: str, expected: list[str]
) -> None:
    kfp, pipeline_id, _ = upload(endpoint, file, versions=4)
    found: list[str] = []
    token = ""
    while True:
        answer = kfp.list_pipeline_versions(pipeline_id, page_token=token, page_size=2, sort_by=order)
        found += names(answer.pipeline_versions)
        token = answer.next_page_token
        if not token:
            break
    assert found == expected
    assert answer.total_size == 5


def test_an_empty_list_has_no_key(endpoint: Endpoint) -> None:
    assert requests.get(f"{endpoint.url}/apis/v2beta1/runs", timeout=10).json() == {}


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        ({"operation": 1, "key": "display_name", "stringValue": "v1"}, ["v1"]),
        ({"operation": "EQUALS", "key": "name", "string_value": "v1"}, ["v1"]),
        ({"operation": "NOT_EQUALS", "key": "display_name", "string_value": "v1"}, ["pipe", "v2"]),
        ({"operation": "IS_SUBSTRING", "key": "display_name", "string_value": "V"}, ["v1", "v2"]),
        ({"operation": 7, "key": "display_name", "string_values": {"values": ["v2", "pipe"]}}, ["pipe", "v2"]),
    ],
    ids=["as kfp writes it", "by words", "all but one", "a part of the name", "one of several"],
)
def test_a_list_is_filtered(endpoint: Endpoint, file: Path, predicate: dict[str, Any], expected: list[str]) -> None:
    kfp, pipeline_id, _ = upload(endpoint, file, versions=2)
    given = json.dumps({"predicates": [predicate]})
    found = kfp.list_pipeline_versions(pipeline_id, filter=given, sort_by="display_name")
    assert names(found.pipeline_versions) == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"sort_by": "colour"}, "Invalid sorting field"),
        ({"sort_by": "display_name sideways"}, "Received invalid sort by format"),
        ({"filter": "{"}, "Error parsing filter"),
        ({"filter": '{"predicates":[{"operation":1,"key":"colour","string_value":"x"}]}'}, "unrecognized field"),
        ({"page_token": "zz!"}, "Invalid page token: illegal base64 data at input byte 2"),
        ({"page_token": "enp6"}, "Invalid page token"),
        ({"page_size": "-1"}, "The page size should be greater than 0"),
        ({"page_size": "many"}, "type mismatch, parameter: page_size"),
    ],
    ids=lambda value: "-".join(f"{name}={text}" for name, text in value.items()) if isinstance(value, dict) else "",
)
def test_a_bad_list_call_is_refused(endpoint: Endpoint, file: Path, query: dict[str, str], message: str) -> None:
    kfp, _, _ = upload(endpoint, file)
    kfp.create_run_from_pipeline_package(str(file), run_name="r")
    answer = requests.get(f"{endpoint.url}/apis/v2beta1/runs", params=query, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["code"] == 3
    assert message in answer.json()["message"]


def test_a_run_lives_is_stopped_put_away_and_deleted(endpoint: Endpoint, file: Path) -> None:
    kfp, _, _ = upload(endpoint, file)
    run_id = kfp.create_run_from_pipeline_package(str(file), run_name="r").run_id
    kfp.terminate_run(run_id)
    assert kfp.get_run(run_id).state == "CANCELING"
    endpoint.finish(run_id, "CANCELED")
    found = kfp.get_run(run_id)
    assert [one.state for one in found.state_history] == ["PENDING", "CANCELED"]
    assert found.finished_at.year > 2000
    assert refused(lambda: kfp.terminate_run(run_id))[0] == 400
    kfp.archive_run(run_id)
    assert kfp.get_run(run_id).storage_state == "ARCHIVED"
    kfp.unarchive_run(run_id)
    kfp.delete_run(run_id)
    assert refused(lambda: kfp.get_run(run_id))[0] == 404


def test_a_run_that_is_not_executed_can_end_with_a_failed_step(endpoint: Endpoint, file: Path) -> None:
    kfp, _, _ = upload(endpoint, file)
    run_id = kfp.create_run_from_pipeline_package(str(file), run_name="r").run_id
    endpoint.finish(run_id, failed="load")
    found = kfp.get_run(run_id)
    states = {one.display_name: one.state for one in found.run_details.task_details}
    assert found.state == "FAILED"
    assert states == {"load-driver": "SUCCEEDED", "load": "FAILED", "executor": "FAILED", "train": "SKIPPED"}


def test_recurring_runs_are_kept_switched_and_deleted(endpoint: Endpoint, file: Path) -> None:
    kfp, pipeline_id, version_id = upload(endpoint, file)
    experiment = kfp.create_experiment("trials").experiment_id
    reference = {"pipeline_id": pipeline_id, "version_id": version_id}
    made = kfp.create_recurring_run(experiment, "nightly", cron_expression="0 0 6 * * *", **reference)
    kfp.disable_recurring_run(made.recurring_run_id)
    (found,) = kfp.list_recurring_runs(experiment_id=experiment).recurring_runs
    assert (found.display_name, found.status, found.trigger.cron_schedule.cron) == (
        "nightly",
        "DISABLED",
        "0 0 6 * * *",
    )
    kfp.enable_recurring_run(made.recurring_run_id)
    assert kfp.get_recurring_run(made.recurring_run_id).status == "ENABLED"
    kfp.delete_recurring_run(made.recurring_run_id)
    assert kfp.list_recurring_runs().recurring_runs is None
    status, text = refused(lambda: kfp.create_recurring_run(experiment, "x", cron_expression="at noon", **reference))
    assert (status, "cron" in text) == (400, True)


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("1 * *", "Expected 5 to 6 fields, found 3: 1 * *"),
        ("0 0 25 * * *", "25 in 25 is out of the range 0 to 23"),
        ("0 0 6 * 1-13 *", "13 in 1-13 is out of the range 1 to 12"),
        ("@noon", "Unrecognized descriptor: @noon"),
        ("0 */15 6,18 ? JAN-MAR MON", None),
        ("@daily", None),
        ("0 6 * * *", None),
    ],
    ids=["too few", "an hour", "a month", "a word", "all that there is", "a known word", "five, with seconds in front"],
)
def test_a_cron_expression_is_read_as_the_server_does(cron: str, message: str | None) -> None:
    assert cron_error(cron) == message


@pytest.mark.parametrize("behind_ui", [False, True], ids=["the API server", "the UI's server"])
@pytest.mark.parametrize("path", ["/apis/v2beta1", "/apis/v1beta1", "/pipeline/apis/v2beta1"])
def test_health_is_told_in_all_places(make_endpoint: Make, path: str, behind_ui: bool) -> None:
    endpoint = make_endpoint(multi_user=True, behind_ui=behind_ui)
    found = requests.get(f"{endpoint.url}{path}/healthz", timeout=10).json()
    assert found["multi_user"] is True
    assert ("apiServerTagName" in found, "tag_name" in found) == (behind_ui, not behind_ui)


def test_kfps_client_works_below_the_ui_of_kubeflow(endpoint: Endpoint) -> None:
    kfp = Client(host=f"{endpoint.url}/pipeline", namespace="team")
    assert kfp.get_experiment(experiment_name="Default").display_name == "Default"


def test_an_archived_experiment_archives_its_runs_and_takes_no_more(endpoint: Endpoint, file: Path) -> None:
    kfp = client(endpoint)
    experiment = kfp.create_experiment("trials").experiment_id
    run_id = kfp.create_run_from_pipeline_package(str(file), run_name="r", experiment_id=experiment).run_id
    kfp.archive_experiment(experiment)
    assert kfp.get_run(run_id).storage_state == "ARCHIVED"
    again = lambda: kfp.create_run_from_pipeline_package(str(file), run_name="s", experiment_id=experiment)  # noqa: E731
    assert refused(again)[0] == 400


def test_a_pipeline_goes_only_with_its_versions(endpoint: Endpoint, file: Path) -> None:
    kfp, pipeline_id, version_id = upload(endpoint, file)
    assert refused(lambda: kfp.delete_pipeline(pipeline_id))[0] == 400
    kfp.delete_pipeline_version(pipeline_id, version_id)
    kfp.delete_pipeline(pipeline_id)
    assert kfp.get_pipeline_id("pipe") is None


def test_in_multi_user_mode_a_namespace_and_an_identity_are_needed(make_endpoint: Make, file: Path) -> None:
    endpoint = make_endpoint(multi_user=True, namespaces=("team",))
    somebody, nobody = client(endpoint, "team", "me@example.com"), client(endpoint, "team")
    assert somebody.get_kfp_healthz().multi_user is True
    experiment = somebody.create_experiment("trials", namespace="team")
    assert experiment.namespace == "team"
    assert refused(lambda: nobody.list_experiments(namespace="team"))[0] == 401
    assert refused(lambda: nobody.upload_pipeline(str(file), "p", namespace="team"))[0] == 400
    assert refused(lambda: somebody.list_experiments(namespace="theirs"))[0] == 403
    assert refused(lambda: client(endpoint, "", "me@example.com").list_runs(namespace=""))[0] == 400
    assert refused(lambda: somebody.upload_pipeline(str(file), "p"))[0] == 400


def test_a_pipeline_in_a_namespace_is_not_found_without_it(make_endpoint: Make, file: Path) -> None:
    """`kfp.Client.get_pipeline_id` names no namespace."""
    endpoint = make_endpoint(multi_user=True)
    kfp = client(endpoint, "team", "me@example.com")
    made = kfp.upload_pipeline(str(file), "pipe", namespace="team")
    assert kfp.get_pipeline_id("pipe") is None
    assert names(kfp.list_pipelines(namespace="team").pipelines) == ["pipe"]
    found = kfp._pipelines_api.pipeline_service_get_pipeline_by_name("pipe", namespace="team")
    assert found.pipeline_id == made.pipeline_id


@pytest.mark.parametrize(
    ("method", "path", "body", "complaint"),
    [
        ("POST", "/experiments", {"display_name": "x", "colour": "red"}, "V2beta1Experiment has no colour"),
        ("POST", "/experiments", {"display_name": 5}, "body.display_name: 5 is no str"),
        ("POST", "/experiments", {"display_name": "x", "created_at": "soon"}, "'soon' is no time"),
        ("POST", "/experiments", {"display_name": "x", "storage_state": "LOST"}, "'LOST' is none of"),
        ("GET", "/runs?page=3", None, "the query parameter 'page' is unknown"),
    ],
    ids=["unknown field", "wrong type", "no time", "unknown word", "unknown parameter"],
)
def test_a_call_that_does_not_fit_the_api_fails_the_test_that_made_it(
    method: str, path: str, body: Any, complaint: str
) -> None:
    endpoint = Endpoint()
    with pytest.raises(AssertionError, match="calls that do not fit"), endpoint:
        requests.request(method, f"{endpoint.url}/apis/v2beta1{path}", json=body, timeout=10)
    assert complaint in "\n".join(endpoint.violations)


def test_what_was_sent_can_be_searched(endpoint: Endpoint) -> None:
    requests.get(f"{endpoint.url}/apis/v2beta1/healthz", headers={"Authorization": "Bearer canary"}, timeout=10)
    assert [request.path for request in endpoint.sent("canary")] == ["/apis/v2beta1/healthz"]
    assert endpoint.sent("canari") == []
    assert endpoint.requests == ["GET /apis/v2beta1/healthz 200"]
