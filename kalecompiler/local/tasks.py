"""A pipeline package (KFP's PipelineSpec as parsed YAML) as the tasks that the runner executes.

Only what a compiled notebook needs is known here; a package that needs more (loops, conditions, nested pipelines,
importers) is refused before anything runs. The group of an exit handler is dissolved: its exit task runs after all.
"""

from __future__ import annotations

import graphlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kalecompiler import topology
from kalecompiler.diagnostics import UsageError
from kalecompiler.local import pods
from kalecompiler.local.pods import Pod

# From here on protobuf's JSON writes a number with an exponent, and a reader takes it for a float.
_EXPONENT = 1e21

# Task and port names become file names of the run folder.
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_UNKNOWN_TASK_KEYS = {
    "artifactIterator": "a loop",
    "parameterIterator": "a loop",
}
_WHATEVER_HAPPENED = "ALL_UPSTREAM_TASKS_COMPLETED"
# Tasks with these images are KFP's own: the driver makes or deletes a volume, and no container runs.
_MAKES_CLAIM, _DELETES_CLAIM = "argostub/createpvc", "argostub/deletepvc"


@dataclass(frozen=True, slots=True)
class Constant:
    """A parameter's value as it stands in the package."""

    value: Any


@dataclass(frozen=True, slots=True)
class FromPipeline:
    """A parameter that takes the value of a pipeline parameter."""

    name: str


@dataclass(frozen=True, slots=True)
class FromTask:
    """An artifact or parameter that another task puts out under `port`."""

    task: str
    port: str


@dataclass(frozen=True, slots=True)
class FinalStatus:
    """A parameter that takes how the tasks before it ended."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a task may run again, and the seconds to wait: at first, times what each time, at most."""

    count: int = 0
    wait: float = 0.0
    factor: float = 2.0
    longest: float = 3600.0

    def delay(self, failed: int) -> float:
        """The seconds to wait after that many failures."""
        return min(self.wait * self.factor ** (failed - 1), self.longest)


Source = Constant | FromPipeline | FromTask | FinalStatus


@dataclass(frozen=True, slots=True)
class Task:
    """A container to run. `key` is the task's name in the package, `name` the one that people see.

    `after` has the keys of all tasks that must succeed first, or only end where it runs `always`; `types` the KFP type
    of each output artifact; `defaults` the component's own parameter defaults; `optional` the parameters that may be
    left out.
    """

    key: str
    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    after: frozenset[str] = frozenset()
    parameters: Mapping[str, Source] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    artifacts: Mapping[str, FromTask] = field(default_factory=dict)
    types: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    output_parameters: tuple[str, ...] = ()
    always: bool = False
    retry: Retry = Retry()
    pod: Pod = field(default_factory=Pod)


@dataclass(frozen=True, slots=True)
class Package:
    """A pipeline package: its name, its tasks by key, its parameters (defaults, and those without one)."""

    name: str
    tasks: Mapping[str, Task]
    defaults: Mapping[str, Any]
    required: frozenset[str]
    optional: frozenset[str]

    @property
    def parameters(self) -> frozenset[str]:
        """The names of all pipeline parameters."""
        return frozenset(self.defaults) | self.required | self.optional


