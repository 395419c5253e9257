"""How the code of a step differs: a unified diff for each of its pieces."""

from __future__ import annotations

from collections.abc import Sequence

from kalecompiler.diffs import unified
from kalecompiler.snapshots.packagecode import Piece


def patch(old: Sequence[Piece], new: Sequence[Piece]) -> str:
    """What leads from the old pieces to the new; a piece is known by its cell, else by its name. Empty: the same."""
    before, after = _known(old), _known(new)
    order = [*after, *(key for key in before if key not in after)]
    if old and new and set(before).isdisjoint(after):  # cells without ids, or all made anew
        return unified(_text(old), _text(new), "step")
    return "".join(_piece(before.get(key), after.get(key)) for key in order)


def _piece(old: Piece | None, new: Piece | None) -> str:
    named = new or old
    assert named is not None
    return unified(_source(old), _source(new), named.name)


def _source(piece: Piece | None) -> str:
    return f"{piece.source}\n" if piece and piece.source else ""


def _text(pieces: Sequence[Piece]) -> str:
    return "".join(_source(piece) for piece in pieces)


def _known(pieces: Sequence[Piece]) -> dict[tuple[str, str], Piece]:
    """The pieces by cell and kind: one cell may give several pieces."""
    found: dict[tuple[str, str], Piece] = {}
    for piece in pieces:
        key = (piece.kind, piece.cell or piece.name)
        while key in found:
            key = (key[0], f"{key[1]}'")
        found[key] = piece
    return found
