"""Hidden channels: what goes from step to step past all variables, and so is lost in a pipeline.

Process-wide state of libraries, environment variables, loggers, files, the working directory, code in strings. What one
step writes, itself or through functions of the notebook, and a later one looks at is a warning, with the two places.
Syntax only: nothing here runs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from kalecompiler import diagnostics as rules
from kalecompiler import dynamic, loggers, trees
from kalecompiler.diagnostics import Diagnostic
from kalecompiler.dotted import paths_of
from kalecompiler.model import Location, Notebook, Step
from kalecompiler.names import bound_names, declared, local_names
from kalecompiler.processstate import ANY, Effect, View, changed_in, changes, looks, put_back, seen_in
from kalecompiler.reach import Helpers, closure, every, executed, helpers
from kalecompiler.searchpath import search_path
from kalecompiler.stateful import changed_names

if TYPE_CHECKING:
    from kalecompiler.assemble import Part, Reading

_EVERYWHERE = "do it in a cell tagged `imports`, which runs at the start of every step"
_HINTS = {
    "environment": "hand the value over in a variable, or set it with the tag `env:` or in a cell tagged `imports`",
    "folder": "set it in each step that needs it, or in a cell tagged `imports`",
    "path": "set it in each step that needs it, or in a cell tagged `imports`",
    "file": "hand the data over in a variable",
    "name": "log and look at it in one step, or hand it on in a variable that the step assigns",
}
_ADDING = ("addHandler", "addFilter", "append", "insert", "extend")


@dataclass(frozen=True, slots=True)
class Trace:
    """A place in a step that changes its process or looks at it; `call` is the helper that does so, as it is called."""

    step: str
    part: Part
    node: ast.AST
    effect: Effect
    place: tuple[int, int, int]
    call: str = ""

    @property
    def text(self) -> str:
        """What does it, to tell whether another step does the same; empty where doing it again adds to it."""
        text = ast.dump(self.node)
        return "" if any(f"attr='{name}'" in text for name in _ADDING) else text


@dataclass(frozen=True, slots=True)
class _Written:
    """What was done to one thing by the steps so far: the last place, and the texts of all."""

    last: Trace
    texts: set[str]


@dataclass(frozen=True)
class _Code:
    """How to read the notebook's code: `changed` and `seen` tell what each function does, with what it calls, and
    `running` has the nodes of each cell that run where they stand."""

    view: View
    helpers: Helpers
    changed: Mapping[int, set[Effect]]
    seen: Mapping[int, set[Effect]]
    running: Mapping[int, list[ast.AST]]

    def traces(self, step: str, parts: Sequence[Part], *, writing: bool) -> Iterator[Trace]:
        """What a step changes or, without `writing`, looks at; in the order of its text."""
        table, own = (self.changed, changes) if writing else (self.seen, looks)
        for number, part in enumerate(parts):
            nodes = self.running[id(part)]
            found = own(nodes, self.view)
            yield from (Trace(step, part, node, effect, _place(number, node)) for node, effect in found)
            for mention in self.helpers.mentions(nodes):
                does = {e for function in self.helpers.reached(mention) for e in table[id(function)]}
                for effect in sorted(does, key=lambda e: (e.kind, e.key)):
                    yield Trace(step, part, mention.node, effect, _place(number, mention.node), mention.shown)


def find(reading: Reading) -> list[Diagnostic]:
    """The warnings of a notebook."""
    code = _code(reading)
    writes: dict[tuple[str, str], _Written] = {}
    found: list[Diagnostic] = []
    for number, (step, parts) in enumerate(reading.steps.items()):
        own = list(code.traces(step, parts, writing=True))
        looked = sorted(code.traces(step, parts, writing=False), key=lambda t: t.place)
        own += _logged(code.view.loggers, looked)
        seen: dict[tuple[str, str], Trace] = {}
        for trace in looked if number else ():
            seen.setdefault((trace.effect.kind, trace.effect.key), trace)
        for written in writes.values():
            hit = _hit(written.last.effect, seen)
            if hit is not None and not _done_again(written, own, hit):
                found.append(_diagnostic(reading, step, written.last, hit))
        for trace in own:
            key = trace.effect.kind, trace.effect.key
            texts = writes[key].texts if key in writes else set()
            writes[key] = _Written(trace, texts | {trace.text})
        found += [d for part in parts for d in _unknowable(reading, part, code.view.paths)]
    return found


def _code(reading: Reading) -> _Code:
    nodes = list(every(part.tree for part in reading.parts))
    paths = paths_of(nodes)
    view = View(paths, loggers.find(nodes, paths), search_path(nodes, paths).complete)
    own = helpers(nodes, paths)
    changed = {id(f): frozenset(_outside(changed_in(f, view))) for f in own.all()}
    seen = {id(f): frozenset(_outside(seen_in(f, view))) for f in own.all()}
    running = {id(part): list(executed(part.tree.body)) for parts in reading.steps.values() for part in parts}
    return _Code(view, own, closure(own, changed, put_back(own, view)), closure(own, seen, {}), running)


def _outside(effects: Iterable[Effect]) -> Iterator[Effect]:
    """What is of the process in a function's body too: no file of a variable, no plain statement."""
    return (e for e in effects if e.kind != "everything" or e.key != ANY if e.kind != "file" or e.key[0] == '"')


