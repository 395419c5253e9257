"""Rendering: the module is readable Python, and what comes from the notebook is data in it."""

from __future__ import annotations

import ast
import dataclasses
import json
import keyword
from collections.abc import Callable
from pathlib import Path

import pytest
from pipelines import PROGRAM, cell, churn, one_step, with_parameters

from kalecompiler import payload, render
from kalecompiler.diagnostics import NotebookError
from kalecompiler.model import Artifact, Output, Parameter, Pipeline, Step

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Goldens must not change with the runtime, nor with the version."""
    monkeypatch.setattr(payload, "program", lambda parts: PROGRAM)
    monkeypatch.setattr(render, "VERSION", "0.0.0")


def functions(module: str) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in ast.parse(module).body if isinstance(node, ast.FunctionDef)}


def calls(pipeline: Pipeline) -> str:
    """The body of the rendered pipeline function."""
    return "\n".join(ast.unparse(node) for node in functions(render.render(pipeline))["pipeline"].body)


def test_module_is_the_golden_byte_for_byte_twice(golden: Callable[[Path, str], None]) -> None:
    first, second = render.render(churn()), render.render(churn())
    assert first == second
    golden(GOLDEN / "churn.py.txt", first)


@pytest.mark.parametrize(
    ("task", "function"),
    [
        pytest.param("train-model", "train_model", id="a dash becomes an underscore"),
        pytest.param("import", "import_", id="a keyword"),
        pytest.param("match", "match_", id="a soft keyword"),
        pytest.param("sum", "sum_", id="a builtin"),
        pytest.param("list", "list_", id="a builtin that annotations use"),
        pytest.param("dsl", "dsl_", id="a module of kfp that the module imports"),
        pytest.param("compiler", "compiler_", id="another one"),
        pytest.param("pipeline", "pipeline_", id="the pipeline function"),
        pytest.param("os", "os", id="a module of the standard library, which the rendered one does not use"),
        pytest.param("lr", "lr_", id="a parameter of the pipeline"),
        pytest.param("display", "display", id="a name that IPython alone puts among the builtins"),
    ],
)
def test_functions_hide_no_other_name(task: str, function: str) -> None:
    pipeline = with_parameters(Parameter("lr", "float", 0.1))
    pipeline = dataclasses.replace(pipeline, steps=(dataclasses.replace(pipeline.steps[0], name=task, task=task),))
    names = functions(render.render(pipeline))
    assert set(names) == {"_container", function, "pipeline"}
    assert not keyword.iskeyword(function)


def test_variables_of_tasks_hide_neither_functions_nor_parameters() -> None:
    steps = (Step("a", "a", code=(cell("a", ""),)), Step("a-task", "a-task", parameters=("b_task",)), Step("b", "b"))
    pipeline = Pipeline("names", "names.ipynb", steps, (Parameter("b_task", "int", 1),))
    body = [line for line in calls(pipeline).splitlines() if " = " in line]
    assert body == ["a_task_ = a()", "a_task_task = a_task(b_task=b_task)", "b_task_ = b()"]


def test_tasks_stand_after_those_they_need_and_else_as_in_the_notebook() -> None:
    order = [line.split(" = ")[0] for line in calls(churn()).splitlines() if " = " in line]
    assert order == ["load_task", "check_task", "train_model_task", "import_task"]


def test_a_task_that_is_free_early_waits_for_its_place() -> None:
    steps = [Step("d", "d"), Step("b", "b", after=("d",)), Step("c", "c"), Step("a", "a", after=("d",))]
    body = calls(Pipeline("order", "n.ipynb", tuple(steps)))
    assert [line.split(" = ")[0] for line in body.splitlines() if " = " in line] == [
        "d_task",
        "b_task",
        "c_task",
        "a_task",
    ]


def test_an_edge_is_written_only_where_no_data_flows() -> None:
    assert [line for line in calls(churn()).splitlines() if ".after(" in line] == ["train_model_task.after(check_task)"]


def test_a_consumer_takes_the_type_of_the_producer() -> None:
    producer = Step("a", "a", outputs=(Output("m", "m", "system.Model"),))
    consumer = Step("b", "b", after=("a",), inputs=(Artifact("m", "a", "m_1", "m"),))
    arguments = functions(render.render(Pipeline("types", "n.ipynb", (producer, consumer))))["b"].args.args
    assert [(arg.arg, ast.unparse(arg.annotation)) for arg in arguments if arg.annotation] == [
        ("m_1", "dsl.Input[dsl.Model]"),
        ("snapshot", "dsl.Output[dsl.Artifact]"),
    ]


@pytest.mark.parametrize(
    ("parameter", "written"),
    [
        pytest.param(Parameter("x", "int", 3), "x: int=3", id="int"),
        pytest.param(Parameter("x", "float", -0.5), "x: float=-0.5", id="negative float"),
        pytest.param(Parameter("x", "bool", False), "x: bool=False", id="False"),
        pytest.param(Parameter("x", "str", ""), "x: str=''", id="empty text"),
        pytest.param(Parameter("x", "list", []), "x: list=[]", id="empty list"),
        pytest.param(Parameter("x", "dict", {"a": [1]}), "x: dict={'a': [1]}", id="dict"),
        pytest.param(Parameter("x", "str", None, True), "x: Optional[str]=None", id="optional"),
    ],
)
def test_parameters_are_typed(parameter: Parameter, written: str) -> None:
    assert ast.unparse(functions(render.render(with_parameters(parameter)))["pipeline"].args) == written


def test_a_parameter_that_may_be_left_out_comes_last_in_a_component() -> None:
    module = render.render(with_parameters(Parameter("a", "int", None, optional=True), Parameter("b", "int", 1)))
    assert ast.unparse(functions(module)["train"].args) == (
        "snapshot: dsl.Output[dsl.Artifact], b: int, a: Optional[int]=None"
    )


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        pytest.param({"cache": False}, "train_task.set_caching_options(enable_caching=False)", id="cache off"),
        pytest.param({"cache": True}, "train_task.set_caching_options(enable_caching=True)", id="cache on"),
        pytest.param({}, "train_task.set_caching_options(enable_caching=True)", id="kfp's default, which is on"),
        pytest.param({"limits": (("cpu", "0.5"),)}, "train_task.set_cpu_limit('0.5')", id="cpu limit"),
        pytest.param({"requests": (("memory", "1G"),)}, "train_task.set_memory_request('1G')", id="memory request"),
        pytest.param({"limits": (("a.b/c", "2"),)}, "train_task.set_accelerator_limit('2')", id="accelerator"),
        pytest.param(
            {"labels": (("k", "'v'"),)},
            "_kubernetes.add_pod_label(train_task, label_key='k', label_value=\"'v'\")",
            id="label",
        ),
    ],
)
def test_settings_are_calls_on_the_task(settings: dict[str, object], line: str) -> None:
    assert line in calls(one_step(**settings)).splitlines()


def test_kfp_kubernetes_is_imported_only_where_it_is_used() -> None:
    assert "kubernetes" not in render.render(one_step())
    assert "from kfp import kubernetes" in render.render(one_step(annotations=(("a", "b"),)))


def test_a_step_is_named_as_tagged() -> None:
    assert "train_model_task.set_display_name('train_model')" in calls(churn())
    assert "set_display_name" not in calls(one_step())


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        pytest.param("print(1)", (), id="plain Python"),
        pytest.param("get_ipython().system('ls')", ("shell",), id="IPython's syntax"),
    ],
)
def test_a_step_carries_only_the_parts_it_needs(source: str, parts: tuple[str, ...]) -> None:
    step = one_step(source).steps[0]
    assert payload.parts(step) == parts
    assert payload.content(step, one_step()).get("parts", []) == list(parts)


def test_the_step_leaves_out_what_is_empty() -> None:
    pipeline = one_step()
    assert list(payload.content(pipeline.steps[0], pipeline)) == ["format", "step", "notebook", "snapshot", "code"]


def test_an_output_names_the_cell_it_comes_from() -> None:
    load, train = (payload.content(churn().step(name), churn()) for name in ("load", "train_model"))
    assert [item.get("cell") for item in load["outputs"]] == ["churn.ipynb load[1]", None]
    assert train["outputs"][0]["cell"] == "churn.ipynb train_model[2]"


@pytest.mark.parametrize(
    "text",
    [
        "{{$}}",
        "$(HOME)",
        "$$",
        "$$(HOME)",
        "${HOME}$",
        "{{{{}}}}",
        "{{{",
        "}}}",
        "#!/usr/bin/python3",
        "'''",
        "''''",
        "\\",
        "\\'''",
        "\0",
        "\x1b[0m",
        "\x85",
        "\ufeff",
    ]
    + [
        "\u2028",
        "\ud83d",
        "\U0001f600",
        "größe",
        "日本",
        "tab\t",
        "\r\n",
        "\x0c",
        "end\\",
        '"',
        r"\N{DASH}",
        r"\u007b",
    ],
)
def test_any_text_survives_in_the_step_and_nothing_that_others_replace_is_left(text: str) -> None:
    pipeline = one_step(f"x = 1\n{text}\ny")
    travelling = payload.text(pipeline.steps[0], pipeline)
    assert json.loads(travelling)["code"][0]["source"] == f"x = 1\n{text}\ny".split("\n")
    assert not any(replaced in travelling for replaced in ("{{", "}}", "'''", "python3", "$(", "$$"))
    assert all(c == "\n" or (c.isprintable() and c <= "\uffff") for c in travelling if c != "\xa0")


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        pytest.param(
            with_parameters(Parameter("größe", "int", 1)),
            "KC504: KFP cannot have a parameter named `größe`",
            id="umlaut",
        ),
        pytest.param(
            with_parameters(Parameter("_x", "int", 1)), "KC504: KFP cannot have a parameter named `_x`", id="underscore"
        ),
        pytest.param(
            with_parameters(Parameter("Output", "int", 1)),
            "KC504: KFP cannot have a parameter named `Output`",
            id="kfp's own name",
        ),
        *(
            pytest.param(
                with_parameters(Parameter("x", "list", [default])),
                f"KC403: the default of `x` holds {reason}, which KFP cannot carry",
                id=reason,
            )
            for default, reason in [
                (float("nan"), "nan"),
                (float("-inf"), "-inf"),
                (None, "None"),
                (2**53 + 1, "an integer beyond 2**53"),
                ({1: 2}, "a key that is no text"),
                ({"a": {"b": "\ud800"}}, "half of a surrogate pair"),
                ((), "a value of type tuple"),
                (json.loads("[" * 40 + "]" * 40), "lists or dicts within each other, more than 30 deep"),
            ]
        ),
        *(
            pytest.param(
                one_step(**{field: ((name, quantity),)}), f"KC506: KFP cannot give step `train` {reason}", id=reason
            )
            for field, name, quantity, reason in [
                ("limits", "memory", "1.5Gi", "`1.5Gi` of `memory`"),
                ("limits", "cpu", "2\n", "`2\n` of `cpu`"),
                ("limits", "ephemeral-storage", "1", "a limit of `1` for `ephemeral-storage`"),
                ("limits", "nvidia.com/gpu", "0.5", "a limit of `0.5` for `nvidia.com/gpu`"),
                ("requests", "nvidia.com/gpu", "1", "`1` of `nvidia.com/gpu`"),
            ]
        ),
        pytest.param(
            one_step(limits=(("amd.com/gpu", "1"), ("nvidia.com/gpu", "1"))),
            "KC506: KFP cannot give step `train` two kinds of accelerator: `amd.com/gpu` and `nvidia.com/gpu`",
            id="two accelerators",
        ),
        pytest.param(
            one_step(image="a:{{tag}}"),
            "KC507: step `train` has no usable image: `a:{{tag}}`",
            id="placeholder in an image",
        ),
        pytest.param(
            one_step(labels=(("k", "\udc00"),)),
            "KC507: label `k` of step `train` holds half of a surrogate pair, which no package can",
            id="half a character in a label",
        ),
    ],
)
def test_what_kfp_cannot_express_is_refused(pipeline: Pipeline, message: str) -> None:
    with pytest.raises(NotebookError) as caught:
        render.render(pipeline)
    assert str(caught.value) == message


@pytest.mark.parametrize("default", [2**53, -(2**53), 0.1, True, False, "", [], {}, [[1.5, {"a": ["b"]}]]])
def test_what_kfp_can_carry_is_not(default: object) -> None:
    assert render.render(with_parameters(Parameter("x", type(default).__name__, default)))


def test_templates_are_found_in_a_wheel_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "site-packages" / "kalecompiler"
    (installed / "templates").mkdir(parents=True)
    for template in (Path(render.__file__).parents[1] / "templates").iterdir():
        (installed / "templates" / template.name).write_bytes(template.read_bytes())
    monkeypatch.setattr(render, "__file__", str(installed / "render.py"))
    assert render._environment().get_template("module.py.jinja").filename == str(
        installed / "templates/module.py.jinja"
    )


def test_the_program_holds_nothing_that_others_replace() -> None:
    """Kubernetes expands `$(VAR)` and `$$`, KFP and Argo `{{...}}`; Go's JSON spells `<`, `>` and `&` at length."""
    program = payload.program(("blame", "install", "guards", "metrics", "parameters", "shell"))
    assert not [replaced for replaced in ("{{", "}}", "$", "<", ">", "&", "\x00") if replaced in program]
