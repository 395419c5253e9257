"""The folder of a run; `local.which` tells how RUN is said."""

from __future__ import annotations

from pathlib import Path

from kalecompiler.diagnostics import UsageError
from kalecompiler.local import records, which
from kalecompiler.local.folders import RUNS, stamp_of

RECORD = records.NAME


def find(word: str, folder: Path | None = None) -> Path:
    """The folder of the run that is meant.

    `folder` is where runs are, as for `kalec run`; without it, they are looked for from the current folder. Raises
    UsageError where there is no such run, or more than one.
    """
    if (Path(word) / RECORD).is_file() and not which.is_latest(word):
        return Path(word)
    known = {path.name: path for path in runs(folder)}
    where = str(folder or Path.cwd())
    if not known:
        raise UsageError(f"no runs are kept in {where}, above it or below it: `kalec run` makes one")
    return known[which.choose(word, list(known), where)]


def runs(folder: Path | None = None) -> list[Path]:
    """The folders of all runs that have a record, oldest first."""
    found = (path for root in roots(folder) for path in root.iterdir())
    return sorted((path for path in found if not path.is_symlink() and (path / RECORD).is_file()), key=_age)


def roots(folder: Path | None = None) -> list[Path]:
    """The folders that hold runs, each once: the given one, and those of the `.kalec` that are near."""
    near = [home / RUNS for home in which.homes(folder or Path.cwd(), lambda home: (home / RUNS).is_dir())]
    found = [folder, *near] if folder is not None and folder.is_dir() else near
    return list({path.resolve(): path for path in found}.values())


def _age(path: Path) -> tuple[str, int]:
    """When a run began: its id says the second."""
    return stamp_of(path.name), (path / RECORD).stat().st_mtime_ns
