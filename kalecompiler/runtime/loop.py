"""The event loop that runs around every cell, as in a notebook: from the first that awaits, or knows of asyncio."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType
    from typing import Any

COROUTINE = 0x80  # inspect.CO_COROUTINE


class Loop:
    """One event loop for all pieces of a step."""

    def __init__(self) -> None:
        self.loop: Any = None
        self.context: Any = {}

    def evaluate(self, codes: Sequence[CodeType], source: str, namespace: dict[str, Any]) -> Any:
        """The value of the last of the codes, all of them evaluated where the loop runs."""
        awaits = any(code.co_flags & COROUTINE for code in codes)
        if not (awaits or "asyncio" in source or "asyncio" in sys.modules):
            return [eval(code, namespace) for code in codes][-1]
        import asyncio

        if not self.loop:
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        try:
            return self.loop.run_until_complete(self._evaluate(codes, namespace))
        finally:  # a task has a context of its own: what a cell sets there (numpy's options) must hold in the next
            for variable, value in self.context.items():
                variable.set(value)

    async def _evaluate(self, codes: Sequence[CodeType], namespace: dict[str, Any]) -> Any:
        from contextvars import copy_context

        value = None
        try:
            for code in codes:
                value = eval(code, namespace)
                if code.co_flags & COROUTINE:
                    value = await value
            return value
        finally:
            self.context = copy_context()

    def close(self) -> None:
        """Cancel what is still waiting."""
        if not self.loop:
            return
        import asyncio

        waiting = asyncio.all_tasks(self.loop)
        for task in waiting:
            task.cancel()
        if waiting:
            self.loop.run_until_complete(asyncio.wait(waiting))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
