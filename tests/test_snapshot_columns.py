"""Columns of tables by their digests: read from the bytes of a kept file, without unpickling."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kalecompiler.runtime import values
from kalecompiler.snapshots import columns, streams
from kalecompiler.snapshots.columns import INDEX, VALUE
from kalecompiler.snapshots.streams import Call, Name, StreamProblem

LENGTH = 20


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "whole": np.arange(LENGTH),
            "part": np.arange(LENGTH) / 3,
            "text": ["x", "y"] * (LENGTH // 2),
            "more": np.arange(LENGTH) + 7,
            "when": pd.date_range("2020-01-01", periods=LENGTH),
            "zoned": pd.date_range("2020-01-01", periods=LENGTH, tz="Europe/Berlin"),
            "kind": pd.Categorical(["a", "b"] * (LENGTH // 2)),
            "thing": [(1, 2)] * LENGTH,
            "maybe": pd.array([1, None] * (LENGTH // 2), dtype="Int64"),
            "flag": [True, False] * (LENGTH // 2),
        }
    )


def digests(folder: Path, value: Any) -> dict[str, str]:
    path = folder / "value"
    path.unlink(missing_ok=True)
    values.save(str(path), value)
    return columns.columns(path)


def _set(name: str, value: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.assign(**{name: value})


CHANGES: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], set[str]]] = {
    "nothing": (lambda frame: frame, set()),
    "a copy": (lambda frame: frame.copy(), set()),
    "an integer": (_set("whole", np.arange(LENGTH) * 2), {"whole"}),
    "one of two in a block": (_set("more", np.arange(LENGTH)), {"more"}),
    "a float": (_set("part", np.arange(LENGTH) / 7), {"part"}),
    "a text": (_set("text", ["x", "z"] * (LENGTH // 2)), {"text"}),
    "a time": (_set("when", pd.date_range("2021-01-01", periods=LENGTH)), {"when"}),
    "a time zone": (_set("zoned", pd.date_range("2020-01-01", periods=LENGTH, tz="Asia/Tokyo")), {"zoned"}),
    "categories": (_set("kind", pd.Categorical(["a", "c"] * (LENGTH // 2))), {"kind"}),
    "objects": (_set("thing", [(1, 3)] * LENGTH), {"thing"}),
    "a missing value": (_set("maybe", pd.array([1, 2] * (LENGTH // 2), dtype="Int64")), {"maybe"}),
    "a flag": (_set("flag", [False] * LENGTH), {"flag"}),
    "the type alone": (lambda frame: frame.astype({"whole": "int32"}), {"whole"}),
    "the index": (lambda frame: frame.set_axis(range(5, LENGTH + 5)), {INDEX}),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_the_columns_that_changed_are_named(
    change: Callable[[pd.DataFrame], pd.DataFrame], expected: set[str], tmp_path: Path
) -> None:
    before, after = digests(tmp_path, table()), digests(tmp_path, change(table()))
    assert list(before) == [INDEX, *table().columns]
    assert {name for name in before if before[name] != after[name]} == expected


def test_columns_added_and_removed(tmp_path: Path) -> None:
    before, after = digests(tmp_path, table()), digests(tmp_path, table().drop(columns="part").assign(new=1))
    assert set(before) - set(after) == {"part"}
    assert set(after) - set(before) == {"new"}
    assert all(before[name] == after[name] for name in before if name in after)


@pytest.mark.parametrize(
    ("frame", "names"),
    [
        (pd.DataFrame(np.ones((3, 2))), ["0", "1"]),
        (pd.DataFrame({("a", 1): [1], ("b", 2): [2]}), ["a, 1", "b, 2"]),
        (pd.DataFrame({1.5: [1], "x": [2]}), ["1.5", "x"]),
        (pd.DataFrame({7: [1], 9: [2]}), ["7", "9"]),
        (pd.DataFrame({"größe": [1], "": [2]}), ["größe", ""]),
        (pd.DataFrame(np.asfortranarray(np.arange(6.0).reshape(3, 2)), columns=["a", "b"]), ["a", "b"]),
        (pd.DataFrame({"a": [], "b": []}), ["a", "b"]),
    ],
    ids=["numbered", "two levels", "mixed names", "integers", "odd texts", "one array", "no rows"],
)
def test_names_of_columns(frame: pd.DataFrame, names: list[str], tmp_path: Path) -> None:
    assert list(digests(tmp_path, frame)) == [INDEX, *names]


def test_interleaved_columns_are_told_apart(tmp_path: Path) -> None:
    """A block whose memory goes row by row."""
    array = np.arange(12.0).reshape(4, 3)
    before = digests(tmp_path, pd.DataFrame(array.copy(order="C"), columns=list("abc"), copy=False))
    array[2, 1] = 99
    after = digests(tmp_path, pd.DataFrame(array.copy(order="C"), columns=list("abc"), copy=False))
    assert {name for name in before if before[name] != after[name]} == {"b"}


def test_large_columns_are_read_from_beside_the_stream(tmp_path: Path) -> None:
    def big(last: int) -> pd.DataFrame:
        return pd.DataFrame({"a": np.arange(300_000), "b": np.arange(300_000), "c": ["text"] * 299_999 + [str(last)]})

    before, after = digests(tmp_path, big(1)), digests(tmp_path, big(2))
    assert {name for name in before if before[name] != after[name]} == {"c"}


@pytest.mark.parametrize(
    "value", [1, [1, 2], np.arange(5), pd.Series([1]), {"a": table()}, None], ids=lambda value: type(value).__name__
)
def test_what_is_no_table_has_one_digest(value: Any, tmp_path: Path) -> None:
    found = digests(tmp_path, value)
    assert list(found) == [VALUE]
    assert digests(tmp_path, value) == found


def test_what_would_take_too_long_to_read_has_none(tmp_path: Path) -> None:
    assert digests(tmp_path, [(n, str(n)) for n in range(100_000)]) == {}
    assert digests(tmp_path, pd.DataFrame({"a": [f"{n:020}" for n in range(400_000)]}, dtype=object)) == {}


def test_a_damaged_file_has_no_columns(tmp_path: Path) -> None:
    path = tmp_path / "value"
    values.save(str(path), table())
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    assert columns.columns(path) == {}
    path.write_bytes(b"")
    assert columns.columns(path) == {}


class Dangerous:
    """Would write a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.write_text, (self.path, "executed")


