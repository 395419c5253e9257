"""Which runs stay, and what is thrown away; and whether all that is kept is as it was written.

`gc` is safe beside runs that go on: what was written or touched within the grace time stays, a run under way stays, and
a writer looks once more for its objects before it commits a manifest.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from kalecompiler import alive, provenance
from kalecompiler.local.folders import folder_of_run
from kalecompiler.snapshots import copies, signing
from kalecompiler.snapshots.manifest import FileRef, RunRecord
from kalecompiler.snapshots.objects import unwritable
from kalecompiler.snapshots.store import Store, StoreProblem
from kalecompiler.snapshots.wholes import name_of

GRACE = 3600.0
DAY = 86_400.0
_DIGEST = re.compile(rb"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Checked:
    """What `verify` found: how much it read, and what is wrong, in words."""

    runs: int
    objects: int
    bytes: int
    unsigned: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Swept:
    """What `gc` took away, or would have: runs by name, objects and bytes, files that killed writers left.

    `damaged` are runs whose record cannot be read: they were left alone.
    """

    runs: tuple[str, ...]
    objects: int
    bytes: int
    strays: int
    copies: int
    damaged: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()  # runs that stay only because a tracker was not told all of them


def verify(store: Store, runs: list[str] | None = None) -> Checked:
    """Read everything, or what these runs have, and compare it with its digest. Raises StoreProblem for no store."""
    problems: list[str] = []
    wanted: dict[tuple[str, int], list[str]] = {}
    unsigned = 0
    names = store.run_names() if runs is None else runs
    for name in names:
        try:
            record = store.run(name)
            unsigned += _judge(record, f"the record of run {name}", problems)
            for place, ref in _files_of_record(record):
                _want(wanted, ref, place)
            for manifest in store.every_manifest(name):
                where = f"{name} {manifest.task} {manifest.when}"
                unsigned += _judge(manifest, f"the manifest {where}", problems)
                for variable, about in manifest.variables.items():
                    if about.file:
                        _want(wanted, about.file, f"{where} {variable}")
        except StoreProblem as error:
            problems.append(str(error))
    if runs is None:
        for chunk in _all_pieces(store):
            wanted.setdefault(chunk, [])
    total = 0
    plain = store.plain  # which heals nothing
    for (name, size), places in wanted.items():
        try:
            total += len(plain.get(name, size))
        except StoreProblem as error:
            users = f" (of {', '.join(places[:3])}{' ...' if len(places) > 3 else ''})" if places else ""
            problems.append(f"{str(error).partition(': ')[0]}{users}")
    return Checked(len(names), len(wanted), total, unsigned, tuple(problems))


def gc(
    store: Store, last: int | None = None, days: float | None = None, grace: float = GRACE, dry: bool = False
) -> Swept:
    """Throw away runs beyond the `last` of each pipeline and older than `days`, and what no run needs any more.

    A run stays if either says so, and whatever they say if it is pinned or under way; without both all runs stay.
    With `dry` nothing is touched. A run whose record cannot be read stays, with all that its manifests name, and what
    is left of the record. Raises StoreProblem, before anything is removed, where a manifest cannot be read: what it
    names must not be lost.
    """
    records, lost = store.records()
    now = time.time()
    for record in [] if dry else records:
        _close(store, record)
    dropped = _dropped(store, records, last, days, now)
    untold = {run for run in dropped if _waits(store, run)}
    dropped -= untold
    kept = [name for name in store.run_names() if name not in dropped]
    damaged = tuple(lost)
    needed = _needed(store, kept, damaged)
    if not dry:
        for name in dropped:
            _save(store, name, needed)
        for name in dropped:
            store.remove_run(name)
            _remove_folder(store, name)
    before = now - grace
    unfinished = [] if dry else list(store.unfinished(before))
    for name in unfinished:
        store.remove_run(name)
    strays = len(unfinished) + (0 if dry else store.mend(needed, before) + store.remove_drafts(before))
    objects, freed = _sweep_wholes(store, needed, before, dry)
    strays += store.wholes.remove_strays(before, dry)
    for name, size, touched in list(store.objects.all()):
        if name not in needed and touched <= before:
            gone = size if dry else store.objects.remove(name[:2], name[2:], before)
            objects, freed = objects + bool(gone), freed + gone
    for prefix, file, touched in list(store.objects.strays()):
        if touched <= before:
            freed += 0 if dry else store.objects.remove(prefix, file, before)
            strays += 1
    whole: set[tuple[str, int]] = set()
    files_gone = sum(_drop_copies(store, record, dry, whole) for record in records[1:] if record.run not in dropped)
    return Swept(tuple(sorted(dropped)), objects, freed, strays, files_gone, damaged, tuple(sorted(untold)))


def _sweep_wholes(store: Store, needed: Collection[str], before: float, dry: bool) -> tuple[int, int]:
    """Remove large files of which less than half is needed, which becomes pieces: how many pieces and bytes went."""
    objects = freed = 0
    for whole in store.wholes.all():
        live = {chunk for chunk in whole.chunks if chunk[0] in needed}
        size = sum(size for _, size in live)
        if whole.touched > before or (live and 2 * size >= whole.size):
            continue
        if not dry:
            try:
                for chunk in live:
                    store.plain.take_out(*chunk)
            except StoreProblem:  # it is damaged, or the disk full: what can still be read of it stays
                continue
            if not store.wholes.remove(whole.name, before):
                continue
        objects, freed = objects + len({*whole.chunks} - live), freed + whole.size - size
    return objects, freed


def _needed(store: Store, kept: Iterable[str], damaged: Collection[str]) -> set[str]:
    """The objects that runs need, and the names of the files. Raises StoreProblem."""
    needed: set[str] = set()
    for name in kept:
        try:
            for ref in _files_of_manifests(store, name) if name in damaged else files(store, name):
                needed.update(chunk for chunk, _ in ref.chunks)
                needed.add(name_of(ref.chunks))
            if name in damaged:
                needed.update(word.decode() for word in _DIGEST.findall(store.raw("runs", name, "run.json")))
        except StoreProblem as error:
            raise StoreProblem(
                f"{error}; nothing is removed, since nobody knows what else run {name} needs: `kalec import` of its "
                f"exported file replaces it, or give it up by removing the folder {store.path / 'runs' / name}"
            ) from None
    return needed


def files(store: Store, run: str) -> Iterator[FileRef]:
    """Every file that a run needs. Raises StoreProblem."""
    if store.has_record(run):
        yield from (ref for _, ref in _files_of_record(store.run(run)))
    yield from _files_of_manifests(store, run)


def _files_of_manifests(store: Store, run: str) -> Iterator[FileRef]:
    for manifest in store.every_manifest(run):
        yield from (about.file for about in manifest.variables.values() if about.file)


def own_bytes(store: Store, run: str) -> int:
    """The bytes of the objects that a run has, and no other. Raises StoreProblem where its manifests are damaged."""
    own = {chunk for ref in files(store, run) for chunk in ref.chunks}
    for name in store.run_names():
        with contextlib.suppress(StoreProblem):
            own.difference_update(chunk for ref in (files(store, name) if name != run else ()) for chunk in ref.chunks)
    return sum(size for _, size in own)


def is_under_way(record: RunRecord) -> bool:
    """Whether a run goes on: its process is alive, or is another machine's and started within a week."""
    if record.status != "running":
        return False
    process = record.extra.get("process")
    if record.origin("who").get("host") == provenance.who()["host"] and isinstance(process, int):
        return alive.is_alive(process)
    return time.time() - (record.started or 0.0) < 7 * DAY


