"""The executed notebook: the run's own cells, each with what it displayed, its step and its times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from kalecompiler.diagnostics import UsageError
from kalecompiler.reporting.keeping import NOTEBOOK
from kalecompiler.reporting.record import Ran, Run

Piece = tuple[Ran, Mapping[str, Any]]
"""A piece of code that a step began, as its display file has it."""

_KINDS = {"stream": "stream", "result": "execute_result", "display": "display_data", "error": "error"}


def executed(run: Run) -> Any:
    """The notebook (nbformat 4) as if it had been executed: outputs that it held before are gone.

    A cell that ran in several steps, as imports do, has the outputs of each that differ. `metadata.kalec` of a cell
    names its steps, their status, and the seconds that the cell took; `metadata.execution` has the times as Jupyter
    keeps them, if it ran once.
    """
    import nbformat

    try:
        book = nbformat.read(run.folder / NOTEBOOK, as_version=4)
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        why = str(error).partition("\n")[0]
        raise UsageError(f"{run.folder / NOTEBOOK} cannot be read: {why}") from None
    owners, pieces = _owners(run), _pieces(run)
    count = 0
    for number, cell in enumerate(book.cells, 1):
        if cell.cell_type != "code":
            continue
        steps, ran = owners.get(number, []), pieces.get(number, [])
        count += bool(ran)
        cell.execution_count = count if ran else None
        cell.outputs = [nbformat.from_dict(_output(entry, count)) for entry in _shown(ran)]
        cell.metadata.pop("execution", None)
        if steps:
            cell.metadata["kalec"] = {"steps": [_about(step, ran) for step in steps]}
        if len({step.task for step, _ in ran}) == 1 and "started" in ran[0][1]:
            cell.metadata["execution"] = _times([entry for _, entry in ran])
    book.metadata["kalec"] = {"run": run.id, "status": run.status, "parameters": run.record.get("parameters", {})}
    return book


def text(run: Run) -> str:
    """The executed notebook as the text of a file."""
    import nbformat

    return str(nbformat.writes(executed(run))) + "\n"


def _owners(run: Run) -> dict[int, list[Ran]]:
    """The steps that each cell ran in, by the cell's number."""
    found: dict[int, list[Ran]] = defaultdict(list)
    by_task = run.tasks
    for name, numbers in run.record["ran"].items():
        step = by_task.get(run.record["tasks"][name])
        if step is not None:
            for number in numbers:
                found[number].append(step)
    return found


def _pieces(run: Run) -> dict[int, list[Piece]]:
    """The pieces of each cell that ran; what belongs to no cell goes to the step's last one."""
    cells = run.record["cells"]
    found: dict[int, list[Piece]] = defaultdict(list)
    for name, task in run.record["tasks"].items():
        if (step := run.tasks.get(task)) is not None:
            last = max(run.record["ran"][name], default=0)
            for entry in step.displays:
                found[cells.get(entry["cell"]) or last].append((step, entry))
    return found


def _shown(pieces: Sequence[Piece]) -> list[Mapping[str, Any]]:
    """What was displayed by a cell's pieces; what several steps show alike counts once."""
    found: list[Mapping[str, Any]] = []
    for _, entry in pieces:
        if not all(output in found for output in entry["outputs"]):
            found += entry["outputs"]
    return found


def _output(entry: Mapping[str, Any], count: int) -> dict[str, Any]:
    """An output as nbformat has it."""
    kind = _KINDS.get(entry.get("kind", ""), "")
    if kind == "stream":
        return {"output_type": kind, "name": entry["name"], "text": entry["text"]}
    if kind == "error":
        lines = [str(line) for line in entry.get("traceback", [])]
        return {"output_type": kind, "ename": entry["ename"], "evalue": entry["evalue"], "traceback": lines}
    made = {"output_type": kind, "data": dict(entry.get("data", {})), "metadata": dict(entry.get("metadata") or {})}
    return {**made, "execution_count": count} if kind == "execute_result" else made


def _about(step: Ran, pieces: Sequence[Piece]) -> dict[str, Any]:
    """A step's part in a cell; without `seconds` where it did not come to the cell, or not to its end."""
    own = [entry for ran, entry in pieces if ran.task == step.task]
    about = {"name": step.name, "task": step.task, "status": step.status}
    if not own or any("seconds" not in entry for entry in own):
        return about
    return {**about, "seconds": round(sum(entry["seconds"] for entry in own), 3)}


def _times(entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """When a cell began, and when it had ended."""
    first, last = entries[0], entries[-1]
    times = {"shell.execute_reply.started": first["started"]}
    if "seconds" in last:
        times["shell.execute_reply"] = last["started"] + last["seconds"]
    return {name: datetime.fromtimestamp(at, timezone.utc).isoformat() for name, at in times.items()}
