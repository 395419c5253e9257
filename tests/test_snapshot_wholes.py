"""Large files stay as their writer left them: shared, not copied; found by their pieces, and verified like all else."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from kalecompiler.runtime import values
from kalecompiler.snapshots import cutting, loads, objects, retention, signing, transfer
from kalecompiler.snapshots.manifest import FileRef, Manifest, RunRecord, VariableRecord
from kalecompiler.snapshots.objects import PIECE
from kalecompiler.snapshots.store import Store, StoreProblem
from kalecompiler.snapshots.wholes import Wholes

from .test_snapshot_store import use_key

SIZE = 5 * PIECE


@pytest.fixture(autouse=True)
def _key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_key(tmp_path / "key", monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / ".kalec" / "store", create=True)


def keep(store: Store, value: object, name: str = "x", folder: str = "step") -> VariableRecord:
    """A value that a step wrote, in the store as the file that it is."""
    path = store.path.parent / folder / name
    path.parent.mkdir(exist_ok=True)
    about = values.save(str(path), value, name)
    ref = store.put_file(path, about["digest"], share=True)
    return VariableRecord(
        type=about["type"], digest=about["digest"], file=ref, size=about["size"], members=(name,), port=name
    )


def a_run(store: Store, name: str, value: object, started: float = 1.0) -> VariableRecord:
    record = keep(store, value, folder=name)
    store.write_manifest(signing.sign(Manifest(name, "work", "after", "work", variables={"x": record})))
    run = signing.sign(RunRecord(name, "p", "succeeded", started, started + 1))
    assert isinstance(run, RunRecord)
    store.write_run(run)
    return record


def wholes(store: Store) -> list[Path]:
    folder = store.path / "objects" / "files"
    return sorted(path for path in folder.iterdir() if not path.suffix) if folder.is_dir() else []


def loaded(store: Store, record: VariableRecord) -> Any:
    return loads.value(Store.open(store.path), record, True)


def _age(store: Store) -> None:
    """All that is there was touched long ago."""
    for path in (store.path / "objects").rglob("*"):
        os.utime(path, (0, 0))


def distinct(seed: int) -> bytearray:
    """Bytes without two equal pieces."""
    return bytearray(b"".join(bytes([seed, n]) * (PIECE // 2) for n in range(SIZE // PIECE)))


def test_a_large_file_is_shared_and_not_copied(store: Store) -> None:
    record = keep(store, distinct(1))
    (whole,) = wholes(store)
    artifact = store.path.parent / "step" / "x"
    assert whole.samefile(artifact)
    assert not artifact.stat().st_mode & 0o222
    assert not list(store.objects.all())
    assert sum(store.written) >= SIZE
    assert loaded(store, record) == distinct(1)
    artifact.unlink()
    assert loaded(store, record) == distinct(1)
    assert record.file and store.read(record.file) == whole.read_bytes()


def test_small_files_and_those_of_others_are_copied(store: Store, tmp_path: Path) -> None:
    keep(store, b"x" * 1000)
    (tmp_path / "mine").write_bytes(distinct(1))
    store.put_file(tmp_path / "mine")
    assert not wholes(store)
    assert (tmp_path / "mine").stat().st_mode & 0o200


@pytest.mark.parametrize("error", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP])
def test_without_links_pieces_are_copied(store: Store, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    def none(*_: object, **__: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "link", none)
    record = keep(store, distinct(1))
    assert not wholes(store)
    assert loaded(store, record) == distinct(1)
    assert not list(store.path.rglob("*.part"))


def test_what_mostly_repeats_itself_is_not_kept_as_it_is(store: Store) -> None:
    record = keep(store, bytearray(SIZE))
    assert not wholes(store)
    assert sum(store.written) < 3 * PIECE
    assert loaded(store, record) == bytearray(SIZE)


def test_what_another_file_has_is_not_written_again(store: Store) -> None:
    first = [distinct(1), distinct(2), distinct(3)]
    keep(store, first)
    before = sum(store.written)
    other = Store.open(store.path)  # of another process, which learns of it by looking
    record = keep(other, [*first, distinct(4)], folder="next")
    assert len(wholes(store)) == 1
    assert sum(store.written) == before
    assert SIZE <= sum(other.written) < SIZE + PIECE
    assert loaded(store, record) == [*first, distinct(4)]
    assert retention.verify(store).problems == ()


def test_the_same_again_takes_the_place_of_the_older_one(store: Store) -> None:
    keep(store, distinct(1))
    before = sum(store.written)
    keep(store, distinct(1), folder="again")
    (whole,) = wholes(store)
    assert whole.samefile(store.path.parent / "again" / "x")
    assert sum(store.written) == before


def _flip(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(2 * PIECE)
        file.write(b"?")


def _swap(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"x" * SIZE)


def _link(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()
    other = path.parents[3] / "elsewhere"
    other.write_bytes(data)
    path.symlink_to(other)


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(_flip, id="a byte is another one"),
        pytest.param(lambda path: os.truncate(path, PIECE + 7), id="cut off"),
        pytest.param(lambda path: os.truncate(path, 0), id="empty"),
        pytest.param(_swap, id="another file"),
        pytest.param(Path.unlink, id="missing"),
        pytest.param(_link, id="a symbolic link"),
        pytest.param(_fifo, id="a pipe"),
    ],
)
def test_a_damaged_file_is_said_and_never_loaded(store: Store, damage: Any) -> None:
    record = a_run(store, "run-1", distinct(1))
    (whole,) = wholes(store)
    damage(whole)
    with pytest.raises(StoreProblem, match=r"the object [0-9a-f]{64} of .* is (missing|damaged)"):
        loaded(store, record)
    assert retention.verify(Store.open(store.path)).problems
    target = store.path.parent / "out"
    assert record.file
    with pytest.raises(StoreProblem):
        store.get_file(record.file, target, share=True)
    assert not target.exists()
    assert keep(Store.open(store.path), distinct(1), folder="again").file == record.file
    assert loaded(store, record) == distinct(1)
    assert retention.verify(Store.open(store.path)).problems == ()


def test_without_its_index_a_file_is_found_all_the_same(store: Store) -> None:
    record = keep(store, distinct(1))
    (whole,) = wholes(store)
    Path(f"{whole}.pieces").write_text("[]")
    assert loaded(store, record) == distinct(1)


@pytest.mark.parametrize(
    "index",
    [b"", b"[" * 200_000, b'[["' + b"a" * 64 + b'", -5]]', None],
    ids=["empty", "nested", "negative", "missing"],
)
def test_gc_writes_a_lost_index_anew_and_loses_nothing(store: Store, index: bytes | None) -> None:
    """Without it other runs do not find their pieces in the file, and it looks like what a killed writer left."""
    a_run(store, "run-1", [distinct(1), b"x"], started=1.0)
    record = a_run(store, "run-2", [distinct(1), b"more"], started=2.0)
    (whole,) = wholes(store)
    lost = Path(f"{whole}.pieces")
    was = lost.read_bytes()
    lost.unlink() if index is None else lost.write_bytes(index)
    for path in store.path.parent.glob("run-?/x"):
        path.unlink()
    _age(store)
    swept = retention.gc(Store.open(store.path), grace=60)
    assert (swept.strays, swept.objects) == (0, 0)
    assert lost.read_bytes() == was
    assert loaded(store, record) == [distinct(1), b"more"]
    retention.gc(Store.open(store.path), last=0, grace=0)
    assert not list((store.path / "objects" / "files").iterdir())


def test_gc_keeps_a_file_whose_index_cannot_be_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(store, distinct(1))
    (whole,) = wholes(store)
    Path(f"{whole}.pieces").unlink()
    _age(store)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(objects, "write", full)
    assert store.mend((), time.time()) == 0
    assert wholes(store) == [whole]


def test_gc_leaves_a_damaged_file_that_lost_its_index_to_the_run_that_needs_it(store: Store) -> None:
    record = a_run(store, "run-1", distinct(1))
    (whole,) = wholes(store)
    _flip(whole)
    Path(f"{whole}.pieces").unlink()
    _age(store)
    assert retention.gc(Store.open(store.path), grace=60).strays == 0
    (store.path.parent / "run-1" / "x").unlink()  # damaged too: it is the same file
    assert keep(Store.open(store.path), distinct(1), folder="again").file == record.file
    assert loaded(store, record) == distinct(1)


def test_an_index_is_only_believed_under_its_own_name(store: Store) -> None:
    """Nothing stumbles over others, also where their name is right."""
    record = keep(store, distinct(1))
    (whole,) = wholes(store)
    true = Path(f"{whole}.pieces").read_bytes()
    bad = [b"[" * 100_000, b'[["' + b"a" * 64 + b'", 1e999]]', b"{}", b'[["' + b"a" * 64 + b'", 99999999999999999999]]']
    for text in [*bad, true[:-1] + b" ]", b"[" + b'["' + b"b" * 64 + b'", 9999999], ' * 100_000 + b"]"]:
        name = hashlib.sha256(text).hexdigest()
        (whole.parent / name).write_bytes(b"x" * 100)
        (whole.parent / f"{name}.pieces").write_bytes(text)
    (whole.parent / ("c" * 64)).write_bytes(b"x" * 100)
    (whole.parent / ("c" * 64 + ".pieces")).write_bytes(true)
    (whole.parent / ("d" * 64)).mkdir()
    assert loaded(store, record) == distinct(1)
    other = keep(Store.open(store.path), [*[distinct(1)] * 4, b"y"], folder="next")
    assert loaded(store, other)[3] == distinct(1)
    retention.verify(Store.open(store.path))
    _age(store)
    retention.gc(Store.open(store.path), grace=60)
    assert [path.name for path in wholes(store)] == ["d" * 64]  # no run has the others


def test_gc_removes_a_file_that_lost_all_it_had(store: Store) -> None:
    keep(store, distinct(1))
    os.truncate(wholes(store)[0], 0)
    retention.gc(Store.open(store.path), grace=0)
    assert not list((store.path / "objects" / "files").iterdir())


def test_verify_reads_files_that_no_run_needs(store: Store) -> None:
    keep(store, distinct(1))
    _flip(wholes(store)[0])
    assert "is damaged" in retention.verify(Store.open(store.path)).problems[0]


def test_what_is_unpickled_is_what_was_verified(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may write to the file cannot slip code into it between the two."""
    record = keep(store, [distinct(1), "said"])
    (whole,) = wholes(store)
    verified = Store.open_file

    def then_change(*arguments: Any) -> Any:
        made = verified(*arguments)
        data = whole.read_bytes()
        whole.chmod(0o644)
        with whole.open("r+b") as file:
            file.write(data.replace(b"said", b"evil", 1))
        return made

    monkeypatch.setattr(Store, "open_file", then_change)
    assert loaded(store, record) == [distinct(1), "said"]
    whole.write_bytes(whole.read_bytes().replace(b"evil", b"said", 1))
    monkeypatch.setattr(cutting, "end_of_pickles", lambda memory: 64)  # as another header had said a moment before
    with pytest.raises(loads.ValueProblem, match="changed while it was read"):
        loaded(store, record)


