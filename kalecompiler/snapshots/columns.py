"""The columns of a table in a bundle: a digest for each, made from the file's bytes, without unpickling.

Two tables whose columns have the same digest hold the same there. A value that is no table has one digest as a whole:
that of its file may differ though the value is the same (a set has no order, libraries keep caches in their objects).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from kalecompiler.runtime import reading
from kalecompiler.snapshots import streams
from kalecompiler.snapshots.streams import Call, Name, StreamProblem

INDEX, VALUE = "(index)", "(value)"
TABLES = frozenset({"DataFrame", "GeoDataFrame"})
LARGEST, LARGEST_OF_TABLE = 1 << 20, 8 << 20
"""Beyond this many bytes a pickle takes longer to read than anyone would wait (a second a MB); large buffers, as those
of numbers and texts, lie beside it."""


def columns(path: Path) -> dict[str, str]:
    """The digest of each column of the table in a bundle, and of its index; of another value the digest of it all.

    {} where that is unclear. Raises nothing but OSError: what cannot be read is unclear.
    """
    try:
        header, stream, buffers = reading.read(str(path), None)
        largest = LARGEST_OF_TABLE if str(header.get("type")).rpartition(".")[2] in TABLES else LARGEST
        if stream is None or len(stream) > largest:
            return {}
        value = streams.read(bytes(memoryview(stream)), buffers)
        return of_value(value) or {VALUE: streams.digest(value)}
    except (reading.Unreadable, StreamProblem):
        return {}


def of_value(value: Any) -> dict[str, str]:
    """The same of a value that `streams` read; {} for what is no table."""
    try:
        manager = _manager(value)
        if manager is None:
            return {}
        blocks, axes = manager.arguments
        labels = _labels(axes[0])
        found: dict[int, str] = {}
        for block in blocks:
            values, placement = block.arguments[0], _numbers(block.arguments[1])
            found.update(zip(placement, _digests(values, len(placement)), strict=True))
        if sorted(found) != list(range(len(labels))):
            return {}
        named = {name: found[number] for number, name in enumerate(labels)}
        return {INDEX: streams.digest(*axes[1:]), **named}
    except (ValueError, TypeError, AttributeError, IndexError, KeyError):  # of a version with another layout
        return {}


def _manager(value: Any) -> Call | None:
    """What holds the columns of a pandas.DataFrame: the manager of its blocks."""
    if not isinstance(value, Call) or value.name not in {"DataFrame", "GeoDataFrame"}:
        return None
    state = _mapping(value.state)
    manager = state.get("_mgr", state.get("_data"))
    return manager if isinstance(manager, Call) and manager.name == "BlockManager" else None


def _digests(values: Any, count: int) -> list[str]:
    """One digest for each column of a block; blocks of numbers hold many, one below the other."""
    array = _array(values)
    if array is None:
        if count != 1:
            return [streams.digest(values, number) for number in range(count)]
        return [streams.digest(values)]
    shape, kind, data, order = array
    if len(shape) != 2 or shape[0] != count:
        raise ValueError(shape)
    size = len(data) // count if count else 0
    view = memoryview(data).cast("B") if data else memoryview(b"")
    if order == "C" or count == 1 or shape[1] == 1:
        rows = [view[at * size : (at + 1) * size] for at in range(count)]
    else:  # the columns are interleaved
        rows = [_strided(view, at, count, size // shape[1] if shape[1] else 0) for at in range(count)]
    return [streams.digest(kind, row) for row in rows]


def _strided(view: memoryview, at: int, count: int, size: int) -> memoryview:
    if size == 0:
        return view[:0]
    row = bytearray(len(view) // count)
    for byte in range(size):
        row[byte::size] = view[at * size + byte :: count * size]
    return memoryview(row)


def _array(value: Any) -> tuple[Sequence[int], Any, Any, str] | None:
    """(shape, dtype, bytes, order) of a plain array of numpy; None for all else."""
    if not isinstance(value, Call) or not isinstance(value.function, Name):
        return None
    if (value.function.module, value.function.name) != ("numpy", "ndarray") or len(value.arguments) != 6:
        return None
    shape, kind, data, offset, strides, order = value.arguments
    if offset or strides is not None or not isinstance(data, (bytes, bytearray, memoryview)):
        return None
    return shape, kind, data, order


def _labels(index: Any) -> list[str]:
    """The names of the columns."""
    if isinstance(index, Call) and index.name == "_new_Index":
        kind, told = index.arguments[0], _mapping(index.arguments[1])
        if isinstance(kind, Name) and kind.last == "MultiIndex":
            levels = [_labels(level) for level in told["levels"]]
            codes = [_values(code) for code in told["codes"]]
            rows = zip(*([level[at] for at in code] for level, code in zip(levels, codes, strict=True)), strict=True)
            return [", ".join(row) for row in rows]
        if isinstance(kind, Name) and kind.last == "RangeIndex":
            return [str(n) for n in range(told["start"], told["stop"], told["step"])]
        return [str(label) for label in _values(told["data"])]
    raise ValueError(index)


def _values(data: Any) -> list[Any]:
    """The content of a small array: of integers, of objects, or of pyarrow's texts."""
    array = _array(data)
    if array is not None:
        return _integers(array[1], bytes(array[2]))
    if isinstance(data, Call) and isinstance(data.state, tuple) and isinstance(data.state[-1], list):
        return data.state[-1]  # numpy's own way for objects
    texts = _find(data, "_restore_array")
    if texts is not None:
        return _texts(texts)
    objects = _find(data, "_reconstruct")
    if objects is not None and isinstance(objects.state, tuple) and isinstance(objects.state[-1], list):
        return objects.state[-1]
    raise ValueError(data)


