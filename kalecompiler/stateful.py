"""State that functions and classes keep in themselves: it would be lost where their source runs again."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from kalecompiler import names, trees
from kalecompiler.calls import default_of
from kalecompiler.facts import Definition
from kalecompiler.library import CONTAINER_MUTATORS
from kalecompiler.shapes import last_name

_MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_MAKERS = frozenset(
    {"list", "dict", "set", "defaultdict", "deque", "Counter", "OrderedDict", "bytearray", "count", "cycle", "iter"}
)
_CACHES = frozenset({"lru_cache", "cache", "cached", "memoize"})


def kept_state(definition: Definition) -> str | None:
    """Where a definition keeps state that its own code changes, in words; None where it keeps none."""
    node = definition.node
    if isinstance(node, ast.ClassDef):
        return _of_class(node)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return _of_function(node)
    return None


def keeps_in_decorator(definition: Definition, known: Mapping[str, Definition]) -> bool:
    """Whether a decorator of the notebook gives a function a memory: a closure that changes, an instance."""
    for decorator in getattr(definition.node, "decorator_list", ()):
        found = known.get(last_name(decorator))
        node = found.node if found is not None else None
        if isinstance(node, ast.ClassDef):
            called = [m for m in node.body if isinstance(m, ast.FunctionDef) and m.name == "__call__"]
            if any(True for m in called for _ in _targets(m)):
                return True
        elif isinstance(node, ast.FunctionDef) and _closure_changes(node):
            return True
    return False


def _closure_changes(outer: ast.FunctionDef) -> bool:
    """Whether a function inside another rebinds or changes what the other binds."""
    inner = [n for n in trees.walk(outer) if isinstance(n, ast.FunctionDef) and n is not outer]
    if any(isinstance(n, ast.Nonlocal) for f in inner for n in trees.walk(f)):
        return True
    own = names.local_names(outer)
    functions = {f.name for f in inner}
    stores = [n for f in inner for n in trees.walk(f) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)]
    if any(isinstance(n.value, ast.Name) and n.value.id in functions for n in stores):
        return True  # `wrapper.calls += 1`
    return any(name in own - names.local_names(f) for f in inner for name in changed_names(f))


def may_keep_state(definition: Definition) -> bool:
    """Whether a definition holds an object that can be changed in place: an attribute, a default."""
    node = definition.node
    if isinstance(node, ast.ClassDef):
        values = [s.value for s in node.body if isinstance(s, ast.Assign | ast.AnnAssign) and s.value is not None]
        return any(map(_is_mutable, values))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return any(_is_mutable(d) for d in [*node.args.defaults, *node.args.kw_defaults] if d is not None)
    return False


def is_cached(definition: Definition) -> bool:
    """Whether calls of a function are answered from a cache."""
    decorators = getattr(definition.node, "decorator_list", ())
    return any(last_name(d) in _CACHES for d in decorators)


def _of_function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str | None:
    changed = set(changed_names(node))
    for parameter in names.parameters(node):
        default = default_of(node, parameter)
        if default is not None and _is_mutable(default) and parameter in changed:
            return f"the default of `{parameter}`"
    return None


def observes_subclasses(node: ast.ClassDef) -> bool:
    """Whether code of a class runs where another is derived from it, or made by it."""
    return any(isinstance(m, ast.FunctionDef) and m.name in _hooks(node) for m in node.body)


def _hooks(node: ast.ClassDef) -> tuple[str, ...]:
    makes_classes = any(isinstance(b, ast.Name) and b.id in ("type", "ABCMeta", "EnumMeta") for b in node.bases)
    return ("__init_subclass__", *(("__new__", "__init__", "__prepare__") if makes_classes else ()))


def _of_class(node: ast.ClassDef) -> str | None:
    methods = [m for m in node.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)]
    for method in methods:
        if method.name in _hooks(node):
            continue  # it runs where a class is made, and so again wherever the class is made again
        first = (names.parameters(method) or ("",))[0]
        by_class = method.name == "__new__" or any(last_name(d) == "classmethod" for d in method.decorator_list)
        for target in _targets(method):
            if _is_class(target.value, first if by_class else None, first, node.name):
                return f"the attribute `{target.attr}`"
    own = {target.attr for m in methods for target in _assigned(m)}
    shared = {
        t.id
        for s in node.body
        if isinstance(s, ast.Assign) and _is_mutable(s.value)
        for t in s.targets
        if isinstance(t, ast.Name)
    }
    for method in (m for m in methods if m.name not in _hooks(node)):
        for attribute in _changed_attributes(method):
            if attribute in shared - own:
                return f"the attribute `{attribute}`"
    return None


def _is_class(expr: ast.expr, class_parameter: str | None, instance: str, name: str) -> bool:
    """Whether an expression in a method is the class itself: `cls`, `type(self)`, `self.__class__`, its name."""
    if isinstance(expr, ast.Name):
        return expr.id in (class_parameter, name)
    if isinstance(expr, ast.Attribute):
        return expr.attr == "__class__" and isinstance(expr.value, ast.Name) and expr.value.id == instance
    return isinstance(expr, ast.Call) and isinstance(expr.func, ast.Name) and expr.func.id == "type"


def _targets(function: ast.AST) -> Iterator[ast.Attribute]:
    """The attributes that code assigns to, or whose content it changes."""
    for node in trees.walk(function):
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            yield node
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            if isinstance(node.value, ast.Attribute):
                yield node.value
        elif _is_mutation(node) and isinstance(node.func.value, ast.Attribute):  # type: ignore[attr-defined]
            yield node.func.value  # type: ignore[attr-defined]
        elif isinstance(node, ast.Call) and last_name(node) == "next":
            yield from (a for a in node.args if isinstance(a, ast.Attribute))


def _assigned(function: ast.AST) -> Iterator[ast.Attribute]:
    for node in trees.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node


def _changed_attributes(function: ast.AST) -> Iterator[str]:
    for target in _targets(function):
        if isinstance(target.ctx, ast.Load):
            yield target.attr


def changed_names(function: ast.AST) -> Iterator[str]:
    """The names whose objects code changes in place."""
    for node in trees.walk(function):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            if isinstance(node.value, ast.Name):
                yield node.value.id
        elif _is_mutation(node) and isinstance(node.func.value, ast.Name):  # type: ignore[attr-defined]
            yield node.func.value.id  # type: ignore[attr-defined]


def _is_mutation(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CONTAINER_MUTATORS


def _is_mutable(expr: ast.expr) -> bool:
    return isinstance(expr, _MUTABLE) or (isinstance(expr, ast.Call) and last_name(expr) in _MAKERS)
