"""The packages of real notebooks: strict, equal to what kfp's own compiler makes, and of equal values in kfp.local."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import forked
import pytest
import yaml
from equality import compare

from kalecompiler import commands, local
from kalecompiler.runtime import values
from kalecompiler.snapshots import artifact

ROOT = Path(__file__).parent.parent
SHARED = Path(os.environ.get("KALEC_SHARED") or ROOT / ".." / "shared").resolve()

COMPILE = """
import sys
from kfp import compiler
namespace = {"__name__": "rendered"}
for number, path in enumerate(sys.argv[1:]):
    exec(compile(open(path, encoding="utf-8").read(), path, "exec"), namespace)
    compiler.Compiler().compile(namespace["pipeline"], path + ".yaml")
"""

SEED = "import random\nimport numpy as np\nrandom.seed(1)\nnp.random.seed(1)"

# These take the longest, and others serve: the oracle runs them all the same.
SERVED = {
    "r23_example_edges_added": "it trains on the table of r06_iris_sklearn",
    "r31_iris_example_edges_added": "it trains on the table of r06_iris_sklearn",
    "evaluation": "test_metrics runs it by both engines",
}
# What both engines fork the steps of: with every step a real process they run elsewhere.
FORKED = {"churn": "test_project runs it as the README says", "classifiers": "test_report_browser runs it"}


def notebooks() -> list[Path]:
    """The examples, and what of ../shared compiles and runs as it is."""
    manifest = SHARED / "notebooks" / "manifest.json"
    rows = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else []
    real = [SHARED / "notebooks" / row["file"] for row in rows if row["compiles"] and row["runs"]]
    return sorted((ROOT / "notebooks").glob("*.ipynb")) + sorted(real)


NOTEBOOKS = notebooks()


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a notebook, in a folder of its own; those of others get a seed, which none of them has."""
    content = json.loads(request.param.read_text(encoding="utf-8"))
    if request.param.is_relative_to(SHARED):
        cell = {"cell_type": "code", "metadata": {"tags": ["imports"]}, "source": SEED, "outputs": []}
        content["cells"].insert(0, cell | {"id": "seed", "execution_count": None})
    (tmp_path / "work").mkdir()
    path: Path = tmp_path / "work" / request.param.name
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_real_notebooks_are_there(shared: Path) -> None:
    assert len([path for path in NOTEBOOKS if path.is_relative_to(shared)]) >= 8


def test_packages_parse_strictly_and_equal_kfps_own(tmp_path: Path) -> None:
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    compiled = {path.stem: commands.compile_(path, {}).compiled for path in NOTEBOOKS}
    for name, package in compiled.items():
        (tmp_path / f"{name}.py").write_text(package.module, encoding="utf-8")
    modules = [str(tmp_path / f"{name}.py") for name in compiled]
    subprocess.run([sys.executable, "-c", COMPILE, *modules], cwd=tmp_path, check=True, capture_output=True)
    for name, package in compiled.items():
        spec, *platform = documents(package.text)
        assert [spec, *platform] == documents((tmp_path / f"{name}.py.yaml").read_text(encoding="utf-8")), name
        assert spec == package.spec
        json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec(), ignore_unknown_fields=False)
        for document in platform:
            json_format.ParseDict(document, pipeline_spec_pb2.PlatformSpec(), ignore_unknown_fields=False)


def documents(text: str) -> list[Any]:
    """The documents of a package; kfp's comments on top, out of which a text can break, are left out."""
    start = re.search("^components:", text, re.MULTILINE)
    assert start is not None
    return list(yaml.load_all(text[start.start() :], Loader=yaml.CSafeLoader))


def test_values_equal_those_of_kfp_local(notebook: Path, tmp_path: Path) -> None:
    if notebook.stem in SERVED:
        pytest.skip(SERVED[notebook.stem])
    package = commands.compile_(notebook, {}).compiled
    run = forked.run if notebook.stem in FORKED else local.run
    result = run(package.spec, arguments={}, folder=tmp_path / "runs", workdir=notebook.parent)
    assert result.status is local.Status.SUCCEEDED
    (tmp_path / "package.yaml").write_text(package.text, encoding="utf-8")
    done = forked.run_by_kfp(tmp_path / "kfp", tmp_path / "package.yaml", cwd=notebook.parent)
    assert done.returncode == 0, done.stdout
    ours, theirs = dict(outputs(result.folder)), dict(outputs(tmp_path / "kfp"))
    assert ours, "nothing was handed on"
    assert set(ours) == set(theirs)
    assert {name: text for name in ours if (text := unlike(ours[name], theirs[name]))} == {}


def outputs(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """What tasks left under a folder: the artifact's record by task and port."""
    for path in root.rglob("executor_output.json"):
        for port, entry in json.loads(path.read_text(encoding="utf-8")).get("artifacts", {}).items():
            yield f"{path.parent.name}.{port}", {"path": str(path.with_name(port)), **entry["artifacts"][0]}


def variables(snapshot: dict[str, Any]) -> dict[str, Any]:
    """The variables of a snapshot: their types, and why one could not be kept."""
    found, _ = artifact.split(Path(snapshot["path"]).read_bytes())
    return {name: (about.get("type"), about.get("error")) for name, about in found["variables"].items()}


def unlike(ours: dict[str, Any], theirs: dict[str, Any]) -> str | None:
    """What makes two artifacts unequal: their metadata where that is all, what they say of a state, or the values."""
    if ours["metadata"].get("format") == artifact.METADATA_FORMAT:
        states = [variables(record) for record in (ours, theirs)]
        return None if states[0] == states[1] else f"{states[0]}, not {states[1]}"
    digests = [record["metadata"].get("digest") for record in (ours, theirs)]
    if digests[0] is None or digests[0] == digests[1]:
        return None if ours["metadata"] == theirs["metadata"] else f"{ours['metadata']}, not {theirs['metadata']}"
    found = compare(*(values.load(record["path"]) for record in (ours, theirs)))
    return found.difference or ", ".join(found.incomparable) or None
