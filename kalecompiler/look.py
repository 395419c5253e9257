"""What `kalec runs`, `show` and `diff` do with runs that are kept here, or at an endpoint: a few lines each."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalecompiler.arguments import unknown_name
from kalecompiler.diagnostics import KalecError, UsageError
from kalecompiler.local import which
from kalecompiler.snapshots import (
    columns,
    compare,
    differencepage,
    differences,
    exporting,
    find,
    origin,
    recover,
    showing,
)
from kalecompiler.snapshots import runs as kept_runs
from kalecompiler.snapshots.blocks import Block, Lines
from kalecompiler.snapshots.compare import Comparison
from kalecompiler.snapshots.manifest import Manifest, RunRecord, VariableRecord
from kalecompiler.snapshots.objects import StoreProblem
from kalecompiler.snapshots.runs import Kept
from kalecompiler.suggest import did_you_mean
from kalecompiler.wording import counted

if TYPE_CHECKING:
    from kalecompiler.submit.connection import Connection

LARGEST_TABLE, LARGEST = 4 << 30, 64 << 20
"""Where digests differ, the bytes of a table are looked at, to name columns, and those of other values, up to this."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be shown: a step and a variable of it, if any; how, and whether its values are trusted."""

    step: str | None = None
    variable: str | None = None
    preview: int | None = None
    export: Path | None = None
    trust: bool = False
    code: bool = False


def has_store(folder: Path) -> bool:
    """Whether runs are kept in a folder, above it or below it."""
    return bool(which.homes(folder, find.has_store))


def damaged(folder: Path) -> str:
    """What to say of runs that are kept here and cannot be listed; empty where there are none. Raises UsageError."""
    return _damaged(name for store in find.stores_near(folder) for name in store.records()[1])


def _damaged(runs: Iterable[str]) -> str:
    names = sorted(set(runs))
    if not names:
        return ""
    shown = ", ".join(names[-5:]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"the record of {counted(len(names), 'run')} is damaged: {shown}; `kalec verify` tells why"


def listed(folder: Path, pipeline: str | None, limit: int, format_: str) -> str | list[Block]:
    """The newest runs that are kept here, of one pipeline or all; `damaged` are left out. Raises UsageError."""
    stores = find.stores_near(folder)
    known = [(store, *store.records()) for store in stores]
    lost = _damaged(name for _, _, names in known for name in names)
    every = [(store, record) for store, records, _ in known for record in records]
    every.sort(key=lambda one: one[1].started or 0.0, reverse=True)
    found = [one for one in every if pipeline in (None, one[1].pipeline)]
    if pipeline is not None and not found:
        names = sorted({record.pipeline for _, record in every})
        hint = did_you_mean(pipeline, names) or (f"there are {', '.join(names)}" if names else "there is none")
        hint += f"; {lost}" if lost else ""
        raise UsageError(f"there is no run of a pipeline `{pipeline}`: {hint}")
    chosen = [recover.recover(*one) for one in found[:limit]]
    pins = frozenset().union(*(store.pins() for store in stores))
    if format_ == "json":
        return showing.text([showing.record_json(record, record.run in pins) for record in chosen])
    told = showing.runs(chosen, pins) if chosen or not lost else []
    return [*told, Lines((lost,), "yellow")] if lost else told


def kept(word: str, folder: Path, *, twins: bool = False) -> Kept:
    """The run that a word means here. Raises UsageError.

    `twins`: with a note on each run whose record is equal, and that measured something else.
    """
    found = find.find(word, folder)
    record = recover.recover(found.store, found.record)
    run = kept_runs.kept(found.store, record)
    if not twins:
        return run

    def opened(one: RunRecord) -> list[Mapping[str, Any]]:
        with contextlib.suppress(StoreProblem):  # a run whose manifests are damaged: its record is all there is
            return [file for manifest in found.store.every_manifest(one.run) for file in manifest.files]
        return []

    return replace(run, notes=(*run.notes, *origin.notes(record, found.store.runs(), opened)))


def remote_run(connection: Connection, word: str, root: str | None) -> Kept:
    """The run that a word means at an endpoint. Raises ServerError, UsageError."""
    from kalecompiler.submit import keptruns

    return keptruns.kept(connection, word, root)


def show(run: Kept, wanted: Wanted, format_: str, command: str) -> str | list[Block]:
    """A run, a step of it, or a variable; a variable is also written to a file. Raises UsageError, KalecError."""
    if wanted.step is None:
        return showing.text(showing.as_json(run)) if format_ == "json" else showing.run(run, command)
    key = step_key(run, wanted.step)
    if wanted.code:
        return showing.cells(run.code().get(key, ()))
    if wanted.variable is None:
        return showing.text(showing.step_json(run, key)) if format_ == "json" else showing.step(run, key, command)
    name = wanted.variable
    variables = run.variables(key)
    if name not in variables:
        raise unknown_name(f"variable of step {wanted.step}", name, variables)
    if wanted.export is not None:
        exporting.export(run, key, name, wanted.export, wanted.trust)
        return f"wrote {wanted.export}"
    if format_ == "json":
        return showing.text({"variable": name, "step": wanted.step, **showing.variable_json(variables[name])})
    preview = None
    if wanted.preview is not None:
        preview = exporting.preview(exporting.value(run, key, name, wanted.trust), wanted.preview)
    return showing.variable(run, key, name, preview)


def diff(runs: Sequence[Kept], step: str | None) -> Comparison:
    """What differs between runs, the first of which the others are compared with. Raises UsageError."""
    key = None
    if step is not None:
        having = [run for run in runs if any(step in (one.key, one.name) for one in run.record.steps)]
        key = step_key(having[0] if having else runs[0], step)
    return compare.compare(runs, _columns, key)


def comparison(found: Comparison, format_: str) -> str | list[Block]:
    """A comparison in one of the formats."""
    if format_ == "text":
        return differences.blocks(found)
    writers = {
        "json": lambda: showing.text(differences.to_json(found)) + "\n",
        "csv": lambda: differences.to_csv(found),
        "html": lambda: differencepage.page(found),
    }
    return writers[format_]()


def step_key(run: Kept, name: str) -> str:
    """The key of the step of that name. Raises UsageError."""
    keys = {step.key: step.key for step in run.record.steps} | {step.name: step.key for step in run.record.steps}
    if name not in keys:
        raise unknown_name("step", name, (step.name for step in run.record.steps))
    return keys[name]


def _columns(run: Kept, manifest: Manifest, variable: VariableRecord) -> Mapping[str, str] | None:
    """The digests of a table's columns, or of a value: the manifest's, else made of its file, where that can be had."""
    told = variable.extra.get("columns")
    if isinstance(told, dict):
        return told
    is_table = variable.type.rpartition(".")[2] in columns.TABLES
    if not variable.digest or variable.size > min(LARGEST_TABLE if is_table else LARGEST, run.largest):
        return None
    with tempfile.TemporaryDirectory(prefix="kalec-") as folder:
        try:
            return columns.columns(run.fetch(manifest, variable, Path(folder)))
        except (KalecError, OSError):  # the file is gone: that it differs is known from the manifests
            return None
