"""Signatures: HMAC-SHA256 with a key that is made on first use and stays on this machine.

What bears our signature was written by this user, so its pickles may be loaded; for all else that is asked.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from kalecompiler.diagnostics import UsageError
from kalecompiler.snapshots.manifest import to_json

FILE = "KALEC_SNAPSHOT_KEY_FILE"
SIGNED: Literal["signed"] = "signed"
_LENGTH = 32


def trusted(record: Any) -> Literal["signed", "unsigned", "wrong"]:
    """What the signature of a manifest or of a run's record is worth; `wrong` also where another key made it."""
    if not record.signature:
        return "unsigned"
    key = _key(create=False)
    wanted = _hmac(key, to_json(record)) if key else ""
    return SIGNED if key and hmac.compare_digest(wanted, str(record.signature.get("hmac"))) else "wrong"


def sign(record: Any) -> Any:
    """The manifest or record with our signature; as it is where there can be no key (`problem` says why)."""
    from dataclasses import replace

    return replace(record, signature=signature(to_json(record)))


def signature(data: Mapping[str, Any]) -> dict[str, str] | None:
    """The signature of JSON values; None where there can be no key."""
    key = _key(create=True)
    return {"key": key_id(key), "hmac": _hmac(key, data)} if key else None


def is_ours(record: Any) -> bool:
    """Whether the signature says that our key made it, whatever it is worth."""
    key = _key(create=False)
    return bool(key and record.signature and record.signature.get("key") == key_id(key))


def problem() -> str | None:
    """Why nothing can be signed here, if so."""
    return None if _key(create=True) else _WHY.get("why", f"no key could be made: set {FILE}")


def key_id(key: bytes) -> str:
    """The name by which signatures call their key; it gives nothing of it away."""
    return hashlib.sha256(b"kalecompiler snapshot key\n" + key).hexdigest()[:16]


def forget() -> None:
    """Read the key anew."""
    _KEYS.clear()


def key_file() -> Path | None:
    """Where the key lies; None where this user has no home."""
    if named := os.environ.get(FILE):
        return Path(named)
    base = os.environ.get("XDG_DATA_HOME")
    if not base or not Path(base).is_absolute():
        home = os.path.expanduser("~")  # noqa: PTH111 - never raises
        if not Path(home).is_absolute():
            return None
        base = f"{home}/Library/Application Support" if sys.platform == "darwin" else f"{home}/.local/share"
    return Path(base) / "kalecompiler" / "snapshot.key"


_WHY: dict[str, str] = {}
_KEYS: dict[Path, bytes] = {}


def _key(create: bool) -> bytes | None:
    path = key_file()
    if path is None:
        _WHY["why"] = f"this user has no home folder for the key: set {FILE}"
        return None
    if path not in _KEYS:
        try:
            found = _read(path) or (_make(path) if create else None)
        except OSError as error:
            _WHY["why"] = f"the key {path} cannot be made or read: {error.strerror or error}"
            return None
        except UsageError as error:
            _WHY["why"] = str(error)
            return None
        if found is None:
            return None
        _KEYS[path] = found
    return _KEYS[path]


def _read(path: Path) -> bytes | None:
    """The key in a file, None where there is none. Raises UsageError for one that is none, or that others may read."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError):
        return None
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise UsageError(f"the key {path} is no plain file")
        if os.name == "posix" and about.st_mode & 0o022:
            raise UsageError(f"others may change the key {path}: chmod 600 it")
        text = file.read(4096).strip()
    try:
        key = bytes.fromhex(text.decode())
    except ValueError:
        key = text
    if len(key) < _LENGTH // 2:
        raise UsageError(f"the key {path} is too short: remove it, and the next run makes one")
    return key


def _make(path: Path) -> bytes | None:
    """A new key, or the one that another process made at the same time. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_hex(_LENGTH).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return _read(path)


def _hmac(key: bytes, data: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in data.items() if name != "signature"}
    text = json.dumps(rest, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
