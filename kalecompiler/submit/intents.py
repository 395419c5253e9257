"""The journal of intents: what makes a run begin at most once, even if this process dies at the worst moment.

An intent is written, and on the disk, before the request that begins a run. Its token is in the run's name, so that a
later submit of the same can look the run up. It is closed when the run's id is known.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO, Any

from kalecompiler.diagnostics import UsageError
from kalecompiler.wording import cause

if sys.platform != "win32":
    import fcntl

LONGEST_NAME = 128
"""Characters that a server takes in a name."""
_FOLDER = Path(".kalec") / "intents"


@dataclass(frozen=True, slots=True)
class Intent:
    """One run that is wanted: its name, with the token in it. `resumed`: an earlier submit left it open."""

    run_name: str
    resumed: bool
    path: Path

    def close(self) -> None:
        """The run is there, or will never be: forget the intent."""
        self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def intent(folder: Path, identity: Mapping[str, Any], base: str) -> Iterator[Intent]:
    """The intent to begin a run that `identity` describes: one left open by a process that died, or else a new one.

    Args:
        folder: where the notebook is; `.kalec/intents` is made in it, or where that cannot be, in the user's own state.
        identity: what makes two submits the same; only a digest of it is kept.
        base: the run's name without the token.

    Raises: UsageError where no intent can be written.
    """
    key = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()[:20]
    home = _home(folder.absolute())
    for number in count(1):
        path = home / f"{key}-{number}.json"
        file = _locked(path)
        if file is None:  # another process is at it
            continue
        with file:
            found = _read(file)
            name = found or f"{base}-{secrets.token_hex(4)}"
            if not found:
                _write(file, name)
            yield Intent(name, found is not None, path)
            return


def _home(folder: Path) -> Path:
    """The folder of the intents. Raises UsageError."""
    state = Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "kalecompiler" / "intents"
    own = state / hashlib.sha256(str(folder).encode()).hexdigest()[:20]
    for home in (folder / _FOLDER, own):
        with contextlib.suppress(OSError):
            home.mkdir(parents=True, exist_ok=True)
            ignore = folder / ".kalec" / ".gitignore"
            if home != own and not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
            if os.access(home, os.W_OK):
                return home
    raise UsageError(f"neither {folder / _FOLDER} nor {own} can be written: nothing is submitted without a note of it")


def _locked(path: Path) -> IO[str] | None:
    """The open file, locked; None where another process holds it."""
    while True:
        try:
            file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {cause(error)}") from None
        if sys.platform == "win32":
            return file
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        except OSError:  # a file system without locks: two at the same time are then one, which is the lesser evil
            return file
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                return file
        file.close()  # it was closed and removed between the two calls


def _read(file: IO[str]) -> str | None:
    """The run's name in an intent; None in a new file, and in one torn before its request was sent."""
    try:
        name = json.loads(file.read())["run"]
    except (ValueError, KeyError, TypeError):
        return None
    return name if isinstance(name, str) else None


def _write(file: IO[str], run_name: str) -> None:
    """Write an intent and wait until it is on the disk. What is torn here was not sent either."""
    file.seek(0)
    file.truncate()
    json.dump({"format": 1, "run": run_name}, file)
    file.flush()
    os.fsync(file.fileno())
