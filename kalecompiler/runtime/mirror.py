"""A second place for snapshots: a folder (a volume of the cluster), or a URL that fsspec knows.

There also the snapshot of a step that failed arrives, whose artifacts KFP does not upload. The file lies as in KFP's
own root, `PIPELINE/RUN/TASK/EXECUTION/PORT`, so that the place can be read like one. It is there whole, or not at all.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys

from . import contract


def copy(path: str, uri: str, place: str) -> None:
    """Copy the snapshot at `path`, whose artifact is `uri`, to the place. A failure is a warning."""
    key = "/".join(uri.partition("://")[2].split("/")[-5:]) or "/".join(uri.split("/")[-3:])
    scheme, _, rest = place.rpartition("://")
    try:
        if scheme in ("", "file"):
            _to_folder(path, rest.rstrip("/") + "/" + key)
        else:
            _to_url(path, place.rstrip("/") + "/" + key)
    except Exception as error:  # of any file system: the step's own result is what counts
        reason = str(error) or type(error).__name__
        print(f"kalec: warning: the snapshot is not copied to {place}: {reason}", file=sys.stderr)


def _to_folder(path: str, target: str) -> None:
    contract.make_folder(target)
    draft = f"{target}.{os.getpid()}.part"
    try:
        with open(path, "rb") as source, open(draft, "xb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise


def _to_url(path: str, target: str) -> None:
    import fsspec

    system, name = fsspec.core.url_to_fs(target)
    try:
        system.put_file(path, name)
    except BaseException:
        # What was written of it may stand there under its name: not every file system forgets it.
        with contextlib.suppress(Exception):
            system.rm_file(name)
        raise
