"""A text stream that passes everything on at once, and tells what it was."""

from __future__ import annotations

import io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def tee(stream: Any, listener: Callable[[str], None]) -> io.TextIOWrapper:
    """A stream for `sys.stdout` that writes to `stream` and calls `listener` with each text."""
    raw: Any = _Tee(stream, listener)
    return io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)


class _Tee(io.RawIOBase):
    """Below the text layer, so that `sys.stdout.buffer` is heard too."""

    def __init__(self, stream: Any, listener: Callable[[str], None]) -> None:
        self.stream, self.listener, self.name = stream, listener, stream.name

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        number: int = self.stream.fileno()
        return number

    def isatty(self) -> bool:
        return bool(self.stream.isatty())

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        while view:
            view = view[self.stream.buffer.write(view) :]
        self.stream.buffer.flush()
        self.listener(bytes(data).decode("utf-8", "replace"))
        return len(data)