def _logged(found: loggers.Loggers, looked: Sequence[Trace]) -> list[Trace]:
    """A step that logs changes the variables in which handlers of the notebook keep what is logged."""
    logging = next((t for t in looked if t.effect.kind == "logging"), None)
    if logging is None:
        return []
    return [
        replace(logging, effect=Effect("name", name, f"`{name}` through `{keeper}`"), call="")
        for name, keeper in found.kept.items()
    ]


def _hit(write: Effect, seen: Mapping[tuple[str, str], Trace]) -> Trace | None:
    """The first place of a step that sees what an earlier one wrote."""
    if write.kind == "everything":
        return seen.get(("everything", ANY))
    if write.kind == "logging":
        hits = [t for (kind, key), t in seen.items() if kind == "logging" and loggers.related(write.key, key)]
    elif write.kind == "environment":
        wanted = (ANY, write.key)
        hits = [t for (kind, key), t in seen.items() if kind == "environment" and (write.key == ANY or key in wanted)]
    else:
        hits = [t for t in [seen.get((write.kind, write.key))] if t is not None]
    return min(hits, key=lambda t: t.place, default=None)


def _done_again(written: _Written, own: Sequence[Trace], hit: Trace) -> bool:
    """Whether a step does all of the same itself before it looks."""
    return "" not in written.texts and written.texts <= {t.text for t in own if t.place <= hit.place}


def _diagnostic(reading: Reading, reader: str, write: Trace, read: Trace) -> Diagnostic:
    effect = write.effect
    by = f" by calling `{write.call}`" if write.call else ""
    if effect.kind == "file":
        message = (
            f"step `{reader}` reads the file {effect.shown}, which step `{write.step}` writes{by}: "
            "pods do not share a disk"
        )
        return Diagnostic(rules.FILE_CHANNEL, message, _where(reading, read), _HINTS["file"])
    verb = "configures" if effect.kind == "logging" else "logs to" if effect.kind == "name" else "changes"
    message = (
        f"step `{write.step}` {verb} {effect.shown}{by}, and step `{reader}` would not see it: "
        "a step is a process of its own"
    )
    return Diagnostic(rules.PROCESS_STATE, message, _where(reading, write), _HINTS.get(effect.kind, _EVERYWHERE))


def _place(number: int, node: ast.AST) -> tuple[int, int, int]:
    """Where a node stands in its step, to compare."""
    return number, getattr(node, "lineno", 1), getattr(node, "col_offset", 0)


def _where(reading: Reading, trace: Trace) -> Location:
    node = trace.node
    line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
    return reading.book.at(trace.part.annotation.cell, line, column)


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
    functions = [n for n in trees.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    if any(declared(f.body, ast.Global) for f in functions):
        return True
    shared = bound_names(s for s in tree.body if isinstance(s, ast.Assign | ast.AnnAssign))
    return any(name in shared - local_names(f) for f in functions for name in changed_names(f))


def _unknowable(reading: Reading, part: Part, paths: Mapping[str, str]) -> Iterator[Diagnostic]:
    """Names that only running the code could tell: reported where they are asked for."""
    nodes = list(every([part.tree]))
    literal = {id(n.value) for n in nodes if isinstance(n, ast.Subscript) and dynamic.entry(n)}
    asked = {id(side) for n in nodes if isinstance(n, ast.Compare) for side in (n.left, *n.comparators)}
    for node in nodes:
        shown = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            shown = _unknown_call(node, literal)
        elif isinstance(node, ast.Import) and any(a.name == "__main__" for a in node.names):
            shown = "import __main__"
        elif isinstance(node, ast.Constant) and node.value == "__main__" and "sys" in paths and id(node) not in asked:
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
