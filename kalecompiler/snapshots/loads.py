"""A kept value comes to life again: plain data whoever wrote it, all else only if somebody vouches for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kalecompiler.runtime import bundle, loading, reading
from kalecompiler.runtime.values import ABSENT, ValueProblem
from kalecompiler.snapshots import tiers
from kalecompiler.snapshots.manifest import VariableRecord
from kalecompiler.snapshots.objects import StoreProblem
from kalecompiler.snapshots.store import Store
from kalecompiler.snapshots.tiers import Untrusted

Read = Callable[[str, str | None], tuple[dict[str, Any], Any, list[memoryview]]]

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
    memory, copied = store.open_file(file, reading.Stream)

    def read(path: str, digest: str | None) -> tuple[dict[str, Any], Any, list[memoryview]]:
        return _parts(memory, copied, digest)

    return _load(f"the store {store.path}", file.digest or None, wanted, trust, read)


def from_file(path: Path, digest: str | None, wanted: Sequence[str], trust: bool) -> dict[str, Any]:
    """The same from the file of a value, as an artifact is. Raises Untrusted, ValueProblem."""
    return _load(str(path), digest, wanted, trust, reading.read)


def _parts(memory: reading.Stream, copied: int, digest: str | None) -> tuple[dict[str, Any], Any, list[memoryview]]:
    """What `reading.read` gives, of a file whose pieces were verified: to hash its sections too would take as long.

    The pickles must lie in what was `copied` before that: nobody has changed them since.
    """
    view = memoryview(memory)
    header, end = reading.head(view, digest)
    sections = reading.layout(header, end)
    if sections and copied < bundle.ALIGN + sections[0][1]:
        raise reading.Unreadable("it was changed while it was read")
    memory.seek(bundle.ALIGN)
    return header, memory if sections else None, reading.parts(view, sections[1:])


def _load(path: str, digest: str | None, wanted: Sequence[str], trust: bool, read: Read) -> dict[str, Any]:
    if trust:
        return loading.load(path, digest, wanted, None, read)
    try:
        header, stream, buffers = read(path, digest)
    except (OSError, reading.Unreadable) as error:
        raise ValueProblem(f"cannot read {wanted[0]!r}: {error}") from None
    if stream is None:
        return {wanted[0]: ABSENT}
    members = [wanted[0], *header.get("members", ())[1:]]
    while members[-1] not in wanted:
        members.pop()
    try:
        loaded = tiers.load(memoryview(stream)[stream.tell() :][: sum(header["sections"][0][2])], buffers, len(members))
    except Untrusted as error:
        reason = f"{wanted[0]} ({header.get('type')}) is not loaded: {error}"
        raise Untrusted(f"{reason}; --trust loads what you know to be yours") from None
    except ValueError as error:
        raise ValueProblem(f"cannot load {wanted[0]!r}: {error}") from None
    return {name: item for name, item in zip(members, loaded, strict=True) if name in wanted}


def is_absent(value: Any) -> bool:
    """Whether a step left the variable unbound."""
    return value is bundle.ABSENT
