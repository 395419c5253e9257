"""Which steps of a package need not run again, because a run that is kept has what they would compute.

A step is reused where its facts are those of a step that succeeded, all steps above it are reused too, every file that
it opened or wrote is as it was (`traced` tells), and it reached nothing that cannot be compared: the network, other
programs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kalecompiler.diagnostics import UsageError
from kalecompiler.local import pods
from kalecompiler.local.executor import Produced
from kalecompiler.local.taken import Taken
from kalecompiler.local.tasks import FromTask, Package, Task, ancestors, levels, read_package
from kalecompiler.snapshots import keys, signing, traced
from kalecompiler.snapshots.manifest import AFTER, FAILED, Manifest, RunRecord, VariableRecord, why_unkept
from kalecompiler.snapshots.objects import StoreProblem
from kalecompiler.snapshots.store import Store
from kalecompiler.snapshots.traced import Now
from kalecompiler.wording import listed

REUSED, RUNS = "reused", "runs"


@dataclass(frozen=True, slots=True)
class Past:
    """A run that is kept: its package and what its steps left; `here` has them with the files as they are found from
    the present working folder, `read` the files that steps read and did not change."""

    record: RunRecord
    package: Package
    manifests: Mapping[tuple[str, str], Manifest]
    here: Mapping[tuple[str, str], Manifest]
    read: frozenset[str]


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a step runs, and why; `manifest` is what a reused one left, in the run that it is taken from, `run`."""

    task: Task
    why: str
    manifest: Manifest | None = None
    run: Past | None = None

    @property
    def reused(self) -> bool:
        return self.manifest is not None

    @property
    def source(self) -> str:
        """The run and task that a reused step is taken from: `RUN/TASK`."""
        return f"{self.manifest.run}/{self.manifest.task}" if self.manifest else ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to run: the package, its arguments, in the working folder `folder`; `again` are tasks that shall run in
    any case; `told` is what the run is told that reaches a task (`keys.told`)."""

    package: Package
    arguments: Mapping[str, Any]
    folder: str
    told: Callable[[Task], Mapping[str, str]] = lambda task: {}
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

    def __init__(self, store: Store, pipeline: str, folder: str, most: int = 20) -> None:
        self._store, self._folder = store, folder
        self._waiting = [record for record in store.runs() if record.pipeline == pipeline][:most]
        self._read: list[Past] = []

    def __iter__(self) -> Iterator[Past]:
        """The runs."""
        yield from self._read
        while self._waiting:
            with contextlib.suppress(UsageError):
                self._read.append(past(self._store, self._waiting.pop(0), self._folder))
                yield self._read[-1]


def past(store: Store, record: RunRecord, folder: str) -> Past:
    """A run as it is kept, for one in the working folder `folder`.

    Raises StoreProblem where its package is not kept, or is damaged.
    """
    import yaml

    if record.package is None:
        raise StoreProblem(f"the run {record.run} kept no package: nothing of it can be taken over")
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        documents = list(yaml.load_all(store.read(record.package), Loader=loader))
        package = read_package(documents[0], documents[1] if len(documents) > 1 else None)
    except (yaml.YAMLError, IndexError) as error:
        raise StoreProblem(f"the package of run {record.run} cannot be read: {error}") from None
    manifests = store.manifests(record.run)
    here = {at: traced.moved(manifest, record.workdir, folder) for at, manifest in manifests.items()}
    return Past(record, package, manifests, here, traced.only_read(here.values()))


def decide(wanted: Wanted, store: Store, runs: Iterable[Past]) -> dict[str, Decision]:
    """What becomes of each task, by its key, in an order in which they can run. `runs` are asked in their order."""
    decisions: dict[str, Decision] = {}
    now = Now(wanted.folder)
    for level in levels(wanted.package.tasks):
        for key in level:
            decisions[key] = _decide(wanted.package.tasks[key], wanted, runs, decisions, now)
    return _settled(wanted.package, store, decisions, runs, now)


def _decide(task: Task, wanted: Wanted, runs: Iterable[Past], decisions: Mapping[str, Decision], now: Now) -> Decision:
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
        reason = _why_not(task, wanted, run, manifest, decisions, now)
        if not reason and manifest is not None:
            return Decision(task, f"as in {run.record.run}", run.here[task.key, AFTER], run)
        reasons.append(reason)
    return Decision(task, next(filter(None, reasons), "no run is kept that has it"))


def _why_not(
    task: Task, wanted: Wanted, run: Past, manifest: Manifest | None, decisions: Mapping[str, Decision], now: Now
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
    versions = keys.versions_of(manifest.environment, compiler, task)
    one = keys.facts(before, run.record.parameters, digests, versions, manifest.extra.get("given", {}))
    own = keys.versions_here(task)
    other = keys.facts(task, wanted.arguments, _inputs(task, decisions), own, wanted.told(task))
    cache = wanted.cache.get(task.key) is True
    if found := keys.difference(one, other) or outside(manifest, cache):
        return found
    tasks = wanted.package.tasks
    above = {key: decisions[key].manifest for key in ancestors(tasks, task.key) - {task.key}}
    others = [m for (key, _), m in run.here.items() if key not in above]
    return traced.otherwise(run.here[task.key, AFTER], traced.last(above, tasks), others, now, cache)


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


def outside(manifest: Manifest, cache: bool = False) -> str:
    """What a step did that a later run cannot rely on; empty where there is nothing.

    `cache` is its setting `cache:enabled`: then the network and other programs do not count.
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
    return ""


