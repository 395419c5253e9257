"""Files are written as a whole, in the place that was named, and nothing is replaced that is no file."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from kalecompiler.files import write_atomic


def test_a_file_is_written_and_written_again(tmp_path: Path) -> None:
    path = tmp_path / "größe.yaml"
    write_atomic(path, "eins\n")
    write_atomic(path, b"zwei\r\n")
    assert path.read_bytes() == b"zwei\r\n"
    assert list(tmp_path.iterdir()) == [path]


def test_the_mode_is_the_umasks_or_the_one_that_was_there(tmp_path: Path) -> None:
    path, before = tmp_path / "a", os.umask(0o027)
    try:
        write_atomic(path, "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o600)
    write_atomic(path, "y")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "there" / "target")
    for text in ("new", "newer"):
        write_atomic(link, text)
        assert link.is_symlink()
        assert (tmp_path / "there" / "target").read_text("utf-8") == text


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    path, read = tmp_path / "pipe", list[bytes]()
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    write_atomic(path, "through")
    reader.join(10)
    assert read == [b"through"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        write_atomic(tmp_path, "x")


def test_a_failed_write_leaves_what_was_there_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    write_atomic(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, "new")
    assert path.read_text("utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_protected_file_is_not_replaced(ordinary_folder: Path) -> None:
    path = ordinary_folder / "a"
    path.write_text("old")
    path.chmod(0o444)
    with pytest.raises(PermissionError):
        write_atomic(path, "new")
    assert path.read_text("utf-8") == "old"


def test_a_file_is_written_where_there_is_no_fchmod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    monkeypatch.delattr(os, "fchmod")
    write_atomic(tmp_path / "a", "text")
    assert (tmp_path / "a").read_text() == "text"
