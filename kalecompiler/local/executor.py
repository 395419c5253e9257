"""KFP's executor contract, from the launcher's side: the input that a container gets, the output that it leaves.

https://github.com/kubeflow/pipelines: api/v2alpha1/pipeline_spec.proto (ExecutorInput, ExecutorOutput)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from kalecompiler.diagnostics import UsageError
from kalecompiler.local.tasks import FinalStatus, FromPipeline, FromTask, Task, as_carried

INPUT_FILE = "executor_input.json"
OUTPUT_FILE = "executor_output.json"

# These live in metadata: there need not be a file.
_METRICS = frozenset({"system.Metrics", "system.ClassificationMetrics", "system.SlicedClassificationMetrics"})
_MOUNTS = {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/", "oci://": "/oci/"}
_PLACEHOLDER = re.compile(r"\{\{\$.*?\}\}")
_OUTPUT_FIELDS = frozenset({"parameters", "parameterValues", "artifacts"})
_ARTIFACT_FIELDS = frozenset({"name", "type", "uri", "properties", "customProperties", "metadata", "customPath"})

Artifact = Mapping[str, Any]


class ContractError(Exception):
    """What a container left behind is not what KFP's launcher would accept; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Produced:
    """What a task put out: a KFP runtime artifact by port, and the values of its output parameters."""

    artifacts: Mapping[str, Artifact]
    parameters: Mapping[str, Any]


def executor_input(
    task: Task,
    arguments: Mapping[str, Any],
    produced: Mapping[str, Produced],
    folder: Path,
    final: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The executor input of a task that runs in `folder`, as KFP's launcher would write it.

    `arguments` are the pipeline's parameters, `produced` the outputs of the tasks above by key, `final` how they ended.
    Raises UsageError where the task runs always, and takes what a task that failed did not put out.
    """
    given = dict(_parameter_values(task, arguments, produced, final))
    for port, source in task.artifacts.items():
        if source.task not in produced:
            raise UsageError(f"its input {port} comes from {source.task}, which put out nothing")
    artifacts = {
        port: {"artifacts": [produced[source.task].artifacts[source.port]]} for port, source in task.artifacts.items()
    }
    outputs = {
        port: {"artifacts": [{"name": port, "type": dict(kind), "uri": str(folder / port), "metadata": {}}]}
        for port, kind in task.types.items()
    }
    return {
        "inputs": {"parameterValues": given, "artifacts": artifacts},
        "outputs": {
            "parameters": {name: {"outputFile": str(folder / name)} for name in task.output_parameters},
            "artifacts": outputs,
            "outputFile": str(folder / OUTPUT_FILE),
        },
    }


def to_text(value: Any) -> str:
    """JSON as it travels: one line, text as it is, but for what is no character: names of odd folders hold that."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace").decode()  # that is how JSON escapes it


def substitute(command: Sequence[str], given: Mapping[str, Any]) -> list[str]:
    """The command with the launcher's placeholders filled in; what looks like one and is none stays as it is."""
    table = dict(_placeholders(given))
    return [_PLACEHOLDER.sub(lambda match: table.get(match[0], match[0]), word) for word in command]


def path_of(artifact: Artifact) -> Path:
    """Where a container finds an artifact's file."""
    uri = str(artifact.get("customPath") or artifact.get("uri", ""))
    for scheme, mount in _MOUNTS.items():
        if uri.startswith(scheme):
            return Path(mount + uri.removeprefix(scheme))
    return Path(uri)


def is_metrics(artifact: Artifact) -> bool:
    """Whether an artifact is all metadata, without a file."""
    return artifact.get("type", {}).get("schemaTitle") in _METRICS


def is_scalars(artifact: Artifact) -> bool:
    """Whether the metadata of an artifact are metrics by name, and not what a chart is drawn from."""
    return bool(artifact.get("type", {}).get("schemaTitle") == "system.Metrics")


