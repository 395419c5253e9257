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


# -- records that cannot be read


@pytest.fixture
def two(tmp_path: Path) -> Store:
    """A store of two runs, whose names say when they were."""
    store = Store.open(tmp_path / "n" / ".kalec" / "store", create=True)
    for number, name in enumerate((OLD, NEW)):
        keep_run(store, name, 1.0 + number)
    return store


def keep_run(store: Store, name: str, started: float, data: bytes = b"x", **fields: Any) -> RunRecord:
    about = VariableRecord(type="bytes", file=store.put_bytes(name.encode() + data), digest="d", size=len(data))
    store.write_manifest(signing.sign(Manifest(name, "work", AFTER, "work", variables={"x": about})))
    package = store.put_bytes(b"package of " + name.encode())
    record = RunRecord(name, "n", fields.pop("status", "succeeded"), started, started + 1, package=package, **fields)
    store.write_run(signing.sign(record))
    return record


def cut(store: Store, run: str, most: int = 20) -> None:
    path = store.path / "runs" / run / "run.json"
    path.write_bytes(path.read_bytes()[:most])


def listing(store: Store) -> str:
    found = look.listed(store.path.parent.parent, None, 10, "text")
    return found if isinstance(found, str) else blocks.plain(found)


def test_a_damaged_record_is_said_and_latest_is_no_older_run(two: Store) -> None:
    folder = two.path.parent.parent
    assert "damaged" not in listing(two)
    cut(two, NEW)
    assert OLD in listing(two).splitlines()[1]
    assert f"the record of 1 run is damaged: {NEW}; `kalec verify` tells why" in listing(two)
    assert [one["run"] for one in json.loads(str(look.listed(folder, None, 10, "json")))] == [OLD]
    assert NEW in look.damaged(folder)
    for place in (folder, folder.parent):
        for word in ("latest", "latest~1"):
            with pytest.raises(UsageError, match=f"the record of run {NEW} is damaged: .*no JSON"):
                find.find(word, place)
        with pytest.raises(UsageError, match="no JSON"):
            find.find(NEW, place)
        assert find.find(OLD, place).record.run == OLD
    cut(two, OLD)
    assert "no runs" not in listing(two)
    assert "the record of 2 runs is damaged" in listing(two)
    with pytest.raises(UsageError, match=r"there is no run of a pipeline `n`: .*the record of 2 runs is damaged"):
        look.listed(folder, "n", 10, "text")
    with pytest.raises(UsageError, match=f"the record of run {NEW} is damaged"):
        find.find("latest", folder)


def test_latest_is_the_newest_though_an_older_run_is_damaged(two: Store) -> None:
    folder = two.path.parent.parent
    cut(two, OLD)
    assert find.find("latest", folder).record.run == find.find("latest", folder.parent).record.run == NEW
    with pytest.raises(UsageError, match=f"the record of run {OLD} is damaged"):
        find.find("latest~1", folder)


def test_gc_leaves_a_run_alone_whose_record_is_damaged(two: Store) -> None:
    names = {name for name, _, _ in two.objects.all()}
    whole = len((two.path / "runs" / NEW / "run.json").read_bytes())
    cut(two, NEW, whole - 3)  # its last brace is gone: what it names is not
    said = keephouse.gc(two.path.parent.parent, 1, None, 0.0, False, "text")
    assert f"left alone: the record of run {NEW} is damaged" in said
    assert str(two.path / "runs" / NEW) in said and "kalec import" in said
    assert {name for name, _, _ in two.objects.all()} == names
    keep_run(two, "n-20300103-000000-0003", 3.0)
    assert retention.gc(two, last=1, grace=0).runs == (OLD,)
    assert len(list(two.objects.all())) == 4
    (two.path / "runs" / NEW / "work" / "after.json").write_text("{")
    with pytest.raises(
        StoreProblem, match=rf"nothing is removed, since .* run {NEW} .*kalec import.*removing the folder"
    ):
        retention.gc(two, grace=0)
    assert len(list(two.objects.all())) == 4


@pytest.mark.parametrize(
    ("text", "word"), [("99", "damaged"), ('{"format": 99}', "newer"), ('{"format": "x"}', "damaged")]
)
def test_the_format_of_a_store(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "format").write_text(text)
    with pytest.raises(StoreProblem, match=word):
        Store.open(tmp_path)


def test_an_incomplete_record_names_what_it_lacks(two: Store) -> None:
    (two.path / "runs" / NEW / "run.json").write_text('{"format": 1}')
    with pytest.raises(StoreProblem, match=rf"the record of run {NEW} is incomplete: it lacks run$"):
        two.run(NEW)


# -- from one to another


@pytest.fixture
def tar(two: Store, tmp_path: Path) -> Path:
    transfer.export(two, NEW, tmp_path / "run.tar")
    return tmp_path / "run.tar"


