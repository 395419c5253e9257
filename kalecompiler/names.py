"""Scopes: which names a piece of Python takes from its module, by Python's rules and not by its text.

The rules are those of the language reference, "Naming and binding": a name bound anywhere in a function is local to
it, unless declared global or nonlocal; comprehensions and lambdas have scopes of their own; a class body sees its own
names but its methods do not; a walrus binds in the scope around the comprehension. A test compares with `symtable`.
"""

from __future__ import annotations

import ast
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from kalecompiler import trees

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Definable = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_BOUND = trees.KEPT + "bound"
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def normal(name: str) -> str:
    """A name as Python's parser has it: two ways to write it in Unicode are one name."""
    return unicodedata.normalize("NFKC", name)


def bound_names(nodes: Iterable[ast.AST]) -> frozenset[str]:
    """The names that these nodes bind (or delete) in their own scope; nested scopes are not entered."""
    return frozenset[str]().union(*map(_bound, nodes))


def _bound(node: ast.AST) -> frozenset[str]:
    kept: frozenset[str] | None = node.__dict__.get(_BOUND)
    if kept is None:
        kept = node.__dict__[_BOUND] = frozenset(_bindings(node))
    return kept


def _bindings(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        if not isinstance(node.ctx, ast.Load):
            yield node.id
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from imported_names(node)
    elif isinstance(node, FUNCTIONS + (ast.ClassDef,)):
        if not isinstance(node, ast.Lambda):
            yield node.name
        for part in outer_parts(node):
            yield from _bindings(part)
    elif isinstance(node, COMPREHENSIONS):
        yield from _walruses(node)
    else:
        yield from _named_by_field(node)
        for child in trees.children(node):
            yield from _bindings(child)


def _named_by_field(node: ast.AST) -> Iterator[str]:
    """Names that stand in a node as plain text: `except ... as e`, captures of `match`."""
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest


def _walruses(node: ast.AST) -> Iterator[str]:
    """A walrus in a comprehension binds in the scope around it (PEP 572)."""
    for child in trees.children(node):
        if isinstance(child, ast.NamedExpr) and isinstance(child.target, ast.Name):
            yield child.target.id
        if not isinstance(child, FUNCTIONS):
            yield from _walruses(child)


def imported_names(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The names that an import binds; a star import binds none that can be known."""
    for alias in node.names:
        if alias.name != "*":
            yield alias.asname or (alias.name if isinstance(node, ast.ImportFrom) else alias.name.split(".")[0])


def target_names(target: ast.AST) -> Iterator[str]:
    """The names in an assignment target, stars and nested tuples included."""
    for node in trees.walk(target):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def parameters(function: Function) -> tuple[str, ...]:
    """The parameters of a function, positional ones first, in order; `*args` and `**kwargs` last."""
    a = function.args
    plain = [p.arg for p in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
    return tuple(plain + [p.arg for p in (a.vararg, a.kwarg) if p])


def outer_parts(node: Definable | ast.Lambda) -> list[ast.expr]:
    """What is evaluated where a definition stands: decorators, defaults, annotations, bases."""
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *(k.value for k in node.keywords)]
    a = node.args
    parts = [*a.defaults, *(d for d in a.kw_defaults if d)]
    return [*getattr(node, "decorator_list", ()), *parts, *annotation_parts(node)]


def annotation_parts(function: Function) -> list[ast.expr]:
    """The annotations of a function's parameters and result."""
    a = function.args
    every = [*a.posonlyargs, *a.args, *a.kwonlyargs, *(p for p in (a.vararg, a.kwarg) if p)]
    result = getattr(function, "returns", None)
    return [p.annotation for p in every if p.annotation] + ([result] if result else [])


@lru_cache(4096)
def woven(node: ast.AST | None) -> frozenset[str]:
    """The names of what may run with a definition though no body names it: decorators, bases, attributes of a class."""
    if not isinstance(node, ast.ClassDef):
        return loaded(getattr(node, "decorator_list", ()))
    found = set(loaded(outer_parts(node)))
    for item in node.body:
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found |= woven(item)
        elif not isinstance(item, ast.AnnAssign):
            found |= loaded([item])
        elif item.value is not None:
            found |= loaded([item.value])
    return frozenset(found)


def loaded(parts: Iterable[ast.AST]) -> frozenset[str]:
    """The names that expressions, or statements, mention to read them."""
    return frozenset(
        n.id for p in parts for n in trees.walk(p) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    )


def body_of(function: Function) -> list[ast.stmt]:
    """A function's statements; a lambda's expression as one statement."""
    return [ast.Expr(function.body)] if isinstance(function, ast.Lambda) else function.body


def declared(body: Iterable[ast.stmt], kind: type[ast.Global | ast.Nonlocal]) -> frozenset[str]:
    """The names that `global` (or `nonlocal`) statements of this scope declare."""
    found: set[str] = set()
    stack: list[ast.AST] = list(body)
    while stack:
        node = stack.pop()
        if isinstance(node, kind):
            found.update(node.names)
        if not isinstance(node, FUNCTIONS + (ast.ClassDef,)):
            stack.extend(trees.children(node))
    return frozenset(found)


@lru_cache(4096)
def local_names(function: Function) -> frozenset[str]:
    """The names local to a function: its parameters and what it binds, less what it declares otherwise."""
    body = body_of(function)
    outside = declared(body, ast.Global) | declared(body, ast.Nonlocal)
    return (frozenset(parameters(function)) | bound_names(body)) - outside


def free_names(node: ast.AST) -> frozenset[str]:
    """The module-level names that a definition's body reads when it runs, nested scopes included.

    For a class: those that its methods read, as the class body itself runs where it stands.
    """
    finder = _FreeNames()
    if isinstance(node, ast.ClassDef):
        for statement in node.body:
            finder.methods(statement)
    else:
        assert isinstance(node, FUNCTIONS)
        finder.function(node)
    return frozenset(finder.reads)


def free_in_comprehension(node: Comprehension) -> frozenset[str]:
    """The names that a comprehension takes from around it, its first iterable aside, which is evaluated out there."""
    first = ast.comprehension(node.generators[0].target, ast.Tuple([], ast.Load()), node.generators[0].ifs, 0)
    inner = trees.bare_copy(node)
    inner.generators = [first, *node.generators[1:]]
    finder = _FreeNames()
    finder.visit(inner)
    return frozenset(finder.reads)


class _FreeNames(ast.NodeVisitor):
    """Walks function bodies and collects loads that no enclosing function scope binds."""

    def __init__(self) -> None:
        self.reads: set[str] = set()
        self.scopes: list[tuple[frozenset[str], bool]] = []  # names, and whether only the scope itself sees them
        self.globals: list[frozenset[str]] = []

    def methods(self, node: ast.AST) -> None:
        if isinstance(node, FUNCTIONS):
            self.function(node)
        else:
            for child in trees.children(node):
                self.methods(child)

    def function(self, node: Function) -> None:
        body = body_of(node)
        self.scopes.append((local_names(node), False))
        self.globals.append(declared(body, ast.Global))
        for statement in body:
            self.visit(statement)
        self.scopes.pop()
        self.globals.pop()

    def _nested(self, node: Function) -> None:
        for part in outer_parts(node):
            self.visit(part)
        self.function(node)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _nested

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in outer_parts(node):
            self.visit(part)
        self._with_scope(bound_names(node.body), node.body, private=True)

    def _comprehension(self, node: Comprehension) -> None:
        self.visit(node.generators[0].iter)
        own = frozenset(name for g in node.generators for name in target_names(g.target))
        parts = [g.iter for g in node.generators[1:]] + [i for g in node.generators for i in g.ifs]
        parts.extend([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        self._with_scope(own, parts)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def _with_scope(self, names: frozenset[str], nodes: Iterable[ast.AST], *, private: bool = False) -> None:
        self.scopes.append((names, private))
        for node in nodes:
            self.visit(node)
        self.scopes.pop()

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Annotations of a function's own variables are never evaluated, those of a class in it are."""
        self.visit(node.target)
        if self.scopes and self.scopes[-1][1]:
            self.visit(node.annotation)
        if node.value is not None:
            self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.visit_Name(ast.Name(node.target.id, ast.Load()))
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        declared_global = bool(self.globals) and node.id in self.globals[-1]
        if not isinstance(node.ctx, ast.Store) and (declared_global or not self._is_local(node.id)):
            self.reads.add(node.id)

    def _is_local(self, name: str) -> bool:
        """Whether an enclosing scope binds the name; a class body's names are seen by its own statements only."""
        innermost = len(self.scopes) - 1
        return any(name in own and (i == innermost or not private) for i, (own, private) in enumerate(self.scopes))


def depth(tree: ast.AST) -> int:
    """How many nodes deep a syntax tree is."""
    level: list[ast.AST] = [tree]
    count = 0
    while level:
        level = [child for node in level for child in trees.children(node)]
        count += 1
    return count


def method_names(statements: Iterable[ast.stmt]) -> frozenset[str]:
    """The names of all methods of classes defined in these statements."""
    return frozenset(
        member.name
        for statement in statements
        for node in trees.walk(statement)
        if isinstance(node, ast.ClassDef)
        for member in node.body
        if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def cache_users(statements: Iterable[ast.stmt]) -> frozenset[str]:
    """The functions whose cache the code looks at or clears: `f.cache_info()`."""
    return frozenset(
        node.value.id
        for statement in statements
        for node in trees.walk(statement)
        if isinstance(node, ast.Attribute) and node.attr in ("cache_info", "cache_clear", "cache_parameters")
        if isinstance(node.value, ast.Name)
    )


def mangled(tree: ast.Module) -> ast.Module:
    """The tree with private names of class bodies as Python compiles them: `__x` in class `K` is `_K__x`."""
    for node in trees.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name.strip("_"):
            _Mangler(f"_{node.name.lstrip('_')}").generic_visit(node)
    return tree


class _Mangler(ast.NodeTransformer):
    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def _private(self, name: str) -> str:
        return self.prefix + name if name.startswith("__") and not name.endswith("__") else name

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self._private(node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.arg = self._private(node.arg)
        return self.generic_visit(node)  # type: ignore[return-value]

    def visit_Global(self, node: ast.Global) -> ast.Global:
        node.names = [self._private(name) for name in node.names]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        return node  # a class inside mangles with its own name
