"""Control flow in the abstract: each branch runs from the same state, and what all of them agree on holds after."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kalecompiler import classbody, names, shapes, trees
from kalecompiler.effects import Effects
from kalecompiler.facts import Binding, Definition, Known, Status
from kalecompiler.namespace import Lookup, Namespace, State, Whole, joined

_NAME_ERRORS = frozenset({"NameError", "Exception", "BaseException"})
_CONTEXT = ("__enter__", "__exit__", "__aenter__", "__aexit__")


@dataclass(frozen=True, slots=True)
class _Leaps:
    """The states from which a loop is left by `break`, and those from which `continue` begins its next round."""

    out: list[State] = field(default_factory=list)
    again: list[State] = field(default_factory=list)


class Branches(Namespace):
    """The statements that choose or repeat. What they consist of is run by the subclass."""

    def __init__(self, lookup: Lookup, later: frozenset[str] = frozenset(), notebook: Whole = Whole()) -> None:
        super().__init__(lookup, later, notebook)
        self.effects = Effects(self)
        self.loops: list[_Leaps] = []

    def assign(self, target: ast.expr, value: ast.expr | None, *, element: bool = False) -> None:
        raise NotImplementedError

    def _Break(self, node: ast.Break) -> None:
        if self.loops:
            self.loops[-1].out.append(dict(self.state))
        self.alive = False

    def _Continue(self, node: ast.Continue) -> None:
        if self.loops:
            self.loops[-1].again.append(dict(self.state))
        self.alive = False

    def _If(self, node: ast.If) -> None:
        self.effects.visit(node.test)
        start = dict(self.state)
        constant = node.test.value if isinstance(node.test, ast.Constant) else None
        guard = shapes.asks_for_names(node.test)
        self.forgiving += guard
        states = []
        if constant is None or constant:
            states.append(self.branch(start, lambda: self.statements(node.body)))
        if constant is None or not constant:
            states.append(self.branch(start, lambda: self.statements(node.orelse)))
        self.forgiving -= guard
        self._keep_definitions(node, states)

    def _keep_definitions(self, node: ast.stmt, states: list[State | None]) -> None:
        """A statement that only chooses between definitions (`try: import ...`) is a definition itself."""
        self.join(states)
        if self.scopes or not shapes.is_definitional(node):
            return
        eager = tuple(sorted(classbody.eager_reads(node)))
        outside, seen = self.not_bound(eager), self.definitions_among(eager)
        for name in names.bound_names([node]):
            here = self.state.get(name)
            if here is not None:
                lazy = frozenset().union(*(names.free_names(n) for n in trees.walk(node) if shapes.is_definable(n)))
                block = Definition(name, "block", node, self.site(node), lazy - {name}, eager, None, outside, seen=seen)
                self.run.made[id(node)] = block
                self.state[name] = replace(here, known=replace(here.known, definition=block))

    def _For(self, node: ast.For | ast.AsyncFor) -> None:
        self.effects.visit(node.iter)
        self.effects.consumed(node.iter)

        def body() -> None:
            self.assign(node.target, node.iter, element=True)
            self.statements(node.body)

        self._loop(body, node.orelse, certain=shapes.runs_at_least_once(node.iter))

    _AsyncFor = _For

    def _While(self, node: ast.While) -> None:
        self.effects.visit(node.test)
        endless = isinstance(node.test, ast.Constant) and bool(node.test.value)

        def body() -> None:
            self.statements(node.body)
            if self.alive:
                self.effects.visit(node.test)

        self._loop(body, node.orelse, certain=endless, endless=endless)

    def _loop(self, body: Callable[[], None], orelse: list[ast.stmt], *, certain: bool, endless: bool = False) -> None:
        start = dict(self.state)
        ends: list[State] = []
        leaps: list[State] = []
        for _ in range(2):  # what one round binds, the next one finds: names, aliases
            self.loops.append(_Leaps())
            end = self.branch(joined(ends if certain and ends else [start, *ends]), body)
            left = self.loops.pop()
            ends += [*left.again, *([end] if end is not None else [])]
            leaps += left.out
        after: list[State | None] = [] if endless else [*ends, *([] if certain else [start])]
        if orelse:
            self.join(after)
            after = [self.branch(dict(self.state), lambda: self.statements(orelse)) if self.alive else None]
        self.join([*after, *leaps])

    def _With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.effects.visit(item.context_expr)
            self.effects.special(item.context_expr, _CONTEXT)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, item.context_expr, element=True)
        start = dict(self.state)
        if not any(shapes.suppresses(item.context_expr) for item in node.items):
            self.statements(node.body)
            return
        self.forgiving += 1
        inside = self.branch(start, lambda: self.statements(node.body))
        self.forgiving -= 1
        self.join([inside, start])

    _AsyncWith = _With

    def _Try(self, node: ast.Try) -> None:
        start = dict(self.state)
        forgives = any(shapes.catches(h, _NAME_ERRORS) for h in node.handlers)
        self.forgiving += forgives
        tried = self.branch(start, lambda: self.statements(node.body))
        partial = joined([start, self.state])
        self.forgiving -= forgives
        if tried is not None and node.orelse:
            tried = self.branch(tried, lambda: self.statements(node.orelse))
        handled = [self.branch(partial, lambda h=h: self._handler(h)) for h in node.handlers]  # type: ignore[misc]
        self._keep_definitions(node, [tried, *handled])
        if node.finalbody:
            alive = self.alive
            if not alive:
                self.state = partial
            self.alive = True
            self.statements(node.finalbody)
            self.alive = self.alive and alive

    _TryStar = _Try

    def _handler(self, handler: ast.ExceptHandler) -> None:
        if handler.type is not None:
            self.effects.visit(handler.type)
        if handler.name:
            raised = frozenset(d for d in self.run.needs.values() if isinstance(d.node, ast.ClassDef))
            self.bind(handler.name, Binding(Status.BOUND, self.site(handler), Known(taint=raised)))
        self.statements(handler.body)
        if handler.name and self.alive:
            self.bind(handler.name, Binding(Status.DELETED, self.site(handler), Known()))

    def _Match(self, node: ast.Match) -> None:
        self.effects.visit(node.subject)
        start = dict(self.state)
        states: list[State | None] = []
        certain = False
        for case in node.cases:
            states.append(self.branch(start, lambda case=case: self._case(case, node.subject)))  # type: ignore[misc]
            certain = certain or (case.guard is None and shapes.irrefutable(case.pattern))
        if not certain:
            states.append(start)
        self.join(states)

    def _case(self, case: ast.match_case, subject: ast.expr) -> None:
        for part in trees.walk(case.pattern):
            if isinstance(part, ast.MatchValue):
                self.effects.visit(part.value)
            elif isinstance(part, ast.MatchClass):
                self.effects.visit(part.cls)
            elif isinstance(part, ast.MatchMapping):
                for key in part.keys:
                    self.effects.visit(key)
        for name in names.bound_names([case.pattern]):
            known = self.effects.value(subject, element=True)
            self.bind(name, Binding(Status.BOUND, self.site(case.pattern), known))
        if case.guard is not None:
            self.effects.visit(case.guard)
        self.statements(case.body)
