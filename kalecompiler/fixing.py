"""`kalec check --fix`: mends what has one right answer, and writes nothing but the tags that it mends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalecompiler import diffs, plan, repairs, tagtext
from kalecompiler.diagnostics import NotebookError, Severity, UsageError
from kalecompiler.files import write_atomic
from kalecompiler.model import Location
from kalecompiler.repairs import Repair
from kalecompiler.wording import cause

if TYPE_CHECKING:
    from kalecompiler.checking import FileResult

Options = Mapping[str, Any]
Finder = Callable[[plan.Analysis], Iterable[Repair]]
#: What tells a finding from others of its rule, whatever else has changed: the rule, the cell, the tag or line.
Key = tuple[str, int | None, str | int | None]


@dataclass(frozen=True, slots=True)
class Fixed:
    """A notebook's file before and after, and what was mended in it, in the order of the notebook."""

    path: Path
    before: bytes
    after: bytes
    repairs: tuple[Repair, ...] = ()

    @property
    def changed(self) -> bool:
        return self.before != self.after

    def diff(self) -> str:
        """The changes as a unified diff, which `git apply` and `patch` take."""
        old, new = (tagtext.decode(self.path, data)[0] for data in (self.before, self.after))
        return diffs.unified(old, new, self.path.as_posix())


def key(rule: str, place: Location) -> Key:
    """The key of a finding of that rule at that place."""
    return rule, place.cell, place.tag if place.tag is not None else place.line


def fix(path: Path, data: bytes, options: Options, wanted: frozenset[Key] | None = None) -> Fixed:
    """Mend a notebook, until there is nothing more to mend.

    Args:
        path: where the notebook stands; its settings and the modules beside it are looked for there.
        data: the content of its file.
        options: settings given on the command line.
        wanted: the keys of the findings that were shown; None for all. Others stay as they are.

    Returns: the file before and after; nothing is written. A repair that would bring a new error is left out.

    Raises: NotebookError for what is no notebook, UsageError for a wrong configuration, or a file in an old format.
    """
    start = plan.analyse(path, options, data)
    found = [*repairs.spellings(start), *repairs.orders(start)]
    unwanted = frozenset() if wanted is None else frozenset(_key(r) for r in found) - wanted
    spelt, first = _follow(path, data, options, _but(repairs.spellings, unwanted))
    orders = _but(repairs.orders, unwanted)
    ordered, second = _follow(path, spelt, options, _first(orders))
    if second and _errors(path, ordered, options) - _errors(path, spelt, options):
        ordered, second = _one_by_one(path, spelt, options, orders)
    made = sorted([*first, *second], key=lambda r: (r.edit.cell, r.edit.new or ""))
    return Fixed(path, data, ordered, tuple(made))


def _key(repair: Repair) -> Key:
    return key(repair.rule.code, repair.place)


def _but(finder: Finder, unwanted: frozenset[Key]) -> Finder:
    return lambda analysis: [r for r in finder(analysis) if _key(r) not in unwanted]


def _first(finder: Finder) -> Finder:
    """The first repair alone: it may make others needless."""
    return lambda analysis: list(finder(analysis))[:1]


def _follow(path: Path, data: bytes, options: Options, finder: Finder) -> tuple[bytes, list[Repair]]:
    """Mend what the finder finds, and what that brings to light, to the end."""
    done: list[Repair] = []
    while True:
        new = list(finder(plan.analyse(path, options, data)))
        after = tagtext.edit(path, data, [r.edit for r in new])
        if after == data:
            return data, done
        data = after
        done += new


def _one_by_one(path: Path, data: bytes, options: Options, finder: Finder) -> tuple[bytes, list[Repair]]:
    """Mend each finding by itself, with what that brings to light; those that would bring new errors stay."""
    done: list[Repair] = []
    for repair in list(finder(plan.analyse(path, options, data))):
        first = tagtext.edit(path, data, [repair.edit])
        after, more = _follow(path, first, options, _first(finder))
        if not _errors(path, after, options) - _errors(path, data, options):
            data = after
            done += [repair, *more]
    return data, done


def _errors(path: Path, data: bytes, options: Options) -> Counter[str]:
    """How many errors of each rule there are."""
    planned = plan.complete(plan.analyse(path, options, data))
    return Counter(d.rule.code for d in planned.diagnostics if d.severity is Severity.ERROR)


def fix_all(files: Iterable[FileResult], options: Options) -> tuple[list[Fixed], list[str]]:
    """The notebooks among those checked that can be mended, in what was found in them; nothing is written.

    Returns: them, and why others cannot be.
    """
    found: list[Fixed] = []
    problems: list[str] = []
    for file in files:
        wanted = frozenset(key(d.rule.code, d.location) for d in file.diagnostics if d.rule.code in repairs.FIXABLE)
        if not wanted:
            continue
        try:
            fixed = fix(file.path, file.path.read_bytes(), options, wanted)
        except (NotebookError, UsageError, OSError) as error:
            problems.append(f"{file.path} was not mended: {error}")
            continue
        found += [fixed] if fixed.changed else []
    return found, problems


def write(fixed: Fixed) -> None:
    """Write a mended notebook as a whole. Raises UsageError where that cannot be."""
    try:
        if fixed.path.read_bytes() != fixed.before:
            raise UsageError(f"{fixed.path} has changed in the meantime: run the command again")
        write_atomic(fixed.path, fixed.after)
    except OSError as error:
        raise UsageError(f"{fixed.path} cannot be written: {cause(error)}") from None