def is_dead(record: RunRecord) -> bool:
    """Whether a run that says it goes on is one of a process of this machine that is gone."""
    process = record.extra.get("process")
    if record.status != "running" or type(process) is not int:
        return False
    return record.origin("who").get("host") == provenance.who()["host"] and not alive.is_alive(process)


def _close(store: Store, record: RunRecord) -> None:
    """Say of a run whose process was killed that it has ended; one that nobody signed is not signed by that."""
    state = signing.trusted(record)
    if record.status == "running" and not is_under_way(record) and state != "wrong":
        closed = replace(record, status="stopped", ended=time.time())
        store.write_run(signing.sign(closed) if state == signing.SIGNED else closed)


def _dropped(store: Store, records: list[RunRecord], last: int | None, days: float | None, now: float) -> set[str]:
    if last is None and days is None:
        return set()
    pinned = store.pins()
    count: dict[str, int] = {}
    dropped = set()
    for record in records:
        count[record.pipeline] = count.get(record.pipeline, 0) + 1
        recent = last is not None and count[record.pipeline] <= last
        young = days is not None and now - (record.ended or record.started or 0.0) < days * DAY
        if not (recent or young or record.run in pinned or is_under_way(record)):
            dropped.add(record.run)
    return dropped


def _waits(store: Store, run: str) -> bool:
    """Whether the run's folder holds calls for a tracker (`tracking.backlog`) that were not made yet."""
    return any(folder_of_run(store.path.parent, run).glob("tracking.d/*.queue"))


