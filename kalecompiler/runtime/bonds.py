"""What variables have in common: objects that can be changed in place, and memory of arrays.

Pickled apart, they would lose the bond; pickled under one memo, with arrays as views of one memory, they keep it.
"""

from __future__ import annotations

import gc
import itertools
import sys
from types import FunctionType, ModuleType

from . import bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

LIMIT = 100_000


def survey(values: Mapping[str, Any]) -> tuple[list[tuple[str, str, str]], dict[int, Any]]:
    """([(name, other name, type of the object) of each bond found], {id of an array: (memory, offset in it)}).

    The second is for arrays that overlap: each is a view of that memory, which is an array of bytes.
    """
    links, arrays = [], []
    owners: dict[int, str] = {}
    for name, value in values.items():
        linked: set[str] = set()
        for item in _reached(value):
            kind = f"{type(item).__module__}.{type(item).__qualname__}"
            other = owners.setdefault(id(item), name)
            if other not in (name, *linked):
                linked.add(other)
                links.append((other, name, kind.replace("builtins.", "")))
            if kind == "numpy.ndarray" and item.nbytes and not item.dtype.hasobject:
                arrays.append((*_extent(item), name, item))
    spans: dict[int, Any] = {}
    for group in _overlapping(arrays):
        spans.update(_span(group))
        names = list(dict.fromkeys(name for _, _, name, _ in group))
        links += [(names[0], other, "numpy.ndarray") for other in names[1:]]
    return list({link[:2]: link for link in reversed(links)}.values())[::-1], spans


def groups(
    values: Mapping[str, Any], outputs: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, tuple[list[str], list[str]]], dict[int, Any]]:
    """({variable: (all that it is bound to and itself, those that go into its file as well)}, spans as of `survey`).

    A consumer loads all that it takes of a group from the file of the first. ABSENT is bound to nothing.
    """
    links, spans = survey({name: value for name, value in values.items() if value is not bundle.ABSENT})
    found = {name: {name} for name in values}
    for one, other, _ in links:
        found[one] |= found[other]
        found.update(dict.fromkeys(found[one], found[one]))
    users = {item["variable"]: set(item["for"]) for item in outputs}
    bound = {}
    for name, names in found.items():
        group = [other for other in values if other in names]
        companions: set[str] = set()
        for step in users[name]:
            taken = [other for other in group if step in users[other]]
            companions.update(taken[1:] if taken[0] == name else ())
        if len(group) > 1:
            bound[name] = group, [other for other in group if other in companions]
    return bound, spans


def _reached(value: Any) -> Iterator[Any]:
    """The objects with a state of their own that a value reaches, itself among them; at most 100,000 steps."""
    seen: set[int] = set()
    todo = [value]
    while todo and len(seen) < LIMIT:
        item = todo.pop()
        kind = type(item)
        if id(item) in seen or isinstance(item, (type, ModuleType)):
            continue
        if isinstance(item, FunctionType):
            todo += (item.__closure__ or ()) if "<" in item.__qualname__ else ()  # others go by name
            continue
        seen.add(id(item))
        library = kind.__module__.partition(".")[0]
        by_name = library == "logging" or hasattr(kind, "__members__")  # there is one in each process
        if by_name or kind.__name__ in ("dtype", "Index", "RangeIndex"):
            continue
        if kind.__hash__ is None or hasattr(item, "__dict__") or kind.__name__ in ("Generator", "RandomState"):
            yield item
        if library == "numpy" and getattr(getattr(item, "dtype", None), "hasobject", False):
            todo += item.ravel()[:LIMIT].tolist()
        if library not in ("numpy", "pandas"):  # pandas decides by itself what its objects share
            todo += itertools.islice(gc.get_referents(item), LIMIT)


def _extent(array: Any) -> tuple[int, int]:
    """The first address of an array's memory, and the one after its last."""
    low = high = array.__array_interface__["data"][0]
    for length, stride in zip(array.shape, array.strides):
        low, high = low + min(0, (length - 1) * stride), high + max(0, (length - 1) * stride)
    return low, high + array.itemsize


def _overlapping(arrays: list[Any]) -> Iterator[list[Any]]:
    """The groups of at least two arrays that lie on one another."""
    group: list[Any] = []
    end = 0
    for item in sorted({id(item[3]): item for item in arrays}.values(), key=lambda item: item[:2]):
        if item[0] >= end:
            if len(group) > 1:
                yield group
            group = []
        group.append(item)
        end = max(end, item[1])
    if len(group) > 1:
        yield group


def _span(group: list[Any]) -> Iterator[tuple[int, Any]]:
    """(id, (memory, offset)) of each array; none where their memory is not that of one array in one piece."""
    numpy = sys.modules["numpy"]
    root = group[0][3]
    while type(root.base) is numpy.ndarray:
        root = root.base
    low, high = group[0][0], max(end for _, end, _, _ in group)
    start, stop = _extent(root)
    flags = {array.flags.writeable for _, _, _, array in group}
    whole = root.flags.c_contiguous or root.flags.f_contiguous
    if whole and start <= low and high <= stop and flags == {root.flags.writeable} and not root.dtype.hasobject:
        memory = (root if root.flags.c_contiguous else root.T).reshape(-1).view("u1")[low - start : high - start]
        for _, _, _, array in group:
            first = array.__array_interface__["data"][0]
            yield id(array), (memory, first - low)
