"""What a restored state is like, in words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kalecompiler.snapshots.state import Item, Lost, State
from kalecompiler.wording import counted, listed

_MOST = 12


def summary(found: State, done: Sequence[Item], lost: Sequence[Lost], states: Sequence[str]) -> str:
    """What was restored, and what was not and why."""
    at = found.moment
    lines = [f"kalec: {at.when} step {at.step.name} of {found.record.run}: {counted(len(done), 'variable')} restored"]
    lines += _table([_row(item) for item in done])
    if states:
        lines.append(f"  the random states of {listed(list(states))}")
    lines += doubtful(found, done)
    if lost:
        lines += ["not restored:", *_table([_lost_row(item) for item in lost])]
    if differing := packages(found):
        lines.append(f"other versions than in the run: {listed(differing)}")
    return "\n".join(lines)


def plan(found: State) -> str:
    """What a state has and has not, before it is restored."""
    at = found.moment
    lines = [f"{at.when} step {at.step.name} of {found.record.run}: {counted(len(found.items), 'variable')}"]
    lines += _table([_row(item) for item in found.items])
    lines += doubtful(found, found.items)
    if found.lost:
        lines += ["not in the state:", *_table([_lost_row(item) for item in found.lost])]
    if not found.trusted:
        lines.append("nothing says that this run is yours: only plain data is restored without --trust")
    return "\n".join(lines)


def shape(item: Item) -> str:
    """The shape of a table or array: `600 x 5`."""
    return " x ".join(map(str, item.record.shape)) if item.record.shape else ""


def packages(found: State) -> list[str]:
    """The distributions that have another version here than in the run, a few of them."""
    from importlib.metadata import PackageNotFoundError

    differing = []
    for entry in found.environment.get("packages", ()):
        name, _, there = str(entry).rpartition("-")
        try:
            here = _version(name)
        except (PackageNotFoundError, ValueError):
            here = "none"
        if here != there:
            differing.append(f"{name} {there} there, {here} here")
    return differing[:_MOST] + ([f"{len(differing) - _MOST} more"] if len(differing) > _MOST else [])


def _version(name: str) -> str:
    """A distribution's version: to parse its long description as well would take most of the time of a checkout."""
    from importlib.metadata import distribution

    found = distribution(name)
    head = (found.read_text("METADATA") or "").partition("\n\n")[0]
    line = re.search(r"^Version: *(\S+)$", head, re.MULTILINE)
    return line[1] if line else found.version


def doubtful(found: State, items: Sequence[Item]) -> list[str]:
    """The variables that may be others than in the notebook, and why."""
    lines = [
        f"  {item.variable}, as {item.task} left it: {listed(list(item.doubts))} may have changed it since"
        for item in items
        if item.doubts
    ]
    names = {item.variable for item in items}
    lines += [f"  {name}: {text}" for name, text in sorted(found.moment.warnings.items()) if name in names]
    said = found.moment.warnings.values()
    lines += [
        f"  {one} and {other}: they shared an object when step {step} had ended, and are two now"
        for one, other, step in found.parted
        if {one, other} <= names and not any(f"`{one}`" in text and f"`{other}`" in text for text in said)
    ]
    return ["perhaps not as in the notebook:", *lines] if lines else []


def _row(item: Item) -> tuple[str, ...]:
    return item.variable, item.record.type, shape(item), f"from {item.task}"


def _lost_row(item: Lost) -> tuple[str, ...]:
    where = f"made in {listed(list(item.cells))}" if item.cells else ""
    return item.variable, item.type, where, item.reason


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as indented lines, their columns below one another."""
    widths = [max((len(row[at]) for row in rows), default=0) for at in range(len(rows[0]) - 1)] if rows else []
    cells = ([*(row[at].ljust(width) for at, width in enumerate(widths) if width), row[-1]] for row in rows)
    return ["  " + "  ".join(row).rstrip() for row in cells]
