"""Keeping house in the store: what the commands `verify`, `gc`, `pin`, `unpin`, `export` and `import` do and say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kalecompiler.diagnostics import UsageError
from kalecompiler.local import which
from kalecompiler.local.folders import HOME, STORE, default_root, home_of
from kalecompiler.snapshots import find, recover, retention, transfer
from kalecompiler.snapshots.quantities import size
from kalecompiler.snapshots.store import Store
from kalecompiler.wording import cause, counted


def verify(run: str | None, folder: Path, format_: str) -> tuple[str, bool]:
    """(what to say, whether all is well). Raises StoreProblem where there is no store or no such run."""
    if run is None:
        found = retention.verify(find.store_near(folder))
    else:
        chosen = find.find(run, folder)
        found = retention.verify(chosen.store, [chosen.record.run])
    if format_ == "json":
        about = {"runs": found.runs, "objects": found.objects, "bytes": found.bytes, "unsigned": found.unsigned}
        return json.dumps({**about, "problems": list(found.problems)}, indent=1), not found.problems
    lines = [*found.problems, f"{counted(found.runs, 'run')}, {counted(found.objects, 'object')}, {size(found.bytes)}"]
    lines[-1] += f": {counted(len(found.problems), 'problem')}" if found.problems else ": all as they were written"
    if found.unsigned:
        lines.append(f"{counted(found.unsigned, 'record')} without our signature: values of theirs need --trust")
    return "\n".join(lines), not found.problems


def gc(folder: Path, last: int | None, days: float | None, grace: float, dry: bool, format_: str) -> str:
    """What was thrown away, or would be. Raises StoreProblem."""
    store = find.store_near(folder)
    for record in [] if dry else store.runs():
        recover.recover(store, record)
    swept = retention.gc(store, last, days, grace, dry)
    if format_ == "json":
        about: dict[str, Any] = {"runs": list(swept.runs), "objects": swept.objects, "bytes": swept.bytes}
        about |= {"strays": swept.strays, "copies": swept.copies}
        return json.dumps({**about, "damaged": list(swept.damaged), "untold": list(swept.untold)}, indent=1)
    verb = "would remove" if dry else "removed"
    lines = [f"{verb} run {run}" for run in swept.runs]
    lines += [f"kept run {run}: a tracker was not told all of it, `kalec track` tells it" for run in swept.untold]
    lines.append(f"{verb} {counted(swept.objects, 'object')}, {size(swept.bytes)}")
    if swept.strays:
        lines.append(f"{verb} {counted(swept.strays, 'unfinished file')} that killed runs left")
    if swept.copies:
        lines.append(f"{verb} {counted(swept.copies, 'file')} of values from folders of runs: the store has them too")
    lines += [
        f"left alone: the record of run {run} is damaged: `kalec import` of its exported file replaces it, "
        f"or give it up by removing the folder {store.path / 'runs' / run}"
        for run in swept.damaged
    ]
    return "\n".join(lines)


def pin(run: str, folder: Path, pinned: bool) -> str:
    """Pin a run, or take the pin off. Raises StoreProblem."""
    chosen = find.find(run, folder)
    retention.pin(chosen.store, chosen.record.run, pinned)
    name = chosen.record.run
    return f"{name} is pinned: gc leaves it alone" if pinned else f"{name} is not pinned any more"


def export(run: str, file: Path, folder: Path, force: bool) -> str:
    """Write a run to a tar file. Raises StoreProblem, UsageError."""
    chosen = find.find(run, folder)
    if file.exists() and not force:
        raise UsageError(f"{file} is there already: --force replaces it")
    try:
        total = transfer.export(chosen.store, chosen.record.run, file)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {cause(error)}") from None
    return f"wrote {file}: run {chosen.record.run}, {size(total)}"


def import_(file: Path, folder: Path | None, trust: bool) -> str:
    """Take a run from a tar file into the store of `folder`, which is made if there is none. Raises UsageError.

    Without a folder it is the store that is found from the current one, which gets one where none is.
    """
    if folder is None and which.homes(Path.cwd(), find.has_store):
        store = find.store_near(Path.cwd())
    else:
        place = folder or Path.cwd()
        home = place if place.absolute().name == HOME else home_of(default_root(place))
        store = Store.open(home / STORE, create=True, durable=True)
    found = transfer.import_(store, file, trust)
    words = {
        "signed": "it bears our signature",
        "unsigned": "it is not signed: its values need --trust",
        "wrong": "another key signed it: its values need --trust",
    }
    return f"imported {found.run}, {counted(found.objects, 'object')}, {size(found.bytes)}; {words[found.state]}"
