"""The code of a pipeline package: what each of its tasks runs, from the steps that it carries as JSON."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a step's code: its name as tracebacks show it, its kind, its cell's id if it is one, its text."""

    name: str
    kind: str
    cell: str | None
    source: str


def pieces(spec: Mapping[str, Any]) -> dict[str, tuple[Piece, ...]]:
    """The pieces of each task, by its key in the package; a task that is not one of ours has none. Raises nothing."""
    found: dict[str, tuple[Piece, ...]] = {}
    for key, step in steps(spec).items():
        with contextlib.suppress(AttributeError, TypeError, KeyError):  # of another make
            found[key] = tuple(_piece(code) for code in step.get("code", ()))
    return found


def steps(spec: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The JSON that each task carries, by its key in the package; {} for one that is not ours. Raises nothing."""
    found: dict[str, dict[str, Any]] = {}
    try:
        for key, task in _tasks(spec):
            found[key] = _of_task(spec, task)
    except (AttributeError, TypeError, KeyError):  # no package, or one of another make
        return found
    return found


def better(spec: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Which values of a metric, by (task, name), are the better ones: `max` or `min`, where its author says so."""
    found: dict[tuple[str, str], str] = {}
    for key, step in steps(spec).items():
        with contextlib.suppress(AttributeError, TypeError, KeyError):  # of another make
            values = step.get("metrics", {}).get("values", ())
            found |= {(key, str(one["name"])): str(one["better"]) for one in values if "better" in one}
    return found


@functools.lru_cache(8)
def read(text: bytes) -> Mapping[str, Any]:
    """The first document of a package's YAML; {} where there is none."""
    import yaml

    try:
        documents = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError:
        return {}
    return documents[0] if documents and isinstance(documents[0], Mapping) else {}


def _tasks(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The tasks of a package; those in the group of an exit handler too."""
    for key, task in spec["root"]["dag"]["tasks"].items():
        inner = spec["components"][task["componentRef"]["name"]].get("dag", {}).get("tasks", {})
        yield from inner.items() if inner else ((key, task),)


def _of_task(spec: Mapping[str, Any], task: Mapping[str, Any]) -> dict[str, Any]:
    label = spec["components"][task["componentRef"]["name"]].get("executorLabel")
    container = spec.get("deploymentSpec", {}).get("executors", {}).get(label, {}).get("container", {})
    given = task.get("inputs", {}).get("parameters", {}).values()
    constants = [value.get("runtimeValue", {}).get("constant") for value in given]
    for word in (*container.get("command", ()), *container.get("args", ()), *constants):
        if isinstance(word, str) and word.startswith("{") and '"format"' in word:
            step = _json(word)
            if "code" in step:
                return step
    return {}


def _piece(code: Mapping[str, Any]) -> Piece:
    return Piece(code["name"], code["kind"], code.get("id"), "\n".join(code["source"]))


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
