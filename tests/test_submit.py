"""Submitting to an endpoint that answers as it should: versions, runs, options, schedules, and looking at runs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from endpoint import Endpoint
from submitting import EDITED, NOTEBOOK, Here, clean_surroundings
from test_cli import kalec as process

from kalecompiler.diagnostics import UsageError
from kalecompiler.submit.recurring import cron_of

pytest_plugins = ["endpoint.plugin"]

RUN_POST = "POST /apis/v2beta1/runs 200"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    clean_surroundings(tmp_path, monkeypatch)
    found = Here(tmp_path, capsys)
    found.write(NOTEBOOK)
    return found


def submit(here: Here, endpoint: Endpoint, *arguments: str) -> dict[str, Any]:
    """Submit `n.ipynb`, which must succeed; what was printed as JSON."""
    result = here.kalec("submit", "n.ipynb", "--host", endpoint.url, "--format", "json", *arguments)
    assert (result.status, result.err) == (0, "")
    found: dict[str, Any] = json.loads(result.out)
    return found


def test_submit_says_what_is_on_the_server_and_where_to_look(here: Here, endpoint: Endpoint) -> None:
    result = here.kalec("submit", "n.ipynb", "--host", endpoint.url)
    (run,) = endpoint.state.runs.values()
    (version,) = endpoint.state.versions.values()
    assert (result.status, result.err) == (0, "")
    assert result.out.splitlines() == [
        f"pipeline   n ({version['pipeline_id']}, new)",
        f"version    {version['display_name']} ({version['pipeline_version_id']}, new)",
        f"run        {run['display_name']} ({run['run_id']})",
        f"url        {endpoint.url}/#/runs/details/{run['run_id']}",
    ]
    assert re.fullmatch(r"n-\d{8}-\d{6}-[0-9a-f]{8}", run["display_name"])
    assert run["pipeline_version_reference"]["pipeline_version_id"] == version["pipeline_version_id"]


def test_twice_is_one_pipeline_one_version_two_runs(here: Here, endpoint: Endpoint) -> None:
    first, second = submit(here, endpoint), submit(here, endpoint)
    assert (first["version"]["created"], second["version"]["created"]) == (True, False)
    assert first["version"]["id"] == second["version"]["id"]
    assert first["run"]["id"] != second["run"]["id"]
    assert [len(kind) for kind in (endpoint.state.pipelines, endpoint.state.versions, endpoint.state.runs)] == [1, 1, 2]
    assert here.intents == []
    text = here.kalec("submit", "n.ipynb", "--host", endpoint.url).out
    assert "unchanged)" in text


def test_an_edited_cell_is_a_second_version(here: Here, endpoint: Endpoint) -> None:
    submit(here, endpoint)
    here.write(EDITED)
    assert submit(here, endpoint)["version"]["created"]
    assert (len(endpoint.state.pipelines), len(endpoint.state.versions)) == (1, 2)


def test_two_runs_at_the_same_time_are_two_runs(here: Here, endpoint: Endpoint) -> None:
    call = ("submit", "n.ipynb", "--host", endpoint.url)
    with here.start(*call) as one, here.start(*call) as two:
        assert (two.wait(), one.wait()) == (0, 0), one.communicate() + two.communicate()
    assert [len(kind) for kind in (endpoint.state.pipelines, endpoint.state.versions, endpoint.state.runs)] == [1, 1, 2]


def test_a_version_says_where_it_comes_from(here: Here, endpoint: Endpoint) -> None:
    import subprocess

    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for command in (["init", "-q"], ["add", "n.ipynb"], ["commit", "-qm", "a notebook"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    submit(here, endpoint)
    here.write(EDITED)
    submit(here, endpoint)
    said = sorted(version["description"] for version in endpoint.state.versions.values())
    assert all(re.search(r"^notebook n\.ipynb, git [0-9a-f]{40}.*, sha256 [0-9a-f]{64}, compiled by", d) for d in said)
    assert sorted(f"git {head} (changed since)," in text for text in said) == [False, True]


def test_options_reach_the_run(here: Here, endpoint: Endpoint) -> None:
    (here.folder / "values.yaml").write_text("n: 7\nword: b\n")
    options = ["--run-name", "nightly", "--experiment", "trials", "--pipeline-name", "other", "-f", "values.yaml"]
    more = ["-p", "n=5", "--service-account", "worker", "--pipeline-root", "s3://bucket/there"]
    submit(here, endpoint, *options, *more)
    (run,) = endpoint.state.runs.values()
    experiments = {e["experiment_id"]: e["display_name"] for e in endpoint.state.experiments.values()}
    assert re.fullmatch(r"nightly-[0-9a-f]{8}", run["display_name"])
    assert experiments[run["experiment_id"]] == "trials"
    assert run["runtime_config"] == {"parameters": {"n": 5, "word": "b"}, "pipeline_root": "s3://bucket/there"}
    assert run["service_account"] == "worker"
    assert [p["display_name"] for p in endpoint.state.pipelines.values()] == ["other"]


# where the experiment's name stands -> which one counts
EXPERIMENTS = {
    "nowhere": ("", {}, "Default"),
    "in the endpoint's table": ('experiment = "of-endpoint"', {}, "of-endpoint"),
    "in the notebook too": ('experiment = "of-endpoint"', {"kalecompiler": {"experiment": "of-book"}}, "of-book"),
    "in Kale's metadata": ("", {"kubeflow_notebook": {"experiment_name": "kales"}}, "kales"),
}


@pytest.mark.parametrize(("table", "metadata", "expected"), EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_experiment(here: Here, endpoint: Endpoint, table: str, metadata: dict[str, Any], expected: str) -> None:
    here.write(NOTEBOOK, **metadata)
    here.config(f'host = "{endpoint.url}"\n{table}')
    result = here.kalec("submit", "n.ipynb")
    (run,) = endpoint.state.runs.values()
    assert result.status == 0
    assert endpoint.state.experiments[run["experiment_id"]]["display_name"] == expected


def test_no_cache_runs_an_inline_copy_and_says_of_what(here: Here, endpoint: Endpoint) -> None:
    result = here.kalec("submit", "n.ipynb", "--host", endpoint.url, "--no-cache")
    (run,) = endpoint.state.runs.values()
    (version,) = endpoint.state.versions.values()
    tasks = run["pipeline_spec"]["root"]["dag"]["tasks"].values()
    assert f"a copy of {version['display_name']} without caching" in result.out
    assert [task.get("cachingOptions", {}).get("enableCache", False) for task in tasks] == [False, False]
    assert "pipeline_version_reference" not in run


def test_no_cache_keeps_what_is_kubernetes_own(here: Here, endpoint: Endpoint) -> None:
    here.write(NOTEBOOK.replace("step:make", "step:make label:team:vision", 1))
    submit(here, endpoint, "--no-cache")
    (run,) = endpoint.state.runs.values()
    assert set(run["pipeline_spec"]) == {"pipeline_spec", "platform_spec"}
    assert "vision" in json.dumps(run["pipeline_spec"]["platform_spec"])


def test_upload_only_begins_no_run(here: Here, endpoint: Endpoint) -> None:
    found = submit(here, endpoint, "--upload-only")
    assert "run" not in found
    assert (len(endpoint.state.versions), len(endpoint.state.runs)) == (1, 0)


def test_dry_run_shows_what_would_be_sent_and_sends_nothing(here: Here, endpoint: Endpoint) -> None:
    here.config(f'host = "{endpoint.url}"\ntoken-env = "NOT_SET"')
    shown = here.kalec("submit", "n.ipynb", "--dry-run", "-p", "n=4", "--format", "json")
    found = json.loads(shown.out)
    assert (shown.status, endpoint.requests) == (0, [])
    assert (found["pipeline"], found["params"], found["experiment"]) == ("n", {"n": 4}, "Default")
    assert re.fullmatch(r"sha256-[0-9a-f]{16}", found["version"])
    assert here.intents == []
    text = here.kalec("submit", "n.ipynb", "--dry-run", "--cron", "0 6 * * *")
    assert 'recurring      {"name": "n", "cron": "0 0 6 * * *"}' in text.out
    assert "nothing was sent" in text.err


# the call, and what stderr says; each ends before anything is sent, with exit status 2
WRONG_CALLS = {
    "an unknown parameter": (["-p", "m=1"], "there is no parameter `m`"),
    "a parameter of another type": (["-p", "n=many"], "the parameter `n` is an integer (int), which `many` is not"),
    "a name that is too long": (["--run-name", "x" * 120], "the run's name has 120 bytes: there is room for 119"),
    "an empty name": (["--run-name", " "], "the run's name is empty"),
    "a long experiment": (["--experiment", "x" * 129], "the experiment's name has 129 bytes"),
    "a time-out and no waiting": (["--timeout", "5"], "give --wait too"),
    "a time that is none": (["--wait", "--timeout", "soon"], "'soon' is no time: write 90, 90s, 30m or 2h"),
    "a schedule to wait for": (["--cron", "0 6 * * *", "--wait"], "--cron and --wait do not go together"),
    "a schedule without cache": (["--cron", "0 6 * * *", "--no-cache"], "--cron and --no-cache do not go together"),
    "a schedule that is none": (["--cron", "every day"], "must have five fields"),
    "an unknown endpoint": (["--endpoint", "prd"], "there is no endpoint `prd`"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_wrong_calls_send_nothing(here: Here, endpoint: Endpoint, arguments: list[str], message: str) -> None:
    host = [] if "--endpoint" in arguments else ["--host", endpoint.url]
    result = here.kalec("submit", "n.ipynb", *host, *arguments)
    assert (result.status, result.out, endpoint.requests) == (2, "", [])
    assert message in result.err


def test_a_bad_notebook_is_not_submitted(here: Here, endpoint: Endpoint) -> None:
    here.write("# %% step:a prev:nowhere\nx = 1")
    assert here.kalec("submit", "n.ipynb", "--host", endpoint.url).status == 1
    here.write("# %% step:A\nx = 1")
    strict = here.kalec("submit", "n.ipynb", "--host", endpoint.url, "--strict")
    assert (strict.status, endpoint.requests) == (1, [])
    assert "not submitted, as --strict takes warnings for errors" in strict.err


def test_cron_creates_changes_and_keeps_one_recurring_run(here: Here, endpoint: Endpoint) -> None:
    def changes(*arguments: str) -> str:
        found: str = submit(here, endpoint, *arguments)["recurring"]["change"]
        (only,) = endpoint.state.recurring.values()
        assert only["status"] == "ENABLED"
        return found

    assert [changes("--cron", "0 6 * * *") for _ in range(2)] == ["created", "unchanged"]
    assert changes("--cron", "0 7 * * *") == "updated"
    assert changes("--cron", "0 7 * * *", "-p", "n=4") == "updated"
    here.write(EDITED)
    assert changes("--cron", "0 7 * * *", "-p", "n=4") == "updated"
    (only,) = endpoint.state.recurring.values()
    assert only["trigger"] == {"cron_schedule": {"cron": "0 0 7 * * *"}}
    assert only["runtime_config"]["parameters"] == {"n": 4}
    assert endpoint.state.runs == {}


def test_the_schedule_of_another_pipeline_stays_whatever_its_name(here: Here, endpoint: Endpoint) -> None:
    for pipeline in ("theirs", "ours", "ours"):
        submit(here, endpoint, "--cron", "0 6 * * *", "--run-name", "nightly", "--pipeline-name", pipeline)
    assert [one["status"] for one in endpoint.state.recurring.values()] == ["ENABLED", "ENABLED"]


@pytest.mark.parametrize("skip", range(3))
def test_a_change_that_is_cut_off_is_repaired_by_the_next(here: Here, endpoint: Endpoint, skip: int) -> None:
    from endpoint import closes

    submit(here, endpoint, "--cron", "0 6 * * *")
    endpoint.faults.append(closes("/recurringruns", performed=True, skip=skip))
    arguments = ["submit", "n.ipynb", "--host", endpoint.url, "--cron", "0 7 * * *"]
    statuses = [here.kalec(*arguments).status for _ in range(2)]
    assert statuses[-1] == 0
    (only,) = endpoint.state.recurring.values()
    assert (only["trigger"]["cron_schedule"]["cron"], only["status"]) == ("0 0 7 * * *", "ENABLED")


def test_a_refused_change_leaves_the_old_schedule_on(here: Here, endpoint: Endpoint) -> None:
    from endpoint import Fault

    submit(here, endpoint, "--cron", "0 6 * * *")
    refusal = '{"code": 3, "message": "no such schedule", "details": []}'
    endpoint.faults.append(Fault(method="POST", path="/recurringruns", status=400, body=refusal, skip=1))
    result = here.kalec("submit", "n.ipynb", "--host", endpoint.url, "--cron", "0 7 * * *")
    (only,) = endpoint.state.recurring.values()
    assert (result.status, only["status"]) == (3, "ENABLED")
    assert "no such schedule" in result.err


CRONS = {
    "0 6 * * *": "0 0 6 * * *",
    " */5  * * * 1-5 ": "0 */5 * * * 1-5",
    "30 0 6 * * *": "30 0 6 * * *",
    "0 6 1,15 jan-jun mon": "0 0 6 1,15 jan-jun mon",
    "@daily": "@daily",
}


@pytest.mark.parametrize(("text", "expected"), CRONS.items())
def test_cron_is_given_its_seconds(text: str, expected: str) -> None:
    assert cron_of(text) == expected


@pytest.mark.parametrize(
    "text", ["60 * * * *", "* 24 * * *", "0 6 * *", "0 6 0 * *", "0 6 * * 7", "x * * * *", "5-1 * * * *"]
)
def test_cron_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="--cron"):
        cron_of(text)


def test_runs_show_and_stop(here: Here, endpoint: Endpoint) -> None:
    ids = [submit(here, endpoint, "--run-name", name)["run"]["id"] for name in ("one", "two")]
    host = ["--host", endpoint.url]
    listed = json.loads(here.kalec("runs", *host, "--format", "json").out)
    assert {run["id"] for run in listed} == set(ids)
    assert len(here.kalec("runs", *host, "--limit", "1").out.splitlines()) == 2
    assert json.loads(here.kalec("show", ids[0][:10], *host, "--format", "json").out)["state"] == "pending"
    assert "asked to stop" in here.kalec("stop", ids[0], *host).out
    endpoint.finish(ids[0], "CANCELED")
    assert "over already" in here.kalec("stop", ids[0], *host).out
    shown = here.kalec("show", ids[0], *host)
    assert (shown.status, "state      canceled" in shown.out) == (0, True)
    assert here.kalec("show", ids[0], *host, "--wait").status == 1


# what is asked for, and what stderr says; status 2
LOST = {
    "no such run": (["show", "nothing"], "there is no run `nothing` at"),
    "no such experiment": (["runs", "--experiment", "none"], "there is no experiment `none` at"),
    "no latest run": (["show", "latest"], "there is no run `latest` at"),
    "an empty word": (["stop", ""], "the run is empty: name one"),
    "no run long ago": (["stop", "latest~3"], "there is no run `latest~3` at"),
}


@pytest.mark.parametrize(("arguments", "message"), LOST.values(), ids=LOST)
def test_what_is_not_there(here: Here, endpoint: Endpoint, arguments: list[str], message: str) -> None:
    result = here.kalec(*arguments, "--host", endpoint.url)
    assert (result.status, result.out) == (2, "")
    assert message in result.err


def test_an_id_that_the_server_does_not_know(here: Here, endpoint: Endpoint) -> None:
    result = here.kalec("show", "00000000-0000-4000-8000-000000000000", "--host", endpoint.url)
    assert result.status == 3
    assert "(404): Failed to get a run" in result.err


def test_many_runs_come_page_by_page(here: Here, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalecompiler.submit.connection.PAGE", 2)
    ids = {submit(here, endpoint)["run"]["id"] for _ in range(5)}
    assert here.kalec("runs", "--host", endpoint.url).out.count("pending") == 5
    listed = json.loads(here.kalec("runs", "--host", endpoint.url, "--format", "json").out)
    assert {run["id"] for run in listed} == ids


def test_the_name_of_a_run_does_not_command_a_terminal(here: Here, endpoint: Endpoint) -> None:
    run = submit(here, endpoint, "--run-name", "\x1b]0;owned\x07n")["run"]["id"]
    endpoint.finish(run, "FAILED")
    endpoint.state.runs[run]["error"] = {"code": 1, "message": "\x1b]0;owned\x07 no\nluck"}
    for words in (["runs"], ["show", run], ["show", run, "--wait"]):
        result = here.kalec(*words, "--host", endpoint.url)
        assert not {"\x1b", "\x07"} & {*result.out, *result.err}
    assert "owned\ufffd no luck" in here.kalec("show", run, "--host", endpoint.url).out


def test_an_empty_list(here: Here, endpoint: Endpoint) -> None:
    assert here.kalec("runs", "--host", endpoint.url).out == "no runs\n"
    assert here.kalec("runs", "--host", endpoint.url, "--format", "json").out == "[]\n"


def test_multi_user_needs_a_namespace_and_uses_it(here: Here, make_endpoint: Any) -> None:
    endpoint = make_endpoint(multi_user=True, auth=_someone())
    without = here.kalec("submit", "n.ipynb", "--host", endpoint.url)
    assert (without.status, endpoint.requests) == (2, ["GET /apis/v2beta1/healthz 200"])
    assert "has many users: name your namespace with --namespace" in without.err
    submit(here, endpoint, "--namespace", "team")
    submit(here, endpoint, "--namespace", "team")
    assert [len(kind) for kind in (endpoint.state.pipelines, endpoint.state.versions, endpoint.state.runs)] == [1, 1, 2]
    assert {p["namespace"] for p in endpoint.state.pipelines.values()} == {"team"}
    foreign = here.kalec("submit", "n.ipynb", "--host", endpoint.url, "--namespace", "theirs")
    assert (foreign.status, "does not allow it (403" in foreign.err) == (3, True)


def _someone() -> Any:
    from endpoint import Gate

    class Someone(Gate):
        def check(self, request: Any) -> str:
            return "user@example.com"

    return Someone()


def test_stdout_is_ours_alone_in_a_process_of_its_own(here: Here, endpoint: Endpoint) -> None:
    done = process("submit", "n.ipynb", "--host", endpoint.url, "--format", "json", cwd=here.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["run"]["resumed"] is False


def test_a_notebook_in_a_folder_that_cannot_be_written(
    here: Here, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here.folder / ".kalec").write_text("in the way")
    monkeypatch.setenv("XDG_STATE_HOME", str(here.folder / "state"))
    assert submit(here, endpoint)["run"]["id"] in endpoint.state.runs
    monkeypatch.setenv("XDG_STATE_HOME", str(here.folder / ".kalec"))
    result = here.kalec("submit", "n.ipynb", "--host", endpoint.url)
    assert (result.status, len(endpoint.state.runs)) == (2, 1)
    assert "nothing is submitted without a note of it" in result.err


def test_the_client_is_not_imported_before_it_is_needed(here: Here) -> None:
    code = "import sys, kalecompiler.cli; sys.exit(any(m.split('.')[0] in {'kfp', 'kubernetes'} for m in sys.modules))"
    import subprocess

    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, check=False).returncode == 0
