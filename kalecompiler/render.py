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

from kalecompiler import limits, payload, taskcalls, volumes
from kalecompiler.diagnostics import NotebookError, has_errors
from kalecompiler.steprules import FINAL_STATUS, new_volumes
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
    """Python names of each step, by the step's name: of its component function, and of its task's variable.

    `claims` and `ends` are the variables of the tasks that make and delete a new volume, by the volume's name;
    `program` is the parameter with the program that all steps share, empty where each has its own.
    """

    functions: Mapping[str, str]
    variables: Mapping[str, str]
    claims: Mapping[str, str]
    ends: Mapping[str, str]
    program: str


def render(pipeline: Pipeline, *, shared: bool = False) -> str:
    """The KFP module of the pipeline; `shared` makes the program that the steps run a parameter, which is there once.

    Raises NotebookError (KC5xx) where the pipeline holds something that KFP cannot express.
    """
    findings = limits.check_expressible(pipeline)
    if has_errors(findings):
        raise NotebookError(findings)
    names = _choose_names(pipeline, shared)
    carried = payload.carried(pipeline)
    part_sets = [payload.shared(carried)] if shared else sorted(set(carried.values()))
    schemas = {(step.name, output.port): output.schema for step in pipeline.steps for output in step.outputs}
    exits = [step for step in pipeline.steps if step.exits]
    return _template().render(
        pipeline=pipeline,
        version=VERSION,
        optional=any(parameter.optional for parameter in pipeline.parameters),
        kubernetes=any(taskcalls.uses_kubernetes(step.settings) for step in pipeline.steps),
        decorated=_decorated(pipeline),
        programs=[(_program_name(item), _literal_lines(payload.program(item))) for item in part_sets],
        components=[_component(step, pipeline, schemas, names, carried[step.name]) for step in pipeline.steps],
        parameters=[
            *(_parameter_argument(parameter) for parameter in pipeline.parameters),
            *([f"{names.program}: str = {_program_name(part_sets[0])}"] if shared else []),
        ],
        exit=_task(exits[0], pipeline, names) if exits else None,
        claims=[*_claims(pipeline, names)],
        tasks=[_task(step, pipeline, names) for step in _ordered(pipeline.steps) if not step.exits],
        ends=[*_ends(pipeline, names)],
        indent=" " * (8 if exits else 4),
    )


def _choose_names(pipeline: Pipeline, shared: bool) -> _Names:
    """A name for each function and variable, none of which hides another, a builtin, or a parameter."""
    program = payload.program_parameter(pipeline) if shared else ""
    taken = _TAKEN | {parameter.name for parameter in pipeline.parameters} | {program}
    functions, taken = _assign({step.name: step.task.replace("-", "_") for step in pipeline.steps}, taken)
    variables, taken = _assign({step.name: step.task.replace("-", "_") + "_task" for step in pipeline.steps}, taken)
    claims, taken = _assign({name: name.replace("-", "_") + "_claim" for name in new_volumes(pipeline)}, taken)
    ends, taken = _assign({name: name.replace("-", "_") + "_end" for name in new_volumes(pipeline)}, taken)
    return _Names(functions, variables, claims, ends, program)


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


def _component(step: Step, pipeline: Pipeline, schemas: _Schemas, names: _Names, parts: tuple[str, ...]) -> _Component:
    return _Component(
        function=names.functions[step.name],
        arguments=tuple(_component_arguments(step, pipeline, schemas, names.program)),
        image=step.settings.image or limits.DEFAULT_IMAGE,
        program=names.program or _program_name(parts),
        step=payload.text(step, pipeline),
    )


def _component_arguments(step: Step, pipeline: Pipeline, schemas: _Schemas, program: str) -> Iterator[str]:
    """The ports of a step as arguments; parameters that may be left out come last, as Python wants it."""
    for item in step.inputs:
        yield f"{item.port}: dsl.Input[{_artifact_type(schemas[item.producer, item.source_port])}]"
    for output in step.outputs:
        yield f"{output.port}: dsl.Output[{_artifact_type(output.schema)}]"
    if step.metrics:
        yield f"{step.metrics_port}: dsl.Output[dsl.Metrics]"
    if step.exits:
        yield f"{FINAL_STATUS}: dsl.PipelineTaskFinalStatus"
    if pipeline.whole.workspace is not None:
        yield f"{_workspace_port(step)}: str"
    if program:
        yield f"{program}: str"
    used = [parameter for parameter in pipeline.parameters if parameter.name in step.parameters]
    for parameter in sorted(used, key=lambda item: item.optional):
        yield _parameter_argument(parameter) if parameter.optional else f"{parameter.name}: {parameter.type}"