def _settled(
    package: Package, store: Store, decisions: Mapping[str, Decision], runs: Iterable[Past], now: Now
) -> dict[str, Decision]:
    """The decisions, with every step run again that those which run leave no other choice: what it handed on is not
    there, or the files that it shares with them are not as it left them."""
    found = dict(decisions)
    changed = True
    while changed:
        changed = False
        reasons = _shared(package, found, runs, now)
        for key, decision in list(found.items()):
            if decision.manifest is None:
                continue
            running = [found[above].task.name for above in sorted(decision.task.after) if not found[above].reused]
            reason = _lacks(package, store, found, key, decision.manifest)
            if not reason and running:
                reason = f"{listed(running)}, above it, {'runs' if len(running) == 1 else 'run'}"
            if reason := reason or reasons.get(key, ""):
                found[key] = Decision(decision.task, reason)
                changed = True
    return found


def _shared(package: Package, decisions: Mapping[str, Decision], runs: Iterable[Past], now: Now) -> dict[str, str]:
    """Why reused steps must run for the sake of what they share with others: files, and the run's new volumes."""
    reused = {key: one.manifest for key, one in decisions.items() if one.manifest}
    around = {key: one.run.read for key, one in decisions.items() if one.manifest and one.run}
    running = {key: _known(key, runs) for key, one in decisions.items() if not one.reused}
    found = traced.conflicts(package.tasks, reused, running, now) | traced.spoilt(package.tasks, reused, around, now)
    for key in running:
        names = {mount.name for mount in package.tasks[key].pod.folders if mount.kind == pods.NEW}
        for other in reused:
            if common := names & {m.name for m in package.tasks[other].pod.folders if m.kind == pods.NEW}:
                name = package.tasks[key].name
                found.setdefault(other, f"{name}, which runs, has the same new volume `{min(common)}`")
    return found


def _known(key: str, runs: Iterable[Past]) -> list[Manifest]:
    """What is known of a task's last go, if any run that is kept has it."""
    found = ([m for when in (AFTER, FAILED) if (m := run.here.get((key, when)))] for run in runs)
    return next(filter(None, found), [])


def _lacks(package: Package, store: Store, decisions: Mapping[str, Decision], key: str, manifest: Manifest) -> str:
    """What a reused step would have to hand to one that runs, or to keep, and cannot."""
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
    broken = [name for name, one in manifest.variables.items() if one.file and not store.has(one.file)]
    return f"its snapshot of `{broken[0]}` is damaged" if broken else ""


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
            store.get_file(record.file, path, share=True)
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
