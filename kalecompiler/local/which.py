"""Which run is meant: RUN is an id, its beginning or its last four characters, `latest`, `latest~1`, or a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from kalecompiler.diagnostics import UsageError
from kalecompiler.local.folders import HOME, LATEST
from kalecompiler.suggest import did_you_mean

# How far below a folder runs are looked for.
DEEPEST = 3
_LATEST = re.compile(rf"{LATEST}(?:~(\d{{1,6}}))?")


def is_latest(word: str) -> bool:
    """Whether a word counts from the newest run."""
    return _LATEST.fullmatch(word) is not None


def choose(word: str, names: Sequence[str], where: str) -> str:
    """The run of these, oldest first, that a word means. Raises UsageError where it is none, or more than one."""
    if match := _LATEST.fullmatch(word):
        back = int(match[1] or 0)
        if back >= len(names):
            raise UsageError(f"there is no run `{word}`: {where} has {len(names)}")
        return names[-1 - back]
    if word in names:
        return word
    alike = [name for name in names if name.startswith(word)] or [n for n in names if n.rpartition("-")[2] == word]
    if len(alike) == 1:
        return alike[0]
    if alike:
        shown = ", ".join(alike[-3:])
        raise UsageError(f"`{word}` is the beginning of {len(alike)} runs: write more of it, or `latest`: {shown}")
    hint = did_you_mean(word, [*names, LATEST]) or f"`kalec runs` lists the {len(names)} that are kept in {where}"
    raise UsageError(f"there is no run `{word}`: {hint}")


def homes(folder: Path, fits: Callable[[Path], bool]) -> list[Path]:
    """The `.kalec` that fits in a folder or the nearest above it; where there is none, those in the folders below."""
    folder = folder.absolute()
    if folder.name == HOME and fits(folder):
        return [folder]
    for place in (folder, *folder.parents):
        if fits(place / HOME):
            return [place / HOME]
    return [home for home in _below(folder) if fits(home)]


def _below(start: Path) -> Iterator[Path]:
    """Every `.kalec` below a folder, but not in hidden folders and virtual environments."""
    for here, folders, names in os.walk(start):
        path = Path(here)
        if HOME in folders:
            yield path / HOME
        stop = len(path.relative_to(start).parts) >= DEEPEST or "pyvenv.cfg" in names
        folders[:] = [] if stop else sorted(n for n in folders if not n.startswith(".") and n != "node_modules")