def _workspace_port(step: Step) -> str:
    """The input by which KFP learns that a step wants the workspace; the step itself does not read it."""
    ports = [*(item.port for item in step.inputs), *(output.port for output in step.outputs)]
    taken = {*step.parameters, step.metrics_port, *ports}
    name = "workspace"
    while name in taken:
        name += "_"
    return name


def _parameter_argument(parameter: Parameter) -> str:
    if parameter.optional:
        return f"{parameter.name}: Optional[{parameter.type}] = None"
    return f"{parameter.name}: {parameter.type} = {parameter.default!r}"


def _artifact_type(schema: str) -> str:
    """The class of kfp.dsl for the title of a schema: `system.Dataset` is `dsl.Dataset`."""
    return "dsl." + schema.removeprefix("system.")


def _decorated(pipeline: Pipeline) -> str:
    """The arguments of the pipeline's decorator."""
    whole = pipeline.whole
    given = {
        "name": pipeline.name,
        "description": pipeline.description,
        "display_name": whole.display_name,
        "pipeline_root": whole.root,
    }
    shown = [f"{name}={value!r}" for name, value in given.items() if value]
    config = [*_pipeline_config(pipeline)]
    return ", ".join([*shown, *([f"pipeline_config=dsl.PipelineConfig({', '.join(config)})"] if config else [])])


def _pipeline_config(pipeline: Pipeline) -> Iterator[str]:
    whole = pipeline.whole
    if whole.workspace is not None:
        size, options = volumes.read_workspace(whole.workspace)
        patch = {"storageClassName": options.get("class"), "accessModes": [options.get("access")]}
        used = {key: value for key, value in patch.items() if value not in (None, [None])}
        kubernetes = f", kubernetes=dsl.KubernetesWorkspaceConfig(pvcSpecPatch={used!r})" if used else ""
        yield f"workspace=dsl.WorkspaceConfig(size={size!r}{kubernetes})"
    if whole.ttl is not None:
        yield f"ttl_seconds_after_finished={whole.ttl}"
    if whole.run_timeout is not None:
        yield f"active_deadline_seconds={whole.run_timeout}"


def _task(step: Step, pipeline: Pipeline, names: _Names) -> _Task:
    variables = names.variables
    given = [f"{item.port}={variables[item.producer]}.outputs[{item.source_port!r}]" for item in step.inputs]
    if pipeline.whole.workspace is not None:
        given.append(f"{_workspace_port(step)}=dsl.WORKSPACE_PATH_PLACEHOLDER")
    if names.program:
        given.append(f"{names.program}={names.program}")
    declared = {parameter.name for parameter in pipeline.parameters}
    producers = {item.producer for item in step.inputs}
    before = [variables[name] for name in step.after if name not in producers]
    task = variables[step.name]
    return _Task(
        variable=task,
        function=names.functions[step.name],
        arguments=(*given, *(f"{name}={name}" for name in step.parameters if name in declared)),
        calls=(
            *([f"{task}.after({', '.join(before)})"] if before else []),
            *taskcalls.calls(step, pipeline, task, names.claims),
        ),
    )


def _claims(pipeline: Pipeline, names: _Names) -> Iterator[str]:
    """The lines that make the new volumes of a run."""
    for name, mount in new_volumes(pipeline).items():
        yield from taskcalls.create_claim(names.claims[name], mount)


def _ends(pipeline: Pipeline, names: _Names) -> Iterator[str]:
    """The lines that delete them once no step needs them."""
    for name in new_volumes(pipeline):
        users = [s for s in pipeline.steps if any(key == name for key, _ in s.settings.of("new-volume"))]
        tasks = [names.variables[step.name] for step in users]
        yield from taskcalls.delete_claim(names.ends[name], names.claims[name], tasks)


def _ordered(steps: tuple[Step, ...]) -> list[Step]:
    """The steps with each after those that it needs, and otherwise in the order of the notebook."""
    named = {step.name: step for step in steps}
    needs = {step.name: (*step.after, *(item.producer for item in step.inputs)) for step in steps}
    return [named[name] for name in in_order(needs)]


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
