"""Which trackers there are, and which of them are wanted: `track = [...]` in `[tool.kalecompiler]`."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kalecompiler import settings
from kalecompiler.diagnostics import UsageError
from kalecompiler.model import TrackerUse
from kalecompiler.suggest import did_you_mean
from kalecompiler.tracking.tracker import Tracker

GROUP = "kalecompiler.trackers"
_SHIPPED = {
    "jsonl": "kalecompiler.tracking.jsonlines:JsonLines",
    "mlflow": "kalecompiler.tracking.mlflowruns:MLflow",
    "tensorboard": "kalecompiler.tracking.eventfiles:TensorBoard",
    "wandb": "kalecompiler.tracking.wandbruns:WandB",
}
# Options of every tracker.
WAIT = "wait"
_OPTIONS = {
    "jsonl": {"folder"},
    "mlflow": {"uri", "experiment"},
    "tensorboard": {"folder"},
    "wandb": {"project", "entity", "mode", "folder"},
}
# These write files, which are of use where the folder outlives the container.
_OF_FILES = frozenset({"jsonl", "tensorboard", "wandb"})
_SECRET_NAME = re.compile(
    r"(?i)(.*[-_])?(pass(word|wd|phrase)?|pwd|secret|token|(api|access|private)[-_]?key|credentials?)"
)
_SECRET_TEXT = re.compile(r"://[^/@\s]*:[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tracker that is to be told of runs; `options` is its table, with paths already found from pyproject.toml."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def wait(self) -> float:
        """For how many seconds a run that has ended waits for it."""
        return float(self.options.get(WAIT, 30))


def wanted(folder: Path) -> list[Wanted]:
    """The trackers that the nearest pyproject.toml names. Raises UsageError for what is wrong in it.

    An option `folder` of a tracker is found from the place of pyproject.toml.
    """
    path, names, tables = _read(folder)
    return [_checked(Wanted(name, _placed(tables.get(name, {}), path.parent)), path) for name in names]


def for_steps(folder: Path) -> tuple[tuple[TrackerUse, ...], list[str]]:
    """The trackers that steps tell on KFP, and what is to be said about that. Raises UsageError as `wanted`.

    Left out are those that write files where no `folder` says where in the container, and options that look like
    secrets, or hold one: the package is no place for those.
    """
    path, names, tables = _read(folder)
    found, said = [], []
    for name in names:
        options = dict(_checked(Wanted(name, tables.get(name, {})), path).options)
        if name in _OF_FILES and not str(options.get("folder", "")).startswith("/") and options.get("mode") != "online":
            continue
        for option in [key for key, value in options.items() if _is_secret(key, value)]:
            del options[option]
            why = "is left out, as it looks like a secret: its client takes it from the environment"
            said.append(f"warning: option `{option}` of the tracker {name} {why} (secret:NAME:KEY:VARIABLE)")
        try:
            plain = json.loads(json.dumps(options, default=str, allow_nan=False))
        except ValueError:
            raise UsageError(f"{path}: an option of the tracker {name} is no finite number") from None
        found.append(TrackerUse(name, plain, _SHIPPED.get(name, "")))
    return tuple(found), said


def _is_secret(name: str, value: object) -> bool:
    """Whether an option is a secret, or holds one: a plug-in's may be tables and lists."""
    if isinstance(value, dict):
        return bool(_SECRET_NAME.fullmatch(name)) or any(_is_secret(str(key), item) for key, item in value.items())
    if isinstance(value, list):
        return any(_is_secret(name, item) for item in value)
    return bool(_SECRET_NAME.fullmatch(name) or (isinstance(value, str) and _SECRET_TEXT.search(value)))


def _read(folder: Path) -> tuple[Path, list[str], dict[str, Any]]:
    """The nearest pyproject.toml, the names that it wants, each once, and the tables of options. Raises UsageError."""
    path, table = settings.own_table(folder.absolute())
    given = table if isinstance(table, dict) else {}
    names, tables = given.get("track", []), given.get("trackers", {})
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UsageError(f'{path}: `track` must be a list of names, as in track = ["mlflow"]')
    if not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
        raise UsageError(f"{path}: `trackers` must hold tables, as in [tool.kalecompiler.trackers.mlflow]")
    known = known_names()
    for name in [*names, *tables]:
        if name not in known:
            hint = did_you_mean(name, known) or f"known are {', '.join(sorted(known))}"
            raise UsageError(f"{path}: there is no tracker `{name}`: {hint}")
    for name, options in tables.items():
        _check_names(name, options, path)
    return path, list(dict.fromkeys(names)), tables


def _check_names(name: str, options: Mapping[str, Any], path: Path) -> None:
    """Raise UsageError for an option that a shipped tracker does not have; a plug-in's are its own."""
    if name not in _OPTIONS or name in {point.name for point in importlib.metadata.entry_points(group=GROUP)}:
        return
    known = {WAIT, *_OPTIONS[name]}
    for option in options:
        if option not in known and not _SECRET_NAME.fullmatch(option):  # `for_steps` says what to do with those
            hint = did_you_mean(option, known) or f"known are {', '.join(sorted(known))}"
            raise UsageError(f"{path}: the tracker {name} has no option `{option}`: {hint}")


def known_names() -> set[str]:
    """The names of all trackers: those shipped, and those that installed packages bring."""
    return {*_SHIPPED, *(point.name for point in importlib.metadata.entry_points(group=GROUP))}


def make(name: str, options: Mapping[str, Any]) -> Tracker:
    """A tracker, ready for calls. Raises whatever its import or its making raises, LookupError where there is none."""
    for point in importlib.metadata.entry_points(group=GROUP):
        if point.name == name:
            return _tracker(point.load()(options))
    if name not in _SHIPPED:
        raise LookupError(f"there is no tracker `{name}`: is its package installed?")
    module, _, attribute = _SHIPPED[name].partition(":")
    return _tracker(getattr(importlib.import_module(module), attribute)(options))


def _tracker(made: Any) -> Tracker:
    if not isinstance(made, Tracker):
        raise TypeError(f"{type(made).__name__} is no kalecompiler.tracking.tracker.Tracker")
    return made


def _placed(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    own = {"folder": str(folder / options["folder"])} if isinstance(options.get("folder"), str) else {}
    return {**options, **own}


def _checked(one: Wanted, path: Path) -> Wanted:
    wait = one.options.get(WAIT, 30)
    if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not 0 <= wait < 3600:
        raise UsageError(f"{path}: `wait` of the tracker {one.name} must be a number of seconds below 3600")
    return one
