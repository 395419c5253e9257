"""Checks out a moment of a run: a notebook that opens in its state, and what it is opened with."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kalecompiler.diagnostics import UsageError
from kalecompiler.files import write_atomic
from kalecompiler.local.folders import folder_of_run
from kalecompiler.snapshots import kernelspec, moment, notebookout, place, restore, state
from kalecompiler.snapshots.find import Found
from kalecompiler.snapshots.manifest import BEFORE
from kalecompiler.snapshots.state import State
from kalecompiler.wording import cause


@dataclass(frozen=True, slots=True)
class Request:
    """What to check out, and how. Without `output` the notebook is written beside the run's own."""

    step: str
    when: str = BEFORE
    scope: str = moment.ANCESTORS
    output: Path | None = None
    kernel: bool = False
    trust: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class CheckedOut:
    """The notebook that was written, the state that it opens in, and the kernel that was installed for it."""

    notebook: Path
    state: State
    kernel: str | None = None


def checkout(found: Found, request: Request) -> CheckedOut:
    """Write the notebook. Raises UsageError where there is no such state, or it cannot be written."""
    at = state.find(found.store, found.record, request.step, request.when, request.scope)
    force = request.force and bool(restore.other_python(at))  # it may have been said of the file that is replaced
    kernel = kernelspec.install(at, request.scope, request.trust, force) if request.kernel else None
    wanted = notebookout.Wanted(request.scope, request.trust, force, kernel, dict(_displays(at)))
    text = notebookout.write(at, wanted)
    target = _target(at, request, text)
    try:
        write_atomic(target, text)
    except OSError as error:
        raise UsageError(f"the notebook {target} cannot be written: {cause(error)}") from None
    return CheckedOut(target, at, kernel)


def lab(path: Path) -> int:
    """Open a notebook in JupyterLab, until that ends; its exit status. Raises UsageError where it is not installed."""
    require_lab()
    return subprocess.run([sys.executable, "-m", "jupyterlab", str(path)], check=False).returncode


def require_lab() -> None:
    """Raise UsageError where JupyterLab is not installed here."""
    if find_spec("jupyterlab") is None:
        raise UsageError(f"--lab needs JupyterLab beside kalecompiler: {sys.executable} -m pip install jupyterlab")


def _target(at: State, request: Request, text: str) -> Path:
    """Where the notebook is written: nobody's own file is replaced unless that is asked for."""
    if request.output is not None:
        target = request.output.with_suffix(".ipynb") if not request.output.suffix else request.output
        if target.suffix != ".ipynb":
            raise UsageError(f"{target} is no name for a notebook: it must end in .ipynb")
        if target.exists() and not request.force and not _is_same(target, text):
            raise UsageError(f"{target} exists already: --force replaces it, or name another file")
        return target
    folder = place.folder(at.store, at.record)
    stem = f"{Path(at.record.notebook_name).stem}.{at.moment.when}-{at.moment.step.task}"
    number = 1
    while True:
        target = folder / f"{stem}{f'-{number}' if number > 1 else ''}.ipynb"
        if not target.exists() or _is_same(target, text):
            return target
        number += 1


def _is_same(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except (OSError, ValueError):
        return False


def _displays(at: State) -> Iterator[tuple[str, Any]]:
    """What the cells displayed, by their names, as far as the run's folder still has it."""
    folder = folder_of_run(at.store.path.parent, at.record.run)
    for name in at.ran:
        try:
            text = (folder / at.moment.pipeline.step(name).task / "display.json").read_text(encoding="utf-8")
            kept: list[Mapping[str, Any]] = json.loads(text)
            yield from ((str(cell["cell"]), cell["outputs"]) for cell in kept)
        except (OSError, ValueError, KeyError, TypeError):  # it is only to be looked at
            continue