def read_output(given: Mapping[str, Any]) -> Produced:
    """What a container that succeeded put out, `given` being its executor input.

    Raises ContractError where the output file is missing, not strict JSON, or names what the component does not
    declare, and where the file of a declared output does not exist.
    """
    outputs = given["outputs"]
    written = _read_output_file(Path(outputs["outputFile"]), bool(outputs["artifacts"] or outputs["parameters"]))
    artifacts = {
        port: _merged(port, declared["artifacts"][0], written.get("artifacts", {}).get(port))
        for port, declared in outputs["artifacts"].items()
    }
    _refuse_unknown("artifact", written.get("artifacts", {}), outputs["artifacts"])
    for port, artifact in artifacts.items():
        if not is_metrics(artifact) and not path_of(artifact).exists():
            raise ContractError(f"the output {port} was not written: there is no {path_of(artifact)}")
    return Produced(artifacts, _read_parameters(outputs["parameters"], written.get("parameterValues", {})))


def _parameter_values(
    task: Task, arguments: Mapping[str, Any], produced: Mapping[str, Produced], final: Mapping[str, Any] | None
) -> Iterator[tuple[str, Any]]:
    for name in sorted({*task.parameters, *task.defaults}):
        source = task.parameters.get(name)
        if isinstance(source, FromTask):
            value = produced[source.task].parameters.get(source.port) if source.task in produced else None
        elif isinstance(source, FromPipeline):
            value = arguments.get(source.name)
        elif isinstance(source, FinalStatus):
            value = final
        else:
            value = source.value if source else None
        value = task.defaults.get(name) if value is None else value
        if value is not None:  # a null makes the launcher fail: it is left out
            yield name, as_carried(value)


def _placeholders(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "{{$}}", to_text(given)
    inputs, outputs = given["inputs"], given["outputs"]
    for name, value in inputs["parameterValues"].items():
        yield f"{{{{$.inputs.parameters['{name}']}}}}", _parameter_text(value)
    for side, ports in (("inputs", inputs["artifacts"]), ("outputs", outputs["artifacts"])):
        for port, entry in ports.items():
            artifact = entry["artifacts"][0]
            yield f"{{{{$.{side}.artifacts['{port}'].uri}}}}", str(artifact["uri"])
            yield f"{{{{$.{side}.artifacts['{port}'].path}}}}", str(path_of(artifact))
    for name, entry in outputs["parameters"].items():
        yield f"{{{{$.outputs.parameters['{name}'].output_file}}}}", str(entry["outputFile"])


def _parameter_text(value: Any) -> str:
    """A parameter inside an argument: text as it is, a number without an exponent, all else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return to_text(value)


def _read_output_file(path: Path, needed: bool) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        written = json.loads(text, parse_constant=_refuse_constant) if text.strip() else {}
    except FileNotFoundError:
        if needed:
            raise ContractError(f"the step ended without writing {path.name}") from None
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ContractError(f"{path.name} cannot be read: {error}") from None
    if not isinstance(written, dict):
        raise ContractError(f"{path.name} is {type(written).__name__} where an object is expected")
    _refuse_unknown("field", written, _OUTPUT_FIELDS)
    for name, value in written.items():
        if not isinstance(value, dict):
            raise ContractError(f"{path.name}: {name} is {type(value).__name__} where an object is expected")
    return written


def _merged(port: str, declared: Artifact, written: Any) -> Artifact:
    """A declared artifact with what the container says of it: another address, metadata."""
    if written is None:
        return declared
    try:
        (entry,) = written["artifacts"]
        _refuse_unknown(f"field of {port}", entry, _ARTIFACT_FIELDS)
        metadata = dict(entry.get("metadata", {}))
        uri = str(entry.get("uri") or declared["uri"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ContractError(f"{OUTPUT_FILE}: the artifact {port} is not a list of one artifact") from None
    if nulls := sorted(name for name, value in metadata.items() if value is None):
        raise ContractError(f"{OUTPUT_FILE}: the metadata {nulls[0]} of {port} is null, which KFP refuses")
    return {**declared, "uri": uri, "metadata": metadata}


def _read_parameters(declared: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """The output parameters: from the executor output, else the text of the file that each one has."""
    _refuse_unknown("parameter", written, declared)
    found = dict(written)
    for name, entry in declared.items():
        if name not in found:
            try:
                found[name] = Path(entry["outputFile"]).read_text(encoding="utf-8")
            except (OSError, ValueError):
                raise ContractError(f"the output parameter {name} was not written") from None
    return found


def _refuse_unknown(what: str, names: Mapping[str, Any], known: Any) -> None:
    if unknown := sorted(set(names) - set(known)):
        raise ContractError(f"{OUTPUT_FILE} has the {what} {unknown[0]!r}, which the component does not declare")


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")
