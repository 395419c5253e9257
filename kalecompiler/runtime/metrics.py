"""Scalars that a step reports: they become the metadata of a `system.Metrics` artifact, which is strict JSON."""

from __future__ import annotations

import json
import math
import sys

from . import contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def publish(wanted: Mapping[str, Any], task: contract.Task, namespace: Mapping[str, Any]) -> None:
    """Write the metrics of a step into their artifact: its metadata, and as JSON into its file."""
    found = collect(wanted["values"], namespace)
    contract.write_text(task.new_output(wanted["port"]), json.dumps(found))
    task.publish(wanted["port"], found)


def collect(wanted: Sequence[Mapping[str, str]], namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Name -> plain number, bool or string of each metric; one that has no such value is warned of and left out."""
    found = {}
    for metric in wanted:
        name, variable = metric["name"], metric["variable"]
        if variable not in namespace:
            _warn(name, f"{variable!r} is not bound")
            continue
        value = plain(namespace[variable])
        if value is None:
            _warn(name, f"{_short(namespace[variable])} is no finite scalar")
        else:
            found[name] = value
    return found


def plain(value: Any) -> Any:
    """The value as JSON can hold it (bool, int, finite float, str), or None where there is no such value."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()  # a scalar of numpy, torch, ...
    if value is None or isinstance(value, (bool, str)):
        return value
    try:
        number = float(value) if not hasattr(value, "__len__") else math.nan
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    return int(value) if isinstance(value, int) else number


def _short(value: Any) -> str:
    if isinstance(value, (int, float)):
        return str(value)[:40]
    return f"a {type(value).__name__}"


def _warn(name: str, reason: str) -> None:
    print(f"kalec: warning: metric {name!r} is left out: {reason}", file=sys.stderr)
