"""Pipeline metrics: what the cells tagged so name, and the step that each is shown on."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from kalecompiler import names
from kalecompiler.diagnostics import NOT_A_METRIC, Diagnostic
from kalecompiler.model import Cell, Notebook


@dataclass(frozen=True, slots=True)
class Result:
    """A metric as written: `expression` is None where the name itself is the metric."""

    name: str
    cell: Cell
    node: ast.stmt
    expression: ast.expr | None = None

    @property
    def reads(self) -> frozenset[str]:
        """The variables that it is made of."""
        if self.expression is None:
            return frozenset({self.name})
        return names.free_names(ast.parse(f"lambda: {ast.unparse(self.expression)}", mode="eval").body)


def read(notebook: Notebook, cells: Sequence[tuple[Cell, ast.Module]]) -> tuple[tuple[Result, ...], list[Diagnostic]]:
    """The metrics of the cells: a name, `print(name)`, or `name = expression`. A name given twice counts once."""
    found: dict[str, Result] = {}
    problems: list[Diagnostic] = []
    for cell, tree in cells:
        for statement in tree.body:
            results = _results(cell, statement)
            if results is None:
                where = notebook.at(cell, statement.lineno, statement.col_offset + 1)
                problems.append(
                    Diagnostic(
                        NOT_A_METRIC,
                        "a pipeline-metrics cell holds only names, `print(name)` and `name = expression`",
                        where,
                        "compute the value in a step, and name it here",
                    )
                )
            else:
                found |= {r.name: r for r in results if r.name not in found}
    return tuple(found.values()), problems


def _results(cell: Cell, node: ast.stmt) -> list[Result] | None:
    """The metrics of a statement; None where it is something else."""
    if isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        return []
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return [Result(node.targets[0].id, cell, node, node.value)]
    if not isinstance(node, ast.Expr):
        return None
    value = node.value
    if isinstance(value, ast.Name):
        return [Result(value.id, cell, node)]
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "print":
        shown = [a for a in value.args if not isinstance(a, ast.Constant)]
        if shown and all(isinstance(a, ast.Name) for a in shown):
            return [Result(a.id, cell, node) for a in shown if isinstance(a, ast.Name)]
    return None


def home(result: Result, binds: Sequence[frozenset[str]], reads: Sequence[frozenset[str]]) -> int:
    """The index of the step that a metric is shown on.

    `binds` and `reads` are the names that each step's text binds and mentions. It is the last step that binds one of
    the metric's variables; for a metric of parameters only, the last step that uses one, else the last step.
    """
    for table in (binds, reads):
        steps = [i for i, known in enumerate(table) if known & result.reads]
        if steps:
            return steps[-1]
    return len(binds) - 1
