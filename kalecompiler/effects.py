"""What expressions do: the names they read, the objects they may change."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace

from kalecompiler import draws, dynamic, library, names
from kalecompiler.calls import arguments, bind_arguments, default_of, is_false, method, reuses
from kalecompiler.facts import Binding, Bond, Definition, Grade, Known, Roots, Status, Summary
from kalecompiler.indirect import Indirect
from kalecompiler.namespace import Scope
from kalecompiler.shapes import base


class Effects(Indirect):
    """Visits expressions in the order of evaluation, and tells the interpreter of them."""

    # -- reading -----------------------------------------------------------------------------------------------------

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.flow.load(node.id, node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.flow.bind(node.target.id, Binding(Status.BOUND, self.flow.site(node), self.value(node.value)))

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """A lambda's body runs later, if at all: names that the step binds further down may be there by then."""
        for part in names.outer_parts(node):
            self.visit(part)
        for name in sorted(names.free_names(node)):
            self.flow.load(name, node, hard=name not in self.flow.later)
        self.follow(node, {}, sure=False)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self.visit(node.values[0])
        for value in node.values[1:]:
            self._perhaps(value)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        start = dict(self.flow.state)
        ends = [
            self.flow.branch(start, lambda: self.visit(node.body)),
            self.flow.branch(start, lambda: self.visit(node.orelse)),
        ]
        self.flow.join(ends)

    def _perhaps(self, node: ast.expr) -> None:
        start = dict(self.flow.state)
        self.flow.join([self.flow.branch(start, lambda: self.visit(node)), start])

    def _comprehension(self, node: names.Comprehension) -> None:
        """Its targets are local to it; everything else, the walrus too, is as if it stood outside."""
        first = node.generators[0]
        self.visit(first.iter)
        self.consumed(first.iter)
        targets = [name for g in node.generators for name in names.target_names(g.target)]
        scope = Scope({name: Binding(Status.BOUND, self.flow.site(node)) for name in targets})
        self.flow.scopes.append(scope)
        for index, generator in enumerate(node.generators):
            if index:
                self.visit(generator.iter)
            self._local_targets(generator.target, generator.iter, scope.bindings)
            for condition in generator.ifs:
                self._perhaps(condition)
        for part in [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]:
            self._perhaps(part)
        self.flow.scopes.pop()

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def _local_targets(self, target: ast.expr, iterable: ast.expr, scope: dict[str, Binding]) -> None:
        for name in names.target_names(target):
            scope[name] = Binding(Status.BOUND, self.flow.site(target), self.value(iterable, element=True))

    def visit_FormattedValue(self, node: ast.FormattedValue) -> None:
        self.generic_visit(node)
        self.special(node.value, ["__format__", "__str__", "__repr__"])

    def visit_Await(self, node: ast.Await) -> None:
        self.visit(node.value)

    # -- storing -----------------------------------------------------------------------------------------------------

    def store(self, target: ast.expr, node: ast.AST, value: ast.expr | None = None) -> None:
        """`x[i] = v`, `x.a = v`, `del x[i]`: reads what stands in the target and changes the object behind it."""
        assert isinstance(target, ast.Subscript | ast.Attribute)
        name = dynamic.entry(target)
        if name is not None:
            status = Status.DELETED if isinstance(node, ast.Delete) else Status.BOUND
            self.flow.bind(name, Binding(status, self.flow.site(node), self.value(value)))
            return
        self.visit(target.value)
        if isinstance(target, ast.Subscript):
            self.visit(target.slice)
        taint = self.taint(value) if value is not None else frozenset()
        self.stored(target, deleted=isinstance(node, ast.Delete))
        deep = isinstance(target.value, ast.Attribute | ast.Subscript)
        if deep:
            self.flow.run.deep.update(self.roots(base(target.value)))
        self.changed(base(target.value), Grade.DEFINITE, node, "it is assigned into", taint, deep=deep)
        if value is not None:
            self.held(base(target.value), [value])

    def held(self, holder: ast.expr, values: Sequence[ast.expr]) -> None:
        """What is put into an object is in it from now on."""
        kept = dict.fromkeys((root for value in values for root in self.roots(value)), Bond.HELD)
        for name in [root for root, bond in self.roots(holder).items() if bond is Bond.SAME] if kept else ():
            self.flow.keep_in(name, {root: bond for root, bond in kept.items() if root != name})

    def changed(
        self,
        expr: ast.expr,
        grade: Grade,
        node: ast.AST,
        reason: str,
        taint: frozenset[Definition] = frozenset(),
        *,
        deep: bool = False,
    ) -> None:
        """The object that an expression gives changes in place, and so does whatever shares state with it.

        With `deep` so may what was put into it.
        """
        for root, bond in self.roots(expr).items():
            if bond is Bond.HELD and not deep:
                continue
            self.flow.change(root, grade if bond is Bond.SAME else Grade.POSSIBLE, node, reason)
            self.hold(root, taint)

    def hold(self, name: str, taint: frozenset[Definition]) -> None:
        """The object behind a name may hold instances of these definitions from now on."""
        here = self.flow.state.get(name)
        self.flow.used.clear()
        if taint and here is not None:
            self.flow.state[name] = replace(here, known=replace(here.known, taint=here.known.taint | taint))
        elif taint:
            self.flow.tainted[name] = self.flow.tainted.get(name, frozenset()) | taint

    # -- calling -----------------------------------------------------------------------------------------------------

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name):
            self.flow.load(node.func.id, node.func, called=True)
        else:
            self.visit(node.func)
        for argument in arguments(node):
            self.visit(argument)
        self._call(node)

    def _dynamic(self, node: ast.Call, path: str | None) -> None:
        """Names that stand in literals: what the code in them does is what the call does."""
        tree = dynamic.embedded(node, path)
        if tree is not None:
            self.flow.statements(tree.body)
        for name in dynamic.updates(node) or ():
            self.flow.bind(name, Binding(Status.BOUND, self.flow.site(node)))
        fetched = dynamic.fetched(node)
        for name in (*dynamic.query_names(node), *([fetched] if fetched else [])):
            self.flow.load(name, node, hard=False)

    def _random(self, node: ast.Call, path: str | None) -> None:
        """A call seeds or draws from a process-wide generator, if the notebook seeds one."""
        touched = draws.touched(path, node) if path is not None else None
        if touched is None and isinstance(node.func, ast.Attribute) and not draws.fixed(node):
            kind, name = self.type_of(node.func.value), node.func.attr
            if kind == library.ESTIMATOR and name in draws.FITS and not self._is_fixed(node.func.value):
                touched = draws.GENERATORS["numpy.random"].variable, Grade.POSSIBLE
            elif name == "sample" and kind in (library.PANDAS, None):
                sure = Grade.DEFINITE if kind is not None else Grade.POSSIBLE
                touched = draws.GENERATORS["numpy.random"].variable, sure
        if touched is None or touched[0] not in self.flow.seeded:
            return
        name, grade = touched
        if grade is None:
            self.flow.bind(name, Binding(Status.BOUND, self.flow.site(node), Known(type=library.TUPLE)))
        else:
            self.flow.load(name, node, hard=False)
            self.flow.change(name, grade, node, f"`{ast.unparse(node.func)}()` draws from it")

    def _is_fixed(self, receiver: ast.expr) -> bool:
        """Whether an estimator was given a seed of its own."""
        if isinstance(receiver, ast.Call):
            return draws.fixed(receiver)
        known = self.flow.known(receiver.id) if isinstance(receiver, ast.Name) else None
        return known is not None and known.fixed

    def _call(self, node: ast.Call) -> None:
        path = self.path(node.func)
        self.reached(node, path)
        self._dynamic(node, path)
        self._random(node, path)
        if path is not None and path in library.CHANGES:
            self._changes_argument(node, *library.CHANGES[path])
        elif path is not None and self.is_pure(path):
            self._pure_call(node, path)
        elif isinstance(node.func, ast.Attribute) and path is None:
            self._method_call(node, node.func)
        else:
            self.called(node.func, node=node)
        for keyword in node.keywords:
            if keyword.arg in ("out", "file") or (keyword.arg == "output" and (path or "").startswith("scipy.")):
                self.changed(keyword.value, Grade.DEFINITE, node, f"it is the `{keyword.arg}=` of a call")
        self._written_to(node, path or "")

    def _written_to(self, node: ast.Call, path: str) -> None:
        """Arguments that an otherwise pure function writes to: streams, places for results, what it may reuse."""
        head, _, last = path.rpartition(".")
        if head.startswith("numpy") and last == "at" and node.args:
            self.changed(node.args[0], Grade.DEFINITE, node, "`.at()` changes it")
        arity = 1 if last in library.UNARY else 2 if last in library.BINARY else library.RESULT_AFTER.get(last)
        if head == "numpy" and arity is not None and len(node.args) > arity:
            self.changed(node.args[arity], Grade.DEFINITE, node, "the result is written into it")
        position = library.STREAMS.get(path)
        if position is None and isinstance(node.func, ast.Attribute) and node.func.attr.startswith("to_"):
            position = 0
        if position is not None and position < len(node.args):
            self._perhaps_changed(node.args[position], node)
        if reuses(node) or (isinstance(node.func, ast.Attribute) and self._is_reusing(node.func.value)):
            for argument in node.args[:1]:
                self._perhaps_changed(argument, node)

    def _is_reusing(self, receiver: ast.expr) -> bool:
        """Whether an estimator was told that it may work in its argument."""
        known = self.flow.known(receiver.id) if isinstance(receiver, ast.Name) else None
        return reuses(receiver) if isinstance(receiver, ast.Call) else known is not None and known.reuses

    def _changes_argument(self, node: ast.Call, position: int, keyword: str) -> None:
        named = [k.value for k in node.keywords if k.arg == keyword]
        for argument in named or node.args[position : position + 1]:
            self.changed(argument, Grade.DEFINITE, node, f"`{ast.unparse(node.func)}` changes it")

    def _pure_call(self, node: ast.Call, path: str) -> None:
        if path in library.BUILTINS:
            for argument in node.args:
                self.consumed(argument)
        for argument in arguments(node):
            self._callback(argument, arguments(node))
            self._bound_method(argument, node)
            self.anything(argument)
            if self.type_of(argument) == library.RANDOM:
                self.changed(argument, Grade.POSSIBLE, node, f"`{path}()` may draw from it")

    def _callback(self, argument: ast.expr, others: Sequence[ast.expr] = ()) -> None:
        """A function handed to a call may be called, with elements of whatever else the call is given."""
        function = self.function_of(argument)
        if function is not None:
            given = [other for other in others if other is not argument]
            self.follow(function, dict.fromkeys(names.parameters(function), given), sure=False)

    def _bound_method(self, argument: ast.expr, node: ast.Call) -> None:
        """`map(seen.append, xs)`: a method that is handed to a call may be called."""
        if isinstance(argument, ast.Attribute) and self.path(argument) is None:
            kind = self.type_of(argument.value)
            if argument.attr in (library.CONTAINER_MUTATORS if kind is None else library.MUTATORS.get(kind, ())):
                self._perhaps_changed(argument.value, node)

    def called(self, function: ast.expr, *, node: ast.AST) -> None:
        """Call a function that the notebook defines, or one of which nothing is known."""
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.attr == "register":
            self.flow.change_definition(function.value.id, node, "`.register` changes what it does")
        target = self.function_of(function)
        call = node if isinstance(node, ast.Call) else None
        if target is not None:
            self.follow(target, bind_arguments(target, call) if call else {}, sure=True)
            return
        if call is None:
            return
        owner = self.class_named(function)
        if owner is not None:
            init = method(owner, "__init__")
            if init is not None:
                self.follow(init, bind_arguments(init, call, bound=True), sure=True)
            return
        self.special(function, ["__call__"])
        if self.holds_state(function):
            self._perhaps_changed(function, call)  # a closure, a module of torch: it may keep state
        for argument in arguments(call):
            self._callback(argument, arguments(call))
            self._perhaps_changed(argument, call)

    def _method_call(self, node: ast.Call, func: ast.Attribute) -> None:
        kind, name = self.type_of(func.value), func.attr
        if name in ("register", "cache_clear") and isinstance(func.value, ast.Name):
            self.flow.change_definition(func.value.id, node, f"`.{name}()` changes what it does")
        owner = self.class_of(func.value)
        found = method(owner, name) if owner is not None else None
        if found is not None:
            self.follow(found, bind_arguments(found, node, receiver=func.value), sure=True)
            return
        for argument in arguments(node):
            self._callback(argument, [func.value, *arguments(node)])
            if isinstance(argument, ast.expr) and kind == library.LIST:
                continue
            if kind not in library.KIND_TO_ARGUMENTS and not self.believed_pure(kind, name):
                self._perhaps_changed(argument, node)
        if name == "shuffle" and kind == library.RANDOM and node.args:
            self.changed(node.args[0], Grade.DEFINITE, node, "`.shuffle()` changes it")
        if isinstance(func.value, ast.Subscript):
            self.flow.run.deep.update(self.roots(base(func.value)))
        taint = frozenset().union(*(self.taint(a) for a in arguments(node)), frozenset())
        reason = f"`.{name}()` changes it"
        inplace = any(k.arg == "inplace" and not is_false(k.value) for k in node.keywords)
        if kind is not None and (name in library.MUTATORS.get(kind, ()) or (inplace and kind == library.PANDAS)):
            self.changed(func.value, Grade.DEFINITE, node, reason, taint)
            if kind in (library.LIST, library.DICT, library.SET, library.DEFAULTS):
                self.held(base(func.value), arguments(node))
        elif inplace or not (kind == library.SCALAR or self.believed_pure(kind, name)):
            self.changed(func.value, Grade.POSSIBLE, node, f"`.{name}()` may change it", taint, deep=kind is None)
            if name in library.CONTAINER_MUTATORS:
                self.held(base(func.value), arguments(node))

    def _perhaps_changed(self, argument: ast.expr, node: ast.AST) -> None:
        known = self.flow.known(argument.id) if isinstance(argument, ast.Name) else None
        if self.type_of(argument) == library.SCALAR or (known is not None and (known.definition or known.path)):
            return
        text = ast.unparse(node.func) if isinstance(node, ast.Call) else "a call"
        self.changed(argument, Grade.POSSIBLE, node, f"`{text}()` may change it", deep=True)

    def _default(self, function: names.Function, parameter: str) -> list[ast.expr]:
        """The variable that a parameter which is not given stands for: a call may change it like an argument."""
        default = default_of(function, parameter)
        if not isinstance(default, ast.Name):
            return []
        self.flow.load(default.id, default, hard=False)
        return [default]

    def follow(self, function: names.Function, given: dict[str, list[ast.expr]], *, sure: bool) -> None:
        """Follow a call into the body of a function of the notebook: what it does to globals and to its arguments."""
        effects = self._effects_of(function)
        if effects is None:
            return
        self.wrapped(function)
        held = frozenset[Definition]().union(*(self.taint(a) for group in given.values() for a in group))
        for name, change in effects.changes.items():
            grade = change.grade if sure else Grade.POSSIBLE
            if name.startswith("<"):
                reached = given.get(name[1:-1]) or self._default(function, name[1:-1])
                for argument in reached:
                    grade = grade if len(reached) == 1 else Grade.POSSIBLE
                    self.changed(argument, grade, argument, change.reason, held, deep=True)
            else:
                self.flow.load(name, function, hard=False)
                self.flow.change(name, grade, function, f"{change.reason} in a function that is called")
                self.hold(name, held)
        for name, binding in effects.binds.items():
            status = binding.status if sure else Status.MAYBE
            here = self.flow.state.get(name)
            if status is Status.MAYBE and here is not None and here.status is Status.BOUND:
                status = Status.BOUND
            known = replace(binding.known, roots=self._given_roots(binding.known.roots, given))
            self.flow.bind(name, Binding(status, self.flow.site(function), known))
        for name, roots in effects.held.items():
            kept = dict.fromkeys(self._given_roots(roots, given), Bond.HELD)
            for holder in self._given_roots({name: Bond.SAME}, given):
                self.flow.keep_in(holder, {root: bond for root, bond in kept.items() if root != holder})

    def _given_roots(self, roots: Mapping[str, Bond], given: Mapping[str, Sequence[ast.expr]]) -> Roots:
        """What is known of a function's parameters (`<name>`) as it is of the arguments that they got."""
        found: Roots = {}
        for root, bond in roots.items():
            own = [{root: bond}] if not root.startswith("<") else [self.roots(a) for a in given.get(root[1:-1], ())]
            for name, known in (pair for part in own for pair in part.items()):
                found[name] = max(min(known, bond), found.get(name, Bond.HELD))
        return found

    def _effects_of(self, function: names.Function) -> Summary | None:
        """What a function does; of one that is being run, what is known by now."""
        if id(function) in self.flow.active:
            self.flow.bodies.again.add(id(function))
            return self.flow.bodies.before.get(id(function))
        return self.flow.body_summary(function)
