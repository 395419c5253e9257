"""Reads a pickle stream as text is read: nothing is imported, nothing is called, no object of it comes to life.

What unpickling would call becomes a `Call`, what it would import a `Name`; plain values are themselves.
"""

from __future__ import annotations

import hashlib
import pickletools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

_MARK = object()
_DEPTH = 150
# What libraries keep beside a value, as they please.
_CACHES = frozenset({"_cache", "_item_cache", "_readonly", "_freq"})
_SETS = frozenset({"set", "frozenset"})
_CONSTANTS = {
    "NONE": None,
    "NEWTRUE": True,
    "NEWFALSE": False,
    "EMPTY_TUPLE": (),
}
_PLAIN = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8 "
    "BYTEARRAY8 UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8 FLOAT BINFLOAT".split()
)
_NOTHING = frozenset({"PROTO", "FRAME", "STOP", "READONLY_BUFFER"})


class StreamProblem(ValueError):
    """It is no pickle, or one that is not understood."""


@dataclass(frozen=True, slots=True)
class Name:
    """What would be imported."""

    module: str
    name: str

    @property
    def last(self) -> str:
        return self.name.rpartition(".")[2]


@dataclass(slots=True, eq=False)
class Call:
    """What would be called, with what; then the state it would be given, and what would be put into it."""

    function: Any
    arguments: Any
    state: Any = None
    content: list[Any] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The last part of the name of what is called."""
        return self.function.last if isinstance(self.function, Name) else ""


def read(stream: bytes, buffers: Iterable[Any] = ()) -> Any:
    """The first value of a stream; `buffers` are those beside it. Raises StreamProblem."""
    reader = _Reader(iter(buffers))
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            reader.take(opcode.name, argument)
            if opcode.name == "STOP":
                break
        return reader.stack.pop()
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise StreamProblem(f"it cannot be read: {error}") from None


class _Reader:
    """The machine of a pickle, with stand-ins for all that it would make."""

    def __init__(self, buffers: Iterator[Any]) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._buffers = buffers

    def take(self, name: str, argument: Any) -> None:
        """One opcode."""
        if name in _PLAIN:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name not in _NOTHING:
            getattr(self, f"_{name.lower()}")(argument)

    def _above_mark(self) -> list[Any]:
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    def _pop(self, argument: Any) -> None:
        self.stack.pop()

    def _pop_mark(self, argument: Any) -> None:
        self._above_mark()

    def _dup(self, argument: Any) -> None:
        self.stack.append(self.stack[-1])

    def _mark(self, argument: Any) -> None:
        self.stack.append(_MARK)

    def _memoize(self, argument: Any) -> None:
        self._memo[len(self._memo)] = self.stack[-1]

    def _put(self, argument: Any) -> None:
        self._memo[int(argument)] = self.stack[-1]

    _binput = _long_binput = _put

    def _get(self, argument: Any) -> None:
        self.stack.append(self._memo[int(argument)])

    _binget = _long_binget = _get

    def _next_buffer(self, argument: Any) -> None:
        self.stack.append(next(self._buffers))

    def _empty_list(self, argument: Any) -> None:
        self.stack.append([])

    def _empty_dict(self, argument: Any) -> None:
        self.stack.append(Call(Name("builtins", "dict"), ()))

    def _empty_set(self, argument: Any) -> None:
        self.stack.append(Call(Name("builtins", "set"), ()))

    def _list(self, argument: Any) -> None:
        self.stack.append(self._above_mark())

    def _tuple(self, argument: Any) -> None:
        self.stack.append(tuple(self._above_mark()))

    def _tuple1(self, argument: Any) -> None:
        self._last(1)

    def _tuple2(self, argument: Any) -> None:
        self._last(2)

    def _tuple3(self, argument: Any) -> None:
        self._last(3)

    def _last(self, number: int) -> None:
        items = tuple(self.stack[-number:])
        del self.stack[-number:]
        self.stack.append(items)

    def _dict(self, argument: Any) -> None:
        items = self._above_mark()
        self.stack.append(Call(Name("builtins", "dict"), (), None, list(zip(items[::2], items[1::2], strict=True))))

    def _frozenset(self, argument: Any) -> None:
        self.stack.append(Call(Name("builtins", "frozenset"), (self._above_mark(),)))

    def _append(self, argument: Any) -> None:
        item = self.stack.pop()
        self._extend([item])

    def _appends(self, argument: Any) -> None:
        self._extend(self._above_mark())

    _additems = _appends

    def _extend(self, items: Sequence[Any]) -> None:
        target = self.stack[-1]
        (target if isinstance(target, list) else target.content).extend(items)

    def _setitem(self, argument: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.stack[-1].content.append((key, value))

    def _setitems(self, argument: Any) -> None:
        items = self._above_mark()
        self.stack[-1].content.extend(zip(items[::2], items[1::2], strict=True))

    def _global(self, argument: Any) -> None:
        module, _, name = argument.partition(" ")
        self.stack.append(Name(module, name))

    def _stack_global(self, argument: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(Name(str(module), str(name)))

    def _reduce(self, argument: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self.stack.append(Call(function, arguments))

    _newobj = _reduce

    def _newobj_ex(self, argument: Any) -> None:
        named, arguments, function = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.stack.append(Call(function, (arguments, named)))

    def _build(self, argument: Any) -> None:
        state = self.stack.pop()
        self.stack[-1].state = state


def digest(*values: Any) -> str:
    """A digest of what was read: equal for equal content, whatever was shared, and in which order a set was written.

    Raises StreamProblem for what holds itself, or is nested too deeply.
    """
    return _Digests().of(values, 0).hex()


class _Digests:
    """Makes digests; what occurs many times is looked at once. Every part begins with its kind and length."""

    def __init__(self) -> None:
        self._made: dict[int, bytes] = {}

    def of(self, value: Any, depth: int) -> bytes:
        """The digest of a container or a call."""
        made = self._made.get(id(value))
        if made is None:
            if depth > _DEPTH:
                raise StreamProblem("it is nested too deeply")
            self._made[id(value)] = b""
            found = hashlib.sha256()
            if isinstance(value, Call):
                self._feed_call(found, value, depth + 1)
            else:
                found.update(b"items %d;" % len(value))
                for item in value:
                    self._feed(found, item, depth + 1)
            made = self._made[id(value)] = found.digest()
        if not made:
            raise StreamProblem("it holds itself")
        return made

    def _feed_call(self, found: Any, value: Call, depth: int) -> None:
        state, content = value.state, _without_caches(value)
        found.update(b"call;")
        self._feed(found, value.function, depth)
        if value.name in _SETS:  # in no order; its items are arguments, or were put into it
            items = [*content, *(value.arguments[0] if value.arguments else ())]
            parts = [self._alone(item, depth) for item in items]
            found.update(b"set %d;" % len(parts) + b"".join(sorted(parts)))
            return
        self._feed(found, value.arguments, depth)
        if isinstance(state, tuple):
            found.update(b"state;")
            content = [*(item for item in state if not (_is_dict(item) and not _without_caches(item))), *content]
        else:
            self._feed(found, state, depth)
        found.update(b"content %d;" % len(content))
        for item in content:
            self._feed(found, item, depth)

    def _alone(self, value: Any, depth: int) -> bytes:
        found = hashlib.sha256()
        self._feed(found, value, depth)
        return found.digest()

    def _feed(self, found: Any, value: Any, depth: int) -> None:
        if isinstance(value, (bytes, bytearray, memoryview)):
            found.update(b"bytes %d;" % len(value))
            found.update(value)
        elif isinstance(value, (list, tuple, Call)):
            found.update(self.of(value, depth))
        else:
            text = repr(value).encode("utf-8", "surrogatepass")
            found.update(b"%s %d;" % (type(value).__name__.encode(), len(text)))
            found.update(text)


def _is_dict(value: Any) -> bool:
    return isinstance(value, Call) and value.name == "dict"


def _without_caches(value: Call) -> list[Any]:
    """What was put into a value, but for what its library keeps there for itself."""
    return [item for item in value.content if not (isinstance(item, tuple) and item and _is_cache(item[0]))]


def _is_cache(key: Any) -> bool:
    return isinstance(key, str) and key in _CACHES
