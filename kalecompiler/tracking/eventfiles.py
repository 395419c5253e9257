"""TensorBoard: event files, written with the standard library, so that neither TensorBoard nor torch need be there.

A file is a row of records: length, its checksum, data, its checksum (the format of TFRecord); the data is a protocol
buffer `Event`. Each call makes a file named after it: one that comes twice writes the same file again.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kalecompiler.files import write_atomic
from kalecompiler.tracking.tracker import Moment, Run, Step, Tracker, home, numbers

# Field numbers of tensorboard/compat/proto: event.proto, summary.proto, tensor.proto, types.proto.
_WALL_TIME, _STEP, _FILE_VERSION, _SUMMARY = 1, 2, 3, 5
_VALUE, _TAG, _SIMPLE_VALUE, _TENSOR, _METADATA = 1, 1, 2, 8, 9
_DTYPE, _STRING_VAL, _DT_STRING = 1, 8, 7
_PLUGIN_DATA, _PLUGIN_NAME = 1, 1
_LARGEST = 3.4028234663852886e38  # of a 32-bit float


class TensorBoard(Tracker):
    """Options: `folder`, in which each run has a folder; by default `tensorboard` beside the runs (`.kalec`)."""

    def run_started(self, run: Run, moment: Moment) -> None:
        rows = "".join(f"| {name} | {_cell(value)} |\n" for name, value in run.parameters.items())
        if rows:
            self._write(run, moment, [text_value("parameters", f"| parameter | value |\n|---|---|\n{rows}")])

    def step_finished(self, run: Run, step: Step, moment: Moment) -> None:
        self._write(run, moment, [scalar(f"seconds/{step.name}", step.seconds)])

    def metrics(self, run: Run, step: str, values: Mapping[str, Any], moment: Moment) -> None:
        # A larger one would be infinite there.
        scalars = [scalar(name, value) for name, value in numbers(values).items() if abs(value) <= _LARGEST]
        if scalars:
            self._write(run, moment, scalars)

    def _write(self, run: Run, moment: Moment, values: list[bytes]) -> None:
        folder = Path(self.options.get("folder") or home(run) / "tensorboard") / run.id
        folder.mkdir(parents=True, exist_ok=True)
        time = double(_WALL_TIME, moment.time)
        events = [time + data(_FILE_VERSION, b"brain.Event:2")]
        events += [time + varint(_STEP, 0) + data(_SUMMARY, b"".join(data(_VALUE, value) for value in values))]
        name = f"events.out.tfevents.{int(run.started):010d}.{moment.number:06d}.{run.teller or 'kalec'}"
        write_atomic(folder / name, b"".join(map(record, events)))


def scalar(tag: str, value: float) -> bytes:
    """A `Summary.Value` that is a number."""
    return data(_TAG, tag.encode()) + bytes([_SIMPLE_VALUE << 3 | 5]) + struct.pack("<f", value)


def text_value(tag: str, text: str) -> bytes:
    """A `Summary.Value` that is Markdown."""
    tensor = varint(_DTYPE, _DT_STRING) + data(_STRING_VAL, text.encode())
    plugin = data(_PLUGIN_DATA, data(_PLUGIN_NAME, b"text"))
    return data(_TAG, tag.encode()) + data(_TENSOR, tensor) + data(_METADATA, plugin)


def record(content: bytes) -> bytes:
    """A record of a TFRecord file."""
    length = struct.pack("<Q", len(content))
    return length + _masked(length) + content + _masked(content)


def data(number: int, content: bytes) -> bytes:
    """A field of a protocol buffer that is bytes, text, or another message."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def varint(number: int, value: int) -> bytes:
    """A field that is a whole number, not negative."""
    return bytes([number << 3]) + _varint(value)


def double(number: int, value: float) -> bytes:
    """A field that is a `double`."""
    return bytes([number << 3 | 1]) + struct.pack("<d", value)


def _cell(value: Any) -> str:
    """A value in a table of Markdown."""
    return " ".join(str(value).replace("|", "\\|").splitlines())


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _masked(content: bytes) -> bytes:
    """The checksum of TFRecord: CRC-32C, rotated, plus a constant."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _table() -> Iterator[int]:
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        yield value


_TABLE = tuple(_table())
