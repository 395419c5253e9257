"""Nothing is executed from a file that is not, byte for byte, what its step wrote."""

from __future__ import annotations

import hashlib
import json
import pickle
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runtime_steps import output, run, step, take

from kalecompiler.runtime import bundle, values

BIG = bytearray(b"ab" * (1 << 20))
PAYLOAD: dict[str, Any] = {"text": "x" * 1000, "big": pickle.PickleBuffer(BIG), "n": [1, 2, 3]}


class Canary:
    """Its pickle writes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, str]:
    path = tmp_path / "value"
    return path, values.save(str(path), PAYLOAD, "v")["digest"]


def refused(path: Path, digest: str | None) -> str:
    """The message of the refusal."""
    with pytest.raises(values.ValueProblem) as caught:
        values.load(str(path), digest, "v", "make")
    message = str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert message.startswith(f"cannot read 'v' from {path}: ")
    assert "\n  help: " in message
    return message


def test_the_layout_is_the_documented_one(saved: tuple[Path, str]) -> None:
    path, digest = saved
    data = path.read_bytes()
    assert data[:8] == b"KALEC\x00\x01\n"
    length = int.from_bytes(data[8:16], "little")
    header = json.loads(data[16 : 16 + length])
    start = -(-(16 + length) // 64) * 64
    offset, size = header["pickle"]
    [[where, amount, readonly]] = header["buffers"]
    assert (start + offset) % 64 == 0 and (start + where) % 64 == 0
    assert data[start + where : start + where + amount] == BIG and readonly is False
    assert pickle.loads(data[start + offset : start + offset + size], buffers=[BIG]) == {**PAYLOAD, "big": BIG}
    assert digest == "sha256:" + hashlib.sha256(data).hexdigest()
    assert (header["format"], header["type"]) == (1, "dict")


def test_flipped_bits_are_refused(saved: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    path, digest = saved
    data = path.read_bytes()
    monkeypatch.setattr(values, "_Unpickler", None)  # would raise TypeError: nothing gets that far
    chance = random.Random(5)
    places = [*range(64), *(chance.randrange(len(data)) for _ in range(200))]
    for place in places:
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :])
        refused(path, digest)


def test_truncated_and_grown_files_are_refused(saved: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    path, digest = saved
    data = path.read_bytes()
    monkeypatch.setattr(values, "_Unpickler", None)
    chance = random.Random(6)
    for length in [*range(0, 300, 7), *(chance.randrange(len(data)) for _ in range(50)), len(data) - 1]:
        path.write_bytes(data[:length])
        assert "it ends too early" in refused(path, digest)
        refused(path, None)
    path.write_bytes(data + b"\0")
    assert "it goes on for 1 bytes after its end" in refused(path, digest)


def test_another_file_is_refused(saved: tuple[Path, str], tmp_path: Path) -> None:
    path, digest = saved
    values.save(str(tmp_path / "other"), {**PAYLOAD, "n": [1, 2, 4]}, "v")
    path.write_bytes((tmp_path / "other").read_bytes())
    message = refused(path, digest)
    assert f"its content does not have the digest {digest}" in message
    assert message.endswith("help: run step make again")


def _raw(header: bytes, length: int | None = None, magic: bytes = bundle.MAGIC, rest: bytes = b"") -> bytes:
    return magic + (len(header) if length is None else length).to_bytes(8, "little") + header + rest


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "it ends too early", id="an empty file"),
        pytest.param(b"PAR1" + bytes(100), "it is no file of kalecompiler's", id="another kind of file"),
        pytest.param(_raw(b"{}", 2**64 - 1), "it ends too early", id="an absurd header length"),
        pytest.param(_raw(b"{}", 2**40), "it ends too early", id="a header length of a terabyte"),
        pytest.param(_raw(b"{}", magic=b"KALEC\x00\x02\n"), "is newer than this kalecompiler", id="a newer layout"),
        pytest.param(_raw(b'{"format": 2}'), "its format 2 is newer than this kalecompiler", id="a newer header"),
        pytest.param(_raw(b"[1]"), "its header is no JSON object with a format", id="a list for a header"),
        pytest.param(_raw(b"{"), "its header is no JSON object with a format", id="no JSON for a header"),
        pytest.param(_raw(b"[" * 100_000), "its header is no JSON object with a format", id="a bottomless header"),
        pytest.param(_raw(b"\xff\xfe"), "its header is no JSON object with a format", id="no text for a header"),
        pytest.param(_raw(b'{"format": 1}'), "its header describes no possible layout", id="no sections"),
        pytest.param(
            _raw(b'{"format": 1, "pickle": [0, 1e99], "buffers": []}'), "no possible layout", id="a length like 1e99"
        ),
        pytest.param(
            _raw(b'{"format": 1, "pickle": [0, -1], "buffers": []}'), "no possible layout", id="a negative length"
        ),
        pytest.param(
            _raw(b'{"format": 1, "pickle": [0, 9999999999999999999999], "buffers": []}'),
            "it ends too early",
            id="an absurd section",
        ),
        pytest.param(
            _raw(b'{"format": 1, "pickle": [0, 4], "buffers": [[0, 4, false]]}', rest=bytes(200)),
            "no possible layout",
            id="sections on top of each other",
        ),
    ],
)
def test_strange_files_are_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "value").write_bytes(data)
    assert reason in refused(tmp_path / "value", "sha256:" + hashlib.sha256(data).hexdigest())
    assert reason in refused(tmp_path / "value", None)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300), magic=st.booleans())
def test_any_bytes_are_refused(tmp_path: Path, data: bytes, magic: bool) -> None:
    content = (bundle.MAGIC if magic else b"") + data
    (tmp_path / "value").write_bytes(content)
    refused(tmp_path / "value", None)


def test_a_folder_or_nothing_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "none", None)
    (tmp_path / "value").mkdir()
    assert "Is a directory" in refused(tmp_path / "value", None)


def test_an_unknown_digest_is_refused(saved: tuple[Path, str]) -> None:
    refused(saved[0], "blake9:00")


def test_a_hostile_pickle_is_not_executed(tmp_path: Path) -> None:
    made = run(tmp_path, step("x = 1", name="make", outputs=[output("x")]))
    canary = tmp_path / "canary"
    values.save(str(made.folder / "artifacts" / "x"), Canary(canary), "x")
    done = run(tmp_path, step("pass", inputs=[take("x", "make")]), {"make": made})
    assert done.status == 1 and "does not have the digest" in done.err and not canary.exists()
    values.load(str(made.folder / "artifacts" / "x"))
    assert canary.exists(), "the canary works"


def test_an_artifact_without_a_digest_is_not_loaded(tmp_path: Path) -> None:
    made = run(tmp_path, step("x = 1", name="make", outputs=[output("x")]))
    file = made.folder / "executor_output.json"
    file.write_text(file.read_text().replace('"digest"', '"other"'))
    done = run(tmp_path, step("pass", inputs=[take("x", "make")]), {"make": made})
    assert done.err == (
        f"kalec: step work failed: the artifact of 'x' ({made.folder}/artifacts/x), made by step make, has no digest\n"
        "  help: run step make again\n"
    )


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Any, data: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle._Writer, "put", full)
    with pytest.raises(OSError, match="No space left"):
        values.save(str(tmp_path / "value"), [1], "v")
    assert list(tmp_path.iterdir()) == []
