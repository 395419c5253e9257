"""Runs the notebook's code in `__main__`, piece by piece, as cells of one notebook run in one kernel."""

from __future__ import annotations

import _ast  # the node classes alone: `import ast` would add 4 ms to the start of each step
import linecache

from . import parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import CodeType
    from typing import Any

    from .display import Recorder

ECHOING = ("cell", "metrics")
FUTURE_ANNOTATIONS = 0x1000000  # __future__.annotations.compiler_flag


class Kernel:
    """Runs pieces of code in one namespace; `current` is the name of the piece that runs, None in between."""

    def __init__(self, namespace: dict[str, Any], recorder: Recorder) -> None:
        self.namespace, self.recorder = namespace, recorder
        self.current: str | None = None
        self.names: set[str] = set()
        self.flags: int = _ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        loop = parts.find("loop")
        self.loop: Any = loop and loop.Loop()

    def run(self, piece: Mapping[str, Any]) -> None:
        """Run one piece; whatever its code raises comes out."""
        name, lines = piece["name"], piece["source"]
        source = "\n".join(lines)
        linecache.cache[name] = (len(source), None, [line + "\n" for line in lines], name)
        self.names.add(name)
        self.current = name
        self.recorder.start(piece)
        self.recorder.finish(self._evaluate(self._compile(source, piece), source))
        self.current = None

    def close(self) -> None:
        """Cancel what is still waiting in the event loop, if there is one."""
        if self.loop:
            self.loop.close()

    def _parse(self, source: str, name: str) -> Any:
        return compile(source, name, "exec", _ast.PyCF_ONLY_AST | self.flags, dont_inherit=True)

    def _compile(self, source: str, piece: Mapping[str, Any]) -> list[CodeType]:
        """The code of a piece, and apart from it that of its last expression if it is to be shown."""
        name = piece["name"]
        tree = self._parse(source, name)
        for line, text in piece.get("kept", ()):
            at = sum(statement.end_lineno < line for statement in tree.body)
            tree.body[at:at] = self._parse(text, name).body
        rich = self.recorder.rich
        shown = rich and piece["kind"] in ECHOING and rich.split(tree, source)
        body = compile(tree, name, "exec", self.flags, dont_inherit=True)
        self.flags |= body.co_flags & FUTURE_ANNOTATIONS  # the next cells have it too, as in a notebook
        return [body, compile(shown, name, "eval", self.flags, dont_inherit=True)] if shown else [body]

    def _evaluate(self, codes: Sequence[CodeType], source: str) -> Any:
        """The value of the last of the codes (that of a body is None)."""
        if self.loop:
            return self.loop.evaluate(codes, source, self.namespace)
        return [eval(code, self.namespace) for code in codes][-1]
