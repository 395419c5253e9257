"""What a run shows on stderr: plain lines to a file or pipe, a live table on a terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from kalecompiler import progress
from kalecompiler.local.results import (
    Event,
    Failure,
    Place,
    RunEnded,
    RunResult,
    RunStarted,
    RunStopping,
    Status,
    StepEnded,
    StepResult,
    StepStarted,
)
from kalecompiler.model import Location

RUN = Path("/runs/p-1")
PLACE = Place("n.ipynb train[2]", 3)
FAILED = StepResult(
    "train", Status.FAILED, 0.312, RUN / "train/log.txt", failure=Failure("exited with status 1", PLACE, ("a", "[b]"))
)
STARTED = RunStarted("p-1", RUN, ("load", "train", "score"))
LOADED = StepEnded(StepResult("load", Status.SUCCEEDED, 1.5, RUN / "load/log.txt"))
SKIPPED = StepEnded(StepResult("score", Status.SKIPPED))
ENDED = RunEnded(RunResult("p-1", Status.FAILED, RUN, ()))
EVENTS: tuple[Event, ...] = (
    STARTED,
    StepStarted("load"),
    LOADED,
    StepStarted("train"),
    StepEnded(FAILED),
    SKIPPED,
    ENDED,
)


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO, events: Iterable[Event], location: Location | None = None) -> str:
    """What is on the stream after these events, without the terminal's control sequences."""
    with progress.show(stream, lambda place: location) as take:
        for event in events:
            take(event)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())


def test_plain_lines() -> None:
    text = shown(io.StringIO(), EVENTS, Location("d/n.ipynb", 7, "c", 3))
    assert text == (
        "run p-1 in /runs/p-1\n"
        "load  started\n"
        "load  succeeded in 1.50 s\n"
        "train  started\n"
        "train  failed in 0.31 s: exited with status 1\n"
        "  at d/n.ipynb, cell 7, line 3 (n.ipynb train[2], line 3)\n"
        "  | a\n"
        "  | [b]\n"
        "  log: /runs/p-1/train/log.txt\n"
        "score  skipped: a step above it failed\n"
    )


def test_a_place_that_is_not_in_the_notebook_keeps_its_piece() -> None:
    assert "  at n.ipynb train[2], line 3\n" in shown(io.StringIO(), EVENTS)


def test_a_stopped_run_in_plain_lines() -> None:
    stopped = StepEnded(StepResult("load", Status.STOPPED, 0.5))
    text = shown(io.StringIO(), (STARTED, StepStarted("load"), RunStopping(), stopped))
    assert text.endswith("interrupted: stopping the steps\nload  stopped in 0.50 s\n")


def test_a_stream_that_cannot_say_everything(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w", encoding="ascii") as stream, progress.show(stream) as take:
        take(StepStarted("größe"))
    assert (tmp_path / "out").read_text(encoding="ascii") == "gr\\xf6\\xdfe  started\n"


def test_a_terminal_shows_every_step_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    lines = shown(Terminal(), EVENTS).splitlines()
    last = [line.split() for line in lines[-3:]]
    assert last == [
        ["✓", "load", "succeeded", "1.50", "s"],
        ["✗", "train", "failed", "0.31", "s"],
        ["-", "score", "skipped"],
    ]
    assert "  | [b]" in lines


def test_a_low_terminal_shows_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("LINES", "5")
    names = tuple(f"s{i}" for i in range(20))
    from rich.console import Console

    table = progress.LiveTable(Console(file=io.StringIO(), height=5), lambda place: None)
    table.take(RunStarted("p-1", RUN, names))
    table.take(StepStarted("s3"))
    table.take(StepEnded(StepResult("s3", Status.SUCCEEDED, 1.0)))
    table.take(StepStarted("s9"))
    console = Console(file=io.StringIO(), width=60)
    console.print(table.render())
    output = console.file
    assert isinstance(output, io.StringIO)
    rows = [line.split() for line in output.getvalue().splitlines()]
    assert rows[0][:3] == ["✓", "s3", "succeeded"]
    assert rows[1][1:3] == ["s9", "running"]
    assert rows[2] == ["and", "18", "more,", "1", "of", "20", "ended"]


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert shown(Terminal(), (StepStarted("load"),)) == "load  started\n"


def test_rich_is_only_imported_on_a_terminal() -> None:
    code = "import sys; from kalecompiler import progress\nwith progress.show() as take: print('rich' in sys.modules)"
    repository = Path(__file__).parents[1]
    environment = {**os.environ, "TERM": "xterm"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=repository, env=environment)
    assert (done.stdout, done.stderr) == ("False\n", "")
    control, terminal = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=terminal,
            text=True,
            cwd=repository,
            env=environment,
        )
    finally:
        os.close(terminal)
        os.close(control)
    assert done.stdout == "True\n"