def test_a_piece_is_taken_from_the_file_where_it_is_whole(store: Store) -> None:
    record = keep(store, [distinct(1), distinct(2)])
    damaged = wholes(store)[0]
    _flip(damaged)
    pieces = keep(Store.open(store.path), [distinct(1), distinct(2), distinct(3)], folder="next")
    assert loaded(store, pieces) == [distinct(1), distinct(2), distinct(3)]
    assert loaded(store, record) == [distinct(1), distinct(2)]


@pytest.mark.parametrize("place", ["objects/files", "objects"])
def test_links_in_place_of_folders_are_not_followed(store: Store, tmp_path: Path, place: str) -> None:
    keep(store, distinct(1))
    shutil.rmtree(store.path / place)
    (tmp_path / "target").mkdir()
    (store.path / place).symlink_to(tmp_path / "target")
    with pytest.raises(StoreProblem, match="symbolic link"):
        keep(Store.open(store.path), distinct(1), folder="again")
    assert not list((tmp_path / "target").iterdir())


def test_a_link_to_an_artifact_is_not_shared(store: Store) -> None:
    folder = store.path.parent / "step"
    folder.mkdir()
    (folder / "real").write_bytes(distinct(1))
    (folder / "x").symlink_to(folder / "real")
    store.put_file(folder / "x", share=True)
    assert not wholes(store)


