"""The plainest tracker: a file of JSON lines for all runs, to grep, to load into pandas, or to ship elsewhere."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kalecompiler.tracking.tracker import Moment, Run, Step, Tracker, home


class JsonLines(Tracker):
    """Options: `folder`, where `runs.jsonl` is written; by default beside the runs (`.kalec`).

    A step on KFP writes a file of its own, `runs.RUN.STEP.jsonl`: on a shared volume two writers would not see what the
    other appends.
    """

    def run_started(self, run: Run, moment: Moment) -> None:
        self._write(run, moment, "run_started", parameters=run.parameters, provenance=run.provenance)

    def step_finished(self, run: Run, step: Step, moment: Moment) -> None:
        told = {"step": step.name, "status": step.status, "seconds": step.seconds, "failure": step.failure}
        self._write(run, moment, "step_finished", **told)

    def metrics(self, run: Run, step: str, values: Mapping[str, Any], moment: Moment) -> None:
        self._write(run, moment, "metrics", step=step, values=values)

    def artifacts(self, run: Run, step: str, files: Sequence[Path], moment: Moment) -> None:
        names = [
            str(file.relative_to(run.folder) if run.teller else file) for file in files
        ]  # a container's do not stay
        self._write(run, moment, "artifacts", step=step, files=names)

    def close(self, run: Run, status: str, moment: Moment) -> None:
        self._write(run, moment, "run_finished", status=status)

    def _write(self, run: Run, moment: Moment, what: str, **told: Any) -> None:
        """Append a line, unless it is there already: the process may have died just after it was written."""
        folder = Path(self.options.get("folder") or home(run))
        folder.mkdir(parents=True, exist_ok=True)
        head = {"run": run.id, "number": moment.number, "time": moment.time, "event": what}
        start = json.dumps(head)[:-1].encode()
        path = folder / (f"runs.{run.id}.{run.teller}.jsonl" if run.teller else "runs.jsonl")
        end = b"\n"
        with path.open("a+b") as file:
            file.seek(0)
            for line in file:
                end = line[-1:]
                if line.startswith(start) and end == b"\n":
                    return
        text = start + b", " + json.dumps(told, default=str)[1:].encode() + b"\n"
        _append(path, text if end == b"\n" else b"\n" + text)


def _append(path: Path, line: bytes) -> None:
    """Append a whole line or nothing of it. Raises OSError."""
    with path.open("ab", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if file.write(line) != len(line):
            file.truncate(size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(file.fileno())