def test_nothing_of_a_stream_is_executed(tmp_path: Path) -> None:
    target = tmp_path / "executed"
    found = streams.read(pickle.dumps([Dangerous(target)], protocol=5))
    assert not target.exists()
    assert isinstance(found[0], Call) and found[0].name == "write_text"
    pickle.loads(pickle.dumps(Dangerous(target), protocol=5))
    assert target.exists(), "the stream would have done it"


@pytest.mark.parametrize(
    "value",
    [
        {
            "a": [1, 2.5, None, True],
            "b": (1, (2, ())),
            "c": {1, 2},
            "d": frozenset({3}),
            "e": b"x",
            "f": bytearray(b"y"),
        },
        [10**30, -(10**30), 1 << 40, "größe", "x" * 300, b"x" * 300],
        [[...], {"k": {"k": {}}}],
    ],
    ids=["containers", "sizes", "nested"],
)
@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_is_read(value: Any, protocol: int) -> None:
    assert streams.digest(streams.read(pickle.dumps(value, protocol)))
    assert streams.digest(streams.read(pickle.dumps(value, 5))) == streams.digest(streams.read(pickle.dumps(value, 5)))


def test_what_holds_itself_or_is_nested_too_deeply_has_no_digest(tmp_path: Path) -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    deep: list[Any] = []
    for _ in range(400):
        deep = [deep]
    for value in (cycle, deep):
        with pytest.raises(StreamProblem, match=r"itself|deeply"):
            streams.digest(streams.read(pickle.dumps(value)))
        assert digests(tmp_path, value) == {}


def test_what_is_shared_many_times_over_is_looked_at_once() -> None:
    many: list[Any] = [1]
    for _ in range(100):
        many = [many, many]
    assert streams.digest(streams.read(pickle.dumps(many)))


@pytest.mark.parametrize("kind", [set, frozenset])
@pytest.mark.parametrize("protocol", range(6))
def test_a_set_has_no_order(kind: Any, protocol: int) -> None:
    """0 and 8 share a place in a small set: who came first stays first."""
    one, two = kind([0, 8]), kind([8, 0])
    assert list(one) != list(two)
    one, two = (streams.digest(streams.read(pickle.dumps(value, protocol))) for value in (one, two))
    assert one == two
    assert one != streams.digest(streams.read(pickle.dumps(kind([0, 9]), protocol)))


def test_equal_content_has_one_digest_whatever_is_shared() -> None:
    item = [1, 2]
    shared, apart = pickle.dumps([item, item]), pickle.dumps([[1, 2], [1, 2]])
    assert shared != apart
    assert streams.digest(streams.read(shared)) == streams.digest(streams.read(apart))


def test_values_that_look_alike_have_other_digests() -> None:
    alike: list[Any] = [1, 1.0, True, "1", b"1", [1], (1, 1), [[1], 1], [1, [1]], None, Name("a", "b")]
    assert len({streams.digest(value) for value in alike}) == len(alike)


@pytest.mark.parametrize("stream", [b"", b"garbage", b"\x80\x05R.", b"\x80\x05h\x05.", b"\x80\x05\x97."])
def test_what_is_no_pickle(stream: bytes) -> None:
    with pytest.raises(StreamProblem):
        streams.read(stream)
