"""The oracle: a notebook run top to bottom in one namespace, beside its plan run with each step in a process of its own.

Every step is forked from this process, so that heavy imports are paid once; it is given its JSON and an executor input
like any component, and runs the real runtime. The notebook runs in a fork too, cell by cell; at the end of each step
the variables that the plan handed on are loaded there and compared with the live ones, and what was printed with what
the step printed.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import traceback
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from equality import difference

from kalecompiler import payload
from kalecompiler.draws import VARIABLES
from kalecompiler.diagnostics import NotebookError
from kalecompiler.model import Pipeline, Step
from kalecompiler.plan import Planned, plan
from kalecompiler.runtime import step as runtime_step
from kalecompiler.runtime import values


@dataclass
class Verdict:
    """What came of a notebook: `outcome` is equal, refused, failed (loudly), broken (the notebook itself) or different."""

    outcome: str
    details: list[str] = field(default_factory=list)
    warnings: tuple[str, ...] = ()
    planned: Planned | None = None

    @property
    def silent(self) -> bool:
        """Whether a difference went without a warning that names what differs."""
        names = [re.findall(r"`([^`]+)`", d)[0] for d in self.details if "`" in d]
        return self.outcome == "different" and not any(name in w for name in names for w in self.warnings)


def judge(path: Path, work: Path) -> Verdict:
    """Run the notebook at `path` both ways; `work` is an empty folder for the steps' files."""
    try:
        planned = plan(path, {})
    except NotebookError as error:
        return Verdict("refused", [d.message for d in error.diagnostics])
    warnings = tuple(d.message for d in planned.diagnostics)
    if planned.pipeline is None:
        return Verdict("refused", list(warnings), warnings, planned)
    failed = run_steps(planned.pipeline, path.parent, work)
    found = json.loads(in_child(lambda: _compare(planned, work), path.parent, work / "notebook.log") or "{}")
    if found.get("error"):
        return Verdict("broken", [found["error"]], warnings, planned)
    if failed is not None:
        return Verdict("failed", [failed], warnings, planned)
    return Verdict("different" if found["differences"] else "equal", found["differences"], warnings, planned)


def run_steps(pipeline: Pipeline, folder: Path, work: Path) -> str | None:
    """Run every step after those above it; the name of the first that fails with the end of its log, or None."""
    done: dict[str, dict[str, Any]] = {}
    waiting = list(pipeline.steps)
    while waiting:
        step = next(s for s in waiting if {*s.after, *(i.producer for i in s.inputs)} <= done.keys())
        waiting.remove(step)
        home = work / step.name
        home.mkdir()
        text = json.dumps(payload.content(step, pipeline))
        task = json.dumps(_executor_input(step, pipeline, done, home))
        status = in_child(lambda text=text, task=task: str(runtime_step.main(text, task)), folder, home / "log.txt")  # type: ignore[misc]
        if status != "0":
            return f"step `{step.name}` ended with {status}: {(home / 'log.txt').read_text(errors='replace')[-1500:]}"
        output = home / "executor_output.json"
        done[step.name] = json.loads(output.read_text())["artifacts"] if output.exists() else {}
    return None


def _executor_input(
    step: Step, pipeline: Pipeline, done: Mapping[str, Mapping[str, Any]], home: Path
) -> dict[str, Any]:
    """What KFP's launcher would hand to the step."""
    defaults = {p.name: p.default for p in pipeline.parameters}
    inputs = {i.port: done[i.producer][i.source_port] for i in step.inputs}
    ports = [o.port for o in step.outputs] + ([step.metrics_port] if step.metrics else [])
    return {
        "inputs": {
            "parameterValues": {n: defaults[n] for n in step.parameters if defaults[n] is not None},
            "artifacts": inputs,
        },
        "outputs": {
            "artifacts": {p: {"artifacts": [{"name": p, "uri": str(home / p), "metadata": {}}]} for p in ports},
            "outputFile": str(home / "executor_output.json"),
        },
    }


