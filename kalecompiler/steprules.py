"""What settings of one pipeline cannot be together: steps with their settings -> findings, each on its tag.

Each setting alone was checked where it was read. Here: two that want the same name or path, an exit step that takes
part in the graph, failures that are to be ignored and cannot be, a claim for one node that several may want.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from itertools import combinations

from kalecompiler import settingrules, topology, volumes
from kalecompiler.diagnostics import (
    CONFLICTING_SETTINGS,
    EXIT_STEP,
    IGNORED_FAILURE,
    SHARED_CLAIM,
    Diagnostic,
)
from kalecompiler.model import Location, Pipeline, Step

FINAL_STATUS = "final_status"
"""The variable in which an exit step finds how the run ended."""

VOLUMES = ("volume", "new-volume", "empty-dir", "ephemeral-volume")
MOUNTS = (*VOLUMES, "secret-volume", "config-map-volume")
"""The settings that put a folder into a step's container."""

_GROUP = "exit-handler-1"
_PVC_TASKS = ("createpvc", "deletepvc")
_ONE_NODE = ("ReadWriteOnce", "ReadWriteOncePod")


def check(pipeline: Pipeline) -> tuple[Diagnostic, ...]:
    """Every finding (KC126 to KC129) about settings that do not go together."""
    findings = [finding for step in pipeline.steps for finding in _conflicts(step, pipeline)]
    findings += [*_same_names(pipeline), *_new_volumes(pipeline)]
    findings += [*_exit_steps(pipeline), *_ignored_failures(pipeline)]
    return (*findings, *_shared_claims(pipeline))


def new_volumes(pipeline: Pipeline) -> dict[str, volumes.Mount]:
    """The volumes that are made for a run, by name, as the first step that has each says."""
    found: dict[str, volumes.Mount] = {}
    for step in pipeline.steps:
        for name, value in step.settings.of("new-volume"):
            found.setdefault(name, volumes.read(name, value))
    return found


def _at(step: Step, pipeline: Pipeline, *kinds: str, key: str | None = None) -> Location:
    """Where a setting of the step stands, else the step."""
    return step.settings.origin(*kinds, key=key) or step.origin or Location(pipeline.notebook)


