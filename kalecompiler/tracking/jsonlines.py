"""The plainest tracker: a file of JSON lines for all runs, to grep, to load into pandas, or to ship elsewhere."""

from __future__ import annotations

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
        name = f"runs.{run.id}.{run.teller}.jsonl" if run.teller else "runs.jsonl"
        with (folder / name).open("a+b") as file:
            file.seek(0)
            if not any(line.startswith(start) for line in file):
                file.write(start + b", " + json.dumps(told, default=str)[1:].encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
