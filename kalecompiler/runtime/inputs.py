"""The variables that a step takes: each from its artifact, and those that were bound to one another from one."""

from __future__ import annotations

import sys

from . import bundle, failure, loading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from . import contract


def load(step: Mapping[str, Any], task: contract.Task, namespace: dict[str, Any], early: bool) -> None:
    """Bind the inputs that are wanted early, or the others; what comes with them before its time waits in the task.

    Raises ValueProblem for what cannot be loaded, StepFailed for an artifact without a digest.
    """
    wanted = {item["variable"]: item for item in step["inputs"]}
    for name, item in wanted.items():
        if item.get("early", False) != early:
            continue
        group = task.input(item["port"])[1].get("group", ())
        names = [other for other in group if other in wanted and wanted[other]["from"] == item["from"]]
        if name not in task.loaded and len(names) > 1:
            try:
                task.loaded.update(_load(names, wanted, task))
            except failure.ValueProblem as error:
                print(f"kalec: warning: {', '.join(names)} lose what they share: {error}", file=sys.stderr)
        if name not in task.loaded:
            task.loaded.update(_load([name], wanted, task))
        value = task.loaded.pop(name)
        if value is not bundle.ABSENT:
            namespace[name] = value


def _load(names: list[str], wanted: Mapping[str, Any], task: contract.Task) -> dict[str, Any]:
    """What the file of the first holds of the variables."""
    item = wanted[names[0]]
    path, metadata = task.input(item["port"])
    maker = item["from"]
    if not metadata.get("digest"):
        reason = f"the artifact of {names[0]!r} ({path}), made by step {maker}, has no digest"
        raise failure.StepFailed(f"{reason}\n  help: run step {maker} again")
    return loading.load(path, metadata["digest"], names, maker)
