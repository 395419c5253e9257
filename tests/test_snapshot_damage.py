"""A store that lost something: what the folders of runs still have is put back, and what is lost is said."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from snapshotting import run

from kalecompiler import keephouse, look
from kalecompiler.diagnostics import UsageError
from kalecompiler.snapshots import blocks, find, loads, recover, retention, signing, transfer
from kalecompiler.snapshots.manifest import AFTER, FileRef, Manifest, RunRecord, StepRecord, VariableRecord, to_json
from kalecompiler.snapshots.store import Store, StoreProblem

CELLS = (("step:one", "a = list(range(5_000))"), ("step:two prev:one", "b = len(a)\nprint(b)"))
OLD, NEW = "n-20300101-000000-0001", "n-20300102-000000-0002"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, and the key that signed it."""
    folder = tmp_path_factory.mktemp("ran")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(signing.FILE, str(folder / "key"))
        signing.forget()
        run(folder / "n", CELLS)
    return folder


@pytest.fixture(autouse=True)
def _key(ran: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_key(ran / "key", monkeypatch)


def use_key(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(signing.FILE, str(path))
    signing.forget()


@pytest.fixture
def store(ran: Path, tmp_path: Path) -> Store:
    """The store of a run whose folder has its values, and of a newer one."""
    shutil.copytree(ran / "n", tmp_path / "n", symlinks=True)
    store = Store.open(tmp_path / "n" / ".kalec" / "store")
    (record,) = store.runs()
    store.write_run(signing.sign(RunRecord("newest", record.pipeline, "succeeded", (record.started or 0) + 9)))
    return store


def value_of(store: Store) -> tuple[VariableRecord, Path]:
    """The variable `a`, and its file in the run's folder."""
    record = store.runs()[-1]
    about = store.manifest(record.run, "one", AFTER).variables["a"]
    path = store.path.parent / "runs" / record.run / "one" / str(about.port)
    assert about.file is not None
    assert path.is_file()
    return about, path


def object_file(store: Store, about: VariableRecord) -> Path:
    assert about.file is not None
    name = about.file.chunks[0][0]
    return store.path / "objects" / "sha256" / name[:2] / name[2:]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def remove(path: Path) -> None:
    path.unlink()


DAMAGE = pytest.mark.parametrize("damage", [flip, remove])


@DAMAGE
def test_gc_puts_a_piece_back_before_it_drops_the_copy(store: Store, damage: Callable[[Path], None]) -> None:
    about, path = value_of(store)
    damage(object_file(store, about))
    assert retention.gc(store, dry=True).copies == 0
    assert path.is_file()
    assert retention.gc(store).copies > 0
    assert not path.exists()
    assert retention.verify(store).problems == ()
    assert loads.value(store, about, True) == list(range(5000))


def test_gc_keeps_a_copy_that_the_store_does_not_have_whole(store: Store) -> None:
    about, path = value_of(store)
    flip(object_file(store, about))
    flip(path)
    retention.gc(store)
    assert path.exists()
    assert len(retention.verify(store).problems) == 1


def test_gc_saves_what_only_the_folder_of_a_run_that_goes_has(store: Store) -> None:
    about, path = value_of(store)
    store.write_manifest(Manifest("newest", "one", AFTER, variables={"a": about}))
    flip(object_file(store, about))
    assert len(retention.gc(store, last=1, grace=0).runs) == 1
    assert not path.exists()
    assert loads.value(store, about, True) == list(range(5000))


@DAMAGE
def test_reading_takes_and_puts_back_what_the_folder_of_a_run_has(
    store: Store, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    about, _ = value_of(store)
    name = store.runs()[-1].run
    assert about.file is not None
    readers: list[Callable[[], Any]] = [
        lambda: loads.value(store, about, True),  # a checkout
        lambda: look.show(look.kept(name, tmp_path / "n"), look.Wanted("one", "a", preview=3), "text", ""),
        lambda: transfer.export(store, name, tmp_path / "run.tar"),
        lambda: store.get_file(about.file or FileRef(0, ""), tmp_path / "out"),  # a step that is reused
    ]
    if damage is remove:  # what is committed is there
        readers.append(lambda: store.write_manifest(Manifest("newest", "one", AFTER, variables={"a": about})))
    for reader in readers:
        damage(object_file(store, about))
        reader()
        assert retention.verify(store).problems == ()


def test_verify_tells_of_what_could_be_put_back(store: Store) -> None:
    about, _ = value_of(store)
    flip(object_file(store, about))
    for _ in range(2):
        assert len(retention.verify(store).problems) == 1


@pytest.mark.parametrize("what", ["file", "task"])
def test_a_copy_behind_a_link_is_none(store: Store, tmp_path: Path, what: str) -> None:
    about, path = value_of(store)
    path = path if what == "file" else path.parent
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert retention.gc(store).copies == 0 or what == "file"
    object_file(store, about).unlink()
    with pytest.raises(StoreProblem, match="missing"):
        loads.value(store, about, True)
    assert (tmp_path / "elsewhere").exists()


def test_gc_removes_no_file_that_is_none_of_a_run(store: Store, tmp_path: Path) -> None:
    """What somebody else's run names is no path: its name, its tasks and its ports are all that is looked at."""
    (tmp_path / "n" / "src" / "data").mkdir(parents=True)
    paths = [tmp_path / "precious", tmp_path / "n" / "src" / "data" / "x.csv"]
    for path in paths:
        path.write_text("precious")
    ports = {"p": VariableRecord(file=FileRef(1, "x"), port=str(paths[0]))}
    names = {"x": VariableRecord(file=FileRef(1, "x"), port="x.csv")}
    store.write_manifest(Manifest("theirs", "one", AFTER, variables=ports))
    store.write_manifest(Manifest("src", "data", AFTER, variables=names))
    for name in ("theirs", "src"):
        store.write_run(RunRecord(name, "p", "succeeded", 1.0, 2.0))
    retention.gc(store)
    retention.gc(store, last=1, grace=0)
    assert "src" not in store.run_names()
    assert all(path.exists() for path in paths)
