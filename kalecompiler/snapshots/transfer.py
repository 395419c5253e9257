"""A run as one tar file, to be handed to somebody else: its record, its manifests, and the objects that they name.

    format | runs/RUN/run.json | runs/RUN/TASK/WHEN.json ... | objects/AB/CDEF... ...
Whoever imports it checks every object against its name. What another key signed, or none, stays untrusted: its values
are loaded with --trust only, unless the import itself was told --trust, which signs it anew.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from kalecompiler.snapshots import place, retention, signing
from kalecompiler.snapshots.manifest import FileRef, Manifest, RunRecord, from_json, to_json
from kalecompiler.snapshots.objects import PIECE
from kalecompiler.snapshots.store import Store, StoreProblem, is_name

FORMAT = 1
_FORMAT_NAME = "kalec-run"
_LARGEST = 256 << 20
_OBJECT = re.compile(r"objects/([0-9a-f]{2})/([0-9a-f]{62})")
_RUN = re.compile(r"runs/([^/]+)/run\.json")
_MANIFEST = re.compile(r"runs/([^/]+)/([^/]+)/((?:before|after|failed)(?:\.\d{1,9})?)\.json")


@dataclass(frozen=True, slots=True)
class Imported:
    """A run that was imported: its name, how many objects were new, and whose signature it has."""

    run: str
    objects: int
    bytes: int
    state: str


def export(store: Store, run: str, target: Path) -> int:
    """Write a run to a tar file, whole or not at all: its bytes. Raises StoreProblem, OSError for the target."""
    record = store.run(run)
    buffer = target.with_name(f".{target.name}.part")
    try:
        with buffer.open("xb") as file, tarfile.open(fileobj=file, mode="w") as tar:
            _add(tar, _FORMAT_NAME, json.dumps({"format": FORMAT, "run": run}).encode())
            done: set[str] = set()
            for ref in retention.files(store, run):
                for name, size in ref.chunks:
                    if name not in done:
                        done.add(name)
                        _add(tar, f"objects/{name[:2]}/{name[2:]}", store.objects.get(name, size))
            for manifest, file_name in store.manifest_files(run):
                _add(tar, f"runs/{run}/{manifest.task}/{file_name}", store.raw("runs", run, manifest.task, file_name))
            _add(tar, f"runs/{record.run}/run.json", store.raw("runs", run, "run.json"))
        buffer.replace(target)
        return target.stat().st_size
    finally:
        buffer.unlink(missing_ok=True)


def import_(store: Store, source: Path, trust: bool = False) -> Imported:
    """Take a run from a tar file into the store. Raises StoreProblem for a file that is not as it should be.

    With `trust` it is signed as ours, also where the store has the same run already. What is in the store of that name
    is not replaced otherwise, unless it cannot be read. Nothing is seen of the run before all of it is there.
    """
    try:
        with tarfile.open(source, "r:") as tar:
            return _import(store, tar, source, trust)
    except tarfile.TarError as error:
        raise StoreProblem(f"{source} is no exported run, or is cut off: {error}") from None
    except OSError as error:
        raise StoreProblem(f"{source} cannot be read: {error.strerror or error}") from None


def _import(store: Store, tar: tarfile.TarFile, source: Path, trust: bool) -> Imported:
    run = ""
    given: dict[str, int] = {}
    here: dict[str, Any] | None = None
    record: RunRecord | None = None
    manifests: list[tuple[Manifest, str]] = []
    for name, data in _members(tar, source):
        if not run:
            run = _name_of(name, data, source)
            here = _content(store, run, trust)
        elif match := _OBJECT.fullmatch(name):
            if store.objects.put(data) != match[1] + match[2]:
                raise StoreProblem(f"{source}: the object {match[1]}{match[2]} is damaged: nothing is imported")
            given[match[1] + match[2]] = len(data)
        elif (match := _MANIFEST.fullmatch(name)) and match[1] == run and is_name(match[2]):
            manifest = from_json(Manifest, _json(data, name, source), f"{source}: {name}")
            if (manifest.run, manifest.task, manifest.when) != (run, match[2], match[3].partition(".")[0]):
                raise StoreProblem(f"{source}: {name} is the manifest of something else: nothing is imported")
            manifests.append((manifest, f"{match[3]}.json"))
        elif (match := _RUN.fullmatch(name)) and match[1] == run:
            record = from_json(RunRecord, _json(data, name, source), f"{source}: {name}")
        else:
            raise StoreProblem(f"{source} holds {name[:100]!r}, which no exported run does: nothing is imported")
    if record is None or record.run != run:
        raise StoreProblem(f"{source} is cut off: the record of the run is missing")
    state = _state([record, *(manifest for manifest, _ in manifests)], source, trust)
    _check_whole(store, record, manifests, given, source)
    if here is not None and here != _plain(record, manifests):
        raise StoreProblem(f"the store {store.path} has another run {run} than {source}: nothing is signed or imported")
    if here is None and run in store.run_names():  # it cannot be read
        store.remove_run(run)
    is_own = here is not None and place.is_own(store.run(run))
    for manifest, file in manifests:
        store.write_manifest(signing.sign(manifest) if trust else manifest, file)
    store.write_run(_as_imported(record, trust, is_own))
    return Imported(run, len(given), sum(given.values()), "signed" if trust else state)


def _as_imported(record: RunRecord, trust: bool, is_own: bool) -> RunRecord:
    """The record as it is kept; what another key signed stays so, and what was the store's own already is no import."""
    if not trust and signing.trusted(record) != signing.SIGNED:
        return record
    told = {} if is_own else {place.IMPORTED: True}
    signed: RunRecord = signing.sign(replace(record, extra={**record.extra, **told}))
    return signed


