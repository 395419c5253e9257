"""What differs between the variables that a step left in two runs: by their records, and by the digests of columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kalecompiler.snapshots.columns import VALUE
from kalecompiler.snapshots.manifest import VariableRecord
from kalecompiler.snapshots.quantities import shape, size

OTHER_BYTES = "the same content in other bytes"
ColumnsOf = Callable[[VariableRecord], Mapping[str, str] | None]


@dataclass(frozen=True, slots=True)
class Change:
    """A variable that differs. `kind` is changed, added, removed or same (other bytes, and yet the same columns).

    `details` say more in words; the columns are by name, where it is a table whose columns are known.
    """

    name: str
    kind: str
    details: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    columns_known: bool = False

    @property
    def matters(self) -> bool:
        return self.kind != "same"


def changes(
    one: Mapping[str, VariableRecord], other: Mapping[str, VariableRecord], columns: tuple[ColumnsOf, ColumnsOf]
) -> tuple[Change, ...]:
    """The variables that differ, by name."""
    found = []
    for name in sorted({*one, *other}):
        if name not in other:
            found.append(Change(name, "removed"))
        elif name not in one:
            found.append(Change(name, "added"))
        elif _identity(one[name]) != _identity(other[name]):
            found.append(_change(name, one[name], other[name], columns))
    return tuple(found)


def _identity(variable: VariableRecord) -> tuple[object, ...]:
    return variable.digest, variable.absent, variable.error if not variable.digest else None


def _change(name: str, one: VariableRecord, other: VariableRecord, columns: tuple[ColumnsOf, ColumnsOf]) -> Change:
    details = _details(one, other)
    known = one.digest and other.digest
    before, after = (columns[0](one), columns[1](other)) if known else (None, None)
    if not before or not after:
        return Change(name, "changed", (*details, *_pieces(one, other)))
    if not details and dict(before) == dict(after):
        order = list(before) != list(after)
        return Change(name, "changed", ("the order of its columns",)) if order else Change(name, "same", (OTHER_BYTES,))
    if VALUE in before or VALUE in after:
        return Change(name, "changed", (*details, *_pieces(one, other)))
    changed = tuple(column for column in before if column in after and before[column] != after[column])
    added = tuple(column for column in after if column not in before)
    removed = tuple(column for column in before if column not in after)
    return Change(name, "changed", details, changed, added, removed, columns_known=True)


def _details(one: VariableRecord, other: VariableRecord) -> tuple[str, ...]:
    """What the records say of the difference."""
    if one.absent != other.absent:
        return ("bound in one only",)
    if one.error or other.error:
        return tuple(f"not kept: {record.error}" for record in (one, other) if record.error)
    found = [
        ("type", one.type, other.type),
        ("shape", shape(one.shape), shape(other.shape)),
        ("dtype", one.dtype or "", other.dtype or ""),
    ]
    kinds = [f"{what} {before or 'none'} -> {after or 'none'}" for what, before, after in found if before != after]
    dtypes = one.dtypes or {}, other.dtypes or {}
    kinds += [
        f"{n}: {dtypes[0][n]} -> {dtypes[1][n]}" for n in dtypes[0] if dtypes[1].get(n, dtypes[0][n]) != dtypes[0][n]
    ]
    return tuple(kinds)


def _pieces(one: VariableRecord, other: VariableRecord) -> tuple[str, ...]:
    """How much of the two files is the same, as far as their pieces tell."""
    if one.file is None or other.file is None or len(other.file.chunks) < 2:
        return ()
    known = {name for name, _ in one.file.chunks}
    differing = sum(length for name, length in other.file.chunks if name not in known)
    return (f"{size(differing)} of {size(other.file.size)} differ",)