def _texts(call: Call) -> list[str]:
    """The texts of an array of pyarrow: places in the first buffer, characters in the second."""
    kind, length, _, offset, buffers = call.arguments[0][:5] if len(call.arguments) == 1 else call.arguments[:5]
    _, places, characters = (_data(buffer) for buffer in buffers)
    width = 8 if "large" in str(kind.arguments) else 4
    ends = [
        int.from_bytes(places[at * width : (at + 1) * width], "little") for at in range(offset, offset + length + 1)
    ]
    return [characters[start:end].decode() for start, end in pairwise(ends)]


def _data(buffer: Any) -> bytes:
    return b"" if buffer is None else bytes(buffer.arguments[0])


def _find(value: Any, name: str, depth: int = 8) -> Call | None:
    """The first call of that name within a value."""
    if isinstance(value, Call):
        if value.name == name:
            return value
        parts: list[Any] = [value.arguments, value.state, *value.content]
    else:
        parts = list(value) if isinstance(value, (list, tuple)) else []
    if depth:
        for part in parts:
            if (found := _find(part, name, depth - 1)) is not None:
                return found
    return None


def _numbers(placement: Any) -> list[int]:
    """Which columns a block holds: a slice, or an array of their numbers."""
    if isinstance(placement, Call) and placement.name == "slice":
        start, stop, step = placement.arguments
        return list(range(start, stop if stop is not None else 0, step if step is not None else 1))
    return _values(placement)


def _integers(kind: Any, data: bytes) -> list[int]:
    code = str(kind.arguments[0])
    letter, size = code.lstrip("<>|=")[0], int(code.lstrip("<>|=")[1:])
    if letter not in "iu":
        raise ValueError(code)
    order: Literal["big", "little"] = "big" if code[0] == ">" else "little"
    return [int.from_bytes(data[at : at + size], order, signed=letter == "i") for at in range(0, len(data), size)]


def _mapping(value: Any) -> Mapping[str, Any]:
    return dict(value.content) if isinstance(value, Call) and value.name == "dict" else {}
