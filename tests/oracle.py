"""The oracle: a notebook run top to bottom in one namespace, beside its plan run with each step in its own process.

Every step is forked from this process, so that heavy imports are paid once; it is given its JSON and an executor input
like any component, and runs the real runtime. The notebook runs in a fork too, cell by cell; at the end of each step
the variables that the plan handed on are loaded there and compared with the live ones, what was printed with what the
step printed, and the metrics with those that the step published.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import io
import json
import multiprocessing
import os
import pkgutil
import random
import re
import resource
import sys
import traceback
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported: a fork has no threads but its own
os.environ.setdefault("MPLBACKEND", "Agg")

from equality import compare

from kalecompiler import ipython, local, payload, runtime, settings, tags
from kalecompiler.compile import compile_package
from kalecompiler.diagnostics import Diagnostic, NotebookError, Severity
from kalecompiler.internal import is_internal
from kalecompiler.model import CodeKind, Pipeline, Role, Step
from kalecompiler.plan import Planned, plan
from kalecompiler.runtime import display, loop, shell, values
from kalecompiler.runtime import step as runtime_step
from kalecompiler.snapshots import signing

T = TypeVar("T")
_SECONDS = 60
_SKLEARN = (
    "cluster", "datasets", "decomposition", "dummy", "ensemble", "feature_extraction.text", "feature_selection",
    "linear_model", "metrics", "model_selection", "naive_bayes", "neighbors", "pipeline", "preprocessing", "svm",
    "tree",
)  # fmt: skip
_SMALL = ("cloudpickle", "numpy.random")
_LARGE = (*_SMALL, "matplotlib.pyplot", "pandas", *(f"sklearn.{name}" for name in _SKLEARN))
_NAMES_OF_LARGE = re.compile(r"matplotlib|pandas|plt|pylab|scipy|seaborn|sklearn")


@dataclass(frozen=True)
class Difference:
    """Something that came out otherwise in a step: a variable, or what the step printed (`variable` is empty)."""

    step: str
    variable: str
    text: str

    def __str__(self) -> str:
        return f"step `{self.step}`, {f'`{self.variable}`' if self.variable else 'printed'}: {self.text}"


@dataclass
class Verdict:
    """What came of a notebook: `outcome` is equal, refused, failed (loudly), broken (the notebook itself) or different.

    `compared` counts the variables and printed texts that were compared; `incomparable` lists those that could not be,
    and `unstable` has those, by step and variable, that come out otherwise when the notebook is run a second time.
    """

    outcome: str
    details: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    findings: tuple[Diagnostic, ...] = ()
    said: list[str] = field(default_factory=list)
    compared: int = 0
    incomparable: list[str] = field(default_factory=list)
    unstable: set[tuple[str, str]] = field(default_factory=set)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    planned: Planned | None = None

    @property
    def warnings(self) -> list[str]:
        """The warnings about names, data and what only one step sees, at compile time and from the steps."""
        return [f"{d.rule.code}: {d.message}" for d in self._warnings()] + self.said

    def _warnings(self) -> list[Diagnostic]:
        about = ("KC2", "KC311")
        return [d for d in self.findings if d.severity is Severity.WARNING and d.rule.code.startswith(about)]

    @property
    def text(self) -> str:
        """Everything that a user is told: findings with their hints, and what failed."""
        findings = [f"{d.rule.code} {d.message}\n{d.location.source or ''}\n{d.hint or ''}" for d in self.findings]
        return "\n".join([*findings, *self.said, *self.details])

    def unsaid(self, *, along_order: bool = False) -> list[Difference]:
        """The differences of which no warning speaks: by naming the variable, or the step, or one above it.

        Above it means: whose data it loads; with `along_order` every step that runs before it.
        """
        warned = self._warned_steps(along_order)
        return [
            d
            for d in self.differences
            if d.step not in warned and not (d.variable and any(f"`{d.variable}`" in w for w in self.warnings))
        ]

    def _warned_steps(self, along_order: bool) -> set[str]:
        assert self.planned is not None
        steps = self.planned.draft.steps
        cells = {d.location.cell for d in self._warnings()}
        found = {s.name for s in steps if cells & {*s.cells} or any(f"`{s.name}`" in w for w in self.warnings)}
        for _ in steps:
            below = {s.name: {i.producer for i in s.inputs} | set(s.after if along_order else ()) for s in steps}
            found |= {name for name, above in below.items() if above & found}
        return found


@dataclass
class _Compared:
    """What the comparing child reports."""

    error: str = ""
    differences: list[dict[str, str]] = field(default_factory=list)
    compared: int = 0
    incomparable: list[str] = field(default_factory=list)
    printed: dict[str, str] = field(default_factory=dict)


def judge(
    path: Path,
    work: Path,
    *,
    arguments: Mapping[str, Any] | None = None,
    ignore: Sequence[str] = (),
    prints: Mapping[str, str] | None = None,
    real: bool = False,
) -> Verdict:
    """Run the notebook at `path` both ways; `work` is an empty folder for the steps' files.

    `arguments` override parameters. Where the graph's meaning is not that of top to bottom, `prints` tells what a step
    prints, and `ignore` names variables. With `real` the compiled package runs as `kalec run` runs it.
    """
    try:
        planned = plan(path, {})
    except NotebookError as error:
        return Verdict("refused", [d.message for d in error.diagnostics], findings=error.diagnostics)
    verdict = Verdict("refused", findings=planned.diagnostics, planned=planned)
    if planned.pipeline is None:
        return verdict
    run = (RealRun if real else Run)(planned.pipeline, path.parent, work, dict(arguments or {}))
    failed = run.steps()
    verdict.said, verdict.metrics = run.said(), run.metrics()
    if failed is not None:
        verdict.outcome, verdict.details = "failed", [failed]
        return verdict
    compared = _in_notebook(planned, run, work)
    if compared.error:
        verdict.outcome, verdict.details = "broken", [compared.error]
        return verdict
    expected = compared.printed | dict(prints or {})
    differences = [Difference(**d) for d in compared.differences if d["variable"] not in ignore]
    differences += run.printed_otherwise(expected)
    if differences:
        verdict.unstable = _unstable(planned, run) & {(d.step, d.variable) for d in differences}
    verdict.differences = [d for d in differences if (d.step, d.variable) not in verdict.unstable]
    verdict.details = [str(d) for d in verdict.differences]
    verdict.compared = compared.compared + sum(1 for text in expected.values() if text.strip())
    verdict.compared -= len(verdict.unstable)
    verdict.incomparable = compared.incomparable
    verdict.outcome = "different" if verdict.differences else "equal"
    return verdict


@functools.cache
def _apart(libraries: Sequence[str]) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=warm, initargs=(libraries,))


def apart(function: Callable[..., T], *arguments: Any, **how: Any) -> T:
    """Call a function in a process that is kept for it: one that has run many tests is four times as slow to fork."""
    return _with(_LARGE, functools.partial(function, *arguments, **how))


def _with(libraries: Sequence[str], call: Callable[[], T]) -> T:
    return _apart(libraries).submit(_as_here, dict(os.environ), call).result()


def _as_here(environment: Mapping[str, str], call: Callable[[], T]) -> T:
    os.environ.clear()
    os.environ.update(environment)
    signing.forget()
    return call()


def judge_apart(path: Path, work: Path, **how: Any) -> Verdict:
    """`judge`, in the process that is kept for what is forked.

    One without the large libraries, for notebooks that do not name them, is five times as quick to fork.
    """
    libraries = _LARGE if _NAMES_OF_LARGE.search(path.read_text(encoding="utf-8", errors="replace")) else _SMALL
    return _with(libraries, functools.partial(judge, path, work, **how))


@dataclass
class Run:
    """The steps of a pipeline, run one after the other in forks of this process."""

    pipeline: Pipeline
    folder: Path
    work: Path
    arguments: dict[str, Any]
    done: dict[str, dict[str, Any]] = field(default_factory=dict)

    def steps(self) -> str | None:
        """Run every step after those above it; the name of the first that fails with the end of its log, or None."""
        waiting = list(self.pipeline.steps)
        while waiting:
            ready = next(s for s in waiting if {*s.after, *(i.producer for i in s.inputs)} <= self.done.keys())
            waiting.remove(ready)
            failed = self._run(ready)
            if failed is not None:
                return failed
        return None

    def _run(self, step: Step) -> str | None:
        home = self.work / step.name
        home.mkdir()
        text = json.dumps(payload.content(step, self.pipeline))
        task = json.dumps(self._executor_input(step, home))
        status = in_child(lambda: str(runtime_step.main(text, task)), self.folder, home / "log.txt")
        if status != "0":
            return f"step `{step.name}` ended with {status or 'no status'}: {self.log(step.name)[-1500:]}"
        output = home / "executor_output.json"
        self.done[step.name] = json.loads(output.read_text())["artifacts"] if output.exists() else {}
        return None

    def _executor_input(self, step: Step, home: Path) -> dict[str, Any]:
        """What KFP's launcher would hand to the step."""
        given = {p.name: p.default for p in self.pipeline.parameters} | self.arguments
        inputs = {i.port: self.done[i.producer][i.source_port] for i in step.inputs}
        ports = [*(o.port for o in step.outputs), *step.shown]
        ports += [step.snapshot_port] if step.snapshot != "off" else []
        return {
            "inputs": {
                "parameterValues": {n: given[n] for n in step.parameters if given[n] is not None},
                "artifacts": inputs,
            },
            "outputs": {
                "artifacts": {p: {"artifacts": [{"name": p, "uri": str(home / p), "metadata": {}}]} for p in ports},
                "outputFile": str(home / "executor_output.json"),
            },
        }

    def log(self, step: str) -> str:
        path = self.work / step / "log.txt"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def said(self) -> list[str]:
        """The warnings of the steps at run time."""
        lines = [line for s in self.pipeline.steps for line in self.log(s.name).splitlines()]
        return [line for line in lines if line.startswith("kalec: warning")]

    def metrics(self) -> dict[str, dict[str, Any]]:
        """What each step published."""
        found = {}
        for step in self.pipeline.steps:
            entry = self.done.get(step.name, {}).get(step.metrics_port) if step.metrics else None
            if entry is not None:
                found[step.name] = entry["artifacts"][0].get("metadata", {})
        return found

    def printed_otherwise(self, expected: Mapping[str, str]) -> list[Difference]:
        """The steps that printed something else than expected."""
        return [
            Difference(s.name, "", f"{self.log(s.name)!r}, not {expected.get(s.name, '')!r}")
            for s in self.pipeline.steps
            if _plain(self.log(s.name)) != _plain(expected.get(s.name, ""))
        ]


