"""Lambdas, closures and classes made in functions go by value, if the image has cloudpickle."""

from __future__ import annotations

import importlib.util
import io
import pickle
import sys
from types import FunctionType

from . import values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def available() -> bool:
    """Whether cloudpickle can be imported."""
    return importlib.util.find_spec("cloudpickle") is not None


def pickler() -> Any:
    """A pickler class that falls back on cloudpickle for what has no importable name, and only for that."""
    import cloudpickle

    class ByValue(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, value: Any) -> Any:
            if isinstance(value, (io.TextIOWrapper, memoryview)):
                raise pickle.PicklingError(f"cannot pickle {type(value).__name__!r} object")
            if isinstance(value, (type, FunctionType)) and _named(value):
                return NotImplemented
            found = values.reduce(value)
            return super().reducer_override(value) if found is NotImplemented else found

    return ByValue


def _named(value: Any) -> bool:
    """Whether the name of a class or function leads to it, so that it can go by reference."""
    found: Any = sys.modules.get(value.__module__)
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is value
