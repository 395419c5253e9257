"""The store: a folder with the objects of many runs, and what each of the runs was.

    format                          {"format": 1}
    objects/sha256/ab/cdef...       pieces of files
    objects/files/ID, ID.pieces     large files as they are, and the pieces of which they are made
    runs/RUN/run.json               a run
    runs/RUN/TASK/WHEN.json         a step at a moment: before, after, failed; earlier attempts WHEN.N.json
    pins/RUN                        runs that `gc` leaves alone
A manifest is written last: whatever it names is there.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalecompiler.snapshots import objects
from kalecompiler.snapshots.copies import Copies
from kalecompiler.snapshots.filing import Files
from kalecompiler.snapshots.manifest import Manifest, RunRecord, from_json, to_json
from kalecompiler.snapshots.objects import StoreProblem, folder_of, unwritable

__all__ = ["Store", "StoreProblem", "is_name"]

FORMAT = 1
_RUN = "run.json"
_SAFE = re.compile(r"[\w][\w.+-]*")
_LONGEST = 200
_MANIFEST = re.compile(r"(before|after|failed)(?:\.(\d+))?\.json")
# A manifest names its objects, a few dozen bytes each: this is enough for values of a terabyte.
_LARGEST_RECORD = 256 << 20


@dataclass(frozen=True, slots=True)
class Store(Files):
    """A store that is there."""

    @classmethod
    def open(cls, path: Path, create: bool = False, durable: bool = False) -> Store:
        """The store in a folder; with `create` it is made. Raises StoreProblem where there is none, or a newer one."""
        path = path.absolute()
        if path.is_symlink():
            raise StoreProblem(f"the store {path} is a symbolic link: remove it, or name the folder it leads to")
        if create and not path.is_dir():
            _create(path)
        try:
            with folder_of(path) as folder:
                try:
                    text = objects.read(folder, "format", 1000)
                except FileNotFoundError:
                    if not create:
                        raise
                    text = json.dumps({"format": FORMAT}).encode() + b"\n"
                    objects.write(folder, "format", text, True)
        except FileNotFoundError:
            raise StoreProblem(f"there is no store at {path}: `kalec run` makes one") from None
        except OSError as error:
            raise StoreProblem(f"the store {path} cannot be opened: {error.strerror or error}") from None
        try:
            form = json.loads(text)["format"]
        except (ValueError, KeyError, TypeError):
            raise StoreProblem(f"{path / 'format'} is damaged: it must hold {json.dumps({'format': FORMAT})}") from None
        if type(form) is not int or form < FORMAT:
            raise StoreProblem(f"{path / 'format'} is damaged: it must hold {json.dumps({'format': FORMAT})}")
        if form != FORMAT:
            raise StoreProblem(f"the store {path} has format {form!r}, which is newer than this kalecompiler: upgrade")
        return cls(path, durable)

    def _copies(self) -> Copies:
        return Copies(self)

    def runs(self) -> list[RunRecord]:
        """The runs, newest first; one whose record cannot be read is left out."""
        return self.records()[0]

    def records(self) -> tuple[list[RunRecord], dict[str, str]]:
        """The runs, newest first; and those whose record cannot be read, with why."""
        found, damaged = [], {}
        for name in self.run_names():
            try:
                found.append(self.run(name))
            except StoreProblem as error:
                damaged[name] = str(error)
        return sorted(found, key=lambda record: (record.started or 0.0, record.run), reverse=True), damaged

    def run_names(self) -> list[str]:
        """The names of the runs; what was killed before it had a record is none."""
        return [name for name in self._names("runs") if self.has_record(name)]

    def unfinished(self, before: float) -> Iterator[str]:
        """The folders of runs that have no record, and were not touched since."""
        for name in self._names("runs"):
            if not self.has_record(name):
                with contextlib.suppress(OSError), folder_of(self.path, "runs", name) as folder:
                    if os.fstat(folder).st_mtime <= before:
                        yield name

    def remove_drafts(self, before: float) -> int:
        """Remove what writers of records left that were killed, and not touched since: how many files."""
        gone = 0
        runs = self._names("runs")
        for place in [
            (),
            ("pins",),
            *(("runs", r) for r in runs),
            *(("runs", r, t) for r in runs for t in self._names("runs", r)),
        ]:
            with contextlib.suppress(FileNotFoundError), folder_of(self.path, *place) as folder:
                for name in os.listdir(folder):  # noqa: PTH208 - an open folder
                    if name.endswith(objects.DRAFT) and os.stat(name, dir_fd=folder).st_mtime <= before:
                        os.unlink(name, dir_fd=folder)
                        gone += 1
        return gone

    def has_record(self, name: str) -> bool:
        """Whether the folder of a run has a record: not so where an import was killed."""
        return _RUN in self._files("runs", _checked(name, "run"))

    def run(self, name: str) -> RunRecord:
        """A run. Raises StoreProblem where there is none of that name, or its record is damaged."""
        record = from_json(RunRecord, self._read("runs", _checked(name, "run"), _RUN), f"the record of run {name}")
        if record.run != name:
            raise StoreProblem(f"the record of run {name} is that of {record.run[:80]!r}")
        return record

    def manifests(self, run: str) -> dict[tuple[str, str], Manifest]:
        """The manifests of a run's last attempts, by task and moment. Raises StoreProblem."""
        return {(m.task, m.when): m for m, name in self.manifest_files(run) if name == f"{m.when}.json"}

    def every_manifest(self, run: str) -> Iterator[Manifest]:
        """All manifests of a run, those of earlier attempts too. Raises StoreProblem."""
        for manifest, _ in self.manifest_files(run):
            yield manifest

    def manifest(self, run: str, task: str, when: str) -> Manifest:
        """A step of a run at a moment. Raises StoreProblem where there is none."""
        return self._manifest(_checked(run, "run"), _checked(task, "task"), when, f"{_checked(when, 'moment')}.json")

    def write_run(self, record: RunRecord) -> None:
        """Keep what a run was; it replaces what was said of it before. Raises StoreProblem."""
        self._write(to_json(record), "runs", _checked(record.run, "run"), _RUN)

    def manifest_files(self, run: str) -> Iterator[tuple[Manifest, str]]:
        """All manifests of a run with the names of their files. Raises StoreProblem."""
        for task in self._names("runs", _checked(run, "run")):
            for name in self._files("runs", run, task):
                if match := _MANIFEST.fullmatch(name):
                    yield self._manifest(run, task, match[1], name), name

    def raw(self, *place: str) -> bytes:
        """The bytes of a manifest or record, as they lie there. Raises StoreProblem."""
        *folders, name = place
        try:
            with folder_of(self.path, *folders) as folder:
                return objects.read(folder, name, _LARGEST_RECORD)
        except FileNotFoundError:
            raise StoreProblem(f"there is no {self.path.joinpath(*place)}: `kalec runs` lists what there is") from None
        except OSError as error:
            raise StoreProblem(f"{self.path.joinpath(*place)} cannot be read: {error.strerror or error}") from None

    def write_manifest(self, manifest: Manifest, file: str = "") -> None:
        """Keep a manifest, whose files are in the store, under the name of a file other than its moment's.

        Raises StoreProblem, also where a file is not there any more.
        """
        run, task = _checked(manifest.run, "run"), _checked(manifest.task, "task")
        for name, variable in manifest.variables.items():
            if variable.file and not self.has(variable.file):
                raise StoreProblem(f"the file of {name} of step {manifest.step} is not whole in the store {self.path}")
        name = file or f"{manifest.when}.json"
        if not _MANIFEST.fullmatch(name):
            raise StoreProblem(f"{name[:80]!r} is not the name of a manifest")
        self._write(to_json(manifest), "runs", run, task, name)

    def put_aside(self, run: str, task: str, attempt: int) -> None:
        """Give the manifests of a task's attempt its number, before the next attempt writes its own."""
        try:
            with folder_of(self.path, "runs", _checked(run, "run"), _checked(task, "task")) as folder:
                for name in os.listdir(folder):  # noqa: PTH208 - an open folder
                    if (match := _MANIFEST.fullmatch(name)) and not match[2]:
                        numbered = f"{match[1]}.{attempt}.json"
                        os.rename(name, numbered, src_dir_fd=folder, dst_dir_fd=folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise unwritable(self.path, error) from None

    def pins(self) -> set[str]:
        """The runs that are pinned."""
        return set(self._files("pins"))

    def pin(self, run: str, pinned: bool) -> None:
        """Pin a run, or take the pin off. Raises StoreProblem."""
        _checked(run, "run")
        try:
            with folder_of(self.path, "pins", create=True) as folder:
                if pinned:
                    objects.write(folder, run, b"", True)
                else:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(run, dir_fd=folder)
        except OSError as error:
            raise unwritable(self.path, error) from None

    def remove_run(self, name: str) -> None:
        """Forget a run; its objects stay until `gc`. Its record goes last. Raises StoreProblem."""
        try:
            for task in self._names("runs", _checked(name, "run")):
                with folder_of(self.path, "runs", name, task) as folder:
                    for file in os.listdir(folder):  # noqa: PTH208 - an open folder
                        os.unlink(file, dir_fd=folder)
                with folder_of(self.path, "runs", name) as folder:
                    os.rmdir(task, dir_fd=folder)
            with folder_of(self.path, "runs", name) as folder:
                for file in os.listdir(folder):  # noqa: PTH208 - an open folder
                    os.unlink(file, dir_fd=folder)
            with folder_of(self.path, "runs") as folder:
                os.rmdir(name, dir_fd=folder)
        except OSError as error:
            raise unwritable(self.path, error) from None

    def _manifest(self, run: str, task: str, when: str, file: str) -> Manifest:
        where = f"the manifest {run}/{task}/{file}"
        found = from_json(Manifest, self._read("runs", run, task, file), where)
        if (found.run, found.task, found.when) != (run, task, when):
            raise StoreProblem(f"{where} is that of {found.run[:80]!r}, {found.task[:80]!r}, {found.when[:80]!r}")
        return found

    def _names(self, *place: str) -> list[str]:
        """The folders in a folder of the store, sorted; links and files are not looked at."""
        try:
            with folder_of(self.path, *place) as folder, os.scandir(folder) as entries:
                return sorted(e.name for e in entries if e.is_dir(follow_symlinks=False) and is_name(e.name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreProblem(f"{self.path.joinpath(*place)} cannot be read: {error.strerror or error}") from None

    def _files(self, *place: str) -> list[str]:
        try:
            with folder_of(self.path, *place) as folder, os.scandir(folder) as entries:
                return sorted(e.name for e in entries if e.is_file(follow_symlinks=False) and is_name(e.name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreProblem(f"{self.path.joinpath(*place)} cannot be read: {error.strerror or error}") from None

    def _read(self, *place: str) -> Any:
        try:
            return json.loads(self.raw(*place))
        except (ValueError, RecursionError):
            raise StoreProblem(f"{self.path.joinpath(*place)} is damaged: it is no JSON") from None

    def _write(self, data: Mapping[str, Any], *place: str) -> None:
        *folders, name = place
        text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")
        try:
            with folder_of(self.path, *folders, create=True) as folder:
                objects.write(folder, name, text + b"\n", True)
        except OSError as error:
            raise unwritable(self.path, error) from None


def is_name(name: str) -> bool:
    """Whether a run or task of that name can be kept: it is a plain file name, and not a long one."""
    return bool(_SAFE.fullmatch(name)) and len(name.encode("utf-8", "surrogatepass")) <= _LONGEST


def _checked(name: str, what: str) -> str:
    if not is_name(name):
        raise StoreProblem(f"{name[:80]!r} cannot be the name of a {what} in a store")
    return name


def _create(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None
