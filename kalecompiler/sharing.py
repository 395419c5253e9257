"""What a value is: its coarse type, whose objects it may share, which definitions it needs, what a call calls."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from kalecompiler import draws, library, names, trees
from kalecompiler.calls import (
    arguments,
    bind_arguments,
    method,
    returned_from_outside,
    returned_parameters,
    reuses,
    stored_parameters,
)
from kalecompiler.facts import Bond, Definition, Known, Roots, strongest, within
from kalecompiler.namespace import Namespace
from kalecompiler.shapes import base, handed_out

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


class Values:
    """Answers questions about expressions from what the interpreter knows of names; runs nothing."""

    def __init__(self, flow: Namespace) -> None:
        self.flow = flow
        self.returning: set[int] = set()  # functions whose results are being looked at

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
            return replace(known, taint=known.taint | taint, roots=self.roots(expr))
        known = Known(type=self.type_of(expr), taint=taint, roots=self.roots(expr))
        if not isinstance(expr, ast.Call):
            return known
        return replace(known, node=self.class_named(expr.func), fixed=draws.fixed(expr), reuses=reuses(expr))

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
        return within(self.roots(expr))

    def roots(self, expr: ast.expr) -> Roots:
        """The names whose objects the value of an expression is and how."""
        if isinstance(expr, ast.Name):
            return self._roots_of_name(expr.id)
        if isinstance(expr, ast.IfExp):
            return strongest([self.roots(expr.body), self.roots(expr.orelse)])
        if isinstance(expr, ast.BoolOp):
            return strongest([self.roots(v) for v in expr.values])
        if isinstance(expr, ast.NamedExpr | ast.Await | ast.Starred):
            return self.roots(expr.value)
        if isinstance(expr, ast.Attribute | ast.Subscript):
            return {} if self.type_of(expr) == library.SCALAR else within(self._weak([expr.value]))
        if isinstance(expr, ast.List | ast.Tuple | ast.Set):
            unpacked = [e for e in expr.elts if isinstance(e, ast.Starred)]
            whole = [e for e in expr.elts if not isinstance(e, ast.Starred)]
            return strongest([self._weak(whole), self._weak(list[ast.expr](unpacked), Bond.PERHAPS)])
        if isinstance(expr, ast.Dict):
            whole = [v for k, v in zip(expr.keys, expr.values, strict=True) if k is not None]
            copied = [v for k, v in zip(expr.keys, expr.values, strict=True) if k is None]
            whole += [key for key in expr.keys if key is not None and self._may_be_instance(key)]
            return strongest([self._weak(whole), self._weak(copied, Bond.PERHAPS)])
        if isinstance(expr, names.COMPREHENSIONS):
            return self._roots_of_comprehension(expr)
        if isinstance(expr, ast.BinOp):  # `xs + ys` has the elements of both
            joins = library.LIST in (self.type_of(expr.left), self.type_of(expr.right))
            return self._weak([expr.left, expr.right], Bond.HELD) if joins else {}
        if isinstance(expr, ast.Call):
            return within(self._roots_of_call(expr))
        return {}

    def _roots_of_comprehension(self, expr: names.Comprehension) -> Roots:
        """Its elements may be those of what it goes over, or variables from around it."""
        targets = {name for g in expr.generators for name in names.target_names(g.target)}
        parts = list(handed_out(expr.value if isinstance(expr, ast.DictComp) else expr.elt))
        own = [part for part in parts if isinstance(start := base(part), ast.Name) and start.id in targets]
        is_keys = isinstance(expr, ast.DictComp) and isinstance(expr.key, ast.Name | ast.Attribute | ast.Subscript)
        return strongest(
            [
                self._weak([g.iter for g in expr.generators if own or (is_keys and self._may_be_instance(g.iter))]),
                self._weak([part for part in parts if part not in own]),
            ]
        )

    def _roots_of_name(self, name: str) -> Roots:
        local = self.flow.local(name)
        if local is not None:
            return dict(local.known.roots)
        here = self.flow.state.get(name)
        inherited = dict(here.known.roots if here is not None else self.flow.held.get(name, {}))
        known = self.flow.known(name)
        if known is None and here is None and name in BUILTIN_NAMES:
            return inherited
        if known is not None and known.path is not None and known.definition is not None:
            return inherited
        return inherited | {name: Bond.SAME}

    def _may_be_instance(self, expr: ast.expr) -> bool:
        """Whether a value may be or hold an instance of a class of the notebook: other keys do not change."""
        return any(isinstance(definition.node, ast.ClassDef) for definition in self.taint(expr))

    def _weak(self, exprs: list[ast.expr], bond: Bond = Bond.PART) -> Roots:
        return {root: min(bond, known) for e in exprs for root, known in self.roots(e).items()}

    def _roots_of_call(self, node: ast.Call) -> Roots:
        """What a call returns may share state with what it was given, unless it is known to be new."""
        path = self.path(node.func)
        if path is not None and self.is_pure(path):
            keeps = path in library.SHARING or path in library.SHARING_BUILTINS or is_estimator(path)
            return self._weak(arguments(node)) if keeps else {}
        if isinstance(node.func, ast.Attribute) and path is None:
            kind = self.type_of(node.func.value)
            if kind == library.ESTIMATOR and node.func.attr in {"fit", "partial_fit", "set_params"}:
                return self.roots(node.func.value)
            if kind == library.SCALAR or (
                self.believed_pure(kind, node.func.attr) and node.func.attr not in library.SHARING_METHODS
            ):
                return {}
            kept = node.func.attr in library.SHARING_METHODS and self.believed_pure(kind, node.func.attr)
            return self._weak([node.func.value, *arguments(node)], Bond.PART if kept else Bond.PERHAPS)
        if self.type_of(node) == library.SCALAR:
            return {}
        given = self._weak(arguments(node), Bond.PERHAPS) | self._weak(self._kept_arguments(node))
        return given | self._returned(node)

    def _returned(self, node: ast.Call) -> Roots:
        """The variables around a function of the notebook that it gives back, or a part of them."""
        function = self.function_of(node.func)
        if function is None or id(function) in self.returning:
            return {}
        self.returning.add(id(function))
        found = self._weak(returned_from_outside(function))
        self.returning.discard(id(function))
        return found

    def _kept_arguments(self, node: ast.Call) -> list[ast.expr]:
        """The arguments that a function of the notebook returns, or the constructor of a class of it keeps."""
        function, owner = self.function_of(node.func), self.class_named(node.func)
        if owner is not None:
            init = method(owner, "__init__")
            given = bind_arguments(init, node, bound=True) if init is not None else {}
            kept = stored_parameters(init) if init is not None else frozenset()
        elif function is not None:
            given, kept = bind_arguments(function, node), returned_parameters(function)
        else:
            return []
        return [argument for name in kept for argument in given.get(name, ())]

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
            return found or (kind if kind in library.CLOSED and self.believed_pure(kind, node.func.attr) else None)
        return None

    def taint(self, expr: ast.expr | None) -> frozenset[Definition]:
        """The definitions that a value may need to be loaded: classes of its parts, functions it holds."""
        found: set[Definition] = set()
        if expr is None or self.type_of(expr) == library.SCALAR:
            return frozenset()
        for node, called in _lambdas_and_names(expr):
            if isinstance(node, ast.Lambda):
                found.add(self._by_value(node))
                continue
            known = self.flow.known(node.id)
            if known is not None:
                found |= known.taint
                if known.definition is not None and known.definition.kind != "import":
                    found |= self._makes(known.definition, called=called)
        return frozenset(found)

    def _makes(self, definition: Definition, *, called: bool) -> frozenset[Definition]:
        """What a mention of a definition may put into a value: the class, or the function if it is not just called."""
        if isinstance(definition.node, ast.ClassDef) or definition.kind == "block" or not called:
            return frozenset({definition})
        inner = [self._by_value(f, within=definition.node) for f in _inner_functions(definition.node)]
        return frozenset([*inner, *self._made_by(definition, set())])

    def _by_value(self, function: names.Function, within: ast.AST | None = None) -> Definition:
        """A function without a statement of its own, which goes by value: what its body reads must be there."""
        made = self.flow.by_value.get(id(function))
        if made is None:
            name = getattr(function, "name", "<lambda>")
            statement = ast.copy_location(ast.Pass(), function)
            free = names.free_names(function) - {n for scope in self.flow.scopes for n in scope.bindings}
            free &= names.free_names(within) if isinstance(within, names.FUNCTIONS) else free
            made = Definition(name, "value", statement, self.flow.site(function), free, (), function)
            self.flow.by_value[id(function)] = made
        return made

    def _made_by(self, definition: Definition, seen: set[Definition]) -> set[Definition]:
        """The classes that a function mentions, also through the functions that it calls."""
        seen.add(definition)
        made: set[Definition] = set()
        for name in definition.lazy:
            known = self.flow.known(name)
            inner = known.definition if known is not None else None
            if inner is None or inner in seen or inner.kind == "import":
                continue
            if isinstance(inner.node, ast.ClassDef) or name in _mentioned(definition.node):
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

    def function_of(self, expr: ast.AST) -> names.Function | None:
        """The function of the notebook that an expression names, or the lambda that it is."""
        if isinstance(expr, ast.Lambda):
            return expr
        known = self.flow.known(expr.id) if isinstance(expr, ast.Name) else None
        node = None if known is None else known.definition.node if known.definition else known.node
        return node if isinstance(node, names.FUNCTIONS) else None

    def class_named(self, expr: ast.expr) -> ast.ClassDef | None:
        known = self.flow.known(expr.id) if isinstance(expr, ast.Name) else None
        node = known.definition.node if known is not None and known.definition else None
        return node if isinstance(node, ast.ClassDef) else None

    def class_of(self, expr: ast.expr) -> ast.ClassDef | None:
        """The notebook's class of which an expression is known to give an instance."""
        if isinstance(expr, ast.Call):
            return self.class_named(expr.func)
        known = self.flow.known(expr.id) if isinstance(expr, ast.Name) else None
        if known is None or known.definition is not None:
            return None
        return known.node if isinstance(known.node, ast.ClassDef) else None

    def is_pure(self, path: str) -> bool:
        """Whether calling what stands at a path leaves its arguments alone."""
        parts = path.split(".")
        if any(".".join(parts[:n]) in self.flow.notebook.pure for n in range(1, len(parts) + 1)):
            return True
        return path in library.BUILTINS or path.split(".", maxsplit=1)[0] in library.PURE_MODULES or is_estimator(path)

    def believed_pure(self, kind: str | None, name: str) -> bool:
        """Whether a method leaves its receiver alone: known of the type, or common to all types that have it."""
        if kind in library.PURE_METHODS:
            return name in library.PURE_METHODS[kind]
        return kind in (library.FIGURE, library.SCALAR) or (
            name in library.COMMONLY_PURE and name not in self.flow.methods
        )


