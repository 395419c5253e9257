"""Trackers that a step on KFP tells of itself: what they are told, and that nothing of theirs reaches the step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path
from typing import Any

import pytest
from runtime_steps import Done, run, step
from test_local_engines import KFP_LOCAL
from test_tracking import project, told

from kalecompiler import commands
from kalecompiler.cli import main
from kalecompiler.runtime import extras, telling
from kalecompiler.snapshots import packagecode
from kalecompiler.tracking import mlflowruns, registry
from kalecompiler.tracking.tracker import Moment, Run

PLUG_IN = """
import json, os, sys, time
import kalecompiler.tracking.tracker as base
from kalecompiler.tracking.tracker import Tracker
assert base.Tracker is Tracker
class Far(Tracker):
    def _keep(self, run, *call):
        print("noise")
        if os.path.exists(self.options["down"]):
            {"raise": self.fail, "hang": lambda: time.sleep(60), "die": lambda: os._exit(3)}[self.options["how"]]()
        with open(self.options["server"], "a") as file:
            print(json.dumps([run.id, run.teller, *call]), file=file)
    def fail(self):
        raise ConnectionError("nobody is there")
    def run_started(self, run, moment):
        self._keep(run, "run_started", dict(run.parameters))
    def step_finished(self, run, step, moment):
        self._keep(run, "step_finished", step.name, step.status, step.failure, step.seconds < 30)
    def metrics(self, run, step, values, moment):
        self._keep(run, "metrics", step, dict(values))
    def artifacts(self, run, step, files, moment):
        self._keep(run, "artifacts", [(file.name, "hello" in file.read_text()) for file in files])
    def close(self, run, status, moment):
        self._keep(run, "close", status)
"""
METRICS = {"port": "metrics", "values": [{"name": "score", "variable": "score"}]}


class Far:
    """A tracker that an image brings, and that is down while `down` is there; kalecompiler is not in the image."""

    def __init__(self, folder: Path) -> None:
        self.server, self.down, self.site = folder / "server", folder / "down", folder / "site"
        about = self.site / "far-1.0.dist-info"
        about.mkdir(parents=True)
        (self.site / "afar.py").write_text(PLUG_IN, "utf-8")
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: far\nVersion: 1.0\n", "utf-8")
        (about / "entry_points.txt").write_text("[kalecompiler.trackers]\nfar = afar:Far\n", "utf-8")
        self.environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.site)}

    @property
    def python(self) -> tuple[str, ...]:
        """A Python without this environment's packages."""
        return (sys._base_executable, "-u")  # type: ignore[attr-defined]

    def tracking(self, how: str = "raise", wait: float = 30, **fields: Any) -> dict[str, Any]:
        options = {"server": str(self.server), "down": str(self.down), "how": how, "wait": wait}
        return {"pipeline": "pipe", "trackers": [{"name": "far", "options": options}], **fields}

    def run(self, folder: Path, content: dict[str, Any], **environment: str) -> Done:
        return run(folder, content, python=self.python, env={**self.environment, **environment})

    @property
    def calls(self) -> list[list[Any]]:
        return [call for _, _, *call in told(self.server)] if self.server.exists() else []


@pytest.fixture
def far(tmp_path: Path) -> Far:
    return Far(tmp_path)


def work(code: str = "print('hello')\nscore = rate * 3", **fields: Any) -> dict[str, Any]:
    parameters = {"rate": {"type": "float", "default": 0.5}}
    return step(code, parameters=parameters, metrics=METRICS, report="report", **fields)


def test_a_step_tells_of_itself_where_kalecompiler_is_not_installed(tmp_path: Path, far: Far) -> None:
    done = far.run(tmp_path / "run-1", work(tracking=far.tracking(last=True)))
    assert telling.as_declared(1, "float").hex() == "0x1.0000000000000p+0"
    assert (done.status, done.out, done.err) == (0, "hello\n", "")
    assert far.calls == [
        ["run_started", {"rate": 0.5}],
        ["step_finished", "work", "succeeded", None, True],
        ["metrics", "work", {"score": 1.5}],
        ["artifacts", [["report.html", True]]],
        ["close", "succeeded"],
    ]


