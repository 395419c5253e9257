"""Trackers with the clients of those whose servers and readers they write for, where these are installed."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import runtime_steps
from test_tracking import project, told

from kalecompiler.cli import main
from kalecompiler.tracking import eventfiles, registry
from kalecompiler.tracking.tracker import Moment, Run

TWO_STEPS = """
# %% pipeline-parameters
rate = 0.5
# %% step:first
import time
score = rate * 2
time.sleep(PAUSE)
# %% step:second
final = score + 1
print("the log of it")
# %% pipeline-metrics
print(score)
print(final)
"""


def needs(module: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"{module} is not installed")


def made_run(folder: Path) -> Path:
    (found,) = folder.glob(".kalec/runs/*-*")
    return found


class Server:
    """An MLflow server with SQLite, on this machine only."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder, self.address = folder, f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}", "--workers", "1"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{self.address}/health", timeout=2).close()
            except OSError:
                assert time.monotonic() < end, (self.folder / "server.log").read_text()
                time.sleep(0.2)
            else:
                return

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "mlflow").mkdir()
    made = Server(tmp_path / "mlflow")
    made.start()
    yield made
    made.kill()


def check_server(server: Server, folder: Path) -> None:
    """What MLflow's own client reads back of the one run."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=server.address)
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.params == {"rate": "0.5"}
    assert {name: run.data.metrics[name] for name in ("score", "final")} == {"score": 1.0, "final": 2.0}
    assert run.data.metrics["seconds/first"] > 0
    assert (run.data.tags["kalec.run"], run.info.status) == (folder.name, "FINISHED")
    for name in ("score", "final", "seconds/first", "seconds/second"):
        assert len(client.get_metric_history(run.info.run_id, name)) == 1, name
    assert {item.path for item in client.list_artifacts(run.info.run_id)} == {
        "executed.ipynb",
        "run.json",
        "first",
        "second",
    }
    log = client.download_artifacts(run.info.run_id, "second/log.txt", str(folder))
    assert Path(log).read_text() == "the log of it\n"


@needs("mlflow")
@pytest.mark.slow
def test_mlflows_client_reads_a_run_back(tmp_path: Path, server: Server) -> None:
    table = {"uri": server.address, "experiment": "digits", "wait": 120}
    path = project(tmp_path, "mlflow", text=TWO_STEPS.replace("PAUSE", "0"), mlflow=table)
    assert main(["run", str(path)]) == 0
    check_server(server, made_run(tmp_path))


@needs("mlflow")
@pytest.mark.slow
def test_a_server_that_is_killed_during_the_run_gets_the_rest_after_its_restart_once(
    tmp_path: Path, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    table = {"uri": server.address, "experiment": "digits", "wait": 60}
    path = project(tmp_path, "mlflow", text=TWO_STEPS.replace("PAUSE", "20"), mlflow=table)
    run = subprocess.Popen([sys.executable, "-m", "kalecompiler", "run", str(path)], stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while not list(tmp_path.glob(".kalec/runs/*-*/tracking.d/mlflow.progress")):  # the server knows the run
        assert time.monotonic() < end
        time.sleep(0.1)
    server.kill()
    _, errors = run.communicate(timeout=200)
    assert run.returncode == 0, errors.decode()
    assert b"warning: the tracker mlflow was not told all of the run" in errors
    server.start()
    for _ in range(2):
        assert main(["track", "--folder", str(tmp_path / ".kalec" / "runs")]) == 0
    assert "was told" in capfd.readouterr().out
    check_server(server, made_run(tmp_path))


@needs("mlflow")
@pytest.mark.slow
def test_calls_that_mlflow_gets_twice_change_nothing(tmp_path: Path, server: Server) -> None:
    table = {"uri": server.address, "experiment": "digits", "wait": 120}
    path = project(tmp_path, "mlflow", text=TWO_STEPS.replace("PAUSE", "0"), mlflow=table)
    assert main(["run", str(path)]) == 0
    folder = made_run(tmp_path)
    sent = folder / "tracking.d" / "mlflow.sent"
    sent.rename(sent.with_suffix(".queue"))  # as if no call had been noted
    assert main(["track", "--folder", str(folder.parent)]) == 0
    check_server(server, folder)


@needs("tensorboard")
def test_tensorboards_own_reader_reads_the_event_files(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    path = project(tmp_path, "tensorboard", text=TWO_STEPS.replace("PAUSE", "0"))
    assert main(["run", str(path)]) == 0
    reader = EventAccumulator(str(tmp_path / ".kalec" / "tensorboard" / made_run(tmp_path).name))
    reader.Reload()
    assert set(reader.Tags()["scalars"]) == {"score", "final", "seconds/first", "seconds/second"}
    assert [(event.step, event.value) for event in reader.Scalars("final")] == [(0, 2.0)]
    assert abs(reader.Scalars("final")[0].wall_time - time.time()) < 600
    (tensor,) = reader.Tensors("parameters")
    assert b"| rate | 0.5 |" in tensor.tensor_proto.string_val[0]


def log_records(data: bytes) -> Iterator[bytes]:
    """The records of a file of Weights & Biases after its head: LevelDB's log, in blocks of 32 KiB."""
    at, parts = 7, b""
    data = b"\0" * 7 + data
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield parts
            parts = b""


