"""What the steps of a run had done, and was not kept as it was killed or the disk full, lies in the run's folder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kalecompiler.local import executor, failures
from kalecompiler.local.executor import ContractError
from kalecompiler.local.folders import folder_of_run
from kalecompiler.snapshots import artifact, cutting, retention, reuse, signing
from kalecompiler.snapshots.ingest import Done, Ingest, papers
from kalecompiler.snapshots.manifest import AFTER, FAILED, UNKEPT, Manifest, RunRecord, StepRecord, unkept
from kalecompiler.snapshots.store import Store, StoreProblem


def recover(store: Store, record: RunRecord) -> RunRecord:
    """The run's record, as it is known now that all is kept which its steps had done, and could not be kept then.

    Only for runs of this user's own, and of this machine. Where nothing can be written the record stays as it is.
    """
    was_killed = record.status == "running"
    is_whole = not was_killed and not any(UNKEPT in step.extra for step in record.steps)
    if is_whole or retention.is_under_way(record) or signing.trusted(record) != signing.SIGNED:
        return record
    folder = folder_of_run(store.path.parent, record.run)
    try:
        manifests = store.manifests(record.run)
        if folder.is_dir() and not folder.is_symlink() and record.package is not None:
            keeper = Ingest(store, hooked=False)
            done = _done(store, record, folder)
            if not was_killed:
                done = (one for one in done if (one.task.key, AFTER) in manifests or _is_as_noted(record, one, folder))
            keeper.take_up(record, folder, list(done), manifests)
            manifests = store.manifests(record.run)
        about = replace(record, steps=tuple(_known(step, manifests) for step in record.steps))
        if was_killed:
            ended = max((one.ended or 0.0 for one in manifests.values()), default=0.0)
            steps = tuple(_ended(step, manifests) for step in record.steps)
            about = replace(record, status="stopped", ended=ended or time.time(), steps=steps)
        if about == record:
            return record
        sizes = {ref.digest: ref.size for ref in retention.files(store, record.run)}
        about = replace(about, total_bytes=sum(sizes.values()), new_bytes=retention.own_bytes(store, record.run))
        closed: RunRecord = signing.sign(about)
        store.write_run(closed)
    except (StoreProblem, OSError):
        return record
    return closed


def _done(store: Store, record: RunRecord, folder: Path) -> Iterator[Done]:
    """The tasks that came to their end, in their order, as far as their folders can be read."""
    known = reuse.past(store, record, record.workdir).package.tasks
    for step in record.steps:
        task = known.get(step.key)
        try:
            given: dict[str, Any] = json.loads((folder / step.key / executor.INPUT_FILE).read_text(encoding="utf-8"))
            if task is not None and Path(given["outputs"]["outputFile"]).parent == folder / step.key:
                carried = failures.read_carried(executor.substitute(task.command, given))
                yield Done(task, carried.step, given, executor.read_output(given))
        except (OSError, ValueError, KeyError, TypeError, ContractError):  # it never began, or did not end
            continue


def _is_as_noted(record: RunRecord, done: Done, folder: Path) -> bool:
    """Whether a task's folder says what it said when the signed record was written, and its values are as it says."""
    noted = unkept(record, done.task.key).get("papers")
    if not noted or noted != papers(folder / done.task.key):
        return False
    told = [item for item in done.produced.artifacts.values() if "digest" in item.get("metadata", {})]
    return all(_digest(item) == item["metadata"]["digest"] for item in told)


def _digest(item: Mapping[str, Any]) -> str:
    """The digest of the file of an artifact; empty where that cannot be read."""
    path = executor.path_of(item)
    try:
        data = memoryview(b"" if path.is_symlink() else path.read_bytes())
    except OSError:
        return ""
    is_snapshot = item["metadata"].get("format") == artifact.METADATA_FORMAT
    return artifact.digest(data) if is_snapshot else cutting.digest_of(data)


def _known(step: StepRecord, manifests: dict[tuple[str, str], Manifest]) -> StepRecord:
    """A step without the note that it could not be kept, if it is now."""
    kept = (step.key, AFTER) in manifests
    return replace(step, extra={name: told for name, told in step.extra.items() if name != UNKEPT}) if kept else step


def _ended(step: StepRecord, manifests: dict[tuple[str, str], Manifest]) -> StepRecord:
    """A step as its manifests tell how it ended."""
    for when, status in ((AFTER, "succeeded"), (FAILED, "failed")):
        if one := manifests.get((step.key, when)):
            seconds = round((one.ended or 0.0) - (one.started or 0.0), 3)
            return replace(step, status=status, seconds=seconds, metrics=dict(one.metrics), error=one.error)
    return replace(step, status="stopped") if (step.key, "before") in manifests else step
