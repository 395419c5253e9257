"""Objects that want a format of their own: `dump(value, file)` and `load(file)`, at any depth of a value.

The entries come with the step's JSON, in the order in which they are asked. Those of a package carry their source,
which is executed in a module of its own when it is first needed; those of the notebook name what is in `__main__`.
"""

from __future__ import annotations

import io
import pickle
import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

ENTRIES: list[Mapping[str, Any]] = []


def start(step: Mapping[str, Any], task: Any, kernel: Any) -> None:
    """Make the step's handlers those that are used."""
    ENTRIES[:] = step.get("handlers", ())


def reduce(value: Any, spans: Any) -> Any:
    """How the first handler that takes the value saves it; NotImplemented where there is none."""
    for entry in ENTRIES:
        if not _matches(entry, type(value)):
            continue
        file = io.BytesIO()
        try:
            answer = _function(entry, "dump")(value, file)
        except Exception as error:  # a handler is anybody's code
            raise pickle.PicklingError(f"handler {entry['name']!r}: {type(error).__name__}: {error}") from error
        if answer is not NotImplemented:
            return restore, (entry["name"], pickle.PickleBuffer(file.getbuffer()))
    return NotImplemented


def restore(name: str, data: Any) -> Any:
    """The value that the handler of that name dumped; a pickle calls this. Raises what the handler raises."""
    for entry in ENTRIES:
        if entry["name"] == name:
            try:
                return _function(entry, "load")(io.BytesIO(data))
            except Exception as error:  # a handler is anybody's code
                raise _failure(f"handler {name!r}: {type(error).__name__}: {error}", "see the handler") from error
    raise _failure(f"it was saved by the handler {name!r}, which is not here", "use the handler in both steps")


def _failure(reason: str, cure: str) -> Exception:
    from . import loading

    return loading.Missing(reason, cure)


def _matches(entry: Mapping[str, Any], kind: type) -> bool:
    if "types" in entry:
        return any(f"{base.__module__}.{base.__qualname__}" in entry["types"] for base in kind.__mro__)
    try:
        return eval(entry["type"], vars(sys.modules["__main__"])) in kind.__mro__
    except (NameError, AttributeError):  # a step that does not have the class has no objects of it
        return False


def _function(entry: Mapping[str, Any], name: str) -> Callable[..., Any]:
    """`dump` or `load` of a handler."""
    if "source" not in entry:
        found = getattr(sys.modules["__main__"], entry[name])
    else:
        path = f"kalec_handlers.{entry['name']}"
        if path not in sys.modules:
            module = ModuleType(path)
            source = "\n".join(entry["source"])
            exec(compile(source, f"<handler {entry['name']}>", "exec", dont_inherit=True), module.__dict__)
            sys.modules[path] = module
        found = getattr(sys.modules[path], name)
    function: Callable[..., Any] = found
    return function
