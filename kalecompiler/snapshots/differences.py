"""What differs between runs, in words, and as JSON and CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

from kalecompiler.snapshots.blocks import Block, Cell, Heading, Lines, Patch, printable, table
from kalecompiler.snapshots.compare import Against, Comparison, Row, StepRow
from kalecompiler.snapshots.quantities import exact, seconds, values
from kalecompiler.snapshots.variables import Change
from kalecompiler.wording import counted

BEST = "*"
_MANY = 8
_FILES = 3
# Read by libraries, whatever a step computes: a first import opens hundreds of them.
_SURROUNDINGS = re.compile(
    r"^/((usr/(local/)?)?(share|lib(32|64)?|bin|sbin)|etc|proc|sys|dev(?!/shm))/|/(site|dist)-packages/|/lib\w*/python\d"
)

ToTexts = Callable[[Sequence[Any]], list[str]]


def blocks(found: Comparison) -> list[Block]:
    """A comparison for people: what differs, and nothing of what does not."""
    said: list[Block] = [Lines(tuple(f"{_letter(at)}  {run}" for at, run in enumerate(found.runs)))]
    said += [Lines((_first(found, at),), "bold") for at in range(1, len(found.runs))]
    said += _table("parameters that differ", "parameter", [row for row in found.parameters if row.differs], found)
    said += _metrics(found)
    said += _steps(found)
    for step in found.steps:
        said += _step(step, found)
    said += _table("packages that differ", "package", found.packages, found, _plain_all)
    facts = [row for row in found.facts if row.differs and row.name != "seconds"]
    said += _table("what else differs", "", facts, found, _plain_all)
    return [*said, Heading("notes"), Lines(found.notes, "yellow")] if found.notes else said


def to_json(found: Comparison) -> dict[str, Any]:
    """A comparison for programs; every row has a value for each run, in the order of `runs`."""
    return {
        "runs": list(found.runs),
        "first": list(found.first),
        "parameters": [_row_json(row) for row in found.parameters],
        "metrics": [{**_row_json(row), "best": sorted(row.best)} for row in found.metrics],
        "packages": [_row_json(row) for row in found.packages],
        "facts": [_row_json(row) for row in found.facts],
        "steps": [_step_json(step) for step in found.steps],
        "notes": list(found.notes),
    }


def to_csv(found: Comparison) -> str:
    """A comparison as a table: kind, name, whether it differs, and a column for each run."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["kind", "name", "differs", *found.runs])
    groups = {"parameter": found.parameters, "metric": found.metrics, "package": found.packages, "fact": found.facts}
    for kind, rows in groups.items():
        writer.writerows([kind, printable(row.name), _yes(row.differs), *map(_plain, row.values)] for row in rows)
    for step in found.steps:
        writer.writerow(
            ["status", printable(step.name), _yes(len(set(step.statuses)) > 1), *map(printable, step.statuses)]
        )
        writer.writerow(["seconds", printable(step.name), "", *map(_plain, step.seconds)])
        reasons = ["", *("; ".join(other.reasons) for other in step.against)]
        writer.writerow(["step", printable(step.name), _yes(step.differs), *map(printable, reasons)])
    return out.getvalue()


def change_words(change: Change) -> str:
    """A variable that differs, in one line."""
    parts = list(change.details)
    for word, names in (("columns changed", change.changed), ("added", change.added), ("removed", change.removed)):
        if names:
            more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
            parts.append(f"{word}: {', '.join(names[:_MANY])}{more}")
    return "; ".join(parts) if parts else ""


def _first(found: Comparison, at: int) -> str:
    first = found.first[at - 1]
    pair = f"{_letter(0)} and {_letter(at)}"
    if first is None:
        return f"{pair} do not differ in any step"
    step = next(step for step in found.steps if step.name == first)
    return f"{pair}: the first step that differs is {first} ({_reasons(step.against[at - 1])})"


