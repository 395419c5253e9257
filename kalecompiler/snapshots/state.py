"""The state at a moment of a run, as far as the store has it: what to load from where, and what is not to be had."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kalecompiler.internal import is_internal
from kalecompiler.snapshots import moment, packagecode, place, signing
from kalecompiler.snapshots.manifest import AFTER, BEFORE, FAILED, Manifest, RunRecord, VariableRecord, why_unkept
from kalecompiler.snapshots.moment import Moment
from kalecompiler.snapshots.objects import StoreProblem
from kalecompiler.snapshots.sources import PARAMETER, Source
from kalecompiler.snapshots.store import Store

GENERATORS = {"_random_state": "random", "_numpy_random_state": "numpy", "_torch_random_state": "torch"}


@dataclass(frozen=True, slots=True)
class Item:
    """A variable that can be restored: its record, the task that made it, and whether somebody vouches for it."""

    variable: str
    task: str
    record: VariableRecord
    trusted: bool
    early: bool | None = False
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lost:
    """A variable that cannot be restored: its type, if known, the reason, and the cells that define it."""

    variable: str
    reason: str
    type: str = ""
    cells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """What there is at a moment of a run.

    `trusted`: the run's record, and so its code, is this user's own; `ran` are the steps above the moment that had run;
    `manifest` is what the step itself said at the moment; `parted` has pairs of variables that shared an object when a
    step ended, with that step, and come back as two.
    """

    store: Store
    record: RunRecord
    moment: Moment
    items: tuple[Item, ...]
    lost: tuple[Lost, ...]
    trusted: bool
    random: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    ran: tuple[str, ...] = ()
    manifest: Manifest | None = None
    parted: tuple[tuple[str, str, str], ...] = ()


def find(store: Store, record: RunRecord, step: str, when: str = BEFORE, scope: str = moment.ANCESTORS) -> State:
    """The state before or after a step of a run. Raises UsageError where there is none, StoreProblem."""
    path = place.notebook(store, record)
    at = moment.at(path, notebook_of(store, record), step, when, scope)
    manifests = store.manifests(record.run)
    _check_steps(store, record, at, manifests)
    items: list[Item] = []
    lost = [Lost(name, reason, "", at.cells.get(name, ())) for name, reason in sorted(at.unclear.items()) if reason]
    for source in at.sources:
        found = _item(source, at, manifests)
        if isinstance(found, Item):
            items.append(found)
        elif found is not None and not is_internal(source.variable) and not _need_not_be(source, at, record):
            lost.append(found)
    own = _own_manifest(at, manifests)
    return State(
        store,
        record,
        at,
        tuple(items),
        tuple(lost),
        signing.trusted(record) == "signed",
        _random(at, manifests, own),
        _environment(at, manifests),
        tuple(n for n in (*at.above, *at.beside) if (at.pipeline.step(n).task, AFTER) in manifests or n in at.above),
        own,
        tuple(_parted(at, items, manifests)),
    )


def notebook_of(store: Store, record: RunRecord) -> bytes:
    """The notebook that a run ran. Raises StoreProblem where the run has none."""
    if record.notebook is None:
        raise StoreProblem(f"the run {record.run} kept no notebook: name the file it was made of with --from-notebook")
    return store.read(record.notebook)


def _check_steps(store: Store, record: RunRecord, at: Moment, manifests: Mapping[tuple[str, str], Manifest]) -> None:
    """Raise StoreProblem where a step above did not come to its end, so that nobody has the state."""
    for name in at.above:
        task = at.pipeline.step(name).task
        own = name == at.step.name
        if (task, AFTER) in manifests or (own and (task, FAILED) in manifests):
            continue
        status = _status(record, task)
        ended = {"failed": "failed", "not-run": "did not run", "": "did not run"}.get(status, f"was {status}")
        kept = f"step {name}, above it, {ended}: look at `--step {name} --before`"
        if status == "succeeded":
            kept = f"of step {name}{'' if own else ', above it,'} no snapshot was kept: {_why(store, record, task)}"
        elif own:
            raise StoreProblem(f"step {name} of {record.run} {ended}, and left nothing: look at --before it")
        raise StoreProblem(f"the state {at.when} step {at.step.name} of {record.run} does not exist: {kept}")


def _why(store: Store, record: RunRecord, task: str) -> str:
    """Why a step that ended well has no snapshot; a step at level `off` carries nothing about one."""
    carried: Mapping[str, Any] = {}
    with contextlib.suppress(StoreProblem):
        spec = packagecode.read(store.read(record.package)) if record.package else {}
        carried = packagecode.steps(spec).get(task, {})
    off = "its level was `off`" if carried and not carried.get("snapshot") else "was its level `off`?"
    return why_unkept(record, task) or off


def _need_not_be(source: Source, at: Moment, record: RunRecord) -> bool:
    """Whether nobody misses a variable: one of a step beside that has not run, or has handed it to nobody."""
    broke = _status(record, at.pipeline.step(source.producers[0]).task) in ("failed", "stopped")
    return source.optional and not broke


def _status(record: RunRecord, task: str) -> str:
    return next((step.status for step in record.steps if step.key == task), "")


def _item(source: Source, at: Moment, manifests: Mapping[tuple[str, str], Manifest]) -> Item | Lost | None:
    """Where the value of a variable lies; None where it is that of a parameter."""
    reasons: list[Lost] = []
    for number, producer in enumerate(source.producers):
        if producer == PARAMETER:
            return None
        task = at.pipeline.step(producer).task
        manifest = manifests.get((task, AFTER)) or manifests.get((task, FAILED))
        record = manifest.variables.get(source.variable) if manifest else None
        if manifest and record and (record.file or record.absent):
            doubts = tuple(name for name in source.doubts if name in source.producers[:number])
            trusted = signing.trusted(manifest) == "signed"
            return Item(source.variable, task, record, trusted, source.early, doubts)
        reasons.append(
            Lost(
                source.variable,
                _reason(source.variable, producer, manifest, record),
                record.type if record else "",
                at.cells.get(source.variable, ()),
            )
        )
    return reasons[0]


def _reason(variable: str, producer: str, manifest: Manifest | None, record: VariableRecord | None) -> str:
    """Why a step's manifest does not have a variable."""
    if record is not None and record.error:
        return f"of step {producer} it was not kept: {record.error}"
    if manifest is not None and variable in manifest.left_out:
        return f"step {producer} left it out: {manifest.left_out[variable]}"
    if manifest is None or (manifest.when == FAILED and not manifest.extra.get("level")):
        return f"of step {producer} no state was kept"
    if manifest.when == FAILED:
        return f"step {producer} did not end, and had no such value by then, or one that its cells make again"
    if manifest.extra.get("level") == "all":
        return f"step {producer} had no such value when it ended, or one that its cells make again"
    return f"step {producer} handed it on to no other step: the level `all` keeps it"


