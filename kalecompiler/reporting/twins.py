"""Runs that should have computed the same, and did not."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalecompiler import provenance
from kalecompiler.reporting import find


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
    ident, values = provenance.identity(own), _metrics(own)
    return [
        Twin(other["run"], differing)
        for other in _others(folder)
        if provenance.identity(other) == ident and (differing := _differing(values, _metrics(other)))
    ]


def _others(folder: Path) -> Iterator[Mapping[str, Any]]:
    for path in find.runs(folder.absolute().parent):
        if path.name != folder.absolute().name and (record := _read(path)) is not None:
            yield record


def _read(folder: Path) -> Mapping[str, Any] | None:
    """The record of a run that succeeded and knows where it comes from."""
    try:
        record = json.loads((folder / find.RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(record, dict) and record.get("status") == "succeeded" and "provenance" in record
    return record if known else None


def _metrics(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for step in record["steps"] for name, value in step.get("metrics", {}).items()}


def _differing(own: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    shared = own.keys() & other.keys()
    return {name: (own[name], other[name]) for name in sorted(shared) if not _same(own[name], other[name])}


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other):
        return True
    return bool(one == other)
