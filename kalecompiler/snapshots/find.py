"""The store that has a run, and its record there; `local.which` tells how RUN is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kalecompiler.diagnostics import UsageError
from kalecompiler.local import which
from kalecompiler.local.folders import HOME, STORE, stamp_of
from kalecompiler.snapshots.manifest import RunRecord
from kalecompiler.snapshots.objects import StoreProblem
from kalecompiler.snapshots.store import Store


@dataclass(frozen=True, slots=True)
class Found:
    """A run, and the store that has it."""

    store: Store
    record: RunRecord


def find(word: str, folder: Path) -> Found:
    """The run that is meant, said in `folder`. Raises UsageError where there is none, or more than one."""
    named = Path(word).expanduser()
    named = named if named.is_absolute() else folder / named
    if named.is_dir() and not which.is_latest(word):
        return _of_folder(named)
    if "/" in word:
        raise UsageError(f"there is no folder {word}")
    stores = stores_near(folder)
    if len(stores) == 1:
        return _choose(word, stores[0])
    known = [store.records() for store in stores]
    runs = [(record.started or 0.0, record.run, at) for at, (records, _) in enumerate(known) for record in records]
    if not which.is_latest(word):  # of one that is damaged it is said so
        runs += [(0.0, name, at) for at, (_, lost) in enumerate(known) for name in lost]
    order = {name: at for _, name, at in sorted(runs)}
    damaged = {name: why for _, lost in known for name, why in lost.items()}
    name = _newest(word, list(order), damaged) or which.choose(word, list(order), f"what is kept below {folder}")
    return Found(stores[order[name]], stores[order[name]].run(name))


def stores_near(folder: Path) -> list[Store]:
    """The store of a folder, or of the nearest above that has one; else those below. Raises StoreProblem."""
    found = [Store.open(home / STORE) for home in which.homes(folder, has_store)]
    if not found:
        raise StoreProblem(
            f"no runs are kept in {folder.absolute()}, above it or below it: `kalec run` keeps them in the notebook's "
            "folder; go there, or name it with --folder"
        )
    return found


def store_near(folder: Path) -> Store:
    """The one store that `stores_near` finds. Raises StoreProblem, UsageError where there are more."""
    found = stores_near(folder)
    if len(found) > 1:
        places = ", ".join(str(store.path.parent.parent) for store in found[:3])
        raise UsageError(f"{folder.absolute()} has {len(found)} stores below it: name one with --folder, as {places}")
    return found[0]


def has_store(home: Path) -> bool:
    """Whether a folder `.kalec` has a store."""
    return _is_store(home / STORE)


def _choose(word: str, store: Store) -> Found:
    if not which.is_latest(word):
        return Found(store, store.run(which.choose(word, store.run_names(), str(store.path))))
    records, damaged = store.records()
    names = [record.run for record in reversed(records)]
    return Found(store, store.run(_newest(word, names, damaged) or which.choose(word, names, str(store.path))))


def _newest(word: str, names: Sequence[str], damaged: Mapping[str, str]) -> str:
    """The run that `latest` or `latest~N` means of these, oldest first; empty for another word, or where none is.

    Raises StoreProblem where a run that is as new cannot be read: the word would mean another run without a word.
    """
    if not damaged or not which.is_latest(word):
        return ""
    try:
        chosen = which.choose(word, names, "")
    except UsageError:
        chosen = ""
    newest = max(damaged, key=stamp_of)
    if not chosen or (stamp_of(newest) and stamp_of(newest) >= stamp_of(chosen)):
        raise StoreProblem(
            f"the record of run {newest} is damaged: {damaged[newest]}; so nobody knows which run is `{word}`: name one"
        )
    return chosen


def _of_folder(folder: Path) -> Found:
    """The run that lies in a folder, or the last one of those that are kept in it."""
    folder = folder.resolve()
    for place in (folder.parent / HOME / STORE, folder.parent.parent / STORE):
        if _is_store(place) and folder.name in (store := Store.open(place)).run_names():
            return Found(store, store.run(folder.name))
    places = (folder, folder / STORE, folder / HOME / STORE)
    found = next((place for place in places if _is_store(place)), None)
    if found is None:
        raise StoreProblem(f"{folder} is neither the folder of a run nor one with runs: there is no store in it")
    return _choose("latest", Store.open(found))


def _is_store(folder: Path) -> bool:
    return (folder / "format").exists() or folder.is_symlink()
