"""The few messages of ML Metadata that we need, in protobuf's wire format, framed as gRPC-Web frames them.

Its Python package is large and not for every Python, and KFP's client does not have it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

KIND = "application/grpc-web+proto"
_TRAILERS = 0x80


class WireProblem(ValueError):
    """The bytes are not what they should be, or the server tells of an error."""


def text(number: int, value: str) -> bytes:
    """A field of text."""
    data = value.encode()
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def integer(number: int, value: int) -> bytes:
    """A field that is a whole number, not negative."""
    return _varint(number << 3) + _varint(value)


def frame(message: bytes) -> bytes:
    """A message as the body of a request."""
    return b"\0" + struct.pack(">I", len(message)) + message


def message(body: bytes) -> bytes:
    """The message in the body of an answer. Raises WireProblem."""
    found, at = b"", 0
    while at < len(body):
        if at + 5 > len(body):
            raise WireProblem("the answer is cut off")
        (length,) = struct.unpack(">I", body[at + 1 : at + 5])
        part = body[at + 5 : at + 5 + length]
        if len(part) < length:
            raise WireProblem("the answer is cut off")
        if body[at] & _TRAILERS:
            _check_trailers(part.decode("latin-1"))
        else:
            found += part
        at += 5 + length
    return found


def fields(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """(number, value) of the fields of a message; a nested one and a text are bytes. Raises WireProblem."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        kind = key & 7
        value: int | float | bytes
        if kind == 0:
            value, at = _read_varint(data, at)
        elif kind == 2:
            length, at = _read_varint(data, at)
            value, at = data[at : at + length], at + length
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            piece = data[at : at + size]
            if len(piece) < size:
                raise WireProblem("a number is cut off")
            value, at = struct.unpack("<d" if kind == 1 else "<f", piece)[0], at + size
        else:
            raise WireProblem(f"a field is of kind {kind}")
        if at > len(data):
            raise WireProblem("a field is cut off")
        yield key >> 3, value


def _check_trailers(trailers: str) -> None:
    told = dict(line.split(":", 1) for line in trailers.splitlines() if ":" in line)
    status = {name.strip().lower(): value.strip() for name, value in told.items()}
    if status.get("grpc-status", "0") != "0":
        raise WireProblem(status.get("grpc-message") or f"error {status['grpc-status']}")


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if at >= len(data):
            raise WireProblem("a number is cut off")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
        shift += 7
    raise WireProblem("a number is too long")