@needs("wandb")
def test_weights_and_biases_has_an_offline_run(tmp_path: Path) -> None:
    from wandb.proto import wandb_internal_pb2

    path = project(tmp_path, "wandb", text=TWO_STEPS.replace("PAUSE", "0"), wandb={"wait": 60})
    assert main(["run", str(path)]) == 0
    (file,) = (tmp_path / ".kalec" / "wandb").rglob("*.wandb")
    history, config, exits = {}, {}, []
    for data in log_records(file.read_bytes()[7:]):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        history.update({(i.key or ".".join(i.nested_key)): i.value_json for i in record.history.item})
        config.update({i.key: i.value_json for i in record.run.config.update})
        exits += [record.exit.exit_code] if record.HasField("exit") else []
    assert {name: float(history[name]) for name in ("score", "final")} == {"score": 1.0, "final": 2.0}
    assert config["rate"] == "0.5"
    assert exits == [0]


def test_an_event_file_is_made_of_records_with_checksums(tmp_path: Path) -> None:
    run = Run("run-1", "p", tmp_path / "runs" / "run-1", 1.0)
    tracker = eventfiles.TensorBoard({"folder": str(tmp_path)})
    for _ in range(2):  # a call that comes twice
        tracker.metrics(run, "s", {"x": 0.5, "name": "text", "large": 1e300}, Moment(7, 2.0))
    (file,) = (tmp_path / "run-1").iterdir()
    data, found = file.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        found.append(data[12 : 12 + length])
        assert data[8:12] == masked(data[:8])
        assert data[12 + length : 16 + length] == masked(found[-1])
        data = data[16 + length :]
    assert found[0].endswith(b"brain.Event:2")
    assert struct.pack("<f", 0.5) in found[1]
    assert b"name" not in found[1]
    assert b"large" not in found[1]  # it would be infinite there
    tracker.run_started(Run("run-2", "p", tmp_path, 1.0, {"text": "a|b\nc"}), Moment(0, 2.0))
    (file,) = (tmp_path / "run-2").iterdir()
    assert b"\n| text | a\\|b c |\n" in file.read_bytes()


