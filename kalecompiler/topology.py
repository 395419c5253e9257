"""One order for a graph, the same on every machine; and what stands above what in it."""

from __future__ import annotations

import graphlib
import heapq
from collections.abc import Callable, Iterable, Mapping


def in_order(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """The keys, each after all that it needs, and otherwise in the order of the mapping.

    What is needed must be a key too. Raises graphlib.CycleError.
    """
    place = {key: number for number, key in enumerate(needs)}
    sorter = graphlib.TopologicalSorter(needs)
    sorter.prepare()
    ready: list[tuple[int, str]] = []
    ordered: list[str] = []
    while sorter.is_active():
        for key in sorter.get_ready():
            heapq.heappush(ready, (place[key], key))
        ordered.append(heapq.heappop(ready)[1])
        sorter.done(ordered[-1])
    return ordered


def above(key: str, needs: Callable[[str], Iterable[str]]) -> set[str]:
    """All that a key needs, and what that needs in turn; the key itself only where it is in a circle."""
    found: set[str] = set()
    waiting = list(needs(key))
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting.extend(needs(current))
    return found
