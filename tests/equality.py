"""One comparator for "equal": the library's own comparison where there is one, then the state, else incomparable.

What is compared is counted, and what cannot be compared is listed, so that no test passes by comparing nothing.
"""

from __future__ import annotations

import collections
import decimal
import enum
import functools
import io
import math
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_VOLATILE = {"refit_time_", "fit_time_", "_n_threads", "_stop_words_id", "_repr_html_"}
_DATA = (bool, int, float, str, bytes, list, dict, set, frozenset, tuple, type(None))


@dataclass
class Comparison:
    """What came of comparing two values: `difference` in words, how many parts were compared, what could not be."""

    difference: str | None = None
    compared: int = 0
    incomparable: list[str] = field(default_factory=list)


def compare(one: Any, other: Any) -> Comparison:
    """Compare two values with all that they hold."""
    comparer = _Comparer()
    found = comparer.difference(one, other)
    return Comparison(found, comparer.compared, comparer.incomparable)


def difference(one: Any, other: Any) -> str | None:
    """What makes two values unequal, in words; None where they are equal or cannot be compared."""
    return compare(one, other).difference


class _Comparer:
    def __init__(self) -> None:
        self.compared = 0
        self.incomparable: list[str] = []
        self.seen: set[tuple[int, int]] = set()
        self.kept: list[Any] = []  # what `seen` names by id must stay alive

    def difference(self, one: Any, other: Any) -> str | None:
        self.compared += 1
        if one is other or (id(one), id(other)) in self.seen:
            return None
        self.seen.add((id(one), id(other)))
        self.kept += [one, other]
        if _kind(one) != _kind(other):
            return f"type {_kind(one)}, not {_kind(other)}"
        for comparator in (_number, _array, _frame, _container, _code, _state):
            answer = comparator(self, one, other)
            if answer is not NotImplemented:
                return answer  # type: ignore[no-any-return]
        self.incomparable.append(_kind(one))
        return None

    def all(self, pairs: Any) -> str | None:
        """The first difference among (label, one, other) triples."""
        return next((f"{label} {found}" for label, a, b in pairs if (found := self.difference(a, b))), None)


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__name__}"


def _unequal(one: Any, other: Any) -> str:
    return f"{one!r}, not {other!r}"


def _number(comparer: _Comparer, one: Any, other: Any) -> Any:
    if isinstance(one, enum.Enum):
        return None if one.name == other.name else _unequal(one, other)
    if isinstance(one, bool | int | str | bytes | bytearray | complex | range) or one is None:
        return None if one == other else _unequal(one, other)
    if isinstance(one, float):
        same = (one == other and math.copysign(1, one) == math.copysign(1, other)) or (one != one and other != other)
        return None if same else _unequal(one, other)
    if isinstance(one, decimal.Decimal):  # 1.0 is not 1.00, and none equals none
        return None if str(one) == str(other) else _unequal(one, other)
    return NotImplemented


def _array(comparer: _Comparer, one: Any, other: Any) -> Any:
    if type(one).__module__.split(".")[0] != "numpy" or not hasattr(one, "dtype"):
        return NotImplemented
    import numpy as np

    if not isinstance(one, np.ndarray | np.generic):
        return NotImplemented
    if one.dtype != other.dtype or one.shape != other.shape:
        return f"{one.dtype}{one.shape}, not {other.dtype}{other.shape}"
    if one.dtype == object:
        return comparer.difference(one.tolist(), other.tolist())
    equal = np.array_equal(one, other, equal_nan=one.dtype.kind in "fcmM")
    if not equal and not one.dtype.hasobject:  # no NaT equals itself in a record
        equal = one.tobytes() == other.tobytes()
    return None if equal else _unequal(one, other)


