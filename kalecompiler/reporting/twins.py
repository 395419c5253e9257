"""Runs that should have computed the same, and did not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    return [Twin(other.run, metrics) for other in _others(folder) if (metrics := origin.differing(own, other))]


def _others(folder: Path) -> Iterator[RunRecord]:
    for path in find.runs(folder.absolute().parent):
        if path.name != folder.absolute().name and (record := _read(path)) is not None:
            yield record


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
