"""A file system for fsspec, `faulty://`, in memory, that fails at its n-th call, or from then on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

if TYPE_CHECKING:
    from typing_extensions import Self


class Faults:
    """When calls fail: the next `left`-th one, and with `on` all after it."""

    left: int | None = None
    on = False
    made = 0

    @classmethod
    def call(cls) -> None:
        cls.made += 1
        if cls.left is None:
            return
        cls.left -= 1
        if cls.left == 0 or (cls.on and cls.left < 0):
            raise OSError("the bucket is on fire")


class _File:
    """An open file each of whose reads and writes is a call."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def read(self, size: int = -1) -> bytes:
        Faults.call()
        return bytes(self.file.read(size))

    def write(self, data: bytes) -> int:
        Faults.call()
        return int(self.file.write(data))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """As that of fsspec's own files, this publishes what was written so far."""
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


class Faulty(MemoryFileSystem):
    """Every request to the store is a call."""

    protocol = "faulty"
    store: dict[str, Any] = {}  # noqa: RUF012 - as in fsspec
    pseudo_dirs = [""]  # noqa: RUF012
    cachable = False

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return super()._strip_protocol(path.replace("faulty://", "memory://") if isinstance(path, str) else path)

    def unstrip_protocol(self, name: str) -> str:
        return f"faulty://{self._strip_protocol(name)}"

    def ls(self, path: str, detail: bool = True, **more: Any) -> Any:
        Faults.call()
        return super().ls(path, detail, **more)

    def info(self, path: str, **more: Any) -> Any:
        Faults.call()
        return super().info(path, **more)

    def cat_file(self, path: str, *more: Any, **named: Any) -> Any:
        Faults.call()
        return super().cat_file(path, *more, **named)

    def open(self, path: str, mode: str = "rb", *more: Any, **named: Any) -> Any:
        Faults.call()
        return _File(super().open(path, mode, *more, **named))

    def rm_file(self, path: str) -> None:
        Faults.call()
        super().rm_file(path)


@contextmanager
def bucket() -> Iterator[type[Faulty]]:
    """The file system, empty, known to fsspec."""
    fsspec.register_implementation("faulty", Faulty, clobber=True)
    Faulty.store.clear()
    Faulty.pseudo_dirs[:] = [""]
    Faults.left = None
    yield Faulty
    Faults.left = None
    Faulty.store.clear()


def every_failure(work: Callable[[], bool], most: int = 60) -> Iterator[int]:
    """Let `work` fail at its first call, its second ... until it made none that failed; gives the number before each.

    `work` says whether it went well.
    """
    for number in range(1, most):
        Faults.left = number
        well = work()
        left, Faults.left = Faults.left, None
        yield number
        if left is not None and left > 0:
            assert well
            return
    raise AssertionError(f"it still fails at call {most}")
