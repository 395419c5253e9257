"""What expressions do: the names they read, the objects they may change, what their value shares, its coarse type."""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

from kalecompiler import library, names
from kalecompiler.facts import Binding, Definition, Grade, Known, Roots, Status

if TYPE_CHECKING:
    from kalecompiler.flow import Flow

BUILTIN_NAMES = frozenset(dir(builtins)) | {"display", "get_ipython", "__name__", "__file__", "__doc__", "__builtins__"}
_LITERALS: dict[type[ast.expr], str] = {
    ast.List: library.LIST,
    ast.ListComp: library.LIST,
    ast.Dict: library.DICT,
    ast.DictComp: library.DICT,
    ast.Set: library.SET,
    ast.SetComp: library.SET,
    ast.Tuple: library.TUPLE,
    ast.Constant: library.SCALAR,
    ast.JoinedStr: library.SCALAR,
    ast.Compare: library.SCALAR,
    ast.GeneratorExp: library.ITERATOR,
}


class Effects(ast.NodeVisitor):
    """Visits expressions in the order of evaluation, on behalf of a `Flow`."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow

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
        self._body_effects(node, {}, sure=False)

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
        from kalecompiler.flow import Scope

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
                self.visit(condition)
        for part in [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]:
            self.visit(part)
        self.flow.scopes.pop()

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def _local_targets(self, target: ast.expr, iterable: ast.expr, scope: dict[str, Binding]) -> None:
        for name in names.target_names(target):
            scope[name] = Binding(Status.BOUND, self.flow.site(target), self.value(iterable, element=True))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.visit(node.value)

    def visit_Await(self, node: ast.Await) -> None:
        self.visit(node.value)

    # -- storing -----------------------------------------------------------------------------------------------------

    def store(self, target: ast.expr, node: ast.AST, value: ast.expr | None = None) -> None:
        """`x[i] = v`, `x.a = v`, `del x[i]`: reads what stands in the target and changes the object behind it."""
        assert isinstance(target, ast.Subscript | ast.Attribute)
        self.visit(target.value)
        if isinstance(target, ast.Subscript):
            self.visit(target.slice)
        taint = self.taint(value) if value is not None else frozenset()
        self.changed(base(target.value), Grade.DEFINITE, node, "it is assigned into", taint)

    def changed(
        self,
        expr: ast.expr,
        grade: Grade,
        node: ast.AST,
        reason: str,
        taint: frozenset[Definition] = frozenset(),
    ) -> None:
        """The object that an expression gives changes in place, and so does whatever shares state with it."""
        for root, strong in self.roots(expr).items():
            self.flow.change(root, grade if strong else Grade.POSSIBLE, node, reason)
            here = self.flow.state.get(root)
            if taint and here is not None:
                known = here.known
                self.flow.state[root] = Binding(
                    here.status,
                    here.site,
                    Known(known.definition, known.type, known.path, known.taint | taint, known.roots, known.node),
                )
            elif taint:
                self.flow.tainted[root] = self.flow.tainted.get(root, frozenset()) | taint

    def consumed(self, iterable: ast.expr) -> None:
        """Looping over an iterator uses it up."""
        if self.type_of(iterable) == library.ITERATOR:
            self.changed(iterable, Grade.DEFINITE, iterable, "the iterator is used up")

    # -- calling -----------------------------------------------------------------------------------------------------

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name):
            self.flow.load(node.func.id, node.func, called=True)
        else:
            self.visit(node.func)
        for argument in arguments(node):
            self.visit(argument)
        self._call(node)

    def _call(self, node: ast.Call) -> None:
        path = self.path(node.func)
        if path is not None and path in library.CHANGES:
            self._changes_argument(node, *library.CHANGES[path])
        elif path is not None and self._is_pure(path):
            self._pure_call(node, path)
        elif isinstance(node.func, ast.Attribute) and path is None:
            self._method_call(node, node.func)
        else:
            self.called(node.func, node=node)
        for keyword in node.keywords:
            if keyword.arg == "out":
                self.changed(keyword.value, Grade.DEFINITE, node, "it is the `out=` of a call")

    def _is_pure(self, path: str) -> bool:
        return path in library.BUILTINS or path.split(".")[0] in library.PURE_MODULES or is_estimator(path)

    def _changes_argument(self, node: ast.Call, position: int, keyword: str) -> None:
        named = [k.value for k in node.keywords if k.arg == keyword]
        for argument in named or node.args[position : position + 1]:
            self.changed(argument, Grade.DEFINITE, node, f"`{ast.unparse(node.func)}` changes it")

    def _pure_call(self, node: ast.Call, path: str) -> None:
        if path in library.BUILTINS:
            for argument in node.args:
                self.consumed(argument)
        for argument in arguments(node):  # a callback may change what it closes over
            self._callback(argument)

    def _callback(self, argument: ast.expr) -> None:
        function = self._function(argument)
        if function is not None:
            self._body_effects(function, {}, sure=False)

    def called(self, function: ast.expr, *, node: ast.AST) -> None:
        """Call a function that the notebook defines, or one of which nothing is known."""
        target = self._function(function)
        call = node if isinstance(node, ast.Call) else None
        if target is not None:
            self._body_effects(target, bind_arguments(target, call) if call else {}, sure=True)
            return
        if call is None:
            return
        owner = self._class(function)
        if owner is not None:
            init = method(owner, "__init__")
            if init is not None:
                self._body_effects(init, bind_arguments(init, call, bound=True), sure=True)
            return
        for argument in arguments(call):
            self._callback(argument)
            self._perhaps_changed(argument, call)

    def _method_call(self, node: ast.Call, func: ast.Attribute) -> None:
        kind, name = self.type_of(func.value), func.attr
        owner = self._class_of(func.value)
        found = method(owner, name) if owner is not None else None
        if found is not None:
            self._body_effects(found, bind_arguments(found, node, receiver=func.value), sure=True)
            return
        for argument in arguments(node):
            self._callback(argument)
            if isinstance(argument, ast.expr) and kind == library.LIST:
                continue
            if kind not in library.KIND_TO_ARGUMENTS and not self._believed_pure(kind, name):
                self._perhaps_changed(argument, node)
        taint = frozenset().union(*(self.taint(a) for a in arguments(node)), frozenset())
        reason = f"`.{name}()` changes it"
        inplace = any(k.arg == "inplace" and not _is_false(k.value) for k in node.keywords)
        if kind is not None and (name in library.MUTATORS.get(kind, ()) or (inplace and kind == library.PANDAS)):
            self.changed(func.value, Grade.DEFINITE, node, reason, taint)
        elif inplace or not (kind == library.SCALAR or self._believed_pure(kind, name)):
            self.changed(func.value, Grade.POSSIBLE, node, f"`.{name}()` may change it", taint)

    def _believed_pure(self, kind: str | None, name: str) -> bool:
        if kind in library.PURE_METHODS:
            return name in library.PURE_METHODS[kind]
        return kind in (library.FIGURE, library.SCALAR) or (
            name in library.COMMONLY_PURE and name not in self.flow.methods
        )

    def _perhaps_changed(self, argument: ast.expr, node: ast.AST) -> None:
        known = self.flow.known(argument.id) if isinstance(argument, ast.Name) else None
        if self.type_of(argument) == library.SCALAR or (known is not None and (known.definition or known.path)):
            return
        text = ast.unparse(node.func) if isinstance(node, ast.Call) else "a call"
        self.changed(argument, Grade.POSSIBLE, node, f"`{text}()` may change it")

    def _body_effects(
        self, function: names.Function, given: dict[str, list[ast.expr]], *, sure: bool
    ) -> None:
        """Follow a call into the body of a function of the notebook: what it does to globals and to its arguments."""
        from kalecompiler.flow import body_summary

        if id(function) in self.flow.active:
            return
        effects = body_summary(self.flow, function)
        for name, change in effects.changes.items():
            grade = change.grade if sure else Grade.POSSIBLE
            if name.startswith("<"):
                for argument in given.get(name[1:-1], ()):
                    self.changed(argument, grade, argument, change.reason)
            else:
                self.flow.load(name, function, hard=False)
                self.flow.change(name, grade, function, f"{change.reason} in a function that is called")
        for name, binding in effects.binds.items():
            status = binding.status if sure else Status.MAYBE
            here = self.flow.state.get(name)
            if status is Status.MAYBE and here is not None and here.status is Status.BOUND:
                status = Status.BOUND
            self.flow.bind(name, Binding(status, self.flow.site(function), binding.known))

    # -- what a value is ---------------------------------------------------------------------------------------------

    def value(self, expr: ast.expr | None, *, element: bool = False) -> Known:
        """What is known of an expression's value, or of an element of it."""
        if expr is None:
            return Known()
        taint = self.taint(expr)
        if element:
            kind = library.FIGURE if self.type_of(expr) == library.FIGURE else None
            return Known(type=kind, taint=taint, roots=self.element_roots(expr))
        known = self._alias(expr)
        if known is not None:
            return Known(known.definition, known.type, known.path, known.taint | taint, self.roots(expr), known.node)
        owner = self._class(expr.func) if isinstance(expr, ast.Call) else None
        return Known(type=self.type_of(expr), taint=taint, roots=self.roots(expr), node=owner)

    def _alias(self, expr: ast.expr) -> Known | None:
        """`b = a`: b is known as a is, but a second name for a definition is a value like others."""
        if not isinstance(expr, ast.Name):
            return None
        known = self.flow.known(expr.id)
        if known is None or known.definition is None:
            return known
        return Known(None, None, known.path, known.taint | known.own(), known.roots, known.definition.node)

    def element_roots(self, expr: ast.expr) -> Roots:
        """What an element of an iterable may share state with: changing it is changing the iterable's content."""
        if isinstance(expr, ast.Call):
            function = expr.func
            if isinstance(function, ast.Name) and function.id in {"enumerate", "zip", "reversed", "sorted", "list"}:
                return {r: s for a in expr.args for r, s in self.element_roots(a).items()}
            if isinstance(function, ast.Attribute) and function.attr in {"items", "values"} and not expr.args:
                return self.element_roots(function.value)
        if self.type_of(expr) == library.SCALAR:
            return {}
        return dict(self.roots(expr))

    def roots(self, expr: ast.expr) -> Roots:
        """The names whose objects the value of an expression is (True) or may share state with (False)."""
        if isinstance(expr, ast.Name):
            return self._roots_of_name(expr.id)
        if isinstance(expr, ast.IfExp):
            return self.roots(expr.body) | self.roots(expr.orelse)
        if isinstance(expr, ast.BoolOp):
            return {r: s for v in expr.values for r, s in self.roots(v).items()}
        if isinstance(expr, ast.NamedExpr | ast.Await | ast.Starred):
            return self.roots(expr.value)
        if isinstance(expr, ast.Attribute | ast.Subscript):
            return {} if self.type_of(expr) == library.SCALAR else self._weak([expr.value])
        if isinstance(expr, ast.List | ast.Tuple | ast.Set):
            return self._weak(expr.elts)
        if isinstance(expr, ast.Dict):
            return self._weak(expr.values)
        if isinstance(expr, names.COMPREHENSIONS):
            part = expr.value if isinstance(expr, ast.DictComp) else expr.elt
            shared = isinstance(part, ast.Name | ast.Attribute | ast.Subscript)
            return self._weak([g.iter for g in expr.generators] if shared else [])
        if isinstance(expr, ast.Call):
            return self._roots_of_call(expr)
        return {}

    def _roots_of_name(self, name: str) -> Roots:
        local = self.flow.local(name)
        if local is not None:
            return dict(local.known.roots)
        here = self.flow.state.get(name)
        inherited = dict(here.known.roots) if here is not None else {}
        known = self.flow.known(name)
        if known is not None and known.path is not None and known.definition is not None:
            return inherited
        return inherited | {name: True}

    def _weak(self, exprs: list[ast.expr]) -> Roots:
        return {root: False for e in exprs for root in self.roots(e)}

    def _roots_of_call(self, node: ast.Call) -> Roots:
        """What a call returns may share state with what it was given, unless it is known to be new."""
        path = self.path(node.func)
        if path is not None and self._is_pure(path):
            keeps = path in library.SHARING or path in library.SHARING_BUILTINS or is_estimator(path)
            return self._weak(arguments(node)) if keeps else {}
        if isinstance(node.func, ast.Attribute) and path is None:
            kind = self.type_of(node.func.value)
            if kind == library.ESTIMATOR and node.func.attr in {"fit", "partial_fit", "set_params"}:
                return self.roots(node.func.value)
            if kind == library.SCALAR or (
                self._believed_pure(kind, node.func.attr) and node.func.attr not in library.SHARING_METHODS
            ):
                return {}
            return self._weak([node.func.value, *arguments(node)])
        if self.type_of(node) == library.SCALAR:
            return {}
        return self._weak(arguments(node))

    def type_of(self, expr: ast.expr) -> str | None:
        """The coarse type of an expression (see `library`), None where it is not known."""
        literal = _LITERALS.get(type(expr))
        if literal is not None:
            return literal
        if isinstance(expr, ast.Name):
            known = self.flow.known(expr.id)
            return known.type if known is not None else None
        if isinstance(expr, ast.BinOp):
            return self._type_of_operation(expr)
        if isinstance(expr, ast.UnaryOp | ast.NamedExpr | ast.Await):
            return self.type_of(expr.operand if isinstance(expr, ast.UnaryOp) else expr.value)
        if isinstance(expr, ast.IfExp):
            kinds = {self.type_of(expr.body), self.type_of(expr.orelse)}
            return kinds.pop() if len(kinds) == 1 else None
        if isinstance(expr, ast.Attribute):
            owner = self.type_of(expr.value)
            return library.ATTRIBUTES.get((owner, expr.attr)) if owner else None
        if isinstance(expr, ast.Subscript):
            owner = self.type_of(expr.value)
            return owner if owner in (library.PANDAS, library.FIGURE) else None
        if isinstance(expr, ast.Call):
            return self._type_of_call(expr)
        return None

    def _type_of_operation(self, expr: ast.BinOp) -> str | None:
        kinds = [self.type_of(expr.left), self.type_of(expr.right)]
        for kind in (library.PANDAS, library.NUMPY):
            if kind in kinds:
                return kind
        return kinds[0] if kinds[0] == kinds[1] else None

    def _type_of_call(self, node: ast.Call) -> str | None:
        path = self.path(node.func)
        if path is not None:
            if path in library.RETURNS:
                return library.RETURNS[path]
            if path in library.BUILTINS:
                return library.BUILTINS[path]
            if is_estimator(path):
                return library.ESTIMATOR
            return library.PURE_MODULES.get(path.split(".")[0])
        if isinstance(node.func, ast.Attribute):
            kind = self.type_of(node.func.value)
            if kind is None:
                return None
            found = library.METHOD_RETURNS.get((kind, node.func.attr))
            return found or (kind if kind in library.CLOSED and self._believed_pure(kind, node.func.attr) else None)
        return None

    def taint(self, expr: ast.expr | None) -> frozenset[Definition]:
        """The definitions that a value may need to be loaded: classes of its parts, functions it holds."""
        found: set[Definition] = set()
        if expr is None or self.type_of(expr) == library.SCALAR:
            return frozenset()
        called = {id(n.func) for n in ast.walk(expr) if isinstance(n, ast.Call)}
        for node in ast.walk(expr):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                known = self.flow.known(node.id)
                if known is not None:
                    found |= known.taint
                    if known.definition is not None and known.definition.kind != "import":
                        found |= self._makes(known.definition, called=id(node) in called)
        return frozenset(found)

    def _makes(self, definition: Definition, *, called: bool) -> frozenset[Definition]:
        """What a mention of a definition may put into a value: the class, or the function if it is not just called."""
        if isinstance(definition.node, ast.ClassDef) or not called:
            return frozenset({definition})
        return frozenset(self._made_by(definition, set()))

    def _made_by(self, definition: Definition, seen: set[Definition]) -> set[Definition]:
        """The classes that a function mentions, also through the functions that it calls."""
        seen.add(definition)
        made: set[Definition] = set()
        for name in definition.lazy:
            known = self.flow.known(name)
            inner = known.definition if known is not None else None
            if inner is None or inner in seen or inner.kind == "import":
                continue
            if isinstance(inner.node, ast.ClassDef):
                made.add(inner)
            else:
                made |= self._made_by(inner, seen)
        return made

    # -- what a call calls -------------------------------------------------------------------------------------------

    def path(self, func: ast.expr) -> str | None:
        """The dotted path of a function of a library or of a builtin: `np.random.rand` is `numpy.random.rand`."""
        parts: list[str] = []
        while isinstance(func, ast.Attribute):
            parts.append(func.attr)
            func = func.value
        if not isinstance(func, ast.Name):
            return None
        known = self.flow.known(func.id)
        if known is not None:
            return ".".join([known.path, *reversed(parts)]) if known.path is not None else None
        if func.id in BUILTIN_NAMES and self.flow.local(func.id) is None and not parts:
            return func.id
        return None

    def _function(self, expr: ast.AST) -> names.Function | None:
        """The function of the notebook that an expression names, or the lambda that it is."""
        if isinstance(expr, ast.Lambda):
            return expr
        known = self.flow.known(expr.id) if isinstance(expr, ast.Name) else None
        node = None if known is None else known.definition.node if known.definition else known.node
        return node if isinstance(node, names.FUNCTIONS) else None

    def _class(self, expr: ast.expr) -> ast.ClassDef | None:
        known = self.flow.known(expr.id) if isinstance(expr, ast.Name) else None
        node = known.definition.node if known is not None and known.definition else None
        return node if isinstance(node, ast.ClassDef) else None

    def _class_of(self, expr: ast.expr) -> ast.ClassDef | None:
        """The notebook's class of which an expression is known to give an instance."""
        if isinstance(expr, ast.Call):
            return self._class(expr.func)
        known = self.flow.known(expr.id) if isinstance(expr, ast.Name) else None
        if known is None or known.definition is not None:
            return None
        return known.node if isinstance(known.node, ast.ClassDef) else None


