"""Large files that a store keeps as their writer left them, by a hard link: no byte of them is copied.

    objects/files/ID          the file
    objects/files/ID.pieces   [[name, bytes], ...], the pieces of which it is made; ID is the sha256 of this text
Whoever looks for a piece finds it here as well; as everywhere, its sha256 decides whether it is that piece.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kalecompiler.snapshots import objects
from kalecompiler.snapshots.objects import DRAFT, folder_of

Chunks = tuple[tuple[str, int], ...]

_PLACE = ("objects", "files")
_NAME = re.compile(r"[0-9a-f]{64}")
_INDEX = ".pieces"
_LARGEST_INDEX = 256 << 20
# A folder that was changed a moment before it was listed may change again without another time: clocks tick in steps.
_TICK = 100_000_000


@dataclass(frozen=True, slots=True)
class Whole:
    """A file: its pieces in order, its bytes, and when it was last touched (seconds since 1970)."""

    name: str
    chunks: Chunks
    size: int
    touched: float


class Wholes:
    """The files of the store at `root`; what was found out about them is remembered, and threads may share it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._listed = -1
        self._known: dict[str, Chunks] = {}
        self._places: dict[tuple[str, int], dict[str, int]] = {}  # of a piece: in which files, and where

    def keep(self, path: Path, handle: int, chunks: Chunks, durable: bool) -> bool:
        """Keep the open file of that path, made of these pieces; nobody is to write to it any more, and nobody can.

        One of these pieces that is there gives way: the new one has just been written. False where the file system has
        no such links, or does not give one.
        """
        name, draft = _name_of(chunks), f"{secrets.token_hex(8)}{DRAFT}"
        try:
            with folder_of(self._root, *_PLACE, create=True) as folder:
                try:
                    os.link(path, draft, dst_dir_fd=folder, follow_symlinks=False)
                    about = os.fstat(handle)
                    if not os.path.samestat(os.stat(draft, dir_fd=folder, follow_symlinks=False), about):
                        return False
                    os.fchmod(handle, stat.S_IMODE(about.st_mode) & ~0o222)
                    os.utime(handle)
                    if durable:
                        os.fsync(handle)
                    objects.write(folder, name + _INDEX, _text(chunks), durable)
                    os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
                finally:  # to rename a link to another one of the same file does nothing
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(draft, dir_fd=folder)
                if durable:
                    os.fsync(folder)
        except (OSError, NotImplementedError):
            return False
        with self._lock:
            self._learn(name, chunks)
        return True

    def lend(self, chunks: Chunks, target: Path) -> bool:
        """Give the file of exactly these pieces another name; whether that could be done."""
        try:
            with folder_of(self._root, *_PLACE) as folder:
                os.link(_name_of(chunks), target, src_dir_fd=folder, follow_symlinks=False)
        except (OSError, NotImplementedError):
            return False
        return True

    def has(self, chunks: Chunks) -> bool:
        """Whether there is a file of exactly these pieces; it is touched, so that no `gc` takes it soon."""
        return self._is_there(_name_of(chunks), sum(size for _, size in chunks))

    @contextlib.contextmanager
    def open(self, chunks: Chunks) -> Iterator[int | None]:
        """The open file of exactly these pieces, as long as they are; None where there is none."""
        with contextlib.ExitStack() as stack:
            handle = None
            with contextlib.suppress(OSError):
                handle = stack.enter_context(self._open(_name_of(chunks)))
                if os.fstat(handle).st_size != sum(size for _, size in chunks):
                    handle = None
            yield handle

    def has_piece(self, name: str, size: int) -> bool:
        """Whether a file has the piece of that name; it is touched."""
        return any(self._is_there(file, start + size) for file, start in self._find(name, size))

    def pieces(self, name: str, size: int) -> Iterator[bytes]:
        """What should be the piece of that name, from each file that has it, for the caller to verify."""
        for file, start in self._find(name, size):
            with contextlib.suppress(OSError), self._open(file) as handle:
                yield os.pread(handle, size, start)

    def holds(self, name: str, data: memoryview | bytes) -> bool:
        """Whether a file has these bytes, which are the piece of that name; it is touched."""
        return any(found == data for found in self.pieces(name, len(data))) and self.has_piece(name, len(data))

    def all(self) -> list[Whole]:
        """Every file whose pieces are known. Raises OSError, StoreProblem."""
        self._refresh()
        found = []
        with contextlib.suppress(FileNotFoundError), folder_of(self._root, *_PLACE) as folder:
            for name, chunks in list(self._known.items()):
                with contextlib.suppress(FileNotFoundError):
                    about = os.stat(name, dir_fd=folder, follow_symlinks=False)
                    found.append(Whole(name, chunks, about.st_size, about.st_mtime))
        return found

    def remove(self, name: str, before: float) -> bool:
        """Remove a file unless it was touched since `before`. Raises StoreProblem."""
        try:
            with folder_of(self._root, *_PLACE) as folder:
                if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime > before:
                    return False
                os.unlink(name, dir_fd=folder)
                os.unlink(name + _INDEX, dir_fd=folder)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise objects.unwritable(self._root, error) from None
        return True

    def remove_strays(self, before: float, dry: bool) -> int:
        """Remove what writers left that were killed, and not touched since: how many files. Raises OSError."""
        gone = 0
        with contextlib.suppress(FileNotFoundError), folder_of(self._root, *_PLACE) as folder:
            names = set(os.listdir(folder))  # noqa: PTH208 - an open folder
            for name in names:
                alone = name.endswith(_INDEX) and name.removesuffix(_INDEX) not in names
                alone |= bool(_NAME.fullmatch(name)) and name + _INDEX not in names
                if not alone and not name.endswith(DRAFT):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime <= before:
                        gone += 1
                        if not dry:
                            os.unlink(name, dir_fd=folder)
        return gone

    def _find(self, name: str, size: int) -> list[tuple[str, int]]:
        """The files that have a piece, and where it begins in each."""
        if (name, size) not in self._places:
            self._refresh()
        return list(self._places.get((name, size), {}).items())

    def _refresh(self) -> None:
        """Learn of files that came, and forget those that went, since the folder was last looked at."""
        try:
            with self._lock, folder_of(self._root, *_PLACE) as folder:
                changed = os.fstat(folder).st_mtime_ns
                if changed == self._listed:
                    return
                there = set(filter(_NAME.fullmatch, os.listdir(folder)))  # noqa: PTH208 - an open folder
                for name in self._known.keys() - there:
                    self._forget(name)
                for name in there - self._known.keys():
                    with contextlib.suppress(OSError, ValueError, TypeError):
                        text = objects.read(folder, name + _INDEX, _LARGEST_INDEX)
                        chunks = tuple((str(piece), int(size)) for piece, size in json.loads(text))
                        if name == _name_of(chunks) and all(0 < size <= objects.PIECE for _, size in chunks):
                            self._learn(name, chunks)
                self._listed = changed if time.time_ns() - changed > _TICK else -1
        except OSError:
            self._known, self._places, self._listed = {}, {}, -1

    def _learn(self, name: str, chunks: Chunks) -> None:
        self._known[name] = chunks
        start = 0
        for chunk in chunks:
            self._places.setdefault(chunk, {}).setdefault(name, start)
            start += chunk[1]

    def _forget(self, name: str) -> None:
        for chunk in set(self._known.pop(name)):
            self._places[chunk].pop(name)
            if not self._places[chunk]:
                del self._places[chunk]

    def _is_there(self, name: str, least: int) -> bool:
        """Whether a file is there and at least that long; it is touched."""
        try:
            with folder_of(self._root, *_PLACE) as folder:
                return objects.touch(folder, name) >= least
        except OSError:
            return False

    @contextlib.contextmanager
    def _open(self, name: str) -> Iterator[int]:
        with folder_of(self._root, *_PLACE) as folder, objects.open_plain(folder, name) as handle:
            yield handle


def _text(chunks: Chunks) -> bytes:
    return json.dumps(chunks).encode()


def _name_of(chunks: Chunks) -> str:
    return hashlib.sha256(_text(chunks)).hexdigest()
