"""A run of an endpoint as a run that is kept: its record from the API, what its steps left from their snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kalecompiler.local.tasks import defaults_of
from kalecompiler.runtime import reading
from kalecompiler.snapshots import artifact, cutting, packagecode, signing
from kalecompiler.snapshots.manifest import Manifest, RunRecord, StepRecord, VariableRecord
from kalecompiler.snapshots.objects import StoreProblem
from kalecompiler.snapshots.runs import Kept
from kalecompiler.submit import runs, stored
from kalecompiler.submit.buckets import Both, Bucket, Reader, Server, bucket
from kalecompiler.submit.connection import Connection
from kalecompiler.submit.faults import ServerError
from kalecompiler.submit.stored import Stored
from kalecompiler.submit.views import RunView, view

LARGEST = 64 << 20
"""A table is fetched only to look for columns that differ up to this size."""
VOUCHED = "control plane"


@dataclass(slots=True)
class _Found:
    """What was read of the snapshots: by task, the manifest, where it lies, and what it says of its variables."""

    manifests: dict[str, Manifest] = field(default_factory=dict)
    places: dict[str, Stored] = field(default_factory=dict)
    about: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    vouched: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def kept(connection: Connection, word: str, root: str | None = None) -> Kept:
    """The run that a word means at an endpoint; `root` is its pipeline root, where its bucket is to be read itself.

    Raises ServerError, UsageError. A step whose snapshot cannot be had has none, and a note says so.
    """
    run = connection.run(runs.resolve(connection, word))
    spec = runs.spec_of(connection, run)
    shown = view(run, runs.ordered(runs.tasks_of(spec)))
    ports, measured = _ports(spec, "snapshot"), _ports(spec, "metrics")
    known = stored.known(connection, shown.id, {*ports.items(), *measured.items()})
    store = bucket(root) if root else None
    reader: Reader = Both(store, Server(connection)) if store else Server(connection)
    listed = _listed(store, spec, shown.id) if store else []
    every = known or listed
    found = _Found()
    for item in [*every, *(item for item in listed if known)]:
        if ports.get(item.task) == item.port and (item in every or item.task not in found.manifests):
            _take(found, item, reader, shown.id)
    _take_cached(found, ports, reader, shown.id)
    record = _record(shown, spec, found, every)
    missing = [step.name for step in record.steps if step.key not in found.manifests and step.key in ports]
    notes = _notes(found, missing, told=known is not None, listed=store is not None)

    def fetch(manifest: Manifest, variable: VariableRecord, folder: Path) -> Path:
        return _fetch(found, manifest, variable, folder, reader)

    def vouch(given: Any) -> str:
        return VOUCHED if isinstance(given, Manifest) and given.task in found.vouched else signing.trusted(given)

    manifests = {(one.task, one.when): one for one in found.manifests.values()}
    code = packagecode.pieces(spec)
    url, better = connection.endpoint.run_url(shown.id), packagecode.better(spec)
    return Kept(record, manifests, url, fetch, lambda: code, notes, LARGEST, vouch, lambda: better)


def _ports(spec: Mapping[str, Any], what: str) -> dict[str, str]:
    """The name of the output that is a task's snapshot, or has its metrics, by the keys of the tasks that have one."""
    told = {key: step.get(what) for key, step in packagecode.steps(spec).items()}
    return {key: str(one["port"]) for key, one in told.items() if isinstance(one, Mapping) and "port" in one}


def _listed(store: Bucket, spec: Mapping[str, Any], run_id: str) -> list[Stored]:
    """The artifacts below a run's prefix."""
    uris = store.below(str(spec.get("pipelineInfo", {}).get("name", "")), run_id)
    return [item for item in map(stored.from_uri, uris) if item is not None]


def _take(found: _Found, item: Stored, reader: Reader, run_id: str) -> None:
    """Read a snapshot, and note what it says; of several of one task (it was retried) the last one counts."""
    try:
        data = reader.first_line(item.uri)
        told, _ = artifact.split(data, item.uri)
        manifest = artifact.manifest(told, run_id, item.task, _variables(told, item.uri))
    except (ServerError, StoreProblem) as error:
        if isinstance(error, ServerError) and error.code in (None, 401, 403):
            raise
        found.problems.append(str(error))
        return
    before = found.manifests.get(item.task)
    if before is not None and (before.ended or 0) > (manifest.ended or 0):
        return
    found.manifests[item.task] = manifest
    found.places[item.task] = item
    found.about[item.task] = told["variables"]
    if item.metadata.get("digest") == artifact.digest(data):
        found.vouched.add(item.task)
    else:
        found.vouched.discard(item.task)


