"""What nobody vouches for is loaded only if it is plain data; nothing on the list can be turned into anything else."""

from __future__ import annotations

import datetime
import decimal
import io
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kalecompiler.runtime import values
from kalecompiler.snapshots import tiers
from kalecompiler.snapshots.loads import from_file
from kalecompiler.snapshots.tiers import TABLE, Call, Untrusted

PLAIN = [
    1, 1.5, "text", b"bytes", None, True, 3 + 4j, 10**50, [1, [2]], {"a": {"b": (1, 2)}}, {1, 2}, frozenset({3, 4}),
    bytearray(b"x"), range(3), slice(1, 2), datetime.date(2020, 1, 2), datetime.datetime(2020, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001
    datetime.timedelta(3), datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc), decimal.Decimal("1.50"),
]  # fmt: skip


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_data_loads_whoever_wrote_it(tmp_path: Path, value: Any) -> None:
    values.save(str(tmp_path / "v"), value, "v")
    assert from_file(tmp_path / "v", None, ["v"], False) == {"v": value}


@pytest.mark.parametrize("kind", ["i8", "u1", "f4", "c16", "?", "U5", "S3", "M8[ns]", "m8[s]", ">f8"])
def test_arrays_of_numbers_and_texts_are_plain_data(tmp_path: Path, kind: str) -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.zeros((5, 3), kind)
    for value in (array, [array, array[0]], array.T, array[0, 0]):
        values.save(str(tmp_path / "v"), value, "v")
        found = from_file(tmp_path / "v", None, ["v"], False)["v"]
        assert type(found) is type(value)
        assert str(found) == str(value)


def evil(module: str, name: str, *arguments: Any) -> bytes:
    """A pickle that calls something."""
    out = io.BytesIO()
    pickle.Pickler(out, 5).dump(arguments)
    inner = out.getvalue()[2:-1]
    inner = inner[9:] if inner[:1] == b"\x95" else inner  # without its frame
    text = b"".join(b"\x8c" + bytes([len(part)]) + part.encode() for part in (module, name))
    return b"\x80\x05" + text + b"\x93" + inner + b"R."


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"), ("builtins", "getattr"), ("os", "system"), ("posix", "system"), ("subprocess", "Popen"),
        ("functools", "partial"), ("operator", "attrgetter"), ("importlib", "import_module"), ("pickle", "loads"),
        ("numpy", "load"), ("numpy", "frompyfunc"), ("pandas", "read_pickle"), ("collections", "OrderedDict"),
        ("copyreg", "_reconstructor"), ("__main__", "anything"), ("builtins", "type"), ("builtins", "object"),
    ],
)  # fmt: skip
def test_nothing_else_can_be_named(tmp_path: Path, module: str, name: str) -> None:
    with pytest.raises(Untrusted, match=f"{module}.{name}"):
        tiers.load(evil(module, name, f"touch {tmp_path / 'x'}"), [])
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("opcode", sorted(tiers._FORBIDDEN))
def test_opcodes_that_plain_data_does_not_need_are_refused(opcode: str) -> None:
    import pickletools

    codes = {item.name: item.code.encode("latin-1") for item in pickletools.opcodes}
    arguments = {"INST": b"os\nsystem\n", "PERSID": b"x\n", "EXT1": b"\x01", "EXT2": b"\x01\0", "EXT4": b"\x01\0\0\0"}
    stream = b"\x80\x05(\x8c\x07decimal\x8c\x07Decimal\x93" + codes[opcode] + arguments.get(opcode, b"") + b"."
    with pytest.raises((Untrusted, ValueError)):
        tiers.load(stream, [])


def listed() -> list[tuple[str, str, Any]]:
    """What every entry of the list gives."""
    pytest.importorskip("numpy")
    found = []
    for (module, name), call in TABLE.items():
        if call is None:
            __import__(module)
            found.append((module, name, getattr(sys.modules[module], name)))
        elif module != "numpy.core.multiarray":
            found.append((module, name, call))
    return found


def test_nothing_can_be_planted_on_what_is_listed() -> None:
    """Neither on the thing itself, nor (by BUILD, were it let through) on what it makes."""
    for module, name, item in listed():
        assert isinstance(item, (type, Call)), (module, name)
        for attribute in ("__init__", "__call__", "__setstate__", "__reduce__", "planted", "_call", "_name"):
            with pytest.raises((TypeError, AttributeError, Untrusted)):
                setattr(item, attribute, print)
        for state in ({"planted": 1}, (None, {"planted": 1}), (None, {"__setstate__": 1})):
            text = b"".join(b"\x8c" + bytes([len(part)]) + part.encode() for part in (module, name))
            stream = b"\x80\x05" + text + b"\x93" + pickle.dumps(state, 2)[2:-1] + b"b."
            with pytest.raises((Untrusted, ValueError)):
                tiers.load(stream, [])
            with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, it is refused
                tiers._load(tiers._Plain, memoryview(stream), [], 1)
        assert not hasattr(item, "planted")


MAKE: dict[str, Callable[[], Any]] = {
    "complex": lambda: complex(1), "range": lambda: range(2), "slice": lambda: slice(1),
    "date": lambda: datetime.date(2020, 1, 1), "datetime": lambda: datetime.datetime(2020, 1, 1),  # noqa: DTZ001
    "time": lambda: datetime.time(1), "timedelta": lambda: datetime.timedelta(1),
    "timezone": lambda: datetime.timezone.utc, "Decimal": lambda: decimal.Decimal(1),
}  # fmt: skip


@pytest.mark.parametrize("name", MAKE)
def test_instances_of_what_is_listed_have_no_state(name: str) -> None:
    value = MAKE[name]()
    assert not hasattr(value, "__dict__")
    with pytest.raises((AttributeError, TypeError)):
        value.planted = 1


@pytest.mark.parametrize(
    "spelled", ["O", "V8", "i8,O", "|O8", {"names": ["a"], "formats": ["O"]}, [("a", "O")], "f8,f8", 5, None]
)
def test_only_plain_dtypes_are_made(spelled: Any) -> None:
    pytest.importorskip("numpy")
    with pytest.raises((Untrusted, ValueError)):
        tiers.load(evil("numpy", "dtype", spelled), [])


def test_a_broken_stream_is_no_crash() -> None:
    whole = pickle.dumps({"a": [1, 2, 3]}, 5)
    for size in range(len(whole)):
        stream = whole[:size]
        with pytest.raises(ValueError):  # noqa: PT011 - any
            tiers.load(stream, [])


def test_what_is_code_is_loaded_only_with_trust(tmp_path: Path) -> None:
    values.save(str(tmp_path / "v"), os.path.join, "v")
    with pytest.raises(Untrusted, match="--trust"):
        from_file(tmp_path / "v", None, ["v"], False)
    assert from_file(tmp_path / "v", None, ["v"], True) == {"v": os.path.join}
