"""Runs for tests of looking at them: made by hand, in a store, without a runner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kalecompiler.runtime import values
from kalecompiler.snapshots import artifact, signing
from kalecompiler.snapshots.manifest import AFTER, Manifest, RunRecord, StepRecord, VariableRecord
from kalecompiler.snapshots.store import Store

START = 1_800_000_000.0
_TOLD = ("type", "kind", "dtype", "dtypes")


class Made:
    """A store in `folder/.kalec`, and a way to put runs into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / ".kalec").mkdir(parents=True, exist_ok=True)
        self.store = Store.open(folder / ".kalec" / "store", create=True)
        self._scratch = folder / "scratch"
        self._scratch.mkdir(exist_ok=True)

    def value(self, name: str, value: Any) -> VariableRecord:
        """A variable that is kept as a step would hand it on."""
        path = self._scratch / name
        path.unlink(missing_ok=True)
        told = values.save(str(path), value, name)
        ref = self.store.put_file(path, told["digest"])
        tier, members = artifact.nature(memoryview(path.read_bytes()))
        about = {key: told[key] for key in _TOLD if key in told}
        return VariableRecord(
            size=told["size"], digest=told["digest"], file=ref, tier=tier, members=members, shape=_shape(told), **about
        )

    def manifest(self, run: str, task: str, variables: Mapping[str, Any], **fields: Any) -> Manifest:
        """What a task left; values are kept, records are taken as they are."""
        records = {n: v if isinstance(v, VariableRecord) else self.value(n, v) for n, v in variables.items()}
        made = Manifest(
            run, task, fields.pop("when", AFTER), step=fields.pop("step", task), variables=records, **fields
        )
        made = signing.sign(made)
        self.store.write_manifest(made)
        return made

    def run(self, name: str, *manifests: Manifest, number: int = 0, package: str = "", **fields: Any) -> RunRecord:
        """A run of these manifests, `number` hours after the first one."""
        steps = fields.pop("steps", None) or tuple(
            StepRecord(m.task, m.step, status="succeeded", seconds=1.0) for m in manifests
        )
        started = START + 3600 * number
        kept = self.store.put_bytes(package.encode()) if package else None
        record = RunRecord(
            name, fields.pop("pipeline", "churn"), fields.pop("status", "succeeded"), started, started + 10,
            package=kept, steps=steps, **fields,
        )  # fmt: skip
        record = signing.sign(record)
        self.store.write_run(record)
        return record

    def change_run(self, name: str, **fields: Any) -> None:
        """Another record for a run, without a new signature."""
        self.store.write_run(replace(self.store.run(name), **fields))


def _shape(told: Mapping[str, Any]) -> tuple[int, ...] | None:
    return tuple(told["shape"]) if "shape" in told else None
