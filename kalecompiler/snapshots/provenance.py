"""Who ran what, where, from which commit; and what a step's process was seen to open."""

from __future__ import annotations

import getpass
import json
import os
import platform
import socket
import subprocess
from pathlib import Path
from typing import Any

from kalecompiler.version import VERSION

_SECONDS = 5


def of(notebook: Path | None) -> dict[str, Any]:
    """The fields of a run's record that say so."""
    versions = {"kalecompiler": VERSION, "python": platform.python_version()}
    git = commit(notebook) if notebook is not None else {}
    return {"user": user(), "host": host(), "versions": versions, "git": git}


def host() -> str:
    """The name of this machine."""
    return socket.gethostname()


def user() -> str:
    """The user's name, or number where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return str(os.getuid()) if hasattr(os, "getuid") else ""


def commit(notebook: Path) -> dict[str, Any]:
    """The git commit that a file belongs to, and whether it was changed since; {} where there is none."""
    folder = notebook.absolute().parent
    head = _git(folder, "rev-parse", "HEAD")
    if not head:
        return {}
    changed = _git(folder, "status", "--porcelain", "--", notebook.name)
    return {"commit": head, "dirty": bool(changed)}


def traces(path: Path) -> dict[str, Any]:
    """What a step's process reported; {} where it did not, or was killed."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *words], cwd=folder, capture_output=True, timeout=_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace").strip()
