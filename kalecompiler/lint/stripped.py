"""KC611: a notebook that says it is a pipeline, and has lost its tags."""

from __future__ import annotations

from collections.abc import Iterator

from kalecompiler.diagnostics import STRIPPED_TAGS, Diagnostic
from kalecompiler.lint.subject import Subject
from kalecompiler.model import CellKind, Location, Notebook
from kalecompiler.taglanguage import tags_of

_OURS = ("kubeflow_notebook", "kalecompiler")


def seems_stripped(book: Notebook) -> bool:
    """Whether the notebook's metadata is a pipeline's, while no cell has a tag, and there is code to be tagged."""
    if not any(isinstance(book.metadata.get(key), dict) and book.metadata[key] for key in _OURS):
        return False
    code = [cell for cell in book.cells if cell.kind is CellKind.CODE and cell.source.strip()]
    return bool(code) and not any(tags_of(cell.metadata) for cell in book.cells)


def find(subject: Subject) -> Iterator[Diagnostic]:
    """One finding, or none."""
    if not seems_stripped(subject.book):
        return
    key = next(key for key in _OURS if subject.book.metadata.get(key))
    message = f"no cell has a tag, though the notebook has the metadata `{key}`: something seems to have removed them"
    hint = "restore the tags from version control, and let what cleans notebooks keep `tags` in the cells' metadata"
    yield Diagnostic(STRIPPED_TAGS, message, Location(str(subject.book.path), key=("metadata", key)), hint)
