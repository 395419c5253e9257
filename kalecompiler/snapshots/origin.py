"""Where a run comes from, as its record tells; and runs with equal records that gave other metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kalecompiler import provenance
from kalecompiler.snapshots.blocks import Block, Heading, table
from kalecompiler.snapshots.manifest import RunRecord
from kalecompiler.snapshots.quantities import short, size, values

Opened = Callable[[RunRecord], Iterable[Mapping[str, Any]]]
"""The files that the steps of a run opened, as their manifests and traces have them: path, digest and mode."""

_FEW = 6
_MANY_TWINS = 3


def facts(record: RunRecord) -> dict[str, str]:
    """What there is to say on lines of their own, beside the commit and the versions."""
    installed = record.origin("packages")
    found = {
        "branch": str(record.origin("git").get("branch") or ""),
        "installed": f"{len(installed)} packages ({_few(f'{n} {v}' for n, v in installed.items())})"
        if installed
        else "",
        "package hash": short(str(record.origin("package").get("sha256") or "")),
    }
    return {name: text for name, text in found.items() if text}


def blocks(record: RunRecord) -> list[Block]:
    """Tables: what each step requires, where random generators are seeded, and the files that the code names."""
    known = record.provenance
    found: list[Block] = []
    requirements = [(str(step), _few(names)) for step, names in record.origin("requirements").items() if names]
    if requirements:
        found += [Heading("requirements"), table(("step", "packages"), requirements)]
    if seeds := [(str(one.get("where")), str(one.get("code"))) for one in _mappings(known.get("seeds"))]:
        found += [Heading("seeds"), table(("cell", "code"), seeds)]
    files = [
        (str(one.get("path")), _size(one.get("size")), short(str(one.get("sha256") or "")) or "not read: too large")
        for one in _mappings(known.get("files"))
    ]
    return [*found, Heading("input data"), table(("file", "size", "digest"), files, (1,))] if files else found


def differing(one: RunRecord, other: RunRecord, opened: Opened = lambda record: ()) -> dict[str, tuple[Any, Any]]:
    """The metrics in which two runs differ that should not.

    Both succeeded, their records are equal, and so is what both read from files that they had not written themselves.
    """
    if not all(record.status == "succeeded" and record.provenance for record in (one, other)):
        return {}
    if _identity(one) != _identity(other):
        return {}
    own, others = _metrics(one), _metrics(other)
    found = {key[1]: (own[key], others[key]) for key in own if key in others and repr(own[key]) != repr(others[key])}
    return found if found and not _read_others(opened(one), opened(other)) else {}


def _read_others(ones: Iterable[Mapping[str, Any]], others: Iterable[Mapping[str, Any]]) -> bool:
    """Whether two runs read a file that was another one for each, or may have been: its digest is not known."""
    own, theirs = _read(ones), _read(others)
    return any(own[path] != theirs[path] or None in own[path] for path in own.keys() & theirs.keys())


def _read(files: Iterable[Mapping[str, Any]]) -> dict[str, set[Any]]:
    known = [(str(one.get("path")), one.get("mode"), one.get("digest")) for one in files]
    written = {path for path, mode, _ in known if mode in ("write", "append")}
    found: dict[str, set[Any]] = {}
    for path, mode, digest in known:
        if mode == "read" and path not in written:
            found.setdefault(path, set()).add(digest)
    return found


def notes(record: RunRecord, others: Iterable[RunRecord], opened: Opened = lambda record: ()) -> tuple[str, ...]:
    """A line for each run that shows this one not to be reproducible, the newest first."""
    found = [
        (other, metrics)
        for other in others
        if other.run != record.run and (metrics := differing(record, other, opened))
    ]
    said = [
        f"not reproducible: {other.run} had the same code, parameters, packages and files, and other metrics "
        f"({_few(_two(name, pair) for name, pair in metrics.items())})"
        for other, metrics in found[:_MANY_TWINS]
    ]
    more = len(found) - _MANY_TWINS
    return (*said, *([f"not reproducible: {more} more runs differ from this one in the same way"] if more > 0 else []))


def _two(name: str, pair: tuple[Any, Any]) -> str:
    here, there = values(pair)
    return f"{name} {here} here, {there} there"


def _identity(record: RunRecord) -> str:
    return provenance.identity({"parameters": dict(record.parameters), "provenance": record.provenance})


def _metrics(record: RunRecord) -> dict[tuple[str, str], Any]:
    return {(step.key, name): item for step in record.steps for name, item in step.metrics.items()}


def _few(items: Iterable[Any]) -> str:
    listed = [str(item) for item in items]
    more = f" and {len(listed) - _FEW} more" if len(listed) > _FEW else ""
    return ", ".join(listed[:_FEW]) + more


def _size(item: Any) -> str:
    return size(item) if isinstance(item, int | float) else ""


def _mappings(items: Any) -> list[Mapping[str, Any]]:
    return [one for one in items if isinstance(one, Mapping)] if isinstance(items, list | tuple) else []
