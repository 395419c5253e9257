"""What is to happen at a time: the runner's time limits and waits."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Timers:
    """Calls to be made, each at its time; nothing happens by itself: `run_due` makes those that are due."""

    _waiting: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def __len__(self) -> int:
        return len(self._waiting)

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Make a call in so many seconds."""
        heapq.heappush(self._waiting, (time.monotonic() + seconds, next(self._numbers), call))

    def pause(self) -> float | None:
        """The seconds until the next call is due; None where there is none."""
        return max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None

    def run_due(self) -> None:
        """Make the calls that are due."""
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            heapq.heappop(self._waiting)[2]()

    def clear(self) -> None:
        """Forget all calls."""
        self._waiting.clear()
