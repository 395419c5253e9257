"""Writes the file of a value (`bundle` tells its form) while the value is being pickled."""

from __future__ import annotations

import json

from . import bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO


class Writer:
    """A file under way: `write` is for picklers, `section` ends what was written, `buffer` adds a large one.

    Nothing is copied, and a large buffer is hashed by two threads, one of which writes it before. Raises OSError, and
    ValueProblem beyond `limit` bytes.
    """

    def __init__(self, file: BinaryIO, hash_name: str | None, limit: int | None = None) -> None:
        self.file, self.name, self.limit = file, hash_name or "sha256", limit
        try:
            self.hasher = bundle.hasher(self.name)
        except ImportError:  # all steps should have blake3, but this one has not
            self.name, self.hasher = "sha256", bundle.hasher("sha256")
        self.restart()

    def restart(self) -> None:
        """Forget all that was written."""
        self.file.seek(0)
        self.file.truncate()
        self.file.write(bundle.MAGIC.ljust(bundle.ALIGN, b"\0"))
        self.size = self.start = bundle.ALIGN
        self.sections: list[list[Any]] = []
        self.digests = ""
        self.hash = self.hasher()

    def write(self, data: Any) -> int:
        """Append bytes to the section."""
        view = memoryview(data)
        self.check(len(view))
        self.file.write(view)
        while view:
            part = view[: bundle.CHUNK - (self.size - self.start) % bundle.CHUNK]
            self.hash.update(part)
            self.size += len(part)
            if (self.size - self.start) % bundle.CHUNK == 0:
                self._next()
            view = view[len(part) :]
        return len(data)

    def pad(self) -> None:
        """Go on at a multiple of 64."""
        self.write(bytes(-self.size % bundle.ALIGN))

    def section(self, readonly: bool, lengths: list[int]) -> None:
        """End the section that was written, which holds parts of those lengths."""
        self.pad()
        if (self.size - self.start) % bundle.CHUNK:
            self._next()
        self.sections.append([self.start, readonly, lengths, self.digests])
        self.start, self.digests = self.size, ""

    def buffer(self, view: memoryview) -> None:
        """Write a section whole."""
        self.check(len(view))
        end = len(view) - len(view) % bundle.CHUNK
        whole = view[:end]
        self.digests = bundle.digests(self.hasher, bundle.chunks(whole), lambda: self.file.write(whole))
        self.size += end
        self.write(view[end:])
        self.section(view.readonly, [len(view)])

    def finish(self, header: dict[str, Any]) -> tuple[str, int]:
        """Write the header, and return (digest, size) of the file."""
        form = {"format": bundle.FORMAT, "hash": self.name, **header, "sections": self.sections}
        text = json.dumps(form).encode()
        end = text + len(text).to_bytes(8, "little") + bundle.MAGIC
        self.file.write(end)
        return f"{self.name}:{self.hasher(end).hexdigest()}", self.size + len(end)

    def check(self, more: int) -> None:
        """Raise ValueProblem if the file is too large with that many bytes more."""
        if self.limit:
            from . import limits

            limits.check(self.size + more, self.limit)

    def _next(self) -> None:
        self.digests += self.hash.hexdigest()
        self.hash = self.hasher()