class RealRun(Run):
    """The compiled package, run by the local runner: every step is a process as `kalec run` starts it."""

    def steps(self) -> str | None:
        spec = compile_package(self.pipeline).spec
        result = local.run(spec, arguments=self.arguments, folder=self.work / "runs", workdir=self.folder)
        for step, done in zip(self.pipeline.steps, self._in_order(result.steps), strict=True):
            (self.work / step.name).symlink_to(result.folder / step.task)
            if done.failure is not None:
                return f"step `{step.name}` failed: {done.failure.message}: {self.log(step.name)[-1500:]}"
            output = result.folder / step.task / "executor_output.json"
            self.done[step.name] = json.loads(output.read_text())["artifacts"] if output.exists() else {}
        return None

    def _in_order(self, results: Sequence[local.StepResult]) -> list[local.StepResult]:
        found = {r.name: r for r in results}
        return [found.get(s.name) or found[s.task] for s in self.pipeline.steps]


def in_child(job: Callable[[], str], folder: Path, log: Path, seed: int | None = 0) -> str:
    """Run `job` in a fork with a fresh `__main__`, its output in `log`, in `folder`; what it returns.

    Random numbers that nobody seeds start from `seed`.
    """
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
            sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr  # type: ignore[misc]
            resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))  # a program that goes on for ever fails
            os.chdir(folder)
            sys.path[:] = [str(folder), *sys.path]
            sys.modules["__main__"] = types.ModuleType("__main__")
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            sys.stdin = io.TextIOWrapper(os.fdopen(0, "rb", closefd=False))
            _as_new(seed)
            warnings.simplefilter("ignore")  # their text tells where code stands
            answer = job()
            _write(writer, answer.encode("utf-8", "backslashreplace"))
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        answer = stream.read().decode()
    os.waitpid(child, 0)
    return answer