def test_one_that_failed_too_and_one_in_the_middle_does_not_end_the_run(tmp_path: Path, far: Far) -> None:
    code = "import os\nprint('hello')\nraise ValueError('the key is ' + os.environ.pop('KEY').strip())"
    tracking = far.tracking(secrets=["KEY", "UNSET"])
    failed, plain = far.run(tmp_path, work(code, tracking=tracking), KEY="s3cr3t\n"), tmp_path / "plain"
    assert failed.status == 1
    assert failed.err == far.run(plain, work(code), KEY="s3cr3t\n").err
    assert far.calls[1:] == [
        ["step_finished", "work", "failed", "ValueError: the key is ***", True],
        ["artifacts", [["report.html", True]]],
        ["close", "failed"],
    ]
    far.server.unlink()
    last = work("pass", tracking=far.tracking(last=True))
    run(tmp_path, last, python=far.python, env=far.environment, parameters={"final_status": {"state": "FAILED"}})
    assert [call for call in far.calls if call[0] == "close"] == [["close", "failed"]]
    far.server.unlink()
    far.run(tmp_path, work(tracking=far.tracking()))
    assert [call[0] for call in far.calls] == ["run_started", "step_finished", "metrics", "artifacts"]


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        ("raise", "ConnectionError: nobody is there"),
        ("hang", "it did not take all within 1 s"),
        ("die", "its client ended with 3"),
    ],
)
def test_a_tracker_that_is_down_costs_a_step_a_warning_and_is_told_later_once(
    tmp_path: Path,
    far: Far,
    how: str,
    problem: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    far.down.touch()
    shelf = tmp_path / "shelf"
    content = work(tracking=far.tracking(how, 30 if how == "raise" else 1, last=True))
    began = time.monotonic()
    done = far.run(tmp_path / "run-1", content, KALEC_SNAPSHOTS=str(shelf))
    assert time.monotonic() - began < 8
    rest = f"the rest waits there: kalec track --folder {shelf / 'pipe'}"
    assert (done.status, done.err) == (
        0,
        f"kalec: warning: the tracker far was not told all of this step: {problem}; {rest}\n",
    )
    assert done.artifacts["metrics"]["metadata"] == {"score": 1.5}
    assert far.calls == []
    far.down.unlink()
    monkeypatch.syspath_prepend(str(far.site))
    for _ in range(2):
        assert main(["track", "--folder", str(shelf / "pipe")]) == 0
        assert [call[0] for call in far.calls] == ["run_started", "step_finished", "metrics", "artifacts", "close"]
    assert far.calls[3] == ["artifacts", [["report.html", True]]]
    assert "far was told" in capfd.readouterr().out


def test_without_a_place_to_keep_it_the_rest_is_lost_and_that_is_said(tmp_path: Path, far: Far) -> None:
    far.down.touch()
    for place in ("", "memory://here", "/proc/nowhere"):
        done = far.run(tmp_path, work(tracking=far.tracking("die")), KALEC_SNAPSHOTS=place)
        assert done.status == 0
        assert "its client ended with 3; what it missed is lost" in done.err
    assert far.calls == []


def test_what_cannot_be_told_at_all_is_a_line_on_stderr(tmp_path: Path, far: Far) -> None:
    gone = {"name": "jsonl", "options": {"folder": "/no/such"}, "class": registry._SHIPPED["jsonl"]}
    unknown = {"name": "nobody", "options": {}}
    shipped = {"name": "mlflow", "options": {}, "class": registry._SHIPPED["mlflow"]}
    tracking = {"pipeline": "p", "trackers": [gone, unknown, shipped]}
    done = far.run(tmp_path, work(tracking=tracking))
    assert (done.status, done.err.splitlines()) == (
        0,
        [
            "kalec: the tracker jsonl is not told of this step: its container has no folder /no/such",
            "kalec: the tracker nobody is not told of this step: "
            "the package of the tracker nobody is not installed in its container",
            "kalec: the tracker mlflow is not told of this step: mlflow is not installed in its container",
        ],
    )
    bare = step("x = 1", tracking=tracking)
    assert "no tracker is told of this step: it has no artifact" in far.run(tmp_path, bare).err


def test_the_steps_of_kalec_run_tell_nobody(tmp_path: Path, far: Far) -> None:
    done = far.run(tmp_path, work(tracking=far.tracking()), KALEC_RUNS="run-1")
    assert (done.status, done.err, far.calls) == (0, "", [])


def test_a_step_that_is_to_stop_does_not_wait_long(tmp_path: Path, far: Far) -> None:
    """It has 30 seconds from Kubernetes; a tracker gets 5 of them."""
    from runtime_steps import command, executor_input

    far.down.touch()
    content = work("import time\nprint('here', flush=True)\ntime.sleep(60)", tracking=far.tracking("hang"))
    arguments = command(content, executor_input(content, tmp_path), far.python)
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=far.environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)  # impatience ends the telling too
    _, errors = process.communicate(timeout=20)
    assert time.monotonic() - began < 10
    assert "was terminated in nb.ipynb work[1]" in errors


