"""A run's `task_details`, as the API server makes them of Argo's nodes.

Read in the sources, never recorded: a step is several nodes. `STEP-driver` is a pod, `STEP` a group without one, and
the container is a pod in it that is called `executor`. A detail names the nodes after it in `child_tasks`, as "pods",
by Argo's node id (`WORKFLOW-HASH`), where the pod's name is `WORKFLOW-system-container-impl-HASH`; it has no
`pod_name`. The server fills in neither `executor_detail` nor `error`; here `error` is, as its OpenAPI has it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

IMPLEMENTATION, DRIVER = "system-container-impl", "system-container-driver"
_ENDED = ("SUCCEEDED", "FAILED", "SKIPPED")


@dataclass
class _Step:
    key: str
    number: int
    started: str
    ended: str | None = None
    state: str = "RUNNING"
    message: str = ""


def in_order(tasks: Mapping[str, Any]) -> dict[str, Any]:
    """The package's tasks, each after those that it waits for, and by name where that leaves it open."""
    found: dict[str, Any] = {}
    while len(found) < len(tasks):
        ready = [
            key for key in sorted(tasks) if key not in found and set(tasks[key].get("dependentTasks", ())) <= set(found)
        ]
        # A package whose tasks wait for each other in a circle is refused by what runs it.
        key = (ready or sorted(set(tasks) - set(found)))[0]
        found[key] = tasks[key]
    return found


class Tasks:
    """The steps of one run, by the name that people see, and what became of them."""

    def __init__(self, run_id: str, spec: Mapping[str, Any], clock: Callable[[], str]) -> None:
        self._run, self._clock = run_id, clock
        self.workflow = f"{spec['pipelineInfo']['name']}-{run_id[:5]}"
        # Protobuf keeps a map in no order at all.
        tasks = in_order(spec["root"]["dag"]["tasks"])
        self._keys = {str(task.get("taskInfo", {}).get("name") or key): str(key) for key, task in tasks.items()}
        self._found: dict[str, _Step] = {}

    @property
    def steps(self) -> list[str]:
        """Their names, each after those that it waits for."""
        return list(self._keys)

    def start(self, name: str) -> None:
        self._found[name] = _Step(self._keys[name], len(self._found) + 1, self._clock())

    def end(self, name: str, state: str, message: str = "") -> None:
        """A step ended; one that was skipped never started."""
        step = self._found.setdefault(name, _Step(self._keys[name], len(self._found) + 1, self._clock()))
        step.state, step.message, step.ended = state, message, self._clock()

    def step_of(self, pod: str) -> str | None:
        """The key of the step whose container ran in that pod, or under that node id."""
        for step in self._found.values():
            executor = self._node(step.key, "executor")
            if pod in (f"{self.workflow}-{executor}", f"{self.workflow}-{IMPLEMENTATION}-{executor}"):
                return step.key
        return None

    def details(self) -> list[dict[str, Any]]:
        """The `task_details`; nodes come in no order that a client could use."""
        details = [detail for step in self._found.values() for detail in self._details(step)]
        return sorted(details, key=lambda detail: str(detail["task_id"]))

    def _details(self, step: _Step) -> list[dict[str, Any]]:
        if step.state == "SKIPPED":
            return [self._detail(step, step.key, step.key, "SKIPPED")]
        group = self._detail(step, step.key, step.key, step.state, children=["executor"])
        container = self._detail(step, "executor", "executor", step.state)
        driver = self._detail(step, f"{step.key}-driver", "driver", "SUCCEEDED", children=[step.key])
        if step.state == "FAILED":
            for detail in (group, container):
                detail["error"] = {"code": 13, "message": step.message or "Error (exit code 1)", "details": []}
        return [driver, group, container]

    def _detail(
        self, step: _Step, name: str, node: str, state: str, children: list[str] | None = None
    ) -> dict[str, Any]:
        detail: dict[str, Any] = {
            "run_id": self._run,
            "task_id": f"{self._node(step.key, node)}-{self._run}",
            "display_name": name,
            "create_time": step.started,
            "start_time": step.started,
            # Go's zero time, where a node has not ended.
            "end_time": step.ended if step.ended and state in _ENDED else "0001-01-01T00:00:00Z",
            "state": state,
            "execution_id": str(step.number),
            "state_history": [{"update_time": step.started, "state": "RUNNING"}],
            "child_tasks": [{"pod_name": f"{self.workflow}-{self._node(step.key, child)}"} for child in children or ()],
        }
        if state in _ENDED:
            detail["state_history"].append({"update_time": step.ended or step.started, "state": state})
        return {key: value for key, value in detail.items() if value}

    def _node(self, key: str, node: str) -> str:
        return str(zlib.crc32(f"{self.workflow}/{key}/{node}".encode()))
