"""What code does to its process, and what it sees of that: options of libraries, the environment, loggers, files."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kalecompiler import loggers, names, trees
from kalecompiler.dotted import dotted_path
from kalecompiler.hiddentable import (
    ENVIRONMENT_READS,
    FILE_READS,
    FILE_WRITES,
    LOGGER_ATTRIBUTES,
    LOGGER_METHODS,
    LOGGING_SETUP,
    LOGGING_USES,
    ONLY_WHERE_NAMED,
    READ_METHODS,
    RESTORED,
    STATE_CALLS,
    STATE_METHODS,
    WRITE_METHODS,
)
from kalecompiler.loggers import ROOT, Loggers
from kalecompiler.packages import is_known
from kalecompiler.reach import Helpers, every, executed
from kalecompiler.shapes import last_name

ANY = "*"
_ENVIRON = ("os.environ", "os.putenv", "os.unsetenv", "os.getenv", "dotenv.load_dotenv")


@dataclass(frozen=True, slots=True)
class Effect:
    """Something of the process that code changes or looks at: `kind` tells how the reader is found, `key` what it is,
    `shown` the same in words."""

    kind: str
    key: str
    shown: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """How to read a piece of code: what its names stand for.

    `searched`: all folders added to `sys.path` are known, so that what steps need from there is carried. `given` are
    the parameters of the function around.
    """

    paths: Mapping[str, str]
    loggers: Loggers
    searched: bool = False
    given: Collection[str] = ()

    def within(self, function: names.Function) -> View:
        """How to read the body of a function: its own names, those that it imports aside, hide the notebook's."""
        imported = {
            b
            for n in every(names.body_of(function))
            if isinstance(n, ast.Import | ast.ImportFrom)
            for b in names.imported_names(n)
        }
        own = names.local_names(function) - imported
        paths = {n: p for n, p in self.paths.items() if n not in own}
        return View(paths, self.loggers, self.searched, names.parameters(function))

    def path(self, expr: ast.AST) -> str | None:
        return dotted_path(expr, self.paths)


def changes(nodes: Sequence[ast.AST], view: View) -> list[tuple[ast.AST, Effect]]:
    """What code changes, of which these are the nodes that run; less what `with` or `finally` puts back."""
    back = _put_back_in(nodes, view)
    found = ((node, effect) for node in nodes for effect in _changed_by(node, view))
    return [(n, e) for n, e in found if (id(n), e.key) not in back and (0, e.key) not in back]


def _put_back_in(nodes: Sequence[ast.AST], view: View) -> set[tuple[int, str]]:
    """(id of a node, key) of what a `with` around the node puts back, and (0, key) of what a `finally` puts back."""
    found: set[tuple[int, str]] = set()
    for node in nodes:
        if isinstance(node, ast.With):
            for key in (RESTORED.get(view.path(_called(i.context_expr)) or "") for i in node.items):
                found |= {(id(n), key) for n in executed(node.body)} if key else set()
        elif isinstance(node, ast.Try):
            found |= {(0, e.key) for n in executed(node.finalbody) for e in _changed_by(n, view)}
    return found


def changed_in(function: names.Function, view: View) -> list[Effect]:
    """What the body of a function changes; of a context manager's, less what it does again after its `yield`."""
    body = _whole_body(function)
    found = changes(body, view.within(function))
    if any(last_name(d) in ("contextmanager", "asynccontextmanager") for d in getattr(function, "decorator_list", ())):
        until = min((n.lineno for n in body if isinstance(n, ast.Yield)), default=0)
        again = {e.key for n, e in found if getattr(n, "lineno", 0) > until}
        return [e for _, e in found if e.key not in again]
    return [e for _, e in found]


def seen_in(function: names.Function, view: View) -> list[Effect]:
    """What the body of a function looks at."""
    return [e for _, e in looks(_whole_body(function), view.within(function))]


def put_back(helpers: Helpers, view: View) -> dict[int, frozenset[Effect]]:
    """What the methods `__enter__` change, by their ids, that an `__exit__` changes back."""
    leaving = [m for name in ("__exit__", "__aexit__") for m in helpers.methods.get(name, ())]
    back = frozenset(e for m in leaving for e in changed_in(m, view))
    return {id(m): back for name in ("__enter__", "__aenter__") for m in helpers.methods.get(name, ())}


