"""Pieces of files, each under its sha256: written once however often they come, and verified whenever they are read.

Nothing here follows a symbolic link below the store's folder: whoever can plant one could make us write elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kalecompiler.diagnostics import UsageError

if TYPE_CHECKING:
    from kalecompiler.snapshots.copies import Copies
    from kalecompiler.snapshots.wholes import Wholes

PIECE = 1 << 20
"""No object is larger."""

_NAME = re.compile(r"[0-9a-f]{64}")
DRAFT = ".part"
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


class StoreProblem(UsageError):
    """The store, or what it holds, is not as it should be; names what, and the cure."""


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects below `root`: `objects/sha256/ab/cdef...`. `durable` ones are flushed to the disk one by one.

    A piece may also lie in one of the `wholes`. `written` has the sizes of those that were new. What is missing or
    damaged is taken from `copies`, if any, and put back.
    """

    root: Path
    wholes: Wholes
    durable: bool = False
    written: list[int] = field(default_factory=list, compare=False)
    copies: Copies | None = field(default=None, compare=False)

    def put(self, data: memoryview | bytes, name: str = "") -> str:
        """Keep a piece, and give its name; one that is there, and whole, is only touched. Raises StoreProblem.

        A name that is given must be its sha256: else nobody can read it.
        """
        name = name or hashlib.sha256(data).hexdigest()
        try:
            with self._folder(name, create=True) as folder:
                there = touch(folder, name[2:]) == len(data) and _holds(folder, name[2:], data)
                if not there and not self.wholes.holds(name, data):
                    write(folder, name[2:], data, self.durable)
                    self.written.append(len(data))
        except OSError as error:
            raise unwritable(self.root, error) from None
        return name

    def take_out(self, name: str, size: int) -> None:
        """Make a piece of one of the wholes a file of its own. Raises StoreProblem."""
        data = self._get(name, size)
        try:
            with self._folder(name, create=True) as folder:
                if not _holds(folder, name[2:], data):
                    write(folder, name[2:], data, self.durable)
        except OSError as error:
            raise unwritable(self.root, error) from None

    def get(self, name: str, size: int) -> bytes:
        """The piece of that name, verified. Raises StoreProblem where it is missing, damaged or no plain file."""
        try:
            return self._get(name, size)
        except StoreProblem:
            data = self._healed(name, size)
            if data is None:
                raise
            return data

    def _healed(self, name: str, size: int) -> bytes | None:
        """A piece from elsewhere, which is put back where that can be done; None where there is none."""
        data = self.copies.piece(name, size) if self.copies else None
        if data is not None:
            with contextlib.suppress(StoreProblem):  # it may be read all the same
                replace(self, durable=True, written=[], copies=None).put(data, name)
        return data

    def _get(self, name: str, size: int) -> bytes:
        place = f"the object {name} of {self.root}"
        if not _NAME.fullmatch(name):
            raise StoreProblem(f"{name[:80]!r} is not the name of an object")
        why = "is missing: run the step again, or import the run from where it is"
        damaged = "is damaged: `kalec verify` lists what it belongs to"
        for _ in range(2):  # `gc` may have taken it out of one of the wholes just after the first look
            try:
                with self._folder(name) as folder:
                    data = read(folder, name[2:], PIECE)
                    if len(data) == size and is_piece(name, data):
                        return data
                why = damaged
            except FileNotFoundError:
                pass
            except OSError as error:
                why = f"cannot be read: {_why(error)}"
            for found in self.wholes.pieces(name, size):
                if len(found) == size and is_piece(name, found):
                    return found
                why = damaged
        raise StoreProblem(f"{place} {why}")

    @contextlib.contextmanager
    def reader(self) -> Iterator[Callable[[str, memoryview], None]]:
        """What fills memory with the piece of a name, verified; threads may share it.

        It raises StoreProblem as `get` does. (The folder is opened once for all pieces: of a large value there are
        thousands.)
        """
        with contextlib.ExitStack() as stack:
            try:
                root = stack.enter_context(folder_of(self.root, "objects", "sha256"))
            except OSError:
                root = -1  # `get` says why

            def read(name: str, target: memoryview) -> None:
                if root < 0 or not _filled(root, name, target):
                    target[:] = self.get(name, len(target))  # which says what is wrong

            yield read

    def has(self, name: str, size: int) -> bool:
        """Whether a piece is there, by its name and length; it is touched, so that no `gc` takes it soon."""
        return self._has(name, size) or (self._healed(name, size) is not None and self._has(name, size))

    def _has(self, name: str, size: int) -> bool:
        is_alone = self._is_alone
        return is_alone(name, size) or self.wholes.has_piece(name, size) or is_alone(name, size)  # as `_get` looks

    def _is_alone(self, name: str, size: int) -> bool:
        try:
            with self._folder(name) as folder:
                return touch(folder, name[2:]) == size
        except OSError:
            return False

    def all(self) -> Iterator[tuple[str, int, float]]:
        """(name, bytes, time of the last touch) of every object."""
        for prefix, folder in self._folders():
            with os.scandir(folder) as entries:
                for entry in entries:
                    if _NAME.fullmatch(prefix + entry.name):
                        with contextlib.suppress(FileNotFoundError):
                            about = entry.stat(follow_symlinks=False)
                            yield prefix + entry.name, about.st_size, about.st_mtime

    def strays(self) -> Iterator[tuple[str, str, float]]:
        """(first two digits, file name, time) of what writers left that were killed."""
        for prefix, folder in self._folders():
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.endswith(DRAFT):
                        with contextlib.suppress(FileNotFoundError):
                            yield prefix, entry.name, entry.stat(follow_symlinks=False).st_mtime

    def remove(self, prefix: str, file: str, before: float) -> int:
        """Remove a file unless it was touched since `before` (seconds since 1970): the bytes that this gave back."""
        try:
            with self._folder(prefix) as folder:
                return remove(folder, file, before) or 0
        except OSError as error:
            raise unwritable(self.root, error) from None

    def _folders(self) -> Iterator[tuple[str, int]]:
        for number in range(256):
            with contextlib.suppress(FileNotFoundError), self._folder(f"{number:02x}") as folder:
                yield f"{number:02x}", folder

    @contextlib.contextmanager
    def _folder(self, name: str, create: bool = False) -> Iterator[int]:
        with folder_of(self.root, "objects", "sha256", name[:2], create=create) as found:
            yield found


