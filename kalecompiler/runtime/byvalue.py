"""Lambdas, closures and classes made in functions go by value, if the image has cloudpickle."""

from __future__ import annotations

import importlib.util
import io
import pickle
import sys
from collections import ChainMap
from types import FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def picklers() -> list[Any]:
    """The pickler class that falls back on cloudpickle for what has no importable name, where there is cloudpickle."""
    if importlib.util.find_spec("cloudpickle") is None:
        return []
    import cloudpickle

    class ByValue(cloudpickle.Pickler):  # type: ignore[misc]
        def __init__(self, file: Any, recipes: Any, callback: Any = None) -> None:
            super().__init__(file, protocol=5, buffer_callback=callback)
            self.recipes = recipes

        def reducer_override(self, value: Any) -> Any:
            if isinstance(value, (io.TextIOWrapper, memoryview)):
                raise pickle.PicklingError(f"cannot pickle {type(value).__name__!r} object")
            found = self.recipes.reduce(value)
            if found is not NotImplemented or (isinstance(value, (type, FunctionType)) and _named(value)):
                return found
            found = super().reducer_override(value)
            if found is not NotImplemented:
                self.recipes.packages.add("cloudpickle")
            if isinstance(value, FunctionType) and value.__globals__ is _globals():
                found = _at_home(found)
            return found

    return [ByValue]


def _globals() -> dict[str, Any]:
    """The notebook's variables."""
    return vars(sys.modules["__main__"])


class _Globals:
    """In a pickle: the variables of the notebook in the process that loads it."""

    def __reduce__(self) -> Any:
        return vars, (sys.modules["__main__"],)


def _at_home(found: Any) -> Any:
    """cloudpickle's recipe for a function, made to read the variables of the step that loads it, as in a notebook.

    The values that it saw here serve only for names that are not bound there.
    """
    make, (code, _, *rest), (attributes, slots), *others = found
    here: Any = _Globals()
    slots["__globals__"] = ChainMap(here, slots["__globals__"])
    return make, (code, here, *rest), (attributes, slots), *others


def _named(value: Any) -> bool:
    """Whether the name of a class or function leads to it, so that it can go by reference."""
    found: Any = sys.modules.get(value.__module__)
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is value
