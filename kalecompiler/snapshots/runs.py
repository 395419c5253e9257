"""A run as it is kept: its record, what its steps left, the code that they ran, and how to get at values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalecompiler.snapshots import packagecode, signing
from kalecompiler.snapshots.manifest import AFTER, BEFORE, FAILED, Manifest, RunRecord, StepRecord, VariableRecord
from kalecompiler.snapshots.objects import StoreProblem
from kalecompiler.snapshots.packagecode import Piece
from kalecompiler.snapshots.store import Store

Fetch = Callable[[Manifest, VariableRecord, Path], Path]
"""Puts the file of a variable into a folder, and gives its path. Raises a KalecError."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A run, wherever it is: in a store here, or at an endpoint. `place` says where, in words.

    `code` gives the pieces of code of each task, by its key; it may take a while, and raises nothing. So does `better`
    the sense of metrics, by task and name: `max` or `min`, where the author says it. `largest` is the
    size up to which a file may be fetched only to look into it. `vouch` says who vouches for a manifest or the record:
    a word of `signing.trusted`, or `control plane`.
    """

    record: RunRecord
    manifests: Mapping[tuple[str, str], Manifest]
    place: str
    fetch: Fetch
    code: Callable[[], Mapping[str, tuple[Piece, ...]]]
    notes: tuple[str, ...] = ()
    largest: int = 1 << 62
    vouch: Callable[[Any], str] = signing.trusted
    better: Callable[[], Mapping[tuple[str, str], str]] = dict

    @property
    def name(self) -> str:
        return self.record.run

    def end(self, task: str) -> Manifest | None:
        """What a task left when it ended, well or not."""
        return self.manifests.get((task, AFTER)) or self.manifests.get((task, FAILED))

    def start(self, task: str) -> Manifest | None:
        """What a task began with."""
        return self.manifests.get((task, BEFORE))

    def step(self, task: str) -> StepRecord | None:
        """The record of a step by its key."""
        return next((step for step in self.record.steps if step.key == task), None)

    def variables(self, task: str) -> dict[str, VariableRecord]:
        """What is known of the variables that a task left; of one that left nothing, those it began with."""
        found = self.end(task) or self.start(task)
        return dict(found.variables) if found else {}

    def is_trusted(self, manifest: Manifest) -> bool:
        """Whether what a manifest names may be loaded, though it could run code."""
        return self.vouch(manifest) in {signing.SIGNED, "control plane"}

    def metrics(self, task: str) -> dict[str, Any]:
        """What a task measured."""
        step, end = self.step(task), self.end(task)
        return {**(end.metrics if end else {}), **(step.metrics if step else {})}


def kept(store: Store, record: RunRecord) -> Kept:
    """A run of a store. Raises StoreProblem."""

    def fetch(manifest: Manifest, variable: VariableRecord, folder: Path) -> Path:
        if variable.file is None:
            raise StoreProblem(f"the store {store.path} has no file of this variable of step {manifest.step}")
        target = folder / "value"
        store.get_file(variable.file, target)
        return target

    def spec() -> Mapping[str, Any]:
        if record.package is None:
            return {}
        try:
            return packagecode.read(store.read(record.package))
        except StoreProblem:  # a comparison goes on with the digests of the cells
            return {}

    return Kept(
        record,
        store.manifests(record.run),
        str(store.path),
        fetch,
        lambda: packagecode.pieces(spec()),
        better=lambda: packagecode.better(spec()),
    )


def cells_of(manifest: Manifest) -> list[Mapping[str, Any]]:
    """What is said of the pieces of code that a step ran: name, kind, id, digest."""
    told = manifest.source.get("cells")
    return [item for item in told if isinstance(item, Mapping)] if isinstance(told, list | tuple) else []


def packages_of(environment: Mapping[str, Any]) -> dict[str, str]:
    """The distributions of a step's environment, and their versions."""
    told = environment.get("packages")
    if isinstance(told, Mapping):
        return {str(name): str(version) for name, version in told.items()}
    parts = (str(item).rpartition("-") for item in (told if isinstance(told, list | tuple) else ()))
    return {name or version: version if name else "" for name, _, version in parts}
