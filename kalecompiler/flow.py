"""Runs a step's code in the abstract: what it reads from above, what it binds, what it changes in place.

An abstract interpreter of one scope. Statements are followed in order; branches are joined (`branches`), so that a
name may be bound for certain or perhaps; a read is recorded where the name is not bound for certain at that moment
(`namespace`). Calls of functions that the notebook defines are followed into their bodies. What expressions do is in
`effects`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from kalecompiler import library, names, shapes
from kalecompiler.branches import Branches
from kalecompiler.facts import Binding, Bond, Definition, Grade, Known, Status, Summary
from kalecompiler.namespace import Scope


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
        for child in ast.iter_child_nodes(node):
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
        made = isinstance(node.value, ast.Call) and self.effects.path(node.value.func) in library.DEFINING
        if made:
            eager = self._eager([node.value])
            site = self.site(node)
            definition = Definition(target.id, "block", node, site, eager=eager, outside=self.not_bound(eager))
            self.bind(target.id, Binding(Status.BOUND, site, Known(definition=definition)))
        return made

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
            if kind not in (library.SCALAR, library.TUPLE):
                sure = Grade.DEFINITE if kind is not None else Grade.POSSIBLE
                for root, bond in roots.items():
                    grade = sure if bond is Bond.SAME else Grade.POSSIBLE
                    self.change(root, grade, node, f"`{name}` is changed in place")
            before = self.known(name)
            taint = self.effects.taint(node.value) | (before.taint if before is not None else frozenset())
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
        eager = self._eager(names.outer_parts(function))
        for decorator in getattr(function, "decorator_list", []):
            self.effects.called(decorator.func if isinstance(decorator, ast.Call) else decorator, node=decorator)
        if self.scopes:
            self._nested_reads(function)
            self.bind(name, Binding(Status.BOUND, self.site(statement), Known(node=function)))
            return
        lazy, site = names.free_names(function), self.site(statement)
        repeats = self._repeats([*function.args.defaults, *(d for d in function.args.kw_defaults if d is not None)])
        definition = Definition(name, kind, statement, site, lazy, eager, function, self.not_bound(eager), repeats)
        self._hold(function, definition)
        self.bodies.clear()  # who calls this name calls another function from here on
        self.bind(name, Binding(Status.BOUND, self.site(statement), Known(definition=definition)))

    def _repeats(self, defaults: Sequence[ast.expr]) -> str:
        """A call in these expressions of a function that changes or binds names of the module, as text."""
        for node in (n for d in defaults for n in ast.walk(d) if isinstance(n, ast.Call)):
            function = self.effects.function_of(node.func)
            if function is not None:
                effects = self.body_summary(function)
                if effects.binds or any(not name.startswith("<") for name in effects.changes):
                    return ast.unparse(node)
        return ""

    def _hold(self, function: names.Function | ast.ClassDef, definition: Definition) -> None:
        """A decorator may put what it decorates into the variables that its body mentions: a registry."""
        for decorator in getattr(function, "decorator_list", []):
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            body = self.effects.function_of(called)
            for name in sorted(names.free_names(body)) if body is not None else ():
                known = self.known(name)
                if known is not None and known.definition is None and known.path is None:
                    self.effects.hold(name, frozenset({definition}))

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
            self.effects.called(decorator.func if isinstance(decorator, ast.Call) else decorator, node=decorator)
        inner = names.bound_names(node.body) - names.declared(node.body, ast.Global)
        seen = shapes.eager_reads(node)
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
        lazy, outer = names.free_names(node) - {node.name}, tuple(sorted(eager))
        outside = self.not_bound(outer)
        definition = Definition(node.name, "class", node, self.site(node), lazy, outer, node, outside)
        self._hold(node, definition)
        self.bind(node.name, Binding(Status.BOUND, self.site(node), Known(definition=definition)))

    # -- calls -------------------------------------------------------------------------------------------------------

    def body_summary(self, function: names.Function) -> Summary:
        """What a function's body does when it is called now, worked out once between two definitions."""
        known = self.bodies.get(id(function))
        if known is not None:
            return known
        flow = Flow(self.known, self.later, self.notebook)
        flow.active = self.active | {id(function)}
        flow.bodies = self.bodies
        flow.piece = self.piece
        own = {name: Binding(Status.BOUND, flow.site(function)) for name in names.local_names(function)}
        for name in names.parameters(function):
            own[name] = Binding(Status.BOUND, flow.site(function), Known(roots={f"<{name}>": Bond.SAME}))
        flow.scopes.append(Scope(own))
        flow.statements(names.body_of(function))
        self.bodies[id(function)] = summary = flow.summary()
        return summary
