"""Pipeline packages written by hand, whose steps are small programs that speak the executor contract."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

_BEFORE = """
import json, os, pathlib, signal, subprocess, sys, time
given = json.loads(sys.argv[2])
parameters = given["inputs"]["parameterValues"]
metadata, written = {}, {}
def source(port):
    return given["inputs"]["artifacts"][port]["artifacts"][0]
def read(port):
    return pathlib.Path(source(port)["uri"]).read_text()
def write(port, text):
    pathlib.Path(given["outputs"]["artifacts"][port]["artifacts"][0]["uri"]).write_text(text)
def wait_for(*paths):
    while not all(pathlib.Path(path).exists() for path in paths):
        time.sleep(0.005)
"""

_AFTER = """
for port, entry in given["outputs"]["artifacts"].items():
    artifact = dict(entry["artifacts"][0], metadata=metadata.get(port, {}))
    written[port] = {"artifacts": [{key: artifact[key] for key in ("name", "uri", "metadata")}]}
    path = pathlib.Path(artifact["uri"])
    if artifact["type"]["schemaTitle"] != "system.Metrics" and not path.exists():
        path.write_text(port)
pathlib.Path(given["outputs"]["outputFile"]).write_text(json.dumps({"artifacts": written}))
"""


def task(
    code: str = "",
    *,
    name: str | None = None,
    after: Iterable[str] = (),
    inputs: Iterable[str] = (),
    outputs: Iterable[str] = (),
    metrics: Iterable[str] = (),
    parameters: Mapping[str, Any] | None = None,
    command: list[str] | None = None,
    args: list[str] | None = None,
    step: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A task that runs `code`, then writes every output that it has not written and the executor output.

    `inputs` are written `producer.port` and come under that port; `parameters` are the task's inputs as in a package;
    `step` is the STEP JSON that it carries; `command` and `args` replace ours.
    """
    return {
        "name": name,
        "after": list(after),
        "inputs": [tuple(text.split(".")) for text in inputs],
        "outputs": {
            **{
                port: {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}} for port in outputs
            },
            **{port: {"artifactType": {"schemaTitle": "system.Metrics", "schemaVersion": "0.0.1"}} for port in metrics},
        },
        "parameters": dict(parameters or {}),
        "container": {
            "image": "python:3.11",
            "command": ["python3", "-u", "-c", _BEFORE + code + _AFTER] if command is None else command,
            "args": [json.dumps(step or {}), "{{$}}"] if args is None else args,
            "env": [{"name": name, "value": value} for name, value in (env or {}).items()],
        },
    }


def package(parameters: Mapping[str, Any] | None = None, **tasks: Any) -> dict[str, Any]:
    """A PipelineSpec `sample` with these tasks; an underscore in a keyword is a dash in the task's name."""
    named = {key.replace("_", "-"): value for key, value in tasks.items()}
    return {
        "pipelineInfo": {"name": "sample"},
        "components": {f"comp-{key}": _component(key, value) for key, value in named.items()},
        "deploymentSpec": {"executors": {f"exec-{k}": {"container": v["container"]} for k, v in named.items()}},
        "root": {
            "dag": {"tasks": {key: _dag_task(key, value) for key, value in named.items()}},
            "inputDefinitions": {"parameters": dict(parameters or {})},
        },
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
    }


def _component(key: str, value: Mapping[str, Any]) -> dict[str, Any]:
    inputs = {port: {"artifactType": {"schemaTitle": "system.Artifact"}} for _, port in value["inputs"]}
    parameters = {name: {"parameterType": "STRING"} for name in value["parameters"]}
    return {
        "executorLabel": f"exec-{key}",
        "inputDefinitions": {"artifacts": inputs, "parameters": parameters},
        "outputDefinitions": {"artifacts": value["outputs"]},
    }


def _dag_task(key: str, value: Mapping[str, Any]) -> dict[str, Any]:
    artifacts = {
        port: {"taskOutputArtifact": {"producerTask": producer, "outputArtifactKey": port}}
        for producer, port in value["inputs"]
    }
    return {
        "componentRef": {"name": f"comp-{key}"},
        "dependentTasks": [*value["after"], *{producer for producer, _ in value["inputs"]}],
        "inputs": {"artifacts": artifacts, "parameters": value["parameters"]},
        "taskInfo": {"name": value["name"] or key},
    }


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that happens in another process; AssertionError when it does not."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether a process exists and is more than a zombie (Linux)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
