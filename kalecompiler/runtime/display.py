"""Keeps what cells display, in a small JSON file: streams, results, `display(...)`, figures, the error.

The log still gets everything as it is printed. The file is a list, one entry a cell: `{"cell", "id", "outputs"}`;
an output has a `kind` (stream, result, display, error) and the fields of nbformat's output of that kind.
"""

from __future__ import annotations

import binascii
import builtins
import io
import json
import os
import sys

from . import contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

STREAM_LIMIT = 1 << 20  # characters of a cell's stream that are kept
DATA_LIMIT = 5 << 20  # and of one representation
REPRS = {
    "_repr_html_": "text/html",
    "_repr_markdown_": "text/markdown",
    "_repr_svg_": "image/svg+xml",
    "_repr_png_": "image/png",
    "_repr_jpeg_": "image/jpeg",
    "_repr_latex_": "text/latex",
    "_repr_json_": "application/json",
    "_repr_javascript_": "application/javascript",
}


class Recorder:
    """What `cells.Kernel` tells of what happens; `close` writes the file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.cells: list[dict[str, Any]] = []
        self.outputs: list[dict[str, Any]] | None = None
        self.streams = (sys.stdout, sys.stderr)
        sys.stdout, sys.stderr = (_tee(stream, self) for stream in self.streams)
        builtins.display = self.display  # type: ignore[attr-defined]
        if os.environ.get("MPLBACKEND", "module://").startswith("module://"):
            os.environ["MPLBACKEND"] = "Agg"

    def start(self, piece: Mapping[str, Any]) -> None:
        """A piece of code is about to run: what is displayed from now on is its."""
        self._open(piece["name"], piece.get("id"))

    def result(self, value: Any) -> None:
        """The value of a cell's last expression."""
        if value is not None:
            self._show("result", value)

    def finish(self) -> None:
        """The piece has run to its end: open figures are shown and closed, as a notebook does."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None:
            for number in pyplot.get_fignums():
                self._show("display", pyplot.figure(number))
            pyplot.close("all")
        self.outputs = None

    def fail(self, error: BaseException, lines: Sequence[str], line: int | None) -> None:
        """The step failed."""
        if self.outputs is None:
            self._open(None, None)
        entry = {"kind": "error", "ename": type(error).__name__, "evalue": str(error), "traceback": list(lines)}
        self._add({**entry, "line": line} if line else entry)

    def close(self) -> None:
        """Write the file, and give the streams back."""
        sys.stdout, sys.stderr = self.streams
        shown = [cell for cell in self.cells if cell["outputs"]]
        for cell in shown:
            for output in cell["outputs"]:
                output.pop("cut", None)
        contract.write_text(self.path, json.dumps(shown, ensure_ascii=False, default=str))

    def display(self, *values: Any, raw: bool = False, **options: Any) -> None:
        """IPython's `display`, as far as a log and a report can follow it."""
        for value in values:
            if raw:
                self._add({"kind": "display", "data": dict(value), "metadata": options.get("metadata") or {}})
            else:
                self._show("display", value)

    def text(self, name: str, text: str) -> None:
        """Something was printed on stdout or stderr."""
        if self.outputs is None:
            return
        last = self.outputs[-1] if self.outputs else {}
        if last.get("kind") != "stream" or last["name"] != name:
            last = {"kind": "stream", "name": name, "text": ""}
            self._add(last)
        room = STREAM_LIMIT - len(last["text"])
        if room >= len(text):
            last["text"] += text
        elif "cut" not in last:
            last["cut"] = True
            last["text"] += text[:room] + "\n[cut: the rest is in the step's log]\n"

    def _open(self, name: str | None, ident: str | None) -> None:
        self.outputs = []
        self.cells.append({"cell": name, "id": ident, "outputs": self.outputs})

    def _add(self, output: dict[str, Any]) -> None:
        if self.outputs is not None:
            self.outputs.append(output)

    def _show(self, kind: str, value: Any) -> None:
        """Keep an object's representations, and print the plain one into the log."""
        data, metadata = representations(value)
        print(data["text/plain"], file=self.streams[0], flush=True)
        self._add({"kind": kind, "data": data, "metadata": metadata})
