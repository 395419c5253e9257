"""A second place for snapshots: a folder (a volume of the cluster), or a URL that fsspec knows.

There also the snapshot of a step that failed arrives, whose artifacts KFP does not upload. The file lies as in KFP's
own root, `PIPELINE/RUN/TASK/EXECUTION/PORT`, so that the place can be read like one.
"""

from __future__ import annotations

import os
import sys

from . import contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def copy(path: str, uri: str, place: str) -> None:
    """Copy the snapshot at `path`, whose artifact is `uri`, to the place. A failure is a warning."""
    key = "/".join(uri.partition("://")[2].split("/")[-5:]) or "/".join(uri.split("/")[-3:])
    target = place.rstrip("/") + "/" + key
    try:
        with open(path, "rb") as source:
            if "://" in place:
                import fsspec

                with fsspec.open(target, "wb") as file:
                    _pump(source, file)
                return
            contract.make_folder(target)
            draft = f"{target}.{os.getpid()}.part"
            with open(draft, "xb") as file:
                _pump(source, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, target)
    except Exception as error:  # of any file system: the step's own result is what counts
        print(f"kalec: warning: the snapshot is not copied to {place}: {error}", file=sys.stderr)


def _pump(source: Any, target: Any) -> None:
    while True:
        piece = source.read(1 << 20)
        if not piece:
            return
        target.write(piece)
