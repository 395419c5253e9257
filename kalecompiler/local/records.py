"""The record of a local run, `run.json` in its folder: written when it starts, and again when it has ended."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from kalecompiler.diagnostics import KalecError
from kalecompiler.files import write_atomic
from kalecompiler.local.results import Event, RunResult, RunStarted, StepEnded, StepResult, StepStarted, to_json

NAME = "run.json"


@dataclass(slots=True)
class Record:
    """Notes when each step starts and ends, and writes it all down; every event goes on to `on_event`.

    `about` is what the caller knows of the run: its provenance, its graph; None keeps the record to what happened.
    """

    parameters: Mapping[str, Any]
    about: Mapping[str, Any] | None
    on_event: Callable[[Event], None]
    _times: dict[str, list[float]] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Note an event, and hand it on."""
        now = time.time()
        if isinstance(event, RunStarted):
            self._times[""] = [now]
            if self.about is not None:
                self._write(
                    event.folder, {"run": event.run, "status": "running", "folder": str(event.folder), "steps": []}
                )
        elif isinstance(event, StepStarted):
            self._times[event.name] = [now]
        elif isinstance(event, StepEnded) and event.result.name in self._times:  # else it was skipped
            self._times[event.result.name].append(now)
        self.on_event(event)

    def finish(self, result: RunResult, keys: Mapping[str, str]) -> None:
        """Write how the run ended. `keys` are the names of the steps' folders. Raises KalecError where it cannot be."""
        document = to_json(result)
        if self.about is not None:
            self._times[""].append(time.time())
            for entry, step in zip(document["steps"], result.steps, strict=True):
                entry |= self._of_step(step, keys)
        self._write(result.folder, document)

    def _of_step(self, step: StepResult, keys: Mapping[str, str]) -> dict[str, Any]:
        failure = None
        if step.failure:
            place = step.failure.place
            failure = {"message": step.failure.message, "piece": place and place.piece, "line": place and place.line}
        return {
            "task": keys.get(step.name, step.name),
            **self._span(step.name),
            "metrics": dict(step.metrics),
            "failure": failure,
            **({"source": step.source} if step.source else {}),
        }

    def _span(self, name: str) -> dict[str, str | None]:
        times = self._times.get(name, [])
        known = [datetime.fromtimestamp(t, timezone.utc).isoformat(timespec="milliseconds") for t in times]
        return {"started": known[0] if known else None, "ended": known[1] if len(known) > 1 else None}

    def _write(self, folder: Path, document: dict[str, Any]) -> None:
        if self.about is not None:
            document |= {**self._span(""), "parameters": dict(self.parameters), **self.about}
        try:
            text = json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n"
            write_atomic(folder / NAME, text.encode("utf-8", "backslashreplace"))  # as `executor.to_text`
        except OSError as error:
            raise KalecError(f"the run's record cannot be written: {error}") from None