def base(expr: ast.expr) -> ast.expr:
    """The innermost object of a chain: `df.loc[i]` is about `df`."""
    while isinstance(expr, ast.Attribute | ast.Subscript):
        expr = expr.value
    return expr


def arguments(node: ast.Call) -> list[ast.expr]:
    """All argument expressions of a call, positional first."""
    return [a.value if isinstance(a, ast.Starred) else a for a in node.args] + [k.value for k in node.keywords]


def is_estimator(path: str) -> bool:
    """Whether a dotted path names a class of a library with scikit-learn's conventions."""
    parts = path.split(".")
    return parts[0] in library.ESTIMATOR_MODULES and parts[-1][:1].isupper()


def method(owner: ast.ClassDef, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """A method that a class of the notebook defines itself."""
    for statement in owner.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name == name:
            return statement
    return None


def bind_arguments(
    function: names.Function, call: ast.Call, receiver: ast.expr | None = None, *, bound: bool = False
) -> dict[str, list[ast.expr]]:
    """Which argument expressions each parameter of a function gets; `*` arguments may reach any of them."""
    a = function.args
    plain = [p.arg for p in (*a.posonlyargs, *a.args)]
    given: dict[str, list[ast.expr]] = {}
    if receiver is not None and plain:
        given[plain[0]] = [receiver]
    if receiver is not None or bound:
        plain = plain[1:]
    rest = a.vararg.arg if a.vararg else None
    for index, argument in enumerate(call.args):
        if isinstance(argument, ast.Starred):
            for name in plain[index:] + ([rest] if rest else []):
                given.setdefault(name, []).append(argument.value)
        else:
            name = plain[index] if index < len(plain) else rest
            if name is not None:
                given.setdefault(name, []).append(argument)
    every = {*plain, *(p.arg for p in a.kwonlyargs)}
    for keyword in call.keywords:
        target = keyword.arg if keyword.arg in every else (a.kwarg.arg if a.kwarg else None)
        if target is not None:
            given.setdefault(target, []).append(keyword.value)
    return given


def _is_false(expr: ast.expr) -> bool:
    return isinstance(expr, ast.Constant) and not expr.value
