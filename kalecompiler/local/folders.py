"""Where local runs are kept: `<notebook folder>/.kalec/runs/<run id>/<task>/`."""

from __future__ import annotations

import contextlib
import re
import secrets
from datetime import datetime, timezone
from pathlib import Path

from kalecompiler.diagnostics import UsageError

HOME, RUNS, STORE, LATEST = ".kalec", "runs", "store", "latest"
_CREATED = re.compile(r"-(\d{8}-\d{6})-[0-9a-f]{4}$")


def stamp_of(run: str) -> str:
    """The UTC time in the name of a run, as `20300102-030405`; empty where it has none."""
    match = _CREATED.search(run)
    return match[1] if match else ""


def home_of(runs: Path) -> Path:
    """The folder `.kalec` of the runs that lie in `runs`: the one that holds it, else one in it."""
    above = runs.absolute().parent
    return above if above.name == HOME else runs.absolute() / HOME


def folder_of_run(home: Path, run: str) -> Path:
    """The folder of a run whose `.kalec` is `home`; it may be gone.

    A run that was imported may bear any name: a folder beside `.kalec` is a run's only if it is named as runs are.
    """
    beside = home.parent / run  # of `kalec run --folder`
    is_beside = _CREATED.search(run) and beside.is_dir() and not (home / RUNS / run).is_dir()
    return beside if is_beside else home / RUNS / run


def default_root(workdir: Path) -> Path:
    """The folder of the runs of the notebooks in `workdir`; it is made, and git is told to ignore it.

    Raises UsageError where it cannot be written.
    """
    home = workdir.absolute() / HOME
    try:
        (home / RUNS).mkdir(parents=True, exist_ok=True)
        ignore = home / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise _unwritable(home / RUNS, error) from None
    return home / RUNS


def create_run(root: Path, pipeline: str) -> Path:
    """A new folder `<pipeline>-<UTC time>-<4 hex digits>` in `root`, which `root/latest` then points to.

    Raises UsageError where `root` cannot be written.
    """
    root = root.absolute()
    name = re.sub(r"[^\w.-]", "-", pipeline)
    try:
        root.mkdir(parents=True, exist_ok=True)
        while True:
            folder = root / f"{name}-{datetime.now(timezone.utc):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                break
    except OSError as error:
        raise _unwritable(root, error) from None
    _point_latest(root, folder.name)
    return folder


def _point_latest(root: Path, run: str) -> None:
    """Point the link `latest` to a run, atomically. It is a convenience: a file system without links has none."""
    temporary = root / f".{LATEST}.{run}"
    with contextlib.suppress(OSError, NotImplementedError):
        temporary.symlink_to(run)
        try:
            temporary.replace(root / LATEST)
        finally:
            temporary.unlink(missing_ok=True)


def _unwritable(folder: Path, error: OSError) -> UsageError:
    return UsageError(f"the folder for runs {folder} cannot be written: {error.strerror or error}")