def _whole_body(function: names.Function) -> list[ast.AST]:
    """The nodes of a function that run when it is called, or when what it returns is: those of functions in it too."""
    body = names.body_of(function)
    inner = [n for n in every(body) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [n for part in (body, *(f.body for f in inner)) for n in executed(part)]


def _called(expr: ast.expr) -> ast.expr:
    return expr.func if isinstance(expr, ast.Call) else expr


# -- changes -----------------------------------------------------------------------------------------------------------


def _changed_by(node: ast.AST, view: View) -> Iterator[Effect]:
    if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
        yield from _stored(node, view)
    elif isinstance(node, ast.Call):
        yield from _called_for(node, view)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        for decorator in node.decorator_list:
            path = view.path(_called(decorator))
            if path is not None and last_name(decorator).startswith("register") and "functools" not in path:
                yield _module(path)


def _stored(node: ast.Attribute | ast.Subscript, view: View) -> Iterator[Effect]:
    logger = _logger_stored(node, view)
    path = view.path(node.value)
    if logger is not None:
        yield logger
    elif path is not None:
        whole = f"{path}.{node.attr}" if isinstance(node, ast.Attribute) else path
        yield _state(whole if whole in STATE_CALLS else path, node)


def _logger_stored(node: ast.Attribute | ast.Subscript, view: View) -> Effect | None:
    if isinstance(node, ast.Attribute) and node.attr in LOGGER_ATTRIBUTES:
        return _configured(node.value, view)
    inner = node.value
    if isinstance(node, ast.Subscript) and isinstance(inner, ast.Attribute) and inner.attr in LOGGER_ATTRIBUTES:
        return _configured(inner.value, view)
    return None


def _called_for(node: ast.Call, view: View) -> Iterator[Effect]:
    path = view.path(node.func)
    if path is not None and path.startswith("logging.") and path.removeprefix("logging.") in LOGGING_SETUP:
        yield Effect("logging", ROOT, loggers.shown(ROOT, None))
    elif path is not None and _is_state(path):
        yield _state(path, node)
    elif isinstance(node.func, ast.Attribute):
        logger = _logger_called(node.func, view)
        if logger is not None:
            yield logger
    elif isinstance(node.func, ast.Name) and node.func.id in ("setattr", "delattr") and node.args:
        path = view.path(node.args[0])
        logger = _configured(node.args[0], view)
        if logger is not None or path is not None:
            yield logger or _state(path or "", node)
    key = file_of(node, path, FILE_WRITES, WRITE_METHODS, writing=True)
    if key is not None:
        yield Effect("file", key, f"`{key}`")


def _logger_called(function: ast.Attribute, view: View) -> Effect | None:
    """`log.addHandler(h)`, `log.handlers.clear()`, `log.handlers[0].setLevel(...)`; of a parameter too."""
    receiver = function.value
    if view.path(receiver) == "loguru.logger" and function.attr in ("add", "remove", "configure", "disable", "enable"):
        return Effect("logging", ROOT, "the logger of `loguru`")
    if function.attr in LOGGER_METHODS:
        found = _configured(receiver, view)
        unseen = function.attr != "setLevel" and "logging" in view.paths.values()
        if found is None and (unseen or (isinstance(receiver, ast.Name) and receiver.id in view.given)):
            return Effect("logging", loggers.UNKNOWN, loggers.shown(loggers.UNKNOWN, receiver))
        if found is not None:
            return found
    if isinstance(receiver, ast.Subscript):
        receiver = receiver.value
    if isinstance(receiver, ast.Attribute) and receiver.attr in ("handlers", "filters"):
        return _configured(receiver.value, view)
    return None


def _configured(expr: ast.AST, view: View) -> Effect | None:
    name = view.loggers.of(expr)
    return None if name is None else Effect("logging", name, loggers.shown(name, expr))


def _is_state(path: str) -> bool:
    head, _, last = path.rpartition(".")
    return (
        path in STATE_CALLS
        or (head in STATE_CALLS and last in STATE_METHODS)
        or (head.endswith(".__dict__") and last in STATE_METHODS)
    )


def _state(path: str, node: ast.AST) -> Effect:
    if path.startswith(_ENVIRON):
        return Effect("environment", _variable(node), "an environment variable")
    if path == "os.chdir":
        return Effect("folder", "folder", "the working directory")
    if path.startswith(("sys.path", "site.addsitedir")):
        return Effect("path", "sys.path", "`sys.path`")
    return _module(path)


def _module(path: str) -> Effect:
    top = path.partition(".")[0]
    kind = "module" if top in ONLY_WHERE_NAMED else "everything"
    return Effect(kind, top, f"the state of the module `{top}`")


def _variable(node: ast.AST) -> str:
    """The environment variable that a node names, ANY where it names none."""
    key: ast.AST | None = node.slice if isinstance(node, ast.Subscript) else None
    if isinstance(node, ast.Call) and last_name(node) in ("putenv", "unsetenv", "getenv", "get", "setdefault", "pop"):
        key = node.args[0] if node.args else None
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ANY


# -- looks -------------------------------------------------------------------------------------------------------------


def looks(nodes: Sequence[ast.AST], view: View) -> Iterator[tuple[ast.AST, Effect]]:
    """What code looks at, of which these are the nodes that run; what computes may see the options of any library."""
    named: set[int] = set()
    for node in nodes:
        if isinstance(node, ast.stmt) and not _only_prepares(node, view):
            yield node, Effect("everything", ANY)
        for effect in _seen_by(node, view, named):
            yield node, effect


def _only_prepares(node: ast.stmt, view: View) -> bool:
    """Whether a statement computes nothing: it imports, defines, or sets state itself."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Pass):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return any(True for _ in _changed_by(node.value, view))
    value = node.value if isinstance(node, ast.Assign | ast.Expr) else None
    return isinstance(value, ast.Constant) or (
        isinstance(node, ast.Assign) and any(True for t in node.targets for _ in _changed_by(t, view))
    )


def _seen_by(node: ast.AST, view: View, named: set[int]) -> Iterator[Effect]:
    if isinstance(node, ast.Import | ast.ImportFrom) and not view.searched and _finds_modules(node):
        yield Effect("path", "sys.path")
    if isinstance(node, ast.Name | ast.Attribute):
        yield from _named_by(node, view, named)
    if isinstance(node, ast.Subscript | ast.Call):
        called = node.func if isinstance(node, ast.Call) else node.value
        path = view.path(called) or ""
        if path.startswith(_ENVIRON):
            named |= {id(n) for n in trees.walk(called)}
            if not _only_sets(node):
                yield Effect("environment", _variable(node))
    if isinstance(node, ast.Call):
        key = file_of(node, view.path(node.func), FILE_READS, READ_METHODS, writing=False)
        if key is not None:
            yield Effect("file", key, f"`{key}`")
            yield Effect("folder", "folder")
    logger = view.loggers.of(node) if isinstance(node, ast.Name | ast.Attribute | ast.Call) else None
    if logger is not None and not isinstance(getattr(node, "ctx", None), ast.Store):
        yield Effect("logging", logger)


def _only_sets(node: ast.Subscript | ast.Call) -> bool:
    """Whether a use of the environment gives nothing back."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.ctx, ast.Store)
    return last_name(node) in ("putenv", "unsetenv", "update", "load_dotenv")


def _named_by(node: ast.Name | ast.Attribute, view: View, named: set[int]) -> Iterator[Effect]:
    if isinstance(node, ast.Name) and node.id in view.loggers.kept:
        yield Effect("name", node.id)
    path = view.path(node)
    if path is None:
        return
    top, _, rest = path.partition(".")
    yield Effect("module", top)
    if path.startswith("sys.path") and isinstance(node.ctx, ast.Load):
        yield Effect("path", "sys.path")
    if (path.startswith(_ENVIRON) and id(node) not in named) or path.startswith(ENVIRONMENT_READS):
        yield Effect("environment", ANY)
    if top in ("os", "pathlib", "glob", "shutil") or path == "open":
        yield Effect("folder", "folder")
    if top == "logging" and rest in LOGGING_USES:
        yield Effect("logging", ROOT)


def _finds_modules(node: ast.Import | ast.ImportFrom) -> bool:
    """Whether an import needs more than the standard library and packages that everybody knows."""
    modules = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return not all(map(is_known, modules))


# -- files -------------------------------------------------------------------------------------------------------------


def file_of(
    node: ast.Call,
    path: str | None,
    functions: Mapping[str, int],
    methods: frozenset[str],
    *,
    writing: bool,
) -> str | None:
    """The file that a call writes or reads, as text: a literal, or the name that holds its path."""
    if path == "open":
        return _argument(node, 0) if _opens_to_write(node) == writing else None
    if path is not None and path in functions:
        return _argument(node, functions[path])
    if isinstance(node.func, ast.Attribute) and node.func.attr in methods:
        if node.func.attr.startswith("to_"):
            return _argument(node, 0)
        return _path_text(node.func.value)
    return None


def _opens_to_write(node: ast.Call) -> bool:
    mode = node.args[1] if len(node.args) > 1 else next((k.value for k in node.keywords if k.arg == "mode"), None)
    text = mode.value if isinstance(mode, ast.Constant) and isinstance(mode.value, str) else "r"
    return any(letter in text for letter in "wax+")


def _argument(node: ast.Call, position: int) -> str | None:
    return _path_text(node.args[position]) if position < len(node.args) else None


def _path_text(expr: ast.expr) -> str | None:
    """A path as a key: the text of a literal, `name` for a variable, the inside of `Path(...)`."""
    if isinstance(expr, ast.Constant) and isinstance(expr.value, str):
        return f'"{expr.value.removeprefix("./")}"'
    if isinstance(expr, ast.Name):
        return expr.id
    if isinstance(expr, ast.Call) and len(expr.args) == 1:
        return _path_text(expr.args[0]) if last_name(expr) in ("Path", "PurePath", "open", "str") else None
    return None
