"""Why a value cannot be saved: the smallest part of it that fails, and what to do."""

from __future__ import annotations

import itertools
import pickle
import time
from types import FunctionType, ModuleType

from . import values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

DEPTH = 40
CHILDREN = 1000
SECONDS = 20.0

OTHER = "hand on the data that it holds, or give its class __getstate__ and __setstate__"
ADVICE = {  # by what the name of the type contains
    "lock condition semaphore event thread queue _local": "create it in the step that uses it, or leave it out of the "
    "object's state with __getstate__",
    "generator coroutine": "hand on list(...) of it, or make it in the step that uses it",
    "textio buffered fileio memoryview mmap": "hand on the path or the content, and open it in the step that uses it",
    "socket connection cursor engine session client sslcontext channel": "hand on what is needed to connect, and "
    "connect in each step that uses it",
    "function": "define it with def at the top level of a cell, or add the package cloudpickle to the step",
    "module": "import it in the step that uses it",
}


def explain(value: Any, variable: str) -> tuple[str, str]:
    """(what fails and why, what to do) for a value that `values.dumps` refuses; the path starts at `variable`."""
    error = _failure(value)
    path, culprit = variable, value
    deadline = time.monotonic() + SECONDS
    seen = {id(value)}
    for _ in range(DEPTH):
        for step, child in itertools.islice(_children(culprit), CHILDREN):
            if id(child) in seen or time.monotonic() > deadline:
                continue
            seen.add(id(child))
            reason = _failure(child)
            if reason is not None:
                path, culprit, error = path + step, child, reason
                break
        else:
            break
    kind = values.type_name(type(culprit))
    return f"{path} is a {kind}, which cannot be saved: {error}", _advice(culprit)


def _failure(value: Any) -> str | None:
    """Why a value cannot be pickled, None if it can."""
    try:
        values.dumps(value)
    except Exception as error:  # __reduce__ and __getstate__ of any class may raise anything
        usual = isinstance(error, (TypeError, pickle.PicklingError))
        return str(error) if usual else f"{type(error).__name__}: {error}"
    return None


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    """(how to get there, part) of the parts of a value that pickling would visit."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"[{_short(key)}]", item
            yield f" key {_short(key)}", key
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield f"[{index}]", item
    elif isinstance(value, (set, frozenset)):
        for item in value:
            yield f" item {_short(item)}", item
    yield from _attributes(value)


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, (type, ModuleType)):
        return
    if isinstance(value, FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or ()):
            yield f" closes over {name}", cell.cell_contents
        return
    names = list(getattr(value, "__dict__", ()))
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else slots
    names += [name for name in ("default_factory", "func", "args", "keywords") if name not in names]
    for name in names:
        try:
            yield f".{name}", getattr(value, name)
        except Exception:  # a slot that is not set, a property that fails
            continue


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, (str, int, float, bool, type(None), tuple)) else type(value).__name__
    return text if len(text) <= 40 else text[:37] + "..."


def _advice(culprit: Any) -> str:
    kind = "function" if isinstance(culprit, type) else type(culprit).__name__.lower()
    return next((cure for words, cure in ADVICE.items() if any(word in kind for word in words.split())), OTHER)