def _reasons(other: Against) -> str:
    """Why a step differs: a few of its files by name, and those of Python and the system only if nothing else does."""
    files = [reason for reason in other.reasons if reason.startswith("file ")]
    own = [reason for reason in files if not _SURROUNDINGS.search(reason.removeprefix("file "))]
    named = (files if not own and len(files) == len(other.reasons) else own)[:_FILES]
    said = [reason for reason in other.reasons if reason not in files or reason in named]
    counts = {"more file": len({*own} - {*named}), "file": len({*files} - {*own, *named})}
    words = {"more file": "", "file": " of Python or the system"}
    return ", ".join([*said, *(f"{counted(count, what)}{words[what]}" for what, count in counts.items() if count)])


def _table(title: str, name: str, rows: Sequence[Row], found: Comparison, to_texts: ToTexts = values) -> list[Block]:
    if not rows:
        return []
    lines = [
        [Cell(row.name), *(Cell(text, _style(row, at)) for at, text in enumerate(to_texts(row.values)))] for row in rows
    ]
    return [Heading(title), table((name, *_letters(found)), lines)]


def _metrics(found: Comparison) -> list[Block]:
    if not found.metrics:
        return []
    lines = []
    for row in found.metrics:
        texts = [f"{text} {BEST}" if at in row.best else text for at, text in enumerate(values(row.values))]
        lines.append([Cell(row.name), *(Cell(text, _style(row, at)) for at, text in enumerate(texts))])
    made: list[Block] = [Heading("metrics"), table(("metric", *_letters(found)), lines)]
    return (
        [
            *made,
            Lines(
                (f"{BEST} the best, as the notebook says (metrics:NAME=max), else as far as the name tells",), "faint"
            ),
        ]
        if any(r.best for r in found.metrics)
        else made
    )


def _steps(found: Comparison) -> list[Block]:
    """A line for each step: how long it took in each run, and whether it differs."""
    rows = []
    for step in found.steps:
        took = [
            " ".join(filter(None, (status if status != "succeeded" else "", seconds(time)))) or "-"
            for status, time in zip(step.statuses, step.seconds, strict=True)
        ]
        why = "; ".join(
            f"{_letter(other.run)}: {_reasons(other)}" if len(found.runs) > 2 else _reasons(other)
            for other in step.against
            if other.reasons
        )
        rows.append([Cell(step.name), *map(Cell, took), Cell(why or "the same", "differs" if why else "faint")])
    return [Heading("steps"), table(("step", *_letters(found), "differs in"), rows)] if rows else []


def _step(step: StepRow, found: Comparison) -> list[Block]:
    """The results of a step that differ, and its code."""
    said: list[Block] = []
    for other in step.against:
        title = f"step {step.name}, {_letter(0)} and {_letter(other.run)}"
        rows = [(change.name, change.kind, change_words(change)) for change in other.changes]
        said += [Heading(f"{title}: results that differ"), table(("variable", "", ""), rows)] if rows else []
        said += [Heading(f"{title}: code"), Patch(other.patch)] if other.patch else []
    return said


def _style(row: Row, at: int) -> str:
    return "best" if at in row.best else "differs" if row.differs and not row.best and at else ""


def _letter(at: int) -> str:
    """A, B ... Z, then 27, 28 ..."""
    return chr(ord("A") + at) if at < 26 else str(at + 1)


def _letters(found: Comparison) -> list[str]:
    return [_letter(at) for at in range(len(found.runs))]


def _row_json(row: Row) -> dict[str, Any]:
    return {"name": row.name, "values": list(row.values), "differs": row.differs}


def _step_json(step: StepRow) -> dict[str, Any]:
    return {
        "key": step.key,
        "name": step.name,
        "statuses": list(step.statuses),
        "seconds": list(step.seconds),
        "differs": step.differs,
        "against": [_against_json(other) for other in step.against],
    }


def _against_json(other: Against) -> dict[str, Any]:
    changes = [
        {
            "name": change.name,
            "kind": change.kind,
            "details": list(change.details),
            "columns": {"changed": list(change.changed), "added": list(change.added), "removed": list(change.removed)}
            if change.columns_known
            else None,
        }
        for change in other.changes
    ]
    return {"run": other.run, "reasons": list(other.reasons), "variables": changes, "code": other.patch}


def _plain(item: Any) -> str:
    return "" if item is None else printable(item) if isinstance(item, str) else exact(item)


def _plain_all(items: Sequence[Any]) -> list[str]:
    return [_plain(item) for item in items]


def _yes(differs: bool) -> str:
    return "yes" if differs else "no"
