"""Runs, a run, a step of it and a variable of that, as blocks for people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kalecompiler.local.traces import ABSENT
from kalecompiler.snapshots import origin, retention
from kalecompiler.snapshots.blocks import Block, Cell, Heading, Hint, Lines, Patch, facts, table
from kalecompiler.snapshots.manifest import Manifest, RunRecord, StepRecord, VariableRecord, to_json
from kalecompiler.snapshots.packagecode import Piece
from kalecompiler.snapshots.quantities import iso, moment, seconds, shape, short, size, value
from kalecompiler.snapshots.runs import Kept, cells_of, packages_of
from kalecompiler.wording import counted

_BARS = 20
_METRICS = 3


def runs(records: Sequence[RunRecord], pins: Iterable[str] = ()) -> list[Block]:
    """A line for each run."""
    if not records:
        return [Lines(("no runs",))]
    pinned = set(pins)
    rows = [
        (
            record.run,
            Cell(_status(record), _status(record)),
            moment(record.started),
            seconds(_took(record)),
            _steps(record),
            size(record.new_bytes),
            size(record.total_bytes),
            _metrics(record),
            "pinned" if record.run in pinned else "",
        )
        for record in records
    ]
    names = ("run", "status", "started", "took", "steps", "new", "total", "metrics", "")
    shown = [at for at, name in enumerate(names) if name not in ("metrics", "") or any(row[at] for row in rows)]
    return [table([names[at] for at in shown], [[row[at] for at in shown] for row in rows], (3, 5, 6))]


def run(kept: Kept, command: str) -> list[Block]:
    """A run: where it comes from, its parameters, its steps and their metrics; `command` shows a step of it."""
    record = kept.record
    who = record.origin("who")
    notebook = " ".join(filter(None, (record.notebook_name, _in_brackets(short(record.notebook_digest)))))
    found = {
        "run": record.run,
        "pipeline": record.pipeline,
        "status": _status(record),
        "started": f"{moment(record.started)} UTC" if record.started else "",
        "took": seconds(_took(record)),
        "by": "@".join(filter(None, (str(who.get(part) or "") for part in ("user", "host")))),
        "folder": record.workdir,
        "notebook": notebook,
        "package": short(record.package.digest) if record.package else "",
        "commit": _commit(record.origin("git")),
        "versions": ", ".join(f"{name} {version}" for name, version in record.origin("versions").items() if version),
        **origin.facts(record),
        "size": f"{size(record.total_bytes)}, {size(record.new_bytes)} of it new" if record.total_bytes else "",
        "signature": _signature(kept, record),
        "kept in": kept.place,
    }
    blocks: list[Block] = [facts(found)]
    if record.parameters:
        blocks += [
            Heading("parameters"),
            facts({name: value(_plain(v)) or "null" for name, v in record.parameters.items()}),
        ]
    blocks += [Heading("steps"), _step_table(kept)]
    for step in record.steps:
        end = kept.end(step.key)
        if error := (end.error if end else None) or step.error:
            blocks.append(Lines((f"{step.name} failed: {error}",), "red"))
    if metrics := [(step.name, name, value(v)) for step in record.steps for name, v in kept.metrics(step.key).items()]:
        blocks += [Heading("metrics"), table(("step", "metric", "value"), metrics, (2,))]
    blocks += origin.blocks(record)
    blocks += [Lines(kept.notes, "yellow")] if kept.notes else []
    return [*blocks, Hint(f"a step and its variables: {command} STEP")]


def step(kept: Kept, key: str, command: str) -> list[Block]:
    """A step: what it was given, what it left, what it ran in."""
    record, end = kept.step(key), kept.end(key) or kept.start(key)
    assert record is not None
    blocks: list[Block] = [facts(_step_facts(kept, record, end))]
    if end is None:
        return [*blocks, Lines((f"nothing is kept of this step: {_why_nothing(record)}", *kept.notes))]
    given = {name: value(_plain(item)) or "null" for name, item in end.parameters.items()}
    blocks += [Heading("parameters"), facts(given)] if given else []
    if end.inputs:
        rows = [(name, _text(item, "from"), short(_text(item, "digest"))) for name, item in end.inputs.items()]
        blocks += [Heading("inputs"), table(("variable", "from", "digest"), rows)]
    blocks += [Heading("variables" if kept.end(key) else "variables before it"), _variable_table(end)]
    metrics = {name: value(v) for name, v in kept.metrics(key).items()}
    blocks += [Heading("metrics"), facts(metrics)] if metrics else []
    blocks += [Heading("left out"), facts(end.left_out)] if end.left_out else []
    if end.files:
        blocks += [Heading("files"), *_files(end)]
    blocks += [Heading("hooks"), facts({name: value(v) for name, v in end.hooks.items()})] if end.hooks else []
    return [*blocks, Hint(f"a variable: {command} {record.name} VARIABLE [--preview | --export FILE]")]


def _files(end: Manifest) -> Iterator[Block]:
    """What a step opened; of what it looked for in vain, as imports do in each folder, only how much that was."""
    there = [file for file in end.files if file.get("digest") != ABSENT]
    if there:
        rows = [(_text(f, "path"), _text(f, "mode"), short(_text(f, "digest"))) for f in there]
        yield table(("path", "mode", "digest"), rows)
    if missed := len(end.files) - len(there):
        yield Lines((f"{counted(missed, 'file')} that it looked for and did not find: --format json names them",))


def variable(kept: Kept, key: str, name: str, preview: str | None = None) -> list[Block]:
    """A variable of a step; of what it holds only what the preview gives."""
    found, end = kept.variables(key)[name], kept.end(key) or kept.start(key)
    assert end is not None
    told = {
        "variable": name,
        "step": end.step or key,
        "type": found.type or "unknown",
        "shape": shape(found.shape),
        "dtype": found.dtype or "",
        "size": size(found.size),
        "digest": found.digest,
        "tier": f"{found.tier}, {_TIERS.get(found.tier, '')}" if found.digest else "",
        "signature": _signature(kept, end),
        "shares objects with": ", ".join(other for other in found.group if other != name),
        "not kept": found.error or ("it was left unbound" if found.absent else ""),
        "cells": ", ".join(found.cells),
    }
    blocks: list[Block] = [facts(told)]
    if found.dtypes:
        given = found.extra.get("columns")
        columns = {str(name): str(digest) for name, digest in given.items()} if isinstance(given, Mapping) else {}
        rows = [(column, kind, short(columns.get(column))) for column, kind in found.dtypes.items()]
        width = 3 if columns else 2
        blocks += [Heading("columns"), table(("column", "dtype", "digest")[:width], [row[:width] for row in rows])]
    return [*blocks, Heading("preview"), Lines(tuple(preview.split("\n")))] if preview is not None else blocks


def cells(pieces: Sequence[Piece]) -> list[Block]:
    """The code of a step."""
    return [block for piece in pieces for block in (Heading(f"{piece.name} ({piece.kind})"), Patch(piece.source))]


_VOUCHED = {
    "signed": "ours",
    "unsigned": "none",
    "wrong": "not ours, or what it signs was changed",
    "control plane": "the endpoint vouches for it",
}
_TIERS = {"data": "loaded whoever wrote it", "code": "loaded where its signature is ours, or with --trust"}


def _step_facts(kept: Kept, record: StepRecord, end: Manifest | None) -> Mapping[str, str]:
    told = {
        "step": record.name,
        "status": record.status,
        "took": seconds(record.seconds) if record.seconds else "",
        "after": ", ".join(record.after),
        "reused from": record.source or "",
        "error": (end.error if end else "") or record.error or "",
    }
    if end is None:
        return told
    environment, packages = end.environment, packages_of(end.environment)
    return {
        **told,
        "attempt": str(end.attempt) if end.attempt > 1 else "",
        "snapshot": end.when,
        "started": f"{moment(end.started)} UTC" if end.started else "",
        "image": str(environment.get("image") or ""),
        "python": str(environment.get("python") or ""),
        "platform": str(environment.get("platform") or ""),
        "packages": ", ".join(f"{name} {version}" for name, version in sorted(packages.items())[:8])
        + (f" and {len(packages) - 8} more" if len(packages) > 8 else ""),
        "random states": ", ".join(end.random),
        "network": "used" if end.network else "",
        "cells": ", ".join(str(cell.get("name") or cell.get("id")) for cell in cells_of(end)),
        "signature": _signature(kept, end),
    }


def _step_table(kept: Kept) -> Block:
    longest = max((step.seconds for step in kept.record.steps), default=0.0)
    rows = []
    for record in kept.record.steps:
        found = kept.variables(record.key) if kept.end(record.key) else {}
        bar = "▪" * max(1, round(_BARS * record.seconds / longest)) if record.seconds and longest else ""
        rows.append(
            (
                record.name,
                Cell(record.status, record.status),
                seconds(record.seconds) if record.seconds else "",
                str(len(found)) if found else "",
                size(sum(item.size for item in found.values())) if found else "",
                Cell(f"reused from {record.source}" if record.source else bar, "faint"),
            )
        )
    return table(("step", "status", "took", "variables", "size", ""), rows, (2, 3, 4))


def _variable_table(manifest: Manifest) -> Block:
    if not manifest.variables:
        return Lines(("none",))
    rows = [
        (
            name,
            found.type,
            shape(found.shape),
            size(found.size) if found.digest else "",
            found.tier if found.digest else "",
            short(found.digest),
            f"not kept: {found.error}" if found.error else "unbound" if found.absent else "",
        )
        for name, found in sorted(manifest.variables.items())
    ]
    return table(("variable", "type", "shape", "size", "tier", "digest", ""), rows, (3,))


def _metrics(record: RunRecord) -> str:
    """The first metrics of a run."""
    found = [f"{name} {value(item)}" for step in record.steps for name, item in step.metrics.items()]
    return ", ".join(found[:_METRICS]) + (" ..." if len(found) > _METRICS else "")


def _steps(record: RunRecord) -> str:
    """`6 succeeded`, `3 succeeded, 1 failed (train), 2 skipped`."""
    counts = Counter(step.status or "waiting" for step in record.steps)
    failed = [step.name for step in record.steps if step.status == "failed"]
    names = f" ({', '.join(failed[:3])})" if failed else ""
    return ", ".join(f"{n} {status}{names if status == 'failed' else ''}" for status, n in counts.items())


def _status(record: RunRecord) -> str:
    """How a run stands; one that nobody closed, and whose process is gone, can only have been stopped."""
    return "stopped?" if retention.is_dead(record) else record.status or "running"


def _took(record: RunRecord) -> float | None:
    return record.ended - record.started if record.started and record.ended else None


def _commit(git: Mapping[str, Any]) -> str:
    commit = str(git.get("commit") or "")
    return f"{commit[:12]}{', with changes that are not committed' if git.get('dirty') else ''}" if commit else ""


def _signature(kept: Kept, record: Any) -> str:
    return _VOUCHED[kept.vouch(record)]


def _why_nothing(record: StepRecord) -> str:
    if record.status in {"failed", "stopped"}:
        return "it did not end"
    if record.status in {"skipped", "not-run"}:
        return "it did not run"
    return "its snapshots are off, or gone"


def _plain(item: Any) -> Any:
    return item["value"] if isinstance(item, Mapping) and {"type", "value"} <= set(item) else item


def _text(item: Any, name: str) -> str:
    """A field of an object of JSON, as text; empty where there is none."""
    return str(item.get(name) or "") if isinstance(item, Mapping) else ""


def _in_brackets(text: str) -> str:
    return f"({text})" if text else ""


def as_json(kept: Kept) -> dict[str, Any]:
    """A run for programs: its record, and what each step left, without the places of pieces in the store."""
    steps = []
    for step in kept.record.steps:
        end, found = kept.end(step.key) or kept.start(step.key), to_json(step)
        steps.append({**found, "metrics": kept.metrics(step.key), "snapshot": end.when if end else None})
    plain = to_json(kept.record)
    for name in ("notebook", "package"):
        plain[f"{name}-digest"] = (plain.pop(name, None) or {}).get("digest") or plain.get(f"{name}-digest")
    return {
        **plain,
        "steps": steps,
        "notes": list(kept.notes),
        "kept-in": kept.place,
        "signed": kept.vouch(kept.record),
    }


def record_json(record: RunRecord, pinned: bool) -> dict[str, Any]:
    """A run of a list for programs."""
    return {
        "run": record.run,
        "pipeline": record.pipeline,
        "status": _status(record),
        "started": iso(record.started),
        "ended": iso(record.ended),
        "seconds": _took(record),
        "new-bytes": record.new_bytes,
        "total-bytes": record.total_bytes,
        "pinned": pinned,
        "parameters": dict(record.parameters),
        "metrics": {name: found for step in record.steps for name, found in step.metrics.items()},
        "steps": [{"name": s.name, "status": s.status, "seconds": s.seconds, "source": s.source} for s in record.steps],
    }


def step_json(kept: Kept, key: str) -> dict[str, Any]:
    """A step for programs."""
    end = kept.end(key) or kept.start(key)
    record = to_json(kept.step(key))
    if end is None:
        return record
    plain = to_json(end)
    plain["variables"] = {name: variable_json(found) for name, found in end.variables.items()}
    return {**plain, **record, "signed": kept.vouch(end)}


def variable_json(found: VariableRecord) -> dict[str, Any]:
    """A variable for programs."""
    plain = to_json(found)
    plain.pop("file", None)
    return plain


def text(data: Any) -> str:
    """JSON as it is printed."""
    return json.dumps(data, indent=1, ensure_ascii=False, default=str)
