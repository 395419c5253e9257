"""Fills the store while a local run goes on: each step's values and where it stood, before, after, and where it failed.

One thread of its own does the work, in the order in which it is told, so that what a step takes is in the store before
the manifest that names it. Whatever goes wrong here is a warning: it never stops a run.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kalecompiler import provenance
from kalecompiler.local.executor import INPUT_FILE, OUTPUT_FILE, Produced, is_scalars, path_of
from kalecompiler.local.keeping import TRACES, Keeper
from kalecompiler.local.results import Failure, RunResult, StepResult
from kalecompiler.local.tasks import Package, Task, in_order
from kalecompiler.snapshots import artifact, hooks, signing
from kalecompiler.snapshots.manifest import (
    AFTER,
    BEFORE,
    FAILED,
    UNKEPT,
    FileRef,
    Manifest,
    RunRecord,
    StepRecord,
    VariableRecord,
)
from kalecompiler.snapshots.store import Store, StoreProblem


@dataclass(slots=True)
class _Under:
    """A task under way: the STEP JSON that it carries, and what was before it."""

    task: Task
    step: Mapping[str, Any]
    before: Manifest
    source: str | None = None

    @property
    def is_kept(self) -> bool:
        """Whether its level is another one than `off`."""
        return bool(self.step.get("snapshot"))


@dataclass(frozen=True, slots=True)
class Done:
    """A task that ended well: the STEP JSON that it carries, what it was given, and what it put out."""

    task: Task
    step: Mapping[str, Any]
    given: Mapping[str, Any]
    produced: Produced


@dataclass(slots=True)
class Ingest(Keeper):
    """Keeps the snapshots of one run; `warn` is told at the end what could not be kept.

    `taken` are, by task, the manifests of steps that this run takes over from others; `provenance` is the run's.
    `source` is what the notebook's file held when it was compiled. Hooks are called if `hooked`; `given` tells what the
    run was told that reaches a task (`keys.told`).
    """

    store: Store
    notebook: Path | None = None
    package: bytes = b""
    order: tuple[str, ...] = ()
    warn: Callable[[str], None] = lambda text: None
    taken: Mapping[str, Manifest] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    source: bytes = b""
    hooked: bool = True
    given: Callable[[Task], Mapping[str, str]] = lambda task: {}
    _run: RunRecord = field(default_factory=lambda: RunRecord(""))
    _folder: Path = Path()
    _under: dict[str, _Under] = field(default_factory=dict)
    _records: dict[str, VariableRecord] = field(default_factory=dict)
    _unkept: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _problems: list[str] = field(default_factory=list)
    _fatal: list[hooks.HookProblem] = field(default_factory=list)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "kalec-snapshots"))

    def begin(
        self, run: str, folder: Path, package: Package, tasks: Mapping[str, Task], values: Mapping[str, Any]
    ) -> None:
        """See `Keeper`."""
        keys = in_order(tasks, self.order)
        steps = tuple(StepRecord(key, tasks[key].name, tuple(sorted(tasks[key].after))) for key in keys)
        self._folder = folder
        about = {"process": os.getpid()}
        self._run = RunRecord(
            run, package.name, "running", time.time(), parameters=dict(values), steps=steps, extra=about
        )
        self._later(self._begin)

    def before(self, task: Task, step: Mapping[str, Any], given: Mapping[str, Any], attempt: int) -> None:
        """See `Keeper`."""
        started = time.time()
        self._later(lambda: self._before(task, step, given, attempt, started))

    def after(self, task: Task, produced: Produced, seconds: float, source: str | None = None) -> None:
        """See `Keeper`."""
        ended = time.time()
        if source and task.key in self.taken:
            self._later(lambda: self._take(task, produced, source))
        else:
            self._later(lambda: self._keep_after(self._under[task.key], produced, (ended - seconds, ended), source))

    def failed(self, task: Task, failure: Failure, attempt: int, again: bool) -> None:
        """See `Keeper`."""
        ended = time.time()
        self._later(lambda: self._failed(self._under[task.key], failure, ended))
        if again:
            self._later(lambda: self.store.put_aside(self._run.run, task.key, attempt)).result()

    def take_up(
        self, record: RunRecord, folder: Path, done: Sequence[Done], kept: Mapping[tuple[str, str], Manifest]
    ) -> None:
        """Keep what tasks of a run that was killed had put out, but for what is kept. Raises StoreProblem, OSError."""
        self._run, self._folder = record, folder
        told = {task: manifest.extra.get("given", {}) for (task, when), manifest in kept.items() if when == BEFORE}
        self.given = lambda task: told.get(task.key, {})
        for one in done:
            key = one.task.key
            known = kept.get((key, AFTER))
            if known is None:
                self._before(one.task, one.step, one.given, 1, record.started or 0.0)
                self._after(self._under[key], one.produced, (0.0, 0.0), None)
            for item in one.produced.artifacts.values() if known else ():
                if about := known and known.variables.get(str(item.get("metadata", {}).get("variable"))):
                    self._records[str(path_of(item))] = about
        self._pool.shutdown()

    def end(self, result: RunResult) -> None:
        """See `Keeper`."""
        self._later(lambda: self._end(result))
        self._pool.shutdown(wait=True)
        for text in dict.fromkeys(self._problems):
            self.warn(text)
        if self._fatal:
            raise self._fatal[0]

    def _later(self, work: Callable[[], None]) -> Future[None]:
        def safely() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - whatever it is: the run goes on without this snapshot
                if isinstance(error, hooks.HookProblem):
                    self._fatal.append(error)
                    return
                known = isinstance(error, StoreProblem | OSError)
                self._problems.append(f"not kept: {error if known else f'{type(error).__name__}: {error}'}")

        return self._pool.submit(safely)

    def _begin(self) -> None:
        if why := signing.problem():
            self._problems.append(f"the snapshots of this run are not signed: {why}")
        about: dict[str, Any] = {"workdir": str(Path.cwd())}
        if self.notebook is not None:
            ref = self.store.put_bytes(self.source)
            about = {"notebook": ref, "notebook_name": self.notebook.name, "notebook_digest": ref.digest}
            about["workdir"] = str(self.notebook.absolute().parent)
        if self.package:
            about["package"] = self.store.put_bytes(self.package)
        self._run = replace(self._run, **about, provenance={"who": provenance.who(), **self.provenance})
        self.store.write_run(signing.sign(self._run))

    def _before(
        self, task: Task, step: Mapping[str, Any], given: Mapping[str, Any], attempt: int, started: float
    ) -> None:
        """Nothing new is written: what the steps above left is what this one has."""
        variables: dict[str, VariableRecord] = {}
        inputs: dict[str, Any] = {}
        for item in step.get("inputs", ()):
            found = given["inputs"]["artifacts"][item["port"]]["artifacts"][0]
            metadata = found.get("metadata", {})
            name = item["variable"]
            inputs[name] = {"from": item["from"], "digest": metadata.get("digest"), "uri": str(found.get("uri"))}
            variables[name] = self._records.get(str(path_of(found))) or artifact.record(metadata)
        sent = given["inputs"]["parameterValues"]
        manifest = Manifest(
            self._run.run,
            task.key,
            BEFORE,
            step=task.name,
            pipeline=self._run.pipeline,
            attempt=attempt,
            started=started,
            source=self._source(artifact.cells(step)),
            parameters={
                name: {"type": item["type"], "value": sent.get(name, item["default"])}
                for name, item in step.get("parameters", {}).items()
            },
            inputs=inputs,
            variables=variables,
            extra={"given": dict(told)} if (told := self.given(task)) else {},
        )
        self._under[task.key] = _Under(task, step, manifest)
        if self._under[task.key].is_kept:
            self._write(manifest)

    def _keep_after(self, under: _Under, produced: Produced, times: tuple[float, float], source: str | None) -> None:
        """As `_after`; of a step that cannot be kept now, it is noted what its folder says, so that it may be later."""
        try:
            self._after(under, produced, times, source)
        except (StoreProblem, OSError) as error:
            told = {} if source else papers(self._folder / under.task.key)
            self._unkept[under.task.key] = {"why": str(error), "papers": told}
            raise

    def _after(self, under: _Under, produced: Produced, times: tuple[float, float], source: str | None) -> None:
        if not under.is_kept:
            return
        manifest = self._bare(under, AFTER, times)
        variables: dict[str, VariableRecord] = {}
        metrics: dict[str, Any] = {}
        for port, item in produced.artifacts.items():
            metadata = item.get("metadata", {})
            path = path_of(item)
            if is_scalars(item):
                metrics |= metadata
            elif metadata.get("format") == artifact.METADATA_FORMAT:
                manifest = self._snapshot(path, under)
            elif "variable" in metadata:
                record = self._keep_file(path, {**metadata, "port": port})
                variables[str(metadata["variable"])] = self._records[str(path)] = record
        extra = {**manifest.extra, **({"reused": source} if source else {})}
        under.source = source
        self._write(replace(manifest, variables={**manifest.variables, **variables}, metrics=metrics, extra=extra))

    def _take(self, task: Task, produced: Produced, source: str) -> None:
        """What a task left in another run is what it has in this one."""
        manifest = self.taken[task.key]
        for item in produced.artifacts.values():
            if known := manifest.variables.get(str(item.get("metadata", {}).get("variable"))):
                self._records[str(path_of(item))] = known
        extra = {**manifest.extra, "reused": source}
        manifest = replace(manifest, run=self._run.run, attempt=1, extra=extra, signature=None)
        self._under[task.key] = _Under(task, {}, manifest, source)
        self.store.write_manifest(signing.sign(manifest))

    def _failed(self, under: _Under, failure: Failure, ended: float) -> None:
        if not under.is_kept:
            return
        path = self._folder / under.task.key / str(under.step["snapshot"]["port"])
        manifest = self._bare(under, FAILED, (under.before.started or ended, ended))
        if path.is_file() and not path.is_symlink():
            try:
                found = self._snapshot(path, under)
                manifest = found if found.when == FAILED else manifest
            except StoreProblem as problem:  # it was killed before all was written
                self._problems.append(f"the state of step {under.task.name} is not kept: {problem}")
        ended_by_others = (manifest.error or "Terminated").startswith("Terminated")
        error = failure.message if ended_by_others else manifest.error
        self._write(replace(manifest, status="failed", error=error))

    def _bare(self, under: _Under, when: str, times: tuple[float, float]) -> Manifest:
        """What is said of a step that left no snapshot of its own."""
        before = replace(under.before, variables={}, started=times[0], ended=times[1])
        return replace(before, when=when, status="failed" if when == FAILED else "succeeded")

    def _snapshot(self, path: Path, under: _Under) -> Manifest:
        """What a step said of itself, its values kept."""
        with _mapped(path) as view:
            found, start = artifact.split(view, str(path))
            variables: dict[str, VariableRecord] = {}
            for name, about in found["variables"].items():
                value = artifact.value(view, start, about)
                variables[name] = self._variable(value, about, path.parent if found["when"] == FAILED else None)
        manifest = artifact.manifest(found, self._run.run, under.task.key, variables)
        return replace(
            manifest,
            step=under.task.name,
            pipeline=self._run.pipeline,
            attempt=under.before.attempt,
            source=self._source(manifest.source),
            extra={**manifest.extra, **under.before.extra},
        )

    def _variable(self, value: memoryview | None, about: Mapping[str, Any], folder: Path | None) -> VariableRecord:
        """A variable whose value lies in the snapshot, or beside it in the folder of a step that failed later on."""
        beside = folder / str(about["port"]) if folder and about.get("port") else None
        if beside is not None and beside.is_file():
            return self._keep_file(beside, about)
        return artifact.record(about) if value is None else self._keep(value, about)

    def _keep(self, view: memoryview, about: Mapping[str, Any]) -> VariableRecord:
        ref = self.store.put_bytes(view, str(about.get("digest", "")))
        return artifact.record(about, ref, *artifact.nature(view))

    def _keep_file(self, path: Path, about: Mapping[str, Any]) -> VariableRecord:
        """Keep the file that a step wrote for a variable; no step writes to it again."""
        ref = self.store.put_file(path, str(about.get("digest", "")), share=True)
        with _mapped(path) as view:
            return artifact.record(about, ref, *artifact.nature(view))

    def _source(self, own: Mapping[str, Any]) -> dict[str, Any]:
        git = {key: value for key, value in self._run.origin("git").items() if key in ("commit", "dirty")}
        compiler = self._run.origin("versions").get("kalecompiler", "")
        return {**own, **git, "digest": self._run.notebook_digest, "compiler": compiler}

    def _write(self, manifest: Manifest) -> None:
        """Add what the runner knows, and commit the manifest."""
        if manifest.when != BEFORE:
            traces = _traces(self._folder / manifest.task / TRACES)
            files, network = tuple(traces.get("files", ())), bool(traces.get("network"))
            more: dict[str, Any] = {"traced": True} if traces else {}  # else nobody knows what it opened
            more |= {name: traces[name] for name in ("programs", "unseen", "folder") if traces.get(name)}
            manifest = replace(manifest, files=files, network=network, extra={**manifest.extra, **more})
        if self.hooked:
            manifest = replace(manifest, hooks=hooks.call(manifest, self._problems.append))
        self.store.write_manifest(signing.sign(manifest))

    def _end(self, result: RunResult) -> None:
        ends = {step.name: step for step in result.steps}
        steps = tuple(self._ended(step, ends.get(step.name)) for step in self._run.steps)
        total = {ref.digest: ref.size for ref in self._files()}
        record = replace(
            self._run,
            status="failed" if self._fatal else result.status.value,
            ended=time.time(),
            steps=steps,
            new_bytes=sum(self.store.written),
            total_bytes=sum(total.values()),
        )
        self.store.write_run(signing.sign(record))

    def _files(self) -> Iterator[FileRef]:
        yield from filter(None, (self._run.notebook, self._run.package))
        for manifest in self.store.every_manifest(self._run.run):
            yield from (variable.file for variable in manifest.variables.values() if variable.file)

    def _ended(self, step: StepRecord, end: StepResult | None) -> StepRecord:
        if end is None:
            return step
        under = self._under.get(step.key)
        return replace(
            step,
            status=end.status.value,
            seconds=round(end.seconds, 3),
            metrics=dict(end.metrics),
            error=end.failure.message if end.failure else None,
            source=under.source if under else None,
            extra={UNKEPT: self._unkept[step.key]} if step.key in self._unkept else {},
        )


def papers(folder: Path) -> dict[str, str]:
    """The sha256 of the files in a task's folder that tell of it, by name; one of them has the digests of its values.

    Raises OSError.
    """
    there = (folder / name for name in (INPUT_FILE, OUTPUT_FILE, TRACES))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in there if path.is_file()}


def _traces(path: Path) -> Mapping[str, Any]:
    """What a step's process reported; {} where it did not, or was killed."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def _mapped(path: Path) -> Iterator[memoryview]:
    """A file in memory. Raises OSError."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        memory = memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else b"")
    yield memory