def _remove_folder(store: Store, run: str) -> None:
    """The run's own folder: logs, and copies of its values."""
    folder = folder_of_run(store.path.parent, run)
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)


def _drop_copies(store: Store, record: RunRecord, dry: bool, whole: set[tuple[str, int]]) -> int:
    """Remove the files of values from the folder of a run that has ended, where the store has them: how many.

    The store's pieces are read before they are relied on, once each (`whole` has those that were), and those that are
    damaged are put back from the copy.
    """
    if record.status == "running":
        return 0
    gone = 0
    for manifest in store.every_manifest(record.run):
        for copy in copies.of_manifest(store, manifest):
            unread = replace(copy.file, chunks=tuple(chunk for chunk in copy.file.chunks if chunk not in whole))
            if copy.is_there() and (store.is_whole(unread) or (not dry and _heal(store, unread))):
                whole.update(unread.chunks)
                gone += 1
                if not dry:
                    with contextlib.suppress(OSError, StoreProblem):
                        copy.remove()
    return gone


def _heal(store: Store, ref: FileRef) -> bool:
    """Put the pieces of a file back that folders of runs have; whether all of it is there then."""
    try:
        for _ in store.pieces(ref):
            pass
    except StoreProblem:
        return False
    return store.is_whole(ref)


def _save(store: Store, run: str, needed: set[str]) -> None:
    """Put back what runs that stay need, and only the folder of a run that is to go has whole."""
    with contextlib.suppress(StoreProblem):
        for manifest in store.every_manifest(run):
            for copy in copies.of_manifest(store, manifest):
                shared = tuple(chunk for chunk in copy.file.chunks if chunk[0] in needed)
                if shared and copy.is_there():
                    _heal(store, replace(copy.file, chunks=shared))


def _judge(record: object, what: str, problems: list[str]) -> int:
    """1 for one that is not signed by us; a signature of ours that is wrong is a problem."""
    state = signing.trusted(record)
    if state == "wrong" and signing.is_ours(record):
        problems.append(f"{what} was changed after it was signed")
    return int(state != signing.SIGNED)


def _files_of_record(record: RunRecord) -> Iterator[tuple[str, FileRef]]:
    if record.notebook:
        yield f"{record.run} notebook", record.notebook
    if record.package:
        yield f"{record.run} package", record.package


def _all_pieces(store: Store) -> Iterator[tuple[str, int]]:
    yield from ((name, size) for name, size, _ in store.objects.all())
    for whole in store.wholes.all():
        yield from whole.chunks


def _want(wanted: dict[tuple[str, int], list[str]], ref: FileRef, place: str) -> None:
    for chunk in ref.chunks:
        places = wanted.setdefault(chunk, [])
        if place not in places:
            places.append(place)


def pin(store: Store, run: str, pinned: bool) -> None:
    """Pin a run, so that no `gc` takes it, or take the pin off. Raises StoreProblem."""
    store.run(run)
    try:
        store.pin(run, pinned)
    except OSError as error:
        raise unwritable(store.path, error) from None
