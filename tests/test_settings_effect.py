"""Settings that are no fields of KFP change the package too, from each place where they can stand, at their spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import write_notebook
from test_kubernetes import BECOMES, NOT_IN_THE_PACKAGE, VALUE_BECOMES, json_of, pyproject

from kalecompiler import commands
from kalecompiler.model import Pipeline
from kalecompiler.plan import plan
from kalecompiler.settingtable import VALUES
from kalecompiler.settingvalues import GRAMMAR, Shape

Json = Any

TEXT = """
# %% pipeline-parameters
n = 1
# %% step:load
import yaml
rows = [n]
model = unknown = yaml.safe_load("{}")
weights = {"rows": rows}
# %% TAGS
unknown.seen = len(rows)
matrix = [[len(rows)]]
print(model, weights)
# %% step:look prev:train
rows.append(2)
print(weights, unknown, model)
"""

# For each: the tag, and where in the step's JSON, the component or the graph it shows, with what stands there.
IN_THE_STEP: dict[str, tuple[str, str, Json]] = {
    "max-artifact-size": ("max-artifact-size:2Gi", "step.max-artifact-size", 2 << 30),
    "preview": ("preview:5", "step.preview", 5),
    "snapshot": ("snapshot:all", "step.snapshot.level", "all"),
    "report": ("report:disabled", "outputs.report", None),
    "metrics": ("metrics:matrix=confusion", "outputs.matrix", "system.ClassificationMetrics"),
    "changes": ("changes:rows", "producer.rows", "train"),
    "together": ("together:rows,weights", "look.rows,weights", "train"),
}
# For each key of the whole pipeline that is no field of KFP: a table, and a text that the package then holds.
ELSEWHERE: dict[str, tuple[str, str]] = {
    "packages": ('packages = ["six>=1.16"]', "six>=1.16"),
    "requirements": ('requirements = "requirements.txt"', "PyYAML==6.0.1"),
    "index-url": ('index-url = "https://pypi.example.com/simple"', "https://pypi.example.com/simple"),
    "trusted-hosts": ('trusted-hosts = ["pypi.example.com"]', "pypi.example.com"),
}


def notebook(folder: Path, *tags: str, **metadata: Json) -> Path:
    text = TEXT.replace("TAGS", json.dumps(["step:train", "prev:load", *tags]))
    return write_notebook(folder / "n.ipynb", text, **metadata)


def compiled(path: Path) -> tuple[Json, str, Pipeline]:
    """The first document of the package, all of its text, and the plan."""
    text = commands.compile_(path, {}).compiled.text
    return next(yaml.safe_load_all(text)), text, plan(path, {}).draft


def shows(spec: Json, pipeline: Pipeline, spot: str) -> Json:
    """What stands at a spot: of the JSON of step `train`, of its outputs, or who hands variables on to `look`."""
    kind, _, rest = spot.partition(".")
    if kind == "step":
        found = json.loads(spec["deploymentSpec"]["executors"]["exec-train"]["container"]["args"][0])
        for key in rest.split("."):
            found = found.get(key) if isinstance(found, dict) else None
        return found
    if kind == "outputs":
        outputs = spec["components"]["comp-train"].get("outputDefinitions", {}).get("artifacts", {})
        return outputs.get(rest, {}).get("artifactType", {}).get("schemaTitle")
    inputs = spec["root"]["dag"]["tasks"]["look"].get("inputs", {}).get("artifacts", {})
    ports = {a.variable: a.port for a in pipeline.step("look").inputs}
    producers = {inputs[ports[name]]["taskOutputArtifact"]["producerTask"] for name in rest.split(",")}
    return producers.pop() if len(producers) == 1 else sorted(producers)


def test_every_other_row_is_in_these_tables() -> None:
    assert set(IN_THE_STEP) == set(GRAMMAR) - set(BECOMES)
    # the experiment is none of the package; parallelism is refused; `pure` is tested with the dataflow and below
    assert set(ELSEWHERE) | {"experiment", "parallelism", "pure"} == NOT_IN_THE_PACKAGE
    assert set(VALUES) - set(VALUE_BECOMES) == NOT_IN_THE_PACKAGE


@pytest.mark.parametrize("kind", IN_THE_STEP)
def test_a_setting_of_the_step_shows_from_each_place(kind: str, tmp_path: Path) -> None:
    tag, spot, expected = IN_THE_STEP[kind]
    row = GRAMMAR[kind]
    spec, _, pipeline = compiled(notebook(tmp_path, tag))
    assert shows(spec, pipeline, spot) == expected
    spec, _, plain = compiled(notebook(tmp_path))
    assert shows(spec, plain, spot) != expected
    rest = tag.partition(":")[2]
    value: Json = {Shape.LIST: [rest], Shape.SWITCH: False}.get(row.shape, int(rest) if rest.isdigit() else rest)
    tables: list[Json] = [{"steps": {"train": {"tags": [tag]}}}]
    tables += [{"steps": {"train": {row.name: value}}}] if row.name else []
    tables += [{row.name: value}, {"tags": [tag]}] if row.shared else []
    for table in tables:
        pyproject(tmp_path, as_toml(table))
        assert plan(notebook(tmp_path), {}).draft.step("train") == pipeline.step("train"), table
        pyproject(tmp_path, "")
        found = plan(notebook(tmp_path, kalecompiler=table), {}).draft
        assert found.step("train") == pipeline.step("train") != plain.step("train"), table
        assert found.step("look").inputs == pipeline.step("look").inputs


def as_toml(table: Json) -> str:
    """The table of a pyproject.toml."""
    steps = table.get("steps", {}).get("train")
    lines = [f"{key} = {json.dumps(value)}" for key, value in (steps or table).items()]
    return "\n".join(["[tool.kalecompiler.steps.train]" if steps else "[tool.kalecompiler]", *lines])


@pytest.mark.parametrize("key", ELSEWHERE)
def test_a_value_of_the_pipeline_shows_from_each_place(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.txt").write_text("PyYAML==6.0.1\n", encoding="utf-8")
    table, shown = ELSEWHERE[key]
    assert shown not in compiled(notebook(tmp_path))[1]
    pyproject(tmp_path, f"[tool.kalecompiler]\n{table}\n")
    _, text, _ = compiled(notebook(tmp_path))
    assert shown in text
    planned = plan(notebook(tmp_path), {}).draft
    pyproject(tmp_path, "")
    assert plan(notebook(tmp_path), {}).draft != planned
    assert plan(notebook(tmp_path, kalecompiler=json_of(table)), {}).draft == planned
    assert plan(notebook(tmp_path), json_of(table)).draft == planned


def test_pure_functions_change_the_graph(tmp_path: Path) -> None:
    text = (
        "# %% imports\nimport mylib\n# %% step:a\nx = [1]\n# %% step:b prev:a\nmylib.score(x)\n# %% step:c prev:b\nx[0]"
    )
    path = write_notebook(tmp_path / "n.ipynb", text)
    assert {(k.variable, k.producer) for k in plan(path, {}).draft.step("c").inputs} == {("x", "b")}
    path = write_notebook(tmp_path / "n.ipynb", text, kalecompiler={"pure": ["mylib.score"]})
    assert {(k.variable, k.producer) for k in plan(path, {}).draft.step("c").inputs} == {("x", "a")}
