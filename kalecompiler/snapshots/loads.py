"""A kept value comes to life again: plain data whoever wrote it, all else only if somebody vouches for it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kalecompiler.runtime import bundle, loading, reading
from kalecompiler.runtime.values import ABSENT, ValueProblem
from kalecompiler.snapshots import tiers
from kalecompiler.snapshots.manifest import VariableRecord
from kalecompiler.snapshots.objects import StoreProblem
from kalecompiler.snapshots.store import Store
from kalecompiler.snapshots.tiers import Untrusted

_HAS_MEMORY_FILES = hasattr(os, "memfd_create") and hasattr(os, "sendfile") and Path("/proc/self/fd").is_dir()

__all__ = ["ABSENT", "StoreProblem", "Untrusted", "ValueProblem", "value", "values"]


def value(store: Store, variable: VariableRecord, trust: bool) -> Any:
    """The value of a variable, or ABSENT.

    Without `trust` only plain data is loaded: Untrusted is raised for all else. Raises StoreProblem where pieces are
    missing or damaged, ValueProblem where the value cannot be rebuilt here.
    """
    name = variable.members[0] if variable.members else "value"
    return values(store, variable, [name], trust)[name]


def values(store: Store, variable: VariableRecord, wanted: Sequence[str], trust: bool) -> dict[str, Any]:
    """The values of `wanted`, the variable's own name first, as far as the variable's file has them."""
    if variable.file is None:
        if variable.absent:
            return {wanted[0]: ABSENT}
        raise StoreProblem(f"{wanted[0]} was not kept: {variable.error or 'the level of the run left it out'}")
    file = variable.file
    if not file.digest.startswith("sha256:") or not _HAS_MEMORY_FILES:
        with tempfile.TemporaryDirectory(prefix="kalec-") as folder:
            store.get_file(file, Path(folder) / "value")
            return from_file(Path(folder) / "value", file.digest or None, wanted, trust)
    handle = os.memfd_create("kalec")
    try:
        for piece in file.chunks:
            store.objects.copy(*piece, handle)
        path = Path(f"/proc/self/fd/{handle}")
        try:  # its digest covers every byte: to verify the pieces as well would take as long again
            return from_file(path, file.digest, wanted, trust)
        except ValueProblem as error:
            for _ in store.pieces(file):
                pass  # it says which of them is damaged, if any is
            raise ValueProblem(str(error).replace(f" from {path}", "")) from None
    finally:
        os.close(handle)


def from_file(path: Path, digest: str | None, wanted: Sequence[str], trust: bool) -> dict[str, Any]:
    """The same from the file of a value, as an artifact is. Raises Untrusted, ValueProblem."""
    if trust:
        return loading.load(str(path), digest, wanted, None)
    try:
        header, stream, buffers = reading.read(str(path), digest)
    except (OSError, reading.Unreadable) as error:
        raise ValueProblem(f"cannot read {wanted[0]!r}: {error}") from None
    if not stream:
        return {wanted[0]: ABSENT}
    members = [wanted[0], *header.get("members", ())[1:]]
    while members[-1] not in wanted:
        members.pop()
    try:
        loaded = tiers.load(stream, buffers, len(members))
    except Untrusted as error:
        reason = f"{wanted[0]} ({header.get('type')}) is not loaded: {error}"
        raise Untrusted(f"{reason}; --trust loads what you know to be yours") from None
    except ValueError as error:
        raise ValueProblem(f"cannot load {wanted[0]!r}: {error}") from None
    return {name: item for name, item in zip(members, loaded, strict=True) if name in wanted}


def is_absent(value: Any) -> bool:
    """Whether a step left the variable unbound."""
    return value is bundle.ABSENT
