"""Large files that a store keeps as their writer left them, by a hard link: no byte of them is copied.

    objects/files/ID          the file
    objects/files/ID.pieces   [[name, bytes], ...], the pieces of which it is made; ID is the sha256 of this text
Whoever looks for a piece finds it here as well; as everywhere, its sha256 decides whether it is that piece. Whoever
knows all pieces of a file finds it without its index.
"""

from __future__ import annotations

import contextlib
import functools
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
_CHUNK = re.compile(r'"([0-9a-f]{64})", ([1-9][0-9]{0,6})\]')
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
        self._indexes: dict[str, str] = {}  # of each file
        self._holders: dict[str, tuple[str, ...]] = {}  # of each piece: the files that have it

    def __reduce__(self) -> tuple[type[Wholes], tuple[Path]]:
        return Wholes, (self._root,)  # another process finds out for itself

    def keep(self, path: Path, handle: int, chunks: Chunks, durable: bool) -> bool:
        """Keep the open file of that path, made of these pieces; nobody is to write to it any more (root still could).

        One of these pieces that is there gives way: the new one has just been written. False where the file system has
        no such links, or does not give one.
        """
        name, text = name_of(chunks), _text(chunks)
        now, draft = time.time(), f"{secrets.token_hex(8)}{DRAFT}"
        try:
            with folder_of(self._root, *_PLACE, create=True) as folder:
                try:
                    os.link(path, draft, dst_dir_fd=folder, follow_symlinks=False)
                    about = os.fstat(handle)
                    if not os.path.samestat(os.stat(draft, dir_fd=folder, follow_symlinks=False), about):
                        return False
                    os.fchmod(handle, stat.S_IMODE(about.st_mode) & ~0o222)
                    os.utime(handle, (now, now))  # the system's own clock is a few milliseconds behind
                    if durable:
                        os.fsync(handle)
                    objects.write(folder, name + _INDEX, text, durable)
                    os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
                finally:  # to rename a link to another one of the same file does nothing
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(draft, dir_fd=folder)
                if durable:
                    os.fsync(folder)
        except (OSError, NotImplementedError):
            return False
        with self._lock:
            self._learn(name, text.decode())
        return True

    def lend(self, chunks: Chunks, target: Path) -> bool:
        """Give the file of exactly these pieces another name; whether that could be done."""
        try:
            with folder_of(self._root, *_PLACE) as folder:
                os.link(name_of(chunks), target, src_dir_fd=folder, follow_symlinks=False)
        except (OSError, NotImplementedError):
            return False
        return True

    def has(self, chunks: Chunks) -> bool:
        """Whether there is a file of exactly these pieces; it is touched, so that no `gc` takes it soon."""
        return self._is_there(name_of(chunks), sum(size for _, size in chunks))

    @contextlib.contextmanager
    def open(self, chunks: Chunks) -> Iterator[int | None]:
        """The open file of exactly these pieces, as long as they are; None where there is none."""
        with contextlib.ExitStack() as stack:
            handle = None
            with contextlib.suppress(OSError):
                handle = stack.enter_context(self.open_named(name_of(chunks)))
                if os.fstat(handle).st_size != sum(size for _, size in chunks):
                    handle = None
            yield handle

    def has_piece(self, name: str, size: int) -> bool:
        """Whether a file has the piece of that name; it is touched."""
        return any(self._is_there(file, start + size) for file, start in self._find(name, size))

    def pieces(self, name: str, size: int) -> Iterator[bytes]:
        """What should be the piece of that name, from each file that has it, for the caller to verify."""
        for file, start in self._find(name, size):
            with contextlib.suppress(OSError), self.open_named(file) as handle:
                yield os.pread(handle, size, start)

    def holds(self, name: str, data: memoryview | bytes) -> bool:
        """Whether a file has these bytes, which are the piece of that name; it is touched."""
        return any(found == data for found in self.pieces(name, len(data))) and self.has_piece(name, len(data))

    def all(self) -> Iterator[Whole]:
        """Every file whose pieces are known. Raises OSError, StoreProblem."""
        self._refresh()
        for name, index in list(self._indexes.items()):
            with contextlib.suppress(FileNotFoundError), folder_of(self._root, *_PLACE) as folder:
                about = os.stat(name, dir_fd=folder, follow_symlinks=False)
                yield Whole(name, _chunks(index), about.st_size, about.st_mtime)

    def without_index(self) -> list[str]:
        """The names of files that have no index, or not their own. Raises StoreProblem."""
        self._refresh()
        return [name for name in self._names() if _NAME.fullmatch(name) and name not in self._indexes]

    def mend(self, name: str, chunks: Chunks) -> bool:
        """Write the index of a file that lost it, if these are its pieces: whether they are."""
        if name != name_of(chunks):
            return False
        with contextlib.suppress(OSError), folder_of(self._root, *_PLACE) as folder:  # the disk may be full
            objects.write(folder, name + _INDEX, _text(chunks), True)
        return True

    def remove(self, name: str, before: float) -> bool:
        """Remove a file unless it was touched since `before`. Raises StoreProblem."""
        try:
            with folder_of(self._root, *_PLACE) as folder:
                if objects.remove(folder, name, before) is None:
                    return False
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name + _INDEX, dir_fd=folder)
        except OSError as error:
            raise objects.unwritable(self._root, error) from None
        return True

    def remove_strays(self, before: float, dry: bool) -> int:
        """Remove what writers left that were killed, and not touched since: how many files. Raises StoreProblem."""
        gone = 0
        names = set(self._names())
        for name in names:
            if name.endswith(DRAFT) or (name.endswith(_INDEX) and name.removesuffix(_INDEX) not in names):
                gone += self._remove_stray(name, before, dry)
        return gone

    def _remove_stray(self, name: str, before: float, dry: bool) -> bool:
        try:
            with contextlib.suppress(FileNotFoundError), folder_of(self._root, *_PLACE) as folder:
                if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime <= before:
                    return dry or objects.remove(folder, name, before) is not None
        except OSError as error:
            raise objects.unwritable(self._root, error) from None
        return False

    def _names(self) -> list[str]:
        try:
            with folder_of(self._root, *_PLACE) as folder:
                return os.listdir(folder)  # noqa: PTH208 - an open folder
        except OSError:
            return []

    def _find(self, name: str, size: int) -> list[tuple[str, int]]:
        """The files that have a piece, and where it begins in each."""
        self._refresh()
        starts = ((file, _starts(self._indexes.get(file, ""))) for file in self._holders.get(name, ()))
        return [(file, found[name, size]) for file, found in starts if (name, size) in found]

    def _refresh(self) -> None:
        """Learn of files that came, and forget those that went, since the folder was last looked at."""
        try:
            with self._lock, folder_of(self._root, *_PLACE) as folder:
                changed = os.fstat(folder).st_mtime_ns
                if changed == self._listed:
                    return
                there = set(filter(_NAME.fullmatch, os.listdir(folder)))  # noqa: PTH208 - an open folder
                for name in self._indexes.keys() - there:
                    self._forget(name)
                for name in there - self._indexes.keys():
                    with contextlib.suppress(OSError):
                        text = objects.read(folder, name + _INDEX, _LARGEST_INDEX)
                        if hashlib.sha256(text).hexdigest() == name:
                            self._learn(name, text.decode("ascii", "replace"))
                self._listed = changed if time.time_ns() - changed > _TICK else -1
        except OSError:
            self._indexes, self._holders, self._listed = {}, {}, -1

    def _learn(self, name: str, index: str) -> None:
        self._indexes[name] = index
        alone = (name,)  # nearly all pieces of a file are of this one only
        for piece in _NAME.findall(index):
            others = self._holders.setdefault(piece, alone)
            if name not in others:
                self._holders[piece] = (*others, name)

    def _forget(self, name: str) -> None:
        for piece in set(_NAME.findall(self._indexes.pop(name))):
            others = tuple(file for file in self._holders.pop(piece) if file != name)
            if others:
                self._holders[piece] = others

    def _is_there(self, name: str, least: int) -> bool:
        """Whether a file is there and at least that long; it is touched."""
        try:
            with folder_of(self._root, *_PLACE) as folder:
                return objects.touch(folder, name) >= least
        except OSError:
            return False

    @contextlib.contextmanager
    def open_named(self, name: str) -> Iterator[int]:
        """The open file of that name. Raises OSError."""
        with folder_of(self._root, *_PLACE) as folder, objects.open_plain(folder, name) as handle:
            yield handle


def _text(chunks: Chunks) -> bytes:
    return json.dumps(chunks).encode()


def _chunks(index: str) -> Chunks:
    """The pieces that an index tells of; whatever it holds, this gives some."""
    return tuple((piece, int(size)) for piece, size in _CHUNK.findall(index))


@functools.lru_cache(maxsize=16)
def _starts(index: str) -> dict[tuple[str, int], int]:
    """Where each piece of a file begins."""
    found: dict[tuple[str, int], int] = {}
    start = 0
    for chunk in _chunks(index):
        found.setdefault(chunk, start)
        start += chunk[1]
    return found


def name_of(chunks: Chunks) -> str:
    """The name of the file of these pieces."""
    return hashlib.sha256(_text(chunks)).hexdigest()
