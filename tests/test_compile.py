"""Compiling: the package is what kfp would make of the module, the same bytes every time, and nothing in it was run."""

from __future__ import annotations

import builtins
import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kfp.pipeline_spec import pipeline_spec_pb2
from launcher import substitute, substitute_locally
from pipelines import PROGRAM, backend_bytes, cell, chain, churn, one_step, with_parameters

from kalecompiler import compile as compiling
from kalecompiler import payload, render, sizes
from kalecompiler.compile import compile_package
from kalecompiler.diagnostics import NotebookError, Severity
from kalecompiler.model import Artifact, Output, Parameter, Pipeline, Step, StepSettings

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"

# A runtime as small as can be: it runs the code of a step, with its inputs, and writes its outputs as JSON.
TINY_RUNTIME = """# This speaks the contract of kfp.dsl.executor_main.
import json, os, sys
step, told = json.loads(sys.argv[1]), json.loads(sys.argv[2])
space = dict(told["inputs"].get("parameterValues", {}))
for item in step.get("inputs", []):
    with open(told["inputs"]["artifacts"][item["port"]]["artifacts"][0]["uri"]) as file:
        space[item["variable"]] = json.load(file)
for code in step["code"]:
    exec("\\n".join(code["source"]), space)
written = {}
for item in step.get("outputs", []):
    artifact = told["outputs"]["artifacts"][item["port"]]["artifacts"][0]
    os.makedirs(os.path.dirname(artifact["uri"]), exist_ok=True)
    with open(artifact["uri"], "w") as file:
        json.dump(space[item["variable"]], file)
    written[item["port"]] = {"artifacts": [{key: artifact[key] for key in ("name", "uri")}]}
os.makedirs(os.path.dirname(told["outputs"]["outputFile"]), exist_ok=True)
with open(told["outputs"]["outputFile"], "w") as file:
    json.dump({"artifacts": written}, file)
"""


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Goldens must not change with the runtime, nor with the versions of kfp and kalecompiler."""
    monkeypatch.setattr(payload, "program", lambda parts: PROGRAM)
    monkeypatch.setattr(render, "VERSION", "0.0.0")
    monkeypatch.setattr(compiling, "VERSION", "0.0.0")


def documents(text: str) -> list[Any]:
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


def container(spec: dict[str, Any], task: str) -> dict[str, Any]:
    found: dict[str, Any] = spec["deploymentSpec"]["executors"][f"exec-{task}"]["container"]
    return found


def kfp_documents(module: str, folder: Path) -> list[Any]:
    """What `kfp dsl compile` makes of the module; its comments on top are left out, which text can break out of."""
    (folder / "rendered.py").write_text(module, encoding="utf-8")
    command = [
        sys.executable,
        "-c",
        "from kfp.cli.__main__ import main; main()",
        "dsl",
        "compile",
        "--py",
        "rendered.py",
        "--output",
        "out.yaml",
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    text = (folder / "out.yaml").read_text(encoding="utf-8")
    return documents(text[re.search("^components:", text, re.MULTILINE).start() :])  # type: ignore[union-attr]


def test_package_is_the_golden_byte_for_byte_twice(golden: Callable[[Path, str], None]) -> None:
    first, second = compile_package(churn()), compile_package(churn())
    assert first == second
    golden(GOLDEN / "churn.yaml", re.sub("sdkVersion: kfp-.*", "sdkVersion: kfp-0.0.0", first.text))


@pytest.mark.parametrize("pipeline", [pytest.param(churn(), id="churn"), pytest.param(chain(5), id="chain")])
def test_package_equals_kfps_own_and_parses_strictly(pipeline: Pipeline, tmp_path: Path) -> None:
    compiled = compile_package(pipeline)
    expected = [compiled.spec] if compiled.platform is None else [compiled.spec, compiled.platform]
    assert documents(compiled.text) == expected == kfp_documents(compiled.module, tmp_path)
    json_format.ParseDict(compiled.spec, pipeline_spec_pb2.PipelineSpec(), ignore_unknown_fields=False)
    json_format.ParseDict(compiled.platform or {}, pipeline_spec_pb2.PlatformSpec(), ignore_unknown_fields=False)


def test_the_module_makes_the_package_when_it_is_run(tmp_path: Path) -> None:
    compiled = compile_package(chain(2))
    (tmp_path / "rendered.py").write_text(compiled.module, encoding="utf-8")
    subprocess.run([sys.executable, "rendered.py"], cwd=tmp_path, check=True)
    assert documents((tmp_path / "chain.yaml").read_text("utf-8")) == [compiled.spec]


def test_bytes_hang_neither_on_the_hash_seed_nor_on_the_folder_nor_on_kfps_variables(tmp_path: Path) -> None:
    code = "from pipelines import churn; from kalecompiler.compile import compile_package as c; p = c(churn())"
    code = f"from kalecompiler import payload; payload.program = lambda parts: 'p'; {code}; print(p.text + p.module)"
    outputs = set()
    for seed, caching in (("0", "0"), ("7", "1")):
        (tmp_path / seed).mkdir()
        path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        variables = {"PYTHONHASHSEED": seed, "KFP_DISABLE_EXECUTION_CACHING_BY_DEFAULT": caching, "PYTHONPATH": path}
        command = [sys.executable, "-c", code]
        outputs.add(subprocess.check_output(command, env={**os.environ, **variables}, cwd=tmp_path / seed))
    assert len(outputs) == 1


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder) -> None:
    compile_package(churn())
    assert (capfd.readouterr(), list(recwarn)) == (("", ""), [])


def test_editing_a_step_changes_that_steps_component_alone() -> None:
    before = chain(4)
    edited = dataclasses.replace(before.steps[2], code=(cell("step_2", "x2 = 5", 3),))
    after = dataclasses.replace(before, steps=(*before.steps[:2], edited, *before.steps[3:]))
    old, new = compile_package(before).spec, compile_package(after).spec
    changed = {
        key
        for key, value in old["deploymentSpec"]["executors"].items()
        if value != new["deploymentSpec"]["executors"][key]
    }
    assert changed == {"exec-step-2"}
    assert (old["components"], old["root"]) == (new["components"], new["root"])


def test_edges_follow_data_and_after() -> None:
    tasks = compile_package(churn()).spec["root"]["dag"]["tasks"]
    assert {name: task.get("dependentTasks", []) for name, task in tasks.items()} == {
        "load": [],
        "check": [],
        "train-model": ["check", "load"],
        "import": ["train-model"],
    }


@pytest.mark.parametrize("task", ["import", "dsl", "sum", "os", "print", "list", "pipeline", "match", "lr", "a-b-2"])
def test_a_task_keeps_its_name(task: str) -> None:
    pipeline = with_parameters(Parameter("lr", "float", 0.1))
    pipeline = dataclasses.replace(pipeline, steps=(dataclasses.replace(pipeline.steps[0], name=task, task=task),))
    spec = compile_package(pipeline).spec
    assert (list(spec["components"]), list(spec["root"]["dag"]["tasks"])) == ([f"comp-{task}"], [task])


@pytest.mark.parametrize(
    "name", ["dsl", "compiler", "kubernetes", "Optional", "pipeline", "int", "list", "train", "name"]
)
def test_a_parameter_may_be_called_like_what_the_module_uses(name: str) -> None:
    pipeline = with_parameters(Parameter(name, "int", 3), Parameter("other", "list", None, optional=True))
    labelled = dataclasses.replace(pipeline.steps[0], settings=StepSettings(labels=(("a", "b"),)))
    compiled = compile_package(dataclasses.replace(pipeline, steps=(labelled,)))
    assert compiled.spec["root"]["inputDefinitions"]["parameters"] == {
        name: {"parameterType": "NUMBER_INTEGER", "defaultValue": 3.0, "isOptional": True},
        "other": {"parameterType": "LIST", "isOptional": True},
    }


@pytest.mark.parametrize("port", ["dsl", "image", "program", "step", "train", "args"])
def test_a_port_may_be_called_like_what_the_module_uses(port: str) -> None:
    maker = Step("make", "make", outputs=(Output("v", port),))
    taker = Step("take", "take", after=("make",), inputs=(Artifact("v", "make", port, port),))
    spec = compile_package(Pipeline("ports", "n.ipynb", (maker, taker))).spec
    assert list(spec["components"]["comp-take"]["inputDefinitions"]["artifacts"]) == [port]


@pytest.mark.parametrize(
    ("declared", "default"),
    [
        ("bool", False),
        ("str", ""),
        ("list", []),
        ("dict", {}),
        ("int", -3),
        ("float", 1e300),
        ("float", 5e-324),
        ("str", "two\nlines"),
        ("str", "\\n'\"{{x}}\t"),
        ("str", "größe \U0001f600 \0 \x85 \u2028"),
        ("str", "y"),
        ("str", "12e3"),
        ("str", " leading and trailing "),
        ("str", "trailing \nspace"),
        ("str", "\n"),
        ("str", "a\n\n"),
        ("str", "\r\n"),
        ("str", "---"),
        ("list", [1, -2.5, "a", [], {"n": False}]),
        ("dict", {"y": "n", "no": {"1": "0o7"}}),
        ("int", 2**53),
    ],
)
def test_a_default_comes_through_exactly(declared: str, default: object) -> None:
    compiled = compile_package(with_parameters(Parameter("x", declared, default)))
    for loader in (yaml.CSafeLoader, yaml.SafeLoader):
        (spec,) = yaml.load_all(compiled.text, Loader=loader)
        assert spec["root"]["inputDefinitions"]["parameters"]["x"]["defaultValue"] == default
    step = json.loads(container(compiled.spec, "train")["args"][0])
    assert step["parameters"]["x"] == {"type": declared, "default": default}
    assert type(step["parameters"]["x"]["default"]) is type(default)


@pytest.mark.parametrize(
    "text", ["y", "n", "Y", "N", "yes", "on", "off", "null", "~", "12e3", "0o7", "1_000", ".5", "+1", "-", "1:30"]
)
def test_ambiguous_text_is_quoted(text: str) -> None:
    compiled = compile_package(one_step(labels=(("key", text),)))
    assert re.search(rf"key: '{re.escape(text)}'$", compiled.text, re.MULTILINE)


def test_settings_arrive() -> None:
    compiled = compile_package(churn())
    resources = container(compiled.spec, "train-model")["resources"]
    assert {key: value for key, value in resources.items() if key.startswith("resource")} == {
        "resourceCpuLimit": "2",
        "resourceCpuRequest": "500m",
        "resourceMemoryLimit": "4Gi",
        "resourceMemoryRequest": "512M",
    }
    assert resources["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert resources["accelerator"]["resourceCount"] == "1"
    assert container(compiled.spec, "load")["image"] == "python:3.12"
    assert compiled.spec["root"]["dag"]["tasks"]["load"]["cachingOptions"] == {}
    assert compiled.spec["root"]["dag"]["tasks"]["train-model"]["taskInfo"] == {"name": "train_model"}
    assert compiled.platform is not None
    executors = compiled.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert executors == {
        "exec-train-model": {
            "podMetadata": {
                "labels": {"team": "y", "sha": "12e3"},
                "annotations": {"example.org/why": "two\nlines: {{x}}"},
            }
        }
    }


def test_metrics_are_an_output_of_their_type() -> None:
    outputs = compile_package(churn()).spec["components"]["comp-train-model"]["outputDefinitions"]["artifacts"]
    assert outputs["metrics"]["artifactType"]["schemaTitle"] == "system.Metrics"
    assert outputs["model"]["artifactType"]["schemaTitle"] == "system.Model"


def test_code_reads_like_code_in_the_package() -> None:
    compiled = compile_package(one_step("if x:\n    print('größe')"))
    assert re.search(r"""^ +"if x:",\n +"    print\('größe'\)"$""", compiled.text, re.MULTILINE)


def test_a_long_text_stays_on_its_line() -> None:
    text = "word " * 100 + "end"
    assert f"description: {text}\n" in compile_package(dataclasses.replace(one_step(), description=text)).text


def test_libyaml_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = compile_package(churn())
    monkeypatch.delattr(yaml, "CSafeDumper")
    assert compile_package(churn()).text == fast.text


def test_the_name_cannot_break_out_of_the_comment() -> None:
    with pytest.raises(ValueError, match="not a pipeline name"):
        compiling.dump("a\nb: c", {}, None)


class TestSizes:
    def test_a_step_that_fits_and_one_that_does_not(self) -> None:
        lines = "print('abcdefghij')\n"
        assert compile_package(one_step(lines * 3000)).diagnostics == ()
        with pytest.raises(NotebookError) as caught:
            compile_package(one_step(lines * 6000))
        (finding,) = caught.value.diagnostics
        assert finding.rule.code == "KC501"
        assert re.fullmatch(
            "step `train` takes [0-9,]+ bytes, and an argument of a program may have 131,071", finding.message
        )
        assert "churn.ipynb train[1] (120,000 bytes)" in str(finding.hint)

    def test_an_argument_counts_as_the_driver_gets_it(self) -> None:
        plain, escaped = (sizes.measure(one_step(character * 9000)).arguments[0] for character in "x<")
        assert escaped - plain == 5 * 9000

    def test_a_large_parameter_counts(self) -> None:
        pipeline = with_parameters(Parameter("x", "str", "v" * 140_000))
        assert [item.rule.code for item in compiling.check(pipeline)] == ["KC501"]

    @pytest.mark.parametrize(
        ("length", "codes"),
        [(50, []), (200, ["KC502"]), (300, ["KC503"])],
        ids=["small", "a warning above 1 MiB", "refused above 1.5 MiB"],
    )
    def test_the_workflow_is_estimated(self, length: int, codes: list[str]) -> None:
        assert [item.rule.code for item in compiling.check(chain(length, lines=80))] == codes

    def test_a_warning_is_handed_on_and_an_error_raised(self) -> None:
        (warning,) = compile_package(chain(200, lines=80)).diagnostics
        assert (warning.rule.code, warning.severity) == ("KC502", Severity.WARNING)
        with pytest.raises(NotebookError, match="KC503"):
            compile_package(chain(300, lines=80))

    def test_without_the_limit_anything_compiles(self) -> None:
        compiled = compile_package(chain(500), limit=False)
        assert len(compiled.spec["components"]) == 500
        assert compiled.diagnostics == ()

    @pytest.mark.parametrize("length", [1, 20, 90])
    def test_the_estimate_is_close_to_what_the_backend_makes(self, length: int) -> None:
        compiled = compile_package(chain(length))
        assert 0 <= compiled.workflow_bytes / backend_bytes(compiled.spec) - 1 < 0.15


CANARY = "__import__('builtins').__dict__.__setitem__('kalec_canary', 1)"
HOSTILE = (
    "'",
    '"',
    "'''",
    '"""',
    "\\",
    "\\'",
    "\n",
    "\r",
    "\0",
    "\x85",
    "\u2028",
    "{{ 1 }}",
    "{% for x in y %}",
    "{# #}",
    "{{$}}",
    "}}",
    r"\N{DASH}",
    r"\u0041",
    r"\x",
    "\ud83d",
    "\U0001f600",
    "#",
    "---",
    "...",
    ": ",
    "- ",
    "python3",
    "%YAML",
    "!!python/name:os",
    "&a *a",
    "')\n" + CANARY + "\n('",
    "'''\n" + CANARY + "\n'''",
    "{{ " + CANARY + " }}",
    "\n" + CANARY + "\n",
    "${HOME}",
    "`id`",
    "\t",
    "<>&",
)
hostile = st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=5)), max_size=6).map("".join)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(*(hostile for _ in range(6)))
@example(*([CANARY] * 6))
@example(*(["'''\n" + CANARY + "\n'''\\"] * 6))
@example(*(["\ud83d"] * 6))
@example(*([""] * 5), "{{$}}")
def test_text_of_a_notebook_is_data(
    name: str, source: str, default: str, description: str, key: str, value: str
) -> None:
    pipeline = _hostile_pipeline(name, source, default, description, key, value)
    stored = (name, default, description, key, value)
    if any("\ud800" <= character <= "\udfff" for text in stored for character in text):
        with pytest.raises(NotebookError, match=r"KC(403|507)"):
            compile_package(pipeline)
        return
    if re.search(r"\{\{\s*[=$]", value):  # the engine would take it for its own
        with pytest.raises(NotebookError, match="KC507: annotation"):
            compile_package(pipeline)
        return
    compiled = compile_package(pipeline)
    assert not hasattr(builtins, "kalec_canary")
    assert documents(compiled.text) == [compiled.spec, compiled.platform]
    assert compiled.spec["pipelineInfo"] == {"name": "hostile"} | ({"description": description} if description else {})
    assert compiled.spec["root"]["inputDefinitions"]["parameters"]["p"]["defaultValue"] == {"k": default}
    assert compiled.spec["root"]["dag"]["tasks"]["task"]["taskInfo"]["name"] == (name or "task")
    metadata = compiled.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-task"]["podMetadata"]  # type: ignore[index]
    assert metadata["labels"] == metadata["annotations"] == {key: value}
    _assert_step_arrives(compiled.spec, payload.content(pipeline.steps[0], pipeline))