def masked(data: bytes) -> bytes:
    """TFRecord's checksum, bit by bit, from the definition of CRC-32C."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 * (crc & 1)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def test_the_checksum_is_crc_32c() -> None:
    (value,) = struct.unpack("<I", masked(b"123456789"))
    unmasked = (value - 0xA282EAD8) & 0xFFFFFFFF
    assert (unmasked << 15 | unmasked >> 17) & 0xFFFFFFFF == 0xE3069283


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is not None, reason="mlflow is installed")
def test_a_client_that_is_not_installed_is_a_warning(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = project(tmp_path, "mlflow", "jsonl", text=TWO_STEPS.replace("PAUSE", "0"))
    assert main(["run", str(path)]) == 0
    assert "the tracker mlflow was not told all of the run: mlflow is not installed" in capfd.readouterr().err
    assert told(tmp_path / ".kalec" / "runs.jsonl")[-1]["status"] == "succeeded"


def told_by_steps(
    to: Server | dict[str, Any], folder: Path, names: list[str], run: str, code: str, **fields: Any
) -> list[str]:
    """The steps of a run on KFP, all at once, each of which tells a tracker; what they wrote on stderr."""
    if isinstance(to, Server):
        to = {"name": "mlflow", "options": {"uri": to.address, "experiment": "digits", "wait": 120}}
    tracker = {**to, "class": registry._SHIPPED[to["name"]]}
    tracking = {"pipeline": "pipe", "trackers": [tracker], **fields}
    processes = []
    for name in names:
        content = runtime_steps.step(
            code,
            name=name,
            parameters={"rate": {"type": "float", "default": 0.5}},
            metrics={"port": "metrics", "values": [{"name": f"score_{name}", "variable": "score"}]},
            report="report",
            tracking=tracking,
        )
        place = folder / "root" / run / name / "artifacts"  # a run's folder holds those of its tasks
        place.mkdir(parents=True)
        given = runtime_steps.executor_input(content, place.parent).replace("/artifacts/", "/")
        command = runtime_steps.command(content, given)
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    return [process.communicate(timeout=200)[1] for process in processes]


@needs("mlflow")
@pytest.mark.slow
def test_steps_on_kfp_that_end_at_once_make_one_run(tmp_path: Path, server: Server) -> None:
    from mlflow.tracking import MlflowClient

    names = ["a", "b", "c", "d"]
    code = "print('hello')\nscore = rate * 2"
    assert told_by_steps(server, tmp_path, names, "run-1", code, last=True) == [""] * 4
    client = MlflowClient(tracking_uri=server.address)
    experiment = client.get_experiment_by_name("digits")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.data.tags["kalec.run"], run.info.status, run.data.params) == ("run-1", "FINISHED", {"rate": "0.5"})
    assert {f"score_{name}": 1.0 for name in names}.items() <= run.data.metrics.items()
    assert {item.path for item in client.list_artifacts(run.info.run_id)} == set(names)
    page = client.download_artifacts(run.info.run_id, "a/report.html", str(tmp_path))
    assert "hello" in Path(page).read_text()
    (error,) = told_by_steps(server, tmp_path, ["e"], "run-1", "raise ValueError('so')")
    assert error.rstrip().endswith("step e failed in nb.ipynb e[1], line 1")
    assert told_by_steps(server, tmp_path, ["f"], "run-1", code, last=True) == [""]
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.data.tags["kalec.failure.e"], run.info.status) == ("ValueError: so", "FAILED")


@needs("mlflow")
@pytest.mark.slow
def test_steps_on_kfp_go_on_without_the_server(tmp_path: Path, server: Server) -> None:
    server.kill()
    (error,) = told_by_steps(server, tmp_path, ["a"], "run-1", "score = 1")
    assert "kalec: warning: the tracker mlflow was not told all of this step: " in error
    assert error.endswith("; what it missed is lost\n")
    assert len(error.splitlines()) == 1


@needs("tensorboard")
def test_tensorboards_own_reader_reads_what_steps_on_kfp_wrote(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    to = {"name": "tensorboard", "options": {"folder": str(tmp_path)}}
    assert told_by_steps(to, tmp_path, ["a", "b"], "run-1", "score = rate * 2") == ["", ""]
    reader = EventAccumulator(str(tmp_path / "run-1"))
    reader.Reload()
    assert set(reader.Tags()["scalars"]) == {"score_a", "score_b", "seconds/a", "seconds/b"}
    assert [event.value for event in reader.Scalars("score_b")] == [1.0]


@needs("wandb")
@pytest.mark.slow
def test_each_step_on_kfp_is_a_run_of_weights_and_biases_in_one_group(tmp_path: Path) -> None:
    to = {"name": "wandb", "options": {"folder": str(tmp_path), "project": "digits", "wait": 120}}
    assert told_by_steps(to, tmp_path, ["a", "b"], "run-1", "score = rate * 2", last=True) == ["", ""]
    (first, second) = sorted(tmp_path.glob("wandb/offline-run-*/*.wandb"), key=lambda path: path.name)
    assert (first.name, second.name) == ("run-run-1-a.wandb", "run-run-1-b.wandb")
    assert b"score_a" in first.read_bytes()
    assert b"run-1" in second.read_bytes()
