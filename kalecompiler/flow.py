"""Runs a step's code in the abstract: what it reads from above, what it binds, what it changes in place.

An abstract interpreter of one scope. Statements are followed in order; branches are joined, so that a name may be
bound for certain or perhaps; a read is recorded where the name is not bound for certain at that moment. Calls of
functions that the notebook defines are followed into their bodies. What expressions do is in `effects`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from kalecompiler import names
from kalecompiler.facts import (
    Binding,
    Change,
    Definition,
    Grade,
    Known,
    Read,
    Roots,
    Site,
    Status,
    Summary,
)

Lookup = Callable[[str], Known | None]
State = dict[str, Binding]


@dataclass
class Scope:
    """The names local to a function or comprehension, with what each may share state with."""

    bindings: State
    transparent: bool = False  # a class body: nested functions do not see it


@dataclass
class Run:
    """What one interpretation gathers, whatever the branch."""

    reads: dict[str, Read] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    needs: dict[tuple[str, str], Definition] = field(default_factory=dict)


class Flow:
    """The interpreter of one step (or of one function's body, when `function` is set).

    `lookup` tells what stands above the step under a name; `later` has the names that the step binds anywhere, which
    deferred code (lambdas, callbacks) may still find bound when it runs; `methods` those of the notebook's classes,
    about which a name alone says nothing.
    """

    def __init__(
        self, lookup: Lookup, later: frozenset[str] = frozenset(), methods: frozenset[str] = frozenset()
    ) -> None:
        from kalecompiler.effects import Effects

        self.lookup = lookup
        self.later = later
        self.methods = methods
        self.run = Run()
        self.state: State = {}
        self.scopes: list[Scope] = []
        self.alive = True
        self.forgiving = 0
        self.piece = 0
        self.owner = ""
        self.loops: list[list[State]] = []
        self.active: set[int] = set()
        self.bodies: dict[int, Summary] = {}
        self.tainted: dict[str, frozenset[Definition]] = {}
        self.effects = Effects(self)

    # -- running -----------------------------------------------------------------------------------------------------

    def statements(self, body: Iterable[ast.stmt]) -> None:
        for node in body:
            if self.alive:
                self.statement(node)

    def statement(self, node: ast.stmt) -> None:
        handler = getattr(self, f"_{type(node).__name__}", None)
        if handler:
            handler(node)
        else:
            self.expressions(node)

    def expressions(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.effects.visit(child)

    # -- names -------------------------------------------------------------------------------------------------------

    def site(self, node: ast.AST) -> Site:
        return Site(
            self.piece,
            getattr(node, "lineno", 1),
            getattr(node, "col_offset", 0) + 1,
            getattr(node, "end_col_offset", None),
        )

    def local(self, name: str) -> Binding | None:
        """The binding of a name that is local to an enclosing function, comprehension or class body."""
        for index, scope in enumerate(reversed(self.scopes)):
            if name in scope.bindings and (index == 0 or not scope.transparent):
                return scope.bindings[name]
        return None

    def known(self, name: str) -> Known | None:
        """What is known of a name now: a local binding, one of this step, or what stands above."""
        here = self.local(name) or self.state.get(name)
        if here is not None and here.status is not Status.DELETED:
            return here.known
        return self.lookup(name) if here is None else None

    def load(self, name: str, node: ast.AST, *, hard: bool = True, called: bool = False) -> None:
        """Read a name. `hard` reads fail without a value; a name bound perhaps is read softly from above."""
        if self.local(name) is not None:
            return
        here = self.state.get(name)
        if here is None or here.status is not Status.BOUND:
            if here is None or here.status is Status.MAYBE:
                self.note_read(name, node, hard and here is None and not self.forgiving)
        known = self.known(name)
        if known is not None:
            for definition in known.all_definitions():
                self.use(definition, node, hard=hard and called and definition is known.definition)

    def note_read(self, name: str, node: ast.AST, hard: bool) -> None:
        old = self.run.reads.get(name)
        if old is None:
            self.run.reads[name] = Read(name, self.site(node), hard, self.owner)
        elif hard and not old.hard:
            self.run.reads[name] = replace(old, hard=True, site=self.site(node), owner=self.owner)

    def use(self, definition: Definition, node: ast.AST, *, hard: bool) -> None:
        """A definition is referred to: its source must be here, and what its body reads must be there in time.

        Code that is only handed on may run later, so that names bound further down are not missed (`later`).
        """
        self.run.needs.setdefault(definition.key, definition)
        if id(definition) in self.active:
            return
        self.active.add(id(definition))
        owner, self.owner = self.owner, self.owner or definition.name
        for name in sorted(definition.lazy):
            self.load(name, node, hard=definition.calls_hard(name) and (hard or name not in self.later), called=hard)
        self.owner = owner
        self.active.discard(id(definition))

    def bind(self, name: str, binding: Binding) -> None:
        """Bind a name in the innermost scope that has it as a local, else in the step."""
        for index, scope in enumerate(reversed(self.scopes)):
            if name in scope.bindings and (index == 0 or not scope.transparent):
                scope.bindings[name] = binding
                return
        self.state[name] = binding

    def change(self, root: str, grade: Grade, node: ast.AST, reason: str) -> None:
        """Note that the object behind a root name changes in place."""
        if self.local(root) is not None and not root.startswith("<"):
            return
        here = self.state.get(root)
        fresh = here is not None and here.status is Status.BOUND and here.known.definition is None
        if not fresh:
            old = self.run.changes.get(root)
            if old is None or old.grade < grade:
                self.run.changes[root] = Change(root, grade, self.site(node), reason)

    # -- simple statements -------------------------------------------------------------------------------------------

    def _Expr(self, node: ast.Expr) -> None:
        self.effects.visit(node.value)

    def _Assign(self, node: ast.Assign) -> None:
        if self._definition_by_assignment(node):
            return
        self.effects.visit(node.value)
        for target in node.targets:
            self.assign(target, node.value)

    def _definition_by_assignment(self, node: ast.Assign) -> bool:
        """`name = lambda ...` at the top level is a definition like `def`."""
        if self.scopes or not isinstance(node.value, ast.Lambda) or len(node.targets) != 1:
            return False
        target = node.targets[0]
        if not isinstance(target, ast.Name):
            return False
        self.define(target.id, node, node.value, "lambda")
        return True

    def _AnnAssign(self, node: ast.AnnAssign) -> None:
        if not self.scopes:
            self.effects.visit(node.annotation)
        if node.value is not None:
            self.effects.visit(node.value)
            self.assign(node.target, node.value)

    def _AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            name = node.target.id
            self.load(name, node.target)
            self.effects.visit(node.value)
            roots = self.effects.roots(node.target)
            kind = self.effects.type_of(node.target)
            if kind != "scalar" and kind != "tuple":
                grade = Grade.DEFINITE if kind is not None else Grade.POSSIBLE
                for root, strong in roots.items():
                    if root != name:
                        self.change(root, grade if strong else Grade.POSSIBLE, node, f"`{name}` is changed in place")
            taint = self.effects.taint(node.value) | self.effects.taint(node.target)
            self.bind(name, Binding(Status.BOUND, self.site(node), Known(type=kind, taint=taint, roots=roots)))
        else:
            self.effects.visit(node.value)
            self.effects.store(node.target, node)

    def assign(self, target: ast.expr, value: ast.expr | None, *, element: bool = False) -> None:
        """Bind a target to a value, or to an element of it (`element`: loops, unpacking)."""
        if isinstance(target, ast.Name):
            self.bind(target.id, Binding(Status.BOUND, self.site(target), self.effects.value(value, element=element)))
        elif isinstance(target, ast.Starred):
            self.assign(target.value, value, element=True)
        elif isinstance(target, ast.Tuple | ast.List):
            pairs = self._pairs(target.elts, None if element else value)
            for part, source in pairs:
                if source is None:
                    self.assign(part, value, element=True)
                else:
                    self.assign(part, source)
        else:
            self.effects.store(target, target, value)

    def _pairs(
        self, targets: Sequence[ast.expr], value: ast.expr | None
    ) -> Iterator[tuple[ast.expr, ast.expr | None]]:
        """Targets beside the elements of a literal tuple of the same length; else beside None."""
        plain = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(targets)
        stars = any(isinstance(e, ast.Starred) for e in targets) or (
            plain and any(isinstance(e, ast.Starred) for e in value.elts)  # type: ignore[union-attr]
        )
        for index, target in enumerate(targets):
            yield target, (value.elts[index] if plain and not stars else None)  # type: ignore[union-attr]

    def _Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.load(target.id, target)
                self.bind(target.id, Binding(Status.DELETED, self.site(target), Known()))
            elif isinstance(target, ast.Tuple | ast.List):
                self._Delete(ast.Delete(target.elts))
            else:
                self.effects.store(target, target)

    def _Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias, name in zip(node.names, names.imported_names(node), strict=False):
            if isinstance(node, ast.Import):
                path = alias.name if alias.asname else alias.name.split(".")[0]
            else:
                path = f"{'.' * node.level}{node.module or ''}.{alias.name}"
            definition = None if self.scopes else Definition(name, "import", node, self.site(node))
            self.bind(name, Binding(Status.BOUND, self.site(node), Known(definition=definition, path=path)))

    _ImportFrom = _Import

    def _Return(self, node: ast.Return | ast.Raise) -> None:
        self.expressions(node)
        self.alive = False

    _Raise = _Return

    def _Break(self, node: ast.stmt) -> None:
        if self.loops:
            self.loops[-1].append(dict(self.state))
        self.alive = False

    _Continue = _Break

    def _Global(self, node: ast.stmt) -> None:
        """Declarations were read beforehand, with the scope's other names."""

    _Nonlocal = _Pass = _Global

    # -- definitions -------------------------------------------------------------------------------------------------

    def _FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.define(node.name, node, node, "function")

    _AsyncFunctionDef = _FunctionDef

    def define(self, name: str, statement: ast.stmt, function: names.Function, kind: str) -> None:
        """Bind a function (or named lambda): what stands around it runs now, its body when it is called."""
        eager = self._eager(names.outer_parts(function))
        for decorator in getattr(function, "decorator_list", []):
            self.effects.called(decorator, node=decorator)
        if self.scopes:
            self._nested_reads(function)
            self.bind(name, Binding(Status.BOUND, self.site(statement), Known(node=function)))
            return
        definition = Definition(
            name, kind, statement, self.site(statement), names.free_names(function), eager, function
        )
        self.bodies.clear()  # who calls this name calls another function from here on
        self.bind(name, Binding(Status.BOUND, self.site(statement), Known(definition=definition)))

    def _nested_reads(self, function: names.Function | ast.ClassDef) -> None:
        if self.scopes[-1].transparent:  # a method: its class carries its reads
            return
        for name in sorted(names.free_names(function)):
            self.load(name, function, hard=False)

    def _eager(self, parts: Sequence[ast.expr]) -> tuple[str, ...]:
        for part in parts:
            self.effects.visit(part)
        found = {n.id for p in parts for n in ast.walk(p) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        found |= {name for p in parts for n in ast.walk(p) if isinstance(n, ast.Lambda) for name in names.free_names(n)}
        return tuple(sorted(found))

    def _ClassDef(self, node: ast.ClassDef) -> None:
        eager = set(self._eager(names.outer_parts(node)))
        for decorator in node.decorator_list:
            self.effects.called(decorator, node=decorator)
        inner = names.bound_names(node.body)
        seen = _eager_reads(node)
        for name in sorted(seen & inner):  # read before the class body binds it: the one outside
            self.load(name, node)
        self.scopes.append(Scope({n: Binding(Status.BOUND, self.site(node), Known()) for n in inner}, True))
        self.statements(node.body)
        self.scopes.pop()
        eager |= seen
        if self.scopes:
            self._nested_reads(node)
            self.bind(node.name, Binding(Status.BOUND, self.site(node), Known(node=node)))
            return
        lazy = names.free_names(node) - {node.name}
        definition = Definition(node.name, "class", node, self.site(node), lazy, tuple(sorted(eager)), node)
        self.bind(node.name, Binding(Status.BOUND, self.site(node), Known(definition=definition)))

    # -- branches ----------------------------------------------------------------------------------------------------

    def branch(self, start: State, body: Callable[[], None]) -> State | None:
        """Run a branch from a state; its state at the end, or None where it never gets there."""
        self.state, self.alive = dict(start), True
        body()
        return self.state if self.alive else None

    def join(self, states: Iterable[State | None]) -> None:
        """Go on from wherever the living branches ended."""
        living = [s for s in states if s is not None]
        self.alive = bool(living)
        if living:
            self.state = _joined(living)

    def _If(self, node: ast.If) -> None:
        self.effects.visit(node.test)
        start = dict(self.state)
        constant = node.test.value if isinstance(node.test, ast.Constant) else None
        guard = _asks_for_names(node.test)
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
        if self.scopes or not is_definitional(node):
            return
        eager = tuple(sorted(_eager_reads(node)))
        for name in names.bound_names([node]):
            here = self.state.get(name)
            if here is not None:
                lazy = frozenset().union(*(names.free_names(n) for n in ast.walk(node) if _is_definable(n)))
                block = Definition(name, "block", node, self.site(node), lazy - {name}, eager)
                self.state[name] = replace(here, known=replace(here.known, definition=block))

    def _For(self, node: ast.For | ast.AsyncFor) -> None:
        self.effects.visit(node.iter)
        self.effects.consumed(node.iter)

        def body() -> None:
            self.assign(node.target, node.iter, element=True)
            self.statements(node.body)

        self._loop(body, node.orelse, certain=_runs_at_least_once(node.iter))

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
        self.loops.append([])
        end = self.branch(start, body)
        leaps = self.loops.pop()
        if end is not None:  # once more from the loop's own end: aliases made in one round are used in the next
            self.loops.append([])
            end = self.branch(_joined([start, end]) if not certain else end, body) and end
            self.loops.pop()
        ends: list[State | None] = [] if endless else [end]
        if not certain:
            ends.append(start)
        if orelse:
            self.join(ends)
            after = self.branch(dict(self.state), lambda: self.statements(orelse)) if self.alive else None
            ends = [after]
        self.join([*ends, *leaps])

    def _With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.effects.visit(item.context_expr)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, item.context_expr, element=True)
        start = dict(self.state)
        if not any(_suppresses(item.context_expr) for item in node.items):
            self.statements(node.body)
            return
        self.forgiving += 1
        inside = self.branch(start, lambda: self.statements(node.body))
        self.forgiving -= 1
        self.join([inside, start])

    _AsyncWith = _With

    def _Try(self, node: ast.Try) -> None:
        start = dict(self.state)
        forgives = any(_catches_name_error(h) for h in node.handlers)
        self.forgiving += forgives
        tried = self.branch(start, lambda: self.statements(node.body))
        partial = _joined([start, self.state])
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
            self.bind(handler.name, Binding(Status.BOUND, self.site(handler), Known()))
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
            certain = certain or (case.guard is None and _irrefutable(case.pattern))
        if not certain:
            states.append(start)
        self.join(states)

    def _case(self, case: ast.match_case, subject: ast.expr) -> None:
        for part in ast.walk(case.pattern):
            if isinstance(part, ast.MatchValue):
                self.effects.visit(part.value)
            elif isinstance(part, ast.MatchClass):
                self.effects.visit(part.cls)
        for name in names.bound_names([case.pattern]):
            known = self.effects.value(subject, element=True)
            self.bind(name, Binding(Status.BOUND, self.site(case.pattern), known))
        if case.guard is not None:
            self.effects.visit(case.guard)
        self.statements(case.body)

    def summary(self) -> Summary:
        """What the code did, as a value."""
        run = self.run
        return Summary(dict(run.reads), dict(self.state), dict(run.changes), dict(run.needs), dict(self.tainted))


def body_summary(caller: Flow, function: names.Function) -> Summary:
    """What a function's body does when it is called now: changes of its parameters stand under `<name>`."""
    known = caller.bodies.get(id(function))
    if known is not None:
        return known
    flow = Flow(caller.known, caller.later, caller.methods)
    flow.active = caller.active | {id(function)}
    flow.bodies = caller.bodies
    flow.piece = caller.piece
    own = {name: Binding(Status.BOUND, flow.site(function)) for name in names.local_names(function)}
    for name in names.parameters(function):
        own[name] = Binding(Status.BOUND, flow.site(function), Known(roots={f"<{name}>": True}))
    flow.scopes.append(Scope(own))
    flow.statements(names.body_of(function))
    caller.bodies[id(function)] = summary = flow.summary()
    return summary


def _joined(states: Sequence[State]) -> State:
    """Names bound in all branches are bound; bound in some, perhaps; what is known of them is what all agree on."""
    result: State = {}
    for name in dict.fromkeys(n for s in states for n in s):
        here = [s.get(name) for s in states]
        found = [b for b in here if b is not None]
        if len(found) < len(here) or len({b.status for b in found}) > 1:
            status = Status.MAYBE
        else:
            status = found[0].status
        result[name] = Binding(status, found[0].site, _agreed([b.known for b in found]))
    return result


def _agreed(known: Sequence[Known]) -> Known:
    first = known[0]
    roots: Roots = {}
    for k in known:
        for root, strong in k.roots.items():
            roots[root] = strong or roots.get(root, False)
    return Known(
        definition=first.definition if all(k.definition is first.definition for k in known) else None,
        type=first.type if all(k.type == first.type for k in known) else None,
        path=first.path if all(k.path == first.path for k in known) else None,
        taint=frozenset().union(*(k.taint | k.own() for k in known)) if len(known) > 1 else first.taint,
        roots=roots,
        node=first.node if all(k.node is first.node for k in known) else None,
    )


def _catches_name_error(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(k, ast.Name) and k.id in {"NameError", "Exception", "BaseException"} for k in kinds)


def _asks_for_names(test: ast.expr) -> bool:
    """Whether a condition looks into the namespace: `if "x" in globals()`."""
    calls = (n.func for n in ast.walk(test) if isinstance(n, ast.Call))
    return any(isinstance(f, ast.Name) and f.id in {"globals", "locals", "vars", "dir"} for f in calls)


def _suppresses(context: ast.expr) -> bool:
    function = context.func if isinstance(context, ast.Call) else None
    return getattr(function, "attr", getattr(function, "id", "")) == "suppress"


def _runs_at_least_once(iterable: ast.expr) -> bool:
    """A literal with elements, or `range` with a positive literal."""
    if isinstance(iterable, ast.List | ast.Tuple | ast.Set):
        return any(not isinstance(e, ast.Starred) for e in iterable.elts)
    if isinstance(iterable, ast.Dict):
        return any(k is not None for k in iterable.keys)
    if isinstance(iterable, ast.Constant):
        return isinstance(iterable.value, str | bytes) and bool(iterable.value)
    if isinstance(iterable, ast.Call) and isinstance(iterable.func, ast.Name) and not iterable.keywords:
        if iterable.func.id == "enumerate" and iterable.args:
            return _runs_at_least_once(iterable.args[0])
        if iterable.func.id == "range" and all(isinstance(a, ast.Constant) for a in iterable.args):
            try:
                return bool(range(*(a.value for a in iterable.args)))  # type: ignore[attr-defined]
            except (TypeError, ValueError):
                return False
    return False


def _irrefutable(pattern: ast.pattern) -> bool:
    if isinstance(pattern, ast.MatchAs):
        return pattern.pattern is None or _irrefutable(pattern.pattern)
    return isinstance(pattern, ast.MatchOr) and any(_irrefutable(p) for p in pattern.patterns)


def _is_definable(node: ast.AST) -> bool:
    return isinstance(node, names.FUNCTIONS + (ast.ClassDef,))


def is_definitional(node: ast.stmt) -> bool:
    """Whether a statement does nothing but define: imports, functions, classes, flags, and choices between them."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Pass):
        return True
    if isinstance(node, ast.Assign):
        return isinstance(node.value, ast.Constant | ast.Lambda) and all(isinstance(t, ast.Name) for t in node.targets)
    if isinstance(node, ast.If):
        return all(map(is_definitional, [*node.body, *node.orelse])) and any(map(_is_definition, ast.walk(node)))
    if isinstance(node, ast.Try) and not node.finalbody:
        bodies = [*node.body, *node.orelse, *(s for h in node.handlers for s in h.body)]
        return all(map(is_definitional, bodies)) and any(map(_is_definition, ast.walk(node)))
    return False


def _is_definition(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _eager_reads(node: ast.AST) -> frozenset[str]:
    """Names loaded by a statement's own code as it runs, less function bodies; a class's names before it binds them."""
    found: set[str] = set()
    bound: set[str] = set()
    body: Sequence[ast.AST] = node.body if isinstance(node, ast.ClassDef) else [node]
    for statement in body:
        loads = {n for n in _loads_now(statement) if n not in bound}
        found |= loads
        bound |= names.bound_names([statement])
    return frozenset(found)


def _loads_now(node: ast.AST) -> Iterator[str]:
    if isinstance(node, names.FUNCTIONS + (ast.ClassDef,)):
        for part in names.outer_parts(node):  # type: ignore[arg-type]
            yield from _loads_now(part)
        if isinstance(node, ast.ClassDef):
            yield from _eager_reads(node)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node.id
    else:
        for child in ast.iter_child_nodes(node):
            yield from _loads_now(child)
