"""Takes what a checkout needs of a run of an endpoint into a store here: its notebook, its manifests, some values.

The notebook that a cluster ran is not there: it is put together again from the code that the steps carry, unless the
file is given, whose cells must then be those of the run.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kalecompiler.diagnostics import KalecError, UsageError
from kalecompiler.snapshots import artifact, moment, signing
from kalecompiler.snapshots.manifest import AFTER, FAILED, Manifest, RunRecord, VariableRecord
from kalecompiler.snapshots.moment import Moment
from kalecompiler.snapshots.runs import Kept
from kalecompiler.snapshots.store import Store
from kalecompiler.wording import cause

Steps = Mapping[str, Mapping[str, Any]]
"""The JSON that each task carries, by its key."""


def adopt(
    run: Kept, steps: Steps, store: Store, folder: Path, moment_of: tuple[str, str, str], given: Path | None = None
) -> RunRecord:
    """Keep the run in the store, as far as the moment (step, when, scope) needs it; its record there.

    `folder` is where the run's files are looked for from now on, `given` the notebook. Raises UsageError, KalecError.
    """
    name, data = _notebook(run, steps, given)
    record = replace(
        run.record,
        notebook=store.put_bytes(data),
        notebook_name=name,
        workdir=str((given.parent if given else folder).absolute()),
        package=None,
    )
    at = moment.at(Path(record.workdir) / name, data, *moment_of)
    if given is not None:
        _check_cells(run, at, given)
    wanted = dict(_wanted(run, at))
    for (task, _), manifest in run.manifests.items():
        store.write_manifest(_adopted(run, store, manifest, wanted.get(task, set())))
    signed: RunRecord = signing.sign(record)  # the code came from the endpoint, as it would for `kalec show`
    store.write_run(signed)
    return signed


def _wanted(run: Kept, at: Moment) -> Iterator[tuple[str, set[str]]]:
    """The variables that are needed of each task."""
    found: dict[str, set[str]] = {}
    for source in at.sources:
        for producer in source.producers:
            task = at.pipeline.step(producer).task if producer else ""
            manifest = run.manifests.get((task, AFTER)) or run.manifests.get((task, FAILED))
            record = manifest.variables.get(source.variable) if manifest else None
            if record is not None and not record.error:
                found.setdefault(task, set()).add(source.variable)
                break
    yield from found.items()


def _adopted(run: Kept, store: Store, manifest: Manifest, wanted: set[str]) -> Manifest:
    """A manifest as it is kept here: with the files that are wanted, signed if somebody vouches for it."""
    variables = {
        name: _fetched(run, store, manifest, record) if name in wanted and not record.absent else record
        for name, record in manifest.variables.items()
    }
    kept = replace(manifest, run=run.record.run, variables=variables, signature=None)
    vouched: Manifest = signing.sign(kept) if run.is_trusted(manifest) else kept
    return vouched


def _fetched(run: Kept, store: Store, manifest: Manifest, record: VariableRecord) -> VariableRecord:
    """A variable with its file; without, and why, where that alone cannot be had."""
    with tempfile.TemporaryDirectory(prefix="kalec-") as folder:
        try:
            file = run.fetch(manifest, record, Path(folder))
        except KalecError as error:
            if getattr(error, "code", 404) != 404:  # the server, not the file
                raise
            return replace(record, error=str(error))
        ref = store.put_file(file, record.digest)
        tier, members = artifact.nature(memoryview(file.read_bytes()))
        return replace(record, file=ref, tier=tier, members=members)


def _notebook(run: Kept, steps: Steps, given: Path | None) -> tuple[str, bytes]:
    """The name and the content of the run's notebook. Raises UsageError."""
    if given is not None:
        try:
            return given.name, given.read_bytes()
        except OSError as error:
            raise UsageError(f"{given} cannot be read: {cause(error)}") from None
    ours = {task: step for task, step in steps.items() if step.get("code")}
    if not ours:
        raise UsageError(f"the run {run.record.run} carries no code of a notebook: name the file with --from-notebook")
    name = next(str(step.get("notebook")) for step in ours.values())
    document = {
        "cells": [*_cells(run, ours)],
        "metadata": {"kalecompiler": {"pipeline-name": run.record.pipeline}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return name, json.dumps(document, indent=1, ensure_ascii=False).encode()


def _cells(run: Kept, steps: Steps) -> Iterator[dict[str, Any]]:
    """The cells that the steps carry: imports, parameters, functions, then the steps' own in the order of the run."""
    imports = [line for step in steps.values() for piece in _pieces(step, "imports") for line in piece["source"]]
    if imports:
        yield _cell("kalec-imports", "\n".join(dict.fromkeys(imports)), "imports")
    declared = {name: item for step in steps.values() for name, item in step.get("parameters", {}).items()}
    defaults = {name: item["default"] for name, item in declared.items() if name != "final_status"}
    if defaults:
        lines = [f"{name} = {value!r}" for name, value in sorted(defaults.items())]
        yield _cell("kalec-parameters", "\n".join(lines), "pipeline-parameters")
    functions = {piece["name"]: piece for step in steps.values() for piece in _pieces(step, "functions")}
    for number, piece in enumerate(functions.values(), 1):
        yield _cell(f"kalec-functions-{number}", "\n".join(piece["source"]), "functions")
    names = {task: str(step["step"]) for task, step in steps.items()}
    for item in run.record.steps:
        if item.key in steps:
            above = [f"prev:{names[key]}" for key in item.after if key in names]
            yield from _step_cells(steps[item.key], above)


def _step_cells(step: Mapping[str, Any], above: list[str]) -> Iterator[dict[str, Any]]:
    own = re.compile(re.escape(f"{step['notebook']} {step['step']}[") + r"(\d+)\]")
    pieces = [(match[1], piece) for piece in _pieces(step, "cell") if (match := own.fullmatch(piece["name"]))]
    for number, piece in pieces:
        tags = [f"step:{step['step']}", *(above if number == "1" else ())]
        yield _cell(piece.get("id") or f"kalec-{step['step']}-{number}", "\n".join(piece["source"]), *tags)


def _pieces(step: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    return [piece for piece in step.get("code", ()) if piece["kind"] == kind]


def _cell(name: str, source: str, *tags: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": name,
        "metadata": {"tags": list(tags)},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def _check_cells(run: Kept, at: Moment, given: Path) -> None:
    """Raise UsageError where a given notebook is not the one that the run ran."""
    for name in at.above:
        step = at.pipeline.step(name)
        manifest = run.manifests.get((step.task, AFTER))
        ran = {(str(c.get("name")).partition(" ")[2], c.get("digest")) for c in _told(manifest)}
        for code in step.code:
            digest = hashlib.sha256(code.source.encode("utf-8", "surrogatepass")).hexdigest()
            if ran and (code.name.partition(" ")[2], digest) not in ran:
                raise UsageError(f"{given} is not the notebook of the run: `{code.name}` was another")


def _told(manifest: Manifest | None) -> list[Mapping[str, Any]]:
    return list(manifest.source.get("cells", ())) if manifest else []
