"""A step from beginning to end: packages, parameters, inputs, cells, metrics, outputs."""

from __future__ import annotations

import builtins
import json
import os
import signal
import sys

from . import cells, contract, display, failure, parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# The parts that do something at the beginning.
STARTING = ("snapshot", "htmlreport", "telling", "install", "handlers", "shell", "parameters")


def main(step_text: str, executor_input: str) -> int:
    """Run the step; the exit code: 0, 1 (or what `sys.exit` said) if it failed, 130 interrupted, 143 terminated."""
    step, task = json.loads(step_text), contract.Task(executor_input)
    _prepare(step)
    recorder = display.Recorder(os.path.join(os.path.dirname(task.output_file), "display.json"))
    kernel = cells.Kernel(sys.modules["__main__"].__dict__, recorder)
    try:
        execute(step, task, kernel)
        return 0
    except BaseException as error:  # the edge: everything that cells may raise ends here
        return _failed(error, step, kernel)
    finally:
        kernel.close()
        recorder.close()


def execute(step: Mapping[str, Any], task: contract.Task, kernel: cells.Kernel) -> None:
    """Everything that a step does, in order. Raises what the cells raise, StepFailed and ValueProblem."""
    namespace = kernel.namespace
    for name in STARTING:
        part = parts.find(name)
        if part:
            part.start(step, task, kernel)
    _run(step, kernel, "imports", "functions")
    if step.get("inputs"):
        parts.find("inputs").load(step, task, namespace, True)
    _run(step, kernel, "definition")
    if step.get("inputs"):
        parts.find("inputs").load(step, task, namespace, False)
    check = parts.find("guards").watch(step, namespace) if step.get("guards") else bool
    _run(step, kernel, "cell")
    if step.get("metrics"):
        parts.find("metrics").publish(step, task, kernel)
    _run(step, kernel, "metrics")
    check()
    if step.get("outputs"):
        parts.find("outputs").save(step, task, namespace)
    task.finish()


def _prepare(step: Mapping[str, Any]) -> None:
    """The process as the cells should find it."""
    sys.argv = [step["notebook"]]
    builtins.input = _no_input
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, _terminate)


def _run(step: Mapping[str, Any], kernel: cells.Kernel, *kinds: str) -> None:
    for piece in step.get("code", ()):
        if piece["kind"] in kinds:
            kernel.run(piece)


def _failed(error: BaseException, step: Mapping[str, Any], kernel: cells.Kernel) -> int:
    """Say on stderr why the step failed; the exit code."""
    from . import report

    status, trace, line, summary = report.explain(error, kernel)
    try:
        str(error)
    except Exception as other:  # the class may be the notebook's
        error = other
    kernel.recorder.fail(error, trace, line)
    lines = [*trace, f"kalec: step {step['step']} {summary}"]
    print(*lines, sep="\n", file=sys.__stderr__, flush=True)
    return status


def _terminate(number: int, frame: Any) -> None:
    """The first SIGTERM unwinds the step; a second one, or one to a forked child, has its usual effect."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if os.getpid() != _OWNER:
        os.kill(os.getpid(), signal.SIGTERM)
    raise failure.Terminated


def _no_input(prompt: object = "") -> str:
    """What `input` is in a step."""
    raise RuntimeError("input() has nobody to ask in a pipeline step; make the answer a pipeline parameter")


_OWNER = os.getpid()
