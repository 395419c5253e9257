"""Pipelines for the tests of the back phases, made by hand, as the planner would make them."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from kalecompiler.model import (
    Artifact,
    Code,
    CodeKind,
    Guard,
    Location,
    Metric,
    Output,
    Package,
    Parameter,
    Pipeline,
    Step,
    StepSettings,
)

PROGRAM = "# This speaks the contract of kfp.dsl.executor_main.\nimport sys\n\nsys.exit('a stand-in')\n"


def cell(step: str, source: str, number: int = 1, kind: CodeKind = CodeKind.CELL) -> Code:
    """A piece of code of a step, from the notebook's cell of that number."""
    origin = Location("churn.ipynb", number, f"id-{number}")
    return Code(f"churn.ipynb {step}[{number}]", kind, source, f"id-{number}", origin)


def one_step(source: str = "print(1)", name: str = "train", **settings: Any) -> Pipeline:
    """A pipeline of one step, with these fields of StepSettings."""
    step = Step(name, name.replace("_", "-"), code=(cell(name, source),), settings=StepSettings(**settings))
    return Pipeline("churn", "churn.ipynb", (step,))


def with_parameters(*parameters: Parameter) -> Pipeline:
    """A pipeline of one step that uses all of the parameters."""
    pipeline = one_step()
    step = dataclasses.replace(pipeline.steps[0], parameters=tuple(item.name for item in parameters))
    return dataclasses.replace(pipeline, steps=(step,), parameters=parameters)


def chain(length: int, lines: int = 25) -> Pipeline:
    """Steps that each hand a variable to the next."""
    return Pipeline("chain", "chain.ipynb", tuple(_link(number, length, lines) for number in range(length)))


def _link(number: int, length: int, lines: int) -> Step:
    name, before = f"step_{number}", f"step_{number - 1}"
    source = "\n".join([f"x{number} = {f'x{number - 1} + 1' if number else 0}", *["y = [v for v in range(9)]"] * lines])
    return Step(
        name,
        name.replace("_", "-"),
        after=(before,) if number else (),
        inputs=(Artifact(f"x{number - 1}", before, f"x{number - 1}", f"x{number - 1}"),) if number else (),
        outputs=(Output(f"x{number}", f"x{number}", consumers=(f"step_{number + 1}",)),) if number < length - 1 else (),
        code=(cell(name, source, number + 1),),
        settings=StepSettings(image="python:3.11"),
    )


def churn() -> Pipeline:
    """A pipeline that has some of everything, its steps listed against the order in which they run."""
    load = Step(
        "load",
        "load",
        outputs=(
            Output("df", "df", "system.Dataset", False, ("train_model",), Location("churn.ipynb", 1)),
            Output("extra", "extra", may_be_absent=True, consumers=("train_model",)),
        ),
        parameters=("path", "seed"),
        code=(
            cell("load", "import pandas as pd", 9, CodeKind.IMPORTS),
            cell("load", "df = pd.read_csv(path)\nif seed:\n    extra = '{{seed}}'"),
        ),
        packages=(Package("pandas==2.2", "pandas"),),
        settings=StepSettings(image="python:3.12", cache=False),
    )
    train = Step(
        "train_model",
        "train-model",
        after=("check", "load"),
        inputs=(Artifact("df", "load", "df", "df"), Artifact("extra", "load", "extra_1", "extra", early=True)),
        outputs=(Output("model", "model", "system.Model", consumers=("import",), origin=Location("churn.ipynb", 2)),),
        parameters=("lr",),
        code=(cell("train_model", "get_ipython().system('python3 --version')\nmodel, accuracy = lr, 0.5", 2),),
        metrics=(Metric("accuracy", "accuracy"),),
        guards=(Guard("df"),),
        files=(("helpers.py", 'def f():\n    """Größe: \U0001f600."""\n'),),
        settings=StepSettings(
            image="python:3.11",
            limits=(("cpu", "2"), ("memory", "4Gi"), ("nvidia.com/gpu", "1")),
            requests=(("cpu", "500m"), ("memory", "512M")),
            labels=(("team", "y"), ("sha", "12e3")),
            annotations=(("example.org/why", "two\nlines: {{x}}"),),
        ),
    )
    last = Step(
        "import",
        "import",
        after=("train_model",),
        inputs=(Artifact("model", "train_model", "model", "model"),),
        code=(cell("import", "print(model)", 3),),
    )
    return Pipeline(
        "churn",
        "churn.ipynb",
        (train, load, last, Step("check", "check", code=(cell("check", "print('ok')", 4),))),
        (
            Parameter("lr", "float", 0.1),
            Parameter("path", "str", 'it\'s\n"{{here}}" \\ größe'),
            Parameter("seed", "int", None, optional=True),
        ),
        "Who leaves?\n\nAnd why.",
        index_url="https://pypi.example.org/simple",
        trusted_hosts=("pypi.example.org",),
    )


def backend_bytes(spec: dict[str, Any]) -> int:
    """The workflow KFP's backend makes of a package: its arguments exactly, its templates as measured in its own."""
    arguments = [spec["root"], *spec["components"].values(), *spec["root"]["dag"]["tasks"].values()]
    arguments += [executor["container"] for executor in spec["deploymentSpec"]["executors"].values()]
    templates = sum(800 + 2 * 110 + 8 * len(task) for task in spec["root"]["dag"]["tasks"])
    return 8150 + templates + sum(len(json.dumps(_go_json(item), ensure_ascii=False).encode()) for item in arguments)


def _go_json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
