"""KC612: tags in the spelling of Kale's early versions, each with its present one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kalecompiler.diagnostics import OLD_TAG, Diagnostic
from kalecompiler.lint.subject import Subject
from kalecompiler.model import CellKind
from kalecompiler.taglanguage import present_spelling, tags_of


def find(subject: Subject) -> Iterator[Diagnostic]:
    """A finding for each tag of a code cell that is spelt in the old way."""
    for cell in subject.book.cells:
        for tag in tags_of(cell.metadata) if cell.kind is CellKind.CODE else ():
            new = present_spelling(tag)
            if new is not None:
                where = replace(subject.book.at(cell), tag=tag.text)
                yield Diagnostic(OLD_TAG, f"the tag `{tag.text}` is an older spelling", where, f"write `{new}`")