def in_child(job: Callable[[], str], folder: Path, log: Path) -> str:
    """Run `job` in a fork with a fresh `__main__`, its output in `log`, in `folder`; what it returns."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(handle, 1)
            os.dup2(handle, 2)
            sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", 0, closefd=False), encoding="utf-8", write_through=True)
            sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", 0, closefd=False), encoding="utf-8", write_through=True)
            os.chdir(folder)
            sys.path[:] = [str(folder), *sys.path]
            sys.modules["__main__"] = types.ModuleType("__main__")
            answer = job()
            os.write(writer, answer.encode("utf-8", "backslashreplace"))
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        answer = stream.read().decode()
    os.waitpid(child, 0)
    return answer


def _compare(planned: Planned, work: Path) -> str:
    """In a fork: run the notebook, and compare after the last cell of each step."""
    pipeline = planned.draft
    kernel = runtime_step.cells.Kernel(sys.modules["__main__"].__dict__, _Echo())
    kernel.namespace |= {p.name: p.default for p in pipeline.parameters}
    if any("get_ipython" in c.source for s in pipeline.steps for c in s.code):
        from kalecompiler.runtime import shell

        shell.install(kernel.namespace)
    differences: list[str] = []
    printed: dict[str, str] = {}
    last = {max(s.cells): s for s in pipeline.steps}
    owner = {n: s.name for s in pipeline.steps for n in s.cells}
    for number, source in _live_cells(planned):
        start = os.fstat(1).st_size
        try:
            kernel.run({"name": f"cell {number}", "kind": "cell", "source": source.split("\n")})
        except BaseException as error:
            return json.dumps({"error": f"cell {number}: {type(error).__name__}: {error}"})
        sys.stdout.flush()
        if number in owner:
            printed[owner[number]] = printed.get(owner[number], "") + _log(work / "notebook.log")[start:]
        if number in last:
            differences += _differences(last[number], kernel.namespace, work)
    for step in pipeline.steps:
        log = work / step.name / "log.txt"
        if log.exists() and _plain(_log(log)) != _plain(printed.get(step.name, "")):
            differences.append(f"step `{step.name}` printed {_log(log)!r}, not {printed.get(step.name, '')!r}")
    return json.dumps({"differences": differences})


def _live_cells(planned: Planned) -> list[tuple[int, str]]:
    """The cells that the pipeline is made of, in notebook order, as the phases translated them."""
    from kalecompiler import ipython, settings, tags
    from kalecompiler.model import Role

    config, _ = settings.load(planned.notebook, {})
    annotations, _ = tags.annotate(planned.notebook, config)
    roles = (Role.IMPORTS, Role.FUNCTIONS, Role.STEP)
    return [(a.cell.number, ipython.translate(a.cell.source).source) for a in annotations if a.role in roles]


def _differences(step: Step, namespace: Mapping[str, Any], work: Path) -> list[str]:
    found = []
    for output in (o for o in step.outputs if o.variable not in VARIABLES):
        path = work / step.name / output.port
        if not path.exists():
            continue
        try:
            ours = values.load(str(path), None, output.variable, step.name)
        except Exception as error:
            found.append(f"`{output.variable}` of step {step.name} cannot be loaded: {error}")
            continue
        live = namespace.get(output.variable, values.ABSENT)
        unlike = difference(live, ours)
        if unlike:
            found.append(f"`{output.variable}` of step {step.name}: {unlike}")
    return found


class _Echo(runtime_step.cells.Silent):
    """Prints the last expression's value, as a step does."""

    def result(self, value: Any) -> None:
        if value is not None:
            print(repr(value))


def _log(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _plain(text: str) -> str:
    """Printed text without what differs from process to process: addresses and the order of stderr."""
    lines = [
        line
        for line in text.splitlines()
        if not re.search(r"Warning\b|^kalec: warning|^  \S.*inplace=|^See https", line)
    ]
    return re.sub(r"0x[0-9a-f]+", "0x", "\n".join(lines)).strip()
