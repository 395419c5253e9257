"""A run as its folder tells of it: the record, what the cells displayed, the logs and the artifacts.

All texts in it can be written; what has another shape than the runtime gives it counts as not there. The folder may be
somebody else's: nothing outside of it is read, but for the runs beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kalecompiler import encodable
from kalecompiler.diagnostics import UsageError
from kalecompiler.local.executor import INPUT_FILE, OUTPUT_FILE
from kalecompiler.local.runner import DISPLAY, LOG
from kalecompiler.reporting.find import RECORD
from kalecompiler.reporting.keeping import NOTEBOOK

LONGEST_LOG = 1 << 20
_NAME = re.compile(r"\w[\w.-]*")
_SOURCE = re.compile(r"(?P<run>\w[\w.-]*)/(?P<task>\w[\w-]*)")
_LONGEST_CHAIN = 100


@dataclass(frozen=True, slots=True)
class Made:
    """An artifact that a step put out: its port, KFP type, metadata and file."""

    port: str
    type: str
    metadata: Mapping[str, Any]
    path: Path


@dataclass(frozen=True, slots=True)
class Ran:
    """A step: what the record says of it, and what lies in its folder. `name` is the one that people see.

    `reads` has its inputs: the port, and the URI of what came in.
    """

    name: str
    task: str
    status: str
    seconds: float
    started: str | None = None
    ended: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    failure: Mapping[str, Any] | None = None
    displays: tuple[Mapping[str, Any], ...] = ()
    made: tuple[Made, ...] = ()
    reads: Mapping[str, str] = field(default_factory=dict)
    log: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run; `record` is the document as it stands, for what is only shown."""

    folder: Path
    record: Mapping[str, Any]
    steps: tuple[Ran, ...]

    @property
    def id(self) -> str:
        return str(self.record["run"])

    @property
    def status(self) -> str:
        return str(self.record["status"])

    @property
    def tasks(self) -> Mapping[str, Ran]:
        """The steps by the names of their tasks."""
        return {step.task: step for step in self.steps}


def read(folder: Path) -> Run:
    """Read a run's folder. Raises UsageError where it has no record that this version understands."""
    record = _json(folder / RECORD)
    if not isinstance(record, dict) or not {"run", "status", "steps"} <= record.keys():
        raise UsageError(f"{folder / RECORD} is no record of a run")
    if "graph" not in record or not (folder / NOTEBOOK).is_file():
        raise UsageError(
            f"the run {record['run']} was made by an older kalecompiler, and kept no notebook: run it again"
        )
    if not _is_whole(record):
        raise UsageError(f"{folder / RECORD} is damaged, or of another version of kalecompiler")
    ended = {entry["task"]: entry for entry in record["steps"]}
    if not ended:  # under way, or killed
        ended = {task: {"name": name, "status": "unknown"} for name, task in record["tasks"].items()}
    steps = (_step(folder / task, task, entry) for task, entry in ended.items() if _NAME.fullmatch(task))
    return Run(folder, record, tuple(steps))


def _is_whole(record: Mapping[str, Any]) -> bool:
    """Whether a record has what the page and the notebook are made of, in its shape."""
    tasks, ran = record.get("tasks"), record.get("ran")
    if not (isinstance(tasks, dict) and isinstance(ran, dict) and isinstance(record.get("cells"), dict)):
        return False
    steps, drawn = record["steps"], _mapping(record["graph"]).get("steps")
    if not (isinstance(steps, list) and isinstance(drawn, list)):
        return False
    named = all(isinstance(entry, dict) and isinstance(entry.get("name"), str) for entry in (*steps, *drawn))
    return named and tasks.keys() == ran.keys() and all({"task", "status"} <= entry.keys() for entry in steps)


