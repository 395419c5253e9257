"""State that functions and classes keep in themselves: it would be lost where their source runs again."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kalecompiler import library, names
from kalecompiler.calls import default_of
from kalecompiler.facts import Definition
from kalecompiler.shapes import last_name

_MUTATORS = library.MUTATORS[library.LIST] | library.MUTATORS[library.DICT] | library.MUTATORS[library.SET]
_MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_MAKERS = frozenset({"list", "dict", "set", "defaultdict", "deque", "Counter", "OrderedDict", "bytearray"})
_CACHES = frozenset({"lru_cache", "cache", "cached", "memoize"})


def kept_state(definition: Definition) -> str | None:
    """Where a definition keeps state that its own code changes, in words; None where it keeps none."""
    node = definition.node
    if isinstance(node, ast.ClassDef):
        return _of_class(node)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return _of_function(node)
    return None


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


def _of_class(node: ast.ClassDef) -> str | None:
    methods = [m for m in node.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)]
    for method in methods:
        first = (names.parameters(method) or ("",))[0]
        by_class = any(last_name(d) == "classmethod" for d in method.decorator_list)
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
    for method in methods:
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
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            yield node
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            if isinstance(node.value, ast.Attribute):
                yield node.value
        elif _is_mutation(node) and isinstance(node.func.value, ast.Attribute):  # type: ignore[attr-defined]
            yield node.func.value  # type: ignore[attr-defined]


def _assigned(function: ast.AST) -> Iterator[ast.Attribute]:
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node


def _changed_attributes(function: ast.AST) -> Iterator[str]:
    for target in _targets(function):
        if isinstance(target.ctx, ast.Load):
            yield target.attr


def changed_names(function: ast.AST) -> Iterator[str]:
    """The names whose objects code changes in place."""
    for node in ast.walk(function):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            if isinstance(node.value, ast.Name):
                yield node.value.id
        elif _is_mutation(node) and isinstance(node.func.value, ast.Name):  # type: ignore[attr-defined]
            yield node.func.value.id  # type: ignore[attr-defined]


def _is_mutation(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATORS


def _is_mutable(expr: ast.expr) -> bool:
    return isinstance(expr, _MUTABLE) or (isinstance(expr, ast.Call) and last_name(expr) in _MAKERS)
