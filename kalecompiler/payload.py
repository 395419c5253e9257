"""A step as it travels: the JSON text that a component's container is handed, and that `kalecompiler.runtime` reads.

The text is an argument in a pipeline package, so it must come through unchanged where others replace text in arguments:
KFP's launcher and Argo (`{{...}}`), `kfp.local` (`python3`), YAML (characters a literal block cannot hold), and the
raw string in `'''` that holds it in a KFP module. JSON can write any character of a string as an escape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from kalecompiler import editions, volumes
from kalecompiler.model import Code, CodeKind, Handler, Metric, Output, Pipeline, Step
from kalecompiler.steprules import FINAL_STATUS

FORMAT = 1
EXECUTOR_INPUT = "{{$}}"
"""What KFP's launcher replaces with the JSON of a task's inputs and outputs."""

SNAPSHOTS = "KALEC_SNAPSHOTS"
"""The variable of a step's environment that names a second place for its snapshots: a mounted folder, or a URL."""

_YAML_BREAKS_OR_HIDES = r"[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]"
_REPLACED_BY_OTHERS = re.compile(r"\{\{|\}\}|'''|\$(?=[$(])|(?<=pytho)n(?=3)|" + _YAML_BREAKS_OR_HIDES)


def parts(step: Step) -> tuple[str, ...]:
    """The parts of the runtime that the step is told of: `shell` for IPython, `editions` where names stand twice."""
    needed = {
        "shell": any("get_ipython" in code.source for code in step.code),
        "editions": bool(step.outputs) and any(editions.PREFIX in text for code in step.code for text in _texts(code)),
    }
    return tuple(name for name, is_needed in needed.items() if is_needed)


def _texts(code: Code) -> list[str]:
    return [code.source, *(text for _, text in code.kept)]


def carried(pipeline: Pipeline) -> dict[str, tuple[str, ...]]:
    """Step -> everything of the runtime that it carries beyond what every step does: it pays only for what it uses."""
    from kalecompiler.runtime import extras

    everything = "\n".join(code.source for step in pipeline.steps for code in step.code)
    return {step.name: (*extras(content(step, pipeline), everything), *parts(step)) for step in pipeline.steps}


def shared(carried: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What a program carries that runs each of the steps."""
    return tuple(sorted({part for parts in carried.values() for part in parts}))


def program_parameter(pipeline: Pipeline) -> str:
    """The name of the parameter by which the steps of a large pipeline get the program that they share."""
    taken = {parameter.name for parameter in pipeline.parameters}
    for step in pipeline.steps:
        ports = (item.port for items in (step.inputs, step.outputs) for item in items)
        taken |= {*step.shown, step.snapshot_port, *ports}
    name = "kalec_runtime"
    while name in taken:
        name += "_"
    return name


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
        "report": step.report_port,
        "guards": [*(guard.variable for guard in step.guards), *([list(step.apart)] if step.apart else [])],
        "packages": [{"requirement": item.requirement, "module": item.module} for item in step.packages],
        "pip": _pip(pipeline) if step.packages else {},
        "files": {path: source.split("\n") for path, source in step.files},
        "handlers": [handler_json(handler) for handler in step.handlers],
        "max-artifact-size": step.settings.max_artifact_size,
        "preview": step.settings.preview,
        "snapshot": _snapshot(step),
        "tracking": _tracking(step, pipeline),
        "hash": _hash(pipeline),
        "code": [_code(code) for code in step.code],
    }
    return {key: value for key, value in fields.items() if value not in ([], {}, None, 0, "")}


def _parameters(step: Step, pipeline: Pipeline) -> dict[str, Any]:
    used = {
        parameter.name: {"type": parameter.type, "default": parameter.default}
        for parameter in pipeline.parameters
        if parameter.name in step.parameters
    }
    return used | ({FINAL_STATUS: {"type": "dict", "default": {}}} if step.exits else {})


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


def _snapshot(step: Step) -> dict[str, Any]:
    """What is kept of the step's state; its environment may name a second place for it."""
    if step.snapshot == "off":
        return {}
    place = dict(step.settings.of("env")).get(SNAPSHOTS)
    return {"port": step.snapshot_port, "level": step.snapshot} | _secrets(step) | ({"to": place} if place else {})


def _secrets(step: Step) -> dict[str, list[str]]:
    """The variables of the step's environment that hold a secret, or lead to the folder of one."""
    held = sorted({variable for _, variable in step.settings.of("secret")})
    held += sorted(volumes.variable(name) for name, _ in step.settings.of("secret-volume"))
    return {"secrets": held} if held else {}


def _tracking(step: Step, pipeline: Pipeline) -> dict[str, Any]:
    """The trackers that the step tells of itself; `last` where nothing follows it."""
    if not pipeline.trackers:
        return {}
    followed = {name for other in pipeline.steps for name in (*other.after, *(item.producer for item in other.inputs))}
    exits = any(other.exits for other in pipeline.steps)
    last = step.exits if exits else step.name not in followed
    return {
        "pipeline": pipeline.name,
        "trackers": [
            {"name": one.name, "options": dict(one.options)} | ({"class": one.made_by} if one.made_by else {})
            for one in pipeline.trackers
        ],
        **({"last": True} if last else {}),
        **_secrets(step),
    }


def _metrics(step: Step) -> dict[str, Any]:
    values = [_metric(metric) for metric in step.metrics]
    scalars = {"port": step.metrics_port, "values": values} if values else {}
    charts = [
        {"variable": chart.variable, "kind": chart.kind, "port": chart.port}
        | ({"labels": chart.labels} if chart.labels else {})
        for chart in step.charts
    ]
    return scalars | ({"charts": charts} if charts else {})


def _metric(metric: Metric) -> dict[str, str]:
    fields = {"name": metric.name, "variable": metric.variable}
    return fields | ({"better": metric.better} if metric.better else {})


def handler_json(handler: Handler) -> dict[str, Any]:
    """A handler as JSON values."""
    if handler.source:
        return {"name": handler.name, "types": list(handler.types), "source": handler.source.rstrip("\n").split("\n")}
    return {"name": handler.name, "type": handler.type, "dump": handler.dump, "load": handler.load}


def _hash(pipeline: Pipeline) -> str | None:
    """blake3, which is faster, where every step has it: one that has not could not verify what another made."""
    everywhere = all(any(item.module == "blake3" for item in step.packages) for step in pipeline.steps)
    return "blake3" if everywhere else None


def _pip(pipeline: Pipeline) -> dict[str, Any]:
    return {"index_url": pipeline.index_url, "trusted_hosts": list(pipeline.trusted_hosts)}


def _code(code: Code) -> dict[str, Any]:
    """A piece of code; `"\\n".join` of its lines is its source, whatever other line ends it holds."""
    identity: dict[str, Any] = {"name": code.name, "kind": code.kind.value}
    identity |= {"id": code.cell_id} if code.cell_id else {}
    identity |= {"kept": [list(kept) for kept in code.kept]} if code.kept else {}
    return identity | {"source": code.source.split("\n")}


def _escape(match: re.Match[str]) -> str:
    """JSON's escapes for the characters of the match (two for one that is beyond 16 bits)."""
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