def _conflicts(step: Step, pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Two settings that want the same variable, volume or path; a root that must not be; a request above its limit."""
    taken: dict[tuple[str, str], str] = {}
    if pipeline.whole.workspace is not None:
        variable = volumes.variable("workspace")
        taken = {("the variable", variable): "workspace", ("the path", volumes.WORKSPACE): "workspace"}
    for kind, key, value in step.settings.others:
        for what, name in _claims(kind, key, value):
            other = taken.setdefault((what, name), kind)
            if other != kind:
                message = f"step `{step.name}` has {what} `{name}` from `{other}` and from `{kind}`"
                where = _at(step, pipeline, kind, key=key)
                yield Diagnostic(CONFLICTING_SETTINGS, message, where, "keep one of them, or name them apart")
    yield from _same_paths(step, pipeline)
    identity = dict(step.settings.of("security-context"))
    if identity.get("run-as-user") == "0" and identity.get("run-as-non-root") == "true":
        message = f"step `{step.name}` is to run as user 0, and not as root, so its pod would never start"
        where = _at(step, pipeline, "security-context", key="run-as-user")
        yield Diagnostic(CONFLICTING_SETTINGS, message, where, "name another user, or set run-as-non-root to false")
    limits = dict(step.settings.limits)
    for resource, quantity in step.settings.requests:
        limit = limits.get(resource)
        if limit is not None and settingrules.amount_of(quantity) > settingrules.amount_of(limit):
            message = f"step `{step.name}` requests {quantity} of {resource}, and its limit is {limit}"
            where = _at(step, pipeline, "request", key=resource)
            yield Diagnostic(CONFLICTING_SETTINGS, message, where, "a request is at most the limit")


def _claims(kind: str, key: str, value: str) -> Iterator[tuple[str, str]]:
    """The names that a setting takes in the step's pod."""
    if kind in ("env", "field-path"):
        yield "the variable", key
    elif kind in ("secret", "config-map"):
        yield "the variable", value
    elif kind in MOUNTS:
        yield "the variable", volumes.variable(key)
        yield "the volume", key
        yield "the path", _path(value)


def _path(value: str) -> str:
    """The path that a volume's value names, without what makes no difference."""
    return posixpath.normpath("/" + value.partition(":")[0].lstrip("/"))


def _same_paths(step: Step, pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Two volumes of one kind at the same path; of two kinds, it was said already."""
    paths: dict[tuple[str, str], str] = {}
    for kind, key, value in step.settings.others:
        path = _path(value)
        if kind in MOUNTS and (other := paths.setdefault((kind, path), key)) != key:
            message = f"step `{step.name}` has both volumes `{other}` and `{key}` at `{path}`"
            where = _at(step, pipeline, kind, key=key)
            yield Diagnostic(CONFLICTING_SETTINGS, message, where, "give each a path of its own")


def _same_names(pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Two steps that are shown under one name."""
    first: dict[str, str] = {}
    for step in sorted(pipeline.steps, key=lambda step: bool(step.settings.one("display-name"))):
        name = step.settings.one("display-name") or step.name
        if (other := first.setdefault(name, step.name)) != step.name:
            message = f"steps `{other}` and `{step.name}` would both be shown as `{name}`"
            yield Diagnostic(CONFLICTING_SETTINGS, message, _at(step, pipeline, "display-name"), "name them apart")


def _new_volumes(pipeline: Pipeline) -> Iterator[Diagnostic]:
    known = new_volumes(pipeline)
    for step in pipeline.steps:
        for name, value in step.settings.of("new-volume"):
            mine, first = volumes.read(name, value), known[name]
            if _claim(mine) != _claim(first):
                message = f"the new volume `{name}` of step `{step.name}` has other options than that of another step"
                where = _at(step, pipeline, "new-volume", key=name)
                yield Diagnostic(CONFLICTING_SETTINGS, message, where, "write it the same, or once for all steps")
        if known and step.task in _PVC_TASKS:
            message = f"step `{step.name}` has the name of the task that makes or deletes a new volume"
            yield Diagnostic(CONFLICTING_SETTINGS, message, step.origin or Location(pipeline.notebook), "rename it")


def _claim(mount: volumes.Mount) -> Mapping[str, str]:
    return {key: value for key, value in mount.options.items() if key != "sub-path"}


def _exit_steps(pipeline: Pipeline) -> Iterator[Diagnostic]:
    exits = [step for step in pipeline.steps if step.exits]
    hint = "KFP runs one exit step: join them"
    for step in exits[1:]:
        message = f"both `{exits[0].name}` and `{step.name}` are exit steps"
        yield Diagnostic(EXIT_STEP, message, _at(step, pipeline, "exit"), hint)
    for step in exits[:1]:
        yield from _exit_step(step, pipeline)
    names = {step.name for step in exits}
    for step in pipeline.steps:
        if exits and step.task == _GROUP:
            message = f"step `{step.name}` has the name that KFP gives the group of all steps before the exit step"
            yield Diagnostic(EXIT_STEP, message, step.origin or Location(pipeline.notebook), "rename it")
        if exits and FINAL_STATUS in step.parameters and not step.exits:
            message = f"step `{step.name}` reads `{FINAL_STATUS}`, which only an exit step has"
            yield Diagnostic(EXIT_STEP, message, step.origin or Location(pipeline.notebook))
        waits = sorted(names & {*step.after, *(item.producer for item in step.inputs)} - {step.name})
        if waits and not step.exits:
            message = f"step `{step.name}` runs after `{waits[0]}`, which is the exit step"
            yield Diagnostic(EXIT_STEP, message, step.origin or Location(pipeline.notebook), "nothing runs after that")


def _exit_step(step: Step, pipeline: Pipeline) -> Iterator[Diagnostic]:
    where = _at(step, pipeline, "exit")
    if step.inputs:
        reads = ", ".join(f"`{item.variable}` from `{item.producer}`" for item in step.inputs)
        message = f"the exit step `{step.name}` reads {reads}, and KFP hands an exit step no data"
        hint = f"it has the parameters and `{FINAL_STATUS}`; write what else it needs to a volume or a bucket"
        yield Diagnostic(EXIT_STEP, message, where, hint)
    elif step.after:
        message = f"the exit step `{step.name}` is to run after `{step.after[0]}`"
        yield Diagnostic(EXIT_STEP, message, where, "it runs after all others anyway: remove its `prev:` tags")
    if any(parameter.name == FINAL_STATUS for parameter in pipeline.parameters):
        message = f"the parameter `{FINAL_STATUS}` hides how the run ended from the exit step `{step.name}`"
        yield Diagnostic(EXIT_STEP, message, where, "rename the parameter")
    if len(pipeline.steps) == 1:
        yield Diagnostic(EXIT_STEP, f"the exit step `{step.name}` is the only step", where, "remove the tag")
    for kind, why, cure in (
        ("new-volume", "it gets nothing from other tasks", "give the volume to the steps that need it, one by one"),
        ("ignore-failure", "it runs anyway", "remove it"),
    ):
        if step.settings.of(kind):
            message = f"the exit step `{step.name}` cannot have `{kind}`: {why}"
            yield Diagnostic(EXIT_STEP, message, _at(step, pipeline, kind), cure)


def _ignored_failures(pipeline: Pipeline) -> Iterator[Diagnostic]:
    names = {step.name for step in pipeline.steps}
    exits = {step.name for step in pipeline.steps if step.exits}
    for step in pipeline.steps:
        ignored = {value for _, value in step.settings.of("ignore-failure")}
        for name in sorted(ignored):
            where = _at(step, pipeline, "ignore-failure", key=name)
            if name not in names:
                yield Diagnostic(IGNORED_FAILURE, f"there is no step `{name}` whose failure can be ignored", where)
            elif name == step.name:
                message = f"step `{name}` cannot ignore its own failure"
                yield Diagnostic(IGNORED_FAILURE, message, where, "name a step right before it, or use `retry`")
            elif name in exits:
                message = f"step `{step.name}` cannot ignore the failure of the exit step `{name}`, which runs last"
                yield Diagnostic(IGNORED_FAILURE, message, where, "remove it")
            elif name not in step.after:
                message = f"step `{step.name}` does not run right after `{name}`, whose failure it ignores"
                yield Diagnostic(IGNORED_FAILURE, message, where, f"add `prev:{name}`")
        yield from _ignoring(step, ignored, pipeline) if ignored and not step.exits else ()


def _ignoring(step: Step, ignored: set[str], pipeline: Pipeline) -> Iterator[Diagnostic]:
    where = _at(step, pipeline, "ignore-failure")
    if step.inputs:
        item = step.inputs[0]
        message = f"step `{step.name}` cannot ignore a failure: it reads `{item.variable}` from `{item.producer}`"
        yield Diagnostic(IGNORED_FAILURE, message, where, "KFP lets only a step without data from others do so")
    elif others := [name for name in step.after if name not in ignored]:
        message = f"step `{step.name}` also runs after `{others[0]}`, whose failure it does not ignore"
        hint = f"KFP ignores the failures of all or of none: add `ignore-failure:{others[0]}`"
        yield Diagnostic(IGNORED_FAILURE, message, where, hint)


def _shared_claims(pipeline: Pipeline) -> Iterator[Diagnostic]:
    """A warning for each claim that one node can have at a time, and that steps on several may want at once."""
    direct = {step.name: {*step.after, *(item.producer for item in step.inputs)} for step in pipeline.steps}
    above = {name: topology.above(name, lambda other: direct.get(other, ())) for name in direct}
    users: dict[str, list[Step]] = {}
    if pipeline.whole.workspace and volumes.read_workspace(pipeline.whole.workspace)[1].get("access") in _ONE_NODE:
        users["workspace"] = [step for step in pipeline.steps if not step.exits]
    for step in pipeline.steps:
        for name, value in (*step.settings.of("volume"), *step.settings.of("new-volume")):
            if volumes.read(name, value).access in _ONE_NODE and not step.exits:
                users.setdefault(name, []).append(step)
    for name, steps in users.items():
        pairs = combinations(steps, 2)
        apart = [(a, b) for a, b in pairs if a.name not in above[b.name] and b.name not in above[a.name]]
        for one, other in apart[:1]:
            message = (
                f"steps `{one.name}` and `{other.name}` may run at once, and only one node can have volume `{name}`"
            )
            hint = f"order them with `prev:{one.name}`, or use a claim with the mode ReadWriteMany"
            where = _at(other, pipeline, "volume", "new-volume", key=name)
            yield Diagnostic(SHARED_CLAIM, message, where, hint)
