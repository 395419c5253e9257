"""Saves a value: pickle protocol 5 into a file that `writing` makes, with large buffers beside the stream.

Modules go by name; classes and functions of the notebook (`__main__`) by reference, because the consumer executes
their definitions before it loads anything; lambdas and closures by value where cloudpickle is installed. What is
reduced here is rebuilt by names of the libraries, so that a reader needs nothing of ours.
"""

from __future__ import annotations

import importlib
import itertools
import os
import pickle
import sys
from types import FunctionType, ModuleType

from . import about, bundle, failure, parts, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any

APART = 1 << 14  # a buffer of this size is written beside the pickle stream, and loaded without another copy
TEXTS = {str, bytes}
ATOMS = {int, float, bool, type(None), *TEXTS}
# Recipes that other parts of the runtime bring, asked first: (value, spans) -> reduced, or NotImplemented.
EXTRA: list[Callable[[Any, Mapping[int, Any]], Any]] = []


def save(
    path: str,
    value: Any,
    variable: str = "value",
    options: Mapping[str, Any] = {},
    members: Mapping[str, Any] = {},
    spans: Mapping[int, Any] = {},
) -> dict[str, Any]:
    """Write `value` (ABSENT for an unbound variable) to `path`, whole or not at all, and return its metadata.

    `options` are those of the step's JSON. `members` are variables that share an object with this one: they are saved
    beside it, for steps that take several. `spans` are arrays that share memory, as `bonds.survey` gives them.
    The metadata is strict JSON: format, digest, size, variable, absent where it is so, and what `about` tells.
    Raises ValueProblem, which names the part that is to blame and the cure, and OSError.
    """
    absent = value is bundle.ABSENT
    told = {"absent": True} if absent else about.describe(value, variable, options.get("preview", 0))
    header = {"type": about.type_name(type(value)), "absent": absent, "members": [variable, *members]}
    draft = f"{path}.{os.getpid()}.part"
    try:
        with open(draft, "xb") as file:
            writer = writing.Writer(file, options.get("hash"), options.get("max-artifact-size"))
            if not absent:
                header["packages"] = _write(writer, {variable: value, **members}, spans)
            digest, size = writer.finish(header)
        os.replace(draft, path)
    finally:
        if os.path.exists(draft):
            os.unlink(draft)
    return {"format": "kalec-1", "digest": digest, "size": size, "variable": variable, **told}


class Recipes:
    """How parts of a value are pickled where pickle's own way will not do, and whose packages they need."""

    def __init__(self, spans: Mapping[int, Any] = {}, variables: Collection[str] = ()) -> None:
        self.spans, self.variables = {**spans}, variables
        self.packages: set[str] = set()

    def reduce(self, value: Any) -> Any:
        """What `reducer_override` returns for a value: NotImplemented for pickle's own way."""
        owner = str(getattr(value if isinstance(value, type) else type(value), "__module__", ""))
        self.packages.add(owner.partition(".")[0])
        for recipe in EXTRA:
            found = recipe(value, self.spans)
            if found is not NotImplemented:
                return found
        main = sys.modules["__main__"]
        if isinstance(value, (type, FunctionType)) and owner != "__main__":
            name = value.__qualname__
            if getattr(main, name, None) is value and not hasattr(sys.modules.get(owner), name):
                return getattr, (main, name)  # made by a function of a library, under that name
        if isinstance(value, ModuleType):
            if sys.modules.get(value.__name__) is not value:
                raise pickle.PicklingError("its name does not lead to it")
            return importlib.import_module, (value.__name__,)
        if type(value) is object:
            for name, item in vars(main).items():
                if item is value and name not in self.variables:
                    return getattr, (main, name)  # a mark of the notebook's, which its own cell makes there too
            raise pickle.PicklingError("a bare object() would be another one in the next step")
        return NotImplemented

    def versions(self) -> dict[str, str]:
        """Package -> version of those that were met and say theirs, and of Python."""
        found = {name: bundle.version(name) for name in ("Python", *sorted(self.packages))}
        return {name: version for name, version in found.items() if isinstance(version, str)}


def _write(writer: writing.Writer, values: Mapping[str, Any], spans: Mapping[int, Any]) -> dict[str, str]:
    """Write the pickles of the variables, under one memo, and their large buffers; the versions of their packages."""
    for make in picklers():
        recipes = Recipes(spans, values)
        buffers: list[memoryview] = []

        def apart(buffer: pickle.PickleBuffer, buffers: list[memoryview] = buffers) -> bool:
            view = buffer.raw()
            if len(view) >= APART:
                buffers.append(view)
            return len(view) < APART

        pickler = make(writer, recipes, apart)
        try:
            for name in values:
                pickler.fast = len(values) == 1 and _is_flat(values[name])
                pickler.dump(values[name])
            break
        except (failure.ValueProblem, OSError):
            raise
        except Exception as error:  # pickling runs methods of any class, which may raise anything
            problem = error
            writer.restart()
    else:
        from . import blame

        raise failure.ValueProblem(blame.explain(values[name], name, problem)) from problem
    writer.section()
    for _, group in itertools.groupby(buffers, lambda view: view.readonly):
        writer.buffers(list(group))
    return recipes.versions()


def picklers() -> list[Any]:
    """The classes of picklers to try, one after the other."""
    byvalue = parts.find("byvalue")
    return [Pickler, *(byvalue.picklers() if byvalue else ())]


class Pickler(pickle.Pickler):
    """Asks `recipes` for each part that pickle has no own opcode for."""

    def __init__(self, file: Any, recipes: Recipes, callback: Any = None) -> None:
        super().__init__(file, protocol=5, buffer_callback=callback)
        self.reducer_override = recipes.reduce  # type: ignore[method-assign]


def _is_flat(value: Any) -> bool:
    """Whether a container holds nothing but short exact atoms: then pickle need not remember what it has seen."""
    if type(value) not in (dict, list, tuple, set):
        return False
    for part in (value, value.values()) if type(value) is dict else (value,):
        kinds = set(map(type, part))
        texts = part if kinds <= TEXTS else [item for item in part if type(item) in TEXTS]
        if not kinds <= ATOMS or max(map(len, texts), default=0) > 64:  # a long one may be there many times over
            return False
    return True