def test_gc_removes_what_no_run_needs(store: Store) -> None:
    a_run(store, "run-1", distinct(1), started=1.0)
    record = a_run(store, "run-2", distinct(2), started=2.0)
    dry = retention.gc(Store.open(store.path), last=1, grace=0, dry=True)
    assert len(wholes(store)) == 2
    swept = retention.gc(Store.open(store.path), last=1, grace=0)
    assert (swept.runs, swept.objects, swept.bytes) == (("run-1",), dry.objects, dry.bytes)
    assert swept.bytes >= SIZE
    assert len(wholes(store)) == 1 and len(list((store.path / "objects" / "files").iterdir())) == 2
    assert loaded(store, record) == distinct(2)


def test_gc_leaves_what_was_touched_lately(store: Store) -> None:
    keep(store, distinct(1))
    assert retention.gc(Store.open(store.path), grace=60).objects == 0
    os.utime(wholes(store)[0], (0, 0))
    assert store.has(keep(store, distinct(1)).file)  # type: ignore[arg-type]
    assert retention.gc(Store.open(store.path), grace=60).objects == 0
    os.utime(wholes(store)[0], (0, 0))
    assert retention.gc(Store.open(store.path), grace=60).bytes >= SIZE
    assert not wholes(store)


def test_gc_takes_out_what_little_is_needed_of_a_file(store: Store) -> None:
    shared = distinct(1)
    a_run(store, "run-1", [shared, distinct(2), distinct(3)], started=1.0)
    record = a_run(store, "run-2", [shared, b"more"], started=2.0)
    retention.gc(Store.open(store.path), last=1, grace=0)
    assert not wholes(store)
    assert sum(size for _, size, _ in store.objects.all()) < SIZE + PIECE
    assert loaded(store, record) == [shared, b"more"]
    assert retention.verify(store).problems == ()


