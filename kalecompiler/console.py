"""What the command line writes: results on stdout, everything said about them on stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from kalecompiler.diagnostics import Diagnostic, UsageError
from kalecompiler.files import write_atomic
from kalecompiler.model import Pipeline
from kalecompiler.wording import cause

if TYPE_CHECKING:
    from kalecompiler.local import Event
    from kalecompiler.submit.views import RunView


def findings(diagnostics: Sequence[Diagnostic], format_: str = "text", *, err: bool = False) -> None:
    """Print findings in one of report's formats; in text nothing at all where there are none."""
    from kalecompiler import report

    stream = sys.stderr if err else sys.stdout
    text = report.render(diagnostics, format_, color=colored(stream))
    if text.strip():
        click.echo(text.rstrip("\n"), err=err, color=colored(stream))


def error(message: str) -> None:
    """Print what stopped a command, on one line."""
    from kalecompiler.report import printable

    word = click.style("error", fg="red", bold=True)
    click.echo(f"{word}: {printable(message)}", err=True, color=colored(sys.stderr))


def note(message: str) -> None:
    """Print something good to know, that is no result."""
    click.echo(message, err=True)


def write(path: Path, text: str) -> None:
    """Write a result: to stdout for `-`, else to a file as a whole. Raises UsageError where that cannot be."""
    if str(path) == "-":
        click.echo(text, nl=False)
        return
    try:
        write_atomic(path, text)
    except OSError as failure:
        raise UsageError(f"{path} cannot be written: {cause(failure)}") from None
    note(f"wrote {path}")


@contextlib.contextmanager
def progress(pipeline: Pipeline) -> Iterator[Callable[[Event], None]]:
    """What to give a run as `on_event`: it is shown on stderr as it goes on."""
    from kalecompiler import local, progress

    with progress.show(sys.stderr, lambda place: local.locate(pipeline, place)) as on_event:
        yield on_event


@contextlib.contextmanager
def remote_progress() -> Iterator[Callable[[RunView], None]]:
    """What to give `remote.follow` as `take`: the run is shown on stderr as it goes on."""
    from kalecompiler.submit import display

    with display.show(sys.stderr) as take:
        yield take


def colored(stream: TextIO) -> bool:
    """Whether to colour what goes to a stream: as --color says, else NO_COLOR, else on a terminal."""
    context = click.get_current_context(silent=True)
    if context is not None and context.color is not None:
        return context.color
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()
