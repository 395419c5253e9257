"""Which run is meant: RUN is an id, its beginning or its last four characters, `latest`, `latest~1`, or a folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kalecompiler.snapshots.manifest import RunRecord
from kalecompiler.snapshots.objects import StoreProblem
from kalecompiler.snapshots.store import Store
from kalecompiler.suggest import did_you_mean

HOME, STORE = ".kalec", "store"
_LATEST = re.compile(r"latest(?:~(\d{1,6}))?")


@dataclass(frozen=True, slots=True)
class Found:
    """A run, and the store that has it."""

    store: Store
    record: RunRecord


def find(word: str, folder: Path) -> Found:
    """The run that is meant, said in `folder`. Raises StoreProblem where there is none, or more than one."""
    named = Path(word).expanduser()
    named = named if named.is_absolute() else folder / named
    if named.is_dir() and not _LATEST.fullmatch(word):
        return _of_folder(named)
    if "/" in word:
        raise StoreProblem(f"there is no folder {word}")
    store = store_near(folder)
    return Found(store, choose(word, store))


def store_near(folder: Path) -> Store:
    """The store of the runs of a folder, or of the nearest one above that has one. Raises StoreProblem."""
    folder = folder.absolute()
    for place in (folder, *folder.parents):
        if (path := _store_in(place)) is not None:
            return Store.open(path)
    raise StoreProblem(
        f"no runs are kept in {folder} or above it: `kalec run` keeps them in the notebook's folder; go there, or name "
        "it with --folder"
    )


def choose(word: str, store: Store) -> RunRecord:
    """The run of a store that a word means. Raises StoreProblem."""
    if match := _LATEST.fullmatch(word):
        return _latest(store, int(match[1] or 0), word)
    names = store.run_names()
    if word in names:
        return store.run(word)
    alike = [name for name in names if name.startswith(word)] or [n for n in names if n.rpartition("-")[2] == word]
    if len(alike) == 1:
        return store.run(alike[0])
    if alike:
        shown = ", ".join(alike[-3:])
        raise StoreProblem(f"`{word}` is the beginning of {len(alike)} runs: write more of it, or `latest`: {shown}")
    hint = (
        did_you_mean(word, [*names, "latest"]) or f"`kalec runs` lists the {len(names)} that are kept in {store.path}"
    )
    raise StoreProblem(f"there is no run `{word}`: {hint}")


def _latest(store: Store, back: int, word: str) -> RunRecord:
    runs = store.runs()
    if len(runs) <= back:
        raise StoreProblem(f"there is no run `{word}`: {store.path} has {len(runs)}")
    return runs[back]


def _of_folder(folder: Path) -> Found:
    """The run that lies in a folder, or the last one of those that are kept in it."""
    folder = folder.resolve()
    for place in (folder.parent, folder.parent.parent):
        path = place / STORE
        if _is_store(path) and folder.name in (store := Store.open(path)).run_names():
            return Found(store, store.run(folder.name))
    found = folder if _is_store(folder) else _store_in(folder)
    if found is None:
        raise StoreProblem(f"{folder} is neither the folder of a run nor one with runs: there is no store in it")
    store = Store.open(found)
    return Found(store, _latest(store, 0, folder.name))


def _store_in(folder: Path) -> Path | None:
    places = (folder / STORE,) if folder.name == HOME else (folder / HOME / STORE,)
    return next((place for place in places if _is_store(place)), None)


def _is_store(folder: Path) -> bool:
    return (folder / "format").exists() or folder.is_symlink()
