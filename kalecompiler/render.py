"""Phase 6, render: a `Pipeline` becomes a KFP module, Python text that anyone with kfp can read, run and compile.

The templates hold all of the code there is. What comes from the notebook enters them only as `repr` of a value, or as
the step's JSON in a raw string, so that nothing of it can become code.
"""

from __future__ import annotations

import builtins
import functools
import keyword
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kalecompiler import limits, payload
from kalecompiler.diagnostics import NotebookError, has_errors
from kalecompiler.topology import in_order
from kalecompiler.version import VERSION

if TYPE_CHECKING:
    from jinja2 import Environment, Template

    from kalecompiler.model import Parameter, Pipeline, Step

ENTRY = "pipeline"
"""The name of the pipeline function in a rendered module."""

_MODULE_NAMES = {"Optional", "compiler", "dsl", ENTRY}
# Python's own builtins only: `site` and IPython add names to them, and the module must be the same without.
_BUILTINS = {name for name, value in vars(builtins).items() if isinstance(value, (type, types.BuiltinFunctionType))}
_TAKEN = frozenset({*_MODULE_NAMES, *_BUILTINS, *keyword.kwlist, *keyword.softkwlist})
_LINE = 100

_Schemas = Mapping[tuple[str, str], str]
"""The KFP type of an output, by the step's name and the output's port."""


@dataclass(frozen=True, slots=True)
class _Component:
    """What the template of a component shows; `arguments` are lines of its signature."""

    function: str
    arguments: tuple[str, ...]
    image: str
    program: str
    step: str


@dataclass(frozen=True, slots=True)
class _Task:
    """What the template of a task shows: its keyword arguments, and calls that configure it."""

    variable: str
    function: str
    arguments: tuple[str, ...]
    calls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Names:
    """Python names of each step, by the step's name: of its component function, and of its task's variable."""

    functions: Mapping[str, str]
    variables: Mapping[str, str]


def render(pipeline: Pipeline) -> str:
    """The KFP module of the pipeline.

    Raises NotebookError (KC5xx) where the pipeline holds something that KFP cannot express.
    """
    findings = limits.check_expressible(pipeline)
    if has_errors(findings):
        raise NotebookError(findings)
    names = _choose_names(pipeline)
    schemas = {(step.name, output.port): output.schema for step in pipeline.steps for output in step.outputs}
    settings = [step.settings for step in pipeline.steps]
    return _template().render(
        pipeline=pipeline,
        version=VERSION,
        optional=any(parameter.optional for parameter in pipeline.parameters),
        kubernetes=any(item.labels or item.annotations for item in settings),
        programs=[(_program_name(item), _literal_lines(payload.program(item))) for item in _part_sets(pipeline)],
        components=[_component(step, pipeline, schemas, names) for step in pipeline.steps],
        parameters=[_parameter_argument(parameter) for parameter in pipeline.parameters],
        tasks=[_task(step, names) for step in _ordered(pipeline.steps)],
    )


def _choose_names(pipeline: Pipeline) -> _Names:
    """A name for each function and variable, none of which hides another, a builtin, or a parameter."""
    taken = _TAKEN | {parameter.name for parameter in pipeline.parameters}
    functions, taken = _assign({step.name: step.task.replace("-", "_") for step in pipeline.steps}, taken)
    variables, taken = _assign({step.name: step.task.replace("-", "_") + "_task" for step in pipeline.steps}, taken)
    return _Names(functions, variables)


def _assign(wishes: Mapping[str, str], taken: frozenset[str]) -> tuple[dict[str, str], frozenset[str]]:
    """Each wish, with as many underscores after it as make it free: KFP leaves them out of the component's name."""
    given: dict[str, str] = {}
    used = set(taken)
    for key, wish in wishes.items():
        while wish in used:
            wish += "_"
        used.add(wish)
        given[key] = wish
    return given, frozenset(used)


def _component(step: Step, pipeline: Pipeline, schemas: _Schemas, names: _Names) -> _Component:
    return _Component(
        function=names.functions[step.name],
        arguments=tuple(_component_arguments(step, pipeline, schemas)),
        image=step.settings.image or limits.DEFAULT_IMAGE,
        program=_program_name(payload.carried(step)),
        step=payload.text(step, pipeline),
    )


