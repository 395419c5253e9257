"""Shows a run on a server as it goes on: a live table on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TextIO

from kalecompiler.submit.views import FINE, RunView, StepView

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_STYLES = {
    "SUCCEEDED": ("✓", "green"),
    "SKIPPED": ("-", "yellow"),
    "FAILED": ("✗", "red"),
    "ERROR": ("✗", "red"),
    "RUNNING": ("●", "cyan"),
    "CANCELED": ("■", "yellow"),
    "CANCELING": ("■", "yellow"),
}


@contextlib.contextmanager
def show(stream: TextIO) -> Iterator[Callable[[RunView], None]]:
    """What to give `follow` as `take`; it writes to `stream`."""
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        yield Plain(stream).take
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream, highlight=False)
    table = LiveTable(console.height)
    with Live(get_renderable=table.render, console=console, refresh_per_second=4, redirect_stdout=False):
        yield table.take


class Plain:
    """One line for each change of the run's or a step's state."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._known: dict[str, str] = {}

    def take(self, run: RunView) -> None:
        """Tell what is new since the last look."""
        lines = [step_line(step) for step in run.steps if self._new(step.name, step.state) and step.state != "PENDING"]
        lines += [f"run {run.name}  {run.state.lower()}"] if self._new("", run.state) else []
        for line in lines:
            encoding = getattr(self._stream, "encoding", None) or "utf-8"
            print(line.encode(encoding, "backslashreplace").decode(encoding), file=self._stream)
        self._stream.flush()

    def _new(self, name: str, state: str) -> bool:
        before, self._known[name] = self._known.get(name), state
        return before != state


class LiveTable:
    """The table of steps with their states and times."""

    def __init__(self, height: int) -> None:
        self._room = max(1, height - 3)
        self._run: RunView | None = None

    def take(self, run: RunView) -> None:
        """Note how the run is now."""
        self._run = run

    def render(self) -> Table:
        """The table as it is now."""
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        if self._run is None:
            return table
        shown = self._visible(self._run.steps)
        for step in shown:
            table.add_row(*_row(step))
        if hidden := len(self._run.steps) - len(shown):
            table.add_row("", f"and {hidden} more")
        table.add_row("", f"run {self._run.name}", self._run.state.lower())
        return table

    def _visible(self, steps: tuple[StepView, ...]) -> list[StepView]:
        """The steps there is room for: those that failed or run first, then those that ended, then the others."""
        rank = {"FAILED": 0, "ERROR": 0, "RUNNING": 1, "PENDING": 3}
        chosen = sorted(steps, key=lambda step: rank.get(step.state, 2))[: self._room]
        return [step for step in steps if step in chosen]


def step_line(step: StepView) -> str:
    """A step in one line of text."""
    seconds = step.seconds()
    took = f" in {seconds:.0f} s" if seconds is not None and step.ended else ""
    why = f": {step.error}" if step.error and step.state not in FINE else ""
    return f"{step.name}  {step.state.lower()}{took}{why}"


def _row(step: StepView) -> tuple[RenderableType, ...]:
    from rich.text import Text

    mark, style = _STYLES.get(step.state, ("", "dim"))
    seconds = step.seconds(datetime.now(timezone.utc))
    state = "waiting" if step.state == "PENDING" and step.started is None else step.state.lower()
    return (
        Text(mark, style),
        Text(step.name),
        Text(state, style),
        Text(f"{seconds:.0f} s" if seconds is not None else ""),
    )
