"""Scopes: which names Python code binds, reads and mangles; tables, and comparisons with Python itself."""

from __future__ import annotations

import ast
import dis
import symtable
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kalecompiler import names

BINDINGS = {
    "assignment": ("x = y", "x"),
    "chained targets": ("a = b = c", "a b"),
    "nested tuples and a star": ("(a, [b, *c]), d = v", "a b c d"),
    "items and attributes bind nothing": ("x[0] = 1\no.a = 2", ""),
    "augmented assignment": ("x += 1", "x"),
    "annotation with a value": ("x: int = 1", "x"),
    "bare annotation": ("x: int", "x"),
    "walrus": ("if (n := 1): pass", "n"),
    "walrus in a comprehension": ("[m := v for v in xs]", "m"),
    "walrus in a nested comprehension": ("[[m := w for w in v] for v in xs]", "m"),
    "walrus in a lambda stays there": ("f(lambda: (m := 1))", ""),
    "comprehension targets stay inside": ("{k: v for k, v in d}", ""),
    "for targets leak": ("for i, (j, *k) in xs: pass", "i j k"),
    "with": ("with a as b, c as (d, e): pass", "b d e"),
    "except": ("try: pass\nexcept E as e: pass", "e"),
    "import": ("import a.b, c.d as e", "a e"),
    "from": ("from m import a, b as c", "a c"),
    "star import": ("from m import *", ""),
    "function": ("def f(a, b=1): c = 2", "f"),
    "class": ("class C(B):\n    x = 1\n    def m(self): pass", "C"),
    "walrus in a default": ("def f(a=(n := 1)): pass", "f n"),
    "delete": ("del x, (y, z)", "x y z"),
    "match captures": (
        "match p:\n    case [a, *b]: pass\n    case {'k': c, **d}: pass\n    case P(e, f=g) as h: pass",
        "a b c d e g h",
    ),
    "match on values binds nothing": ("match p:\n    case m.A | 1 | None: pass", ""),
    "unicode is as written": ("größe = 1", "größe"),
    "branches": ("if a:\n    x = 1\nelse:\n    y = 2", "x y"),
    "nested loops": ("while a:\n    for i in b:\n        with c as d: x = 1", "d i x"),
}

FREE = {
    "a global": ("def f(): return x", "x"),
    "parameters": ("def f(a, /, b, *c, d=1, **e): return a, b, c, d, e", ""),
    "locals": ("def f():\n    x = 1\n    return x", ""),
    "bound later is local all the same": ("def f():\n    print(x)\n    x = 1", "print"),
    "global declaration": ("def f():\n    global x\n    x = 1\n    return x", "x"),
    "global only assigned": ("def f():\n    global x\n    x = 1", ""),
    "global augmented": ("def f():\n    global x\n    x += 1", "x"),
    "nonlocal": ("def f():\n    x = 1\n    def g():\n        nonlocal x\n        x += 1\n    return g", ""),
    "global in an inner function": (
        "def f():\n    x = 1\n    def g():\n        global x\n        return x\n    return g",
        "x",
    ),
    "closure": ("def f(a):\n    return lambda b: a + b + c", "c"),
    "defaults are read outside": ("def f(a=x): return a", ""),
    "defaults of an inner function": ("def f():\n    def g(a=x): return a", "x"),
    "decorator of an inner function": ("def f():\n    @d\n    def g(): pass", "d"),
    "comprehension": ("def f(): return [v + k for v in xs if v > t]", "k t xs"),
    "comprehension over its own name": ("def f(): return [x for x in x]", "x"),
    "generator in a call": ("def f(): return sum(v for v in xs)", "sum xs"),
    "walrus in a comprehension is local": ("def f():\n    [m := v for v in xs]\n    return m", "xs"),
    "class body in a function": (
        "def f():\n    class C:\n        k = K\n        def m(self): return k\n    return C",
        "K k",
    ),
    "annotations of locals are not read": ("def f():\n    x: T = 1\n    return x", ""),
    "f-string": ("def f(): return f'{x!r:>{w}}'", "w x"),
    "attributes and keywords are no names": ("def f(a): return a.x(y=1)", ""),
    "except as": ("def f():\n    try: g()\n    except E as e: return e", "E g"),
    "match": ("def f(p):\n    match p:\n        case Point(x=a): return a\n        case m.A: return b", "Point b m"),
    "delete of a local": ("def f():\n    x = 1\n    del x", ""),
    "import inside": ("def f():\n    import numpy as np\n    return np.a", ""),
    "recursion": ("def f(n): return f(n - 1)", "f"),
    "a lambda": ("lambda a, b=d: a + c", "c"),
    "async": ("async def f():\n    async for x in xs: await g(x)", "g xs"),
    "methods of a class": (
        "class C:\n    k = K\n    def m(self): return self.k + g\n    @staticmethod\n    def s(): return h",
        "g h",
    ),
}

OUTER = {
    "decorators, defaults, annotations": ("@d\ndef f(a: A = x, *b: B, c=y, **e: E) -> R: pass", "A B E R d x y"),
    "bases and keywords": ("@d\nclass C(B, metaclass=M): x = 1", "B M d"),
    "lambda": ("lambda a, b=x: y", "x"),
}

