"""What differs between runs: by digests and records alone. No value is loaded.

The first run is what the others are compared with. Everything here is a plain record; `differences` puts it in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kalecompiler.snapshots import origin, variables
from kalecompiler.snapshots.manifest import Manifest, RunRecord, VariableRecord
from kalecompiler.snapshots.metricsense import best
from kalecompiler.snapshots.packagecode import Piece
from kalecompiler.snapshots.patches import patch
from kalecompiler.snapshots.runs import Kept, cells_of, packages_of
from kalecompiler.snapshots.variables import Change

Columns = Callable[[Kept, Manifest, VariableRecord], Mapping[str, str] | None]
Code = Mapping[str, tuple[Piece, ...]]


@dataclass(frozen=True, slots=True)
class Row:
    """One thing of every run: a value each, None where a run has none; `best` are the places of the best ones."""

    name: str
    values: tuple[Any, ...]
    best: frozenset[int] = frozenset()

    @property
    def differs(self) -> bool:
        return any(not _same(value, self.values[0]) for value in self.values)


@dataclass(frozen=True, slots=True)
class Against:
    """How a step of one run differs from that of the first: why (in words), what it left, and its code as a patch."""

    run: int
    reasons: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    patch: str = ""


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step in every run: how it ended, how long it took; and what differs, for each run but the first."""

    key: str
    name: str
    statuses: tuple[str, ...]
    seconds: tuple[float | None, ...]
    against: tuple[Against, ...]

    @property
    def differs(self) -> bool:
        return any(other.reasons for other in self.against)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between runs. `first` has, for each run but the first, the first step that differs, or None."""

    runs: tuple[str, ...]
    facts: tuple[Row, ...]
    parameters: tuple[Row, ...]
    metrics: tuple[Row, ...]
    packages: tuple[Row, ...]
    steps: tuple[StepRow, ...]
    first: tuple[str | None, ...]
    notes: tuple[str, ...] = ()


def compare(runs: Sequence[Kept], columns: Columns, only: str | None = None) -> Comparison:
    """Compare two runs or more; `columns` tells the digests of a table's columns, `only` is the key of one step."""
    keys = [key for key in _keys(runs) if only in (None, key)]
    code = [run.code() for run in runs]
    looking = Looking(runs, code, columns)
    steps = tuple(_step(key, looking) for key in keys)
    return Comparison(
        runs=tuple(run.name for run in runs),
        facts=_facts(runs),
        parameters=_rows([_parameters(run, keys) for run in runs]),
        metrics=_with_best(_rows([_metrics(run, keys) for run in runs]), runs),
        packages=tuple(row for row in _rows([_packages(run, keys) for run in runs]) if row.differs),
        steps=steps,
        first=tuple(_first(steps, at) for at in range(1, len(runs))),
        notes=(*(note for run in runs for note in run.notes), *_unrepeatable(steps, runs), *_disagreeing(runs)),
    )


def _keys(runs: Sequence[Kept]) -> list[str]:
    """The steps of all runs, in the order of the first that has them."""
    return list(dict.fromkeys(step.key for run in runs for step in run.record.steps))


def _first(steps: Iterable[StepRow], at: int) -> str | None:
    return next((step.name for step in steps if step.against[at - 1].reasons), None)


@dataclass(frozen=True, slots=True)
class Looking:
    """What is compared; and what of it, by run, was found to be the same in other bytes: (step, variable)."""

    runs: Sequence[Kept]
    code: Sequence[Code]
    columns: Columns
    alike: set[tuple[int, str, str]] = field(default_factory=set)


def _step(key: str, looking: Looking) -> StepRow:
    records = [run.step(key) for run in looking.runs]
    return StepRow(
        key,
        next(record.name for record in records if record),
        tuple(record.status if record else "" for record in records),
        tuple(record.seconds if record and record.seconds else None for record in records),
        tuple(_against(key, at, looking) for at in range(1, len(looking.runs))),
    )