UUIDS = "8b3dd2dc-9e5c-4a1f-9d55-0c0b8b9a7b01", "11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (f"minio://mlpipeline/v2/artifacts/pipe/{UUIDS[0]}/train/{UUIDS[1]}/x", (UUIDS[0], f"train.{UUIDS[1]}")),
        (f"s3://b/pipe/{UUIDS[0]}/train/17/x", (UUIDS[0], "train.17")),
        (f"gs://b/pipe/{UUIDS[0]}/train/x", (UUIDS[0], "train")),
        ("gs://b/pipe/run-7/train/17/x", ("run-7", "train.17")),
        ("/root/local/pipe-2026-11-21/train/x", ("pipe-2026-11-21", "train")),
        (f"/minio/b/pipe/{UUIDS[0]}/train/17/x", (UUIDS[0], "train.17")),
        ("/root/local/run/a b=c/x", ("run", "a_b_c")),
        ("x", ("", "")),
        ("", ("", "")),
    ],
)
def test_the_uri_of_an_artifact_says_the_run(uri: str, expected: tuple[str, str]) -> None:
    assert telling.identity({"artifacts": {"x": {"artifacts": [{"uri": uri}]}}}) == expected


TWO_ENDS = """
# %% pipeline-parameters
rate = 0.5
# %% step:load
values = [1, 2, 3]
# %% step:first
low = min(values) * rate
# %% step:second
high = max(values)
# %% pipeline-metrics
print(low)
"""


