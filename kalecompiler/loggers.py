"""Loggers: which expressions of a notebook are one, of which name, and which handlers keep what is logged."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kalecompiler import library, names, trees
from kalecompiler.dotted import dotted_path
from kalecompiler.stateful import changed_names

ROOT, UNKNOWN = "", "?"
_STREAMS = frozenset({"logging.StreamHandler", "logging.basicConfig", "logging.handlers.QueueHandler"})
_GETTERS = frozenset({"logging.getLogger", "logging.Logger", "structlog.get_logger", "loguru.logger"})


@dataclass(frozen=True)
class Loggers:
    """The names of the loggers behind variables, behind attributes, and of those that functions of the notebook return;
    `kept` are the variables in which handlers keep what is logged, each with the text of the handler."""

    paths: Mapping[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    makers: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)

    def of(self, expr: ast.AST | None) -> str | None:
        """The name of the logger that an expression gives; None where it is none, or is not seen to be one."""
        if isinstance(expr, ast.Name):
            return UNKNOWN if self.paths.get(expr.id) == "loguru.logger" else self.variables.get(expr.id)
        if isinstance(expr, ast.Attribute):
            path = dotted_path(expr, self.paths)
            if path is not None:
                return ROOT if path in ("logging.root", "loguru.logger") else None
            return self.attributes.get(expr.attr)
        if not isinstance(expr, ast.Call):
            return None
        if dotted_path(expr.func, self.paths) in _GETTERS:
            return _named(expr)
        if isinstance(expr.func, ast.Attribute) and expr.func.attr == "getChild":
            return None if self.of(expr.func.value) is None else UNKNOWN
        called = expr.func.attr if isinstance(expr.func, ast.Attribute) else getattr(expr.func, "id", "")
        return self.makers.get(called)


def find(nodes: Sequence[ast.AST], paths: Mapping[str, str]) -> Loggers:
    """The loggers of a notebook, of which these are all nodes."""
    found = Loggers(paths)
    if not {p.partition(".")[0] for p in paths.values()} & {"logging", "loguru", "structlog"}:
        return found
    bindings = [b for node in nodes for b in _bindings(node)]
    before = -1
    while before != (before := sum(map(len, (found.variables, found.attributes, found.makers)))):
        for table, name, value in bindings:
            logger = found.of(value)
            if logger is not None:
                goal = getattr(found, table)
                goal[name] = logger if goal.get(name, logger) == logger else UNKNOWN
    found.kept.update(_kept(nodes, paths))
    return found


def related(configured: str, used: str) -> bool:
    """Whether what is set on one logger may be seen where another is used."""
    return UNKNOWN in (configured, used) or f"{used}.".startswith(f"{configured}." if configured else "")


def shown(name: str, expr: ast.AST | None) -> str:
    """A logger in words."""
    if name == ROOT:
        return "the root logger"
    if name != UNKNOWN:
        return f"the logger `{name}`"
    return f"the logger `{ast.unparse(expr)}`" if isinstance(expr, ast.Name | ast.Attribute) else "a logger"


def _named(call: ast.Call) -> str:
    first = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "name"), None)
    if isinstance(first, ast.Name) and first.id == "__name__":
        return "__main__"
    if first is None or (isinstance(first, ast.Constant) and first.value in (None, "", "root")):
        return ROOT
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else UNKNOWN


def _bindings(node: ast.AST) -> Iterator[tuple[str, str, ast.expr]]:
    """What a node binds, as (table of Loggers, name, value)."""
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Name):
                yield "variables", target.id, node.value
            elif isinstance(target, ast.Attribute):
                yield "attributes", target.attr, node.value
    elif isinstance(node, ast.FunctionDef):
        for inner in trees.walk(node):
            if isinstance(inner, ast.Return) and inner.value is not None:
                yield "makers", node.name, inner.value


def _kept(nodes: Sequence[ast.AST], paths: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The variables in which handlers and filters keep what is logged: lists of classes of the notebook, streams."""
    keepers: set[str] = set()
    stateful: set[str] = set()
    for owner in (n for n in nodes if isinstance(n, ast.ClassDef)):
        bases = [dotted_path(b, paths) or getattr(b, "id", "") for b in owner.bases]
        if not any(b.startswith("logging.") or b in keepers for b in bases):
            continue
        keepers.add(owner.name)
        for method in (m for m in owner.body if isinstance(m, ast.FunctionDef)):
            stateful |= {owner.name} if method.name != "__init__" and _changes_self(method) else set()
            outside = {*changed_names(method), *names.declared(method.body, ast.Global)} - names.local_names(method)
            yield from ((name, owner.name) for name in sorted(outside))
    for node in nodes:
        if isinstance(node, ast.Call):
            path = dotted_path(node.func, paths) or ""
            if path in _STREAMS:
                given = [*node.args[:1], *(k.value for k in node.keywords if k.arg in ("stream", "queue"))]
                yield from (
                    (a.id, path.rpartition(".")[2]) for a in given if isinstance(a, ast.Name) and a.id not in paths
                )
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            made = getattr(node.value.func, "id", "")
            targets = [t.id for t in node.targets if isinstance(t, ast.Name)]
            yield from ((t, made) for t in targets if made in stateful)


def _changes_self(method: ast.FunctionDef) -> bool:
    """Whether a method assigns to an attribute of its object, or changes what is in one."""
    first = (names.parameters(method) or ("",))[0]
    for node in trees.walk(method):
        inner = node.func.value if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else node
        changed = inner is not node and isinstance(node, ast.Call) and node.func.attr in library.CONTAINER_MUTATORS  # type: ignore[attr-defined]
        mine = isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name) and inner.value.id == first
        if mine and (changed or not isinstance(inner.ctx, ast.Load)):  # type: ignore[attr-defined]
            return True
    return False
