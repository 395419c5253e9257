"""Shows a local run as it goes on: a live table on a terminal, plain lines elsewhere.

Both take the events of `kalecompiler.local`, and tell of a failure at once: cell, line, and the log's last lines.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

from kalecompiler.local.results import (
    Event,
    Place,
    RunEnded,
    RunStarted,
    RunStopping,
    Status,
    StepEnded,
    StepResult,
    StepRetrying,
    StepStarted,
)
from kalecompiler.model import Location

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

Locate = Callable[[Place], Location | None]

_MARKS = {
    Status.SUCCEEDED: ("✓", "green"),
    Status.REUSED: ("=", "green"),
    Status.FAILED: ("✗", "red"),
    Status.SKIPPED: ("-", "yellow"),
    Status.STOPPED: ("■", "yellow"),
}


@contextlib.contextmanager
def show(stream: TextIO | None = None, locate: Locate = lambda place: None) -> Iterator[Callable[[Event], None]]:
    """What to give `local.run` as `on_event`. `stream` is stderr by default; `locate` finds a place in the notebook."""
    stream = stream or sys.stderr
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        yield Plain(stream, locate).take
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream, highlight=False)
    table = LiveTable(console, locate)
    with Live(get_renderable=table.render, console=console, refresh_per_second=10, redirect_stdout=False):
        yield table.take


def headline(result: StepResult) -> str:
    """One line on how a step ended."""
    if result.status is Status.SKIPPED:
        return f"{result.name}  skipped: a step above it failed"
    if result.status is Status.REUSED:
        return f"{result.name}  reused"
    why = f": {result.failure.message}" if result.failure else ""
    return f"{result.name}  {result.status.value} in {result.seconds:.2f} s{why}"


def failure_lines(result: StepResult, locate: Locate) -> list[str]:
    """Where a failed step went wrong, the last lines of its log, and where all of it is; nothing for the others."""
    failure = result.failure
    if failure is None:
        return []
    lines = [f"  at {_where(failure.place, locate)}"] if failure.place else []
    lines += [f"  | {line}" for line in failure.tail]
    return [*lines, f"  log: {result.log}"] if result.log else lines


def retry_line(event: StepRetrying) -> str:
    """One line on a step that failed and runs again."""
    wait = f" in {event.seconds:g} s" if event.seconds else ""
    return f"{event.name}  {event.failure.message}: attempt {event.attempt} of {event.attempts}{wait}"


class Plain:
    """One line for each start and each end."""

    def __init__(self, stream: TextIO, locate: Locate) -> None:
        self._stream, self._locate = stream, locate

    def take(self, event: Event) -> None:
        """Print what there is to say of an event."""
        for line in self._lines(event):
            encoding = getattr(self._stream, "encoding", None) or "utf-8"
            print(line.encode(encoding, "backslashreplace").decode(encoding), file=self._stream)
        self._stream.flush()

    def _lines(self, event: Event) -> list[str]:
        if isinstance(event, RunStarted):
            return [f"run {event.run} in {event.folder}"]
        if isinstance(event, StepStarted):
            return [f"{event.name}  started"]
        if isinstance(event, StepRetrying):
            return [retry_line(event)]
        if isinstance(event, StepEnded):
            return [headline(event.result), *failure_lines(event.result, self._locate)]
        return ["interrupted: stopping the steps"] if isinstance(event, RunStopping) else []


class LiveTable:
    """A line for each step; where the terminal is too low for all, for those that run and those that ended last."""

    def __init__(self, console: Console, locate: Locate) -> None:
        from rich.spinner import Spinner

        self._console, self._locate = console, locate
        self._spinner = Spinner("dots", style="cyan")
        self._started: dict[str, float] = {}
        self._ended: dict[str, StepResult] = {}
        self._order: tuple[str, ...] = ()
        self._all = False

    def take(self, event: Event) -> None:
        """Note an event; a failure's details are printed above the table."""
        if isinstance(event, RunStarted):
            self._order = event.steps
            self._print([f"run {event.run} in {event.folder}"])
        elif isinstance(event, StepStarted):
            self._started[event.name] = time.monotonic()
        elif isinstance(event, StepEnded):
            self._ended[event.result.name] = event.result
            if event.result.failure:
                self._print([headline(event.result), *failure_lines(event.result, self._locate)])
        elif isinstance(event, StepRetrying):
            self._print([retry_line(event)])
        elif isinstance(event, RunStopping):
            self._print(["interrupted: stopping the steps"])
        elif isinstance(event, RunEnded):
            self._all = True

    def render(self) -> Table:
        """The table as it is now."""
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        shown = self._visible(max(1, self._console.height - 2))
        for name in shown:
            table.add_row(*self._row(name))
        if hidden := len(self._order) - len(shown):
            table.add_row("", f"and {hidden} more, {len(self._ended)} of {len(self._order)} ended")
        return table

    def _visible(self, room: int) -> list[str]:
        if self._all or len(self._order) <= room:
            return list(self._order)
        running = [name for name in self._order if name in self._started and name not in self._ended]
        chosen = {*running[:room], *list(self._ended)[::-1][: max(0, room - len(running))]}
        return [name for name in self._order if name in chosen]

    def _row(self, name: str) -> tuple[RenderableType, ...]:
        from rich.text import Text

        if result := self._ended.get(name):
            mark, style = _MARKS.get(result.status, ("", ""))
            seconds = f"{result.seconds:.2f} s" if name in self._started else ""
            return Text(mark, style), Text(name), Text(result.status.value, style), Text(seconds)
        if name in self._started:
            seconds = f"{time.monotonic() - self._started[name]:.1f} s"
            return self._spinner, Text(name), Text("running", "cyan"), Text(seconds)
        return Text(""), Text(name, "dim"), Text("waiting", "dim"), Text("")

    def _print(self, lines: list[str]) -> None:
        from rich.text import Text

        for line in lines:
            self._console.print(Text(line), soft_wrap=True)


def _where(place: Place, locate: Locate) -> str:
    """The cell and line in the notebook, and the piece's name as tracebacks have it."""
    found = locate(place)
    if found is None or found.cell is None:
        return f"{place.piece}, line {place.line}"
    return f"{found.path}, cell {found.cell}, line {found.line} ({place.piece}, line {place.line})"
