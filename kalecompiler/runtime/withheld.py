"""The secrets of a step, kept out of its snapshot; what it hands on and holds one is said and marked."""

from __future__ import annotations

import mmap
import os
import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from . import contract

# Shorter ones are pieces of ordinary words.
SHORTEST = 4
DIGEST = re.compile(r"(\w+:)?[0-9a-f]{64}")
CODES = "utf-8", "utf-16-le", "utf-32-le"  # the last is that of numpy's texts


class Secrets:
    """Those in the given variables of the environment; that of a volume leads to a folder, with a file for each."""

    def __init__(self, names: Sequence[str]) -> None:
        values = [value for name in names for value in _values(name)]
        texts = {text for value in values for text in (value, value.strip())}
        # the longest first: one may be the beginning of another
        self.texts = sorted((text for text in texts if len(text) >= SHORTEST), key=len, reverse=True)

    def masked(self, found: Any) -> Any:
        """JSON values without them; names and digests stay."""
        if isinstance(found, dict):
            return {name: self.masked(item) for name, item in found.items()}
        if isinstance(found, (list, tuple)):
            return [self.masked(item) for item in found]
        if isinstance(found, str) and not DIGEST.fullmatch(found):
            for text in self.texts:
                found = found.replace(text, "***")
        return found

    def within(self, path: str) -> bool:
        """Whether the file of a value holds one of them, before its header."""
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            end = len(data) - 16 - int.from_bytes(data[-16:-8], "little")
            texts = [text.encode(code, "surrogatepass") for text in self.texts for code in CODES]  # as pickle does
            return any(data.find(text, 0, end) >= 0 for text in texts)

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
