"""The secrets of a step, kept out of its snapshot; what it hands on and holds one is said and marked."""

from __future__ import annotations

import json
import mmap
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from . import contract

CODES = "utf-8", "utf-16-le", "utf-32-le"  # the last is that of numpy's texts


class Secrets:
    """Those in the given variables of the environment; that of a volume leads to a folder, with a file for each."""

    def __init__(self, names: Sequence[str]) -> None:
        values = [value for name in names for value in _values(name)]
        self.texts = sorted({text for value in values for text in (value, value.strip()) if text})

    def masked(self, line: bytes) -> bytes:
        """A line of JSON without them."""
        for text in self.texts:
            line = line.replace(json.dumps(text)[1:-1].encode(), b"***")
        return line

    def within(self, path: str) -> bool:
        """Whether a file, which is not empty, holds one of them."""
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return any(data.find(text.encode(code)) >= 0 for text in self.texts for code in CODES)

    def tell(self, task: contract.Task, written: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Say which of the variables that are handed on hold a secret, and mark their artifacts."""
        for port, item in written:
            metadata = item["metadata"]
            if self.within(task.new_output(port)):
                metadata["secret"] = True
                metadata.pop("preview", None)
                name = metadata["variable"]
                cure = f"read it in each step that needs it; whoever may read the run's artifacts can read {name!r}"
                print(f"kalec: warning: {name!r} holds a secret, and is handed on: {cure}", file=sys.stderr)


def _values(name: str) -> Iterator[str]:
    value = os.environ.get(name, "")
    if not name.startswith("KALE_VOLUME_") or not os.path.isdir(value):
        yield value
        return
    for entry in os.scandir(value):
        if entry.is_file():
            with open(entry.path, encoding="utf-8", errors="ignore") as file:
                yield file.read()