MANGLED = {
    "private names of a class": ("class K:\n    def m(self): return __x", "_K__x"),
    "dunder names stay": ("class K:\n    def m(self): return __name__", "__name__"),
    "leading underscores of the class": ("class _K:\n    def m(self): return __x", "_K__x"),
    "a class of underscores mangles nothing": ("class __:\n    def m(self): return __x", "__x"),
    "a class inside": ("class K:\n    class L:\n        def m(self): return __x", "_L__x"),
    "global declarations": ("class K:\n    def m(self):\n        global __x\n        return __x", "_K__x"),
    "outside of classes": ("def f(): return __x", "__x"),
}


def only(source: str) -> ast.AST:
    node = ast.parse(source).body[0]
    return node.value if isinstance(node, ast.Expr) else node


@pytest.mark.parametrize("label", BINDINGS)
def test_bound_names(label: str) -> None:
    source, expected = BINDINGS[label]
    assert sorted(names.bound_names(ast.parse(source).body)) == expected.split()


@pytest.mark.parametrize("label", [k for k in BINDINGS if "bare" not in k])
def test_bound_names_are_those_that_compiled_code_stores(label: str) -> None:
    source = BINDINGS[label][0]
    assert names.bound_names(ast.parse(source).body) == stored(compile(source, "cell", "exec", dont_inherit=True))


@pytest.mark.parametrize("label", FREE)
def test_free_names(label: str) -> None:
    source, expected = FREE[label]
    assert sorted(names.free_names(only(source))) == expected.split()


@pytest.mark.parametrize("label", OUTER)
def test_what_is_evaluated_where_a_definition_stands(label: str) -> None:
    source, expected = OUTER[label]
    node = only(source)
    assert isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda)
    assert sorted(ast.unparse(part) for part in names.outer_parts(node)) == expected.split()


@pytest.mark.parametrize("label", MANGLED)
def test_mangling(label: str) -> None:
    source, expected = MANGLED[label]
    assert names.free_names(names.mangled(ast.parse(source)).body[0]) == {expected}
    code = compile(source, "cell", "exec")
    assert expected in set(_code_names(code))


def _code_names(code: object) -> Iterator[str]:
    yield from getattr(code, "co_names", ())
    for constant in getattr(code, "co_consts", ()):
        yield from _code_names(constant)


# -- Python's own tables -----------------------------------------------------------------------------------------------


_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


def stored(code: CodeType) -> set[str]:
    """The names that a module's compiled code binds or deletes; a walrus in a comprehension stores a global."""
    wanted = {"STORE_NAME", "DELETE_NAME", "STORE_GLOBAL", "DELETE_GLOBAL"}
    own = {str(i.argval) for i in dis.get_instructions(code) if i.opname in wanted}
    inner = (c for c in code.co_consts if isinstance(c, CodeType) and c.co_name in _COMPREHENSIONS)
    return own.union(*map(stored, inner))


def global_reads(table: symtable.SymbolTable) -> set[str]:
    """The names that a scope and those inside it load from the module."""
    found = {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
    return found.union(*(global_reads(child) for child in table.get_children()))


_EXPRESSIONS = (
    "N",
    "(E + E)",
    "[E for N in E if E]",
    "{E: N for N in E for N in N}",
    "(lambda N, Nx=E: E)",
    "(N := E)",
    "f'{N:{N}}'",
    "N.b(c=E)",
)
_STATEMENTS = ("N = E", "N, *N = E", "N[N] = E", "print(E)", "import N", "global N", "nonlocal N", "del N")
_HEADS = (
    "for N in E:",
    "with E as N:",
    "def N(N, x=E):",
    "def N():",
    "try: pass\nexcept N as N:",
    "class N(E):\n    N = N\n    def N(N):",
)


@st.composite
def blocks(draw: Any, depth: int = 2, indent: str = "") -> str:
    """A few statements, nested up to a depth; templates are filled with names (N) and expressions (E)."""
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        head = draw(st.sampled_from(_HEADS)) if depth and draw(st.booleans()) else None
        text = _filled(draw, head or draw(st.sampled_from(_STATEMENTS)), 2)
        lines += [indent + line for line in text.split("\n")]
        if head is not None:
            deeper = "        " if head.startswith("class") else "    "
            lines.append(draw(blocks(depth - 1, indent + deeper)))
    return "\n".join(lines)


def _filled(draw: Any, template: str, depth: int) -> str:
    text = ""
    for character in template:
        if character == "N":
            text += draw(st.sampled_from("abcd"))
        elif character == "E":
            text += _filled(draw, draw(st.sampled_from(_EXPRESSIONS if depth else _EXPRESSIONS[:1])), max(depth - 1, 0))
        else:
            text += character
    return text


def table_of(source: str) -> symtable.SymbolTable:
    """Python's table of a source; sources that Python refuses are not tried."""
    try:
        return symtable.symtable(source, "cell", "exec")
    except SyntaxError:
        assume(False)
        raise


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="symtable tells inlined comprehensions and `del` otherwise")
@settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(blocks(indent="    "))
def test_free_names_are_those_of_symtable(body: str) -> None:
    source = f"def f(p):\n{body}"
    table = table_of(source)
    assert names.free_names(only(source)) == global_reads(table.get_children()[0]), source


@settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(blocks())
def test_names_bound_in_a_module_are_those_that_compiled_code_stores(source: str) -> None:
    assume("global" not in source)
    table_of(source)
    code = compile(source, "cell", "exec", dont_inherit=True)
    assert names.bound_names(ast.parse(source).body) == stored(code), source


def test_a_comprehension_in_a_class_body_does_not_see_its_names() -> None:
    source = "def f():\n    class C:\n        k = 1\n        v = [k for i in range(3)]"
    assert names.free_names(only(source)) == {"k", "range"}