@contextlib.contextmanager
def folder_of(root: Path, *names: str, create: bool = False) -> Iterator[int]:
    """An open folder below `root`, reached without following a link. Raises OSError, StoreProblem for a link."""
    handle = os.open(root, _FOLDER)
    done = root
    try:
        for name in names:
            done /= name
            inner = _open_folder(name, handle, done, create)
            os.close(handle)
            handle = inner
        yield handle
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and done.is_symlink():
            raise StoreProblem(f"{done} is a symbolic link, which a store must not have: remove it") from None
        raise
    finally:
        os.close(handle)


def _open_folder(name: str, parent: int, path: Path, create: bool) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except FileNotFoundError:
        if not create:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=parent)
    return os.open(name, _FOLDER, dir_fd=parent)


def write(folder: int, name: str, data: memoryview | bytes, durable: bool) -> None:
    """Write a file of an open folder, whole or not at all. Raises OSError."""
    draft = f"{secrets.token_hex(8)}{DRAFT}"
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _NO_LINK, 0o666, dir_fd=folder)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            if durable:
                os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft, dir_fd=folder)
        raise
    if durable:
        os.fsync(folder)


def read(folder: int, name: str, most: int) -> bytes:
    """The bytes of a plain file of an open folder, `most` + 1 at most. Raises OSError."""
    with open_plain(folder, name) as handle, open(handle, "rb", closefd=False) as file:
        return file.read(most + 1)


@contextlib.contextmanager
def open_plain(folder: int, name: str) -> Iterator[int]:
    """A plain file of an open folder, open for reading. Raises OSError."""
    handle = os.open(name, os.O_RDONLY | _NO_LINK | getattr(os, "O_NONBLOCK", 0), dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file")
        yield handle
    finally:
        os.close(handle)


def _filled(root: int, name: str, target: memoryview) -> bool:
    """Fill memory with a piece below the open folder of all; whether it is as it should be."""
    if not _NAME.fullmatch(name):
        return False
    try:
        folder = os.open(name[:2], _FOLDER, dir_fd=root)
        try:
            with open_plain(folder, name[2:]) as handle:
                whole = os.fstat(handle).st_size == len(target) == os.readv(handle, [target])
        finally:
            os.close(folder)
    except OSError:
        return False
    return whole and is_piece(name, target)


def touch(folder: int, name: str) -> int:
    """Touch a plain file of an open folder: how long it is, -1 where there is none."""
    try:
        about = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISREG(about.st_mode):
            return -1
        now = time.time()
        os.utime(name, (now, now), dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return -1
    except OSError as error:  # another user's object: it is old enough to be known; or no `gc` can write here either
        if error.errno not in (errno.EPERM, errno.EACCES, errno.EROFS):
            raise
    return about.st_size


def remove(folder: int, name: str, before: float) -> int | None:
    """Remove a file of an open folder: its bytes, or None where it was touched since `before` and stays, or is gone.

    Whoever means to rely on it touches it, and either does so in time, or finds it gone. Raises OSError.
    """
    gone = f"{secrets.token_hex(8)}{DRAFT}"
    with contextlib.suppress(FileNotFoundError):
        about = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if about.st_mtime <= before and not stat.S_ISDIR(about.st_mode):
            os.rename(name, gone, src_dir_fd=folder, dst_dir_fd=folder)
            about = os.stat(gone, dir_fd=folder, follow_symlinks=False)
            if about.st_mtime <= before:
                os.unlink(gone, dir_fd=folder)
                return about.st_size
            os.rename(gone, name, src_dir_fd=folder, dst_dir_fd=folder)
    return None


def is_piece(name: str, data: bytes | memoryview) -> bool:
    """Whether these bytes are the piece of that name."""
    return hashlib.sha256(data).hexdigest() == name


def _holds(folder: int, name: str, data: memoryview | bytes) -> bool:
    """Whether a file has these bytes: one that was damaged is written anew."""
    try:
        return read(folder, name, PIECE) == data
    except OSError:
        return False


def unwritable(root: Path, error: OSError) -> StoreProblem:
    """What to say where the store cannot be written."""
    cure = ": free some space, or run `kalec gc`" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return StoreProblem(f"the store {root} cannot be written: {_why(error)}{cure}")


def _why(error: OSError) -> str:
    return "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror or str(error)
