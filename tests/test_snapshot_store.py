"""The store: what is put in comes out as it was, or it is said what is wrong; nothing is written where it must not."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import threading
import time
from pathlib import Path

import pytest

from kalecompiler.runtime import values
from kalecompiler.snapshots import cutting, loads, retention, signing, transfer
from kalecompiler.snapshots.manifest import FileRef, Manifest, RunRecord, VariableRecord, from_json, to_json
from kalecompiler.snapshots.objects import PIECE
from kalecompiler.snapshots.store import Store, StoreProblem, is_name


@pytest.fixture(autouse=True)
def _key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_key(tmp_path / "key", monkeypatch)


def use_key(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(signing.FILE, str(path))
    signing.forget()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store", create=True)


def keep(store: Store, value: object, name: str = "x") -> VariableRecord:
    """A value in the store, as a step hands it on."""
    path = store.path.parent / f"{name}.bundle"
    about = values.save(str(path), value, name)
    ref = store.put_file(path, about["digest"])
    return VariableRecord(type=about["type"], digest=about["digest"], file=ref, size=about["size"], members=(name,))


def a_run(store: Store, name: str = "run-1", value: object = b"abc", started: float = 1.0) -> RunRecord:
    """A run of one step, in the store."""
    variable = keep(store, value)
    store.write_manifest(signing.sign(Manifest(name, "work", "after", "work", variables={"x": variable})))
    record = signing.sign(RunRecord(name, "p", "succeeded", started, started + 1))
    store.write_run(record)
    assert isinstance(record, RunRecord)
    return record


def object_file(store: Store, ref: FileRef, number: int = 0) -> Path:
    name = ref.chunks[number][0]
    return store.path / "objects" / "sha256" / name[:2] / name[2:]


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5])
def test_a_file_comes_out_as_it_went_in(store: Store, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "in").write_bytes(data)
    ref = store.put_file(tmp_path / "in")
    store.get_file(ref, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == store.read(ref) == data
    assert ref.size == size == sum(length for _, length in ref.chunks)
    assert all(length <= PIECE for _, length in ref.chunks)


def test_the_digest_of_a_value_is_that_of_its_metadata(store: Store) -> None:
    record = keep(store, {"a": list(range(1000))})
    assert record.file
    assert cutting.digest_of(memoryview(store.read(record.file))) == record.digest


def test_a_column_that_stays_is_kept_once(store: Store) -> None:
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    columns = {name: numpy.random.default_rng(seed).random(1 << 18) for seed, name in enumerate("abcd")}
    keep(store, pandas.DataFrame(columns))
    before = sum(store.written)
    keep(store, pandas.DataFrame({**columns, "b": columns["b"] + 1}))
    assert before > 8 << 20
    assert sum(store.written) - before < 4 << 20


def test_what_is_there_is_not_written_again(store: Store) -> None:
    keep(store, b"x" * 100_000)
    before = sum(store.written)
    keep(store, b"x" * 100_000)
    assert sum(store.written) == before


@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped", "swapped", "link", "folder", "fifo"])
def test_damaged_objects_are_said_and_never_loaded(store: Store, tmp_path: Path, damage: str) -> None:
    a_run(store)
    record = keep(store, ["secret"] * 10)
    assert record.file
    path = object_file(store, record.file)
    data = path.read_bytes()
    path.unlink()
    if damage == "truncated":
        path.write_bytes(data[:-1])
    elif damage == "flipped":
        path.write_bytes(data[:80] + bytes([data[80] ^ 1]) + data[81:])
    elif damage == "swapped":
        other = keep(store, ["public"] * 10)
        assert other.file
        shutil.copy(object_file(store, other.file), path)
    elif damage == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        path.symlink_to(tmp_path / "elsewhere")
    elif damage == "folder":
        path.mkdir()
    elif damage == "fifo":
        os.mkfifo(path)
    with pytest.raises(StoreProblem, match=record.file.chunks[0][0]):
        loads.value(store, record, True)
    if damage != "folder":
        assert keep(store, ["secret"] * 10).file == record.file
        assert loads.value(store, record, True) == ["secret"] * 10


@pytest.mark.parametrize("place", ["objects", "objects/sha256", "objects/sha256/ab", "runs", "runs/run-1", "pins"])
def test_links_in_place_of_folders_are_not_followed(store: Store, tmp_path: Path, place: str) -> None:
    a_run(store)
    target = tmp_path / "target"
    target.mkdir()
    path = store.path / place
    if path.exists():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    data = next(bytes([n, m]) for n in range(256) for m in range(256) if _starts(bytes([n, m]), "ab"))
    acts = {"objects": lambda: store.objects.put(data), "pins": lambda: store.pin("run-1", True)}
    with pytest.raises(StoreProblem, match="symbolic link"):
        acts.get(place.partition("/")[0], lambda: a_run(store))()
    assert not list(target.iterdir())


def _starts(data: bytes, wanted: str) -> bool:
    import hashlib

    return hashlib.sha256(data).hexdigest().startswith(wanted)


def test_a_store_that_is_a_link_is_refused(tmp_path: Path) -> None:
    Store.open(tmp_path / "real", create=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(StoreProblem, match="symbolic link"):
        Store.open(tmp_path / "link", create=True)


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ".", "", "a\0b", "x" * 300, ".hidden", "a\nb", "ä" * 150])
def test_names_that_are_no_file_names_are_refused(store: Store, name: str) -> None:
    assert not is_name(name)
    for act in (
        lambda: store.write_run(RunRecord(name)),
        lambda: store.write_manifest(Manifest(name, "t", "after")),
        lambda: store.write_manifest(Manifest("r", name, "after")),
        lambda: store.write_manifest(Manifest("r", "t", name)),
        lambda: store.run(name),
        lambda: store.pin(name, True),
        lambda: store.remove_run(name),
    ):
        with pytest.raises(StoreProblem):
            act()
    assert not [path for path in store.path.rglob("*") if path.name != "format" and path.is_file()]


def test_a_newer_store_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "format").write_text('{"format": 2}')
    with pytest.raises(StoreProblem, match="newer than this kalecompiler"):
        Store.open(tmp_path / "store", create=True)
    with pytest.raises(StoreProblem, match="newer than this kalecompiler"):
        from_json(Manifest, {"format": 2, "run": "r", "task": "t", "when": "after"}, "it")


def test_keys_of_others_are_kept_and_stay_signed(store: Store) -> None:
    manifest = signing.sign(Manifest("r", "t", "after", extra={"mood": "fine"}))
    store.write_manifest(manifest)
    again = store.manifest("r", "t", "after")
    assert again == manifest
    assert signing.trusted(again) == "signed"


@pytest.mark.parametrize(
    ("field", "value"),
    [("variables", []), ("started", "now"), ("variables", {"x": 1}), ("attempt", 1.5), ("network", "yes")],
)
def test_a_wrong_field_is_named(store: Store, field: str, value: object) -> None:
    a_run(store)
    path = store.path / "runs" / "run-1" / "work" / "after.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(StoreProblem, match=field):
        store.manifests("run-1")


def test_a_manifest_in_the_place_of_another_is_refused(store: Store) -> None:
    a_run(store, "run-1")
    a_run(store, "run-2", b"other")
    shutil.copy(store.path / "runs/run-2/work/after.json", store.path / "runs/run-1/work/after.json")
    with pytest.raises(StoreProblem, match="run-2"):
        store.manifests("run-1")


def test_a_manifest_whose_objects_are_gone_is_not_written(store: Store) -> None:
    record = keep(store, b"abc")
    assert record.file
    object_file(store, record.file).unlink()
    with pytest.raises(StoreProblem, match="not whole"):
        store.write_manifest(Manifest("r", "t", "after", variables={"x": record}))
    assert store.run_names() == []


# -- signatures


def test_a_change_by_hand_or_another_key_is_no_signature(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = signing.sign(Manifest("r", "t", "after"))
    changed = from_json(Manifest, {**to_json(manifest), "status": "changed"}, "it")
    assert (signing.trusted(manifest), signing.trusted(changed)) == ("signed", "wrong")
    assert signing.trusted(Manifest("r", "t", "after")) == "unsigned"
    use_key(tmp_path / "other", monkeypatch)
    signing.sign(Manifest("r", "t", "after"))
    assert signing.trusted(manifest) == "wrong"


def test_the_key_is_its_owners_alone_and_made_once(tmp_path: Path) -> None:
    keys: list[object] = []
    threads = [threading.Thread(target=lambda: keys.append(signing._make(tmp_path / "deep" / "key"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == 1
    assert (tmp_path / "deep" / "key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["key"]


def test_without_a_place_for_a_key_nothing_is_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    use_key(tmp_path / "file" / "key", monkeypatch)
    assert signing.sign(RunRecord("r")).signature is None
    assert "key" in (signing.problem() or "")


def test_a_key_that_others_may_change_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "open"
    path.write_text("ab" * 32)
    path.chmod(0o666)
    use_key(path, monkeypatch)
    assert signing.sign(RunRecord("r")).signature is None
    assert "chmod 600" in (signing.problem() or "")


# -- house-keeping


def test_verify_names_what_is_damaged_and_whose_it_is(store: Store) -> None:
    a_run(store)
    assert retention.verify(store).problems == ()
    (path,) = [path for path in (store.path / "objects").rglob("*") if path.is_file()]
    path.write_bytes(b"x" * path.stat().st_size)
    (problem,) = retention.verify(store).problems
    assert "run-1 work after x" in problem
    assert retention.verify(store, ["run-1"]).problems == (problem,)


def test_verify_sees_a_record_that_was_changed(store: Store) -> None:
    a_run(store)
    path = store.path / "runs" / "run-1" / "run.json"
    path.write_text(path.read_text().replace("succeeded", "failed"))
    (problem,) = retention.verify(store).problems
    assert "changed after it was signed" in problem


def test_gc_keeps_the_last_the_young_and_the_pinned(store: Store) -> None:
    now = time.time()
    for number in range(5):
        a_run(store, f"run-{number}", bytes([number]) * 10, now - 86_400 * (5 - number))
    retention.pin(store, "run-0", True)
    assert retention.gc(store, last=1, days=2.5, grace=0, dry=True).runs == ("run-1", "run-2")
    swept = retention.gc(store, last=1, days=2.5, grace=0)
    assert (swept.runs, swept.objects) == (("run-1", "run-2"), 2)
    assert store.run_names() == ["run-0", "run-3", "run-4"]
    assert retention.verify(store).problems == ()
    retention.pin(store, "run-0", False)
    assert retention.gc(store, last=1, grace=0).runs == ("run-0", "run-3")


def test_gc_leaves_what_was_touched_within_the_grace_time(store: Store) -> None:
    record = keep(store, b"abc")
    assert record.file
    path = object_file(store, record.file)
    os.utime(path, (1, 1))
    keep(store, b"abc")
    assert retention.gc(store, grace=60).objects == 0
    os.utime(path, (1, 1))
    assert retention.gc(store, grace=60).objects == 1
    assert not path.exists()


def test_gc_removes_what_killed_writers_left(store: Store) -> None:
    keep(store, b"abc")
    folder = next((store.path / "objects" / "sha256").iterdir())
    (folder / "0123456789abcdef.part").write_bytes(b"half")
    assert retention.gc(store).strays == 0
    assert retention.gc(store, grace=0).strays == 1
    assert not list(store.path.rglob("*.part"))


def test_gc_removes_nothing_while_a_manifest_cannot_be_read(store: Store) -> None:
    a_run(store)
    (store.path / "runs" / "run-1" / "work" / "after.json").write_text("{")
    with pytest.raises(StoreProblem, match="damaged"):
        retention.gc(store, grace=0)
    assert list(store.objects.all())


def test_gc_beside_writers_loses_nothing(store: Store) -> None:
    problems: list[str] = []

    def write(number: int) -> None:
        try:
            for turn in range(15):
                a_run(store, f"run-{number}-{turn}", bytes([turn]) * 200_000)
        except StoreProblem as error:
            problems.append(str(error))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(1)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        retention.gc(store, grace=30)
    assert problems == []
    assert retention.verify(store).problems == ()
    assert len(store.runs()) == 15


@pytest.mark.parametrize("writers", [2, 4])
def test_concurrent_writers_need_no_lock(store: Store, writers: int) -> None:
    data = [os.urandom(PIECE) * 3 for _ in range(4)]

    def write(number: int) -> None:
        for turn, part in enumerate(data):
            ref = store.put_bytes(part)
            about = VariableRecord(file=ref)
            store.write_manifest(Manifest(f"run-{number}", f"t{turn}", "after", variables={"x": about}))
        store.write_run(RunRecord(f"run-{number}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = retention.verify(store)
    assert (found.runs, found.objects, found.problems) == (writers, 4, ())


# -- from one to another


def test_a_run_goes_from_one_store_to_another(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_run(store, value={"a": [1, 2]})
    transfer.export(store, "run-1", tmp_path / "run.tar")
    other = Store.open(tmp_path / "other", create=True)
    assert transfer.import_(other, tmp_path / "run.tar").state == "signed"
    assert other.manifests("run-1") == store.manifests("run-1")
    with pytest.raises(StoreProblem, match="already"):
        transfer.import_(other, tmp_path / "run.tar")
    use_key(tmp_path / "colleague", monkeypatch)
    third, fourth = Store.open(tmp_path / "third", create=True), Store.open(tmp_path / "fourth", create=True)
    assert transfer.import_(third, tmp_path / "run.tar").state == "wrong"
    assert transfer.import_(fourth, tmp_path / "run.tar", trust=True).state == "signed"
    assert signing.trusted(fourth.run("run-1")) == "signed"
    variable = third.manifests("run-1")["work", "after"].variables["x"]
    assert loads.value(third, variable, False) == {"a": [1, 2]}


def changed_tar(source: Path, target: Path, name: str, data: bytes) -> None:
    """A copy of a tar file in which a member that ends like that has other content, or is added."""
    import io

    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in [*old.getmembers(), None]:
            if member is None:
                member, content = tarfile.TarInfo(name), data
                if any(item.name.endswith(name) for item in old.getmembers()):
                    break
            else:
                file = old.extractfile(member)
                content = data if member.name.endswith(name) else file.read() if file else b""
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("name", ["../../evil", "/evil", "runs/../evil/run.json", "runs/other/run.json", "objects/x"])
def test_other_members_are_refused(store: Store, tmp_path: Path, name: str) -> None:
    a_run(store)
    transfer.export(store, "run-1", tmp_path / "run.tar")
    changed_tar(tmp_path / "run.tar", tmp_path / "evil.tar", name, b"{}")
    other = Store.open(tmp_path / "other", create=True)
    with pytest.raises(StoreProblem, match="nothing is imported"):
        transfer.import_(other, tmp_path / "evil.tar")
    assert other.runs() == []
    assert not (tmp_path / "evil").exists()


def test_a_changed_export_is_refused(store: Store, tmp_path: Path) -> None:
    a_run(store)
    transfer.export(store, "run-1", tmp_path / "run.tar")
    record = json.dumps({**to_json(store.run("run-1")), "status": "failed"}).encode()
    changed_tar(tmp_path / "run.tar", tmp_path / "evil.tar", "run.json", record)
    other = Store.open(tmp_path / "other", create=True)
    with pytest.raises(StoreProblem, match="changed after it was signed"):
        transfer.import_(other, tmp_path / "evil.tar")
    for end in (100, 1000, 2000):
        (tmp_path / "cut.tar").write_bytes((tmp_path / "run.tar").read_bytes()[:end])
        with pytest.raises(StoreProblem):
            transfer.import_(other, tmp_path / "cut.tar")
    assert other.runs() == []
