"""Where a file is cut into pieces: every MiB, and in the file of a value also where a large buffer begins.

So a column that stays as it was is the same piece wherever in the file it lies. The pieces are all of a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from kalecompiler.runtime import bundle
from kalecompiler.snapshots.objects import PIECE

SMALL = 1 << 16
"""A buffer that is smaller does not begin a piece of its own."""

_END = 8 + len(bundle.MAGIC)
_NAME = re.compile(r"[0-9a-f]{64}")


def pieces(memory: memoryview) -> Iterator[memoryview]:
    """The pieces of a file, in order."""
    cuts = sorted({0, *_boundaries(memory), len(memory)})
    for start, end in pairwise(cuts):
        for at in range(start, end, PIECE):
            yield memory[at : min(at + PIECE, end)]


def known(memory: memoryview, digest: str) -> dict[tuple[int, int], str]:
    """The sha256 of pieces, by (offset, size), that the header of a value with that digest tells; {} where it cannot.

    What hashed the file when it was written need not be done again to name the pieces. Whoever reads one compares it
    with its name.
    """
    header = header_of(memory)
    if header is None or not digest.startswith("sha256:") or digest_of(memory) != digest:
        return {}
    found = {}
    for at, _, lengths, digests in header[0]["sections"]:
        end = at + _room(lengths)
        for number, start in enumerate(range(at, end, PIECE)):
            found[start, min(PIECE, end - start)] = str(digests)[64 * number :][:64]
    return {place: name for place, name in found.items() if _NAME.fullmatch(name)}


def _boundaries(memory: memoryview) -> Iterator[int]:
    """Where the sections of a value begin, its large buffers, and its header; nothing where it is no such file."""
    header = header_of(memory)
    last = 0
    for section in header[0].get("sections", ()) if header else ():
        at, _, lengths, _ = section
        for length in lengths:
            if length >= SMALL or at - last >= PIECE:
                yield at
                last = at
            at += length + -length % bundle.ALIGN
        if at - last >= SMALL:
            yield at
            last = at
    if header and header[1] - last >= SMALL:
        yield header[1]


def parts(memory: memoryview, header: Mapping[str, Any]) -> Iterator[memoryview]:
    """The pickle stream, then its buffers, of a value whose header is right."""
    for at, _, lengths, _ in header.get("sections", ()):
        for length in lengths:
            yield memory[at : at + length]
            at += length + -length % bundle.ALIGN


def end_of_pickles(memory: memoryview) -> int:
    """Where the first section of a value's file ends, if its header is right; 0 where it is none."""
    header = header_of(memory)
    sections = header[0].get("sections", ()) if header else ()
    return sections[0][0] + _room(sections[0][2]) if sections else 0


def header_of(memory: memoryview) -> tuple[dict[str, Any], int] | None:
    """(the header, where it starts) of a value's file, not verified; None where it is none."""
    end = bytes(memory[-_END:])
    start = len(memory) - _END - int.from_bytes(end[:8], "little")
    if end[8:] != bundle.MAGIC or start < bundle.ALIGN or bytes(memory[: len(bundle.MAGIC)]) != bundle.MAGIC:
        return None
    try:
        header = json.loads(bytes(memory[start:-_END]))
        good = isinstance(header, dict) and all(
            type(at) is int and at >= bundle.ALIGN and all(type(length) is int and length > 0 for length in lengths)
            for at, _, lengths, _ in header.get("sections", ())
        )
    except (ValueError, TypeError, RecursionError):
        return None
    total = sum(_room(item[2]) for item in header["sections"]) if good else 0
    return (header, start) if good and total <= start else None


def _room(lengths: Sequence[int]) -> int:
    """The bytes that buffers take in a file, each padded."""
    return sum(length + -length % bundle.ALIGN for length in lengths)


def digest_of(memory: memoryview) -> str:
    """The digest by which an artifact's metadata knows a file: of a value that of its header, else that of all bytes.

    Empty where it needs a hash that is not installed here.
    """
    header = header_of(memory)
    name, start = (str(header[0].get("hash", "sha256")), header[1]) if header else ("sha256", 0)
    try:
        return f"{name}:{bundle.hasher(name)(memory[start:]).hexdigest()}"
    except (ImportError, ValueError):
        return ""
