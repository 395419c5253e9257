"""The file that holds one value: `magic | header length | JSON header | pickle stream | large buffers`.

The length is 8 bytes, little-endian; the stream and each buffer start at a multiple of 64. The header's `pickle` is the
stream's `[offset, length]` and `buffers` lists `[offset, length, readonly]`, offsets from the start of the file's data
(the first multiple of 64 after the header). The digest is of the whole file: it is computed while writing, travels
beside the file, and is compared before anybody interprets the pickle.
"""

from __future__ import annotations

import hashlib
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from io import BufferedReader
    from typing import Any, BinaryIO

MAGIC = b"KALEC\x00\x01\n"
FORMAT = 1
ALIGN = 64
CHUNK = 1 << 20


class Unreadable(ValueError):
    """The file is not what a step wrote: damaged, changed, or of a newer format."""


def write(path: str, header: Mapping[str, Any], stream: Any = None, buffers: Sequence[Any] = ()) -> tuple[str, int]:
    """Write a bundle whole or not at all, and return (digest, size). Raises OSError.

    `stream` is the pickle (None for an absent value), `buffers` are flat memoryviews of bytes.
    """
    sections = [] if stream is None else [stream, *buffers]
    places = _places([len(section) for section in sections])
    form: dict[str, Any] = {"format": FORMAT, **header}
    if sections:
        form["pickle"] = places[0]
        form["buffers"] = [[*place, view.readonly] for place, view in zip(places[1:], buffers)]
    head = json.dumps(form).encode()
    draft = f"{path}.{os.getpid()}.part"
    try:
        with open(draft, "xb") as file:
            writer = _Writer(file)
            writer.put(MAGIC + len(head).to_bytes(8, "little") + head)
            for section in sections:
                writer.put(bytes(-writer.size % ALIGN))
                writer.put(section)
        os.replace(draft, path)
    finally:
        if os.path.exists(draft):
            os.unlink(draft)
    return "sha256:" + writer.hash.hexdigest(), writer.size


def read(path: str, digest: str | None) -> tuple[dict[str, Any], Any, list[Any]]:
    """(header, pickle stream or None, buffers) of a bundle. Raises Unreadable and OSError.

    The stream is given out only if the file has the digest; without one, only its form is checked.
    A buffer that was writable is a bytearray, any other a read-only memoryview.
    """
    with open(path, "rb") as file:
        reader = _Reader(file)
        header = _read_header(reader)
        sections = _read_sections(reader, header)
    if reader.place != reader.size:
        raise Unreadable(f"it goes on for {reader.size - reader.place} bytes after its end")
    if digest is not None and digest != "sha256:" + reader.hash.hexdigest():
        raise Unreadable(f"its content does not have the digest {digest}")
    if not sections:
        return header, None, []
    buffers = [
        memoryview(data).toreadonly() if place[2] else data for data, place in zip(sections[1:], header["buffers"])
    ]
    return header, sections[0], buffers


def _places(lengths: Sequence[int]) -> list[list[int]]:
    """[offset, length] of each section."""
    places, end = [], 0
    for length in lengths:
        start = end + -end % ALIGN
        places.append([start, length])
        end = start + length
    return places


def _read_header(reader: _Reader) -> dict[str, Any]:
    start = bytes(reader.take(len(MAGIC) + 8))
    if start[:6] != MAGIC[:6]:
        raise Unreadable("it is no file of kalecompiler's")
    if start[:8] != MAGIC:
        raise Unreadable(f"its format {start[6]} is newer than this kalecompiler")
    text = bytes(reader.take(int.from_bytes(start[8:], "little")))
    try:
        header = json.loads(text)
        form = header["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unreadable("its header is no JSON object with a format") from None
    if form != FORMAT:
        raise Unreadable(f"its format {form!r} is newer than this kalecompiler")
    return dict(header)


def _read_sections(reader: _Reader, header: Mapping[str, Any]) -> list[bytearray]:
    if header.get("absent"):
        return []
    try:
        places = [header["pickle"], *(place[:2] for place in header["buffers"])]
        sane = all(type(length) is int and length >= 0 for _, length in places)
        sane = sane and places == _places([length for _, length in places])
    except (KeyError, TypeError, ValueError):
        sane = False
    if not sane:
        raise Unreadable("its header describes no possible layout")
    sections = []
    for _, length in places:
        reader.take(-reader.place % ALIGN)
        sections.append(reader.take(length))
    return sections


class _Writer:
    """Writes to a file, hashing what it writes."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.hash, self.size = file, hashlib.sha256(), 0

    def put(self, data: Any) -> None:
        view = memoryview(data)
        for start in range(0, len(view), CHUNK):
            self.hash.update(view[start : start + CHUNK])
            self.file.write(view[start : start + CHUNK])
        self.size += len(view)


class _Reader:
    """Reads a file from its beginning, hashing what it reads; never asks for more memory than the file is long."""

    def __init__(self, file: BufferedReader) -> None:
        self.file, self.hash, self.place = file, hashlib.sha256(), 0
        self.size = os.fstat(file.fileno()).st_size

    def take(self, length: int) -> bytearray:
        if length > self.size - self.place:
            raise Unreadable("it ends too early")
        data = bytearray(length)
        view = memoryview(data)
        for start in range(0, length, CHUNK):
            chunk = view[start : start + CHUNK]
            self.file.readinto(chunk)
            self.hash.update(chunk)
        self.place += length
        return data