def _variables(told: Mapping[str, Any], uri: str) -> dict[str, VariableRecord]:
    """What a snapshot says of its variables; others may write to its bucket. Raises StoreProblem."""
    try:
        return {str(name): artifact.record(about) for name, about in told["variables"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise StoreProblem(f"{uri} is damaged: what it says of its variables is not as it should be") from None


def _take_cached(found: _Found, ports: Mapping[str, str], reader: Reader, run_id: str) -> None:
    """The snapshots of cached steps: each is the sibling of an output, which a step below tells where it is."""
    seen: set[str] = set()
    todo = list(found.manifests)
    while todo:
        inputs = found.manifests[todo.pop()].inputs.values()
        for uri in (str(item.get("uri") or "") for item in inputs if isinstance(item, Mapping)):
            made = stored.from_uri(uri)
            if made is None or made.task in found.manifests or made.task not in ports or made.uri in seen:
                continue
            seen.add(made.uri)
            sibling = replace(made, port=ports[made.task], uri=_sibling(made.uri, ports[made.task]))
            _take(found, sibling, reader, run_id)
            todo += [made.task] if made.task in found.manifests else []


def _sibling(uri: str, port: str) -> str:
    return f"{uri.rpartition('/')[0]}/{port}"


def _fetch(found: _Found, manifest: Manifest, variable: VariableRecord, folder: Path, reader: Reader) -> Path:
    """Put the file of a variable into a folder, verified."""
    place = found.places[manifest.task]
    name = next(name for name, one in manifest.variables.items() if one is variable)
    about = found.about[manifest.task][name]
    if about.get("at") is not None:
        data = reader.read(place.uri)
        _, start = artifact.split(data, place.uri)
        piece = artifact.value(data, start, about)
    else:
        piece = memoryview(reader.read(_sibling(place.uri, str(variable.port)))) if variable.port else None
    if piece is None:
        raise StoreProblem(f"{name} of step {manifest.step} is kept nowhere")
    target = folder / "value"
    target.write_bytes(piece)
    if not _is_whole(target, piece, variable.digest):
        target.unlink()
        raise StoreProblem(f"the file of {name} of step {manifest.step} is not the one that the step wrote")
    return target


def _is_whole(file: Path, content: memoryview, digest: str) -> bool:
    """Whether every byte of a file is what its digest stands for: that of a value's is of its header alone."""
    if cutting.digest_of(content) != digest:
        return False
    if cutting.header_of(content) is not None:
        try:
            reading.read(str(file), digest)
        except reading.Unreadable:
            return False
    return True


def _record(run: RunView, spec: Mapping[str, Any], found: _Found, every: Iterable[Stored]) -> RunRecord:
    """The record of a run, as far as the API and the snapshots tell."""
    tasks = runs.tasks_of(spec)
    metrics: dict[str, dict[str, Any]] = {}
    for item in every:
        if "Metric" in item.type and "Classification" not in item.type:
            own = {name: value for name, value in item.metadata.items() if isinstance(value, (int, float))}
            metrics.setdefault(item.task, {}).update(own)
    defaults = defaults_of(spec.get("root", {}).get("inputDefinitions", {}).get("parameters", {}))
    notebooks = {str(one.source.get("notebook") or "") for one in found.manifests.values()}
    return RunRecord(
        run.id,
        str(spec.get("pipelineInfo", {}).get("name", "")),
        run.state.lower(),
        run.created.timestamp() if run.created else None,
        run.ended.timestamp() if run.ended else None,
        notebook_name=", ".join(sorted(notebooks - {""})),
        parameters={**defaults, **(run.parameters or {})},
        steps=tuple(
            StepRecord(
                step.name,
                str(tasks.get(step.name, {}).get("taskInfo", {}).get("name") or step.name),
                tuple(sorted(tasks.get(step.name, {}).get("dependentTasks", ()))),
                _status(step.state),
                round(step.seconds() or 0.0, 3),
                source=_source(found, step.name, run.id),
                metrics=metrics.get(step.name, {}),
                error=step.error,
            )
            for step in run.steps
        ),
        total_bytes=sum(v.size for one in found.manifests.values() for v in one.variables.values()),
    )


def _status(state: str) -> str:
    return {"canceled": "stopped", "error": "failed"}.get(state.lower(), state.lower())


def _source(found: _Found, task: str, run_id: str) -> str | None:
    """For a cached step, whose it is."""
    place = found.places.get(task)
    other = stored.run_of(place.uri) if place else run_id
    return f"{other}/{task}" if other != run_id else None


def _notes(found: _Found, missing: list[str], *, told: bool, listed: bool) -> tuple[str, ...]:
    notes = list(dict.fromkeys(found.problems))
    if missing and not told and not listed:
        notes.append(
            "the server does not tell where artifacts lie: name the pipeline root, as in "
            "--pipeline-root s3://bucket/v2/artifacts"
        )
    elif missing:
        notes.append(f"no snapshot was found of {', '.join(missing)}")
    return tuple(notes)
