"""The plan of a notebook: all findings in one run, the same package everywhere, edits that stay where they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import notebook, write_notebook

from kalecompiler.compile import compile_package
from kalecompiler.plan import plan

ROOT = Path(__file__).parent.parent

NOTEBOOK = """
# %% imports
import math
import json
# %% functions
def area(r):
    return math.pi * r * r
# %% pipeline-parameters
radius = 2.0
names = ["größe", "b"]
# %% step:load
rows = {name: radius for name in names}
# %% step:areas prev:load
class Box:
    def __init__(self, value):
        self.value = value
found = {k: Box(area(v)) for k, v in rows.items()}
# %% step:count prev:load
number = len(rows)
# %% step:report prev:areas prev:count
print(json.dumps({k: b.value for k, b in found.items()}), number)
total = number
# %% pipeline-metrics
total
"""


def compiled(path: Path) -> dict[str, Any]:
    pipeline = plan(path, {}).pipeline
    assert pipeline is not None
    return compile_package(pipeline).spec


def test_all_findings_come_in_one_run(tmp_path: Path) -> None:
    text = """
# %% pipeline-parameters
n = f()
# %% step:a limits:cpu:2
print(undefined)
x = 1
# %% step:b
x = = 2
# %% step:c prev:nowhere
from math import *
# %% step:d prev:a
del x
# %% step:e prev:d
print(x)
# %% pipeline-metrics
x + 1
"""
    found = plan(write_notebook(tmp_path / "nb.ipynb", text), {})
    assert found.pipeline is None
    codes = {d.rule.code for d in found.diagnostics}
    assert codes >= {"KC103", "KC112", "KC210", "KC301", "KC402", "KC411"}
    places = [(d.location.cell or 0, d.location.line or 0) for d in found.diagnostics]
    assert places == sorted(places)
    assert len(set(found.diagnostics)) == len(found.diagnostics)


def test_a_cell_that_cannot_be_read_hides_no_other_finding(tmp_path: Path) -> None:
    text = "# %% step:a\nx = = 1\n# %% step:b\ny = 1\n# %% step:c\ny = 2\n# %% step:d prev:b:c\nprint(y)\n"
    found = plan(write_notebook(tmp_path / "nb.ipynb", text), {})
    assert [d.rule.code for d in found.diagnostics] == ["KC301", "KC204"]


COMPILE = """
import sys
from pathlib import Path
from kalecompiler.compile import compile_package
from kalecompiler.plan import plan
sys.stdout.write(compile_package(plan(Path(sys.argv[1]), {}).pipeline).text)
"""


def package(path: Path, seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", COMPILE, path.name]
    return subprocess.run(command, cwd=path.parent, env=environment, check=True, capture_output=True, text=True).stdout


def test_the_package_is_the_same_to_the_byte(tmp_path: Path) -> None:
    """In another folder, under another hash seed, after the notebook was run."""
    folders = [tmp_path / "one", tmp_path / "another folder" / "deep"]
    for folder in folders:
        folder.mkdir(parents=True)
    one = package(write_notebook(folders[0] / "nb.ipynb", NOTEBOOK), "0")
    executed = notebook(NOTEBOOK)
    for number, cell in enumerate(executed["cells"], 1):
        cell["execution_count"] = number
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": [f"run {number}\n"]}]
        cell["metadata"]["collapsed"] = True
    executed["metadata"]["widgets"] = {"state": {}}
    path = folders[1] / "nb.ipynb"
    path.write_text(json.dumps(executed), encoding="utf-8")
    assert len(one) > 5000
    assert package(path, "4242") == one


EDITS = {
    "a constant of a step": ("number = len(rows)", "number = len(rows) + 0", {"count"}),
    "a method of a class that another step carries": (
        "self.value = value",
        "self.value = value + 0",
        {"areas", "report"},
    ),
    "a function that one step uses": ("return math.pi * r * r", "return math.pi * r ** 2", {"areas"}),
    "a comment in a function": ("def area(r):", "# of a circle\ndef area(r):", set()),
    "a line above, in the same cell": ("found = {k", "unused = 1\nfound = {k", {"areas"}),
    "an import that nobody uses": ("import json", "import json\nimport re", set()),
    "text between the steps": ("# %% step:count", "# %% [markdown]\nHere we count.\n# %% step:count", set()),
    "a cell that is skipped": ("# %% step:load", "# %% skip\n1 / 0\n# %% step:load", set()),
    "a step beside the others": ("# %% step:count", "# %% step:new prev:load\nz = 1\n# %% step:count", {"new"}),
}


@pytest.mark.parametrize("label", EDITS)
def test_an_edit_changes_only_the_components_that_hold_it(label: str, tmp_path: Path) -> None:
    old, new, expected = EDITS[label]
    assert NOTEBOOK.count(old) == 1
    before = components(compiled(with_lasting_ids(tmp_path / "nb.ipynb", NOTEBOOK)))
    after = components(compiled(with_lasting_ids(tmp_path / "nb.ipynb", NOTEBOOK.replace(old, new))))
    assert {name for name in after if before.get(name) != after[name]} == expected
    assert set(before) <= set(after)


def with_lasting_ids(path: Path, text: str) -> Path:
    """Write a notebook whose cells keep their ids when others come and go, as in Jupyter."""
    document = notebook(text)
    for cell in document["cells"]:
        cell["id"] = "-".join(cell["metadata"].get("tags", ["text"])).replace(":", "_")
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def components(spec: dict[str, Any]) -> dict[str, str]:
    """What KFP's cache looks at: for each task its component and the container that it runs."""
    executors = spec["deploymentSpec"]["executors"]
    found = {}
    for name, task in spec["root"]["dag"]["tasks"].items():
        component = spec["components"][task["componentRef"]["name"]]
        parts = [component["executorLabel"], component, executors[component["executorLabel"]]]
        found[name] = json.dumps(parts, sort_keys=True)
    assert len(found) >= 4
    return found


