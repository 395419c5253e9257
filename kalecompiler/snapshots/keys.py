"""What the outcome of a step depends on, as far as it can be known: two runs with the same facts have the same outcome.

Code, parameters and inputs, settings that reach the code, versions; not what it opens while it runs (see `reuse`).
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from kalecompiler.diagnostics import UsageError
from kalecompiler.local import pods, provided
from kalecompiler.local.provided import Provided
from kalecompiler.local.tasks import Task
from kalecompiler.runtime import parameters as typed
from kalecompiler.version import VERSION

_SETTINGS = ("handlers", "guards", "files", "hash", "max-artifact-size")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a step's outcome depends on, in parts that can be compared and named. All values are JSON values.

    `code` is by piece of code, `inputs` has digests by variable, `settings` are those that reach the code, and
    `told` is what the run was told that does (see the function).
    """

    code: Mapping[str, Any]
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str]
    settings: Mapping[str, Any]
    told: Mapping[str, str]
    versions: Mapping[str, str]

    @property
    def key(self) -> str:
        """The digest of all of it."""
        parts = asdict(self) | {"parameters": {name: _text(value) for name, value in self.parameters.items()}}
        text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=repr)
        return hashlib.sha256(text.encode()).hexdigest()


def step_of(task: Task) -> dict[str, Any]:
    """The step's JSON that a task carries; {} where it is not one of ours."""
    for word in task.command:
        if word.startswith("{") and '"format"' in word:
            try:
                step = json.loads(word)
            except ValueError:
                continue
            if isinstance(step, dict) and "step" in step:
                return step
    return {}


def facts(
    task: Task,
    arguments: Mapping[str, Any],
    inputs: Mapping[str, str],
    versions: Mapping[str, str],
    given: Mapping[str, str],
) -> Facts:
    """The facts of a task that runs with the pipeline's `arguments`, inputs of these digests, and these versions.

    `given` is what the run was told for it (see `told`).
    """
    step = step_of(task)
    notebook = str(step.get("notebook", ""))
    settings = {name: step[name] for name in _SETTINGS if name in step}
    settings |= {"environment": dict(task.env)} if task.env else {}
    settings |= {"packages": step["packages"]} if step.get("packages") else {}
    settings |= {"together": pairs} if (pairs := list(_together(step))) else {}
    return Facts(
        code={_short(piece["name"], notebook): _piece(piece) for piece in step.get("code", ())}
        | ({"metrics": step["metrics"]["values"]} if step.get("metrics") else {}),
        parameters=typed.bind(step.get("parameters", {}), dict(arguments)),
        inputs=dict(inputs),
        settings=settings,
        told=dict(given),
        versions=dict(versions),
    )


def told(task: Task, sources: Provided, isolate: bool, folder: str) -> dict[str, str]:
    """What a run was told that reaches a task: the folders of its volumes, its config maps, whether it is isolated.

    A folder below the working folder `folder` is named relative to it; of a config map's values there are digests.
    """
    found = {"--isolate": "yes"} if isolate else {}
    for mount in task.pod.folders:
        if mount.kind in provided.OPTIONS and (place := sources.folder(mount.kind, mount.name)):
            near = os.path.relpath(path := os.path.realpath(place), folder)
            found[f"{provided.OPTIONS[mount.kind]} {mount.name}"] = path if near.startswith("..") else near
    for reference in task.pod.references:
        if reference.kind == pods.CONFIG_MAP:
            with contextlib.suppress(UsageError):  # it is not there: the step cannot start
                value = provided.value(sources, reference, task.name).encode("utf-8", "surrogateescape")
                name = f"{provided.OPTIONS[reference.kind]} {reference.name}:{reference.key}"
                found[name] = hashlib.sha256(value).hexdigest()
    return found


def _together(step: Mapping[str, Any]) -> Iterator[list[str]]:
    """The pairs of outputs that may share an object which a later step changes, and that the same steps take."""
    takers = {item["variable"]: sorted(item["for"]) for item in step.get("outputs", ())}
    for group in step.get("guards", ()):
        names = [name for name in group if name in takers] if isinstance(group, list) else []
        yield from ([one, two] for one, two in itertools.combinations(names, 2) if takers[one] == takers[two])


def difference(before: Facts, now: Facts) -> str:
    """The first thing, in words, in which the facts of two runs of a step differ; empty where they do not."""
    if before.code != now.code:
        return _difference(before.code, now.code, "its code in `{}` {}")
    for name in sorted({*before.parameters, *now.parameters}):
        if _text(before.parameters.get(name)) != _text(now.parameters.get(name)):
            return f"the parameter `{name}` is {now.parameters.get(name)!r}, was {before.parameters.get(name)!r}"
    for one, other, words in (
        (before.inputs, now.inputs, "its input `{}` {}"),
        (before.settings, now.settings, "its setting `{}` {}"),
        (before.told, now.told, "what the run is given as `{}` {}"),
        (before.versions, now.versions, "the version of {} {}"),
    ):
        if found := _difference(one, other, words):
            return found
    return "" if before.key == now.key else "the order of its code changed"


def versions_of(environment: Mapping[str, Any], compiler: str, task: Task) -> dict[str, str]:
    """The versions that a step had in a run, by what its manifest says of its environment."""
    there: dict[str, str] = {}
    for entry in environment.get("packages", ()):
        name, _, version = str(entry).rpartition("-")
        there[_normal(name)] = version
    python = ".".join(str(environment.get("python", "")).split(".")[:2])
    return {"Python": python, "kalecompiler": compiler} | {
        name: there.get(name, "none") for name in _distributions(task)
    }


def versions_here(task: Task) -> dict[str, str]:
    """The versions that a step would have here and now."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"Python": python, "kalecompiler": VERSION} | {name: _version(name) for name in _distributions(task)}


def _distributions(task: Task) -> list[str]:
    """The distributions that a step asks for, and those that they need."""
    from packaging.requirements import InvalidRequirement, Requirement

    names: set[str] = set()
    for package in step_of(task).get("packages", ()):
        try:
            names |= _needed(_normal(Requirement(package["requirement"]).name))
        except InvalidRequirement:
            names.add(str(package["requirement"]))
    return sorted(names)


@cache
def _needed(name: str) -> frozenset[str]:
    """A distribution and all that it needs, as far as it is installed."""
    from importlib.metadata import PackageNotFoundError, requires

    from packaging.requirements import Requirement

    found: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in found:
            continue
        found.add(current)
        try:
            wanted = [Requirement(text) for text in requires(current) or ()]
        except (PackageNotFoundError, ValueError):
            continue
        waiting += [_normal(r.name) for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    return frozenset(found)


@cache
def _version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _text(parameter: Any) -> str:
    """A parameter as text in which all counts that a step can see, the order of keys too."""
    return json.dumps(parameter, default=repr)


def _piece(piece: Mapping[str, Any]) -> list[Any]:
    return [piece["kind"], piece["source"], piece.get("kept", [])]


def _short(name: str, notebook: str) -> str:
    return name.removeprefix(notebook).strip()


def _difference(before: Mapping[str, Any], now: Mapping[str, Any], words: str) -> str:
    for name in _ordered(before, now):
        if name not in before:
            return words.format(name, "is new")
        if name not in now:
            return words.format(name, "is gone")
        if before[name] != now[name]:
            return words.format(name, "changed")
    return ""


def _ordered(*tables: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for table in tables for name in table))
