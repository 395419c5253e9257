"""Lambdas, closures and classes made in functions go by value, if the image has cloudpickle."""

from __future__ import annotations

import importlib.util
import io
import pickle
import sys
from collections import ChainMap
from types import CellType, FunctionType

from . import bundle

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
            if isinstance(value, CellType):
                return _cell(value)
            found = super().reducer_override(value)
            if found is not NotImplemented:
                self.recipes.packages.add("cloudpickle")
            return _with_surroundings(value, found) if isinstance(value, FunctionType) else found

    return [ByValue]


def _globals() -> dict[str, Any]:
    """The notebook's variables."""
    return vars(sys.modules["__main__"])


class _Globals:
    """In a pickle: the variables of the notebook in the process that loads it."""

    def __reduce__(self) -> Any:
        return vars, (sys.modules["__main__"],)


def _with_surroundings(value: FunctionType, found: Any) -> Any:
    """cloudpickle's recipe for a function, made to share its closure, and to read the variables of its new step.

    What other functions close over too stays one cell; cloudpickle gives each its own. A function of the notebook reads
    the notebook's variables where it is loaded; the values that it saw here serve only for names that are not bound
    there.
    """
    make, (code, names, *rest, _), (attributes, slots), *others = found
    slots["__closure__"] = None
    if value.__globals__ is _globals():
        here: Any = _Globals()
        names, slots["__globals__"] = here, ChainMap(here, slots["__globals__"])
    return make, (code, names, *rest, value.__closure__), (attributes, slots), *others


def _cell(value: CellType) -> Any:
    """A cell is filled when it is there: what it holds may need it."""
    make = sys.modules["cloudpickle.cloudpickle"]._make_empty_cell
    try:
        state = {"cell_contents": value.cell_contents}
    except ValueError:  # it is empty
        state = {}
    return make, (), state, None, None, bundle.update


def _named(value: Any) -> bool:
    """Whether the name of a class or function leads to it, so that it can go by reference."""
    found: Any = sys.modules.get(value.__module__)
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is value
