"""What of a notebook's findings has one right answer: an analysis -> edits of its tags. Pure; `fixing` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kalecompiler.diagnostics import MALFORMED_TAG, MISSING_PREV, MISSPELT_TAG, OLD_TAG, UNKNOWN_STEP, Rule
from kalecompiler.model import Annotation, CellKind, Location
from kalecompiler.plan import Analysis
from kalecompiler.stepgraph import task_name
from kalecompiler.taglanguage import Tag, correction, parse, present_spelling, tags_of
from kalecompiler.tagtext import TagEdit

#: The rules whose findings can be mended; OLD_TAG is off but for --fix.
FIXABLE = frozenset({MALFORMED_TAG.code, MISSPELT_TAG.code, UNKNOWN_STEP.code, MISSING_PREV.code, OLD_TAG.code})


@dataclass(frozen=True, slots=True)
class Repair:
    """An edit that mends a finding of `rule` at `place`."""

    rule: Rule
    place: Location
    edit: TagEdit

    @property
    def text(self) -> str:
        """What it does, as a message says it."""
        if self.edit.old is None:
            return f"added `{self.edit.new}`"
        return f"`{self.edit.old}` is now `{self.edit.new}`"


def spellings(analysis: Analysis) -> Iterator[Repair]:
    """Tags that are misspelt, malformed, of another day, or name a step by what KFP calls it."""
    book = analysis.reading.book
    steps = list(analysis.reading.steps)
    for cell in book.cells:
        for tag in tags_of(cell.metadata) if cell.kind is CellKind.CODE else ():
            rule, right = _right(tag, steps)
            if rule is not None and right is not None:
                place = replace(book.at(cell), tag=tag.text)
                yield Repair(rule, place, TagEdit(cell.number, tag.text, right))


def _right(tag: Tag, steps: list[str]) -> tuple[Rule | None, str | None]:
    right = correction(tag)
    if right is not None and tag.finding is not None:
        return tag.finding.rule, right
    if (right := present_spelling(tag)) is not None:
        return OLD_TAG, right
    if tag.previous and not all(name in steps for name in tag.previous):
        names = [_known(name, steps) for name in tag.previous]
        return UNKNOWN_STEP, ":".join(["prev", *names]) if all(names) else None
    return None, None


def _known(name: str, steps: list[str]) -> str:
    """A step that is named so, or that KFP would call so; empty where there is none."""
    same = [step for step in steps if task_name(step) == task_name(name)]
    return name if name in steps else same[0] if len(same) == 1 else ""


def orders(analysis: Analysis) -> Iterator[Repair]:
    """A missing `prev:` for each step: of several makers the last in the notebook, as others may stand above it."""
    steps = list(analysis.reading.steps)
    last: dict[str, tuple[str, Location]] = {}
    for problem in analysis.flow.problems:
        if problem.kind == "unordered":
            maker = problem.others[0]
            known = last.get(problem.unit)
            if known is None or steps.index(maker) > steps.index(known[0]):
                last[problem.unit] = maker, analysis.reading.locate(problem.unit, problem.site)
    for step, (maker, place) in sorted(last.items(), key=lambda item: steps.index(item[0])):
        number = _home(analysis, step)
        if number is not None:
            yield Repair(MISSING_PREV, place, TagEdit(number, None, f"prev:{maker}"))


def _home(analysis: Analysis, step: str) -> int | None:
    """The cell whose tags say what runs before a step: one that says so already, else the first that names it."""
    own = [a for a in analysis.annotations if a.step == step]
    telling: list[Annotation] = [a for a in own if a.previous] or [a for a in own if _names(a, step)]
    return telling[0].cell.number if telling else None


def _names(annotation: Annotation, step: str) -> bool:
    return any(parse(tag.text).step == step for tag in tags_of(annotation.cell.metadata))
