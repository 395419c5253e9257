"""What the user gives a local run in place of the cluster's volumes, secrets and config maps: `NAME=WHERE`, each.

A secret's value goes into the environment of the steps that refer to it, and nowhere else.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kalecompiler import volumes
from kalecompiler.arguments import unknown_name
from kalecompiler.diagnostics import UsageError
from kalecompiler.local import pods
from kalecompiler.local.pods import Reference
from kalecompiler.local.tasks import Task

ENVIRONMENT = "env"
OPTIONS = {pods.CLAIM: "--volume", pods.SECRET: "--secret", pods.CONFIG_MAP: "--config-map"}
LARGEST = 1 << 20  # Kubernetes takes no larger secret
# A dot keeps this from being a task's name.
VOLUMES = "volumes.d"


@dataclass(frozen=True, slots=True)
class Provided:
    """What was given, by kind and name: the path of a file or folder, or `env`."""

    sources: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def folder(self, kind: str, name: str) -> Path | None:
        """The folder that was given for that name."""
        source = self.sources.get((kind, name))
        return Path(source).absolute() if source is not None and Path(source).is_dir() else None


def parse(volumes_: Iterable[str] = (), secrets: Iterable[str] = (), config_maps: Iterable[str] = ()) -> Provided:
    """The options `--volume`, `--secret` and `--config-map`. Raises UsageError for one that is wrong."""
    sources: dict[tuple[str, str], str] = {}
    for kind, texts in ((pods.CLAIM, volumes_), (pods.SECRET, secrets), (pods.CONFIG_MAP, config_maps)):
        for text in texts:
            name, equals, source = text.partition("=")
            if not (name and equals and source):
                form = "DIR" if kind == pods.CLAIM else "FILE, NAME=DIR or NAME=env"
                raise UsageError(f"{OPTIONS[kind]} {_hidden(text)}: write it as in NAME={form}")
            _check_exists(kind, name, source)
            sources[kind, name] = source
    return Provided(sources)


def check(provided: Provided, package: Iterable[Task], tasks: Iterable[Task]) -> None:
    """Raise UsageError for what no task of the package refers to, and for a variable of `tasks` without a value."""
    package = list(package)
    known = {(f.kind, f.name) for task in package for f in task.pod.folders}
    known |= {(r.kind, r.name) for task in package for r in task.pod.references}
    for kind, name in provided.sources:
        if (kind, name) not in known:
            raise unknown_name(kind, name, [other for known_kind, other in sorted(known) if known_kind == kind])
    for task in tasks:
        for reference in task.pod.references:
            value(provided, reference, task.name)


def environment(provided: Provided, task: Task, folder: Path) -> dict[str, str]:
    """The variables of a task that a cluster would fill: `folder` is the run's.

    Makes the folders that the task has for itself. Raises UsageError, OSError.
    """
    found = {r.variable: value(provided, r, task.name) for r in task.pod.references}
    for mount in task.pod.folders:
        place = provided.folder(mount.kind, mount.name)
        if mount.kind in (pods.NEW, pods.EMPTY):
            own = mount.name if mount.kind == pods.NEW else f"{task.key}.{mount.name}"
            place = folder / VOLUMES / own
            (place / mount.part).mkdir(parents=True, exist_ok=True)
        if place is not None:
            found[volumes.variable(mount.name)] = str(place / mount.part)
    return found


def secrets_of(provided: Provided, tasks: Iterable[Task]) -> list[str]:
    """The values of the secrets of all tasks, which must stay in no log: one may hand a secret on to another."""
    found: dict[str, None] = {}
    for task in tasks:
        values = [value(provided, r, task.name) for r in task.pod.references if r.kind == pods.SECRET]
        places = [provided.folder(mount.kind, mount.name) for mount in task.pod.folders if mount.kind == pods.SECRET]
        values += [text for place in places if place is not None for text in _texts(place)]
        found |= {text: None for one in values for text in (one, one.strip())}
    return list(found)


def _texts(folder: Path) -> Iterator[str]:
    """The contents of the files of a secret that is a folder, where they are text and no larger than a secret."""
    for path in folder.iterdir():
        if path.is_file() and path.stat().st_size <= LARGEST:
            with contextlib.suppress(UnicodeDecodeError):
                yield path.read_text(encoding="utf-8")


def left_out(provided: Provided, tasks: Iterable[Task]) -> str | None:
    """One line on what a local run of the tasks does not honour; None where it honours all."""
    phrases: dict[str, list[str]] = {}
    for task in tasks:
        for words in task.pod.left_out:
            phrases.setdefault(words, []).append(task.name)
        for mount in task.pod.folders:
            if mount.kind in OPTIONS and provided.folder(mount.kind, mount.name) is None:
                words = f"{mount.kind} {mount.name} (give it a folder: {OPTIONS[mount.kind]} {mount.name}=DIR)"
                phrases.setdefault(words, []).append(task.name)
    shown = [f"{words} of {', '.join(dict.fromkeys(names))}" for words, names in phrases.items()]
    return f"not honoured in a local run: {'; '.join(shown)}" if shown else None


def value(provided: Provided, reference: Reference, step: str) -> str:
    """The value of a variable that refers to a secret or config map. Raises UsageError where there is none."""
    source = provided.sources.get((reference.kind, reference.name))
    if source is None or source == ENVIRONMENT:
        if reference.variable in os.environ:
            return os.environ[reference.variable]
        option = f"{OPTIONS[reference.kind]} {reference.name}"
        cure = f"give it as `{option}=FILE` with a line {reference.key}=..., or set ${reference.variable}"
        raise UsageError(f"step {step} needs {reference.key} of the {reference.kind} {reference.name}: {cure}")
    values = _contents(Path(source), reference.key)
    if reference.key not in values:
        raise UsageError(f"{source} has no {reference.key}, which step {step} needs of the {reference.kind}")
    return values[reference.key]


def _contents(path: Path, key: str) -> dict[str, str]:
    """The keys and values of a secret: a line `KEY=VALUE` for each in a file; of a folder only the file of that key."""
    try:
        if path.is_dir():
            path /= key  # the others may be no text
            return {key: path.read_text(encoding="utf-8")} if path.is_file() else {}
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from None
    found = {}
    for number, line in enumerate(lines, 1):
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not name or name.startswith("#"):
            continue
        if not equals:
            raise UsageError(f"{path}, line {number}: write KEY=VALUE")  # never the line itself: it may be a secret
        found[name.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def _check_exists(kind: str, name: str, source: str) -> None:
    if kind != pods.CLAIM and source == ENVIRONMENT:
        return
    path = Path(source)
    if kind == pods.CLAIM and not path.is_dir():
        raise UsageError(f"--volume {name}: the folder {source} does not exist")
    if not path.exists():
        raise UsageError(f"{OPTIONS[kind]} {name}: what is given for it is no file and no folder")


def _hidden(text: str) -> str:
    """An option as a message may show it: what follows the name could be a secret."""
    name, equals, _ = text.partition("=")
    return f"{name}{equals}" if equals else "..."
