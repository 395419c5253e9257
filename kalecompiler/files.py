"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def write_atomic(path: Path, data: str | bytes) -> None:
    """Write `data` (text as UTF-8) to `path`: a temporary file beside it, fsync, rename.

    A link is followed, and the mode of a file that was there before is kept; what is no ordinary file (/dev/null, a
    pipe) is written to as it is, never replaced.

    Raises OSError; the file that was there before is then untouched, and the temporary one is gone.
    """
    raw = data.encode("utf-8") if isinstance(data, str) else data
    if path.exists() and not path.is_file():
        path.write_bytes(raw)
        return
    path = Path(os.path.realpath(path))
    mode = _mode(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)  # Windows has no fchmod
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _mode(path: Path) -> int:
    """The mode to write a file with. Raises PermissionError where there is one that may not be written."""
    if not path.exists():
        return 0o666 & ~_umask()
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return path.stat().st_mode & 0o7777


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
