"""Keeps what cells display, in a small JSON file: streams, results, `display(...)`, figures, the error.

The log still gets everything as it is printed. The file is a list, one entry a piece of code that was begun:
`{"cell", "id", "outputs", "started", "seconds"}`, without `seconds` where the process ended in the midst of it; an
output has a `kind` (stream, result, display, error) and the fields of nbformat's output of that kind.
Results and figures are the business of `rich`.
"""

from __future__ import annotations

import json
import sys
import time

from . import contract, parts, tee

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

STREAM_LIMIT = 1 << 20  # characters of a cell's streams that are kept
CUT = "\n[kalec: cut here; the step's log has it all]\n"


class Recorder:
    """Is told by `cells.Kernel` what happens; `close` writes the file.

    `rich` is None in a step whose cells show nothing: it does not carry that part.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.cells: list[dict[str, Any]] = []
        self.outputs: list[dict[str, Any]] | None = None
        self.room = 0
        self.streams = (sys.stdout, sys.stderr)
        sys.stdout = tee.tee(sys.stdout, lambda text: self.text("stdout", text))
        sys.stderr = tee.tee(sys.stderr, lambda text: self.text("stderr", text))
        rich = parts.find("rich")
        self.rich: Any = rich and rich.Rich(self)

    def start(self, piece: Mapping[str, Any]) -> None:
        """A piece of code is about to run: what is displayed from now on is its."""
        self._open(piece["name"], piece.get("id"))

    def finish(self, value: Any) -> None:
        """The piece has run to its end; `value` is that of its last expression, None if that is not shown."""
        if self.rich:
            self.rich.finish(value)
        self._end()

    def fail(self, error: BaseException, lines: Sequence[str], line: int | None) -> None:
        """The step failed, in the current piece or (cell None) around the cells."""
        if self.outputs is None:
            self._open(None, None)
        entry = {"kind": "error", "ename": type(error).__name__, "evalue": str(error), "traceback": list(lines)}
        self.add({**entry, "line": line})
        self._end()

    def close(self) -> None:
        """Write the file, and give the streams back."""
        self.outputs = None
        sys.stdout, sys.stderr = self.streams
        for cell in self.cells:
            for output in cell["outputs"]:
                if output["kind"] == "stream":
                    output["text"] = "".join(output["text"])
        try:
            contract.write_text(self.path, json.dumps(self.cells, default=str))
        except OSError as error:
            print(f"kalec: warning: cannot keep what the cells displayed: {error}", file=sys.stderr)

    def text(self, name: str, text: str) -> None:
        """Something was printed on stdout or stderr."""
        if self.outputs is None or self.room < 0:
            return
        kept = text[: self.room]
        self.room -= len(text)
        last = self.outputs[-1] if self.outputs else {}
        if last.get("kind") != "stream" or last["name"] != name:
            last = {"kind": "stream", "name": name, "text": []}
            self.add(last)
        last["text"].append(kept if self.room >= 0 else kept + CUT)

    def add(self, output: dict[str, Any]) -> None:
        """Keep an output, if a piece runs."""
        if self.outputs is not None:
            self.outputs.append(output)

    def _open(self, name: str | None, ident: str | None) -> None:
        self.outputs = []
        self.room = STREAM_LIMIT
        self.cells.append({"cell": name, "id": ident, "outputs": self.outputs, "started": time.time()})

    def _end(self) -> None:
        self.outputs = None
        self.cells[-1]["seconds"] = time.time() - self.cells[-1]["started"]
