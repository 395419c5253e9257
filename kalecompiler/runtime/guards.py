"""Notices what would be lost after a step: a change in place that others must not see, a bond of two variables.

The digest of a variable is that of its pickle, in a form that reading a value does not alter: arrays without their
memory order, frames column by column (pandas merges blocks when it likes), sparse matrices in canonical order,
cached properties left out.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
from types import FunctionType

from . import arrays, failure, saving

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any


def watch(step: Mapping[str, Any], namespace: Mapping[str, Any]) -> Callable[[], None]:
    """Remember the variables that a step must not change; what is returned raises StepFailed if it changed one.

    Among the names, a list of names stands for variables of which a later step changes one: it is said if they share
    an object, unless the same steps take both, which keep it.
    """
    before = digests([name for name in step["guards"] if isinstance(name, str)], namespace)
    groups = [group for group in step["guards"] if isinstance(group, list)]
    takers = {item["variable"]: set(item["for"]) for item in step.get("outputs", ())}

    def check() -> None:
        for group in groups:
            from . import bonds

            for one, other, kind in bonds.survey({name: namespace[name] for name in group if name in namespace})[0]:
                if one in takers and takers[one] == takers.get(other):
                    continue
                cure = "the steps after it get two copies: a change of one will not show in the other"
                print(f"kalec: warning: {one!r} and {other!r} share a {kind}; {cure}", file=sys.stderr)
        for name in changed(before, namespace):
            if digest(namespace[name]) is None:
                doubt = f"nobody can tell whether it changed {name!r} in place, as it cannot be pickled now"
                print(f"kalec: warning: {doubt}; the steps after it get {name!r} as it was", file=sys.stderr)
                continue
            users = [piece["name"] for piece in step["code"] if any(name in line for line in piece["source"])]
            reason = f"it changed {name!r} in place ({', '.join(users)}), but the steps after it would not see that"
            cure = f"tag the step changes:{name}, and put all steps that change {name!r} in order with prev:"
            if isinstance(namespace[name], (type, FunctionType)):
                cure = "keep the state in a variable, an instance or a dict: a definition runs again in each step"
            raise failure.StepFailed(f"{reason}\n  help: {cure}")

    return check


def digests(names: Iterable[str], namespace: Mapping[str, Any]) -> dict[str, bytes]:
    """Name -> digest of each variable that is bound and can be told."""
    found = {name: digest(namespace[name]) for name in names if name in namespace}
    return {name: value for name, value in found.items() if value is not None}


def changed(before: Mapping[str, bytes], namespace: Mapping[str, Any]) -> list[str]:
    """The variables whose digest is another one now, or none; one that is no longer bound is not among them."""
    return [name for name, value in before.items() if name in namespace and digest(namespace[name]) != value]


def digest(value: Any) -> bytes | None:
    """The digest of a value, None if it cannot be pickled; that of a class or function is of what it keeps."""
    if isinstance(value, type):
        value = {name: item for name, item in vars(value).items() if name[:2] != "__" and not hasattr(item, "__get__")}
    elif isinstance(value, FunctionType) and (value.__dict__ or value.__defaults__ or value.__kwdefaults__):
        value = [value.__dict__, value.__defaults__, value.__kwdefaults__]
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
    recipes = saving.Recipes()

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
        return self.recipes.reduce(value)


def _array(value: Any) -> list[Any]:
    data = arrays.flat(value if value.flags.c_contiguous else value.copy("C")) if value.nbytes else b""
    return [value.dtype, value.shape, pickle.PickleBuffer(data)]


def _frame(value: Any) -> list[Any]:
    extra = [getattr(value, name, None) for name in getattr(value, "_metadata", ())]
    columns = [column.array for _, column in value.items()]
    return [str(type(value)), value.index, value.columns, columns, value.attrs, extra]


def _sparse(value: Any) -> list[Any]:
    rows = value.tocsr(copy=True)
    rows.sum_duplicates()
    return [str(type(value)), rows.shape, rows.data, rows.indices, rows.indptr]


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
