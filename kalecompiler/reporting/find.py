"""Which run is meant: its id, a prefix of it, `latest`, `latest~1`, or its folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from kalecompiler.diagnostics import UsageError
from kalecompiler.suggest import did_you_mean

RECORD = "run.json"
DEEPEST = 4
_LATEST = re.compile(r"latest(?:~(\d+))?")
_TIME = re.compile(r"-(\d{8}-\d{6})-[0-9a-f]+$")


def find(name: str, folder: Path | None = None) -> Path:
    """The folder of a run.

    Args:
        name: an id, a prefix, `latest`, `latest~N` (the Nth before it), or a folder.
        folder: where the runs are, as in `kalec run --folder`; else every `.kalec/runs` here and below.

    Raises UsageError where there is no such run, or more than one.
    """
    if (Path(name) / RECORD).is_file() and not _LATEST.fullmatch(name):
        return Path(name)
    known = runs(folder)
    if not known:
        where = folder or "`.kalec/runs` here or below"
        raise UsageError(f"there are no runs in {where}: `kalec run` makes one, --folder says where they are")
    if match := _LATEST.fullmatch(name):
        back = int(match[1] or 0)
        if back >= len(known):
            raise UsageError(f"there is no `{name}`: there are {len(known)} runs")
        return known[-1 - back]
    exact = [path for path in known if path.name == name]
    found = exact or [path for path in known if path.name.startswith(name)]
    if not found:
        hint = did_you_mean(name, [path.name for path in known]) or f"the latest is {known[-1].name}"
        raise UsageError(f"there is no run `{name}`: {hint}")
    if len(found) > 1:
        some = ", ".join(path.name for path in found[-3:])
        raise UsageError(f"{len(found)} runs begin with `{name}`, as {some}: write more of it")
    return found[0]


def runs(folder: Path | None = None) -> list[Path]:
    """The folders of all runs that have a record, oldest first."""
    found = {
        path.resolve(): path
        for root in roots(folder)
        for path in root.iterdir()
        if not path.is_symlink() and (path / RECORD).is_file()
    }
    return sorted(found.values(), key=_age)


def roots(folder: Path | None = None) -> list[Path]:
    """The folders that hold runs: the given one, else every `.kalec/runs` here and below."""
    return [root for root in ([folder] if folder is not None else _roots(Path())) if root.is_dir()]


def _age(path: Path) -> tuple[str, int]:
    """When a run began: its id says the second."""
    match = _TIME.search(path.name)
    return match[1] if match else "", (path / RECORD).stat().st_mtime_ns


def _roots(start: Path) -> Iterator[Path]:
    """Every `.kalec/runs` in a folder and below, but not in hidden folders and virtual environments."""
    for here, folders, names in os.walk(start):
        path = Path(here)
        depth = len(path.relative_to(start).parts)
        if ".kalec" in folders:
            yield path / ".kalec" / "runs"
        stop = depth >= DEEPEST or "pyvenv.cfg" in names
        folders[:] = [] if stop else sorted(n for n in folders if not n.startswith(".") and n != "node_modules")
