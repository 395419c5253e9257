"""Writes the notebook of a checkout: the run's own, with the cells that had run marked so, and one cell that restores.

The cells keep their tags, so that `kalec run` of the notebook is a run like any other. Those above the moment bear
`skip-execution` too, which nbclient and nbconvert honour; those that had run have the outputs that the run recorded.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from kalecompiler import notebook
from kalecompiler.model import Annotation, CellKind, Role
from kalecompiler.runtime import parameters
from kalecompiler.snapshots import place
from kalecompiler.snapshots.manifest import BEFORE
from kalecompiler.snapshots.moment import Moment, read
from kalecompiler.snapshots.state import State, notebook_of

SKIP_EXECUTION = "skip-execution"
KEY = "kalec_checkout"
_SHARED = (Role.IMPORTS, Role.FUNCTIONS, Role.HANDLER, Role.PARAMETERS)
_OUTPUTS = {"stream": "stream", "result": "execute_result", "display": "display_data", "error": "error"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the notebook is to restore: `scope`, `trust` and `force` as the cell says them, `kernel` what it runs on."""

    scope: str
    trust: bool = False
    force: bool = False
    kernel: str | None = None
    display: Mapping[str, Sequence[Any]] | None = None


def write(found: State, wanted: Wanted) -> str:
    """The text of the notebook. Raises StoreProblem where the run kept none."""
    data = notebook_of(found.store, found.record)
    path = place.notebook(found.store, found.record)
    document = _modern(path, data)
    annotations = {a.cell.number: a for a in read(path, data).annotations}
    first = _first(found.moment)
    ran = executed(found, annotations)
    outputs = wanted.display or {}
    count = 0
    for number, cell in enumerate(document["cells"], 1):
        if cell.get("cell_type") != "code":
            continue
        cell["outputs"], cell["execution_count"] = [], None
        if annotations.get(number) and annotations[number].role is Role.PARAMETERS:
            cell["source"] = with_values(_text(cell), parameters_of(found))
        if number in ran:
            count += 1
            cell["execution_count"] = count
            cell["outputs"] = [*_outputs(outputs.get(_piece(found.moment, number), ()), count)]
        if number < first:
            _add_tag(cell, SKIP_EXECUTION)
    entry = min([n for n, a in annotations.items() if a.role is Role.STEP and n < first] or [first]) - 1
    document["cells"].insert(entry, _restore_cell(found, wanted))
    document["cells"].insert(0, _banner(found, wanted))
    _identify(document)
    _describe(document, found, wanted)
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def above(found: State, cells: Sequence[str]) -> list[str]:
    """Those of the run's cells (`sources`) that stand above the moment, whether they had run by then or not."""
    return list(filter(None, cells[: _first(found.moment) - 1]))


def sources(found: State) -> list[str]:
    """The sources of the run's cells; empty for what is no code."""
    path = place.notebook(found.store, found.record)
    book = notebook.read(path, notebook_of(found.store, found.record))[0]
    return [cell.source if cell.kind is CellKind.CODE else "" for cell in book.cells]


def _first(at: Moment) -> int:
    """The number of the first cell below the moment."""
    return at.step.cells[0] if at.when == BEFORE else at.step.cells[-1] + 1


def executed(found: State, annotations: Mapping[int, Annotation]) -> set[int]:
    """The numbers of the cells that had run by the moment."""
    first = _first(found.moment)
    shared = {n for n, a in annotations.items() if a.role in _SHARED and n < first}
    return shared | {number for name in found.ran for number in found.moment.pipeline.step(name).cells}


def with_values(source: str, values: Mapping[str, Any]) -> str:
    """A cell of parameters with other values where they are other; all else, comments too, stays."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # IPython's syntax: it keeps what it says
        return source
    lines = source.split("\n")
    for statement in reversed(tree.body):
        name, value = _assignment(statement)
        if name not in values or value is None or _is(value, values[name]):
            continue
        assert value.end_lineno is not None
        head = lines[value.lineno - 1].encode()[: value.col_offset].decode()
        tail = lines[value.end_lineno - 1].encode()[value.end_col_offset :].decode()
        lines[value.lineno - 1 : value.end_lineno] = [f"{head}{values[name]!r}{tail}"]
    return "\n".join(lines)


def _assignment(statement: ast.stmt) -> tuple[str, ast.expr | None]:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.target.id, statement.value
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        return (target.id, statement.value) if isinstance(target, ast.Name) else ("", None)
    return "", None


def _is(expression: ast.expr, value: Any) -> bool:
    """Whether an expression is the value already."""
    try:
        return repr(ast.literal_eval(expression)) == repr(value)
    except ValueError:
        return False


def parameters_of(found: State) -> dict[str, Any]:
    """The parameters of the run, typed as declared."""
    declared = {p.name: {"type": p.type, "default": p.default} for p in found.moment.pipeline.parameters}
    return parameters.bind(declared, dict(found.record.parameters))


def _piece(at: Moment, number: int) -> str:
    """The name of a cell in a run's records: `churn.ipynb train[2]`."""
    for step in at.pipeline.steps:
        if number in step.cells:
            return f"{at.notebook} {step.name}[{step.cells.index(number) + 1}]"
    return ""


