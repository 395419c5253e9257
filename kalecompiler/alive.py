"""Whether a process still runs: an id alone may be another process's by now."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

_STATE, _BEGAN = 0, 19  # of the fields of /proc/PID/stat behind the name


def own() -> dict[str, Any]:
    """What tells this process from others: `pid`, and `began` where the system says it."""
    return {"pid": os.getpid(), "began": _field(os.getpid(), _BEGAN)}


def is_alive(pid: int, began: str | None = None) -> bool:
    """Whether the process of that id runs, and began then; without `began` the id must do."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # an id that no process has
        return False
    except PermissionError:
        pass
    if _field(pid, _STATE) == "Z":
        return False
    now = _field(pid, _BEGAN)
    return began is None or now is None or began == now


def _field(pid: int, number: int) -> str | None:
    """A field of what Linux tells of a process; None elsewhere."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        return text.rpartition(") ")[2].split()[number]
    except (OSError, IndexError):
        return None