def _component_arguments(step: Step, pipeline: Pipeline, schemas: _Schemas) -> Iterator[str]:
    """The ports of a step as arguments; parameters that may be left out come last, as Python wants it."""
    for item in step.inputs:
        yield f"{item.port}: dsl.Input[{_artifact_type(schemas[item.producer, item.source_port])}]"
    for output in step.outputs:
        yield f"{output.port}: dsl.Output[{_artifact_type(output.schema)}]"
    if step.metrics:
        yield f"{step.metrics_port}: dsl.Output[dsl.Metrics]"
    used = [parameter for parameter in pipeline.parameters if parameter.name in step.parameters]
    for parameter in sorted(used, key=lambda item: item.optional):
        yield _parameter_argument(parameter) if parameter.optional else f"{parameter.name}: {parameter.type}"


def _parameter_argument(parameter: Parameter) -> str:
    if parameter.optional:
        return f"{parameter.name}: Optional[{parameter.type}] = None"
    return f"{parameter.name}: {parameter.type} = {parameter.default!r}"


def _artifact_type(schema: str) -> str:
    """The class of kfp.dsl for the title of a schema: `system.Dataset` is `dsl.Dataset`."""
    return "dsl." + schema.removeprefix("system.")


def _task(step: Step, names: _Names) -> _Task:
    variables = names.variables
    data = [f"{item.port}={variables[item.producer]}.outputs[{item.source_port!r}]" for item in step.inputs]
    return _Task(
        variable=variables[step.name],
        function=names.functions[step.name],
        arguments=(*data, *(f"{name}={name}" for name in step.parameters)),
        calls=tuple(_task_calls(step, variables)),
    )


def _task_calls(step: Step, variables: Mapping[str, str]) -> Iterator[str]:
    """What is said of a task beyond its arguments; caching always is, as an environment variable is kfp's default."""
    task, settings = variables[step.name], step.settings
    producers = {item.producer for item in step.inputs}
    before = [variables[name] for name in step.after if name not in producers]
    if before:
        yield f"{task}.after({', '.join(before)})"
    if step.name != step.task:
        yield f"{task}.set_display_name({step.name!r})"
    yield f"{task}.set_caching_options(enable_caching={settings.cache is not False})"
    for verb, pairs in (("request", settings.requests), ("limit", settings.limits)):
        for resource, quantity in pairs:
            yield from _resource_calls(task, verb, resource, quantity)
    for key, value in settings.labels:
        yield f"_kubernetes.add_pod_label({task}, label_key={key!r}, label_value={value!r})"
    for key, value in settings.annotations:
        yield f"_kubernetes.add_pod_annotation({task}, annotation_key={key!r}, annotation_value={value!r})"


def _resource_calls(task: str, verb: str, resource: str, quantity: str) -> Iterator[str]:
    """cpu and memory have methods of their own; anything else is an accelerator, which has limits only."""
    if resource in limits.QUANTITIES:
        yield f"{task}.set_{resource}_{verb}({quantity!r})"
    else:
        yield f"{task}.set_accelerator_type({resource!r})"
        yield f"{task}.set_accelerator_limit({quantity!r})"


def _ordered(steps: tuple[Step, ...]) -> list[Step]:
    """The steps with each after those that it needs, and otherwise in the order of the notebook."""
    named = {step.name: step for step in steps}
    needs = {step.name: (*step.after, *(item.producer for item in step.inputs)) for step in steps}
    return [named[name] for name in in_order(needs)]


def _part_sets(pipeline: Pipeline) -> list[tuple[str, ...]]:
    """The sets of runtime parts that steps of the pipeline need, each once."""
    return sorted({payload.carried(step) for step in pipeline.steps})


def _program_name(parts: Iterable[str]) -> str:
    return "_".join(["_PROGRAM", *(part.upper() for part in parts)])


def _literal_lines(text: str) -> list[str]:
    """String literals that add up to the text, none wider than a line of the module."""
    pieces = (line[at : at + _LINE] for line in text.splitlines(keepends=True) for at in range(0, len(line), _LINE))
    return [repr(piece) for piece in pieces]


def _signature(function: str, arguments: Iterable[str]) -> str:
    """The first line or lines of a function."""
    listed = list(arguments)
    line = f"def {function}({', '.join(listed)}):"
    if len(line) <= _LINE:
        return line
    return "\n".join([f"def {function}(", *(f"    {argument}," for argument in listed), "):"])


@functools.cache
def _template() -> Template:
    """The template of a module."""
    return _environment().get_template("module.py.jinja")


def _environment() -> Environment:
    """Jinja with our templates: beside this module in a wheel, beside the package in a source tree."""
    import jinja2

    package = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([package / "templates", package.parent / "templates"]),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - it writes Python, and values enter through `repr`
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["repr"] = repr
    environment.globals["signature"] = _signature
    return environment
