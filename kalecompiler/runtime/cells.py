"""Runs the notebook's code in `__main__`, piece by piece, as cells of one notebook run in one kernel."""

from __future__ import annotations

import _ast  # the node classes alone: `import ast` would add 4 ms to the start of each step
import linecache
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import CodeType
    from typing import Any

    from .display import Recorder

ECHOING = ("cell", "metrics")
COROUTINE = 0x80  # inspect.CO_COROUTINE
FUTURE_ANNOTATIONS = 0x1000000  # __future__.annotations.compiler_flag


class Kernel:
    """Runs pieces of code in one namespace; `current` is the name of the piece that runs, None in between."""

    def __init__(self, namespace: dict[str, Any], recorder: Recorder) -> None:
        self.namespace, self.recorder = namespace, recorder
        self.current: str | None = None
        self.names: set[str] = set()
        self.flags: int = _ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self.loop: Any = None

    def run(self, piece: Mapping[str, Any]) -> None:
        """Run one piece; whatever its code raises comes out."""
        name, lines = piece["name"], piece["source"]
        source = "\n".join(lines)
        linecache.cache[name] = (len(source), None, [line + "\n" for line in lines], name)
        self.names.add(name)
        self.current = name
        self.recorder.start(piece)
        codes = self._compile(source, name, piece["kind"] in ECHOING)
        if "asyncio" in sys.modules or "asyncio" in source or any(code.co_flags & COROUTINE for code in codes):
            self._loop().run_until_complete(self._evaluate_inside(codes))
        else:
            self._evaluate(codes)
        self.recorder.finish()
        self.current = None

    def close(self) -> None:
        """Cancel what is still waiting in the event loop."""
        if self.loop is None:
            return
        import asyncio

        waiting = asyncio.all_tasks(self.loop)
        for task in waiting:
            task.cancel()
        if waiting:
            self.loop.run_until_complete(asyncio.wait(waiting))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def _compile(self, source: str, name: str, echo: bool) -> list[CodeType]:
        """The code of a piece, and apart from it that of its last expression if it is to be shown."""
        tree: Any = compile(source, name, "exec", _ast.PyCF_ONLY_AST | self.flags, dont_inherit=True)
        shown = None
        if echo and tree.body and isinstance(tree.body[-1], _ast.Expr) and not _silenced(source, tree.body[-1]):
            shown = _ast.Expression(tree.body.pop().value)
        body = compile(tree, name, "exec", self.flags, dont_inherit=True)
        self.flags |= body.co_flags & FUTURE_ANNOTATIONS  # the next cells have it too, as in a notebook
        return [body, compile(shown, name, "eval", self.flags, dont_inherit=True)] if shown else [body]

    def _evaluate(self, codes: Sequence[CodeType]) -> None:
        values = [eval(code, self.namespace) for code in codes]
        self.recorder.result(values[-1])  # exec's value is None

    async def _evaluate_inside(self, codes: Sequence[CodeType]) -> None:
        """The same where the event loop runs, as it does around every cell of a notebook."""
        value = None
        for code in codes:
            value = eval(code, self.namespace)
            if code.co_flags & COROUTINE:
                value = await value
        self.recorder.result(value)

    def _loop(self) -> Any:
        if self.loop is None:
            import asyncio

            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        return self.loop


def _silenced(source: str, last: Any) -> bool:
    """Whether a semicolon follows the last expression: only white space and comments can follow that."""
    rest = source.split("\n")[last.end_lineno - 1].encode()[last.end_col_offset :]
    return bool(rest.lstrip().startswith(b";"))
