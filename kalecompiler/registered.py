"""The handlers of packages: those shipped here, and those that users register by an entry point.

A handler is read as text, so that nothing is imported to compile a notebook: what `kalecompiler.handlers` says of
its form is checked here.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from kalecompiler.diagnostics import UsageError
from kalecompiler.imports import imports_of
from kalecompiler.model import Handler
from kalecompiler.packages import is_standard

GROUP = "kalecompiler.handlers"
OLDEST = (3, 9)


def registered() -> tuple[Handler, ...]:
    """All handlers of packages, users' before the shipped ones, each name once.

    Raises UsageError for a user's handler that has not the form, and for two of one name.
    """
    users: dict[str, tuple[Handler, str]] = {}
    for point in points(GROUP):
        owner = f"{point.value} of {point.dist.name}" if point.dist else point.value
        if point.name in users and users[point.name][1] != owner:
            both = f"{users[point.name][1]}, and {owner}"
            raise UsageError(f"two packages register a handler `{point.name}`: {both}; remove one of them")
        users[point.name] = read(point.name, _source(point.name, point.value), owner), owner
    own = tuple(handler for handler, _ in users.values())
    return own + tuple(handler for handler in shipped() if handler.name not in users)


def points(group: str) -> list[EntryPoint]:
    """The entry points of a group, in order."""
    return list(_points(group, tuple((path, changed) for path in sys.path if (changed := _changed(path)))))


@lru_cache(maxsize=16)
def _points(group: str, there: tuple[tuple[str, int], ...]) -> tuple[EntryPoint, ...]:
    return tuple(sorted(_all_points(there).select(group=group), key=lambda point: (point.name, point.value)))


@lru_cache(maxsize=4)
def _all_points(_: tuple[tuple[str, int], ...]) -> Any:
    """All entry points; finding them reads a file of every distribution, for the same path only once."""
    return importlib.metadata.entry_points()


def _changed(path: str) -> int:
    """When something was last put into a folder of Python's path, or taken out of it; 0 where there is none."""
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0


@cache
def shipped() -> tuple[Handler, ...]:
    """The handlers that come with kalecompiler, by name."""
    folder = Path(__file__).parent / "handlers"
    modules = sorted(path for path in folder.glob("*.py") if path.stem != "__init__")
    return tuple(read(path.stem, path.read_text(encoding="utf-8"), "kalecompiler") for path in modules)


@cache
def read(name: str, source: str, owner: str) -> Handler:
    """The handler of that name whose module has this source; `owner` is for messages. Raises UsageError."""
    about = f"the handler `{name}` ({owner})"
    try:
        tree = ast.parse(source, feature_version=OLDEST)
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"{about} is not Python 3.{OLDEST[1]}, which steps may run: {error}") from None
    heavy = [i.module for s in _at_import(tree) for i in imports_of(s, "relative") if not is_standard(i.module)]
    if heavy:
        raise UsageError(f"{about} imports `{heavy[0]}` at its top; import it inside `dump` and `load`")
    functions = {s.name for s in tree.body if isinstance(s, ast.FunctionDef)}
    missing = [wanted for wanted in ("dump", "load") if wanted not in functions]
    if missing:
        raise UsageError(f"{about} defines no function `{missing[0]}`")
    types = _texts(tree, "TYPES")
    if not types:
        raise UsageError(f'{about} needs `TYPES`, a tuple of dotted names as in `TYPES = ("package.module.Class",)`')
    return Handler(name, types, frozenset(_texts(tree, "MODULES") or (t.partition(".")[0] for t in types)), source)


def _at_import(tree: ast.Module) -> Iterable[ast.stmt]:
    """The statements of a module that run when it is imported, without those for type checkers."""
    quiet = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [s for s in tree.body if not isinstance(s, quiet) and not (isinstance(s, ast.If) and _for_checkers(s.test))]


def _for_checkers(test: ast.expr) -> bool:
    return ast.unparse(test).rpartition(".")[2] == "TYPE_CHECKING"


def _texts(tree: ast.Module, name: str) -> tuple[str, ...]:
    """The texts that a module assigns to a name, as a list or tuple of them; none where it does not."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and [ast.unparse(t) for t in statement.targets] == [name]:
            items = statement.value.elts if isinstance(statement.value, ast.Tuple | ast.List) else []
            texts = [i.value for i in items if isinstance(i, ast.Constant) and isinstance(i.value, str)]
            return tuple(texts) if len(texts) == len(items) else ()
    return ()


def _source(name: str, module: str) -> str:
    """The source of the module that an entry point names; its packages are not imported. Raises UsageError."""
    spec: ModuleSpec | None = None
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        whole = ".".join(parts[:end])
        try:
            spec = PathFinder.find_spec(whole, _folders(spec)) if end > 1 else importlib.util.find_spec(whole)
        except (ImportError, ValueError):
            spec = None
        if spec is None:
            break
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise UsageError(f"the handler `{name}` has no source: the module `{module}` of its entry point is not found")
    try:
        return Path(spec.origin).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the handler `{name}` cannot be read: {error}") from None


def _folders(package: ModuleSpec | None) -> list[str]:
    return list((package and package.submodule_search_locations) or [])