HEAVY = ("kfp", "jinja2", "rich", "IPython", "pandas", "numpy")


def test_check_does_not_import_kfp(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "nb.ipynb", NOTEBOOK)
    program = (
        "import sys\nfrom kalecompiler.cli import kalec\n"
        f"try:\n    kalec(['check', {path.name!r}])\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('loaded', *[m for m in {HEAVY} if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded"


def test_planning_leaves_no_trace(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "nb.ipynb", NOTEBOOK)
    before = path.read_bytes()
    first, second = plan(path, {}), plan(path, {})
    assert first.draft == second.draft
    assert (path.read_bytes(), os.listdir(tmp_path)) == (before, ["nb.ipynb"])


@pytest.mark.parametrize(
    "source",
    ["x = " + "+".join(["1"] * 20_000), "x = " + "-" * 5_000 + "1", "a = 1\nx = a" + ".b" * 3_000],
    ids=["a sum of 20,000 terms", "5,000 signs", "3,000 attributes"],
)
def test_code_nested_too_deeply_is_one_finding(source: str, tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "deep.ipynb", f"# %% step:a\n{source}\n")
    assert [d.rule.code for d in plan(path, {}).diagnostics] == ["KC301"]
    assert plan(write_notebook(path, "# %% step:a\nx = " + "+".join(["1"] * 600)), {}).pipeline is not None


STAR = """
# %% imports
from math import *
# %% step:a
{}
max = 1
# %% step:b{}
print({})
# %% step:d
print("d")
"""


@pytest.mark.parametrize(
    ("makes", "tags", "reads", "said"),
    [
        ("x = 1", " prev:d", "x", ["KC207"]),
        ("x = 1", " prev:a", "x", []),
        ("from math import sqrt", " prev:d", "sqrt(2)", []),
        ("x = 1", " prev:d", "pi", []),
        ("x = 1", " prev:d", "max(1, 2)", []),
    ],
    ids=["a step makes it", "and hands it on", "an import", "nothing else makes it", "Python's own"],
)
def test_a_star_import_does_not_hide_what_a_step_makes(
    makes: str, tags: str, reads: str, said: list[str], tmp_path: Path
) -> None:
    text = STAR.format(makes, tags, reads)
    found = [d.rule.code for d in plan(write_notebook(tmp_path / "nb.ipynb", text), {}).diagnostics]
    assert [code for code in found if code.startswith("KC2")] == said
