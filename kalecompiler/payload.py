"""A step as it travels: the JSON text that a component's container is handed, and that `kalecompiler.runtime` reads.

The text is an argument in a pipeline package, so it must come through unchanged where others replace text in arguments:
KFP's launcher and Argo (`{{...}}`), `kfp.local` (`python3`), YAML (characters a literal block cannot hold), and the
raw string in `'''` that holds it in a KFP module. JSON can write any character of a string as an escape.
"""

from __future__ import annotations

import json
import re
from typing import Any

from kalecompiler.model import Code, CodeKind, Output, Pipeline, Step

FORMAT = 1
EXECUTOR_INPUT = "{{$}}"
"""What KFP's launcher replaces with the JSON of a task's inputs and outputs."""

_YAML_BREAKS_OR_HIDES = r"[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]"
_REPLACED_BY_OTHERS = re.compile(r"\{\{|\}\}|'''|\$(?=[$(])|(?<=pytho)n(?=3)|" + _YAML_BREAKS_OR_HIDES)


def parts(step: Step) -> tuple[str, ...]:
    """The parts of the runtime, beyond its core, that the step needs."""
    return ("shell",) if any("get_ipython" in code.source for code in step.code) else ()


def carried(step: Step) -> tuple[str, ...]:
    """Everything of the runtime that a step carries beyond what every step does: it pays only for what it uses."""
    from kalecompiler.runtime import extras

    fields = ("outputs", "packages", "files", "metrics", "parameters")
    used = {name: getattr(step, name) for name in fields} | {"guards": step.guards or step.apart}
    return (*extras(used), *parts(step))


def program(wanted: tuple[str, ...]) -> str:
    """The text of the program that runs a step with these parts of the runtime."""
    from kalecompiler.runtime import program as assemble

    return assemble(wanted, ())


def text(step: Step, pipeline: Pipeline) -> str:
    """The step as JSON text, one source line a line, free of anything that is replaced on its way."""
    plain = json.dumps(content(step, pipeline), indent=1, ensure_ascii=False, allow_nan=False)
    return _REPLACED_BY_OTHERS.sub(_escape, plain)


def content(step: Step, pipeline: Pipeline) -> dict[str, Any]:
    """The step as JSON values; what is empty is left out."""
    fields = {
        "format": FORMAT,
        "step": step.name,
        "notebook": pipeline.notebook,
        "parts": list(parts(step)),
        "parameters": _parameters(step, pipeline),
        "inputs": [
            {"variable": item.variable, "port": item.port, "from": item.producer, "early": item.early}
            for item in step.inputs
        ],
        "outputs": [_output(item, step) for item in step.outputs],
        "metrics": _metrics(step),
        "guards": [*(guard.variable for guard in step.guards), *([list(step.apart)] if step.apart else [])],
        "packages": [{"requirement": item.requirement, "module": item.module} for item in step.packages],
        "pip": _pip(pipeline) if step.packages else {},
        "files": {path: source.split("\n") for path, source in step.files},
        "code": [_code(code) for code in step.code],
    }
    return {key: value for key, value in fields.items() if value not in ([], {})}


def _parameters(step: Step, pipeline: Pipeline) -> dict[str, Any]:
    return {
        parameter.name: {"type": parameter.type, "default": parameter.default}
        for parameter in pipeline.parameters
        if parameter.name in step.parameters
    }


def _output(output: Output, step: Step) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "variable": output.variable,
        "port": output.port,
        "for": list(output.consumers),
        "absent": output.may_be_absent,
    }
    cell = _cell_name(output, step)
    return fields | ({"cell": cell} if cell else {})


def _cell_name(output: Output, step: Step) -> str | None:
    """The name of the step's cell that the output comes from, as tracebacks show it."""
    for code in step.code:
        if code.kind is CodeKind.CELL and code.origin and output.origin and code.origin.cell == output.origin.cell:
            return code.name
    return None


def _metrics(step: Step) -> dict[str, Any]:
    if not step.metrics:
        return {}
    values = [{"name": metric.name, "variable": metric.variable} for metric in step.metrics]
    return {"port": step.metrics_port, "values": values}


def _pip(pipeline: Pipeline) -> dict[str, Any]:
    return {"index_url": pipeline.index_url, "trusted_hosts": list(pipeline.trusted_hosts)}


def _code(code: Code) -> dict[str, Any]:
    """A piece of code; `"\\n".join` of its lines is its source, whatever other line ends it holds."""
    identity = {"name": code.name, "kind": code.kind.value}
    return identity | ({"id": code.cell_id} if code.cell_id else {}) | {"source": code.source.split("\n")}


def _escape(match: re.Match[str]) -> str:
    """JSON's escapes for the characters of the match (two for one that is beyond 16 bits)."""
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