def test_a_compiled_package_tells_through_kfp_local(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    options = {
        "jsonl": {"folder": str(shelf)},
        "tensorboard": {"folder": "beside"},
        "mlflow": {"api-token": "canary-1", "uri": "http://me:canary-2@host/", "experiment": "{{x}} python3"},
    }
    path = project(tmp_path, *options, text=TWO_ENDS, **options)
    assert main(["compile", str(path), "-o", "n.yaml"]) == 0
    said = capfd.readouterr().err
    for name in ("api-token", "uri"):
        assert f"warning: option `{name}` of the tracker mlflow is left out, as it looks like a secret" in said
    text = Path("n.yaml").read_text("utf-8")
    assert "canary" not in text
    assert text.count('"name": "tensorboard"') == 0
    command = [sys.executable, "-c", KFP_LOCAL, "n.yaml", str(tmp_path / "root")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "mlflow is not installed in its container" in done.stdout + done.stderr
    files = {file.name.split(".")[-2]: told(file) for file in shelf.iterdir()}
    assert {name: [line["event"] for line in lines] for name, lines in files.items()} == {
        "load": ["run_started", "step_finished", "artifacts"],
        "first": ["run_started", "step_finished", "metrics", "artifacts", "run_finished"],
        "second": ["run_started", "step_finished", "artifacts", "run_finished"],
    }
    assert files["first"][0]["parameters"] == {"rate": 0.5}
    assert files["first"][2]["values"] == {"low": 0.5}
    assert files["first"][3]["files"] == ["first/report.html"]
    assert len({line["run"] for lines in files.values() for line in lines}) == 1


def test_only_steps_that_tell_carry_it(tmp_path: Path) -> None:
    path = project(tmp_path, "jsonl", text=TWO_ENDS, jsonl={"folder": str(tmp_path)})
    assert commands.compile_(path, {}, tracked=True).compiled.module.count("_TELLING") > 0
    assert commands.compile_(path, {}).compiled.module.count("_TELLING") == 0
    used = {"trackers": [{"name": "jsonl"}, {"name": "mlflow"}, {"name": "plug-in"}]}
    assert extras({"tracking": used}) == ("jsonl", "mlflow", "telling")


def test_a_step_is_told_of_every_secret_that_trackers_must_not_hear(tmp_path: Path) -> None:
    text = "# %% step:a secret:db:key:KEY secret-volume:certs:/certs snapshot:off\n1"
    path = project(tmp_path, "jsonl", text=text, jsonl={"folder": str(tmp_path)})
    module = commands.compile_(path, {}, tracked=True).compiled.module
    assert "KALE_VOLUME_CERTS" in module.partition('"secrets"')[2].partition("]")[0]


class Server:
    """As much of MLflow's server as runs need: `client` stands for MlflowClient."""

    def __init__(self) -> None:
        self.runs: dict[str, types.SimpleNamespace] = {}
        self.lock = threading.Lock()
        self.looking = threading.Barrier(3)

    def client(self, tracking_uri: str | None) -> Any:
        return self

    def get_experiment_by_name(self, name: str) -> Any:
        return types.SimpleNamespace(experiment_id="1")

    def search_runs(self, experiments: list[str], filter_string: str) -> list[Any]:
        with self.lock:
            return list(self.runs.values())

    def create_run(self, experiment: str, started: int, tags: dict[str, str]) -> Any:
        self.looking.wait(5)  # all have looked by now, and found none
        with self.lock:
            ident = f"id-{len(self.runs)}"
            info = types.SimpleNamespace(run_id=ident, start_time=started)
            data = types.SimpleNamespace(tags=dict(tags), params={}, metrics={})
            self.runs[ident] = types.SimpleNamespace(info=info, data=data)
            return self.runs[ident]

    def get_run(self, ident: str) -> Any:
        return self.runs[ident]

    def set_tag(self, ident: str, name: str, value: str) -> None:
        self.runs[ident].data.tags[name] = value

    def delete_run(self, ident: str) -> None:
        with self.lock:
            del self.runs[ident]

    def log_param(self, ident: str, name: str, value: str) -> None:
        self.runs[ident].data.params[name] = self.runs[ident].data.params.get(name, "") + value


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    for name, attributes in {
        "mlflow": {},
        "mlflow.tracking": {"MlflowClient": server.client},
        "mlflow.exceptions": {"MlflowException": ValueError},
    }.items():
        made = types.ModuleType(name)
        made.__dict__.update(attributes)
        monkeypatch.setitem(sys.modules, name, made)
    monkeypatch.setattr(mlflowruns.MLflow, "settling", 0.2)
    return server


def test_steps_that_end_at_once_agree_on_one_run_of_mlflow(server: Server) -> None:
    def tell(number: int) -> None:
        run = Run("run-1", "p", Path(), 100.0 - number, {"a": number}, teller=f"step-{number}")
        mlflowruns.MLflow({}).run_started(run, Moment(0, 0.0))

    threads = [threading.Thread(target=tell, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (kept,) = server.runs.values()
    assert kept.info.start_time == 98_000
    assert sorted(kept.data.params["a"]) == ["0", "1", "2"]
    assert kept.data.tags["kalec.settled"] == "step-2"
    tell(9)  # one whose step began earlier still, and that ends later, takes the run that is there
    assert list(server.runs.values()) == [kept]
    assert "9" in kept.data.params["a"]


@pytest.mark.parametrize("told", [True, False], ids=["that another step told", "that nobody told"])
def test_a_run_of_mlflow_is_given_up_but_nothing_in_it(
    server: Server, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    """The server was so slow that another step took the run, before a third had settled on its own."""
    server.looking = threading.Barrier(1)

    def meanwhile(_: float) -> None:
        if told:
            server.log_param("id-0", "b", "theirs")
        server.create_run("1", 0, {mlflowruns.SETTLED_TAG: "step-2"})

    monkeypatch.setattr(mlflowruns.time, "sleep", meanwhile)
    run = Run("run-1", "p", Path(), 100.0, {"a": 1}, teller="step-1")
    mlflowruns.MLflow({}).run_started(run, Moment(0, 0.0))
    assert server.runs["id-1"].data.params == {"a": "1"}
    assert set(server.runs) == ({"id-0", "id-1"} if told else {"id-1"})


def test_an_exit_step_is_the_last_one(tmp_path: Path) -> None:
    text = "# %% step:a\nx = 1\n# %% step:b\ny = x\n# %% exit:bye\nprint('bye')"
    for source, last in ((text, ["bye"]), (text.partition("# %% exit")[0], ["b"])):
        path = project(tmp_path, "mlflow", text=source)
        steps = packagecode.steps(commands.compile_(path, {}, tracked=True).compiled.spec)
        assert [key for key, own in steps.items() if own["tracking"].get("last")] == last
