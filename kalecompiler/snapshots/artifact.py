"""The artifact `snapshot` of a step: one line of JSON, then files of values (`runtime.snapshot` writes it)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from kalecompiler.snapshots import cutting, tiers
from kalecompiler.snapshots.manifest import CODE, DATA, FAILED, FORMAT, FileRef, Manifest, VariableRecord
from kalecompiler.snapshots.objects import StoreProblem

METADATA_FORMAT = "kalec-snapshot-1"
"""What the metadata of such an artifact calls its format."""


def split(data: memoryview | bytes, where: str = "the snapshot") -> tuple[dict[str, Any], int]:
    """(the JSON of a snapshot, where its values begin). Raises StoreProblem naming `where`."""
    view = memoryview(data)
    end = _line_end(view)
    try:
        found = json.loads(bytes(view[:end]))
        if not isinstance(found, dict) or not isinstance(found.get("variables", {}), dict):
            raise ValueError
    except (ValueError, RecursionError):
        raise StoreProblem(f"{where} is damaged: its first line is no JSON object") from None
    if found.get("format") != FORMAT:
        raise StoreProblem(
            f"{where} has format {found.get('format')!r}, which is newer than this kalecompiler: upgrade"
        )
    return found, min(end + 1, len(view))


def digest(data: memoryview | bytes) -> str:
    """The digest of a snapshot, as its artifact's metadata has it: that of its JSON, which has those of the values."""
    view = memoryview(data)
    text = bytes(view[: _line_end(view)]).rstrip(b" ")
    return "sha256:" + hashlib.sha256(text).hexdigest()


def value(data: memoryview | bytes, start: int, about: Mapping[str, Any]) -> memoryview | None:
    """The file of a variable that lies in the snapshot; None for one that does not. Raises StoreProblem."""
    at, size = about.get("at"), about.get("size")
    if at is None:
        return None
    view = memoryview(data)
    if type(at) is not int or type(size) is not int or at < 0 or size < 1 or start + at + size > len(view):
        raise StoreProblem("the snapshot is cut off, or damaged")
    return view[start + at : start + at + size]


def manifest(found: Mapping[str, Any], run: str, task: str, variables: Mapping[str, VariableRecord]) -> Manifest:
    """The manifest that a snapshot's JSON makes, for a task of a run, with what is known of its variables.

    Raises StoreProblem where the JSON is not as it should be.
    """
    try:
        return Manifest(
            run=run,
            task=task,
            when=str(found["when"]),
            step=str(found["step"]),
            started=float(found["started"]),
            ended=float(found["ended"]),
            status="failed" if found["when"] == FAILED else "succeeded",
            error=found.get("error"),
            source=dict(found["source"]),
            parameters=dict(found["parameters"]),
            environment=dict(found["environment"]),
            random=dict(found["random"]),
            inputs=dict(found["inputs"]),
            variables=variables,
            extra={"level": found.get("level")},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreProblem(f"the snapshot of {task} is damaged: {type(error).__name__} at {error}") from None


def cells(step: Mapping[str, Any]) -> dict[str, Any]:
    """Where a step's code is from, by the STEP JSON that it carries."""
    pieces = [
        {key: piece[key] for key in ("name", "kind", "id") if key in piece}
        | {"digest": hashlib.sha256("\n".join(piece["source"]).encode("utf-8", "surrogatepass")).hexdigest()}
        for piece in step.get("code", ())
    ]
    return {"notebook": str(step.get("notebook", "")), "cells": pieces}


def record(
    about: Mapping[str, Any], file: FileRef | None = None, tier: str = CODE, names: tuple[str, ...] = ()
) -> VariableRecord:
    """A variable by its metadata; `names` are the members of its file."""
    shape = about.get("shape")
    dtypes = about.get("dtypes")
    error = about.get("error")
    return VariableRecord(
        type=str(about.get("type", "")),
        kind=str(about.get("kind", "Artifact")),
        tier=tier,
        shape=tuple(map(int, shape)) if isinstance(shape, list) else None,
        dtype=str(about["dtype"]) if "dtype" in about else None,
        dtypes={str(name): str(kind) for name, kind in dtypes.items()} if isinstance(dtypes, dict) else None,
        size=int(about.get("size", 0)),
        digest=str(about.get("digest", "")),
        file=file,
        absent=bool(about.get("absent")),
        group=tuple(map(str, about.get("group", ()))),
        members=names,
        port=str(about["port"]) if about.get("port") else None,
        error=str(error) if error else None,
    )


def nature(view: memoryview) -> tuple[str, tuple[str, ...]]:
    """(the tier, the names of the variables) of a value's file."""
    header = cutting.header_of(view)
    if header is None:
        return CODE, ()
    about = header[0]
    members = about.get("members")
    names = tuple(map(str, members)) if isinstance(members, list) else ()
    parts = list(cutting.parts(view, about))
    if not parts:
        return DATA, names
    packages = about.get("packages")
    versions = list(packages) if isinstance(packages, dict) else []
    return (DATA if tiers.is_data(parts[0], parts[1:], str(about.get("type")), versions) else CODE), names


def _line_end(view: memoryview) -> int:
    """Where the first line ends."""
    for start in range(0, len(view), 1 << 16):
        at = bytes(view[start : start + (1 << 16)]).find(b"\n")
        if at >= 0:
            return start + at
    return len(view)
