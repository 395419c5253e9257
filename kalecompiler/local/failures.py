"""What a failed step's log says: the last lines, and the place in the notebook's code where it went wrong."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kalecompiler.local.results import Failure, Place

TAIL_LINES = 20
_TAIL_BYTES = 256 * 1024
_LINE_LIMIT = 500
# Frames of an exception group are indented behind bars.
_FRAME = re.compile(r'^[ |+]*File "(?P<piece>.+)", line (?P<line>\d+)', re.MULTILINE)

# What the runtime says last of a step that failed. Where that tells no line, a traceback above it is of another error.
_SAID = re.compile(
    r"^kalec: step \S+ (?:failed in (?P<piece>.+), line (?P<line>\d+)(?P<called>: sys\.exit)?|failed|was )",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Carried:
    """What the step's own JSON (see render) says: the variable of each output port, the names of its pieces of code.

    `shown` are the ports of its charts, its report and its snapshot, which are no values; `step` is all of it.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    pieces: frozenset[str] = frozenset()
    shown: frozenset[str] = frozenset()
    step: Mapping[str, Any] = field(default_factory=dict)


def read_carried(command: Sequence[str]) -> Carried:
    """What a command carries as STEP JSON, if it is one of ours; nothing else is an error."""
    for word in command:
        if word.startswith("{") and '"format"' in word:
            try:
                step = json.loads(word)
                variables = {output["port"]: output["variable"] for output in step.get("outputs", ())}
                pieces = frozenset(code["name"] for code in step.get("code", ()))
                charts = step.get("metrics", {}).get("charts", ())
                shown = {*(chart["port"] for chart in charts), *([step["report"]] if "report" in step else [])}
                shown |= {step["snapshot"]["port"]} if "snapshot" in step else set()
                return Carried(variables, pieces, frozenset(shown), step)
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
    return Carried()


def failure(status: int, log: Path, pieces: frozenset[str]) -> Failure:
    """Why a process ended with that exit status (negative: killed by that signal), as far as its log tells."""
    text = _tail(log)
    lines = [_clipped(line) for line in text.rstrip("\n").split("\n")[-TAIL_LINES:]] if text else []
    # One that was killed had no say: what its log shows are errors that it got over.
    return Failure(_exit_message(status), _place(text, pieces) if status > 0 else None, tuple(lines))


def _exit_message(status: int) -> str:
    if status >= 0:
        return f"exited with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    memory = ", perhaps because memory ran out" if name == "SIGKILL" else ""
    return f"was killed by {name}{memory}"


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _place(text: str, pieces: frozenset[str]) -> Place | None:
    """Where the step called `sys.exit`, else the innermost frame in the notebook's code of the last traceback."""
    said = [*_SAID.finditer(text)][-1:]
    if said and not said[0]["piece"]:
        return None
    frames = said if said and said[0]["called"] else [*_FRAME.finditer(text)]
    places = [Place(match["piece"], int(match["line"])) for match in frames]
    return next((place for place in reversed(places) if place.piece in pieces), None)


def _clipped(line: str) -> str:
    """A line as a terminal would leave it (progress bars overwrite themselves), and not endlessly long."""
    line = line.rstrip("\r").rsplit("\r", 1)[-1]
    return line if len(line) <= _LINE_LIMIT else line[:_LINE_LIMIT] + " ..."