def test_gc_removes_what_killed_writers_left(store: Store) -> None:
    keep(store, distinct(1))
    folder = store.path / "objects" / "files"
    left = [folder / "0123.part", folder / f"{'a' * 64}.pieces", folder / ("b" * 64)]
    for path in left:
        path.write_bytes(b"[]")
    (whole,) = [path for path in wholes(store) if path.name != "b" * 64]
    assert retention.gc(Store.open(store.path), grace=60).strays == 0
    for path in left:
        os.utime(path, (0, 0))
    assert retention.gc(Store.open(store.path), grace=60).strays == 3
    assert not any(path.exists() for path in left) and whole.exists()


def test_what_gc_takes_out_takes_the_place_of_a_damaged_piece(store: Store) -> None:
    shared = distinct(1)
    a_run(store, "run-1", [shared, distinct(2), distinct(3)], started=1.0)
    record = a_run(store, "run-2", [shared, b"more"], started=2.0)
    assert record.file
    for name, size in record.file.chunks:  # of the same length as they should be
        path = store.path / "objects" / "sha256" / name[:2] / name[2:]
        if not path.exists():
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_bytes(b"?" * size)
    shutil.rmtree(store.path.parent / "run-2")
    retention.gc(Store.open(store.path), last=1, grace=0)
    assert not wholes(store)
    assert loaded(store, record) == [shared, b"more"]


def test_a_reader_finds_what_gc_takes_out_meanwhile(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = distinct(1)
    a_run(store, "run-1", [shared, distinct(2), distinct(3)], started=1.0)
    record = a_run(store, "run-2", [shared, b"more"], started=2.0)
    reader = Store.open(store.path)
    assert record.file and reader.has(record.file)
    find = Wholes._find

    def late(self: Wholes, name: str, size: int) -> list[tuple[str, int]]:
        monkeypatch.setattr(Wholes, "_find", find)
        _age(store)
        retention.gc(Store.open(store.path), last=1, grace=60)
        assert not wholes(store)
        return find(self, name, size)

    for use in (lambda: reader.read(record.file or FileRef(0, "")), lambda: reader.has(record.file or FileRef(0, ""))):
        monkeypatch.setattr(Wholes, "_find", late)
        shutil.rmtree(store.path.parent / "run-2", ignore_errors=True)
        assert use()


def test_what_is_touched_while_gc_removes_it_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(store, distinct(1))
    (whole,) = wholes(store)
    os.utime(whole, (0, 0))
    rename = os.rename

    def touched(source: Any, *more: Any, **places: Any) -> None:
        monkeypatch.setattr(os, "rename", rename)
        os.utime(whole)
        rename(source, *more, **places)

    monkeypatch.setattr(os, "rename", touched)
    assert not store.wholes.remove(whole.name, time.time() - 60)
    assert wholes(store) == [whole] and Path(f"{whole}.pieces").exists()


def test_a_file_is_exported_and_imported(store: Store, tmp_path: Path) -> None:
    record = a_run(store, "run-1", distinct(1))
    transfer.export(store, "run-1", tmp_path / "run.tar")
    other = Store.open(tmp_path / "other", create=True)
    transfer.import_(other, tmp_path / "run.tar")
    assert loaded(other, record) == distinct(1)


def test_a_reused_file_is_lent_and_not_copied(store: Store) -> None:
    record = keep(store, distinct(1))
    assert record.file
    target = store.path.parent / "y"
    store.get_file(record.file, target, share=True)
    assert target.samefile(wholes(store)[0])
    copy = store.path.parent / "z"
    store.get_file(record.file, copy)
    assert not copy.samefile(target) and copy.read_bytes() == target.read_bytes()
    assert copy.stat().st_mode & 0o200


def test_what_is_loaded_may_be_changed_and_the_store_stays_as_it_was(store: Store) -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.random.default_rng(1).random(SIZE // 8)
    record = keep(store, array)
    first = loaded(store, record)
    first[:] = 0
    assert (loaded(store, record) == array).all()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="nobody tells which files are open")
def test_more_values_than_files_may_be_open(store: Store) -> None:
    resource, numpy = pytest.importorskip("resource"), pytest.importorskip("numpy")
    array = numpy.random.default_rng(1).random(SIZE // 8)
    record, most = keep(store, array), resource.getrlimit(resource.RLIMIT_NOFILE)
    given = Store.open(store.path)
    opened = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * opened + 60, most[1]))
    try:
        values_ = [loads.value(given, record, True) for _ in range(2 * opened + 60)]
        assert opened + 5 < len(os.listdir("/proc/self/fd")) < 2 * opened + 40
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, most)
    assert all((value == array).all() for value in values_)