def _hostile_pipeline(name: str, source: str, default: str, description: str, key: str, value: str) -> Pipeline:
    """A pipeline with these texts in every field that a notebook can fill."""
    step = Step(
        name,
        "task",
        outputs=(Output(source, "out", consumers=(source,)),),
        parameters=("p",),
        code=(dataclasses.replace(cell(source, source), cell_id=source),),
        files=((source, source),),
        settings=StepSettings(labels=((key, value),), annotations=((key, value),)),
    )
    parameters = (Parameter("p", "dict", {"k": default}),)
    return Pipeline("hostile", source, (step,), parameters, description, index_url=source, trusted_hosts=(source,))


def _assert_step_arrives(spec: dict[str, Any], expected: dict[str, Any]) -> None:
    given_args = container(spec, "task")["args"]
    for replace in (substitute, substitute_locally):
        step, told = replace(given_args, {"outputs": {"outputFile": "{{x}}"}})
        assert json.loads(step) == expected
        assert json.loads(told) == {"outputs": {"outputFile": "{{x}}"}}


def test_the_launchers_double_refuses_what_the_launcher_would_replace() -> None:
    with pytest.raises(ValueError, match="would be replaced"):
        substitute(["print({{$.inputs.parameters['x']}})"], {})


def test_a_package_runs_through_kfp_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kfp import components, local

    monkeypatch.setattr(payload, "program", lambda parts: TINY_RUNTIME)
    monkeypatch.chdir(tmp_path)
    python3 = f"note = '{'python' + '3'} {{{{x}}}}'"
    steps = (
        Step(
            "import",
            "import",
            outputs=(Output("x", "x"),),
            parameters=("n",),
            code=(cell("import", f"{python3}\nx = [n, note]"),),
        ),
        Step(
            "print",
            "print",
            ("import",),
            (Artifact("x", "import", "x_1", "x"),),
            (Output("y", "y"),),
            code=(cell("print", "y = x * 2"),),
        ),
    )
    pipeline = Pipeline("small", "small.ipynb", steps, (Parameter("n", "int", 3),))
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "root"))
    components.load_component_from_text(compile_package(pipeline).text)(n=4)
    (written,) = (tmp_path / "root").glob("*/print/y")
    assert json.loads(written.read_text("utf-8")) == [4, "python3 {{x}}"] * 2


def test_kfp_is_imported_without_its_client_which_can_still_be_had() -> None:
    program = """
import os, sys
from kalecompiler.compile import import_kfp_without_client
import_kfp_without_client()
from kfp import compiler, dsl
print("kfp.client" in sys.modules, "kubernetes" in sys.modules, "_KFP_RUNTIME" in os.environ)
print(dsl.container_component.__name__)
from kfp.client import Client
print(Client.__name__)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["False False False", "container_component", "Client", ""]
