"""Makes one call of a tracker, as queues hold them. A step on KFP carries this module: it must run on Python 3.9."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from kalecompiler.tracking.tracker import Moment, Run, Step, Tracker

LAST = "close"
# Others have patience for the clients: the queue, or the next step. A client's variable that is set stays.
_IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "WANDB_SILENT": "true"}


def be_impatient() -> None:
    """Have clients give up early."""
    for name, value in _IMPATIENT.items():
        os.environ.setdefault(name, value)


def tell(tracker: Tracker, run: Run, moment: Moment, method: str, given: Mapping[str, Any]) -> None:
    """Make the call `method` with its arguments as JSON. Raises whatever the tracker raises."""
    if method == "run_started":
        tracker.run_started(run, moment)
    elif method == "step_finished":
        tracker.step_finished(run, Step(**given), moment)
    elif method == "metrics":
        tracker.metrics(run, given["step"], given["values"], moment)
    elif method == "artifacts":
        files = [run.folder / name for name in given["files"]]
        tracker.artifacts(run, given["step"], [file for file in files if file.is_file()], moment)
    elif method == LAST:
        tracker.close(run, given["status"], moment)


def words(error: BaseException) -> str:
    """Why a call failed, in a line that can be written anywhere."""
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed"
    try:
        lines = str(error).encode("utf-8", "replace").decode().strip().splitlines()
    except Exception:  # noqa: BLE001 - any library's error: its text may fail too
        lines = []
    return f"{type(error).__name__}{': ' + lines[0][:200] if lines else ''}"
