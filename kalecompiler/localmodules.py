"""Modules that lie beside the notebook: carried along with a step, and never looked up on an index."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from kalecompiler import watch
from kalecompiler.diagnostics import (
    BROKEN_LOCAL_MODULE,
    SHADOWING_MODULE,
    UNCARRIED_DATA,
    UNCARRIED_MODULE,
    UNKNOWN_MODULE,
    Rule,
)
from kalecompiler.findings import Problem
from kalecompiler.imports import Import, imports_of
from kalecompiler.packages import is_installed, is_standard
from kalecompiler.searchpath import Added
from kalecompiler.wording import cause, listed_once

_LARGEST = 100_000  # bytes of one module: a whole step must fit into an argument of 128 KiB
_BUILTIN = {"sys", "builtins", "time", "marshal", "gc", "itertools", "_thread"}
_EXTENSIONS = (".so", ".pyd")
_NO_DATA = (".py", ".pyc", ".pyi", ".md", ".ipynb")


@dataclass(frozen=True, slots=True)
class LocalModules:
    """`files` are (path relative to the notebook's folder, text), sorted; `imports` what is left for an index."""

    files: tuple[tuple[str, str], ...] = ()
    imports: tuple[Import, ...] = ()
    problems: tuple[Problem, ...] = ()


class Surroundings:
    """What lies beside a notebook, each folder read once: a notebook with many steps asks for the same ones often.

    `added` are the folders that the notebook adds to `sys.path`; `first` tells of one of them that its modules come
    before installed ones. `known` tells of a module that is in none of them whether it is a package of an index.
    """

    def __init__(
        self,
        folder: Path,
        added: Iterable[Added] = (),
        known: Callable[[str], bool] = lambda _: True,
        first: bool = True,
        shown: str = "beside the notebook",
    ) -> None:
        self.folder, self.known, self.first, self.shown = folder, known, first, shown
        self.added = [Surroundings(folder / a.folder, (), known, a.first, f"in `{a.folder}`") for a in added]
        self._names: dict[PurePosixPath, list[str]] = {}

    def names(self, inside: PurePosixPath, start: str) -> list[str]:
        """The names of files in a folder below that begin so; those of folders end with a slash."""
        watch.seen(self.folder / inside, start)
        if inside not in self._names:
            self._names[inside] = _listed(self.folder / inside)
        return [name for name in self._names[inside] if name.startswith(start)]


def _listed(folder: Path) -> list[str]:
    """The names in a folder, sorted; those of folders end with a slash."""
    try:
        with os.scandir(folder) as entries:
            return sorted(filter(None, map(_name, entries)))
    except OSError:
        return []


def _name(entry: os.DirEntry[str]) -> str:
    """The name of a file, or of a folder with its slash; empty for a link in a circle, or to where one may not look."""
    with contextlib.suppress(OSError):
        if entry.is_dir():
            return f"{entry.name}/"
        if entry.is_file():
            return entry.name
    return ""


@dataclass
class _Search:
    """What one search has found so far; `written` are the texts that the notebook itself writes.

    `around` is the folder that is looked at, `home` the notebook's.
    """

    around: Surroundings
    written: Mapping[str, str]
    home: Surroundings
    files: dict[str, str] = field(default_factory=dict)
    imports: list[Import] = field(default_factory=list)
    problems: dict[str, Problem] = field(default_factory=dict)

    def written_here(self, path: PurePosixPath | str) -> bool:
        """Whether the notebook itself writes a file."""
        return self.around is self.home and str(path) in self.written


def local_modules(
    around: Path | Surroundings, imports: Iterable[Import], written: Mapping[str, str] | None = None
) -> LocalModules:
    """The modules and packages beside the notebook that the imports reach, also through each other.

    Their own imports are among those returned, on the line of the cell's import. `written` are files that cells write
    (`%%writefile helpers.py`): they come before what is in the folder.
    """
    home = Surroundings(around) if isinstance(around, Path) else around
    search = _Search(home, written or {}, home)
    for item in imports:
        _follow(search, item, item)
    return LocalModules(
        tuple(sorted(search.files.items())), tuple(dict.fromkeys(search.imports)), tuple(search.problems.values())
    )


def _follow(search: _Search, item: Import, origin: Import) -> None:
    """Add the files that an import loads: its packages from the top down, then the module."""
    top = item.module.partition(".")[0]
    here, paths = _found(search, item.module)
    if not paths:
        if item.optional or search.home.known(item.module):
            search.imports.append(item)
            return
        message = (
            f"module `{top}` is not beside the notebook, which looks for modules in folders of its own: "
            "it is not taken for a package of that name"
        )
        hint = (
            f"put `{top}.py` beside the notebook, write `%pip install NAME` if it is a package, or use an image with it"
        )
        _report(search, UNKNOWN_MODULE, top, origin, message, hint)
        return
    if is_standard(top):
        message = f"`{paths[0]}` {here.around.shown} hides the standard library's module `{top}`"
        _report(search, SHADOWING_MODULE, paths[0], origin, message, "give the file another name")
    for path in paths:
        if path not in search.files:
            _carry(here, path, origin)


def _found(search: _Search, module: str) -> tuple[_Search, list[str]]:
    """What importing a module loads, and where: beside the notebook, else in a folder added to `sys.path`."""
    for place in (search.home, *search.home.added):
        here = replace(search, around=place)
        paths = list(_paths(here, module))
        hidden = place is not search.home and (is_standard(module) or (is_installed(module) and not place.first))
        if paths and not hidden:
            return here, paths
    return search, []


def _carry(search: _Search, path: str, origin: Import) -> None:
    """Add one file, and what it imports."""
    text = _text(search, path, origin)
    if text is None:
        return
    search.files[path] = text
    try:
        inner = imports_of(text, _package(path))
    except (SyntaxError, ValueError) as error:
        place = f" on line {error.lineno}" if isinstance(error, SyntaxError) else ""
        what = error.msg if isinstance(error, SyntaxError) else str(error)
        message = f"`{path}` {search.around.shown} does not compile: {what[:1].lower()}{what[1:]}{place}"
        _report(search, BROKEN_LOCAL_MODULE, path, origin, message, "correct the module")
        return
    if path.endswith("__init__.py"):
        _warn_of_data(search, path, origin)
    for found in inner:
        _follow(search, Import(found.module, origin.line, found.optional or origin.optional), origin)


def _text(search: _Search, path: str, origin: Import) -> str | None:
    """The text of a module; None, with a problem, where it cannot be carried."""
    if search.written_here(path):
        return search.written[path]
    file = search.around.folder / path
    watch.seen(file)
    problem: tuple[Rule, str, str] | None = None
    if not file.resolve().is_relative_to(search.around.folder.resolve()):
        problem = (UNCARRIED_MODULE, "leads out of the notebook's folder", "copy the module beside the notebook")
    elif path.endswith(_EXTENSIONS):
        problem = (UNCARRIED_MODULE, "is compiled code, which a step cannot carry", "install it into the step's image")
    elif file.stat().st_size > _LARGEST:
        size = f"has {file.stat().st_size // 1000} kB, too much for a step to carry"
        problem = (UNCARRIED_MODULE, size, "split it, or install it into the step's image")
    else:
        try:
            return file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError:
            problem = (BROKEN_LOCAL_MODULE, "is not UTF-8 text", "save it as UTF-8")
        except OSError as error:
            why = cause(error)
            problem = (BROKEN_LOCAL_MODULE, f"cannot be read: {why}", "allow reading it")
    rule, what, hint = problem
    _report(search, rule, path, origin, f"`{path}` {search.around.shown} {what}", hint)
    return None


def _paths(search: _Search, module: str) -> Iterator[str]:
    """The files that importing a module loads, from the top package down; none where it is not in the folder.

    A folder without `__init__.py` counts only where the module in it is there: an installed package would win.
    """
    parts = module.split(".")
    if parts[0] in _BUILTIN:
        return
    at, found = PurePosixPath(), []
    for number, part in enumerate(parts, 1):
        at = at / part
        package, plain = at / "__init__.py", at.with_name(f"{part}.py")
        beside = search.around.names(at.parent, part)
        folder = f"{part}/" in beside
        compiled = next((n for n in beside if n.startswith(f"{part}.") and n.endswith(_EXTENSIONS)), None)
        if search.written_here(package) or (folder and package.name in search.around.names(at, package.name)):
            found.append(str(package))
        elif compiled is not None:  # Python takes it before a `.py` file
            found.append(str(at.parent / compiled))
            break
        elif search.written_here(plain) or plain.name in beside:
            found.append(str(plain))
            break
        elif not folder or number == len(parts):
            break
    yield from found


def _package(path: str) -> str:
    """The package that a module's relative imports start from."""
    return ".".join(PurePosixPath(path).parent.parts)


def _warn_of_data(search: _Search, path: str, origin: Import) -> None:
    folder = PurePosixPath(path).parent
    inside = search.around.names(folder, "")
    names = [name for name in inside if not name.endswith((*_NO_DATA, "/")) and name[0] != "."]
    if names:
        shown = listed_once(names[:3]) + (", ..." if len(names) > 3 else "")
        message = f"the package `{folder.name}` {search.around.shown} has files that are not carried along: {shown}"
        _report(search, UNCARRIED_DATA, f"{path} data", origin, message, "keep data in the step's image or in a step")


def _report(search: _Search, rule: Rule, key: str, origin: Import, message: str, hint: str) -> None:
    """Note a problem, once for each file."""
    search.problems.setdefault(f"{rule.code} {key}", Problem(rule, origin.line, None, message, hint, origin.module))