def _step(folder: Path, task: str, entry: Mapping[str, Any]) -> Ran:
    own, folder = folder, _origin(folder, entry)
    inputs = _ports(_mapping(_json(folder / INPUT_FILE)).get("inputs"))
    return Ran(
        name=entry["name"],
        task=task,
        status=entry["status"],
        seconds=entry.get("seconds", 0.0),
        started=entry.get("started"),
        ended=entry.get("ended"),
        metrics=entry.get("metrics", {}),
        failure=entry.get("failure"),
        displays=tuple(displayed(folder, with_times=folder == own)),
        made=tuple(made_by(folder)),
        reads={port: str(item.get("uri", "")) for port, entry in inputs for item in _items(entry)},
        log=log(own / LOG),
    )


def _origin(folder: Path, entry: Mapping[str, Any]) -> Path:
    """The folder of the step that ran: for one that was reused it is in another run beside this one, if still there."""
    for _ in range(_LONGEST_CHAIN):
        found = _SOURCE.fullmatch(str(entry.get("source") or ""))
        if not found or entry.get("status") != "reused":
            break
        run = folder.parent.parent / found["run"]
        known = _json(run / RECORD)
        steps = known.get("steps") if isinstance(known, dict) else None
        entries = [one for one in steps if isinstance(one, dict)] if isinstance(steps, list) else []
        entry = next((one for one in entries if one.get("task") == found["task"]), {})
        folder = run / found["task"]
    return folder


def displayed(folder: Path, with_times: bool = True) -> Iterator[dict[str, Any]]:
    """What the pieces of code displayed of the step whose folder that is, and when."""
    known = _json(folder / DISPLAY)
    for entry in known if isinstance(known, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("outputs", []), list):
            keys = ("started", "seconds") if with_times else ()
            times = {key: entry[key] for key in keys if isinstance(entry.get(key), (int, float))}
            outputs = [one for one in entry.get("outputs", []) if isinstance(one, dict) and _is_output(one)]
            name = entry.get("cell")
            yield {"cell": name if isinstance(name, str) else None, "outputs": outputs, **times}


def _is_output(output: Mapping[str, Any]) -> bool:
    """Whether it has what outputs of its kind have."""
    kind = output.get("kind")
    if kind == "stream":
        return output.get("name") in ("stdout", "stderr") and isinstance(output.get("text"), str)
    if kind == "error":
        lines = output.get("traceback", [])
        return (
            isinstance(output.get("ename"), str) and isinstance(output.get("evalue"), str) and isinstance(lines, list)
        )
    notes = output.get("metadata") or {}
    return kind in ("result", "display") and isinstance(output.get("data"), dict) and isinstance(notes, dict)


def made_by(folder: Path) -> list[Made]:
    """The artifacts of the step whose folder that is."""
    output, given = _json(folder / OUTPUT_FILE), _mapping(_json(folder / INPUT_FILE))
    kinds = {port: next(_items(entry), {}).get("type") for port, entry in _ports(given.get("outputs"))}
    made = []
    for port, entry in _ports(output):
        for item in _items(entry):
            title = _mapping(kinds.get(port)).get("schemaTitle")
            made.append(Made(port, str(title or "system.Artifact"), _mapping(item.get("metadata")), folder / port))
    return made


def _ports(value: Any) -> Iterable[tuple[str, Any]]:
    """The ports of an executor's input or output, with what is said of each."""
    return [pair for pair in _mapping(_mapping(value).get("artifacts")).items() if _NAME.fullmatch(pair[0])]


def _items(entry: Any) -> Iterator[Mapping[str, Any]]:
    """The artifacts of a port."""
    found = _mapping(entry).get("artifacts")
    yield from (item for item in found if isinstance(item, Mapping)) if isinstance(found, list) else ()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _json(path: Path) -> Any:
    """What a JSON file says; None where it is missing or broken, as after a crash."""
    try:
        return encodable.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def log(path: Path) -> str:
    """A log, without the middle of a very long one, which is not read."""
    if path.is_symlink():
        return ""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            if size <= LONGEST_LOG:
                return file.read().decode("utf-8", "replace")
            half = LONGEST_LOG // 2
            first = file.read(half)
            file.seek(size - half)
            last = file.read()
    except OSError:
        return ""
    texts = [part.decode("utf-8", "replace") for part in (first, last)]
    return f"{texts[0]}\n[... {size - 2 * half} bytes left out: {path} ...]\n{texts[1]}"
