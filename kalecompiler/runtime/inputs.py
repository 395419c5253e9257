"""The variables that a step takes: each from its artifact, and those that were bound to one another from one."""

from __future__ import annotations

import sys

from . import bundle, failure, loading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from . import contract


def load(step: Mapping[str, Any], task: contract.Task, namespace: dict[str, Any], early: bool) -> None:
    """Bind the inputs that are wanted early, or the others; what comes with them before its time waits in the task.

    (A variable may be wanted early from one step, and later from another; if `early` is None, then and again.)
    Raises ValueProblem for what cannot be loaded, StepFailed for an artifact without a digest.
    """
    for item in step["inputs"]:
        when = item.get("early", False)
        if when not in (early, None):
            continue
        port = item["port"]
        items = {other["variable"]: other for other in step["inputs"] if other["from"] == item["from"]}
        group = [items[name] for name in task.input(port)[1].get("group", ()) if name in items]
        if port not in task.loaded and len(group) > 1 and (when or not early):
            try:
                _load(group, task)
            except failure.ValueProblem as error:
                names = ", ".join(other["variable"] for other in group)
                print(f"kalec: warning: {names} lose what they share: {error}", file=sys.stderr)
        if port not in task.loaded:
            _load([item], task)
        value = task.loaded.pop(port)
        if value is not bundle.ABSENT:
            namespace[item["variable"]] = value


def _load(items: Sequence[Mapping[str, Any]], task: contract.Task) -> None:
    """Load what the file of the first holds of the variables."""
    names = {item["variable"]: item["port"] for item in items}
    first, maker = items[0]["variable"], items[0]["from"]
    path, metadata = task.input(names[first])
    if not metadata.get("digest"):
        reason = f"the artifact of {first!r} ({path}), made by step {maker}, has no digest"
        raise failure.StepFailed(f"{reason}\n  help: run step {maker} again")
    found = loading.load(path, metadata["digest"], [*names], maker)
    task.loaded.update((names[name], value) for name, value in found.items())
