"""Scalars that a step reports: they become the metadata of a `system.Metrics` artifact, which is strict JSON."""

from __future__ import annotations

import json
import sys

from . import contract, failure, parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .cells import Kernel

LONGEST = 1000  # characters of a text


def publish(step: Mapping[str, Any], task: contract.Task, kernel: Kernel) -> None:
    """Compute what the notebook computes for its metrics, and write the step's metrics and charts.

    Raises StepFailed for a chart of a value that is of another kind.
    """
    failed = set()
    for piece in step.get("code", ()):
        if piece["kind"] == "metric":
            name = piece["name"].rpartition(".")[2].partition("#")[0]
            failed.discard(name)  # the last of a name counts
            try:
                kernel.run(piece)
            except failure.Terminated:
                raise
            except BaseException as error:  # the notebook's code, `sys.exit` too: a metric must not stop the step
                kernel.current = None
                failed.add(name)
                warn(name, described(error))
    wanted = step["metrics"]
    if "port" in wanted:
        found = {}
        for metric in wanted["values"]:
            name = metric["variable"]
            if name in failed:
                continue
            if name in kernel.namespace:
                value = plain(kernel.namespace[name])
                if value is None:
                    warn(name, f"{_short(kernel.namespace[name])} is no finite scalar")
                else:
                    found[metric["name"]] = value
            else:
                warn(name, "it is not bound")
        contract.write_text(task.new_output(wanted["port"]), json.dumps(found))
        task.publish(wanted["port"], found)
    if "charts" in wanted:
        parts.find("charts").publish(wanted["charts"], task, kernel.namespace)


def plain(value: Any) -> Any:
    """The value as KFP shows it (bool, int, finite float, text), or None where there is no such value."""
    try:
        value = _plain(value)
        if isinstance(value, str):
            return text(value[:LONGEST])
        json.dumps(value, allow_nan=False)
        return value if isinstance(value, (int, float)) else None
    except failure.Terminated:
        raise
    except BaseException:  # any library's code: a metric must not stop the step
        return None


def text(value: str) -> str:
    """The same as a plain text that UTF-8 can hold."""
    return str.encode(value, "utf-8", "replace").decode()


def _plain(value: Any) -> Any:
    if getattr(value, "shape", None) == ():  # a scalar of numpy, torch, ...
        if getattr(value, "mask", False):
            return None
        kind = getattr(getattr(value, "dtype", None), "kind", "")
        if kind in ("M", "m"):  # of nanoseconds, numpy makes plain integers
            value = value.astype(kind + "8[us]") if "[" in value.dtype.str else None
        value = value.item() if hasattr(value, "item") else float(value)
    if isinstance(value, (bool, str)):
        return value
    if value != value or hasattr(value, "__len__"):
        return None
    if hasattr(value, "total_seconds"):
        return value.total_seconds()
    if hasattr(value, "isoformat"):  # a date, a time
        return value.isoformat()
    number = float(value)
    if number - number != 0:  # infinite
        return None
    return int(value) if isinstance(value, int) and abs(value) <= 2**53 else number


def _short(value: Any) -> str:
    try:
        return str(value)[:40] if isinstance(value, (int, float)) else f"a {type(value).__name__}"
    except failure.Terminated:
        raise
    except BaseException:  # the class may be the notebook's, and its metaclass
        return "it"


def described(error: BaseException) -> str:
    """An exception of the notebook's code on a line."""
    try:
        return f"{type(error).__name__}: {error}"
    except failure.Terminated:
        raise
    except BaseException:  # its class may be the notebook's
        return "an exception that cannot be shown"


def warn(name: str, reason: str) -> None:
    """Say that a metric is left out, and why."""
    print(f"kalec: warning: metric {name!r} is left out: {reason}", file=sys.stderr)
