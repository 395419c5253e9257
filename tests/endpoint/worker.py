"""Runs one package with the local runner, in a process of its own: `python -m endpoint.worker JOB`, a JSON file.

It prints an event a line. SIGTERM stops it as Ctrl-C stops `kalec run`: a thread of the server could not be stopped.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from kalecompiler import local
from kalecompiler.diagnostics import KalecError


def describe(event: local.Event) -> dict[str, Any] | None:
    """An event as JSON; None for those that say nothing of a step."""
    if isinstance(event, local.RunStarted):
        return {"event": "run", "folder": str(event.folder)}
    if isinstance(event, local.StepStarted):
        return {"event": "started", "step": event.name}
    if isinstance(event, local.StepEnded):
        result = event.result
        return {
            "event": "ended",
            "step": result.name,
            "status": result.status.value,
            "message": result.failure.message if result.failure else "",
            "metrics": dict(result.metrics),
        }
    if isinstance(event, local.RunEnded):
        return {"event": "over", "status": event.result.status.value}
    return None


def tell(event: local.Event) -> None:
    described = describe(event)
    if described is not None:
        print(json.dumps(described), flush=True)


def main() -> int:
    """Run the job; a package that cannot run ends as a failed run with a message."""
    job = json.loads(Path(sys.argv[1]).read_text())
    try:
        local.run(
            job["spec"],
            arguments=job["arguments"],
            folder=Path(job["folder"]),
            workdir=Path(job["workdir"]),
            isolate=True,
            on_event=tell,
        )
    except KalecError as error:
        print(json.dumps({"event": "over", "status": "failed", "message": str(error)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
