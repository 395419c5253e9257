"""Whether the steps' names and their `prev:` tags fit together: annotations -> findings."""

from __future__ import annotations

import graphlib
import keyword
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from kalecompiler import diagnostics as rules
from kalecompiler.diagnostics import Diagnostic
from kalecompiler.model import Annotation, Location, Notebook, Previous, Role
from kalecompiler.suggest import closest
from kalecompiler.taglanguage import tags_of
from kalecompiler.wording import listed

LONGEST_TASK_NAME = 63
_REMOVE = "remove this `prev:` tag"


def task_name(step: str) -> str:
    """The name that KFP gives the task of a step: small letters, digits and single dashes; it may be empty."""
    return re.sub(r"[^0-9a-z]+", "-", step.lower()).strip("-")


def check(notebook: Notebook, annotations: Sequence[Annotation]) -> list[Diagnostic]:
    """All findings about the names of the steps and about their `prev:` tags."""
    cells = [a for a in annotations if a.step is not None]
    where: dict[str, Location] = {}
    for annotation in cells:
        where.setdefault(str(annotation.step), _at_step(notebook, annotation))
    previous = [(str(a.step), p) for a in cells for p in a.previous]
    skipped = _skipped(annotations)
    return [*_names(where), *_collisions(where), *_unknown(where, previous, skipped), *_cycles(where, previous)]


def _at_step(notebook: Notebook, annotation: Annotation) -> Location:
    """The place of the tag that puts a cell into its step, as far as the cell has one."""
    tags = [tag.text for tag in tags_of(annotation.cell.metadata) if tag.step == annotation.step]
    return replace(notebook.at(annotation.cell), tag=tags[0] if tags else None)


def _skipped(annotations: Iterable[Annotation]) -> dict[str, int]:
    """The steps that tags on skipped cells name, and the number of such a cell."""
    return {
        tag.step: annotation.cell.number
        for annotation in annotations
        if annotation.role is Role.SKIP
        for tag in tags_of(annotation.cell.metadata)
        if tag.step
    }


def _names(steps: dict[str, Location]) -> Iterator[Diagnostic]:
    for name, location in steps.items():
        wrong = wrong_name(name)
        if wrong:
            hint = f"name it `{proposal(name)}`" if proposal(name) else "use letters, digits, `_` and `-`"
            yield Diagnostic(rules.INVALID_STEP_NAME, f"the step name `{name}` {wrong}", location, hint)
        elif name != name.lower():
            message = f"KFP will show step `{name}` as `{task_name(name)}`"
            yield Diagnostic(rules.REWRITTEN_STEP_NAME, message, location, f"name it `{name.lower()}`")
        if keyword.iskeyword(name):
            message = f"step `{name}` is named like a keyword of Python"
            yield Diagnostic(rules.KEYWORD_STEP_NAME, message, location, f"name it `{name.lower()}_step`")


def wrong_name(name: str) -> str | None:
    """What stops KFP from running a step of that name."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        return "has characters other than `A` to `Z`, `a` to `z`, digits, `_` and `-`"
    task = task_name(name)
    if not task:
        return "has no letter"
    if not task[0].isalpha():
        return "does not start with a letter"
    return f"is longer than {LONGEST_TASK_NAME} characters" if len(task) > LONGEST_TASK_NAME else None


def proposal(name: str) -> str:
    """A name close to this one that KFP takes as it is, or nothing where none can be told."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    new = re.sub(r"[^0-9a-z]+", "_", ascii_only.lower()).strip("_")
    if new[:1].isdigit():
        new = f"step_{new}"
    return new[:LONGEST_TASK_NAME].rstrip("_")


def _collisions(steps: dict[str, Location]) -> Iterator[Diagnostic]:
    first: dict[str, str] = {}
    for name, location in steps.items():
        other = first.setdefault(task_name(name), name)
        if other != name and task_name(name):
            message = f"steps `{other}` and `{name}` would both be the task `{task_name(name)}`"
            yield Diagnostic(rules.COLLIDING_STEP_NAMES, message, location, "rename one of them")


def _unknown(
    steps: dict[str, Location], previous: list[tuple[str, Previous]], skipped: dict[str, int]
) -> Iterator[Diagnostic]:
    for step, before in previous:
        if before.name == step:
            message = f"step `{step}` is to run before itself"
            yield Diagnostic(rules.PREV_TO_ITSELF, message, before.origin, f"remove `{before.origin.tag}`")
        elif before.name not in steps:
            message = f"step `{step}` is to run after `{before.name}`, which does not exist"
            hint = _instead(before.name, step, steps)
            if before.name in skipped:
                hint = f"cell {skipped[before.name]} is tagged `skip`: tag it `step:{before.name}` alone, or {_REMOVE}"
            yield Diagnostic(rules.UNKNOWN_STEP, message, before.origin, hint)


def _instead(name: str, step: str, steps: dict[str, Location]) -> str:
    """The hint for a `prev:` to no step."""
    if name in {role.value for role in Role}:
        return f"`{name}` cells run in every step that needs them; remove the tag"
    others = [other for other in steps if other != step]
    same_task = next((other for other in others if task_name(other) == task_name(name)), None)
    right = same_task or closest(name, others)
    if right:
        return f"did you mean `prev:{right}`?"
    return f"the other steps are {listed(others)}" if others else "there is no other step"


def _cycles(steps: dict[str, Location], previous: list[tuple[str, Previous]]) -> Iterator[Diagnostic]:
    """One finding a cycle; each cycle found is cut, and the search begun again."""
    edges = {(before.name, step): before for step, before in previous if before.name in steps and before.name != step}
    while True:
        graph = {step: [a for a, b in edges if b == step] for step in steps}
        try:
            graphlib.TopologicalSorter(graph).prepare()
            return
        except graphlib.CycleError as error:
            # graphlib lists each node before the one that depends on it, and the first again at the end
            cycle: list[str] = error.args[1]
        last = edges.pop((cycle[-2], cycle[-1]))
        shown = " -> ".join(f"`{name}`" for name in cycle)
        message = f"steps wait for each other in a circle: {shown}"
        yield Diagnostic(rules.PREV_CYCLE, message, last.origin, "remove one of these `prev:` tags")
