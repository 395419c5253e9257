"""The files of a store: each is kept as pieces, or as it is where nearly all of it is new, and comes back verified."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import mmap
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from kalecompiler.snapshots import cutting
from kalecompiler.snapshots.copies import Copies
from kalecompiler.snapshots.manifest import FileRef
from kalecompiler.snapshots.objects import Objects, StoreProblem, is_piece
from kalecompiler.snapshots.wholes import Chunks, Wholes

_THREADS = 2
_READERS = min(4, os.cpu_count() or 1)
"""A notebook waits for what is read; a run goes on beside what is written."""
_LARGE = 4 << 20
# A file that is kept as it is takes its whole room, whatever of it the store had.
_NEW = 0.75
Memory = TypeVar("Memory", bound=mmap.mmap)


@dataclass(frozen=True, slots=True)
class Files:
    """The files below the folder `path`. `durable`: every object is flushed to the disk, and not only what names it.

    `written` has the sizes of what was new.
    """

    path: Path
    durable: bool = False
    written: list[int] = field(default_factory=list, compare=False)
    wholes: Wholes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "wholes", Wholes(self.path))

    @property
    def objects(self) -> Objects:
        """The pieces of files; one that is missing or damaged is taken from the folder of a run that has a copy."""
        return replace(self.plain, copies=self._copies())

    @property
    def plain(self) -> Objects:
        """The pieces of files as they lie there."""
        return Objects(self.path, self.wholes, self.durable, self.written)

    def _copies(self) -> Copies | None:
        return None

    def put_file(self, path: Path, digest: str = "", share: bool = False) -> FileRef:
        """Keep a file; `digest` is what its artifact's metadata says. Raises StoreProblem, OSError for the file.

        With `share` the file is one that nobody writes to any more: where nearly all of a large one is new, the store
        has the same file, under a name of its own.
        """
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not size:
                return FileRef(0, digest or cutting.digest_of(memoryview(b"")))
            view = memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ))
            large = share and size >= _LARGE
            return self._put(view, digest, lambda chunks: large and self._share(path, file.fileno(), chunks))

    def put_bytes(self, data: memoryview | bytes, digest: str = "") -> FileRef:
        """Keep bytes as a file; `digest`, if any, must have been found to be theirs. Raises StoreProblem."""
        return self._put(memoryview(data), digest, lambda chunks: False)

    def _put(self, view: memoryview, digest: str, shared: Callable[[Chunks], bool]) -> FileRef:
        parts, chunks = _cut(view, digest)
        if not shared(chunks):
            once = {name: part for (name, _), part in zip(chunks, parts, strict=True)}
            _each(self.objects.put, list(once.values()), list(once))
        return FileRef(len(view), digest or cutting.digest_of(view), chunks)

    def _share(self, path: Path, handle: int, chunks: Chunks) -> bool:
        """Keep an open file as it is, if that is worth it and can be done."""
        has = self.plain.has
        new = [size for name, size in dict(chunks).items() if not has(name, size)]
        if sum(new) < _NEW * sum(size for _, size in chunks) and not self.wholes.has(chunks):
            return False
        if not self.wholes.keep(path, handle, chunks, self.durable):
            return False
        self.written.extend(new)
        return True

    def mend(self, needed: Collection[str], before: float) -> int:
        """Write the indexes anew of files that are kept as they are and lost them.

        Those of which nobody knows what they were are removed, but for `needed` ones and what was touched since: how
        many. Raises StoreProblem.
        """
        gone = 0
        for name in self.wholes.without_index():
            chunks: Chunks = ()
            try:
                with self.wholes.open_named(name) as handle:
                    chunks = _cut(memoryview(mmap.mmap(handle, 0, access=mmap.ACCESS_READ)))[1]
            except PermissionError:  # another user's
                continue
            except (OSError, ValueError):  # it is empty, or no file
                pass
            if not self.wholes.mend(name, chunks) and name not in needed:
                gone += self.wholes.remove(name, before)
        return gone

    def pieces(self, ref: FileRef) -> Iterator[bytes]:
        """The pieces of a file, each verified. Raises StoreProblem."""
        get = self.objects.get
        for name, size in ref.chunks:
            yield get(name, size)

    def read(self, ref: FileRef) -> bytes:
        """A whole file, verified. Raises StoreProblem."""
        return b"".join(self.pieces(ref))

    def get_file(self, ref: FileRef, target: Path, share: bool = False) -> None:
        """Write a file out, verified, whole or not at all. Raises StoreProblem, OSError for the target.

        With `share`, where nobody is to write to it, a large one may be the store's own, under another name.
        """
        if share and self._is_as_written(ref) and self.wholes.lend(ref.chunks, target):
            return
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:50]}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines(self.pieces(ref))
            Path(name).chmod(0o644)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def open_file(self, ref: FileRef, kind: type[Memory]) -> tuple[Memory, int]:
        """A file, verified, in memory of that kind that may be written to; and how much of it is a copy.

        What comes behind that is the file itself, mapped: whoever may write to it can still change what was not
        written to here. Of a value the pickles are copied at least. Raises StoreProblem.
        """
        if not ref.size or ref.size != sum(size for _, size in ref.chunks):
            raise StoreProblem(f"a file of {ref.size} bytes has pieces of another size: its manifest is damaged")
        memory = self._mapped(ref, kind)
        is_mapped = memory is not None
        try:
            memory = memory or kind(-1, ref.size, access=mmap.ACCESS_COPY)
        except (OSError, OverflowError, MemoryError):
            raise StoreProblem(f"there is no memory for a value of {ref.size} bytes") from None
        if not is_mapped and ref.size > _LARGE and hasattr(mmap, "MADV_HUGEPAGE"):
            with contextlib.suppress(OSError):  # a kernel without: page by page takes three times as long
                memory.madvise(mmap.MADV_HUGEPAGE)
        view = memoryview(memory)
        copied = cutting.end_of_pickles(view) if is_mapped else ref.size
        if is_mapped:
            view[:copied] = bytes(view[:copied])  # its pages are this process's own from now on
        names, parts = _laid_out(view, ref)
        with self.objects.reader() as read:

            def fill(name: str, part: memoryview) -> None:
                if not is_mapped or not is_piece(name, part):
                    read(name, part)

            _each(fill, names, parts, _READERS)
        return memory, copied

    def _mapped(self, ref: FileRef, kind: type[Memory]) -> Memory | None:
        """A file that is kept as it is, mapped, not verified; None for another.

        None also where half of the files are open that a process may have: what is mapped holds one as long as it is.
        """
        with self.wholes.open(ref.chunks) as handle, contextlib.suppress(OSError, ValueError):
            if handle is not None:
                os.close(number := os.dup(handle))  # as the mapping does
                if 2 * number < os.sysconf("SC_OPEN_MAX"):
                    return kind(handle, ref.size, access=mmap.ACCESS_COPY)
        return None

    def _is_as_written(self, ref: FileRef) -> bool:
        """Whether a file is kept as it is, and still what it was: all of it is read."""
        with self.wholes.open(ref.chunks) as handle:
            if handle is None or os.fstat(handle).st_size != ref.size:
                return False
            view = memoryview(mmap.mmap(handle, ref.size, access=mmap.ACCESS_READ))
        return all(_each(is_piece, *_laid_out(view, ref), _READERS))

    def has(self, ref: FileRef) -> bool:
        """Whether all pieces of a file are there, which are touched; none is read but to put it back."""
        has = self.objects.has
        return (ref.size >= _LARGE and self.wholes.has(ref.chunks)) or all(has(name, size) for name, size in ref.chunks)

    def is_whole(self, ref: FileRef) -> bool:
        """Whether all pieces of a file are there as they were written: all are read."""
        plain = self.plain
        try:
            return all(plain.get(name, size) is not None for name, size in ref.chunks)
        except StoreProblem:
            return False


def _cut(view: memoryview, digest: str = "") -> tuple[list[memoryview], Chunks]:
    """The pieces of a file; a digest that was verified saves the hashing of most."""
    parts = list(cutting.pieces(view))
    known = cutting.known(view, digest)
    starts = itertools.accumulate(map(len, parts[:-1]), initial=0)
    told = [known.get((start, len(part)), "") for start, part in zip(starts, parts, strict=False)]
    names = _each(lambda part, name: name or hashlib.sha256(part).hexdigest(), parts, told)
    return parts, tuple(zip(names, map(len, parts), strict=True))


def _laid_out(view: memoryview, ref: FileRef) -> tuple[list[str], list[memoryview]]:
    """The names of a file's pieces, and where each lies in it."""
    ends = itertools.accumulate(size for _, size in ref.chunks)
    places = zip(ref.chunks, ends, strict=True)
    return [name for name, _ in ref.chunks], [view[end - size : end] for (_, size), end in places]


def _each(work: Callable[..., Any], first: Sequence[Any], second: Sequence[Any], threads: int = _THREADS) -> list[Any]:
    """What work gives for each pair, by threads where there are many; it waits for the others where one fails."""
    if len(first) < 4:
        return list(map(work, first, second))
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, first, second))