def without(source: Path, target: Path, digest: str) -> Path:
    """A copy of a tar file that lacks an object."""
    import tarfile

    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old.getmembers():
            if digest[2:] not in member.name:
                new.addfile(member, old.extractfile(member))
    return target


def test_a_file_that_lacks_an_object_is_refused(two: Store, tar: Path, tmp_path: Path) -> None:
    package = two.run(NEW).package
    value = two.manifest(NEW, "work", AFTER).variables["x"].file
    assert package and value
    for ref, what in ((package, "the package"), (value, r"x of step work \(after\)")):
        other = Store.open(tmp_path / what[:4].strip() / "store", create=True)
        short = without(tar, tmp_path / "short.tar", ref.chunks[0][0])
        with pytest.raises(StoreProblem, match=f"lacks the object {ref.chunks[0][0]}, a piece of {what}: nothing"):
            transfer.import_(other, short)
        assert not (other.path / "runs").exists()
        assert transfer.import_(other, tar).state == "signed"


def test_a_run_is_trusted_later(two: Store, tar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_key(tmp_path / "colleague", monkeypatch)
    other = Store.open(tmp_path / "other", create=True)
    assert transfer.import_(other, tar).state == "wrong"
    with pytest.raises(StoreProblem, match="already: nothing is imported; --trust signs it"):
        transfer.import_(other, tar)
    assert transfer.import_(other, tar, trust=True).state == "signed"
    assert all(signing.trusted(one) == "signed" for one in (other.run(NEW), *other.every_manifest(NEW)))
    with pytest.raises(StoreProblem, match=r"already: nothing is imported$"):
        transfer.import_(other, tar)
    record = replace(other.run(NEW), parameters={"evil": 1})
    other.write_run(record)
    with pytest.raises(StoreProblem, match="has another run"):
        transfer.import_(other, tar, trust=True)
    assert other.run(NEW) == record
    cut(other, NEW)  # what cannot be read is replaced
    assert transfer.import_(other, tar).state == "wrong"
    assert other.run(NEW).parameters == {}


def test_a_run_is_imported_where_it_is_said(tar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "n" / "inner"
    inner.mkdir()
    keephouse.import_(tar, inner, False)
    assert Store.open(inner / ".kalec" / "store").run_names() == [NEW]
    shutil.rmtree(inner / ".kalec")
    monkeypatch.chdir(inner)
    with pytest.raises(StoreProblem, match="already"):  # the store above is the near one
        keephouse.import_(tar, None, False)
    keephouse.import_(tar, inner / ".kalec", False)
    assert Store.open(inner / ".kalec" / "store").run_names() == [NEW]


# -- runs that were killed


def gone() -> dict[str, Any]:
    """The record of a process of this machine that is gone."""
    from kalecompiler import provenance

    process = os.fork()
    if not process:
        os._exit(0)
    os.waitpid(process, 0)
    return {"status": "running", "extra": {"process": process}, "provenance": {"who": dict(provenance.who())}}


def test_a_killed_run_of_another_key_is_not_shown_as_running(
    two: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_run(two, "n-20300103-000000-0003", 3.0, **gone())
    keep_run(two, "n-20300102-000000-0002", 2.0, **{**gone(), "extra": {"process": 1 << 80}})  # no system has it
    alive = {**gone(), "extra": {"process": os.getpid()}}
    keep_run(two, "n-20300104-000000-0004", 4.0, **alive)
    use_key(tmp_path / "another", monkeypatch)
    before = two.raw("runs", "n-20300103-000000-0003", "run.json")
    words = [line.split()[:2] for line in listing(two).splitlines()[1:4]]
    assert words == [
        ["n-20300104-000000-0004", "running"],
        ["n-20300103-000000-0003", "stopped?"],
        ["n-20300102-000000-0002", "stopped?"],
    ]
    assert two.raw("runs", "n-20300103-000000-0003", "run.json") == before


def test_gc_signs_no_run_of_somebody_else(two: Store) -> None:
    """An import of a run that says it goes on must not become ours by being closed."""
    two.write_run(RunRecord("theirs", "n", "running", 1.0))
    retention.gc(two)
    assert (two.run("theirs").status, signing.trusted(two.run("theirs"))) == ("stopped", "unsigned")


def test_a_recovered_run_says_what_is_new(two: Store) -> None:
    record = keep_run(two, "n-20300103-000000-0003", 3.0, b"y" * 1000, steps=(StepRecord("work", "work"),), **gone())
    closed = recover.recover(two, two.run(record.run))
    assert closed.status == "stopped"
    assert 1000 < closed.new_bytes == closed.total_bytes
    assert to_json(two.run(record.run))["new-bytes"] == closed.new_bytes
