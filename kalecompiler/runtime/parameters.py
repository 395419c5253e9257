"""Parameters as the notebook wrote them: KFP carries every number as a double, so types are restored here."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def start(step: Mapping[str, Any], task: Any, kernel: Any) -> None:
    """Bind the step's parameters."""
    kernel.namespace.update(bind(step.get("parameters", {}), task.parameters))


def bind(declared: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """The value of each declared parameter: what was sent, in the declared type, else its default."""
    return {name: _value(spec, sent.get(name)) for name, spec in declared.items()}


def _value(spec: Mapping[str, Any], sent: Any) -> Any:
    default = spec.get("default")
    if sent is None:
        return default
    value = _convert(spec.get("type", ""), sent)
    return default if _same(value, default) else _shaped(value, default)


def _convert(kind: str, sent: Any) -> Any:
    if kind == "str":
        return sent if isinstance(sent, str) else json.dumps(sent)
    if kind == "float":
        return float(sent)
    if isinstance(sent, str) and kind in ("int", "bool", "list", "dict"):
        sent = json.loads(sent.lower() if kind == "bool" else sent)
    return _whole(sent) if kind == "int" else bool(sent) if kind == "bool" else sent


def _same(value: Any, default: Any) -> bool:
    """Equal as JSON: 1 and 1.0 are the same number, but True is not 1; KFP forgets the order of keys."""
    if isinstance(value, list) and isinstance(default, list):
        return len(value) == len(default) and all(map(_same, value, default))
    if isinstance(value, dict) and isinstance(default, dict):
        return value.keys() == default.keys() and all(_same(value[key], default[key]) for key in value)
    return isinstance(value, bool) == isinstance(default, bool) and bool(value == default)


def _shaped(value: Any, like: Any) -> Any:
    """`value` with the numbers inside made int or float as they are at the same place of `like`."""
    if isinstance(value, list):
        models = like if isinstance(like, list) else []
        other = _common(models)
        return [_shaped(item, models[i] if i < len(models) else other) for i, item in enumerate(value)]
    if isinstance(value, dict):
        known = like if isinstance(like, dict) else {}
        other = _common(list(known.values()))
        return {key: _shaped(item, known.get(key, other)) for key, item in value.items()}
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return float(value) if isinstance(like, float) else _whole(value) if _is_int(like) else value


def _common(models: list[Any]) -> Any:
    """The example for an item that has no counterpart: any of `models` if all have one type."""
    return models[0] if len({type(model) for model in models}) == 1 else None


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