def _as_new(seed: int | None) -> None:
    """What other tests left in this process is nothing to a step."""
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def warm(libraries: Sequence[str] = _LARGE) -> None:
    """Import what notebooks and steps import, once, before the forks."""
    for module in pkgutil.iter_modules(runtime.__path__, f"{runtime.__name__}."):
        importlib.import_module(module.name)
    with contextlib.suppress(ImportError):
        for name in libraries:
            importlib.import_module(name)
    # A child that collects garbage would write to, and so copy, every page that it shares with this process.
    gc.collect()
    gc.freeze()


# -- the notebook ------------------------------------------------------------------------------------------------------


def _in_notebook(
    planned: Planned, run: Run, values_of: Path, keep: Path | None = None, seed: int | None = 0
) -> _Compared:
    """Run the notebook in a fork; compare with the values under `values_of`, or keep its own values under `keep`."""
    log = (keep or run.work) / "notebook.log"
    answer = in_child(lambda: json.dumps(asdict(_compare(planned, run, log, values_of, keep))), run.folder, log, seed)
    return _Compared(**json.loads(answer)) if answer else _Compared(f"it ended early: {log.read_text()[-800:]}")


def _unstable(planned: Planned, run: Run) -> set[tuple[str, str]]:
    """What differs between two runs of the notebook itself: times, numbers drawn without a seed."""
    keep = run.work / "again"
    for step in run.pipeline.steps:
        (keep / step.name).mkdir(parents=True)
    first = _in_notebook(planned, run, run.work, keep, seed=None)
    second = _in_notebook(planned, run, keep, seed=None)
    printed = {(s.name, "") for s in run.pipeline.steps if first.printed.get(s.name) != second.printed.get(s.name)}
    return printed | {(d["step"], d["variable"]) for d in second.differences}


