"""Whether the files that steps of a kept run opened are as they were, each where a step would find it now.

One rule: what a step reads must be as it read it, where the reused steps above it wrote that the way they left it; and
what reused steps wrote must be there as the last of them left it. Else the step runs again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kalecompiler.local import traces
from kalecompiler.local.tasks import Task, ancestors
from kalecompiler.local.traces import ABSENT
from kalecompiler.snapshots.manifest import Manifest

UNREADABLE = "unreadable"
_CHANGES = ("write", "append", "remove")
_LOOKS = {"list": "listed", "link": "followed"}


@dataclass(frozen=True, slots=True)
class Now:
    """The files as they are; `folder` is the working folder. Each is looked at once."""

    folder: str
    known: dict[str, str] = field(default_factory=dict)

    def digest(self, path: str) -> str:
        """The digest of a file; ABSENT where none is there, UNREADABLE where it is no file."""
        if path not in self.known:
            try:
                self.known[path] = traces.content_digest(path)
            except OSError:
                self.known[path] = UNREADABLE if os.path.lexists(path) else ABSENT
        return self.known[path]


def moved(manifest: Manifest, workdir: str, folder: str) -> Manifest:
    """What a step left, its files named as a step in the working folder `folder` would find them.

    `workdir` is where its run was, which it did not always tell itself.
    """
    told = not manifest.extra.get("given", {}).get("--isolate") and manifest.extra.get("folder")
    was = str(told or os.path.realpath(workdir or folder))
    if was == folder or not manifest.files:
        return manifest
    files = [{**f, "path": path} for f in manifest.files for path in _places(f, was, folder, bool(told))]
    return replace(manifest, files=tuple(files), extra={**manifest.extra, "folder": folder})


def _places(file: Mapping[str, Any], was: str, folder: str, told: bool) -> Iterator[str]:
    """Where a file is looked for. A name that was absolute may mean the old place as well as the new one."""
    path = str(file["path"])
    there = os.path.normpath(f"{folder}/{os.path.relpath(path, was)}")
    absolute = bool(file.get("absolute")) or not told
    below = f"{path}/".startswith(f"{was}/")
    first, second = (there, path) if below or not absolute else (path, there)
    yield first
    if absolute and second != first and os.path.lexists(second):
        yield second


def left(manifest: Manifest) -> dict[str, tuple[str, Any]]:
    """What a step did to files: path -> how, and their digest then, which is ABSENT for what it removed."""
    changes = [f for f in manifest.files if f.get("mode") in _CHANGES]
    return {str(f["path"]): (str(f["mode"]), ABSENT if f["mode"] == "remove" else f.get("digest")) for f in changes}


def last(steps: Mapping[str, Manifest | None], tasks: Mapping[str, Task]) -> dict[str, dict[str, Any]]:
    """The digests with which steps left files: path -> by the task of each writer that has no other below it."""
    writers: dict[str, dict[str, Any]] = {}
    for key, manifest in steps.items():
        for path, (_, digest) in left(manifest).items() if manifest else ():
            writers.setdefault(path, {})[key] = digest
    for found in writers.values():
        for key in list(found):
            if len(found) > 1:
                for above in ancestors(tasks, key) - {key}:
                    found.pop(above, None)
    return writers


def otherwise(
    manifest: Manifest,
    above: Mapping[str, Mapping[str, Any]],
    others: Collection[Manifest],
    now: Now,
    cache: bool,
) -> str:
    """How a file that a step read, or a list of files, would be another one now; empty where none is.

    `above` is what the reused steps above it leave (`last`); `others` are the manifests of its run but those of the
    steps above it. `cache` is its setting `cache:enabled`: then what it read and changed itself does not count.
    """
    own = left(manifest)
    later: dict[str, set[Any]] = {}
    for other in others:
        for path, (_, digest) in left(other).items():
            later.setdefault(path, set()).add(digest)
    for file in manifest.files:
        path, mode, digest = str(file.get("path")), file.get("mode"), file.get("digest")
        if mode in _LOOKS:
            verb, why = _LOOKS[mode], _listing(path, digest, later) if mode == "list" else _leading(path, digest)
        elif mode == "read":
            verb, why = "read", _reading(path, digest, above.get(path), now)
            if why and digest == ABSENT:
                if path in above or now.digest(path) not in later.get(path, ()):
                    return f"it looked for {shown(path)}, which was not there then"
                continue
            if why and path in own:
                if cache:
                    continue
                return f"it read {shown(path)} and changed it then: `cache:enabled` takes it all the same"
        else:
            continue
        if why:
            return f"it {verb} {shown(path)}, {why}"
    return ""


def _reading(path: str, digest: Any, above: Mapping[str, Any] | None, now: Now) -> str:
    if digest is None:
        return "which others changed while it ran"
    there = set(above.values()) if above else {now.digest(path)}
    if digest in there:
        return ""
    return "which is not there any more" if there == {ABSENT} else "which has changed"


def _listing(path: str, digest: Any, later: Collection[str]) -> str:
    """A list is as the steps above leave it: what the step and others wrote may be in it, or not."""
    try:
        same = digest in (traces.names_digest(path), traces.names_digest(path, later))
    except OSError:
        return "which is not there any more"
    return "" if same else "which has changed"


def _leading(path: str, digest: Any) -> str:
    return "" if digest == traces.leads(path) else "which leads elsewhere now"


def spoilt(
    tasks: Mapping[str, Task], reused: Mapping[str, Manifest], around: Mapping[str, Collection[str]], now: Now
) -> dict[str, str]:
    """Reused steps of which a file is not as the last of them left it, and in which way.

    `around` has what steps of the run that each is taken from only read. What steps only append to is a log, which
    counts if another step read it. Temporary files that nobody else read may be gone.
    """
    found: dict[str, str] = {}
    everywhere = {key: left(manifest) for key, manifest in reused.items()}
    for path, writers in last(reused, tasks).items():
        read = any(path in around[key] for key in writers)
        if not read and all(known[path][0] == "append" for known in everywhere.values() if path in known):
            continue
        there = now.digest(path)
        is_temporary = path.startswith(tempfile.gettempdir() + os.sep) and not path.startswith(now.folder + os.sep)
        if there in writers.values() or (there == ABSENT and is_temporary and not read):
            continue
        for key, digest in writers.items():
            verb = "removed" if digest == ABSENT else "wrote"
            how = "is not there any more" if there == ABSENT else "has changed"
            how = "is there again" if digest == ABSENT else how
            found.setdefault(key, f"it {verb} {shown(path)}, which {how}")
    return found


def only_read(manifests: Iterable[Manifest]) -> frozenset[str]:
    """The files that a step read and did not change."""
    found: set[str] = set()
    for manifest in manifests:
        found |= {str(f.get("path")) for f in manifest.files if f.get("mode") == "read"} - left(manifest).keys()
    return frozenset(found)


def conflicts(
    tasks: Mapping[str, Task], reused: Mapping[str, Manifest], running: Mapping[str, Sequence[Manifest]], now: Now
) -> dict[str, str]:
    """Reused steps that share files with one that runs and is neither above nor below: nobody knows who comes first.

    `running` has what is known of an earlier go of those that run.
    """
    found: dict[str, str] = {}
    above = {key: ancestors(tasks, key) for key in tasks}
    for key, manifests in running.items():
        changes = {path: how for one in manifests for path, (how, _) in left(one).items()}
        reads = {str(f["path"]): f.get("digest") for one in manifests for f in one.files if f.get("mode") == "read"}
        for other, manifest in reused.items():
            if other in above[key] or other in found:
                continue
            own = left(manifest)
            both = (p for f in manifest.files if (p := str(f["path"])) in changes and f.get("mode") != "list")
            path = next((p for p in both if (changes[p], own.get(p, ("",))[0]) != ("append", "append")), None)
            if path is None:
                path = next((p for p, digest in reads.items() if p in own and digest != now.digest(p)), None)
            if path is not None:
                verb = "changes" if path in changes else "reads"
                found[other] = f"{tasks[key].name}, which runs, {verb} {shown(path)} too"
    return found


def shown(path: str) -> str:
    """A path as a reader likes it: relative where it lies below the current folder."""
    near = os.path.relpath(path)
    return path if near.startswith("..") else near
