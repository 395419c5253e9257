"""Notes what a check looked at beside the notebook, so that a cached result can tell whether it still holds.

Whoever looks at a file or a folder says so just before; outside `watching` that costs nothing and does nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from contextvars import ContextVar

Watched = dict[tuple[str, str | None], str]
_watched: ContextVar[Watched | None] = ContextVar("_watched", default=None)


@contextlib.contextmanager
def watching() -> Iterator[Watched]:
    """Gather what is looked at meanwhile, as arguments of `state` -> the state that it was in."""
    watched: Watched = {}
    token = _watched.set(watched)
    try:
        yield watched
    finally:
        _watched.reset(token)


def seen(path: str | os.PathLike[str], names: str | None = None) -> None:
    """Note that a result depends on this file or folder, or on which names in this folder begin with `names`."""
    watched = _watched.get()
    if watched is None:
        return
    key = (os.path.abspath(path), names)
    if key not in watched:
        watched[key] = state(*key)


def state(path: str, names: str | None = None) -> str:
    """What tells whether something seen is as it was: a file's content, that a folder is there, the names in one."""
    try:
        if names is not None:
            return "/".join(sorted(name for name in os.listdir(path) if name.startswith(names)))  # noqa: PTH208
        with open(path, "rb") as file:  # noqa: PTH123 - half the time of Path.open, and this runs for each path
            return hashlib.sha256(file.read()).hexdigest()
    except IsADirectoryError:
        return "folder"
    except OSError as error:
        return f"none {error.errno}"
