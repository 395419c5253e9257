"""A run on a server as we show it: kfp_server_api's models -> `RunView`, each step once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from kalecompiler.formats.wording import shown

ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED", "ERROR"})
FINE = frozenset({"SUCCEEDED", "SKIPPED"})


@dataclass(frozen=True, slots=True)
class StepView:
    """A step: its state in KFP's word (`PENDING` where the server does not know it yet), times, pod and error."""

    name: str
    state: str = "PENDING"
    started: datetime | None = None
    ended: datetime | None = None
    pod: str | None = None
    error: str | None = None

    def seconds(self, now: datetime | None = None) -> float | None:
        """How long it took, or has taken until `now`; None before it starts."""
        end = self.ended or (now if self.state not in ENDED else None)
        return max(0.0, (end - self.started).total_seconds()) if self.started and end else None


@dataclass(frozen=True, slots=True)
class RunView:
    """A run, and its steps in order."""

    id: str
    name: str
    state: str
    created: datetime | None = None
    ended: datetime | None = None
    steps: tuple[StepView, ...] = ()
    error: str | None = None
    version_id: str | None = None
    parameters: Mapping[str, Any] | None = None

    @property
    def over(self) -> bool:
        return self.state in ENDED

    @property
    def failed(self) -> tuple[StepView, ...]:
        """The steps that failed themselves."""
        return tuple(step for step in self.steps if step.state in {"FAILED", "ERROR"})


def view(run: Any, order: Iterable[str] = ()) -> RunView:
    """A run of the API; `order` names its steps where they are known, else they are those that have started."""
    details = list((run.run_details and run.run_details.task_details) or ())
    by_name = {task.display_name: task for task in details}
    known = list(order) or _started(details, run)
    reference = run.pipeline_version_reference
    config = run.runtime_config
    return RunView(
        id=run.run_id,
        name=_plain(run.display_name or ""),
        state=run.state or "PENDING",
        created=_time(run.created_at),
        ended=_time(run.finished_at),
        steps=tuple(_step(name, by_name.get(name)) for name in known),
        error=_message(run.error),
        version_id=reference.pipeline_version_id if reference else None,
        parameters=(config.parameters if config else None) or None,
    )


def as_json(run: RunView) -> dict[str, Any]:
    """A run for programs; what is not known is left out."""
    fields = {
        "id": run.id,
        "name": run.name,
        "state": run.state.lower(),
        "created": _iso(run.created),
        "ended": _iso(run.ended),
        "error": run.error,
        "parameters": run.parameters,
        "steps": [_step_json(step) for step in run.steps] or None,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _step_json(step: StepView) -> dict[str, Any]:
    fields = {
        "name": step.name,
        "state": step.state.lower(),
        "seconds": step.seconds(),
        "pod": step.pod,
        "error": step.error,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _step(name: str, task: Any | None) -> StepView:
    if task is None:
        return StepView(_plain(name))
    return StepView(
        _plain(name),
        task.state or "PENDING",
        _time(task.start_time),
        _time(task.end_time),
        _pod(task),
        _message(task.error),
    )


def _pod(task: Any) -> str | None:
    """The pod that runs the step's code: the server names it as the first child of the step's group, if at all."""
    children = [child.pod_name for child in task.child_tasks or () if child.pod_name]
    return str(children[0]) if children else task.pod_name or None


def _started(details: list[Any], run: Any) -> list[str]:
    """The names of the steps among a run's tasks, in the order of their start; what KFP adds of its own is left out."""
    own = {"root", "executor", run.display_name}
    tasks = [task for task in details if task.display_name and task.display_name not in own]
    steps = [task for task in tasks if not task.display_name.endswith("-driver")]
    return list(dict.fromkeys(t.display_name for t in sorted(steps, key=lambda t: _time(t.start_time) or _NEVER)))


_NEVER = datetime.max.replace(tzinfo=timezone.utc)


def _message(error: Any) -> str | None:
    return _plain(" ".join(error.message.split())) if error is not None and error.message else None


def _plain(text: str) -> str:
    """What others in the namespace wrote, made safe for a terminal."""
    return "".join(map(shown, text))


def _time(value: datetime | None) -> datetime | None:
    """A time; the server gives 1970 where there is none."""
    if value is None or value.year <= 1970:
        return None
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)


def _iso(value: datetime | None) -> str | None:
    return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if value else None
