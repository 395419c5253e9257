"""Calls that no parentheses show: operators, properties, iteration and `with` on objects of the notebook's classes."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from kalecompiler import dynamic, library, names
from kalecompiler.calls import accessors, method
from kalecompiler.facts import Grade
from kalecompiler.sharing import Values

_OPERATORS: Mapping[type[ast.AST], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.MatMult: "matmul",
    ast.Div: "truediv",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.Pow: "pow",
    ast.LShift: "lshift",
    ast.RShift: "rshift",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "xor",
    ast.USub: "neg",
    ast.UAdd: "pos",
    ast.Invert: "invert",
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.In: "contains",
    ast.NotIn: "contains",
}
ITERATION = ("__iter__", "__next__", "__aiter__", "__anext__")


class Protocols(Values, ast.NodeVisitor):
    """Visits operators; what a method does is left to `follow`, what a change does to `changed`."""

    def follow(self, function: names.Function, given: dict[str, list[ast.expr]], *, sure: bool) -> None:
        raise NotImplementedError

    def changed(self, expr: ast.expr, grade: Grade, node: ast.AST, reason: str) -> None:
        raise NotImplementedError

    def special(self, expr: ast.expr, wanted: Iterable[str]) -> None:
        """Python calls these methods of an object: follow those that its class, if the notebook's, defines."""
        for owner, sure in self.owners(expr):
            for name in wanted:
                found = method(owner, name)
                if found is not None:
                    first = names.parameters(found)[:1]
                    self.follow(found, {first[0]: [expr]} if first else {}, sure=sure)

    def owners(self, expr: ast.expr) -> Iterator[tuple[ast.ClassDef, bool]]:
        """The notebook's classes that an object may be of, and whether it is known to be."""
        exact = self.class_of(expr)
        if exact is not None:
            yield exact, True
            return
        for definition in sorted(self.taint(expr), key=lambda d: d.name):
            if isinstance(definition.node, ast.ClassDef):
                yield definition.node, False

    def anything(self, expr: ast.expr) -> None:
        """A builtin or library may call any special method of an object that it is given."""
        for owner, _ in self.owners(expr):
            members = [m.name for m in owner.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)]
            self.special(expr, [m for m in members if m.startswith("__") and m not in ("__init__", "__new__")])

    def consumed(self, iterable: ast.expr) -> None:
        """Looping over an iterator uses it up."""
        if isinstance(iterable, ast.Call) and self.path(iterable.func) in library.ADAPTERS:
            for inner in iterable.args:
                self.consumed(inner)
            return
        if self.type_of(iterable) == library.ITERATOR:
            self.changed(iterable, Grade.DEFINITE, iterable, "the iterator is used up")
        self.special(iterable, ITERATION)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self.generic_visit(node)
        name = _OPERATORS[type(node.op)]
        self.special(node.left, [f"__{name}__"])
        self.special(node.right, [f"__r{name}__"])

    def augmented(self, node: ast.AugAssign) -> None:
        """`x += y` runs a method of x, or else what `x + y` runs."""
        name = _OPERATORS[type(node.op)]
        self.special(node.target, [f"__i{name}__", f"__{name}__"])
        self.special(node.value, [f"__r{name}__"])

    def stored(self, target: ast.Subscript | ast.Attribute, *, deleted: bool) -> None:
        """`x[i] = v`, `x.a = v` and `del` of these run methods of x."""
        does = "del" if deleted else "set"
        if isinstance(target, ast.Subscript):
            self.special(target.value, [f"__{does}item__"])
            return
        self.special(target.value, [f"__{does}attr__"])
        for owner, sure in self.owners(target.value):
            for function in accessors(owner, target.attr, "deleter" if deleted else "setter"):
                first = names.parameters(function)[:1]
                self.follow(function, {first[0]: [target.value]} if first else {}, sure=sure)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        self.generic_visit(node)
        self.special(node.operand, [f"__{_OPERATORS.get(type(node.op), 'bool')}__"])

    def visit_Compare(self, node: ast.Compare) -> None:
        self.generic_visit(node)
        for operator, operand in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, ast.In | ast.NotIn):
                self.consumed(operand)
            name = _OPERATORS.get(type(operator))
            for side in (node.left, operand) if name else ():
                self.special(side, [f"__{name}__"])

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.generic_visit(node)
        name = dynamic.entry(node)
        if name is not None and isinstance(node.ctx, ast.Load):
            self.flow.load(name, node)
        if isinstance(node.ctx, ast.Load):
            self.special(node.value, ["__getitem__", "__missing__"])
            if self.type_of(node.value) == library.DEFAULTS:
                self.changed(node.value, Grade.POSSIBLE, node, "reading a missing key of a defaultdict adds it")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.visit(node.value)
        if isinstance(node.ctx, ast.Load):
            self.special(node.value, ["__getattr__", "__getattribute__"])
            for owner, sure in self.owners(node.value):
                found = method(owner, node.attr)
                if found is not None and _is_property(found):
                    first = names.parameters(found)[:1]
                    self.follow(found, {first[0]: [node.value]} if first else {}, sure=sure)
                    if any(ast.unparse(d).endswith("cached_property") for d in found.decorator_list):
                        grade = Grade.DEFINITE if sure else Grade.POSSIBLE
                        self.changed(node.value, grade, node, f"it keeps the value of `{node.attr}`")


def _is_property(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    texts = [ast.unparse(d).split(".")[-1] for d in function.decorator_list]
    return any(text in ("property", "cached_property") for text in texts)
