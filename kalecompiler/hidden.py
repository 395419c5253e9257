"""Hidden channels: what goes from step to step past all variables, and so is lost in a pipeline.

Process-wide state of libraries, environment variables, files, the working directory, code in strings. What is written
in one step and looked at in a later one is a warning, with the two places. Syntax only: nothing here runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from kalecompiler import diagnostics as rules
from kalecompiler import dynamic
from kalecompiler.diagnostics import Diagnostic
from kalecompiler.hiddentable import FILE_READS, FILE_WRITES, READ_METHODS, STATE_CALLS, WRITE_METHODS
from kalecompiler.model import Location, Notebook, Step
from kalecompiler.names import bound_names, declared, imported_names, local_names
from kalecompiler.shapes import last_name
from kalecompiler.stateful import changed_names

if TYPE_CHECKING:
    from kalecompiler.assemble import Part, Reading

_HINTS = {
    "environment": "hand the value over in a variable, or set it with the tag `env:` or in a cell tagged `imports`",
    "folder": "set it in each step that needs it, or in a cell tagged `imports`",
    "everything": "do it in a cell tagged `imports`, which runs at the start of every step",
    "module": "do it in a cell tagged `imports`, which runs at the start of every step",
}

_ANY = "*"
_ONLY_WHERE_NAMED = frozenset("warnings logging sys matplotlib seaborn plotly IPython".split())


@dataclass(frozen=True, slots=True)
class Trace:
    """A place that writes or reads something hidden: `key` says what, `kind` how the reader is found."""

    step: int
    part: Part
    node: ast.AST
    kind: str
    key: str
    shown: str


def find(reading: Reading) -> list[Diagnostic]:
    """The warnings of a notebook."""
    paths = _import_paths(part.tree for part in reading.parts)
    steps = list(reading.steps.items())
    writes: dict[str, Trace] = {}
    found: list[Diagnostic] = []
    for number, (step, parts) in enumerate(steps):
        reads = {(t.kind, t.key): t for part in parts for t in _reads(number, part, paths)} if number else {}
        for write in writes.values():
            hit = reads.get((write.kind, write.key)) or reads.get((write.kind, _ANY))
            if hit is not None:
                found.append(_diagnostic(reading, steps[write.step][0], step, write, hit))
        writes |= {t.key: t for part in parts for t in _writes(number, part, paths)}
        found += [d for part in parts for d in _unknowable(reading, part, paths)]
    return found


def _diagnostic(reading: Reading, writer: str, reader: str, write: Trace, read: Trace) -> Diagnostic:
    if write.kind == "file":
        message = (
            f"step `{reader}` reads the file {write.shown}, which step `{writer}` writes: pods do not share a disk"
        )
        hint = "hand the data over in a variable"
        return Diagnostic(rules.FILE_CHANNEL, message, _where(reading, read), hint)
    message = (
        f"step `{writer}` changes {write.shown}, and step `{reader}` would not see it: a step is a process of its own"
    )
    return Diagnostic(rules.PROCESS_STATE, message, _where(reading, write), _HINTS[write.kind])


def _where(reading: Reading, trace: Trace) -> Location:
    node = trace.node
    line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
    return reading.book.at(trace.part.annotation.cell, line, column)


def _import_paths(trees: Iterable[ast.AST]) -> dict[str, str]:
    """What each imported name stands for, in dotted form, over the whole notebook."""
    paths: dict[str, str] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    paths[alias.asname or alias.name.split(".")[0]] = (
                        alias.name if alias.asname else alias.name.split(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom):
                names = list(imported_names(node))
                plain = [a for a in node.names if a.name != "*"]
                paths |= {n: f"{node.module}.{a.name}" for n, a in zip(names, plain, strict=True)}
    return paths


def _path(expr: ast.AST, paths: dict[str, str]) -> str | None:
    """The dotted path of an expression that starts at an imported name."""
    parts: list[str] = []
    while isinstance(expr, ast.Attribute | ast.Call | ast.Subscript):
        if isinstance(expr, ast.Call) and expr.args:
            return None  # what a call makes of its arguments is no state of the module
        if isinstance(expr, ast.Attribute):
            parts.append(expr.attr)
        expr = expr.func if isinstance(expr, ast.Call) else expr.value
    if not isinstance(expr, ast.Name):
        return None
    base = paths.get(expr.id, expr.id if expr.id == "open" else None)
    return None if base is None else ".".join([base, *reversed(parts)])


def _writes(step: int, part: Part, paths: dict[str, str]) -> Iterator[Trace]:
    for node in ast.walk(part.tree):
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            yield from _store(step, part, node, paths)
        elif isinstance(node, ast.Call):
            path = _path(node.func, paths)
            if path is not None and _known_state(path):
                yield _state_trace(step, part, node, path)
            key = _file(node, path, FILE_WRITES, WRITE_METHODS, writing=True)
            if key is not None:
                yield Trace(step, part, node, "file", key, _shown(key))


def _store(step: int, part: Part, node: ast.Attribute | ast.Subscript, paths: dict[str, str]) -> Iterator[Trace]:
    path = _path(node.value, paths)
    if path is not None:
        yield _state_trace(step, part, node, path)


def _known_state(path: str) -> bool:
    head, _, last = path.rpartition(".")
    return path in STATE_CALLS or (
        head in STATE_CALLS and last in ("update", "setdefault", "pop", "append", "insert", "extend")
    )


def _state_trace(step: int, part: Part, node: ast.AST, path: str) -> Trace:
    top = path.partition(".")[0]
    if path.startswith(("os.environ", "os.putenv", "os.unsetenv")):
        return Trace(step, part, node, "environment", "environ", "an environment variable")
    if path == "os.chdir":
        return Trace(step, part, node, "folder", "folder", "the working directory")
    if path.startswith("sys.path"):
        return Trace(step, part, node, "folder", "sys.path", "`sys.path`")
    kind = "module" if top in _ONLY_WHERE_NAMED else "everything"
    return Trace(step, part, node, kind, top, f"the state of the module `{top}`")


def _reads(step: int, part: Part, paths: dict[str, str]) -> Iterator[Trace]:
    yield Trace(step, part, part.tree, "everything", _ANY, "")
    for node in ast.walk(part.tree):
        if isinstance(node, ast.Import | ast.ImportFrom) or (
            isinstance(node, ast.Name) and paths.get(node.id) == "sys"
        ):
            yield Trace(step, part, node, "folder", "sys.path", "")
        path = _path(node, paths) if isinstance(node, ast.Name | ast.Attribute) else None
        if path is not None:
            yield Trace(step, part, node, "module", path.partition(".")[0], "")
            if path.startswith(("os.environ", "os.getenv")):
                yield Trace(step, part, node, "environment", "environ", "")
            if path.partition(".")[0] in ("os", "pathlib", "glob", "shutil") or path == "open":
                yield Trace(step, part, node, "folder", "folder", "")
        if isinstance(node, ast.Call):
            key = _file(node, _path(node.func, paths), FILE_READS, READ_METHODS, writing=False)
            if key is not None:
                yield Trace(step, part, node, "file", key, _shown(key))
                yield Trace(step, part, node, "folder", "folder", "")


def _file(
    node: ast.Call,
    path: str | None,
    functions: dict[str, int],
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


def _shown(key: str) -> str:
    return f"`{key}`"


def module_state(book: Notebook, steps: Sequence[Step]) -> list[Diagnostic]:
    """A warning for each module beside the notebook that keeps state of its own and is used by several steps."""
    users: dict[str, list[Step]] = {}
    for step in steps:
        for path, text in step.files:
            if _keeps_state(text):
                users.setdefault(path, []).append(step)
    return [
        Diagnostic(
            rules.PROCESS_STATE,
            f"the module `{path}` keeps state, and `{some[0].name}` and `{some[1].name}` would each have their own",
            some[1].origin or Location(str(book.path)),
            "keep the state in a variable of the notebook, and hand it to the functions of the module",
        )
        for path, some in users.items()
        if len(some) > 1
    ]


@cache
def _keeps_state(text: str) -> bool:
    """Whether the functions of a module rebind its globals, or change its lists and dicts in place."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    if any(declared(f.body, ast.Global) for f in functions):
        return True
    shared = bound_names(s for s in tree.body if isinstance(s, ast.Assign | ast.AnnAssign))
    return any(name in shared - local_names(f) for f in functions for name in changed_names(f))


def _unknowable(reading: Reading, part: Part, paths: dict[str, str]) -> Iterator[Diagnostic]:
    """Names that only running the code could tell: reported where they are asked for."""
    literal = {id(n.value) for n in ast.walk(part.tree) if isinstance(n, ast.Subscript) and dynamic.entry(n)}
    for node in ast.walk(part.tree):
        shown = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            shown = _unknown_call(node, literal)
        elif isinstance(node, ast.Import) and any(a.name == "__main__" for a in node.names):
            shown = "import __main__"
        elif isinstance(node, ast.Constant) and node.value == "__main__" and "sys" in paths:
            shown = 'sys.modules["__main__"]'
        if shown is not None:
            where = reading.book.at(
                part.annotation.cell, getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
            )
            message = f"`{shown}` reads or binds names that cannot be known: steps hand on only what their text names"
            yield Diagnostic(rules.DYNAMIC_NAMES, message, where, "name the variables in the code")


def _unknown_call(node: ast.Call, literal: set[int]) -> str | None:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name in ("exec", "eval") and dynamic.embedded(node, name) is None:
        return f"{name}(...)"
    if name in (*dynamic.NAMESPACES, "dir") and not node.args and id(node) not in literal:
        return f"{name}()"
    return None
