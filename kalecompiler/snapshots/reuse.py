"""Which steps of a package need not run again, because a run that is kept has what they would compute.

A step is reused where its facts are those of a step that succeeded, all steps above it are reused too, every file that
it opened or wrote is as it was, and it reached nothing that cannot be compared: the network, other programs.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kalecompiler.diagnostics import UsageError
from kalecompiler.local import traces
from kalecompiler.local.executor import Produced
from kalecompiler.local.taken import Taken
from kalecompiler.local.tasks import FromTask, Package, Task, levels, read_package
from kalecompiler.snapshots import keys, signing
from kalecompiler.snapshots.manifest import AFTER, Manifest, RunRecord, VariableRecord, why_unkept
from kalecompiler.snapshots.objects import StoreProblem
from kalecompiler.snapshots.store import Store
from kalecompiler.wording import listed

REUSED, RUNS = "reused", "runs"


@dataclass(frozen=True, slots=True)
class Past:
    """A run that is kept: its package and what its steps left."""

    record: RunRecord
    package: Package
    manifests: Mapping[tuple[str, str], Manifest]


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a step runs, and why; `manifest` is what a reused one left, in the run that it is taken from."""

    task: Task
    why: str
    manifest: Manifest | None = None

    @property
    def reused(self) -> bool:
        return self.manifest is not None

    @property
    def source(self) -> str:
        """The run and task that a reused step is taken from: `RUN/TASK`."""
        return f"{self.manifest.run}/{self.manifest.task}" if self.manifest else ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to run: the package, its arguments; `again` are tasks that shall run in any case."""

    package: Package
    arguments: Mapping[str, Any]
    again: frozenset[str] = frozenset()
    trust: bool = False
    cache: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reuse:
    """What a run takes over, by task: the manifests, and what the runner needs."""

    manifests: Mapping[str, Manifest]
    taken: Mapping[str, Taken]


class Lately:
    """The runs of a pipeline, newest first, each read when it is first asked for; those that cannot be are left out."""

    def __init__(self, store: Store, pipeline: str, most: int = 20) -> None:
        self._store = store
        self._waiting = [record for record in store.runs() if record.pipeline == pipeline][:most]
        self._read: list[Past] = []

    def __iter__(self) -> Iterator[Past]:
        """The runs."""
        yield from self._read
        while self._waiting:
            with contextlib.suppress(UsageError):
                self._read.append(past(self._store, self._waiting.pop(0)))
                yield self._read[-1]


def past(store: Store, record: RunRecord) -> Past:
    """A run as it is kept. Raises StoreProblem where its package is not, or is damaged."""
    import yaml

    if record.package is None:
        raise StoreProblem(f"the run {record.run} kept no package: nothing of it can be taken over")
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        documents = list(yaml.load_all(store.read(record.package), Loader=loader))
        package = read_package(documents[0], documents[1] if len(documents) > 1 else None)
    except (yaml.YAMLError, IndexError) as error:
        raise StoreProblem(f"the package of run {record.run} cannot be read: {error}") from None
    return Past(record, package, store.manifests(record.run))


def decide(wanted: Wanted, store: Store, runs: Iterable[Past]) -> dict[str, Decision]:
    """What becomes of each task, by its key, in an order in which they can run. `runs` are asked in their order."""
    decisions: dict[str, Decision] = {}
    for level in levels(wanted.package.tasks):
        for key in level:
            decisions[key] = _decide(wanted.package.tasks[key], wanted, runs, decisions)
    return _with_all_outputs(wanted.package, store, decisions)


def _decide(task: Task, wanted: Wanted, runs: Iterable[Past], decisions: Mapping[str, Decision]) -> Decision:
    if task.key in wanted.again:
        return Decision(task, "it is to run again")
    if task.always:
        return Decision(task, "it runs at the end of every run")
    above = [decisions[key] for key in sorted(task.after)]
    if running := [decision.task.name for decision in above if not decision.reused]:
        return Decision(task, f"{listed(running)}, above it, {'runs' if len(running) == 1 else 'run'}")
    if not keys.step_of(task):
        return Decision(task, "it is no step of kalecompiler's")
    if wanted.cache.get(task.key) is False:
        return Decision(task, "its setting is `cache:disabled`")
    reasons = []
    for run in runs:
        manifest = run.manifests.get((task.key, AFTER))
        reason = _why_not(task, wanted, run, manifest, decisions)
        if not reason and manifest is not None:
            return Decision(task, f"as in {run.record.run}", manifest)
        reasons.append(reason)
    return Decision(task, next(filter(None, reasons), "no run is kept that has it"))


def _why_not(
    task: Task, wanted: Wanted, run: Past, manifest: Manifest | None, decisions: Mapping[str, Decision]
) -> str:
    """Why a step cannot be taken from a run; empty where it can."""
    if manifest is None or manifest.status not in ("", "succeeded"):
        status = next((s.status for s in run.record.steps if s.key == task.key), "")
        known = task.key in run.package.tasks
        if why := why_unkept(run.record, task.key):
            return f"its snapshot was not kept in {run.record.run}: {why}"
        return (f"it {_ended(status)} in {run.record.run}") if known else f"{run.record.run} did not have it"
    if not (wanted.trust or signing.trusted(manifest) == signing.SIGNED == signing.trusted(run.record)):
        return f"nothing says that its snapshot in {run.record.run} is yours: --trust takes it all the same"
    before = run.package.tasks.get(task.key)
    if before is None:
        return f"{run.record.run} did not have it"
    compiler = str(run.record.origin("versions").get("kalecompiler", ""))
    digests = {name: str(item.get("digest")) for name, item in manifest.inputs.items()}
    one = keys.facts(before, run.record.parameters, digests, keys.versions_of(manifest.environment, compiler, task))
    other = keys.facts(task, wanted.arguments, _inputs(task, decisions), keys.versions_here(task))
    return keys.difference(one, other) or outside(manifest, run.manifests, wanted.cache.get(task.key) is True)


def _ended(status: str) -> str:
    known = {"failed": "failed", "": "did not run", "not-run": "did not run", "succeeded": "left no snapshot"}
    return known.get(status, f"was {status}")


def _inputs(task: Task, decisions: Mapping[str, Decision]) -> dict[str, str]:
    """The digests of what a task takes from steps that are reused, by variable."""
    found = {}
    for item in keys.step_of(task).get("inputs", ()):
        source = task.artifacts.get(item["port"])
        manifest = decisions[source.task].manifest if source and source.task in decisions else None
        record = _output(manifest, item["variable"]) if manifest else None
        found[item["variable"]] = record.digest if record else "none"
    return found


def _output(manifest: Manifest, variable: str) -> VariableRecord | None:
    return manifest.variables.get(variable)


def outside(manifest: Manifest, run: Mapping[tuple[str, str], Manifest], cache: bool = False) -> str:
    """What a step did that a later run cannot rely on, or that is otherwise now; empty where there is nothing.

    `run` has all manifests of its run: what a step of the run wrote is no change from outside. `cache` is its setting
    `cache:enabled`: then the network and other programs do not count.
    """
    if not manifest.extra.get("traced"):
        return "" if cache else "what it opened was not recorded"
    if manifest.network and not cache:
        return "it used the network: `cache:enabled` takes it all the same"
    if (programs := manifest.extra.get("programs")) and not cache:
        return f"it ran other programs ({', '.join(map(str, programs))}): `cache:enabled` takes it all the same"
    if (unseen := manifest.extra.get("unseen")) and not cache:
        names = ", ".join(map(str, unseen))
        return f"{names} may have read files that cannot be seen: `cache:enabled` takes it all the same"
    return next(filter(None, (_changed(file, manifest, run) for file in manifest.files)), "")


def _changed(file: Mapping[str, Any], manifest: Manifest, run: Mapping[tuple[str, str], Manifest]) -> str:
    """How a file, or a list of files, is not as its run left it; empty where it is, or where that does not matter."""
    path, mode = str(file.get("path")), str(file.get("mode"))
    verb = {"list": "listed", "read": "read"}.get(mode, "wrote")
    all_of_it = [f for m in run.values() for f in m.files if f.get("path") == path]
    if mode == "remove":
        known = {f.get("digest") for f in all_of_it}
        return f"it removed {_shown(path)}, which is there again" if _is_news(path, known) else ""
    own = {str(f.get("mode")) for f in manifest.files if f.get("path") == path}
    if file.get("digest") == traces.ABSENT:
        known = {f.get("digest") for f in all_of_it}
        return f"it looked for {_shown(path)}, which was not there then" if _is_news(path, known) else ""
    if verb == "wrote" and ("read" in own or not _read_by_others(path, manifest, run)):
        gone = mode == "write" and not os.path.exists(path) and not path.startswith(tempfile.gettempdir())  # noqa: PTH110
        return f"it wrote {_shown(path)}, which is not there any more" if gone else ""
    known = {f.get("digest") for f in all_of_it}
    if file.get("digest") is None:
        return f"it {verb} {_shown(path)}, which others changed while it ran"
    try:
        if mode == "list":
            written = {str(f["path"]) for m in run.values() for f in m.files if f.get("mode") in ("write", "append")}
            here, known = traces.names_digest(path, written), {file.get("digest")}
        else:
            here = traces.content_digest(path)
    except OSError:
        return f"it {verb} {_shown(path)}, which is not there any more"
    return "" if here in known else f"it {verb} {_shown(path)}, which has changed"


def _is_news(path: str, known: Collection[Any]) -> bool:
    """Whether something is at a path that no step of the run knew there."""
    try:
        return os.path.lexists(path) and traces.content_digest(path) not in known
    except OSError:
        return True


def _read_by_others(path: str, manifest: Manifest, run: Mapping[tuple[str, str], Manifest]) -> bool:
    """Whether another step of the run read a file without writing it."""
    for other in run.values():
        modes = {f.get("mode") for f in other.files if f.get("path") == path}
        if other.task != manifest.task and modes == {"read"}:
            return True
    return False


def _shown(path: str) -> str:
    """A path as a reader likes it: relative where it lies below the current folder."""
    near = os.path.relpath(path)
    return path if near.startswith("..") else near


def _with_all_outputs(package: Package, store: Store, decisions: Mapping[str, Decision]) -> dict[str, Decision]:
    """The decisions, with every step run again that would be asked for what its snapshot does not have."""
    found = dict(decisions)
    changed = True
    while changed:
        changed = False
        for key, decision in list(found.items()):
            if decision.manifest is None:
                continue
            reason = _lacks(package, store, found, key, decision.manifest)
            running = [found[above].task.name for above in sorted(decision.task.after) if not found[above].reused]
            if not reason and running:
                reason = f"{listed(running)}, above it, {'runs' if len(running) == 1 else 'run'}"
            if reason:
                found[key] = Decision(decision.task, reason)
                changed = True
    return found


def _lacks(package: Package, store: Store, decisions: Mapping[str, Decision], key: str, manifest: Manifest) -> str:
    """What a reused step would have to hand to one that runs, and cannot."""
    variables = {item["port"]: item["variable"] for item in keys.step_of(package.tasks[key]).get("outputs", ())}
    for decision in decisions.values():
        if decision.reused:
            continue
        for source in decision.task.artifacts.values():
            if not isinstance(source, FromTask) or source.task != key:
                continue
            variable = variables.get(source.port, source.port)
            record = manifest.variables.get(variable)
            if record is None or not (record.file or record.absent):
                return f"its snapshot does not have `{variable}`, which `{decision.task.name}` needs"
            if record.file and not store.has(record.file):
                return f"its snapshot of `{variable}`, which `{decision.task.name}` needs, is damaged"
    return ""


def of(decisions: Mapping[str, Decision], store: Store) -> Reuse:
    """What a run takes over that follows these decisions."""
    needed: dict[str, set[str]] = {}
    for decision in decisions.values():
        for source in () if decision.reused else decision.task.artifacts.values():
            needed.setdefault(source.task, set()).add(source.port)
    manifests = {key: decision.manifest for key, decision in decisions.items() if decision.manifest}
    taken = {key: _taken(store, decisions[key], needed.get(key, set())) for key in manifests}
    return Reuse(manifests, taken)


def _taken(store: Store, decision: Decision, needed: Collection[str]) -> Taken:
    metrics = decision.manifest.metrics if decision.manifest else {}
    return Taken(decision.source, lambda folder: _outputs(store, decision, folder, needed), metrics)


def _outputs(store: Store, decision: Decision, folder: Path, needed: Collection[str]) -> Produced:
    """What a reused task put out; the files of the ports `needed` are written. Raises StoreProblem."""
    manifest = decision.manifest
    found: dict[str, dict[str, Any]] = {}
    step = keys.step_of(decision.task)
    for item in step.get("outputs", ()):
        record = manifest.variables.get(item["variable"]) if manifest else None
        if record is None:
            continue
        path = folder / item["port"]
        if item["port"] in needed and record.file is not None:
            folder.mkdir(parents=True, exist_ok=True)
            store.get_file(record.file, path)
        found[item["port"]] = {
            "name": item["port"],
            "type": dict(decision.task.types.get(item["port"], {})),
            "uri": str(path),
            "metadata": _metadata(item["variable"], record),
        }
    return Produced(found, {})


def _metadata(variable: str, record: VariableRecord) -> dict[str, Any]:
    """The metadata of an artifact, as the step that made it said it."""
    known = {"type": record.type, "shape": record.shape, "dtype": record.dtype, "dtypes": record.dtypes}
    told: dict[str, Any] = {name: value for name, value in known.items() if value}
    told |= {"group": list(record.group)} if record.group else {}
    told |= {"absent": True} if record.absent else {}
    digest = record.file.digest if record.file else record.digest
    return {"format": "kalec-1", "digest": digest, "size": record.size, "variable": variable, **told}
