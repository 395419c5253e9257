"""Compiled notebooks, run here and by kfp.local: the same package, the same values."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import write_notebook

from kalecompiler import local
from kalecompiler.compile import Compiled, compile_package
from kalecompiler.model import Pipeline
from kalecompiler.plan import plan

NOTEBOOK = """
# %% imports
import statistics
# %% pipeline-parameters
n = 4
scale = 2.0
label = "größe {{x}} 'q'\\n"
# %% step:load
values = [scale * i for i in range(n)]
# %% step:mean prev:load
mean = statistics.mean(values)
# %% step:largest prev:load
largest = max(values), label
# %% step:report prev:mean prev:largest
summary = {"mean": mean, "largest": largest}
# %% step:show prev:report
print(summary)
assert mean < 100, "too large"
"""

KFP_LOCAL = """
import sys
from kfp import components, local
local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[2])
components.load_component_from_file(sys.argv[1])()
"""


def compiled(folder: Path) -> tuple[Pipeline, Compiled]:
    planned = plan(write_notebook(folder / "sample.ipynb", NOTEBOOK), {})
    assert planned.pipeline is not None, planned.diagnostics
    return planned.pipeline, compile_package(planned.pipeline)


def digests(root: Path) -> dict[str, str]:
    """The digest of every value that a run left under its folder, by task and port."""
    found = {}
    for output in root.rglob("executor_output.json"):
        written = json.loads(output.read_text(encoding="utf-8")).get("artifacts", {})
        for port, entry in written.items():
            metadata = entry["artifacts"][0]["metadata"]
            if "variable" in metadata:
                found[f"{output.parent.name}.{port}"] = metadata["digest"]
    return found


def test_a_notebook_runs_and_its_parameters_can_be_given(tmp_path: Path) -> None:
    _, package = compiled(tmp_path)
    arguments = {"n": 3, "scale": 0.5}
    result = local.run(package.spec, arguments=arguments, folder=tmp_path / "runs", workdir=tmp_path)
    assert result.status is local.Status.SUCCEEDED
    log = result.steps[-1].log
    assert log is not None
    assert log.read_text(encoding="utf-8") == "{'mean': 0.5, 'largest': (1.0, \"größe {{x}} 'q'\\n\")}\n"


def test_a_failure_is_found_in_the_notebook(tmp_path: Path) -> None:
    pipeline, package = compiled(tmp_path)
    arguments = {"scale": 1000.0}
    result = local.run(package.spec, arguments=arguments, folder=tmp_path / "runs", workdir=tmp_path)
    failed = next(step for step in result.steps if step.failure)
    assert failed.name == "show"
    assert failed.failure is not None
    assert failed.failure.place == local.Place("sample.ipynb show[1]", 2)
    location = local.locate(pipeline, failed.failure.place)
    assert location is not None
    assert (location.path, location.cell, location.line) == (str(tmp_path / "sample.ipynb"), 7, 2)


def test_the_values_are_those_of_kfp_local(tmp_path: Path) -> None:
    pytest.importorskip("kfp")
    _, package = compiled(tmp_path)
    result = local.run(package.spec, arguments={}, folder=tmp_path / "runs", workdir=tmp_path)
    assert result.status is local.Status.SUCCEEDED
    (tmp_path / "sample.yaml").write_text(package.text, encoding="utf-8")
    command = [sys.executable, "-c", KFP_LOCAL, str(tmp_path / "sample.yaml"), str(tmp_path / "kfp")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    ours = digests(result.folder)
    assert len(ours) >= 4
    assert digests(tmp_path / "kfp") == ours
