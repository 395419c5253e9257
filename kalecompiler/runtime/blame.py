"""Why a value cannot be saved: the part of it that pickling fails at, how to get there, and what to do."""

from __future__ import annotations

import copyreg
import io
import pickle

from . import about, saving

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

ADVICE = {  # by what the name of the type contains
    "lock condition semaphore event thread queue _local": "create it in the step that uses it",
    "generator coroutine": "hand on list(...) of it",
    "textio buffered fileio memoryview mmap": "hand on the path or the content",
    "socket connection cursor engine session client sslcontext channel": "connect in each step that uses it",
    "function": "define it with def at the top level of a cell, or add the package cloudpickle to the step",
    "module": "import it in the step that uses it",
    "": "hand on the data that it holds, or give its class __getstate__",
}


def explain(value: Any, variable: str, error: Exception) -> str:
    """What fails, why, and what to do, for a value whose pickling raised the error; the path starts at `variable`."""
    chain, error = _trace(value, error)
    named = value
    for part in chain:
        step = next((step for step, child in _children(named) if child is part is not named), "")
        if step:
            variable, named = variable + step, part
    culprit = named if isinstance(chain[-1], type) else chain[-1]
    usual = isinstance(error, (TypeError, pickle.PicklingError))
    reason = str(error) if usual else f"{type(error).__name__}: {error}"
    verb = "is" if culprit is named else "holds"
    kind = "function" if isinstance(culprit, type) else type(culprit).__name__.lower()
    cure = next(cure for words, cure in ADVICE.items() if not words or any(word in kind for word in words.split()))
    return f"{variable} {verb} a {about.type_name(type(culprit))}, which cannot be saved: {reason}\n  help: {cure}"


def _trace(value: Any, error: Exception) -> tuple[list[Any], Exception]:
    """(the objects from the value down to what fails, the error): pickle in Python shows in its frames what it does."""
    tracer: Any = pickle._Pickler(io.BytesIO(), 5, buffer_callback=lambda buffer: None)
    tracer.reducer_override = saving.picklers()[-1](io.BytesIO(), saving.Recipes()).reducer_override
    chain = [value]
    try:
        tracer.dump(value)
    except Exception as found:  # __reduce__ and __getstate__ of any class may raise anything
        error, trace = found, found.__traceback__
        while trace:
            if trace.tb_frame.f_code.co_name == "save" and "obj" in trace.tb_frame.f_locals:
                chain.append(trace.tb_frame.f_locals["obj"])
            trace = trace.tb_next
    return chain, error


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    """(how to get there, part) of the parts of a value that have a name."""
    pairs: Any = value.items() if isinstance(value, dict) else ()
    if isinstance(value, (list, tuple)):
        pairs = enumerate(value)
    for key, item in pairs:
        yield f"[{_short(key)}]", item
    for name in (*getattr(value, "__dict__", ()), *copyreg._slotnames(type(value)), "args"):  # type: ignore[attr-defined]
        try:
            yield f".{name}", getattr(value, name)
        except Exception:  # a slot that is not set, a property that fails
            continue


def _short(key: Any) -> str:
    """A key as it is written, if that is short; beyond 4300 digits `repr` of a number fails."""
    short = isinstance(key, str) or (isinstance(key, int) and key.bit_length() < 99)
    return repr(key)[:40] if short else type(key).__name__
