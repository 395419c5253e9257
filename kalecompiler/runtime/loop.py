"""The event loop that runs around every cell, as in a notebook: for steps whose code awaits, or knows of asyncio."""

from __future__ import annotations

import asyncio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType
    from typing import Any

COROUTINE = 0x80  # inspect.CO_COROUTINE


class Loop:
    """One event loop for all pieces of a step."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)

    def evaluate(self, codes: Sequence[CodeType], namespace: dict[str, Any]) -> Any:
        """The value of the last of the codes, all of them evaluated where the loop runs."""
        return self.loop.run_until_complete(self._evaluate(codes, namespace))

    async def _evaluate(self, codes: Sequence[CodeType], namespace: dict[str, Any]) -> Any:
        value = None
        for code in codes:
            value = eval(code, namespace)
            if code.co_flags & COROUTINE:
                value = await value
        return value

    def close(self) -> None:
        """Cancel what is still waiting."""
        waiting = asyncio.all_tasks(self.loop)
        for task in waiting:
            task.cancel()
        if waiting:
            self.loop.run_until_complete(asyncio.wait(waiting))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
