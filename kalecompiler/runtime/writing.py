"""Writes the file of a value (`bundle` tells its form) while the value is being pickled."""

from __future__ import annotations

import json

from . import bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, BinaryIO


class Writer:
    """A file under way: `write` is for picklers, `section` ends what was written, `buffers` adds large parts.

    Nothing is copied. Raises OSError, and ValueProblem beyond `limit` bytes.
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
        if self.file.tell():  # ext4 flushes a file that was ever truncated when it is closed
            self.file.seek(0)
            self.file.truncate()
        self.file.write(bundle.MAGIC.ljust(bundle.ALIGN, b"\0"))
        self.start = bundle.ALIGN
        self.sections: list[list[Any]] = []
        self._next("")

    def write(self, data: Any) -> int:
        """Append bytes to the section."""
        view = memoryview(data)
        self.check(len(view))
        self.file.write(view)
        while view:
            part = view[: self.room]
            self.hash.update(part)
            self.room -= len(part)
            if not self.room:
                self._next(self.digests + self.hash.hexdigest())
            view = view[len(part) :]
        return len(data)

    def section(self) -> None:
        """End the section that was written."""
        length = self.file.tell() - self.start
        self.write(bytes(-length % bundle.ALIGN))
        if self.room < bundle.CHUNK:
            self.digests += self.hash.hexdigest()
        self._end(False, [length], self.digests)

    def buffers(self, views: Sequence[memoryview]) -> None:
        """Write a section of large parts, each padded; they are hashed by two threads, one of which writes them."""
        parts = [part for view in views for part in (view, bytes(-len(view) % bundle.ALIGN))]
        self.check(sum(map(len, parts)))
        pieces: list[list[Any]] = [[]]
        room = bundle.CHUNK
        for part in parts:
            while part:
                if not room:
                    room = bundle.CHUNK
                    pieces.append([])
                pieces[-1].append(part[:room])
                part, room = part[room:], room - len(pieces[-1][-1])
        digests = bundle.digests(self.hasher, pieces, lambda: self.file.writelines(parts))
        self._end(views[0].readonly, list(map(len, views)), digests)

    def finish(self, header: dict[str, Any]) -> tuple[str, int]:
        """Write the header, and return (digest, size) of the file."""
        text = json.dumps({"format": bundle.FORMAT, "hash": self.name, **header, "sections": self.sections}).encode()
        end = text + len(text).to_bytes(8, "little") + bundle.MAGIC
        self.file.write(end)
        return f"{self.name}:{self.hasher(end).hexdigest()}", self.file.tell()

    def check(self, more: int) -> None:
        """Raise ValueProblem if the file is too large with that many bytes more."""
        if self.limit:
            from . import limits

            limits.check(self.file.tell() + more, self.limit)

    def _end(self, readonly: bool, lengths: list[int], digests: str) -> None:
        self.sections.append([self.start, readonly, lengths, digests])
        self.start = self.file.tell()

    def _next(self, digests: str) -> None:
        self.digests, self.hash, self.room = digests, self.hasher(), bundle.CHUNK
