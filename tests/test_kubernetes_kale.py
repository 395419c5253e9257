"""Kale's notebooks: what their tags and metadata ask for stands in the right fields of the package."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import write_notebook

from kalecompiler import commands, kalemetadata
from kalecompiler.plan import plan

GOLDEN = Path(__file__).parent / "golden" / "kale_settings.yaml"
NOTE = "a: 'quoted' \"twice\" {braces} {{double}}\nand a second line: # not a comment"
METADATA: dict[str, Any] = {
    "pipeline_name": "kale",
    "pipeline_description": "As Kale's panel writes it",
    "experiment": {"id": "new", "name": "kale"},
    "base_image": "registry.example.org/team/jupyter:1.2",
    "enable_caching": False,
    "timeout": 7200,
    "volume_access_mode": "rwo",
    "storage_class_name": "fast",
    "security_context": {"enabled": True, "run_as_user": 1000},
    "volumes": [
        {"name": "data-pvc", "type": "pvc", "mount_point": "/data", "snapshot": False, "annotations": []},
        {
            "name": "scratch",
            "type": "new_pvc",
            "mount_point": "/scratch",
            "size": 5,
            "size_type": "Gi",
            "volume_access_mode": "rwm",
            "annotations": [{"key": "", "value": ""}],
        },
    ],
    "steps_defaults": {
        "labels": {"access-ml-pipeline": "true"},
        "limits": {"memory": "2Gi"},
        "retry_count": 3,
        "retry_interval": "30s",
        "retry_max_interval": "10m",
        "timeout": 600,
        "secrets": {"TOKEN": {"secret_name": "hub", "secret_key": "token"}},
    },
}
TRAIN = ["block:train", "prev:load", "limit:cpu:2", "limit:memory:4Gi", "limit:nvidia.com/gpu:1"]
TRAIN += ["secret:database:password:DB_PASSWORD", f"annotation:note:{NOTE}", "cache:enabled"]
TEXT = "# %% block:load\nx = 1\n# %% " + json.dumps(TRAIN) + "\nprint(x)\n"


def shown(text: str) -> dict[str, Any]:
    """A package without its steps' code: what settings become."""
    spec, platform = yaml.safe_load_all(text)
    for executor in spec["deploymentSpec"]["executors"].values():
        for key in ("args", "command"):
            executor["container"].pop(key, None)
    tasks = {name: {k: v for k, v in task.items() if k != "componentRef"} for name, task in tasks_of(spec).items()}
    info = {key: spec[key] for key in ("pipelineInfo", "deploymentSpec")}
    return {**info, "tasks": tasks, "platforms": platform["platforms"]}


def tasks_of(spec: dict[str, Any]) -> dict[str, Any]:
    tasks: dict[str, Any] = spec["root"]["dag"]["tasks"]
    return tasks


def test_a_kale_notebook_becomes_the_golden(tmp_path: Path, golden: Callable[[Path, str], None]) -> None:
    path = write_notebook(tmp_path / "n.ipynb", TEXT, kubeflow_notebook=METADATA)
    package = commands.compile_(path, {})
    assert package.diagnostics == ()
    assert package.experiment == "kale"
    found = shown(package.compiled.text)
    golden(GOLDEN, yaml.safe_dump(found, sort_keys=True, allow_unicode=True, width=120))
    train = found["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-train"]
    assert train["podMetadata"]["annotations"] == {"note": NOTE}


def test_the_list_of_tags_means_the_same_as_the_object(tmp_path: Path) -> None:
    tags = [
        "label:access-ml-pipeline:true",
        "limit:memory:2Gi",
        "retry:3:30s:2:10m",
        "timeout:600",
        "secret:hub:token:TOKEN",
    ]
    settled = []
    for defaults in (METADATA["steps_defaults"], tags):
        metadata = {**METADATA, "steps_defaults": defaults}
        planned = plan(write_notebook(tmp_path / "n.ipynb", TEXT, kubeflow_notebook=metadata), {})
        assert planned.diagnostics == ()
        settled.append([step.settings for step in planned.draft.steps])
    assert settled[0] == settled[1]


def test_what_is_switched_off_leaves_nothing(tmp_path: Path) -> None:
    off = {"security_context": {"enabled": False}, "volumes": [], "timeout": None, "steps_defaults": {"retry_count": 0}}
    text = "# %% step:a\nx = 1"
    plain = commands.compile_(write_notebook(tmp_path / "n.ipynb", text), {}).compiled.text
    assert (
        commands.compile_(write_notebook(tmp_path / "n.ipynb", text, kubeflow_notebook=off), {}).compiled.text == plain
    )


@pytest.mark.parametrize("kind", [[], {}, None, 5])
def test_a_volume_of_no_type_is_a_finding(kind: object) -> None:
    _, [problem] = kalemetadata.translate({"volumes": [{"type": kind, "name": "v"}]})
    assert (problem.rule.code, "`v` has no type of pvc" in problem.message) == ("KC132", True)
