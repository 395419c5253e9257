"""Which functions and methods of the notebook a piece of its code may run: by their names, over the whole notebook."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kalecompiler import names, shapes, trees

_T = TypeVar("_T", bound=Hashable)
_USES = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop)
_ENTERS = ("__enter__", "__aenter__")
_NOT_MADE = frozenset((*_ENTERS, "__exit__", "__aexit__", "__del__", "__call__"))


@dataclass(frozen=True, slots=True)
class Mention:
    """A place that may run something: `name` is a function's or class's, or with `method` that of a method."""

    node: ast.AST
    name: str
    method: bool = False

    @property
    def shown(self) -> str:
        """What is called, as it is written."""
        return ast.unparse(self.node.func) if isinstance(self.node, ast.Call) else self.name


@dataclass(frozen=True)
class Helpers:
    """The functions of a notebook by name (for a class: what making an instance may run), and all methods by name.

    `holders` are variables that hold functions, with the names of those. `others` are names that are no helper's: those
    that the notebook imports, and Python's own.
    """

    functions: Mapping[str, list[names.Function]]
    methods: Mapping[str, list[names.Function]]
    holders: Mapping[str, frozenset[str]]
    others: frozenset[str]

    def reached(self, mention: Mention) -> list[names.Function]:
        """What may run at a place."""
        if mention.method:
            return self.methods.get(mention.name, [])
        if mention.name not in self.functions and mention.name not in self.others:
            return self.methods.get("__call__", [])  # it may be an instance
        return self.functions.get(mention.name, [])

    def all(self) -> list[names.Function]:
        """Every function, each once, in the order of the notebook."""
        found = [f for table in (self.functions, self.methods) for group in table.values() for f in group]
        return list({id(f): f for f in found}.values())

    def mentions(self, nodes: Iterable[ast.AST], local: Collection[str] = ()) -> Iterator[Mention]:
        """What these nodes may run: functions that are called or handed to a call, decorators, methods, `with`."""
        for node in nodes:
            if isinstance(node, ast.Call):
                arguments = [*node.args, *(k.value for k in node.keywords)]
                named = [part.id for part in arguments if isinstance(part, ast.Name) and part.id in self.functions]
                named += [node.func.id] if isinstance(node.func, ast.Name) else []
                yield from (Mention(node, name) for name in named if name not in local)
            elif isinstance(node, ast.Name) and node.id in self.holders and isinstance(node.ctx, ast.Load):
                yield from (Mention(node, name) for name in sorted(self.holders[node.id]) if node.id not in local)
            elif isinstance(node, ast.Attribute):
                start = shapes.base(node)
                if not isinstance(start, ast.Name) or start.id not in self.others:
                    yield Mention(node, node.attr, method=True)
            elif isinstance(node, ast.With | ast.AsyncWith):
                yield from (Mention(node, name, method=True) for name in _ENTERS)
            yield from (d for d in _decorators(node) if d.name not in local)


def helpers(nodes: Sequence[ast.AST], others: Collection[str]) -> Helpers:
    """The functions, methods and named lambdas of a notebook with these nodes; `others` are the names it imports."""
    functions: dict[str, list[names.Function]] = {}
    methods: dict[str, list[names.Function]] = {}
    for owner in (n for n in nodes if isinstance(n, ast.ClassDef)):
        own = [m for m in owner.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)]
        for method in own:
            methods.setdefault(method.name, []).append(method)
        made = [m for m in own if m.name.startswith("__") and m.name not in _NOT_MADE]
        functions.setdefault(owner.name, []).extend(made)
    holders: dict[str, frozenset[str]] = {}
    of_classes = {id(m) for found in methods.values() for m in found}
    for node in executed(n for n in nodes if isinstance(n, ast.Module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and id(node) not in of_classes:
            functions.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.Assign):
            lambdas = [n for n in every([node.value]) if isinstance(n, ast.Lambda)]
            for name in (t.id for t in node.targets if isinstance(t, ast.Name) and lambdas):
                functions.setdefault(name, []).extend(lambdas)
            for name in (t.id for t in node.targets if isinstance(t, ast.Name)):
                holders[name] = holders.get(name, frozenset()) | _held(node.value)
    holders = {name: held & functions.keys() for name, held in holders.items() if held & functions.keys()}
    return Helpers(functions, methods, holders, frozenset((*others, *dir(builtins))))


def _held(value: ast.expr) -> frozenset[str]:
    """The names that a value holds, to be called later: another name, elements, what `partial` is given."""
    if isinstance(value, ast.Name):
        return frozenset({value.id})
    parts: list[ast.expr] = []
    if isinstance(value, ast.List | ast.Tuple | ast.Set):
        parts = value.elts
    elif isinstance(value, ast.Dict):
        parts = value.values
    elif isinstance(value, ast.Call) and shapes.last_name(value) == "partial":
        parts = value.args
    return frozenset().union(*map(_held, parts))


def _decorators(node: ast.AST) -> Iterator[Mention]:
    """A decorator runs where its definition stands, and what it put around a function when that is called."""
    for decorator in getattr(node, "decorator_list", ()):
        made = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(made, ast.Name):
            yield Mention(decorator, made.id)


def executed(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes that run where they stand, in order: all but the bodies of functions. A lambda counts as called."""
    stack = list(nodes)[::-1]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            stack += names.outer_parts(node)[::-1]
        else:
            stack += _below(node)[::-1]


def every(trees: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes, in the order of the text."""
    stack = list(trees)[::-1]
    while stack:
        node = stack.pop()
        yield node
        stack += _below(node)[::-1]


def _below(node: ast.AST) -> list[ast.AST]:
    """The children of a node, but for those that only say how it is used."""
    return [child for child in trees.children(node) if not isinstance(child, _USES)]


def closure(found: Helpers, own: Mapping[int, frozenset[_T]], kept: Mapping[int, frozenset[_T]]) -> dict[int, set[_T]]:
    """What each function does, by its id, with what it calls does: `own` is what its own code does, `kept` what it
    takes back before it is done. Each thing goes once along each call."""
    callers: dict[int, list[int]] = {}
    functions = found.all()
    for function in functions:
        body = every(names.body_of(function))
        for mention in (*found.mentions(body, names.local_names(function)), *_decorators(function)):
            for target in found.reached(mention):
                callers.setdefault(id(target), []).append(id(function))
    does: dict[int, set[_T]] = {id(f): set() for f in functions}
    work = [(id(f), thing) for f in functions for thing in own.get(id(f), ())]
    while work:
        key, thing = work.pop()
        if thing in does[key] or thing in kept.get(key, ()):
            continue
        does[key].add(thing)
        work += [(caller, thing) for caller in callers.get(key, ())]
    return does