def _frame(comparer: _Comparer, one: Any, other: Any) -> Any:
    if type(one).__module__.split(".")[0] == "scipy" and hasattr(one, "toarray"):
        return comparer.difference(one.toarray(), other.toarray())
    if type(one).__module__.split(".")[0] != "pandas" or not hasattr(one, "equals"):
        return NotImplemented
    for part in ("dtypes", "dtype", "names", "name"):
        if hasattr(one, part) and str(getattr(one, part)) != str(getattr(other, part)):
            return f"{part} {getattr(one, part)}, not {getattr(other, part)}"
    if one.equals(other):
        return None
    if hasattr(one, "to_dict"):  # objects of the notebook's own classes have no `==`
        return comparer.difference(one.to_dict(), other.to_dict()) or comparer.difference(one.index, other.index)
    return _unequal(one, other)


def _container(comparer: _Comparer, one: Any, other: Any) -> Any:
    if isinstance(one, list | tuple | collections.deque):
        if len(one) != len(other):
            return f"{len(one)} elements, not {len(other)}"
        found = comparer.all((f"[{i}]", a, b) for i, (a, b) in enumerate(zip(one, other, strict=True)))
    elif isinstance(one, dict):
        keys = comparer.difference(list(one), list(other))
        pairs = zip(one, one.values(), other.values(), strict=False)
        found = f"keys: {keys}" if keys else comparer.all((f"[{k!r}]", a, b) for k, a, b in pairs)
    elif isinstance(one, set | frozenset):
        found = None if one == other else comparer.difference(_sorted(one), _sorted(other))
    else:
        return NotImplemented
    if found or type(one).__module__ != "__main__":
        return found
    return comparer.difference(getattr(one, "__dict__", None), getattr(other, "__dict__", None))


def _sorted(values: Any) -> list[Any]:
    """A set's elements in an order that does not depend on addresses."""
    return sorted(values, key=lambda v: (_kind(v), re.sub(r"0x[0-9a-f]+", "", repr(v))))


def _code(comparer: _Comparer, one: Any, other: Any) -> Any:
    if isinstance(one, types.ModuleType | type | types.BuiltinFunctionType):
        if one.__name__ != other.__name__:
            return _unequal(one, other)
        return comparer.difference(_own_data(one), _own_data(other)) if isinstance(one, type) else None
    if isinstance(one, types.FunctionType):
        cells = [[_content(c) for c in f.__closure__ or ()] for f in (one, other)]
        states = [(f.__name__, f.__defaults__, f.__kwdefaults__, vars(f)) for f in (one, other)]
        return (
            comparer.difference(one.__code__, other.__code__)
            or comparer.difference(*states)
            or comparer.difference(*cells)
        )
    if isinstance(one, types.CodeType):
        return comparer.difference(*[(c.co_code, c.co_consts, c.co_names, c.co_varnames) for c in (one, other)])
    if isinstance(one, types.MethodType):
        return comparer.difference(*[(m.__func__, m.__self__) for m in (one, other)])
    if isinstance(one, functools.partial):
        return comparer.difference(*[(p.func, p.args, p.keywords) for p in (one, other)])
    return NotImplemented


def _own_data(kind: type) -> dict[str, Any]:
    """The plain data that a class of the notebook keeps in itself."""
    if kind.__module__ != "__main__":
        return {}
    return {k: v for k, v in vars(kind).items() if not k.startswith("__") and isinstance(v, _DATA)}


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _state(comparer: _Comparer, one: Any, other: Any) -> Any:
    states = [_plain(value) for value in (one, other)]
    if None not in states:
        return comparer.difference(*states)
    if type(one).__eq__ is not object.__eq__:
        return None if one == other else _unequal(one, other)
    return NotImplemented


def _plain(value: Any) -> Any:
    """What a value is made of: its state, without what differs from run to run; None where it does not say."""
    if isinstance(value, io.StringIO | io.BytesIO):
        return [value.getvalue(), value.tell()]
    try:
        state = value.__getstate__()
        if state is None and type(value).__eq__ is object.__eq__:
            parts = value.__reduce_ex__(4)[1:]
            state = [list(part) if isinstance(part, Iterator) else part for part in parts]
    except Exception:
        return getattr(value, "__dict__", None) or None
    if isinstance(state, dict):
        return {k: v for k, v in state.items() if k not in _VOLATILE}
    return state
