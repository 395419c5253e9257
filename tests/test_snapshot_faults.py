"""A bucket that fails at any of its calls: what is written to it, and what is read of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fsspec")

import faulty
from faulty import Faults, Faulty

from kalecompiler.runtime import mirror
from kalecompiler.snapshots import artifact
from kalecompiler.snapshots.objects import StoreProblem
from kalecompiler.submit.buckets import bucket
from kalecompiler.submit.faults import ServerError

KEY = "n/run/step/1/snapshot"


@pytest.fixture
def system() -> Iterator[type[Faulty]]:
    with faulty.bucket() as made:
        yield made


def content(path: str) -> bytes:
    return bytes(Faulty.store[path].getvalue())


def value_in(data: bytes) -> bytes:
    told, start = artifact.split(data)
    return bytes(artifact.value(data, start, told["variables"]["v"]) or b"")


@pytest.mark.parametrize("on", [False, True], ids=["once", "from then on"])
def test_what_is_written_is_whole_or_not_there(
    system: type[Faulty], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, on: bool
) -> None:
    """A second place that breaks at the n-th call, for every n: a warning, and what lay there before stays."""
    monkeypatch.setattr(Faults, "on", on)
    values = bytes(range(256)) * 22_000  # more than one block of fsspec
    line = json.dumps({"format": 1, "variables": {"v": {"at": 0, "size": len(values)}}}).encode()
    (tmp_path / "snapshot").write_bytes(line.ljust(127) + b"\n" + values)
    Faulty().pipe_file("/place/n/run/before/1/snapshot", b"kept")
    seen = []

    def work() -> bool:
        mirror.copy(str(tmp_path / "snapshot"), f"minio://mlpipeline/v2/artifacts/{KEY}", "faulty://place")
        seen.append(capsys.readouterr().err)
        return not seen[-1]

    for number in faulty.every_failure(work):
        found = {path for path in Faulty.store if path.startswith("/place")}
        assert content("/place/n/run/before/1/snapshot") == b"kept"
        if seen[-1]:
            assert seen[-1] == (
                "kalec: warning: the snapshot is not copied to faulty://place: the bucket is on fire\n"
            ), number
            for path in found - {"/place/n/run/before/1/snapshot"}:  # it could not even be removed: but it is known
                assert on
                with pytest.raises(StoreProblem, match="damaged"):
                    value_in(content(path))
        else:
            assert content(f"/place/{KEY}") == (tmp_path / "snapshot").read_bytes()
        Faulty.store.pop(f"/place/{KEY}", None)
    assert len(seen) > 3


def test_a_folder_that_breaks_keeps_no_draft(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "snapshot").write_bytes(b"x" * 3_000_000)
    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:

            def fail(*_: object) -> None:
                raise OSError(28, "No space left on device")

            patch.setattr(f"os.{name}", fail)
            mirror.copy(str(tmp_path / "snapshot"), f"s3://b/v2/artifacts/{KEY}", str(tmp_path / "place"))
        assert "is not copied to" in capsys.readouterr().err
        assert not [path for path in (tmp_path / "place").rglob("*") if path.is_file()]
    for scheme in ("", "file://"):
        mirror.copy(str(tmp_path / "snapshot"), f"s3://b/v2/artifacts/{KEY}", f"{scheme}{tmp_path}/place")
        assert [path.name for path in (tmp_path / "place").rglob("*") if path.is_file()] == ["snapshot"]


def test_what_is_read_is_whole_or_an_error(system: type[Faulty]) -> None:
    """Listing and reading a bucket that breaks at the n-th call, for every n."""
    data = b'{"format": 1}' + b" " * 200_000 + b"\n" + bytes(1 << 20)
    for number in range(3):
        Faulty().pipe_file(f"/root/n/run/step{number}/1/snapshot", data)
    told = []

    def work() -> bool:
        found = bucket("faulty://root")
        try:
            uris = found.below("n", "run")
            assert len(uris) == 3
            assert all(found.first_line(uri).startswith(b'{"format": 1}') for uri in uris)
            assert all(b"\n" in found.first_line(uri) for uri in uris)
            assert all(found.read(uri) == data for uri in uris)
        except ServerError as error:
            told.append(str(error))
            return False
        return True

    count = len(list(faulty.every_failure(work)))
    assert count > 10
    assert len(told) == count - 1
    assert all("cannot be read: OSError: the bucket is on fire" in text for text in told)
