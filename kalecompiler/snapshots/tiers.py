"""Loads pickles that nobody vouches for: plain data, and nothing that could be code.

A stream may name only what `TABLE` lists, types written in C that cannot be changed and calls of our own, and may use
no opcode that sets attributes or makes instances of classes. There is no list of "known" classes beyond that: through
the opcode BUILD a class written in Python can be turned into what its author never meant.
"""

from __future__ import annotations

import copyreg
import io
import pickle
import pickletools
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from kalecompiler.snapshots.objects import StoreProblem

LARGEST = 16 << 20
"""A stream that names anything is scanned first, which takes a second for so many bytes."""

_TRIED = 1 << 20
_FORBIDDEN = frozenset(
    "BUILD INST OBJ NEWOBJ NEWOBJ_EX EXT1 EXT2 EXT4 PERSID BINPERSID".split(),
)
_NUMBERS = re.compile(r"[<>|=]?[biufcSUmM]\d{1,9}(\[\d{0,9}[a-zA-Z]{1,2}\])?", re.ASCII)


class Untrusted(StoreProblem):
    """The value could run code when it is loaded, and nobody vouches for it."""


class Call:
    """Something that a stream may call; it can be neither changed nor subclassed from a pickle."""

    __slots__ = ("_call", "_name")
    _call: Callable[..., Any]
    _name: str

    def __init__(self, name: str, call: Callable[..., Any]) -> None:
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_call", call)

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def __setattr__(self, name: str, value: object) -> None:
        raise Untrusted(f"a pickle tries to change {self._name}")

    def __repr__(self) -> str:
        return f"<{self._name}>"


def _dtype(text: Any) -> Any:
    """A dtype of numbers, texts, bytes or times, as numpy spells it; nothing that holds objects or fields."""
    import numpy

    if type(text) is not str or not _NUMBERS.fullmatch(text):
        raise Untrusted("it has an array of a type that only trusted values may have")
    return numpy.dtype(text)


def _scalar(kind: Any, data: Any) -> Any:
    import numpy

    if type(data) is not bytes or not isinstance(kind, numpy.dtype) or not _NUMBERS.fullmatch(kind.str):
        raise Untrusted("it has a number of a type that only trusted values may have")
    return numpy.ndarray((), kind, data or None)[()]


DTYPE, SCALAR = Call("numpy.dtype", _dtype), Call("numpy.scalar", _scalar)
TABLE: dict[tuple[str, str], Call | None] = {
    ("builtins", "complex"): None,
    ("builtins", "range"): None,
    ("builtins", "slice"): None,
    ("datetime", "date"): None,
    ("datetime", "datetime"): None,
    ("datetime", "time"): None,
    ("datetime", "timedelta"): None,
    ("datetime", "timezone"): None,
    ("decimal", "Decimal"): None,
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): DTYPE,
    ("numpy._core.multiarray", "scalar"): SCALAR,
    ("numpy.core.multiarray", "scalar"): SCALAR,
}
"""What a stream of plain data may name: by None the type itself."""


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in TABLE:
            raise Untrusted(f"it needs {module}.{name}, which only a trusted value may name")
        found = TABLE[module, name]
        if found is None:
            __import__(module)
            found = getattr(sys.modules[module], name)
        return found


class _Nameless(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise Untrusted("it names something")


class _Trial(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in TABLE:
            raise Untrusted("it names something else")
        return _nothing


def load(stream: Any, buffers: Sequence[Any], count: int = 1) -> list[Any]:
    """The first `count` values of the pickles in a stream. Raises Untrusted, and ValueError for a broken stream."""
    view = memoryview(stream)
    try:
        if not getattr(copyreg, "_extension_registry", {}):
            try:
                return _load(_Nameless, view, buffers, count)
            except Untrusted:
                pass
        if len(view) > LARGEST:
            raise Untrusted("it is too large to be looked through for code")
        _scan(view, count)
        return _load(_Plain, view, buffers, count)
    except StoreProblem:
        raise
    except Exception as error:  # noqa: BLE001 - constructors in C, given anything
        raise ValueError(f"the stream makes no sense: {type(error).__name__}: {error}") from None


def is_data(stream: Any, buffers: Sequence[Any], kind: str = "", packages: Sequence[str] = ()) -> bool:
    """Whether a stream is of plain data; nothing of it comes to life. Of a large one `kind` and `packages` tell."""
    view = memoryview(stream)
    if len(view) > _TRIED:
        return kind in ("dict", "list", "set", "tuple", "str", "bytes", "bytearray") and set(packages) <= {"Python"}
    try:
        _scan(view, 1)
        _load(_Trial, view, buffers, 1)
    except Exception:  # noqa: BLE001 - constructors in C, given anything
        return False
    return True


def _load(kind: type[pickle.Unpickler], view: memoryview, buffers: Sequence[Any], count: int) -> list[Any]:
    unpickler = kind(io.BytesIO(view), buffers=buffers)
    return [unpickler.load() for _ in range(count)]


def _scan(view: memoryview, count: int) -> None:
    """Look through the opcodes of the first pickles. Raises Untrusted for one that plain data does not need."""
    file = io.BytesIO(view)
    for _ in range(count):
        for opcode, _, _ in pickletools.genops(file):
            if opcode.name in _FORBIDDEN:
                raise Untrusted("it holds objects that only trusted values may hold")


def _nothing(*arguments: Any) -> None:
    """What a trial makes of every call."""