def _compare(planned: Planned, run: Run, log: Path, values_of: Path, keep: Path | None) -> _Compared:
    """In a fork: run the notebook, and compare after the last cell of each step."""
    found = _Compared()
    recorder = display.Recorder(os.devnull)
    kernel = runtime_step.cells.Kernel(sys.modules["__main__"].__dict__, recorder)
    kernel.loop = loop.Loop()
    given = {p.name: p.default for p in run.pipeline.parameters} | run.arguments
    kernel.namespace |= given
    if any("get_ipython" in c.source for s in run.pipeline.steps for c in s.code):
        shell.install(kernel.namespace)
    last = {max(s.cells): s for s in run.pipeline.steps}
    owner = {n: s.name for s in run.pipeline.steps for n in s.cells}
    for number, role, source in _live_cells(planned):
        start = os.fstat(1).st_size
        try:
            kept, after = _of_ours(run.pipeline, number)
            kernel.run({"name": f"cell {number}", "kind": "cell", "source": source.split("\n"), "kept": kept})
            for text in after:
                exec(text, kernel.namespace)
        except BaseException as error:
            found.error = f"cell {number}: {type(error).__name__}: {error}"
            return found
        if role is Role.PARAMETERS:
            kernel.namespace |= run.arguments
        sys.stdout.flush()
        if number in owner:
            text = log.read_bytes()[start:].decode(errors="replace")
            found.printed[owner[number]] = found.printed.get(owner[number], "") + text
        if number in last:
            _at_end(last[number], kernel.namespace, values_of, keep, found)
    return found


def _at_end(step: Step, namespace: Mapping[str, Any], values_of: Path, keep: Path | None, found: _Compared) -> None:
    """At the end of a step: compare the variables that it hands on, or keep them."""
    for output in (o for o in step.outputs if not is_internal(o.variable)):
        live = namespace.get(output.variable, values.ABSENT)
        path = (keep or values_of) / step.name / output.port
        if keep is not None:
            with contextlib.suppress(Exception):
                values.save(str(path), live, output.variable)
        elif path.exists():
            found.compared += 1
            text = _unlike(live, path, step, output.variable, found)
            if text:
                found.differences.append({"step": step.name, "variable": output.variable, "text": text[:2000]})


def _unlike(live: Any, path: Path, step: Step, variable: str, found: _Compared) -> str | None:
    try:
        ours = values.load(str(path), None, variable, step.name)
    except Exception as error:
        return f"cannot be loaded: {error}"
    comparison = compare(live, ours)
    found.incomparable += [f"{step.name}.{variable}: {kind}" for kind in comparison.incomparable]
    return comparison.difference


def _of_ours(pipeline: Pipeline, cell: int) -> tuple[tuple[tuple[int, str], ...], list[str]]:
    """The second names that a cell's definitions get within it and, for a cell of functions, after it."""
    codes = [c for s in pipeline.steps for c in s.code if c.origin is not None and c.origin.cell == cell]
    kept = [c.kept for c in codes if c.kept]
    after = [c.source for c in codes if c.kind is CodeKind.FUNCTIONS and c.name.endswith(" after")]
    return (kept[0] if kept else ()), list(dict.fromkeys(after))


def _live_cells(planned: Planned) -> list[tuple[int, Role, str]]:
    """The cells that the pipeline is made of, in notebook order, as the phases translated them."""
    config, _ = settings.load(planned.notebook, {})
    annotations, _ = tags.annotate(planned.notebook, config)
    roles = (Role.IMPORTS, Role.FUNCTIONS, Role.STEP, Role.PARAMETERS)
    return [(a.cell.number, a.role, ipython.translate(a.cell.source).source) for a in annotations if a.role in roles]


def _plain(text: str) -> str:
    """Printed text without addresses and without what the runtime itself says."""
    lines = [line for line in text.splitlines() if not line.startswith(("kalec: warning", "  help: "))]
    return re.sub(r"0x[0-9a-f]+", "0x", "\n".join(lines)).strip()
