"""Keeps "run all cells" in a checked-out notebook from executing the cells above the moment.

Jupyter knows no cell that has run already. So the first time that one of these cells is executed after the restore,
before any below it is, it says so and does nothing; the second time it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from typing import Any

Lines = list[str]


def watch(sources: Collection[str], moment: str) -> None:
    """Pass over cells with these sources once, where this is an IPython session; `moment` says what state it is."""
    shell = session()
    if shell is None:
        return
    transforms: list[Callable[[Lines], Lines]] = shell.input_transformers_cleanup
    transforms[:] = [known for known in transforms if not isinstance(known, Guard)]
    transforms.insert(0, Guard(sources, moment, lambda: int(shell.execution_count)))


def session() -> Any:
    """The IPython session that this is; None where it is none."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_ipython() if get_ipython is not None else None


class Guard:
    """An input transformer of IPython: what it is given is a cell's lines, what it returns is executed.

    It may be asked several times for one execution, whose number `count` gives.
    """

    def __init__(self, sources: Collection[str], moment: str, count: Callable[[], int]) -> None:
        self._waiting = [_plain(source) for source in sources]
        self._moment, self._count = moment, count
        self._passed: tuple[int, str] | None = None

    def __call__(self, lines: Lines) -> Lines:
        """The lines, or one that tells why they are not executed."""
        source = _plain("".join(lines))
        asked = (self._count(), source)
        if source in self._waiting or asked == self._passed:
            if asked != self._passed:
                self._waiting.remove(source)
            self._passed = asked
            text = f"kalec: passed over, as the state is that {self._moment}; execute the cell again to run it"
            return [f"print({text!r})\n"]
        self._waiting.clear()  # the notebook goes on: from now on every cell is executed
        return lines


def _plain(source: Any) -> str:
    return str(source).strip()