def _own_manifest(at: Moment, manifests: Mapping[tuple[str, str], Manifest]) -> Manifest | None:
    """What the step itself said at the moment."""
    task = at.step.task
    if at.when == BEFORE:
        return manifests.get((task, BEFORE))
    return manifests.get((task, AFTER)) or manifests.get((task, FAILED))


def _random(at: Moment, manifests: Mapping[tuple[str, str], Manifest], own: Manifest | None) -> dict[str, Any]:
    """The random states: those that the notebook seeds as its order has them, others as the step's process had them."""
    found = dict(own.random) if own else {}
    for variable, producer in at.states.items():
        manifest = manifests.get((at.pipeline.step(producer).task, AFTER))
        name = GENERATORS[variable]
        if manifest and name in manifest.random:
            found[name] = manifest.random[name]
    return found


def _environment(at: Moment, manifests: Mapping[tuple[str, str], Manifest]) -> Mapping[str, Any]:
    """What is said of Python and its packages by the step itself, else by one that ran above it."""
    tasks = [at.step.task, *(at.pipeline.step(name).task for name in reversed(at.above))]
    said = (manifests.get((task, when)) for task in tasks for when in (AFTER, FAILED))
    return next((manifest.environment for manifest in said if manifest and manifest.environment.get("python")), {})


def _parted(
    at: Moment, items: list[Item], manifests: Mapping[tuple[str, str], Manifest]
) -> Iterator[tuple[str, str, str]]:
    """(variable, other variable, step) where a step left two with a common object, of which only one was changed since.

    Or one that will be: the two come from files of their own, and a change of one does not show in the other.
    """
    known = {item.variable: item for item in items}
    sources = {source.variable: source for source in at.sources if source.variable in known}
    one_file = [names for early in (True, False) for names in _loaded_together(tuple(items), early)]
    done: set[tuple[str, str]] = set()
    for name, source in sorted(sources.items()):
        for step in source.way:
            manifest = manifests.get((at.pipeline.step(step).task, AFTER))
            record = manifest.variables.get(name) if manifest else None
            for other in record.group if record else ():
                pair = (name, other) if name < other else (other, name)
                if other == name or other not in sources or step not in sources[other].way or pair in done:
                    continue
                apart = known[name].task != known[other].task or source.changes or sources[other].changes
                if apart and not any({*pair} <= names for names in one_file):
                    done.add(pair)
                    yield (*pair, step)


def _loaded_together(items: tuple[Item, ...], early: bool) -> Iterator[set[str]]:
    """The variables that come from one file, and so keep what they share (as `restore` loads them)."""
    for group in groups(items, early):
        waiting = {item.variable for item in group}
        for item in group:
            if item.variable in waiting:
                found = waiting if waiting <= {item.variable, *item.record.members} else {item.variable}
                waiting = waiting - found
                yield found


def groups(items: tuple[Item, ...], early: bool) -> Iterator[tuple[Item, ...]]:
    """The items to be loaded early, or the others (some are both); those that share objects come together."""
    waiting = [item for item in items if item.early in (early, None)]
    while waiting:
        first = waiting.pop(0)
        names = [name for name in first.record.group if name != first.variable]
        found = {i.variable: i for i in waiting if i.task == first.task and i.variable in names}
        waiting = [item for item in waiting if item.variable not in found]
        yield (first, *(found[name] for name in names if name in found))
