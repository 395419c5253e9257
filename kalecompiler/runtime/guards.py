"""Notices that a step changed, in place, a variable that other steps read as it was above.

The digest of a variable is that of its pickle, in a form that reading a value does not alter: arrays without their
memory order, frames column by column (pandas merges blocks when it likes), sparse matrices in canonical order,
cached properties left out.
"""

from __future__ import annotations

import hashlib
import pickle
import sys

from . import failure, values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any


def watch(step: Mapping[str, Any], namespace: Mapping[str, Any]) -> Callable[[], None]:
    """Remember the variables that a step must not change; what is returned raises StepFailed if it changed one."""
    before = digests(step["guards"], namespace)

    def check() -> None:
        for name in changed(before, namespace):
            users = [piece["name"] for piece in step["code"] if any(name in line for line in piece["source"])]
            reason = f"it changed {name!r} in place ({', '.join(users)}), but the steps after it would not see that"
            cure = f"tag the step changes:{name}, and put all steps that change {name!r} in order with prev:"
            raise failure.StepFailed(f"{reason}\n  help: {cure}")

    return check


def digests(names: Iterable[str], namespace: Mapping[str, Any]) -> dict[str, bytes]:
    """Name -> digest of each variable that is bound and can be told."""
    found = {name: digest(namespace[name]) for name in names if name in namespace}
    return {name: value for name, value in found.items() if value is not None}


def changed(before: Mapping[str, bytes], namespace: Mapping[str, Any]) -> list[str]:
    """The variables whose digest is another one now; one that is no longer bound is not among them."""
    after = digests(before, namespace)
    return [name for name, value in before.items() if name in after and after[name] != value]


def digest(value: Any) -> bytes | None:
    """The digest of a value, None if it cannot be pickled."""
    sink = _Sink()
    try:
        _Digester(sink, protocol=5, buffer_callback=sink.take).dump(value)
    except Exception:  # the pickling of any class may raise anything: then nothing can be told
        return None
    return sink.hash.digest()


class _Sink:
    """Takes what a pickler writes, into a hash."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.hash.update(data)
        return len(data)

    def take(self, buffer: pickle.PickleBuffer) -> bool:
        self.hash.update(buffer.raw())
        return False


class _Digester(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        library = kind.__module__.partition(".")[0]
        if library == "numpy" and kind.__name__ == "ndarray" and not value.dtype.hasobject:
            return list, (_array(value),)
        if library == "scipy" and hasattr(value, "tocsr"):
            return list, (_sparse(value),)
        if _is_frame(kind):
            return list, (_frame(value),)
        cached = _cached(kind)
        if cached and cached.intersection(getattr(value, "__dict__", ())):
            return _without(value, cached)
        return values.reduce(value)


def _array(value: Any) -> list[Any]:
    flat = (value if value.flags.c_contiguous else value.copy("C")).reshape(-1)
    data = flat.view("u1") if value.itemsize and value.size else b""
    return [value.dtype, value.shape, pickle.PickleBuffer(data)]


def _frame(value: Any) -> list[Any]:
    extra = [getattr(value, name, None) for name in getattr(value, "_metadata", ())]
    columns = [column.array for _, column in value.items()]
    return [values.type_name(type(value)), value.index, value.columns, columns, value.attrs, extra]


def _sparse(value: Any) -> list[Any]:
    rows = value.tocsr(copy=True)
    rows.sum_duplicates()
    return [values.type_name(type(value)), rows.shape, rows.data, rows.indices, rows.indptr]


def _is_frame(kind: type) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and issubclass(kind, getattr(pandas, "DataFrame", ()))


def _cached(kind: type) -> set[str]:
    """The names under which `functools.cached_property` keeps results in the instances of a class."""
    found: set[str] = set()
    for base in kind.__mro__:
        found.update(name for name, item in vars(base).items() if type(item).__name__ == "cached_property")
    return found


def _without(value: Any, cached: set[str]) -> Any:
    reduced = value.__reduce_ex__(5)
    if not isinstance(reduced, tuple) or len(reduced) < 3 or not isinstance(reduced[2], dict):
        return reduced
    state = {name: item for name, item in reduced[2].items() if name not in cached}
    return (*reduced[:2], state, *reduced[3:])