def _against(key: str, at: int, looking: Looking) -> Against:
    one, other = looking.runs[0], looking.runs[at]
    code = looking.code[0], looking.code[at]
    steps = one.step(key), other.step(key)
    if steps[0] is None or steps[1] is None:
        if steps[0] is steps[1]:
            return Against(at)
        return Against(at, (f"only in {(one if steps[0] else other).name}",))
    reasons = [] if _ended(steps[0].status) == _ended(steps[1].status) else ["how it ended"]
    text = patch(code[0][key], code[1][key]) if key in code[0] and key in code[1] else ""
    first, second = one.end(key) or one.start(key), other.end(key) or other.start(key)
    changes: tuple[Change, ...] = ()
    if first and second:
        given = _reasons(first, second, bool(text))
        reasons += [reason for reason in given if not _is_alike(reason, first, at, looking)]
        if one.end(key) and other.end(key):
            looks = partial(looking.columns, one, first), partial(looking.columns, other, second)
            changes = variables.changes(first.variables, second.variables, looks)
            names = {key, steps[0].name, first.step}
            looking.alike.update((at, name, c.name) for c in changes if not c.matters for name in names)
    elif text:
        reasons.append("code")
    reasons += [f"result {change.name}" for change in changes if change.matters]
    return Against(at, tuple(reasons), changes, text)


def _is_alike(reason: str, manifest: Manifest, at: int, looking: Looking) -> bool:
    """Whether a reason is an input that only has other bytes."""
    name = reason.removeprefix("input ")
    maker = str(_get(manifest.inputs.get(name), "from"))
    return reason.startswith("input ") and bool(
        {(at, maker, name), (at, maker.replace("_", "-"), name)} & looking.alike
    )


def _ended(status: str) -> str:
    return "succeeded" if status in {"reused", "cached"} else status


def _reasons(one: Manifest, other: Manifest, code: bool) -> list[str]:
    """What differs in what a step was given: its code, parameters, inputs and files."""
    found = ["code"] if code or _cells(one) != _cells(other) else []
    found += [f"parameter {name}" for name in _differing(one.parameters, other.parameters, _value)]
    found += [f"input {name}" for name in _differing(one.inputs, other.inputs, lambda item: _get(item, "digest"))]
    files = [_files(one), _files(other)]
    if not all(files):  # where a step's files are not traced, nothing is known of them
        return found
    return [*found, *(f"file {name}" for name in _differing(files[0], files[1], lambda item: item))]


def _files(manifest: Manifest) -> dict[str, Any]:
    """The digests of a step's files; a log that it only appends to differs by what was in it, not by the step."""
    found = [(str(_get(i, "path")), _get(i, "mode"), _get(i, "digest")) for i in manifest.files]
    used = {path for path, mode, _ in found if mode not in ("append", "list")}
    return {path: digest for path, mode, digest in found if mode != "list" and path in used}


def _cells(manifest: Manifest) -> list[Any]:
    return [cell.get("digest") for cell in cells_of(manifest)]


def _differing(one: Mapping[str, Any], other: Mapping[str, Any], of: Callable[[Any], Any]) -> list[str]:
    names = sorted({*one, *other})
    return [n for n in names if n not in one or n not in other or not _same(of(one[n]), of(other[n]))]


def _facts(runs: Sequence[Kept]) -> tuple[Row, ...]:
    """What is to be said of the runs as a whole."""
    found = [
        {
            "status": run.record.status,
            "notebook": run.record.notebook_digest.rpartition(":")[2][:12] or None,
            "commit": _commit(run.record.origin("git")),
            "python": _joined(run, "python"),
            "platform": _joined(run, "platform"),
            "image": _joined(run, "image"),
            "seconds": _length(run),
            **{f"{name} version": text for name, text in run.record.origin("versions").items()},
        }
        for run in runs
    ]
    return tuple(row for row in _rows(found) if any(value not in (None, "") for value in row.values))


def _commit(git: Mapping[str, Any]) -> str | None:
    commit = git.get("commit")
    return f"{str(commit)[:12]}{' and changes' if git.get('dirty') else ''}" if commit else None


def _joined(run: Kept, key: str) -> str | None:
    """What the environments of a run's steps say, each once."""
    found = {str(end.environment[key]) for _, end in sorted(run.manifests.items()) if end.environment.get(key)}
    return ", ".join(sorted(found)) or None


