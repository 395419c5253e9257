"""What the store says of a run and of each of its steps: frozen records, and their JSON.

Keys that this version does not know are kept, so that a signature made by another still verifies.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Any, TypeVar

from kalecompiler.snapshots.objects import StoreProblem

FORMAT = 1
BEFORE, AFTER, FAILED = "before", "after", "failed"
DATA, CODE = "data", "code"
"""The tiers: `data` loads whoever wrote it, `code` only from somebody trusted."""

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file in the store. `digest` is what an artifact's metadata calls so; `chunks` are (name, bytes) in order."""

    size: int
    digest: str
    chunks: tuple[tuple[str, int], ...] = ()
    hash: str = "sha256"
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VariableRecord:
    """A variable of a step: what it is, where it lies, or why it could not be kept.

    `members` names the variables whose pickles its file holds, itself first; `group` those it shares objects with.
    """

    type: str = ""
    kind: str = "Artifact"
    tier: str = CODE
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    dtypes: Mapping[str, str] | None = None
    size: int = 0
    digest: str = ""
    file: FileRef | None = None
    absent: bool = False
    group: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    port: str | None = None
    error: str | None = None
    cells: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A step of a run at one moment (`when`: before, after or failed); times are seconds since 1970."""

    run: str
    task: str
    when: str
    step: str = ""
    pipeline: str = ""
    attempt: int = 1
    started: float | None = None
    ended: float | None = None
    status: str = ""
    error: str | None = None
    source: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    random: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, VariableRecord] = field(default_factory=dict)
    files: tuple[Mapping[str, Any], ...] = ()
    network: bool = False
    metrics: Mapping[str, Any] = field(default_factory=dict)
    hooks: Mapping[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    algorithm: str = "sha256"
    format: int = FORMAT
    signature: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step of a run, in the order of the run. `source` says of a reused step whose it is: `RUN/TASK`."""

    key: str
    name: str
    after: tuple[str, ...] = ()
    status: str = ""
    seconds: float = 0.0
    source: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


UNKEPT = "unkept"
"""In the record of a step that ended well and could not be kept: why, and the `papers` that its folder had then."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run: what was run, and how it ended. `notebook` and `package` are files in the store.

    `provenance` is what `kalecompiler.provenance` gathers: who, where, with which commit, versions, packages and files.
    """

    run: str
    pipeline: str = ""
    status: str = ""
    started: float | None = None
    ended: float | None = None
    notebook_name: str = ""
    notebook_digest: str = ""
    notebook: FileRef | None = None
    package: FileRef | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[StepRecord, ...] = ()
    workdir: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    new_bytes: int = 0
    total_bytes: int = 0
    format: int = FORMAT
    signature: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def origin(self, part: str) -> Mapping[str, Any]:
        """A part of the provenance that has names in it: `who`, `git`, `versions`; {} where it is not known."""
        found = self.provenance.get(part)
        return found if isinstance(found, Mapping) else {}


def why_unkept(record: RunRecord, key: str) -> str:
    """Why a step that ended well could not be kept; empty where it was, or nobody knows."""
    return str(unkept(record, key).get("why", ""))


def unkept(record: RunRecord, key: str) -> Mapping[str, Any]:
    """What the record of a run has noted of a step that ended well and could not be kept; {} where it was."""
    noted = next((step.extra.get(UNKEPT) for step in record.steps if step.key == key), None)
    return noted if isinstance(noted, Mapping) else {}


def to_json(record: Any) -> dict[str, Any]:
    """A record as JSON values; what is as by default is left out, but for the format."""
    found: dict[str, Any] = {}
    for item in fields(record):
        value = getattr(record, item.name)
        if item.name == "extra":
            continue
        plain = _plain(value)
        if item.name == "format" or plain not in (None, "", [], {}, False):
            found[item.name.replace("_", "-")] = plain
    return {**record.extra, **found}


def from_json(kind: Callable[..., Record], data: Any, where: str) -> Record:
    """The record in JSON values. Raises StoreProblem naming `where` and the field that is wrong."""
    if not isinstance(data, dict):
        raise StoreProblem(f"{where} is {type(data).__name__} where an object is expected")
    form = data.get("format", FORMAT)
    if isinstance(form, int) and form > FORMAT:
        raise StoreProblem(f"{where} has format {form}, which is newer than this kalecompiler: upgrade it")
    known = _types(kind)
    given: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in data.items():
        name = str(key).replace("-", "_")
        if name in known and name != "extra":
            given[name] = _read(known[name], value, f"{where}: {key}")
        else:
            extra[key] = value
    try:
        return kind(**given, extra=extra)
    except TypeError:
        missing = [name for name in _required(kind) if name not in given]
        raise StoreProblem(f"{where} is incomplete: it lacks {', '.join(missing)}") from None


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return to_json(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


@cache
def _types(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _required(kind: Any) -> list[str]:
    return [item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING]


def _read(kind: Any, value: Any, where: str) -> Any:
    """A value of a declared type. Raises StoreProblem."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin is types.UnionType:
        if value is None:
            return None
        return _read(arguments[0] if arguments[1] is type(None) else arguments[1], value, where)
    if hasattr(kind, "__dataclass_fields__"):
        return from_json(kind, value, where)
    if origin is tuple:
        _expect(value, list, where)
        if len(arguments) == 2 and arguments[1] is ...:
            return tuple(_read(arguments[0], item, f"{where}[{at}]") for at, item in enumerate(value))
        if len(value) != len(arguments):
            raise StoreProblem(f"{where} has {len(value)} items where {len(arguments)} are expected")
        return tuple(_read(inner, item, where) for inner, item in zip(arguments, value, strict=True))
    if origin is not None:  # a mapping
        _expect(value, dict, where)
        return {key: _read(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if kind is float and type(value) is int:
        return float(value)
    _expect(value, kind, where)
    return value


def _expect(value: Any, kind: type, where: str) -> None:
    if type(value) is not kind:
        raise StoreProblem(f"{where} is {type(value).__name__} where {kind.__name__} is expected")
