"""Runs a step's code in the abstract: what it reads from above, what it binds, what it changes in place.

An abstract interpreter of one scope. Statements are followed in order; branches are joined (`branches`), so that a
name may be bound for certain or perhaps; a read is recorded where the name is not bound for certain at that moment
(`namespace`). Calls of functions that the notebook defines are followed into their bodies. What expressions do is in
`effects`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

from kalecompiler import classbody, library, names, trees
from kalecompiler.branches import Branches
from kalecompiler.facts import Binding, Bond, Definition, Grade, Known, Status, Summary
from kalecompiler.namespace import Scope

_ROUNDS = 5  # in which functions that call each other are run, at most


class Flow(Branches):
    """The interpreter of one step, or of one function's body."""

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
        for child in trees.children(node):
            if isinstance(child, ast.expr):
                self.effects.visit(child)

    # -- simple statements -------------------------------------------------------------------------------------------

    def _Expr(self, node: ast.Expr) -> None:
        self.effects.visit(node.value)

    def _Assign(self, node: ast.Assign) -> None:
        if self._definition_by_assignment(node):
            return
        self.effects.visit(node.value)
        value: ast.expr = node.value
        for target in node.targets:
            self.assign(target, value)
            if isinstance(target, ast.Name):  # `a = b = []`: the next name is another one for this object
                value = ast.copy_location(ast.Name(target.id, ast.Load()), target)

    def _definition_by_assignment(self, node: ast.Assign) -> bool:
        """`name = lambda ...` and `Point = namedtuple(...)` at the top level are definitions like `def` and `class`."""
        target = node.targets[0]
        if self.scopes or len(node.targets) != 1 or not isinstance(target, ast.Name):
            return False
        if isinstance(node.value, ast.Lambda):
            self.define(target.id, node, node.value, "lambda")
            return True
        made = isinstance(node.value, ast.Call) and self._makes_class(node.value)
        if made:
            eager = self._eager([node.value])
            outside, seen = self.not_bound(eager), self.definitions_among(eager)
            self.bind_definition(
                Definition(target.id, "block", node, self.site(node), eager=eager, outside=outside, seen=seen)
            )
        return made

    def _makes_class(self, node: ast.Call) -> bool:
        path = self.effects.path(node.func)
        return path in library.DEFINING or (path == "type" and len(node.args) == 3)

    def _AnnAssign(self, node: ast.AnnAssign) -> None:
        if not self.scopes or self.scopes[-1].transparent:
            self._annotations([node.annotation])
        if node.value is not None:
            self.effects.visit(node.value)
            self.assign(node.target, node.value)

    def _AugAssign(self, node: ast.AugAssign) -> None:
        self.effects.augmented(node)
        if isinstance(node.target, ast.Name):
            name = node.target.id
            self.load(name, node.target)
            self.effects.visit(node.value)
            roots = self.effects.roots(node.target)
            kind = self.effects.type_of(node.target)
            if kind not in (library.SCALAR, library.TUPLE):
                sure = Grade.DEFINITE if kind is not None else Grade.POSSIBLE
                for root, bond in roots.items():
                    if bond is Bond.HELD:
                        continue
                    grade = sure if bond is Bond.SAME else Grade.POSSIBLE
                    self.change(root, grade, node, f"`{name}` is changed in place")
            before = self.known(name)
            taint = self.effects.taint(node.value) | (before.taint if before is not None else frozenset())
            self.bind(name, Binding(Status.BOUND, self.site(node), Known(type=kind, taint=taint, roots=roots)))
            if kind == library.LIST:
                self.effects.held(node.target, [node.value])
        else:
            self.effects.visit(node.value)
            self.effects.store(node.target, node)

    def assign(self, target: ast.expr, value: ast.expr | None, *, element: bool = False) -> None:
        """Bind a target to a value, or to an element of it (`element`: loops, unpacking)."""
        if isinstance(target, ast.Name):
            known = self.effects.value(value, element=element)
            self._stays_a_part(target, known)
            self.bind(target.id, Binding(Status.BOUND, self.site(target), known))
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

    def _stays_a_part(self, target: ast.Name, known: Known) -> None:
        """A part of a variable from above is bound: who takes both takes them from here, so that they stay one object.

        It matters for instances of the notebook's classes, which may be compared by identity.
        """
        for root, bond in known.roots.items() if not self.scopes and known.type is None else ():
            kept = bond > Bond.PERHAPS or isinstance(known.node, ast.ClassDef)
            above = self.lookup(root) if kept and root not in self.state else None
            if above is not None and any(isinstance(d.node, ast.ClassDef) for d in above.taint):
                self.change(root, Grade.POSSIBLE, target, f"`{target.id}` is a part of it")

    def _pairs(self, targets: Sequence[ast.expr], value: ast.expr | None) -> Iterator[tuple[ast.expr, ast.expr | None]]:
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
                self.effects.store(target, node)

    def _Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias, name in zip(node.names, names.imported_names(node), strict=False):
            if isinstance(node, ast.Import):
                path = alias.name if alias.asname else alias.name.split(".")[0]
            else:
                path = f"{'.' * node.level}{node.module or ''}.{alias.name}"
            definition = None if self.scopes else Definition(name, "import", node, self.site(node))
            self.bind(name, Binding(Status.BOUND, self.site(node), Known(definition=definition, path=path)))
            if definition is not None:
                self.run.made.setdefault(id(node), definition)

    _ImportFrom = _Import

    def _Return(self, node: ast.Return | ast.Raise) -> None:
        self.expressions(node)
        self.alive = False

    _Raise = _Return

    def _Global(self, node: ast.stmt) -> None:
        """Declarations were read beforehand, with the scope's other names."""

    _Nonlocal = _Pass = _Global

    # -- definitions -------------------------------------------------------------------------------------------------

    def _FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.define(node.name, node, node, "function")

    _AsyncFunctionDef = _FunctionDef

    def define(self, name: str, statement: ast.stmt, function: names.Function, kind: str) -> None:
        """Bind a function (or named lambda): what stands around it runs now, its body when it is called."""
        notes = names.annotation_parts(function)
        eager = self._eager([p for p in names.outer_parts(function) if not any(p is n for n in notes)])
        eager = tuple(sorted({*eager, *self._annotations(notes)}))
        idle = self.effects.idle(function)
        eager = _without_idle(eager, function, idle, frozenset())
        if self.scopes:
            self._nested_reads(function)
            self.bind(name, Binding(Status.BOUND, self.site(statement), Known(node=function)))
            return
        definition = Definition(
            name,
            kind,
            statement,
            self.site(statement),
            names.free_names(function),
            eager,
            function,
            self.not_bound(eager),
            self._repeats([*function.args.defaults, *(d for d in function.args.kw_defaults if d is not None)]),
            self.definitions_among(eager),
            _kept(self.effects.roots(part) for part in names.outer_parts(function)),
            idle,
        )
        self.bind_definition(definition)
        for decorator in getattr(function, "decorator_list", ()):
            self.effects.decorated(definition, decorator)

    def _repeats(self, parts: Sequence[ast.AST]) -> str:
        """A call in these parts of a function that changes or binds names of the module, as text."""
        nodes = [n for part in parts for n in trees.walk(part)]
        later = {n for lambda_ in nodes if isinstance(lambda_, ast.Lambda) for n in trees.walk(lambda_.body)}
        for node in (n for n in nodes if isinstance(n, ast.Call) and n not in later):
            function = self.effects.function_of(node.func)
            if function is not None:
                effects = self.body_summary(function)
                if effects.binds or any(not name.startswith("<") for name in effects.changes):
                    return ast.unparse(node)
        return ""

    def _annotations(self, parts: Sequence[ast.expr]) -> tuple[str, ...]:
        """Evaluate annotations: their names, which need not be there where they are not evaluated."""
        self.forgiving += self.notebook.postponed
        found = self._eager(parts)
        self.forgiving -= self.notebook.postponed
        return found

    def _nested_reads(self, function: names.Function | ast.ClassDef) -> None:
        if self.scopes[-1].transparent:  # a method: its class carries its reads
            return
        for name in sorted(names.free_names(function)):
            self.load(name, function, hard=False)

    def _eager(self, parts: Sequence[ast.expr]) -> tuple[str, ...]:
        for part in parts:
            self.effects.visit(part)
        found = set(names.loaded(parts))
        found |= {
            name for p in parts for n in trees.walk(p) if isinstance(n, ast.Lambda) for name in names.free_names(n)
        }
        return tuple(sorted(found))

    def _ClassDef(self, node: ast.ClassDef) -> None:
        eager = set(self._eager(names.outer_parts(node)))
        inner = names.bound_names(node.body) - names.declared(node.body, ast.Global)
        seen = classbody.eager_reads(node)
        for name in sorted(seen & inner):  # read before the class body binds it: the one outside
            self.load(name, node, hard=False)
        self.scopes.append(Scope({n: Binding(Status.BOUND, self.site(node), Known()) for n in inner}, True))
        self.statements(node.body)
        attributes = self.scopes.pop().bindings.values()
        eager |= seen
        if self.scopes:
            self._nested_reads(node)
            self.bind(node.name, Binding(Status.BOUND, self.site(node), Known(node=node)))
            return
        idle = self.effects.idle(node)
        outer = _without_idle(tuple(sorted(eager)), node, idle, seen)
        parts = [self.effects.roots(part) for part in names.outer_parts(node)]
        definition = Definition(
            node.name,
            "class",
            node,
            self.site(node),
            names.free_names(node) - {node.name},
            outer,
            node,
            self.not_bound(outer),
            self._repeats([s for s in node.body if not isinstance(s, (*names.FUNCTIONS, ast.ClassDef))]),
            self.definitions_among(outer),
            holds=_kept([*parts, *(a.known.roots for a in attributes)]),
            idle=idle,
        )
        self.bind_definition(definition)
        for decorator in node.decorator_list:
            self.effects.decorated(definition, decorator)

    # -- calls -------------------------------------------------------------------------------------------------------

    def body_summary(self, function: names.Function) -> Summary:
        """What a function's body does when it is called now, worked out once until a name that it uses is bound anew.

        Functions that call themselves, or each other, are run again until no more comes of it.
        """
        known = self.bodies.done.get(id(function))
        if known is not None:
            return known
        if self.active:
            return self._run_body(function)
        done = dict(self.bodies.done)
        summary = self._run_body(function)
        for _ in range(_ROUNDS):
            known_before = {key: _effects(self.bodies.before[key]) for key in self.bodies.again}
            if not known_before:
                break
            self.bodies.done = dict(done)
            summary = self._run_body(function)
            if all(_effects(self.bodies.before[key]) == effects for key, effects in known_before.items()):
                break
        self.bodies.before.clear()
        self.bodies.again.clear()
        return summary

    def _run_body(self, function: names.Function) -> Summary:
        def lookup(name: str) -> Known | None:
            self.bodies.asked.add(name)
            return self.known(name)

        flow = Flow(cache(lookup), self.later, self.notebook)  # nothing is bound out here meanwhile
        flow.active = self.active | {id(function)}
        flow.bodies = self.bodies
        flow.piece = self.piece
        own = {name: Binding(Status.BOUND, flow.site(function)) for name in names.local_names(function)}
        for name in names.parameters(function):
            own[name] = Binding(Status.BOUND, flow.site(function), Known(roots={f"<{name}>": Bond.SAME}))
        flow.scopes.append(Scope(own))
        flow.statements(names.body_of(function))
        self.bodies.done[id(function)] = self.bodies.before[id(function)] = summary = flow.summary()
        return summary


def _effects(summary: Summary) -> tuple[frozenset[tuple[str, Grade]], frozenset[str]]:
    """What more may come of when a function is run again that calls itself."""
    return frozenset((c.name, c.grade) for c in summary.changes.values()), frozenset(summary.binds)


def _kept(values: Iterable[Mapping[str, Bond]]) -> frozenset[str]:
    """The variables of whose objects values surely are a part."""
    return frozenset(name for roots in values for name, bond in roots.items() if bond > Bond.PERHAPS)


def _without_idle(
    eager: tuple[str, ...], node: names.Definable | ast.Lambda, idle: frozenset[int], inside: frozenset[str]
) -> tuple[str, ...]:
    """Those of the names that a definition reads where it stands which it needs without its idle decorators."""
    if not idle:
        return eager
    decorators = [d for number, d in enumerate(getattr(node, "decorator_list", ())) if number in idle]
    rest = [part for part in names.outer_parts(node) if not any(part is d for d in decorators)]
    return tuple(name for name in eager if name not in names.loaded(decorators) - names.loaded(rest) - inside)
