"""What a class body, or another statement, reads where it stands: Python's rules for the scope of a class.

A name that the body has bound for certain is its own; any other may be one from outside. Comprehensions and functions
in the body do not see the body's names, but the first iterable of a comprehension does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from kalecompiler import names


def eager_reads(node: ast.AST) -> frozenset[str]:
    """Names that the code of a statement (of a class: that of its body) may load from outside as it runs."""
    reader = _Body()
    reader.statements(node.body if isinstance(node, ast.ClassDef) else [node])
    return frozenset(reader.found)


class _Body(ast.NodeVisitor):
    """Walks statements in order; `bound` are the names that are bound for certain, `found` those read before that."""

    def __init__(self) -> None:
        self.bound: set[str] = set()
        self.found: set[str] = set()

    def statements(self, body: Iterable[ast.AST]) -> None:
        for statement in body:
            self.visit(statement)

    def branches(self, *bodies: Iterable[ast.AST]) -> None:
        """Bodies of which one runs: bound is what all of them bind."""
        start, ends = set(self.bound), []
        for body in bodies:
            self.bound = set(start)
            self.statements(body)
            ends.append(self.bound)
        self.bound = set.intersection(*ends)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.found |= {node.id} - self.bound
        elif isinstance(node.ctx, ast.Store):
            self.bound.add(node.id)
        else:
            self.bound.discard(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        self.statements(node.targets)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.annotation)
        if node.value is not None:
            self.visit(node.value)
            self.visit(node.target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.found |= {node.target.id} - self.bound
        self.visit(node.value)
        self.visit(node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.visit(node.target)

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        self.branches([node.target, *node.body], [])
        self.branches(node.orelse, [])

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        self.branches(node.body, [])
        self.branches(node.orelse, [])

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self.branches(node.body, node.orelse)

    def visit_Try(self, node: ast.Try) -> None:
        self.branches([*node.body, *node.orelse], *([handler] for handler in node.handlers))
        self.statements(node.finalbody)

    visit_TryStar = visit_Try

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.type is not None:
            self.visit(node.type)
        self.bound |= {node.name} if node.name else set()
        self.statements(node.body)
        self.bound -= {node.name} if node.name else set()

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self.visit(item.optional_vars)
        self.statements(node.body)

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        self.branches(*([case] for case in node.cases), [])

    def visit_match_case(self, node: ast.match_case) -> None:
        self.visit(node.pattern)  # the values in it
        self.bound |= names.bound_names([node.pattern])
        self.statements([*([node.guard] if node.guard else []), *node.body])

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.bound |= set(names.imported_names(node))

    visit_ImportFrom = visit_Import

    def visit_FunctionDef(self, node: names.Definable) -> None:
        self.statements(names.outer_parts(node))
        if isinstance(node, ast.ClassDef):
            self.found |= eager_reads(node) - self.bound
        self.bound.add(node.name)

    visit_AsyncFunctionDef = visit_ClassDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.statements(names.outer_parts(node))

    def visit_ListComp(self, node: names.Comprehension) -> None:
        self.visit(node.generators[0].iter)
        self.found |= names.free_in_comprehension(node)
        self.bound |= names.bound_names([node])

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp
