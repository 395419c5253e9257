"""The copies of values that the folders of runs still have: where the store lost a piece, it is taken from there.

Digests decide: whatever lies there, only what has the piece's sha256 is that piece. No symbolic link is followed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kalecompiler.snapshots import objects
from kalecompiler.snapshots.manifest import AFTER, FileRef, Manifest
from kalecompiler.snapshots.objects import StoreProblem, folder_of

if TYPE_CHECKING:
    from kalecompiler.snapshots.store import Store


@dataclass(frozen=True, slots=True)
class Copy:
    """The file of a value in the folder of a run."""

    folder: Path
    task: str
    port: str
    file: FileRef

    @contextlib.contextmanager
    def open(self) -> Iterator[tuple[int, int]]:
        """(the open folder, the open file). Raises OSError, StoreProblem where it is no plain file."""
        with folder_of(self.folder, self.task) as folder, objects.open_plain(folder, self.port) as handle:
            yield folder, handle

    def remove(self) -> None:
        """Raises OSError, StoreProblem."""
        with folder_of(self.folder, self.task) as folder:
            os.unlink(self.port, dir_fd=folder)

    def is_there(self) -> bool:
        """Whether there is a plain file."""
        try:
            with self.open():
                return True
        except (OSError, StoreProblem):
            return False


class Copies:
    """All copies below the folder of a store; they are looked for when the first piece is missed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._places: Mapping[tuple[str, int], list[tuple[Copy, int]]] | None = None

    def piece(self, name: str, size: int) -> bytes | None:
        """The piece of that name and length; None where no folder of a run has it whole."""
        with self._lock:
            if self._places is None:
                self._places = _places(self._store)
        for copy, start in self._places.get((name, size), ()):
            with contextlib.suppress(OSError, StoreProblem), copy.open() as (_, handle):
                data = os.pread(handle, min(size, objects.PIECE), start)
                if len(data) == size and hashlib.sha256(data).hexdigest() == name:
                    return data
        return None


def of_manifest(store: Store, manifest: Manifest) -> Iterator[Copy]:
    """Where the values may lie that a step left; nothing is looked at."""
    from kalecompiler.local.folders import folder_of_run
    from kalecompiler.snapshots.store import is_name

    folder = folder_of_run(store.path.parent, manifest.run)
    for about in manifest.variables.values() if manifest.when == AFTER else ():
        if about.file and about.port and is_name(about.port):
            yield Copy(folder, manifest.task, about.port, about.file)


def _places(store: Store) -> dict[tuple[str, int], list[tuple[Copy, int]]]:
    """Where each piece begins in copies that are there."""
    found: dict[tuple[str, int], list[tuple[Copy, int]]] = {}
    with contextlib.suppress(StoreProblem):
        for run in store.run_names():
            with contextlib.suppress(StoreProblem):
                for manifest in store.every_manifest(run):
                    for copy in of_manifest(store, manifest):
                        start = 0
                        for chunk in copy.file.chunks if copy.is_there() else ():
                            found.setdefault(chunk, []).append((copy, start))
                            start += max(chunk[1], 0)
    return found
