"""Keeps what cells display, in a small JSON file: streams, results, `display(...)`, figures, the error.

The log still gets everything as it is printed. The file is a list, one entry a cell: `{"cell", "id", "outputs"}`;
an output has a `kind` (stream, result, display, error) and the fields of nbformat's output of that kind.
"""

from __future__ import annotations

import builtins
import json
import sys

from . import contract, rich, tee

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

STREAM_LIMIT = 1 << 20  # characters of a cell's streams that are kept
DATA_LIMIT = 20 << 20  # and of its representations
CUT = "\n[kalec: cut here; the step's log has it all]\n"


class Recorder:
    """Is told by `cells.Kernel` what happens; `close` writes the file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.cells: list[dict[str, Any]] = []
        self.outputs: list[dict[str, Any]] | None = None
        self.stream_room = self.data_room = 0
        self.streams = (sys.stdout, sys.stderr)
        sys.stdout = tee.tee(sys.stdout, lambda text: self.text("stdout", text))
        sys.stderr = tee.tee(sys.stderr, lambda text: self.text("stderr", text))
        builtins.display = self.display  # type: ignore[attr-defined]
        rich.prepare()

    def start(self, piece: Mapping[str, Any]) -> None:
        """A piece of code is about to run: what is displayed from now on is its."""
        self._open(piece["name"], piece.get("id"))

    def result(self, value: Any) -> None:
        """The value of a cell's last expression."""
        if value is not None:
            self._show("result", value)

    def finish(self) -> None:
        """The piece has run to its end: open figures are shown and closed, as in a notebook."""
        self.show_figures()
        self.outputs = None

    def fail(self, error: BaseException, lines: Sequence[str], line: int | None) -> None:
        """The step failed, in the current piece or (cell None) around the cells."""
        if self.outputs is None:
            self._open(None, None)
        entry = {"kind": "error", "ename": type(error).__name__, "evalue": str(error), "traceback": list(lines)}
        self._add({**entry, "line": line})
        self.outputs = None

    def close(self) -> None:
        """Write the file, and give the streams back."""
        self.outputs = None
        sys.stdout, sys.stderr = self.streams
        for cell in self.cells:
            for output in cell["outputs"]:
                if output["kind"] == "stream":
                    output["text"] = "".join(output["text"])
        try:
            contract.write_text(self.path, json.dumps([cell for cell in self.cells if cell["outputs"]], default=str))
        except OSError as error:
            print(f"kalec: warning: cannot keep what the cells displayed: {error}", file=sys.stderr)

    def display(self, *values: Any, raw: bool = False, metadata: Any = None, **options: Any) -> None:
        """IPython's `display`, as far as a log and a report can follow it; other options have no effect."""
        for value in values:
            self._show("display", value, raw, metadata)

    def show_figures(self, *arguments: Any, **options: Any) -> None:
        """What `pyplot.show` does in a step."""
        for figure in rich.take_figures(self.show_figures):
            self._show("display", figure)

    def text(self, name: str, text: str) -> None:
        """Something was printed on stdout or stderr."""
        if self.outputs is None or self.stream_room < 0:
            return
        kept = text[: self.stream_room]
        self.stream_room -= len(text)
        last = self.outputs[-1] if self.outputs else {}
        if last.get("kind") != "stream" or last["name"] != name:
            last = {"kind": "stream", "name": name, "text": []}
            self._add(last)
        last["text"].append(kept if self.stream_room >= 0 else kept + CUT)

    def _open(self, name: str | None, ident: str | None) -> None:
        self.outputs = []
        self.stream_room, self.data_room = STREAM_LIMIT, DATA_LIMIT
        self.cells.append({"cell": name, "id": ident, "outputs": self.outputs})

    def _add(self, output: dict[str, Any]) -> None:
        if self.outputs is not None:
            self.outputs.append(output)

    def _show(self, kind: str, value: Any, raw: bool = False, metadata: Any = None) -> None:
        """Keep an object's representations, and print the plain one into the log."""
        data, notes = (dict(value), {}) if raw else rich.representations(value)
        if "text/plain" in data:
            print(data["text/plain"], file=self.streams[0], flush=True)
        self.data_room -= sum(len(str(item)) for item in data.values())
        if self.data_room < 0:
            data = {"text/plain": data.get("text/plain", "")[:1000] + CUT}
        self._add({"kind": kind, "data": data, "metadata": metadata or notes})