def _content(store: Store, run: str, trust: bool) -> dict[str, Any] | None:
    """What the store has of a run, but for signatures; None where it has none, or a damaged one.

    Raises StoreProblem where it has one and that is not to be trusted now.
    """
    if run not in store.run_names():
        return None
    try:
        record, manifests = store.run(run), list(store.manifest_files(run))
    except StoreProblem:
        return None
    if not trust:
        signed = all(signing.trusted(one) == signing.SIGNED for one in (record, *(m for m, _ in manifests)))
        cure = "" if signed else "; --trust signs it, if it is the same"
        raise StoreProblem(f"the store {store.path} has a run {run} already: nothing is imported{cure}")
    return _plain(record, manifests)


def _plain(record: RunRecord, manifests: Sequence[tuple[Manifest, str]]) -> dict[str, Any]:
    """A run by the names of its files, as JSON values, but for signatures, and for whether it was imported."""
    records = {f"{manifest.task}/{file}": to_json(replace(manifest, signature=None)) for manifest, file in manifests}
    extra = {name: value for name, value in record.extra.items() if name != place.IMPORTED}
    return {**records, "run.json": to_json(replace(record, signature=None, extra=extra))}


def _check_whole(
    store: Store, record: RunRecord, manifests: Sequence[tuple[Manifest, str]], given: Mapping[str, int], source: Path
) -> None:
    """Raise StoreProblem for an object that a run names, and that neither its file nor the store has whole."""
    files = {"the notebook": record.notebook, "the package": record.package}
    for manifest, _ in manifests:
        where = f"of step {manifest.step or manifest.task} ({manifest.when})"
        files |= {f"{name} {where}": about.file for name, about in manifest.variables.items()}
    for what, ref in files.items():
        for name, size in ref.chunks if ref else ():
            if given.get(name) != size and not store.is_whole(FileRef(size, "", ((name, size),))):
                raise StoreProblem(f"{source} lacks the object {name}, a piece of {what}: nothing is imported")


def _state(records: list[Manifest | RunRecord], source: Path, trust: bool) -> str:
    """Whose signature the records have. Raises StoreProblem for one of ours that is wrong."""
    states = {signing.trusted(record) for record in records}
    changed = [r for r in records if signing.trusted(r) == "wrong" and signing.is_ours(r)]
    if changed and not trust:
        what = getattr(changed[0], "task", "the run")
        raise StoreProblem(f"{source}: {what} was changed after it was signed: --trust imports it all the same")
    return next(iter(states)) if len(states) == 1 else "wrong"


def _members(tar: tarfile.TarFile, source: Path) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the members, which are plain files; nothing is ever extracted to where a name leads."""
    for member in tar:
        limit = PIECE if member.name.startswith("objects/") else _LARGEST
        if not member.isreg() or member.size > limit:
            raise StoreProblem(f"{source} holds {member.name[:100]!r}, which no exported run does: nothing is imported")
        file: IO[bytes] | None = tar.extractfile(member)
        data = file.read() if file else b""
        if len(data) != member.size:
            raise StoreProblem(f"{source} is cut off at {member.name[:100]!r}: nothing is imported")
        yield member.name, data


def _name_of(name: str, data: bytes, source: Path) -> str:
    about = _json(data, name, source) if name == _FORMAT_NAME else None
    if not isinstance(about, dict) or not isinstance(about.get("run"), str) or not is_name(about["run"]):
        raise StoreProblem(f"{source} is no exported run: `kalec export RUN FILE` writes one")
    if about.get("format") != FORMAT:
        raise StoreProblem(
            f"{source} has format {about.get('format')!r}, which is newer than this kalecompiler: upgrade"
        )
    return str(about["run"])


def _json(data: bytes, name: str, source: Path) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise StoreProblem(f"{source}: {name} is damaged: it is no JSON") from None


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """A member that says nothing of who wrote it, or when."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
