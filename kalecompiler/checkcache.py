"""What a check found, kept for the next run: keyed on content, settings and version, and on what was looked at.

One small JSON file a notebook: safe under parallel runs, as files are put in place whole; one that is damaged counts
as none. Nothing in it is executed.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kalecompiler import watch
from kalecompiler.diagnostics import RULES, Diagnostic
from kalecompiler.model import Location
from kalecompiler.version import VERSION

NAME = ".kalec_cache"
_OLD = 30 * 24 * 3600
_DAY = 24 * 3600
_IGNORE = "# Made by `kalec check`; it may be removed at any time.\n*\n"

Content = Mapping[str, Any]


class Cache:
    """The results in a folder; everything that goes wrong with it is as if it were empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state: Callable[[str, str | None], str] = functools.cache(watch.state)

    def get(self, key: str) -> Content | None:
        """What was found under this key, if nothing that it depends on has changed since."""
        try:
            with open(self._file(key), encoding="utf-8") as file:  # noqa: PTH123 - one for each notebook
                entry = json.load(file)
            watched, content = entry["watched"], entry["content"]
            if entry["key"] != key or any(self._state(path, names) != state for path, names, state in watched):
                return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return content if isinstance(content, dict) else None

    def put(self, key: str, content: Content, watched: watch.Watched) -> None:
        """Keep what was found, with the state of what was looked at."""
        states = sorted(((path, names, state) for (path, names), state in watched.items()), key=str)
        file = self._file(key)
        with contextlib.suppress(OSError):
            file.parent.mkdir(exist_ok=True)
            _write(file, json.dumps({"key": key, "watched": states, "content": content}))

    def prepare(self) -> None:
        """Make the folder, and once a day remove what nobody has asked for since a month."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            mark = self._folder / ".gitignore"
            if not mark.exists():
                _write(mark, _IGNORE)
            elif time.time() - mark.stat().st_mtime > _DAY:
                os.utime(mark)
                for file in self._folder.glob("*/*.json"):
                    if time.time() - file.stat().st_mtime > _OLD:
                        file.unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key[2:]}.json"


def key_of(*parts: str | bytes) -> str:
    """The key for a content and settings, in this version of kalecompiler, Python and its installed packages."""
    digest = hashlib.sha256(_surroundings())
    for part in parts:
        raw = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


@functools.cache
def _surroundings() -> bytes:
    """What the answer depends on beside notebook and settings: our own code, Python, packages, the environment."""
    own = Path(__file__).parent
    code = [(str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in own.rglob("*.py")]
    installed = [(path, _mtime(path)) for path in sys.path]
    environment = sorted((name, value) for name, value in os.environ.items() if name.startswith("KALEC_"))
    return repr((VERSION, sys.version, sorted(code), installed, environment)).encode("utf-8", "surrogateescape")


def _mtime(path: str) -> int:
    """When something was last installed into or removed from a folder; 0 for none, and for one's own current folder."""
    try:
        return os.stat(path).st_mtime_ns if "site-packages" in path or "dist-packages" in path else 0  # noqa: PTH116
    except OSError:
        return 0


def _write(file: Path, text: str) -> None:
    """Put a file in place as a whole. It need not survive a power failure: a broken one is made anew."""
    handle, name = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    Path(name).replace(file)


def folder_for(root: Path) -> Path:
    """Where results are kept: `KALEC_CACHE_DIR`, else beside the project's pyproject.toml, else with the user's own."""
    if given := os.environ.get("KALEC_CACHE_DIR"):
        return Path(given)
    if (root / "pyproject.toml").is_file():
        return root / NAME
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - never raises
    return Path(base) / "kalecompiler" / "check"


def as_data(diagnostic: Diagnostic) -> dict[str, Any]:
    """A finding as plain data."""
    location = {key: value for key, value in asdict(diagnostic.location).items() if value not in (None, ())}
    return {"code": diagnostic.rule.code, "message": diagnostic.message, "hint": diagnostic.hint, "at": location}


def from_data(raw: Mapping[str, Any]) -> Diagnostic:
    """The finding again. Raises KeyError or TypeError for data that is damaged."""
    at = raw["at"]
    location = Location(**(at | {"key": tuple(at.get("key", ()))}))
    return Diagnostic(RULES[raw["code"]], raw["message"], location, raw["hint"])
