"""A value as a file, and back: pickle protocol 5 in a bundle, with large buffers beside the stream.

Modules go by name; classes and functions of the notebook (`__main__`) by reference, because the consumer executes
their definitions before it loads anything; lambdas and closures by value where cloudpickle is installed. An object
that wants its own format has a handler: `HANDLERS` is asked first, in order.
"""

from __future__ import annotations

import importlib
import io
import pickle
import sys
from types import ModuleType

from . import bundle
from .failure import ValueProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Handler(Protocol):
        """Saves and loads one kind of object in its own way; `name` is what the file's header calls it."""

        name: str

        def matches(self, kind: type) -> bool:
            """Whether objects of exactly this type are this handler's."""

        def dump(self, value: Any) -> Any:
            """A picklable stand-in (bytes, arrays, a dict of them) for the value."""

        def load(self, saved: Any) -> Any:
            """The value again."""


LARGE = 1 << 20  # a buffer of this size is written beside the pickle stream, and loaded without another copy
HANDLERS: list[Handler] = []


class Absent:
    """What `load` gives for a variable that its step left unbound."""

    def __repr__(self) -> str:
        return "<absent>"


ABSENT = Absent()


def save(path: str, value: Any, variable: str = "value") -> dict[str, Any]:
    """Write `value` (ABSENT for an unbound variable) to `path`, and return its metadata, digest and size included.

    Raises ValueProblem, which names the part that is to blame and the cure, and OSError.
    """
    about = describe(value)
    header = {"type": about["type"], "python": "%d.%d" % sys.version_info[:2]}
    if value is ABSENT:
        digest, size = bundle.write(path, {"absent": True, **header})
        return {"format": "kalec-1", "digest": digest, "size": size, "variable": variable, "absent": True}
    handler = next((handler for handler in HANDLERS if handler.matches(type(value))), None)
    if handler is not None:
        header["handler"] = handler.name
    try:
        stream, buffers = dumps(handler.dump(value) if handler else value)
    except Exception as error:  # pickling runs methods of any class: whatever they raise, the value cannot be saved
        from . import blame

        raise ValueProblem("{}\n  help: {}".format(*blame.explain(value, variable))) from error
    digest, size = bundle.write(path, header, stream, buffers)
    return {"format": "kalec-1", "digest": digest, "size": size, "variable": variable, **about}


def load(path: str, digest: str | None = None, variable: str = "value", producer: str | None = None) -> Any:
    """The value that `save` wrote to `path`, or ABSENT; nothing of it is executed unless it has the digest.

    Raises ValueProblem, which names the variable, the file, its producer and the cure, for a file that is damaged,
    changed or too new, and for a value that cannot be rebuilt here. Without a digest only the form is checked.
    """
    maker = f"step {producer}" if producer else "the step that made it"
    try:
        header, stream, buffers = bundle.read(path, digest)
    except (OSError, bundle.Unreadable) as error:
        cure = (
            f"run {maker} again" if "newer" not in str(error) else "use the kalecompiler that wrote it, or a later one"
        )
        raise ValueProblem(f"cannot read {variable!r} from {path}: {error}\n  help: {cure}") from None
    if stream is None:
        return ABSENT
    try:
        value = _Unpickler(io.BytesIO(stream), buffers=buffers).load()
        return _handler(header["handler"]).load(value) if "handler" in header else value
    except Exception as error:  # unpickling runs the constructors of any library: whatever they raise, say of what
        made = f"{header.get('type')}, made by {maker} with Python {header.get('python')}"
        cure = error.cure if isinstance(error, _Missing) else "the packages of both steps must fit each other"
        text = str(error) if isinstance(error, _Missing) else f"{type(error).__name__}: {error}"
        raise ValueProblem(f"cannot load {variable!r} ({made}) from {path}: {text}\n  help: {cure}") from error


def dumps(value: Any) -> tuple[Any, list[memoryview]]:
    """(pickle stream, large buffers as flat views) of a value; raises what its pickling raises."""
    if type(value) is object:
        raise pickle.PicklingError("a bare object() would be another one in the next step")
    try:
        return _dumps(_Pickler, value)
    except (pickle.PicklingError, AttributeError, TypeError):
        from . import byvalue

        if not byvalue.available():
            raise
    return _dumps(byvalue.pickler(), value)


def describe(value: Any) -> dict[str, Any]:
    """What a reader of the metadata wants to know: `type`, and `shape` where there is one."""
    about: dict[str, Any] = {"type": type_name(type(value))}
    try:
        shape = getattr(value, "shape", None)
    except Exception:  # a property of any library: it must not make saving fail
        shape = None
    if isinstance(shape, tuple) and all(isinstance(length, int) for length in shape):
        about["shape"] = [int(length) for length in shape]
    return about


def type_name(kind: type) -> str:
    """The name a user knows: `pandas.DataFrame`, not `pandas.core.frame.DataFrame`; builtins without a module."""
    module, name = kind.__module__, kind.__qualname__
    if module == "builtins":
        return name
    parts = module.split(".")
    for end in range(1, len(parts)):
        public = ".".join(parts[:end])
        if public in sys.modules and vars(sys.modules[public]).get(name) is kind:
            return f"{public}.{name}"
    return f"{module}.{name}"


def reduce(value: Any) -> Any:
    """How the pickler saves what pickle itself cannot: modules by name. NotImplemented for all else."""
    if isinstance(value, ModuleType):
        if sys.modules.get(value.__name__) is not value:
            raise pickle.PicklingError(f"module {value.__name__!r} cannot be imported by its name")
        return importlib.import_module, (value.__name__,)
    return NotImplemented


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        return reduce(value)


def _dumps(pickler: Any, value: Any) -> tuple[Any, list[memoryview]]:
    file = io.BytesIO()
    buffers: list[memoryview] = []

    def is_small(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if len(view) < LARGE:
            return True
        buffers.append(view)
        return False

    pickler(file, protocol=5, buffer_callback=is_small).dump(value)
    return file.getbuffer(), buffers


class _Missing(Exception):
    """A global name that this process does not have; `cure` says how to provide it."""

    def __init__(self, text: str, cure: str) -> None:
        super().__init__(text)
        self.cure = cure


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return super().find_class(module, name)
        except ImportError as error:
            package = module.partition(".")[0]
            here = package in sys.modules  # another version of the package, then
            cure = "install the same version in both steps" if here else f"add the package of {package!r} to this step"
            raise _Missing(f"it needs the module {module!r}, which cannot be imported: {error}", cure) from error
        except AttributeError as error:
            if module != "__main__":
                text = f"{module}.{name} does not exist in the version that is installed here"
                raise _Missing(text, "install the same version in both steps") from error
            cure = f"define {name!r} in a cell tagged functions, or name it in this step"
            raise _Missing(f"the notebook's {name!r} is not defined here", cure) from error


def _handler(name: str) -> Handler:
    for handler in HANDLERS:
        if handler.name == name:
            return handler
    raise _Missing(f"it was saved by the handler {name!r}, which is not here", "use the handler in both steps")
