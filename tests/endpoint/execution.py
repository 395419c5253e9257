"""Runs that run: the submitted package goes through the local runner, and the run's states follow it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from endpoint.runs import FINAL
from endpoint.specs import Package
from endpoint.state import Resource, State
from endpoint.tasks import Tasks

_HERE = Path(__file__).parent
_STATES = {"succeeded": "SUCCEEDED", "failed": "FAILED", "stopped": "CANCELED"}
_STEP_STATES = {**_STATES, "skipped": "SKIPPED", "stopped": "FAILED"}
BUCKET = "mlpipeline"


@dataclass
class Execution:
    """One run under way, or over. `folder` is the local runner's, where each step has one of its own."""

    tasks: Tasks
    process: subprocess.Popen[str] | None = None
    folder: Path | None = None
    metrics: dict[str, Any] = field(default_factory=dict)


class Executions:
    """Every run's execution, by run id."""

    def __init__(self, state: State, folder: Path, enabled: bool) -> None:
        self._state, self._folder, self._enabled = state, folder, enabled
        self._found: dict[str, Execution] = {}
        self.cached: dict[tuple[str, str], str] = {}
        """By a run's id and a step's key: the run whose artifacts KFP's cache took for those of that step."""
        state.on_created, state.on_terminated = self._start, self._stop

    @property
    def multi_user(self) -> bool:
        return self._state.multi_user

    @property
    def namespaces(self) -> tuple[str, ...]:
        return self._state.namespaces

    def metrics(self, run_id: str) -> dict[str, Any]:
        return dict(self._found[run_id].metrics)

    def folder(self, run_id: str) -> Path:
        found = self._found[run_id].folder
        assert found is not None, f"run {run_id} was not executed"
        return found

    def pretend(self, run_id: str, state: str, failed: str | None) -> None:
        """Let every step of a run end, in order, as if it had been executed; those after `failed` are skipped."""
        with self._state.lock:
            execution = self._execution(run_id)
            self._move(run_id, "RUNNING")
            broken = False
            for step in execution.tasks.steps:
                execution.tasks.start(step)
                execution.tasks.end(step, "SKIPPED" if broken else "FAILED" if step == failed else "SUCCEEDED")
                broken = broken or step == failed
            self._show(run_id)
            self._move(run_id, "FAILED" if failed else state)

    def log_of(self, pod: str) -> str | None:
        """The log of a pod; None where no run has such a pod, or its step no log."""
        for execution in list(self._found.values()):
            key = execution.tasks.step_of(pod)
            if key is not None and execution.folder is not None:
                file = execution.folder / key / "log.txt"
                return file.read_text(errors="replace") if file.is_file() else None
        return None

    def object(self, key: str) -> Path | None:
        """The file that KFP would have stored under `v2/artifacts/PIPELINE/RUN/STEP/EXECUTION/PORT`."""
        parts = key.split("/")
        if len(parts) < 6:
            return None
        run_id, step, port = parts[-4], parts[-3], parts[-1]
        execution = self._found.get(run_id)
        if execution is None or execution.folder is None or not {step, port}.isdisjoint({"", ".", ".."}):
            return None
        file = execution.folder / step / ("log.txt" if port == "executor-logs" else port)
        return file if file.is_file() else None

    def close(self) -> None:
        """End every process."""
        for execution in list(self._found.values()):
            if execution.process is not None and execution.process.poll() is None:
                execution.process.send_signal(signal.SIGTERM)
        for execution in list(self._found.values()):
            if execution.process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    execution.process.wait(10)

    def _execution(self, run_id: str) -> Execution:
        if run_id not in self._found:
            self._found[run_id] = Execution(Tasks(run_id, self._state.packages[run_id].spec, self._state.clock))
        return self._found[run_id]

    def _start(self, run_id: str) -> None:
        execution = self._execution(run_id)
        if not self._enabled:
            return
        folder = self._folder / run_id
        (folder / "work").mkdir(parents=True)
        run, package = self._state.runs[run_id], self._state.packages[run_id]
        job = folder / "job.json"
        job.write_text(json.dumps(_job(run, package, folder)))
        execution.process = subprocess.Popen(
            [sys.executable, "-m", "endpoint.worker", str(job)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_HERE.parent), str(_HERE.parents[1])])},
            start_new_session=True,
        )
        threading.Thread(target=self._follow, args=(run_id, execution, execution.process), daemon=True).start()

    def _stop(self, run_id: str) -> None:
        process = self._found[run_id].process
        if process is not None:
            process.send_signal(signal.SIGTERM)

    def _follow(self, run_id: str, execution: Execution, process: subprocess.Popen[str]) -> None:
        """Take in the worker's events to their end; a worker that died without one failed."""
        assert process.stdout is not None
        last: Mapping[str, Any] = {"event": "over", "status": "failed", "message": "the executor died"}
        with process.stdout:
            for line in process.stdout:
                event = json.loads(line)
                if event["event"] == "over":
                    last = event
                    continue
                with self._state.lock:
                    self._take(run_id, execution, event)
        process.wait()
        with self._state.lock:
            self._end(run_id, execution, last)

    def _take(self, run_id: str, execution: Execution, event: Mapping[str, Any]) -> None:
        if event["event"] == "run":
            execution.folder = Path(event["folder"])
            self._move(run_id, "RUNNING")
        elif event["event"] == "started":
            execution.tasks.start(event["step"])
        else:
            execution.metrics.update(event["metrics"])
            execution.tasks.end(event["step"], _STEP_STATES[event["status"]], event["message"])
        self._show(run_id)

    def _end(self, run_id: str, execution: Execution, event: Mapping[str, Any]) -> None:
        run = self._state.runs.get(run_id)
        if run is None:
            return
        # Nothing ran yet when the worker was told to stop, so that it could not tell.
        stopped = run["state"] == "CANCELING" and event["status"] == "failed"
        self._show(run_id)
        self._move(
            run_id, "CANCELED" if stopped else _STATES[event["status"]], None if stopped else event.get("message")
        )

    def _show(self, run_id: str) -> None:
        run = self._state.runs.get(run_id)
        details = self._found[run_id].tasks.details()
        if run is not None and details:
            run["run_details"] = {"task_details": details}

    def _move(self, run_id: str, state: str, message: str | None = None) -> None:
        """The run's next state. From CANCELING there is only an end."""
        run = self._state.runs.get(run_id)
        if run is None or run["state"] in FINAL or (run["state"] == "CANCELING" and state not in FINAL):
            return
        time = self._state.clock()
        run["state"] = state
        run["state_history"] = [*run["state_history"], {"update_time": time, "state": state}]
        if state in FINAL:
            run["finished_at"] = time
        if message:
            run["error"] = {"code": 13, "message": message, "details": []}


def _job(run: Resource, package: Package, folder: Path) -> dict[str, Any]:
    """What the worker reads."""
    return {
        "spec": package.spec,
        "arguments": run.get("runtime_config", {}).get("parameters", {}),
        "folder": str(folder / "runs"),
        "workdir": str(folder / "work"),
    }