def _outside_lambdas(expr: ast.AST) -> Iterator[ast.AST]:
    """The nodes of an expression, lambdas as a whole."""
    yield expr
    if not isinstance(expr, ast.Lambda):
        for child in trees.children(expr):
            yield from _outside_lambdas(child)


@lru_cache(16384)
def _lambdas_and_names(expr: ast.AST) -> list[tuple[ast.Lambda | ast.Name, bool]]:
    """What of an expression may bring definitions into its value, each with whether it is just called."""
    nodes = list(_outside_lambdas(expr))
    called = {id(n.func) for n in nodes if isinstance(n, ast.Call)}
    return [
        (n, id(n) in called)
        for n in nodes
        if isinstance(n, ast.Lambda) or (isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
    ]


@lru_cache(4096)
def _inner_functions(node: ast.AST | None) -> list[names.Function]:
    """The functions and lambdas that a function makes."""
    body = names.body_of(node) if isinstance(node, names.FUNCTIONS) else []
    return [n for statement in body for n in trees.walk(statement) if isinstance(n, names.FUNCTIONS)]


@lru_cache(4096)
def _mentioned(node: ast.AST | None) -> frozenset[str]:
    """The names that code reads for other ends than to call them."""
    nodes = list(trees.walk(node)) if node is not None else []
    called = {id(n.func) for n in nodes if isinstance(n, ast.Call)}
    return frozenset(
        n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and id(n) not in called
    )


def is_estimator(path: str) -> bool:
    """Whether a dotted path names a class of a library with scikit-learn's conventions."""
    parts = path.split(".")
    return parts[0] in library.ESTIMATOR_MODULES and parts[-1][:1].isupper()
