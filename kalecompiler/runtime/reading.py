"""Reads the file of a value (`bundle` tells its form), and gives nothing out before every byte is verified."""

from __future__ import annotations

import json
import mmap
import os

from . import bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

END = 8 + len(bundle.MAGIC)


class Unreadable(ValueError):
    """The file is not what a step wrote: damaged, changed, or of a newer format."""


class Stream(mmap.mmap):
    """Private memory with a pickle; it is given back to the system as the unpickler takes what it holds."""

    def read(self, length: int | None = None) -> bytes:
        """The next bytes."""
        start = self.tell() & -bundle.CHUNK
        data = super().read(length)
        done = (self.tell() & -bundle.CHUNK) - start
        if done and hasattr(self, "madvise"):
            self.madvise(mmap.MADV_DONTNEED, start, done)
        return data

    def readinto(self, target: memoryview) -> int:
        """Fill the target with the next bytes; the unpickler calls this for large parts."""
        for piece in bundle.chunks(target):
            piece[:] = self.read(len(piece))
        return len(target)


def read(path: str, digest: str | None) -> tuple[dict[str, Any], Any, list[memoryview]]:
    """(header, the pickles, their buffers) of a file; an absent value has None. Raises Unreadable and OSError.

    Without a digest the file is only checked against its own header. The buffers are the file itself, mapped so that
    what is written to them stays in this process. Never asks for more memory than the file is long.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        memory = memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY) if size else b"")
        header, end = head(memory, digest)
        sections = layout(header, end)
        if not sections:
            return header, None, []
        stream = Stream(-1, sections[0][1], access=mmap.ACCESS_COPY)
        file.seek(bundle.ALIGN)
        file.readinto(stream)
    views = [memoryview(stream), *(memory[at : at + size] for at, size, _, _ in sections[1:])]
    pieces = [[piece] for view in views for piece in bundle.chunks(view)]
    found = bundle.digests(bundle.hasher(header.get("hash", "sha256")), pieces)
    if found != "".join(section[3] for section in sections):
        raise Unreadable(f"its content does not have the digest {digest or 'in its header'}")
    return header, stream, parts(memory, sections[1:])


def parts(memory: memoryview, sections: list[Any]) -> list[memoryview]:
    """The buffers of sections."""
    found = []
    for at, _, lengths, _ in sections:
        for length in lengths:
            found.append(memory[at : at + length])
            at += _padded(length)
    return found


def head(memory: memoryview, digest: str | None) -> tuple[dict[str, Any], int]:
    """(the header, where it starts) of a file. Raises Unreadable where it has not the digest, or makes no sense."""
    start, end = bytes(memory[: bundle.ALIGN]), bytes(memory[-END:])
    if start[:6] != bundle.MAGIC[:6]:
        raise Unreadable("it is no file of kalecompiler's" if start else "it is empty")
    if start[6:7] > bundle.MAGIC[6:7]:
        raise Unreadable(f"its format {start[6]} is newer than this kalecompiler")
    place = len(memory) - END - int.from_bytes(end[:8], "little")
    if end[8:] != bundle.MAGIC or place < bundle.ALIGN or start != bundle.MAGIC.ljust(bundle.ALIGN, b"\0"):
        raise Unreadable("it is cut off, longer than it was, or damaged")
    text = bytes(memory[place:])
    try:
        if digest is not None:
            name, _, wanted = digest.partition(":")
            if bundle.hasher(name)(text).hexdigest() != wanted:
                raise Unreadable(f"its content does not have the digest {digest}")
        header = json.loads(text[:-END])
        form = header["format"]
        bundle.hasher(header.get("hash", "sha256"))
    except ImportError:
        raise Unreadable("it was hashed by blake3, which is not installed here") from None
    except Unreadable:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unreadable("its header makes no sense") from None
    if form != bundle.FORMAT:
        raise Unreadable(f"its format {form!r} is newer than this kalecompiler")
    return dict(header), place


def layout(header: dict[str, Any], end: int) -> list[tuple[int, int, list[int], str]]:
    """(offset, size, lengths, digests) of the sections, which follow one another up to the header, or Unreadable."""
    found, at = [], bundle.ALIGN
    try:
        for offset, readonly, lengths, digests in header["sections"]:
            kinds = type(readonly), type(digests), *map(type, lengths)
            if offset != at or kinds != (bool, str, *[int] * len(lengths)) or min(lengths) < 1:
                raise ValueError
            found.append((at, sum(map(_padded, lengths)), lengths, digests))
            at += found[-1][1]
        if at != end or bool(found) == bool(header.get("absent")):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise Unreadable("its header describes no possible layout") from None
    return found


def _padded(length: int) -> int:
    return length + -length % bundle.ALIGN
