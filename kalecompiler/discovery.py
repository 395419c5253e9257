"""Which notebooks there are: files, folders and patterns -> .ipynb files, each once, in a steady order."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kalecompiler.checksettings import CheckSettings
from kalecompiler.globs import has_magic, matches, matches_itself

Configuration = Callable[[Path], CheckSettings]


@dataclass(frozen=True, slots=True)
class Found:
    """`files` are notebooks; `problems` say which paths lead to none; `alone`: one file was named, and nothing else."""

    files: tuple[Path, ...]
    problems: tuple[str, ...] = ()
    alone: bool = False


def find(paths: Iterable[Path], configuration: Configuration, *, force: bool = False) -> Found:
    """The notebooks among the paths.

    Args:
        paths: files, folders (with all below them) and patterns.
        configuration: the settings that hold in a folder.
        force: leave out what is excluded even where it is named.
    """
    named = list(paths)
    found: dict[str, Path] = {}
    problems = []
    for path in named:
        hits = [path] if path.exists() or not has_magic(str(path)) else _expanded(path)
        if not hits:
            problems.append(f"{path} matches no notebook")
        for hit in hits:
            checked = force or hit is not path  # what is named is meant
            if checked and _excluded(hit, configuration):
                continue
            for file in _below(hit, configuration) if hit.is_dir() else [hit]:
                found.setdefault(os.path.abspath(file), file)
    alone = len(named) == 1 and list(found.values()) == named
    return Found(tuple(found.values()), tuple(problems), alone)


def _expanded(pattern: Path) -> list[Path]:
    """The notebooks and folders that match a pattern, as a shell would expand it."""
    hits = sorted(glob.glob(str(pattern), recursive=True))  # noqa: PTH207 - takes `**` in relative and absolute patterns
    return [Path(hit) for hit in hits if hit.endswith(".ipynb") or Path(hit).is_dir()]


def _below(folder: Path, configuration: Configuration) -> Iterator[Path]:
    """The notebooks in a folder and all below it that are not excluded; links to folders are not followed."""
    settings = configuration(folder)
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        if entry.name.endswith(".ipynb") and os.path.isfile(entry):  # noqa: PTH113 - never raises, as for a link in a circle
            if not _matched(Path(entry.path), settings):
                yield Path(entry.path)
        elif entry.is_dir(follow_symlinks=False) and not _matched(Path(entry.path), settings):
            yield from _readable(Path(entry.path), configuration)


def _readable(folder: Path, configuration: Configuration) -> Iterator[Path]:
    """The same for a folder that was not named: one that may not be read is passed over."""
    if os.access(folder, os.R_OK | os.X_OK):
        yield from _below(folder, configuration)


def _excluded(path: Path, configuration: Configuration) -> bool:
    """Whether a path, or a folder above it, is one of those that its settings exclude."""
    settings = configuration(path.parent)
    inside = relative(path, settings.folder)
    return any(matches(inside, pattern) for pattern in settings.exclude)


def _matched(path: Path, settings: CheckSettings) -> bool:
    """The same without the folders above it, which are where one is asked to look."""
    inside = relative(path, settings.folder)
    return any(matches_itself(inside, pattern) for pattern in settings.exclude)


def relative(path: Path, folder: Path) -> str:
    """A path as patterns see it: from the folder on, with slashes; whole where it is not below the folder."""
    absolute, base = os.path.abspath(path), os.path.abspath(folder)
    inside = os.path.relpath(absolute, base) if absolute.startswith(base.rstrip(os.sep) + os.sep) else absolute
    return inside.replace(os.sep, "/")