def _length(run: Kept) -> float | None:
    record = run.record
    return round(record.ended - record.started, 2) if record.started and record.ended else None


def _parameters(run: Kept, keys: Sequence[str]) -> dict[str, Any]:
    """The pipeline's parameters; where its record has none, those of its steps."""
    found: dict[str, Any] = {}
    for key in keys:
        end = run.end(key) or run.start(key)
        found |= {name: _value(item) for name, item in (end.parameters if end else {}).items()}
    return {**found, **{name: _value(item) for name, item in run.record.parameters.items()}}


def _metrics(run: Kept, keys: Sequence[str]) -> dict[str, Any]:
    """The metrics, by name; with their step's name where two steps have one of that name."""
    found = [(key, name, value) for key in keys for name, value in run.metrics(key).items()]
    names = [name for _, name, _ in found]
    return {name if names.count(name) == 1 else f"{key}: {name}": value for key, name, value in found}


def _packages(run: Kept, keys: Sequence[str]) -> dict[str, Any]:
    """Every distribution that a step had, and its version: all of them, where steps had several."""
    found: dict[str, set[str]] = {}
    for key in keys:
        end = run.end(key)
        for name, version in (packages_of(end.environment) if end else {}).items():
            found.setdefault(name, set()).add(version)
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}


def _rows(found: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    names = dict.fromkeys(name for one in found for name in one)
    return tuple(Row(name, tuple(one.get(name) for one in found)) for name in names)


def _with_best(rows: Iterable[Row], runs: Sequence[Kept]) -> tuple[Row, ...]:
    """Each metric with its best values: as the notebook of the last run that says so has it, else by its name."""
    sense: dict[str, str] = {}
    for run in runs:
        for (key, name), word in run.better().items():
            sense |= {name: word, f"{key}: {name}": word}
    return tuple(Row(row.name, row.values, best(row.name, row.values, sense.get(row.name))) for row in rows)


def _disagreeing(runs: Sequence[Kept]) -> tuple[str, ...]:
    """Runs whose records are equal to the first one's, and that measured something else."""
    first, *others = [run.record for run in runs]
    manifests = {run.name: run.manifests.values() for run in runs}

    def opened(record: RunRecord) -> Iterable[Mapping[str, Any]]:
        return [file for manifest in manifests[record.run] for file in manifest.files]

    return tuple(
        f"{first.run} and {other.run} had the same code, parameters, packages and files, and differ in "
        f"{', '.join(metrics)}: not reproducible"
        for other in others
        if (metrics := origin.differing(first, other, opened))
    )


def _unrepeatable(steps: Sequence[StepRow], runs: Sequence[Kept]) -> tuple[str, ...]:
    """A step that was given the same in all, and gave something else, is not reproducible."""
    found = []
    for step in steps:
        for other in step.against:
            given = [reason for reason in other.reasons if not reason.startswith("result ")]
            both = runs[0].end(step.key), runs[other.run].end(step.key)
            if other.reasons and not given and both[0] and both[1]:
                why = _why(both[0], both[1], _named_files(runs[0]) == _named_files(runs[other.run]))
                found.append(
                    f"step {step.name} was given the same in {runs[0].name} and {runs[other.run].name}, and {why}"
                )
    return tuple(found)


def _why(one: Manifest, other: Manifest, same_files: bool) -> str:
    """What may make a step differ that was given the same."""
    if not same_files:
        return "may depend on files that differ: the code names them"
    if one.environment != other.environment:
        return "may depend on the packages that differ"
    if any(end.network or end.extra.get("programs") for end in (one, other)):
        return "may depend on what it reached: the network, other programs"
    return "is not reproducible: does it set a seed?"


def _named_files(run: Kept) -> Any:
    return run.record.provenance.get("files")


def _value(item: Any) -> Any:
    return item.get("value") if isinstance(item, Mapping) and "value" in item and "type" in item else item


def _get(item: Any, name: str) -> Any:
    return item.get(name) if isinstance(item, Mapping) else None


def _same(one: Any, other: Any) -> bool:
    """Whether two values of JSON are the same; NaN is itself here, and true is not 1."""
    return repr(one) == repr(other) or (one == other and type(one) is type(other))
