"""The first code of a step: makes the modules that the program carries importable, and runs the step.

It is executed with `PARTS` in its globals, never imported: the names of `__main__` belong to the notebook.
How a part is made is told in `pack`.
"""

from __future__ import annotations

import sys
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

PACKAGE = "kalec_runtime"


class Carried:
    """Finds and loads `kalec_runtime` and its modules, each compiled when it is first imported."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        core, *more = zlib.decompress(parts[0], -15).split(b"\2")
        _, words, *modules = core.split(b"\0")
        for part in parts[1:]:  # each is compressed as if it followed the core
            more.append(zlib.decompressobj(-15, core).decompress(part))
        for part in more:
            modules += part.split(b"\0")
        spelled = {128 + number: word for number, word in enumerate(words.decode().split("\1"))}
        self.sources = {PACKAGE: ""}
        for module in modules:
            name, _, source = module.decode("latin-1").translate(spelled).partition("\n")
            self.sources[PACKAGE + "." + name] = source

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The spec of a carried module, None for any other (the import system asks for all of them)."""
        make: Any = type(sys.__spec__)  # ModuleSpec: to import importlib.machinery for it would cost a millisecond
        return make(name, self, is_package=name == PACKAGE) if name in self.sources else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """None: the import system makes an ordinary module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's source; tracebacks know it by the angle bracket."""
        name = module.__name__
        exec(compile(self.sources[name], f"<{name}>", "exec", dont_inherit=True), module.__dict__)


def start(parts: Sequence[bytes], arguments: Sequence[str]) -> None:
    """Run the step whose JSON is the first argument, with the executor input that is the second; ends the process."""
    finder: Any = Carried(parts)
    sys.meta_path.insert(0, finder)
    __import__(PACKAGE + ".step")
    sys.exit(sys.modules[PACKAGE + ".step"].main(arguments[1], arguments[2]))


if __name__ == PACKAGE + ".boot":
    start(globals()["PARTS"], sys.argv)
