"""One comparator for "equal": the library's own comparison where there is one, then the state, else not comparable."""

from __future__ import annotations

import enum
import math
import types
from collections.abc import Mapping
from typing import Any

_VOLATILE = {"refit_time_", "fit_time_", "_n_threads", "_stop_words_id", "_repr_html_"}


def difference(one: Any, other: Any, depth: int = 0) -> str | None:
    """What makes two values unequal, in words; None where they are equal or cannot be compared."""
    if one is other:
        return None
    if type(one).__name__ != type(other).__name__ or type(one).__module__ != type(other).__module__:
        return f"type {type(one).__name__}, not {type(other).__name__}"
    for comparator in (_number, _array, _frame, _container, _code, _state):
        answer = comparator(one, other, depth)
        if answer is not NotImplemented:
            return answer  # type: ignore[no-any-return]
    return None


def _number(one: Any, other: Any, depth: int) -> Any:
    if isinstance(one, bool | int | str | bytes | complex | enum.Enum) or one is None:
        return None if one == other else f"{one!r}, not {other!r}"
    if isinstance(one, float):
        same = one == other or (math.isnan(one) and math.isnan(other))
        return None if same and math.copysign(1, one) == math.copysign(1, other) else f"{one!r}, not {other!r}"
    return NotImplemented


def _array(one: Any, other: Any, depth: int) -> Any:
    if type(one).__module__.split(".")[0] != "numpy" or not hasattr(one, "dtype"):
        return NotImplemented
    import numpy as np

    if not isinstance(one, np.ndarray | np.generic):
        return NotImplemented
    if one.dtype != other.dtype or one.shape != other.shape:
        return f"{one.dtype}{one.shape}, not {other.dtype}{other.shape}"
    if one.dtype == object:
        return difference(one.tolist(), other.tolist(), depth + 1)
    equal = np.array_equal(one, other, equal_nan=one.dtype.kind in "fcmM")
    return None if equal else f"{one!r}, not {other!r}"


def _frame(one: Any, other: Any, depth: int) -> Any:
    if type(one).__module__.split(".")[0] == "scipy" and hasattr(one, "toarray"):
        return difference(one.toarray(), other.toarray(), depth + 1)
    if type(one).__module__.split(".")[0] != "pandas" or not hasattr(one, "equals"):
        return NotImplemented
    same = one.equals(other)
    if same and hasattr(one, "dtypes"):
        same = str(one.dtypes) == str(other.dtypes)
    return None if same else f"{one!r}, not {other!r}"


def _container(one: Any, other: Any, depth: int) -> Any:
    if isinstance(one, list | tuple):
        if len(one) != len(other):
            return f"{len(one)} elements, not {len(other)}"
        pairs = enumerate(zip(one, other, strict=True))
        return next((f"[{i}] {d}" for i, (a, b) in pairs if (d := difference(a, b, depth + 1))), None)
    if isinstance(one, Mapping) and isinstance(one, dict):
        if list(one) != list(other):
            return f"keys {list(one)!r}, not {list(other)!r}"
        return next((f"[{k!r}] {d}" for k in one if (d := difference(one[k], other[k], depth + 1))), None)
    if isinstance(one, set | frozenset):
        return None if one == other or depth > 0 else f"{one!r}, not {other!r}"
    return NotImplemented


def _code(one: Any, other: Any, depth: int) -> Any:
    if isinstance(one, types.ModuleType | type):
        return None if one.__name__ == other.__name__ else f"{one!r}, not {other!r}"
    if isinstance(one, types.FunctionType):
        return None if one.__code__.co_code == other.__code__.co_code else "another function"
    return NotImplemented


def _state(one: Any, other: Any, depth: int) -> Any:
    if depth > 20:
        return None
    if hasattr(one, "__getstate__"):
        try:
            states = [_plain(v.__getstate__()) for v in (one, other)]
        except Exception:
            states = [None, None]
        if states[0] is not None:
            return difference(*states, depth=depth + 1)
    if type(one).__eq__ is not object.__eq__:
        try:
            return None if one == other else f"{one!r}, not {other!r}"
        except Exception:
            return None
    return None


def _plain(state: Any) -> Any:
    if isinstance(state, dict):
        return {k: v for k, v in state.items() if k not in _VOLATILE}
    return state