def _outputs(kept: Sequence[Any], count: int) -> Iterator[dict[str, Any]]:
    """The outputs that a run recorded, as nbformat has them."""
    for output in kept:
        kind = _OUTPUTS.get(output.get("kind"))
        if kind == "stream":
            yield {"output_type": kind, "name": output.get("name", "stdout"), "text": output.get("text", "")}
        elif kind == "error":
            fields = {name: output.get(name) for name in ("ename", "evalue", "traceback")}
            yield {"output_type": kind, **fields}
        elif kind:
            more = {"execution_count": count} if kind == "execute_result" else {}
            yield {
                "output_type": kind,
                "data": output.get("data", {}),
                "metadata": output.get("metadata") or {},
                **more,
            }


def _restore_cell(found: State, wanted: Wanted) -> dict[str, Any]:
    at = found.moment
    options = "".join(f", {name}=True" for name in ("trust", "force") if getattr(wanted, name))
    scope = f", {wanted.scope!r}" if wanted.scope != "ancestors" else ""
    lines = [
        f"# The state {at.when} step {at.step.name} of run {found.record.run}: run this cell, then go on below.",
        "from kalecompiler.snapshots.restore import restore",
        "",
        f"restore({str(found.store.path)!r}, {found.record.run!r}, {at.step.name!r}, {at.when!r}{scope}{options});",
    ]
    return _cell("code", "kalec-restore", "\n".join(lines), ["skip"])


def _banner(found: State, wanted: Wanted) -> dict[str, Any]:
    """What the reader of the notebook has before them."""
    at, record = found.moment, found.record
    started = datetime.fromtimestamp(record.started or 0, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    step = next((s for s in record.steps if s.key == at.step.task), None)
    ended = f"the step {step.status}" if step and step.status else f"the run {record.status}"
    error = f": {step.error}" if step and step.error else ""
    scope = "" if wanted.scope == "ancestors" else ", with exactly what its process was given"
    lines = [
        f"# {record.notebook_name}, {at.when} step `{at.step.name}`{scope}",
        "",
        f"Run `{record.run}`, started {started}; {ended}{error}.",
        "",
        "The cells above that step have run already, in the run: run the cell that restores their state, and go on "
        + ("with the step's own cells. " if at.when == BEFORE else "below the step. ")
        + "As a whole (`kalec run` of this notebook) it is a pipeline as before, with the run's parameters.",
    ]
    if found.lost:
        names = ", ".join(f"`{lost.variable}`" for lost in found.lost)
        lines += ["", f"Not in the state: {names}. The cell says why, and `snapshot: all` keeps everything."]
    return _cell("markdown", "kalec-banner", "\n".join(lines), [])


def _cell(kind: str, name: str, source: str, tags_: Sequence[str]) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": name,
        "metadata": {"tags": list(tags_)} if tags_ else {},
        "source": source.splitlines(keepends=True),
    }
    return cell | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def _modern(path: Path, data: bytes) -> dict[str, Any]:
    """The notebook's document in format 4."""
    document: dict[str, Any] = json.loads(notebook.decode(path, data))
    if document.get("nbformat", 3) < 4 or "worksheets" in document:
        import nbformat

        document = dict(nbformat.convert(nbformat.reads(json.dumps(document), as_version=4), 4))
    document.setdefault("nbformat", 4)
    document.setdefault("nbformat_minor", 4)
    return document


def _identify(document: dict[str, Any]) -> None:
    """Give every cell an id, or none, as the notebook's format wants it."""
    if (document["nbformat"], document["nbformat_minor"]) < (4, 5):
        for cell in document["cells"]:
            cell.pop("id", None)
        return
    taken: set[str] = set()
    for number, cell in enumerate(document["cells"], 1):
        if not cell.get("id") or cell["id"] in taken:
            cell["id"] = f"kalec-cell-{number}"
        taken.add(cell["id"])


def _describe(document: dict[str, Any], found: State, wanted: Wanted) -> None:
    """The metadata: what was checked out; and the pipeline's name, which else comes from that of the file."""
    metadata = document.setdefault("metadata", {})
    at = found.moment
    metadata[KEY] = {"run": found.record.run, "step": at.step.name, "when": at.when, "scope": wanted.scope}
    ours = metadata.get("kalecompiler")
    ours = metadata["kalecompiler"] = dict(ours) if isinstance(ours, dict) else {}
    if not {"pipeline-name", "pipeline_name"} & ours.keys():
        ours["pipeline-name"] = at.pipeline.name
    if wanted.kernel:
        shown = f"kalec: {at.when} {at.step.name}"
        metadata["kernelspec"] = {"name": wanted.kernel, "display_name": shown, "language": "python"}


def _text(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _add_tag(cell: dict[str, Any], tag: str) -> None:
    metadata = cell.setdefault("metadata", {})
    kept = metadata.get("tags") if isinstance(metadata.get("tags"), list) else []
    if tag not in kept:
        metadata["tags"] = [*kept, tag]
