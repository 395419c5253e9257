"""A run whose process was killed: what its steps had done, and was not kept yet, lies in the run's folder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from kalecompiler.local import executor, failures
from kalecompiler.local.executor import ContractError
from kalecompiler.local.folders import folder_of_run
from kalecompiler.snapshots import retention, reuse, signing
from kalecompiler.snapshots.ingest import Done, Ingest
from kalecompiler.snapshots.manifest import AFTER, FAILED, Manifest, RunRecord, StepRecord
from kalecompiler.snapshots.store import Store, StoreProblem

INPUT = "executor_input.json"


def recover(store: Store, record: RunRecord) -> RunRecord:
    """The run's record; of one that was killed, as it is known now that all is kept which its steps had done.

    Only for runs of this user's own, and of this machine. Where nothing can be written the record stays as it is.
    """
    if record.status != "running" or retention.is_under_way(record) or signing.trusted(record) != signing.SIGNED:
        return record
    folder = folder_of_run(store.path.parent, record.run)
    try:
        manifests = store.manifests(record.run)
        if folder.is_dir() and not folder.is_symlink() and record.package is not None:
            keeper = Ingest(store, hooked=False)
            keeper.take_up(record, folder, list(_done(store, record, folder)), manifests)
            manifests = store.manifests(record.run)
        ended = max((one.ended or 0.0 for one in manifests.values()), default=0.0)
        steps = tuple(_ended(step, manifests) for step in record.steps)
        sizes = {ref.digest: ref.size for ref in retention.files(store, record.run)}
        about = replace(record, status="stopped", ended=ended or time.time(), total_bytes=sum(sizes.values()))
        about = replace(about, new_bytes=retention.own_bytes(store, record.run))
        closed: RunRecord = signing.sign(replace(about, steps=steps))
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
            given: dict[str, Any] = json.loads((folder / step.key / INPUT).read_text(encoding="utf-8"))
            if task is not None and Path(given["outputs"]["outputFile"]).parent == folder / step.key:
                carried = failures.read_carried(executor.substitute(task.command, given))
                yield Done(task, carried.step, given, executor.read_output(given))
        except (OSError, ValueError, KeyError, TypeError, ContractError):  # it never began, or did not end
            continue


def _ended(step: StepRecord, manifests: dict[tuple[str, str], Manifest]) -> StepRecord:
    """A step as its manifests tell how it ended."""
    for when, status in ((AFTER, "succeeded"), (FAILED, "failed")):
        if one := manifests.get((step.key, when)):
            seconds = round((one.ended or 0.0) - (one.started or 0.0), 3)
            return replace(step, status=status, seconds=seconds, metrics=dict(one.metrics), error=one.error)
    return replace(step, status="stopped") if (step.key, "before") in manifests else step
