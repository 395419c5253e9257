"""Writes a run's report into files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from kalecompiler.diagnostics import UsageError
from kalecompiler.files import write_atomic
from kalecompiler.reporting import executed, page, record
from kalecompiler.reporting.record import Run
from kalecompiler.wording import cause

# Dots keep these from being the names of steps' folders.
FILES = {"ipynb": "executed.ipynb", "html": "report.html"}


def write(folder: Path, output: Path | None, format_: str) -> list[Path]:
    """Write the report of the run in `folder`, in one format or in `all`; gives the files.

    `output` is the file to write, else they go into the run's folder. Raises UsageError.
    """
    writers: Mapping[str, Callable[[Run], str]] = {"ipynb": executed.text, "html": page.render}
    if output is not None and format_ == "all":
        format_ = output.suffix.removeprefix(".")
    if format_ not in (*writers, "all"):
        raise UsageError(f"{output}: write a file that ends in .html or .ipynb, or say which with --format")
    run = record.read(folder)
    written = []
    for name in writers if format_ == "all" else [format_]:
        path = output or folder / FILES[name]
        text = writers[name](run)
        try:
            write_atomic(path, text.encode("utf-8", "replace"))  # names of files may hold odd characters too
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {cause(error)}") from None
        written.append(path)
    return written