def read_package(spec: Mapping[str, Any], platform: Mapping[str, Any] | None = None) -> Package:
    """The package in a parsed PipelineSpec, with its platform document if it has one.

    Raises UsageError where it is none, or needs something that the local runner does not have.
    """
    try:
        inputs = spec["root"].get("inputDefinitions", {}).get("parameters", {})
        flat = _flattened(spec)
        tasks = {key: _task(key, task, spec, flat, platform) for key, task in flat.containers.items()}
        name = str(spec["pipelineInfo"]["name"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(f"this is not a pipeline package: {type(error).__name__} at {error}") from None
    if not tasks:
        raise UsageError("the pipeline package has no tasks")
    levels(tasks)
    _check_sources(tasks)
    defaults = defaults_of(inputs)
    optional = frozenset(n for n, value in inputs.items() if value.get("isOptional") and n not in defaults)
    return Package(name, tasks, defaults, frozenset(inputs) - set(defaults) - optional, optional)


def defaults_of(declared: Mapping[str, Any]) -> dict[str, Any]:
    """The default values of declared parameters.

    A package has every number as a double. The whole ones are integers again, but for those declared as floats.
    """
    return {
        name: value["defaultValue"]
        if value.get("parameterType") == "NUMBER_DOUBLE"
        else as_carried(value["defaultValue"])
        for name, value in declared.items()
        if "defaultValue" in value
    }


def as_carried(value: Any) -> Any:
    """A value after KFP carried it: all numbers are doubles there, and integral ones are written without a point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXPONENT:
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): as_carried(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [as_carried(item) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class _Flat:
    """All tasks on one level. `groups` has the tasks of each group; `given` what a group's inputs come from, by name;
    `claims` the names of new volumes by the task that makes each; `absent` the tasks that no local run has."""

    tasks: Mapping[str, Mapping[str, Any]]
    groups: Mapping[str, frozenset[str]]
    given: Mapping[str, Mapping[str, Any]]
    claims: Mapping[str, str]
    absent: frozenset[str]

    @property
    def containers(self) -> dict[str, Mapping[str, Any]]:
        """The tasks that are containers to run."""
        return {key: task for key, task in self.tasks.items() if key not in self.absent}

    def needs(self, task: Mapping[str, Any]) -> frozenset[str]:
        """The containers that a task waits for."""
        direct = task.get("dependentTasks", ())
        return frozenset(k for key in direct for k in self.groups.get(key, {key}) if k not in self.absent)


def _flattened(spec: Mapping[str, Any]) -> _Flat:
    root = spec["root"]["dag"]["tasks"]
    exits = {str(name) for task in root.values() if _is_exit(task) for name in task.get("dependentTasks", ())}
    tasks: dict[str, Mapping[str, Any]] = {}
    groups: dict[str, frozenset[str]] = {}
    given: dict[str, Mapping[str, Any]] = {}
    for key, task in root.items():
        component = spec["components"][task["componentRef"]["name"]]
        if key in exits and "dag" in component:
            own = component["dag"]["tasks"]
            groups[str(key)] = frozenset(str(name) for name in own)
            given |= dict.fromkeys(map(str, own), task.get("inputs", {}).get("parameters", {}))
            tasks |= {str(name): inner for name, inner in own.items()}
        else:
            tasks[str(key)] = task
    images = {key: _image(task, spec) for key, task in tasks.items()}
    claims = {key: _claim(task) for key, task in tasks.items() if images[key] == _MAKES_CLAIM}
    absent = frozenset(key for key, image in images.items() if image in (_MAKES_CLAIM, _DELETES_CLAIM))
    return _Flat(tasks, groups, given, claims, absent)


def _is_exit(task: Mapping[str, Any]) -> bool:
    inputs = task.get("inputs", {}).get("parameters", {})
    return any("taskFinalStatus" in given for given in inputs.values())


def _image(task: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    component = spec["components"][task["componentRef"]["name"]]
    executor = spec["deploymentSpec"]["executors"].get(component.get("executorLabel"), {})
    return str(executor.get("container", {}).get("image", ""))


def _claim(task: Mapping[str, Any]) -> str:
    """The name of a new volume, which the task that makes it has as a suffix."""
    suffix = task.get("inputs", {}).get("parameters", {}).get("pvc_name_suffix", {})
    return str(suffix.get("runtimeValue", {}).get("constant", "")).removeprefix("-")


def levels(tasks: Mapping[str, Task]) -> list[list[str]]:
    """The task keys by their depth below the tasks that wait for nothing, sorted within a depth.

    Raises UsageError for a cycle, or a task that waits for one that does not exist.
    """
    for task in tasks.values():
        if missing := sorted(task.after - set(tasks)):
            raise UsageError(f"task {task.key} waits for {missing[0]}, which the package does not have")
    sorter = graphlib.TopologicalSorter({key: task.after for key, task in tasks.items()})
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        raise UsageError(f"the tasks wait for each other in a circle: {' -> '.join(error.args[1])}") from None
    found = []
    while sorter.is_active():
        found.append(sorted(sorter.get_ready()))
        sorter.done(*found[-1])
    return found


def in_order(tasks: Mapping[str, Task], names: Sequence[str] = ()) -> list[str]:
    """The task keys in the order of the step names given; those that it does not name follow, topologically."""
    position = {name: index for index, name in enumerate(names)}
    keys = [key for level in levels(tasks) for key in level]
    return sorted(keys, key=lambda key: position.get(tasks[key].name, len(position)))


def ancestors(tasks: Mapping[str, Task], key: str) -> set[str]:
    """The keys of the tasks that must run for `key`, itself among them."""
    return {key, *topology.above(key, lambda other: tasks[other].after)}


def _task(
    key: str, task: Mapping[str, Any], spec: Mapping[str, Any], flat: _Flat, platform: Mapping[str, Any] | None
) -> Task:
    for unknown, what in _UNKNOWN_TASK_KEYS.items():
        if unknown in task:
            raise UsageError(f"task {key} is part of {what}, which the local runner does not have")
    trigger = task.get("triggerPolicy", {})
    if trigger.get("condition"):
        raise UsageError(f"task {key} is part of a condition, which the local runner does not have")
    component = spec["components"][task["componentRef"]["name"]]
    container = _container(key, component, spec)
    inputs, outputs = component.get("inputDefinitions", {}), component.get("outputDefinitions", {})
    declared, given = inputs.get("parameters", {}), flat.given.get(key, {})
    parameters = {n: _parameter(n, g, given) for n, g in task.get("inputs", {}).get("parameters", {}).items()}
    artifacts = {name: _artifact(name, given) for name, given in task.get("inputs", {}).get("artifacts", {}).items()}
    producers = {s.task for s in (*parameters.values(), *artifacts.values()) if isinstance(s, FromTask)}
    types = {name: output.get("artifactType", {}) for name, output in outputs.get("artifacts", {}).items()}
    config = pods.configurations(platform).get(component["executorLabel"], {})
    _check_names([key, *types, *outputs.get("parameters", {})])
    return Task(
        key=key,
        name=str(task.get("taskInfo", {}).get("name") or key),
        command=tuple(str(word) for word in (*container.get("command", ()), *container.get("args", ()))),
        env={str(entry["name"]): str(entry.get("value", "")) for entry in container.get("env", ())},
        after=flat.needs(task) | producers,
        parameters=parameters,
        defaults=defaults_of(declared),
        optional=frozenset(name for name, value in declared.items() if value.get("isOptional")),
        artifacts=artifacts,
        types=types,
        output_parameters=tuple(sorted(outputs.get("parameters", {}))),
        always=trigger.get("strategy") == _WHATEVER_HAPPENED,
        retry=_retry(task.get("retryPolicy", {})),
        pod=pods.read(config, container, flat.claims, pods.has_workspace(platform)),
    )


def _retry(policy: Mapping[str, Any]) -> Retry:
    plain = Retry()

    def seconds(name: str, default: float) -> float:
        return float(str(policy.get(name, default)).removesuffix("s"))

    return Retry(
        int(policy.get("maxRetryCount", 0)),
        seconds("backoffDuration", plain.wait),
        float(policy.get("backoffFactor", plain.factor)),
        seconds("backoffMaxDuration", plain.longest),
    )


def _container(key: str, component: Mapping[str, Any], spec: Mapping[str, Any]) -> Mapping[str, Any]:
    if "dag" in component:
        raise UsageError(f"task {key} is a nested pipeline, which the local runner does not have")
    executor = spec["deploymentSpec"]["executors"][component["executorLabel"]]
    if "container" not in executor:
        raise UsageError(f"task {key} is no container, and the local runner has nothing else")
    container: Mapping[str, Any] = executor["container"]
    if not container.get("command"):
        raise UsageError(f"task {key} has no command: the entry point of its image is not known here")
    return container


def _parameter(name: str, given: Mapping[str, Any], outside: Mapping[str, Any]) -> Source:
    """Where a parameter comes from; `outside` says it of what a group was given."""
    if "componentInputParameter" in given:
        of_group = outside.get(given["componentInputParameter"])
        return _parameter(name, of_group, {}) if of_group else FromPipeline(given["componentInputParameter"])
    if "taskOutputParameter" in given:
        source = given["taskOutputParameter"]
        return FromTask(source["producerTask"], source["outputParameterKey"])
    if "constant" in given.get("runtimeValue", {}):
        return Constant(given["runtimeValue"]["constant"])
    if "taskFinalStatus" in given:
        return FinalStatus()
    raise UsageError(f"the input {name} comes from {', '.join(given)}, which the local runner does not have")


def _artifact(name: str, given: Mapping[str, Any]) -> FromTask:
    if "taskOutputArtifact" not in given:
        raise UsageError(f"the input {name} comes from {', '.join(given)}, which the local runner does not have")
    source = given["taskOutputArtifact"]
    return FromTask(source["producerTask"], source["outputArtifactKey"])


def _check_sources(tasks: Mapping[str, Task]) -> None:
    for task in tasks.values():
        for name, source in {**task.parameters, **task.artifacts}.items():
            if isinstance(source, FromTask) and not _puts_out(tasks[source.task], source.port):
                origin = f"{source.task}, which has no output {source.port}"
                raise UsageError(f"the input {name} of task {task.key} comes from {origin}")


def _puts_out(task: Task, port: str) -> bool:
    return port in task.types or port in task.output_parameters


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if not _SAFE_NAME.fullmatch(name):
            raise UsageError(f"the package has a task or output named {name!r}, which cannot be a file name")
