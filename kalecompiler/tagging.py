"""`kalec tag` and `kalec untag`: tags of one cell, checked by the tag language and written where they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from kalecompiler import notebook, tagtext
from kalecompiler.diagnostics import Severity, UsageError
from kalecompiler.files import write_atomic
from kalecompiler.model import Cell, CellKind, Notebook
from kalecompiler.suggest import did_you_mean
from kalecompiler.taglanguage import Tag, parse, tags_of
from kalecompiler.tags import ADDING
from kalecompiler.tagtext import TagEdit
from kalecompiler.wording import cause, counted, listed


def tag(path: Path, which: str, texts: Sequence[str]) -> str:
    """Give a cell tags, and return what its tags are then.

    A cell is in one place, and a setting has one value: a tag takes the place of one that says otherwise.

    Args:
        path: the notebook.
        which: the cell's number, as findings show it, or its id.
        texts: the tags.

    Raises UsageError for a cell or tag that cannot be, NotebookError for what is no notebook.
    """
    book, data = _read(path)
    cell = _cell(book, which)
    if cell.kind is not CellKind.CODE:
        what = f"cell {cell.number} of {path} is a {cell.kind.value} cell"
        raise UsageError(f"{what}: tag the code cell below it instead")
    new = [_checked(text) for text in dict.fromkeys(texts)]
    _consistent(new)
    own = tags_of(cell.metadata)
    edits = []
    for one in new:
        rivals = [old for old in own if old.text != one.text and _rival(old, one)]
        edits += [TagEdit(cell.number, old.text, one.text) for old in rivals[:1]]
        edits += [TagEdit(cell.number, old.text, None) for old in rivals[1:]]
        edits += [TagEdit(cell.number, None, one.text)]
        own = [old for old in own if old not in rivals]
    return _written(path, data, cell, edits)


def untag(path: Path, which: str, texts: Sequence[str]) -> str:
    """Take tags from a cell, without any named all of kalecompiler's, and return what its tags are then.

    Raises UsageError for a cell that is not there, or a tag that it has not.
    """
    book, data = _read(path)
    cell = _cell(book, which)
    own = tags_of(cell.metadata)
    known = [old.text for old in own]
    for text in texts:
        if text not in known:
            hint = did_you_mean(text, known) or (f"it has {listed(known)}" if known else "it has none")
            raise UsageError(f"cell {cell.number} of {path} has no tag `{text}`: {hint}")
    gone = texts or [old.text for old in own if old.ours]
    return _written(path, data, cell, [TagEdit(cell.number, text, None) for text in gone])


def _read(path: Path) -> tuple[Notebook, bytes]:
    data = notebook.read_bytes(path)
    return notebook.read(path, data)[0], data


def _cell(book: Notebook, which: str) -> Cell:
    """The cell of that number or id."""
    numbers = [cell for cell in book.cells if str(cell.number) == which]
    found = numbers or [cell for cell in book.cells if cell.id == which]
    if found:
        return found[0]
    code = [str(cell.number) for cell in book.cells if cell.kind is CellKind.CODE]
    there = f"of its {counted(len(book.cells), 'cell')}, {', '.join(code) or 'none'} have code"
    hint = did_you_mean(which, [cell.id for cell in book.cells if cell.id]) or there
    raise UsageError(f"{book.path} has no cell `{which}`: {hint}")


def _checked(text: str) -> Tag:
    """A tag that says something, or is another tool's. Raises UsageError for one that is wrong, or looks so."""
    parsed = parse(text)
    finding = parsed.finding
    if finding is not None and (finding.rule.severity is Severity.ERROR or not parsed.ours):
        raise UsageError(f"{finding.message}; {finding.hint}" if finding.hint else finding.message)
    if not text or text != text.strip():
        raise UsageError(f"the tag `{text}` is empty, or begins or ends with a blank")
    return parsed


def _consistent(tags: Sequence[Tag]) -> None:
    """Raise UsageError for tags of one call that contradict each other."""
    for index, one in enumerate(tags):
        for other in tags[index + 1 :]:
            if _rival(one, other):
                raise UsageError(f"a cell cannot have both {listed([one.text, other.text], ' and ')}")


def _rival(one: Tag, other: Tag) -> bool:
    """Whether a cell can have only one of two tags."""
    if _place(one) and _place(other):
        return True
    if one.setting is None or other.setting is None or one.setting[0] in ADDING:
        return False
    return one.setting[:2] == other.setting[:2]


def _place(tag: Tag) -> bool:
    return tag.role is not None or tag.step is not None


def _written(path: Path, data: bytes, cell: Cell, edits: Iterable[TagEdit]) -> str:
    after = tagtext.edit(path, data, edits)
    if after != data:
        try:
            write_atomic(path, after)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {cause(error)}") from None
    now = notebook.read(path, after)[0].cells[cell.number - 1]
    return f"cell {cell.number}: {', '.join(tag.text for tag in tags_of(now.metadata)) or 'no tags'}"
