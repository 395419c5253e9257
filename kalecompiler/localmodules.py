"""Modules that lie beside the notebook: carried along with a step, and never looked up on an index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from kalecompiler.diagnostics import BROKEN_LOCAL_MODULE, SHADOWING_MODULE, UNCARRIED_DATA, UNCARRIED_MODULE, Rule
from kalecompiler.findings import Problem
from kalecompiler.imports import Import, imports_of
from kalecompiler.packages import is_standard
from kalecompiler.wording import listed_once

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


@dataclass
class _Search:
    """What one search has found so far; `written` are the texts that the notebook itself writes."""

    folder: Path
    written: Mapping[str, str]
    files: dict[str, str] = field(default_factory=dict)
    imports: list[Import] = field(default_factory=list)
    problems: dict[str, Problem] = field(default_factory=dict)


def local_modules(folder: Path, imports: Iterable[Import], written: Mapping[str, str] | None = None) -> LocalModules:
    """The modules and packages beside the notebook that the imports reach, also through each other.

    Their own imports are among those returned, on the line of the cell's import. `written` are files that cells write
    (`%%writefile helpers.py`): they come before what is in the folder.
    """
    search = _Search(folder, written or {})
    for item in imports:
        _follow(search, item, item)
    return LocalModules(
        tuple(sorted(search.files.items())), tuple(dict.fromkeys(search.imports)), tuple(search.problems.values())
    )


def _follow(search: _Search, item: Import, origin: Import) -> None:
    """Add the files that an import loads: its packages from the top down, then the module."""
    paths = list(_paths(search, item.module))
    if not paths:
        search.imports.append(item)
        return
    top = item.module.partition(".")[0]
    if is_standard(top):
        message = f"`{paths[0]}` beside the notebook hides the standard library's module `{top}`"
        _report(search, SHADOWING_MODULE, paths[0], origin, message, "give the file another name")
    for path in paths:
        if path not in search.files:
            _carry(search, path, origin)


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
        message = f"`{path}` beside the notebook does not compile: {what[:1].lower()}{what[1:]}{place}"
        _report(search, BROKEN_LOCAL_MODULE, path, origin, message, "correct the module")
        return
    if path.endswith("__init__.py"):
        _warn_of_data(search, path, origin)
    for found in inner:
        _follow(search, Import(found.module, origin.line, found.optional or origin.optional), origin)


def _text(search: _Search, path: str, origin: Import) -> str | None:
    """The text of a module; None, with a problem, where it cannot be carried."""
    if path in search.written:
        return search.written[path]
    file = search.folder / path
    problem: tuple[Rule, str, str] | None = None
    if not file.resolve().is_relative_to(search.folder.resolve()):
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
            why = (error.strerror or str(error)).lower()
            problem = (BROKEN_LOCAL_MODULE, f"cannot be read: {why}", "allow reading it")
    rule, what, hint = problem
    _report(search, rule, path, origin, f"`{path}` beside the notebook {what}", hint)
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
        if _exists(search, package):
            found.append(str(package))
        elif compiled := _compiled(search, at):
            found.append(compiled)
            break
        elif _exists(search, plain):
            found.append(str(plain))
            break
        elif not (search.folder / at).is_dir() or number == len(parts):
            break
    yield from found


def _exists(search: _Search, path: PurePosixPath) -> bool:
    return str(path) in search.written or (search.folder / path).is_file()


def _compiled(search: _Search, at: PurePosixPath) -> str | None:
    """The extension module of that name, which Python takes before a `.py` file."""
    parent = search.folder / at.parent
    matches = (
        sorted(p.name for p in parent.glob(f"{at.name}.*") if p.name.endswith(_EXTENSIONS)) if parent.is_dir() else []
    )
    return str(at.parent / matches[0]) if matches else None


def _package(path: str) -> str:
    """The package that a module's relative imports start from."""
    return ".".join(PurePosixPath(path).parent.parts)


def _warn_of_data(search: _Search, path: str, origin: Import) -> None:
    folder = search.folder / PurePosixPath(path).parent
    names = [
        p.name for p in sorted(folder.glob("*")) if p.is_file() and not p.name.endswith(_NO_DATA) and p.name[0] != "."
    ]
    if names:
        shown = listed_once(names[:3]) + (", ..." if len(names) > 3 else "")
        message = f"the package `{folder.name}` beside the notebook has files that are not carried along: {shown}"
        _report(search, UNCARRIED_DATA, f"{path} data", origin, message, "keep data in the step's image or in a step")


def _report(search: _Search, rule: Rule, key: str, origin: Import, message: str, hint: str) -> None:
    """Note a problem, once for each file."""
    search.problems.setdefault(f"{rule.code} {key}", Problem(rule, origin.line, None, message, hint, origin.module))
