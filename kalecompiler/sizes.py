"""How large a pipeline becomes on the cluster: what a step's arguments and the whole Argo workflow take, in bytes.

KFP's backend (backend/src/v2/compiler/argocompiler) writes each container once into the workflow's arguments, as JSON
inside JSON, and hands it to the step's driver as one program argument. The constants were measured on the workflows
that it keeps as its own test data (test_data/compiled-workflows).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kalecompiler import limits, payload
from kalecompiler.diagnostics import STEP_TOO_LARGE, WORKFLOW_LARGE, WORKFLOW_TOO_LARGE, Diagnostic
from kalecompiler.model import Location, Pipeline, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

ARGUMENT_LIMIT = 131_071
"""Linux refuses a program's argument of 128 KiB, its ending zero counted in."""

WORKFLOW_WARNING = 1024 * 1024
WORKFLOW_LIMIT = 1536 * 1024
"""etcd refuses an object above 1.5 MiB; the workflow is one object, and its status grows as it runs."""

_WORKFLOW_BASE = 8_500  # templates of the driver, the executor and the root
_WORKFLOW_STEP = 1_600  # two tasks of the root's template, the task's specification (twice), the component's
_WORKFLOW_PORT = 300  # in the component, and twice in the task
_INPUT_BASE = 2_000  # the executor's input without its ports
_INPUT_ARTIFACT = 1_000  # name, address, type and metadata


@dataclass(frozen=True, slots=True)
class Sizes:
    """`arguments` is the largest argument of each step, in the order of the steps; `workflow` estimates the whole.

    `shared` says that the program stands in the package once, as a parameter, and not in each step.
    """

    arguments: tuple[int, ...]
    workflow: int
    shared: bool = False


def measure(pipeline: Pipeline) -> Sizes:
    """The sizes of a pipeline's package once it is on a cluster; one that would be large shares its program."""
    carried = payload.carried(pipeline)
    programs = {parts: payload.program(parts) for parts in set(carried.values())}
    alone = _measure(pipeline, [programs[carried[step.name]] for step in pipeline.steps])
    if alone.workflow <= WORKFLOW_WARNING:
        return alone
    name, program = payload.program_parameter(pipeline), payload.program(payload.shared(carried))
    steps = _measure(pipeline, [f"{{{{$.inputs.parameters['{name}']}}}}"] * len(pipeline.steps))
    text = _go_json(_go_json(program))
    arguments = tuple(size + len(text) for size in steps.arguments)
    workflow = steps.workflow + len(text) + _WORKFLOW_PORT * len(pipeline.steps)
    if workflow > alone.workflow or (max(arguments) > ARGUMENT_LIMIT >= max(alone.arguments)):
        return alone
    return Sizes(arguments, workflow, shared=True)


def _measure(pipeline: Pipeline, programs: list[str]) -> Sizes:
    """The sizes where each step's command has that program."""
    containers = [
        _go_json(_container(step, pipeline, program)) for step, program in zip(pipeline.steps, programs, strict=True)
    ]
    inputs = [_executor_input_bytes(step, pipeline) for step in pipeline.steps]
    nested = sum(_nested_bytes(text) for text in containers)
    steps = sum(_WORKFLOW_STEP + _WORKFLOW_PORT * _ports(step) + _settings_bytes(step) for step in pipeline.steps)
    arguments = tuple(max(len(text.encode()), size) for text, size in zip(containers, inputs, strict=True))
    return Sizes(arguments, _WORKFLOW_BASE + steps + nested)


def check_sizes(pipeline: Pipeline, sizes: Sizes) -> tuple[Diagnostic, ...]:
    """Steps and pipelines that are too large to run, as KC501 to KC503."""
    return (*_large_steps(pipeline, sizes), *_large_workflow(pipeline, sizes))


def _container(step: Step, pipeline: Pipeline, program: str) -> dict[str, Any]:
    """The container of the step as the package has it."""
    return {
        "args": [payload.text(step, pipeline), payload.EXECUTOR_INPUT],
        "command": ["python3", "-u", "-c", program],
        "image": step.settings.image or limits.DEFAULT_IMAGE,
    }


def _executor_input_bytes(step: Step, pipeline: Pipeline) -> int:
    """A generous estimate of what `{{$}}` becomes: every port with its address and metadata, and the parameters."""
    used = {item.name: item.default for item in pipeline.parameters if item.name in step.parameters}
    artifacts = len(step.inputs) + len(step.outputs) + bool(step.metrics)
    return _INPUT_BASE + _INPUT_ARTIFACT * artifacts + len(_go_json(used).encode())


def _ports(step: Step) -> int:
    return len(step.inputs) + len(step.outputs) + len(step.parameters) + bool(step.metrics)


def _settings_bytes(step: Step) -> int:
    """Settings stand in the workflow twice: for the driver, and for what it makes of the pod."""
    settings = step.settings
    texts = [key + value for key, value in (*settings.labels, *settings.annotations)]
    texts += [kind + key + value for kind, key, value in settings.others]
    return 2 * sum(len(text.encode("utf-8", "replace")) + 100 for text in texts)


def _go_json(value: Any) -> str:
    """JSON as Go writes it: without spaces, and with HTML's characters escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _nested_bytes(text: str) -> int:
    """The bytes of JSON text as a string within JSON."""
    return len(text.encode()) + text.count('"') + text.count("\\") + 2


def _large_steps(pipeline: Pipeline, sizes: Sizes) -> Iterator[Diagnostic]:
    for step, size in zip(pipeline.steps, sizes.arguments, strict=True):
        if size > ARGUMENT_LIMIT:
            yield Diagnostic(
                STEP_TOO_LARGE,
                f"step `{step.name}` takes {size:,} bytes, and an argument of a program may have {ARGUMENT_LIMIT:,}",
                step.origin or Location(pipeline.notebook),
                f"its largest parts are {_largest_parts(step)}: read large data from a file, or split the step",
            )


def _largest_parts(step: Step) -> str:
    """The up to three largest pieces of code or files of a step, with their sizes."""
    pieces = [(code.name, code.source) for code in step.code] + list(step.files)
    sized = sorted(((len(source.encode("utf-8", "replace")), name) for name, source in pieces), reverse=True)
    return ", ".join(f"{name} ({size:,} bytes)" for size, name in sized[:3])


def _large_workflow(pipeline: Pipeline, sizes: Sizes) -> Iterator[Diagnostic]:
    if sizes.workflow > WORKFLOW_WARNING:
        yield Diagnostic(
            WORKFLOW_TOO_LARGE if sizes.workflow > WORKFLOW_LIMIT else WORKFLOW_LARGE,
            f"the pipeline becomes a workflow of about {sizes.workflow / 2**20:.2f} MiB, and a cluster takes 1.5",
            Location(pipeline.notebook),
            "join steps, or split the notebook into two pipelines",
        )
