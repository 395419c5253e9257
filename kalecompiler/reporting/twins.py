"""Runs that should have computed the same, and did not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalecompiler.local.keeping import TRACES
from kalecompiler.reporting import find
from kalecompiler.snapshots import origin
from kalecompiler.snapshots.manifest import RunRecord, StepRecord


@dataclass(frozen=True, slots=True)
class Twin:
    """A run with equal code, parameters, packages and files; `metrics` has those that differ: (here, there)."""

    run: str
    metrics: Mapping[str, tuple[Any, Any]]


def disagreeing(folder: Path) -> list[Twin]:
    """The runs beside that in `folder` which had all that decides in common with it, and gave other metrics.

    Only runs that succeeded count, and only metrics that both have.
    """
    own = _read(folder)
    if own is None:
        return []
    folders = {own.run: folder}
    others = []
    for path in find.runs(folder.absolute().parent):
        if path.name != folder.absolute().name and (record := _read(path)) is not None:
            folders[record.run] = path
            others.append(record)

    def opened(record: RunRecord) -> list[Mapping[str, Any]]:
        return [file for step in record.steps for file in _traced(folders[record.run] / step.key / TRACES)]

    return [Twin(other.run, metrics) for other in others if (metrics := origin.differing(own, other, opened))]


def _traced(path: Path) -> list[Mapping[str, Any]]:
    """The files that a step opened; nothing is known of one that was taken from another run, or was not watched."""
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, TypeError, KeyError):
        return []
    return [file for file in files if isinstance(file, Mapping)] if isinstance(files, list) else []


def _read(folder: Path) -> RunRecord | None:
    """What counts of the record of a run; None where it cannot be read."""
    try:
        told = json.loads((folder / find.RECORD).read_text(encoding="utf-8"))
        return RunRecord(
            told["run"],
            status=told["status"],
            parameters=told.get("parameters", {}),
            steps=tuple(StepRecord(one["task"], one["name"], metrics=one.get("metrics", {})) for one in told["steps"]),
            provenance=told.get("provenance", {}),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
