"""The variables that a step hands on: each to its artifact, and with it those that its consumers take as well."""

from __future__ import annotations

from . import about, bundle, failure, parts, saving

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from . import contract


def save(step: Mapping[str, Any], task: contract.Task, namespace: Mapping[str, Any]) -> None:
    """Write and publish the outputs of the step. Raises StepFailed."""
    outputs = step["outputs"]
    recipes()
    if "editions" in step.get("parts", ()):
        from . import editions

        editions.install(namespace)
    values = {item["variable"]: namespace.get(item["variable"], bundle.ABSENT) for item in outputs}
    bonds = parts.find("bonds")  # not carried if nobody takes two of them
    bound, spans = bonds.groups(values, outputs) if bonds else ({}, {})
    for item in outputs:
        name = item["variable"]
        value, (group, members) = values[name], bound.get(name, ((), ()))
        kind = "" if value is bundle.ABSENT else about.type_name(type(value))
        origin = ", from ".join(filter(None, (kind, item.get("cell"))))
        try:
            if not kind and not item.get("absent"):
                cure = "bind it on every way through the step"
                raise failure.ValueProblem(f"it is not bound at the end of the step\n  help: {cure}")
            metadata = saving.save(
                task.new_output(item["port"]), value, name, step, {other: values[other] for other in members}, spans
            )
        except (failure.ValueProblem, OSError) as error:
            goal = f"cannot hand {name!r} ({origin}) on to {', '.join(item['for'])}"
            raise failure.StepFailed(f"{goal}: {error}") from error
        task.publish(item["port"], {**metadata, "group": group} if group else metadata)


def recipes() -> None:
    """Have those recipes asked that the step carries."""
    found = map(parts.find, ("tensors", "arrays", "oddities", "handlers"))
    saving.EXTRA[:] = [part.reduce for part in found if part]
