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

from kalecompiler.runtime import bundle, loading, reading, values, writing

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


def parts(data: bytes) -> tuple[bytes, dict[str, Any]]:
    """(the header and all after it, the header) of a file."""
    end = data[-16 - int.from_bytes(data[-16:-8], "little") :]
    return end, json.loads(end[:-16])


def test_the_layout_is_the_documented_one(saved: tuple[Path, str]) -> None:
    path, digest = saved
    data = path.read_bytes()
    end, header = parts(data)
    assert data[:64] == b"KALEC\x00\x01\n" + bytes(56) and data[-8:] == data[:8]
    (offset, stream_readonly, [size], _), (where, readonly, [amount], _) = header["sections"]
    assert offset == 64 and where % 64 == 0 and (stream_readonly, readonly) == (False, False)
    assert data[where : where + amount] == BIG
    assert pickle.loads(data[offset : offset + size], buffers=[BIG]) == {**PAYLOAD, "big": BIG}
    assert (header["format"], header["type"], header["hash"]) == (1, "dict", "sha256")
    assert digest == "sha256:" + hashlib.sha256(end).hexdigest()
    places = [at for at, _, _, _ in header["sections"]] + [len(data) - len(end)]
    for (start, *_, digests), stop in zip(header["sections"], places[1:], strict=True):
        chunks = [data[at : min(at + (1 << 20), stop)] for at in range(start, stop, 1 << 20)]
        assert digests == "".join(hashlib.sha256(chunk).hexdigest() for chunk in chunks)


def test_every_byte_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a small file, all of them: header, lengths, padding and what ends it included."""
    path = tmp_path / "value"
    digest = values.save(str(path), {"x": [1, 2]}, "v")["digest"]
    data = path.read_bytes()
    monkeypatch.setattr(loading, "_Unpickler", None)  # would raise TypeError: nothing gets that far
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :])
        refused(path, digest)
    path.write_bytes(data)
    assert reading.read(str(path), digest)[0] == parts(data)[1]


def test_flipped_bits_are_refused(saved: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    path, digest = saved
    data = path.read_bytes()
    monkeypatch.setattr(loading, "_Unpickler", None)
    chance = random.Random(5)
    for place in [*range(70), *range(len(data) - 70, len(data)), *(chance.randrange(len(data)) for _ in range(500))]:
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :])
        refused(path, digest)


def test_truncated_and_grown_files_are_refused(saved: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    path, digest = saved
    data = path.read_bytes()
    monkeypatch.setattr(loading, "_Unpickler", None)
    chance = random.Random(6)
    for length in [*range(0, 300, 7), *(chance.randrange(len(data)) for _ in range(50)), len(data) - 1]:
        path.write_bytes(data[:length])
        refused(path, digest)
        refused(path, None)
    for more in (b"\0", data[-16:], data):
        path.write_bytes(data + more)
        refused(path, digest)
    path.write_bytes(data[:64] + bytes(64) + data[64:])
    refused(path, digest)


def test_a_file_with_other_content_and_a_fitting_header_is_refused(saved: tuple[Path, str]) -> None:
    """Somebody who can write to the bucket can make a file that is right in itself, but not its digest."""
    path, digest = saved
    values.save(str(path), Canary(path.parent / "canary"), "v")
    assert "does not have the digest" in refused(path, digest)
    assert not (path.parent / "canary").exists()


def test_another_file_is_refused(saved: tuple[Path, str], tmp_path: Path) -> None:
    path, digest = saved
    values.save(str(tmp_path / "other"), {**PAYLOAD, "n": [1, 2, 4]}, "v")
    path.write_bytes((tmp_path / "other").read_bytes())
    message = refused(path, digest)
    assert f"its content does not have the digest {digest}" in message
    assert message.endswith("help: run step make again")


def _raw(header: bytes, length: int | None = None, magic: bytes = bundle.MAGIC, data: bytes = b"") -> bytes:
    end = header + (len(header) if length is None else length).to_bytes(8, "little") + magic
    return magic.ljust(64, b"\0") + data + end


def _sections(*sections: Any, data: bytes = b"", **more: Any) -> bytes:
    return _raw(json.dumps({"format": 1, "sections": sections, **more}).encode(), data=data)


NONSENSE = "its header makes no sense"
LAYOUT = "its header describes no possible layout"
CUT = "it is cut off, longer than it was, or damaged"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "it is empty", id="an empty file"),
        pytest.param(b"PAR1" + bytes(100), "it is no file of kalecompiler's", id="another kind of file"),
        pytest.param(bundle.MAGIC, CUT, id="a beginning alone"),
        pytest.param(_raw(b"{}", 2**64 - 1), CUT, id="an absurd header length"),
        pytest.param(_raw(b"{}", 2**40), CUT, id="a header length of a terabyte"),
        pytest.param(_raw(b"{}", 3), CUT, id="a header that begins in the magic"),
        pytest.param(_raw(b"{}", magic=b"KALEC\x00\x02\n"), "is newer than this kalecompiler", id="a newer layout"),
        pytest.param(_raw(b'{"format": 2}'), "its format 2 is newer than this kalecompiler", id="a newer header"),
        pytest.param(_raw(b"[1]"), NONSENSE, id="a list for a header"),
        pytest.param(_raw(b"{"), NONSENSE, id="no JSON for a header"),
        pytest.param(_raw(b"[" * 100_000), NONSENSE, id="a bottomless header"),
        pytest.param(_raw(b"\xff\xfe"), NONSENSE, id="no text for a header"),
        pytest.param(_raw(b'{"format": 1, "hash": "md5"}'), NONSENSE, id="a hash that is none of ours"),
        pytest.param(_raw(b'{"format": 1}'), LAYOUT, id="no sections"),
        pytest.param(_sections(), LAYOUT, id="nothing, and not absent"),
        pytest.param(_sections([64, False, [1e99], ""]), LAYOUT, id="a length like 1e99"),
        pytest.param(_sections([64, False, [-1], ""]), LAYOUT, id="a negative length"),
        pytest.param(_sections([64, False, [9999999999999999999999], ""]), LAYOUT, id="an absurd section"),
        pytest.param(_sections(*[[64, False, [4], ""]] * 2, data=bytes(64)), LAYOUT, id="on top of another"),
        pytest.param(_sections([64, False, [4], ""]), LAYOUT, id="a section that is not there"),
        pytest.param(_sections([64, 5, [4], ""], data=bytes(64)), LAYOUT, id="a flag that is a number"),
        pytest.param(_sections([64, False, [4]], data=bytes(64)), LAYOUT, id="no digests"),
        pytest.param(_sections([64, False, [4], ""], data=bytes(64)), "does not have the digest", id="an empty digest"),
        pytest.param(_sections([64, False, [4], ""], absent=True, data=bytes(64)), LAYOUT, id="absent with a section"),
    ],
)
def test_strange_files_are_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "value").write_bytes(data)
    end = data[-16 - int.from_bytes(data[-16:-8], "little") :] if len(data) > 80 else data
    assert reason in refused(tmp_path / "value", "sha256:" + hashlib.sha256(end).hexdigest())
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

    monkeypatch.setattr(writing.Writer, "write", full)
    with pytest.raises(OSError, match="No space left"):
        values.save(str(tmp_path / "value"), [1], "v")
    assert list(tmp_path.iterdir()) == []
